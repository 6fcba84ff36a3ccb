//! The recurrent layers against Burn's own, forward and all gradients, on sizes drawn at random.

use burn::module::Module;
use burn::nn::{GruConfig, LstmConfig, LstmState};
use burn::store::{BurnpackStore, ModuleSnapshot};
use burn::tensor::{Device, Distribution, Tensor};
use proptest::prelude::*;
use tenfold_kernels::nn::{Gru, Lstm};
use tenfold_kernels::raw::recurrent::{self as raw, Gate, Sequence, Sizes};

/// With and without recomputation in the backward pass.
fn devices() -> [Device; 2] {
    let device = Device::flex().autodiff();
    [device.clone(), device.gradient_checkpointing()]
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device).detach().require_grad()
}

fn close<const D: usize>(ours: Tensor<D>, theirs: Tensor<D>, what: &str) {
    assert_eq!(ours.dims(), theirs.dims(), "{what}");
    if ours.dims().contains(&0) {
        return;
    }
    let largest = theirs.clone().abs().max().into_scalar::<f32>().max(1.0);
    let gap = (ours - theirs).abs().max().into_scalar::<f32>() / largest;
    assert!(gap < 3e-5, "{what}: a difference of {gap}");
}

/// A gate's four gradients.
macro_rules! gates_close {
    ($ours:ident, $theirs:ident, $module:ident, $($gate:expr),*) => {$(
        let gate = $gate;
        for transform in [&gate.input_transform, &gate.hidden_transform] {
            close(transform.weight.grad(&$ours).unwrap(), transform.weight.grad(&$theirs).unwrap(), "weights");
            if let Some(bias) = &transform.bias {
                close(bias.grad(&$ours).unwrap(), bias.grad(&$theirs).unwrap(), "bias");
            }
        }
    )*};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn lstm_equals_burns(
        batch in 0usize..20, steps in 1usize..9, inputs in 1usize..40, hidden in 1usize..70,
        bias: bool, given: bool, batch_first: bool,
    ) {
        for device in devices() {
            let config = LstmConfig::new(inputs, hidden, bias).with_batch_first(batch_first);
            let theirs = config.init(&device);
            let ours = Lstm::from(theirs.clone());
            let shape = if batch_first { [batch, steps, inputs] } else { [steps, batch, inputs] };
            let x = random(shape, &device);
            let state = given.then(|| LstmState::new(random([batch, hidden], &device), random([batch, hidden], &device)));
            let (mine, my_state) = ours.forward(x.clone(), state.clone());
            prop_assume!(batch > 0 || mine.dims()[usize::from(!batch_first)] == 0);
            if batch == 0 { continue; }
            let (burns, burns_state) = theirs.forward(x.clone(), state.clone());
            close(mine.clone(), burns.clone(), "states");
            close(my_state.hidden.clone(), burns_state.hidden.clone(), "last state");
            close(my_state.cell.clone(), burns_state.cell.clone(), "last cells");
            let factors = [mine.dims()].map(|shape| random(shape, &device).detach());
            let loss = |all: Tensor<3>, state: LstmState<2>| {
                (all * factors[0].clone()).sum() + (state.hidden * 0.7).sum() + (state.cell.square()).sum()
            };
            let (mine, burns) = (loss(mine, my_state).backward(), loss(burns, burns_state).backward());
            close(x.grad(&mine).unwrap(), x.grad(&burns).unwrap(), "input");
            if let Some(state) = state {
                for state in [state.hidden, state.cell] {
                    close(state.grad(&mine).unwrap(), state.grad(&burns).unwrap(), "first states");
                }
            }
            let forget = theirs.forget_gate.as_ref().unwrap();
            gates_close!(mine, burns, theirs, &theirs.input_gate, forget, &theirs.cell_gate, &theirs.output_gate);
        }
    }

    #[test]
    fn gru_equals_burns(
        batch in 1usize..20, steps in 1usize..9, inputs in 1usize..40, hidden in 1usize..70,
        bias: bool, given: bool, reset_after: bool,
    ) {
        for device in devices() {
            let theirs = GruConfig::new(inputs, hidden, bias).with_reset_after(reset_after).init(&device);
            let ours = Gru::from(theirs.clone());
            // A view whose elements do not lie in order.
            let x = random([batch, inputs, steps], &device);
            let state = given.then(|| random([batch, hidden], &device));
            let mine = ours.forward(x.clone().swap_dims(1, 2), state.clone());
            let burns = theirs.forward(x.clone().swap_dims(1, 2), state.clone());
            close(mine.clone(), burns.clone(), "states");
            let factor = random(mine.dims(), &device).detach();
            let mine = (mine * factor.clone()).sum().backward();
            let burns = (burns * factor).sum().backward();
            close(x.grad(&mine).unwrap(), x.grad(&burns).unwrap(), "input");
            if let Some(state) = state {
                close(state.grad(&mine).unwrap(), state.grad(&burns).unwrap(), "first state");
            }
            gates_close!(mine, burns, theirs, &theirs.update_gate, &theirs.reset_gate, &theirs.new_gate);
        }
    }
}

/// Two halves of a sequence, the second from where the first ended, are the whole: states and
/// gradients, those of the first state and through the last one too.
#[test]
fn a_sequence_goes_on_from_its_last_state() {
    for device in devices() {
        let lstm = Lstm::from(LstmConfig::new(5, 7, true).init(&device));
        let gru = Gru::from(GruConfig::new(5, 7, true).init(&device));
        let x = random([3, 6, 5], &device);
        let [hidden, cell] = [(); 2].map(|()| random([3, 7], &device));
        let halves = || [0..3, 3..6].map(|steps| x.clone().slice([0..3, steps]));
        let lstm = |at_once: bool| {
            let state = Some(LstmState::new(cell.clone(), hidden.clone()));
            if at_once {
                let (states, last) = lstm.forward(x.clone(), state);
                return (states, vec![last.hidden, last.cell]);
            }
            let [first, second] = halves();
            let (begin, state) = lstm.forward(first, state);
            let (end, last) = lstm.forward(second, Some(state));
            (Tensor::cat(vec![begin, end], 1), vec![last.hidden, last.cell])
        };
        let gru = |at_once: bool| {
            let state = Some(hidden.clone());
            if at_once {
                let (states, last) = gru.forward_with_state(x.clone(), state);
                return (states, vec![last]);
            }
            let [first, second] = halves();
            let (begin, state) = gru.forward_with_state(first, state);
            let (end, last) = gru.forward_with_state(second, Some(state));
            (Tensor::cat(vec![begin, end], 1), vec![last])
        };
        type Run<'a> = &'a dyn Fn(bool) -> (Tensor<3>, Vec<Tensor<2>>);
        for (run, inputs) in [(&lstm as Run<'_>, vec![&hidden, &cell]), (&gru, vec![&hidden])] {
            let (whole, parts) = (run(true), run(false));
            close(parts.0.clone(), whole.0.clone(), "states");
            let loss = |(states, last): (Tensor<3>, Vec<Tensor<2>>)| {
                last.into_iter().fold(states.square().sum(), |sum, last| sum + (last * 0.7).sum())
            };
            let (whole, parts) = (loss(whole).backward(), loss(parts).backward());
            close(x.grad(&parts).unwrap(), x.grad(&whole).unwrap(), "input");
            for state in inputs {
                close(state.grad(&parts).unwrap(), state.grad(&whole).unwrap(), "first state");
            }
        }
    }
}

#[test]
fn unusual_options_are_burns_own() {
    let device = Device::flex();
    let x = Tensor::<3>::random([3, 5, 4], Distribution::Default, &device);
    let configs = [
        LstmConfig::new(4, 6, true).with_reverse(true),
        LstmConfig::new(4, 6, true).with_clip(Some(0.1)),
        LstmConfig::new(4, 6, true).with_input_forget(true),
        LstmConfig::new(4, 6, true)
            .with_cell_activation(burn::nn::activation::ActivationConfig::Relu),
    ];
    for config in configs {
        let theirs = config.init(&device);
        let (expected, _) = theirs.forward(x.clone(), None);
        let (states, _) = Lstm::from(theirs).forward(x.clone(), None);
        states.into_data().assert_eq(&expected.into_data(), true);
    }
}

#[test]
fn an_empty_batch_stays_empty() {
    let device = Device::flex().autodiff();
    let lstm = Lstm::from(LstmConfig::new(4, 6, true).init(&device));
    let gru = Gru::from(GruConfig::new(4, 6, true).init(&device));
    let x = Tensor::<3>::zeros([0, 5, 4], &device).require_grad();
    let (states, last) = lstm.forward(x.clone(), None);
    assert_eq!((states.dims(), last.cell.dims(), last.hidden.dims()), ([0, 5, 6], [0, 6], [0, 6]));
    assert_eq!(gru.forward(x, None).dims(), [0, 5, 6]);
}

#[test]
fn nan_and_infinity_stay_in_their_row() {
    let device = Device::flex();
    let lstm = Lstm::from(LstmConfig::new(2, 3, true).init(&device));
    let gru = Gru::from(GruConfig::new(2, 3, true).init(&device));
    let x = Tensor::<3>::from_floats(
        [
            [[f32::NAN, 0.0], [0.0, 0.0]],
            [[f32::INFINITY, 0.0], [0.0, 0.0]],
            [[0.5, 0.0], [0.0, 0.0]],
        ],
        &device,
    );
    for states in [lstm.forward(x.clone(), None).0, gru.forward(x, None)] {
        let values = states.into_data().try_to_vec::<f32>().unwrap();
        assert!(values[..6].iter().all(|value| value.is_nan()));
        assert!(values[6..].iter().all(|value| value.abs() <= 1.0), "{values:?}");
    }
}

#[test]
fn weights_go_either_way() {
    let device = Device::flex();
    let x = Tensor::<3>::random([3, 5, 4], Distribution::Default, &device);
    let theirs = LstmConfig::new(4, 6, true).init(&device);
    let mut store = BurnpackStore::from_bytes(None);
    theirs.save_into(&mut store).unwrap();
    let mut ours = Lstm::from(LstmConfig::new(4, 6, true).init(&device));
    let mut store = BurnpackStore::from_bytes(Some(store.get_bytes().unwrap()));
    ours.load_from(&mut store).unwrap();
    let expected = Lstm::from(theirs).forward(x.clone(), None).0;
    ours.forward(x, None).0.into_data().assert_eq(&expected.into_data(), true);
    assert_eq!(ours.num_params(), 4 * (4 * 6 + 6 * 6 + 2 * 6));
}

/// Random numbers of a fixed sequence.
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn runs_are_bit_equal() {
    let device = Device::flex().autodiff();
    let lstm = Lstm::from(LstmConfig::new(64, 96, true).init(&device));
    let x = random([32, 20, 64], &device);
    let gradients = || {
        let loss = lstm.forward(x.clone(), None).0.square().sum();
        let grads = loss.backward();
        let weight = lstm.input_gate.hidden_transform.weight.grad(&grads).unwrap();
        let bias = lstm.cell_gate.hidden_transform.bias.as_ref().unwrap().grad(&grads).unwrap();
        (weight.into_data(), bias.into_data(), x.grad(&grads).unwrap().into_data())
    };
    let first = gradients();
    for _ in 0..5 {
        let again = gradients();
        again.0.assert_eq(&first.0, true);
        again.1.assert_eq(&first.1, true);
        again.2.assert_eq(&first.2, true);
    }
}

/// The slope of a sum of squares along one parameter, by the difference of two values, is the
/// gradient.
#[test]
fn gradients_are_slopes() {
    let sequence = Sequence::new(Sizes { batch: 3, steps: 4, inputs: 5, hidden: 6 }).unwrap();
    let x = numbers(60, 1);
    let states = [numbers(18, 2), numbers(18, 3)];
    let weights: Vec<[Vec<f32>; 4]> = (0..4)
        .map(|gate| [30, 36, 6, 6].map(|len| numbers(len, 10 + 4 * gate + len as u32)))
        .collect();
    let gate = |weights: &[Vec<f32>; 4]| -> [Vec<f32>; 4] { weights.clone() };
    let lstm = |x: &[f32], weights: &[[Vec<f32>; 4]]| {
        let gates: Vec<Gate<'_>> = weights.iter().map(as_gate).collect();
        let gates: [Gate<'_>; 4] = gates.try_into().unwrap();
        raw::lstm(&sequence, x, &gates, &states[0], &states[1])
    };
    let loss = |states: &[f32]| states.iter().map(|&h| f64::from(h).powi(2)).sum::<f64>();
    let (result, kept) = lstm(&x, &weights);
    let gradient: Vec<f32> = result.iter().map(|h| 2.0 * h).collect();
    let gates: Vec<Gate<'_>> = weights.iter().map(as_gate).collect();
    let gates: [Gate<'_>; 4] = gates.try_into().unwrap();
    let gradients = raw::lstm_backward(
        &sequence,
        &x,
        &gates,
        [&states[0], &states[1]],
        &result,
        kept,
        &gradient,
    );
    const STEP: f32 = 1e-2;
    let slope =
        |change: &dyn Fn(f32) -> f64| (change(STEP) - change(-STEP)) / f64::from(2.0 * STEP);
    for index in [0, 17, 59] {
        let slope = slope(&|by| {
            let mut x = x.clone();
            x[index] += by;
            loss(&lstm(&x, &weights).0)
        });
        assert!((slope - f64::from(gradients.input[index])).abs() < 2e-3, "input {index}: {slope}");
    }
    for (number, gradients) in gradients.gates.iter().enumerate() {
        let parts =
            [&gradients.input, &gradients.hidden, &gradients.input_bias, &gradients.hidden_bias];
        for (part, gradient) in parts.into_iter().enumerate() {
            let slope = slope(&|by| {
                let mut weights: Vec<[Vec<f32>; 4]> = weights.iter().map(gate).collect();
                weights[number][part][3] += by;
                loss(&lstm(&x, &weights).0)
            });
            assert!(
                (slope - f64::from(gradient[3])).abs() < 2e-3,
                "gate {number}: {slope} for {}",
                gradient[3]
            );
        }
    }
}

/// The same for a gated recurrent unit, and for its first state.
#[test]
fn gradients_of_a_gru_are_slopes() {
    let sequence = Sequence::new(Sizes { batch: 3, steps: 4, inputs: 5, hidden: 6 }).unwrap();
    let weights = |gate: u32, part: usize| {
        let len = [30, 36, 6, 6][part];
        numbers(len, 50 + 4 * gate + part as u32)
    };
    // Input, first state, and of each gate the weights and biases.
    let mut all = vec![numbers(60, 1), numbers(18, 2)];
    all.extend((0..3).flat_map(|gate| (0..4).map(move |part| weights(gate, part))));
    let gates = |all: &[Vec<f32>]| -> Vec<[Vec<f32>; 4]> {
        all[2..].chunks(4).map(|gate| gate.to_vec().try_into().unwrap()).collect()
    };
    let run = |all: &[Vec<f32>]| {
        let gates = gates(all);
        raw::gru(&sequence, &all[0], &[0, 1, 2].map(|gate| as_gate(&gates[gate])), &all[1])
    };
    let (states, kept) = run(&all);
    let gradient: Vec<f32> = states.iter().map(|h| 2.0 * h).collect();
    let owned = gates(&all);
    let gates = [0, 1, 2].map(|gate| as_gate(&owned[gate]));
    let gradients =
        raw::gru_backward(&sequence, &all[0], &gates, &all[1], &states, kept, &gradient);
    let mut of_all = vec![gradients.input, gradients.hidden];
    for gate in gradients.gates {
        of_all.extend([gate.input, gate.hidden, gate.input_bias, gate.hidden_bias]);
    }
    const STEP: f32 = 1e-2;
    for (which, gradient) in of_all.iter().enumerate() {
        for place in (0..gradient.len()).step_by(5) {
            let loss = |by: f32| {
                let mut all = all.clone();
                all[which][place] += by;
                run(&all).0.iter().map(|&h| f64::from(h).powi(2)).sum::<f64>()
            };
            let slope = (loss(STEP) - loss(-STEP)) / f64::from(2.0 * STEP);
            let gap = (slope - f64::from(gradient[place])).abs();
            assert!(gap < 2e-3, "operand {which}, place {place}: {} for {slope}", gradient[place]);
        }
    }
}

/// So few rows of so many units that the threads divide the units: as Burn's, and the same bits
/// on any number of threads.
#[test]
fn few_rows_of_many_units() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        for (batch, hidden) in [(1, 128), (1, 160), (3, 256), (2, 130)] {
            let theirs = LstmConfig::new(24, hidden, true).init(&device);
            let ours = Lstm::from(theirs.clone());
            let x = Tensor::<3>::random([batch, 12, 24], Distribution::Default, &device);
            let (states, last) = ours.forward(x.clone(), None);
            let (burns, burns_last) = theirs.forward(x, None);
            close(states, burns, "states");
            close(last.hidden, burns_last.hidden, "last state");
            close(last.cell, burns_last.cell, "last cells");
        }
    }
    let sequence = Sequence::new(Sizes { batch: 1, steps: 30, inputs: 8, hidden: 192 }).unwrap();
    let weights = [numbers(8 * 192, 1), numbers(192 * 192, 2), numbers(192, 3), numbers(192, 4)];
    let gates = [as_gate(&weights); 4];
    let (x, state) = (numbers(240, 5), numbers(192, 6));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| raw::lstm(&sequence, &x, &gates, &state, &state).0)
    };
    let alone = on(1);
    for threads in [2, 2, 2, 3, 7] {
        assert!(on(threads) == alone, "{threads} threads");
    }
}

/// Weights are kept packed between inferences, but not for longer than they stay the same.
#[test]
fn new_weights_are_packed_anew() {
    let device = Device::flex();
    let x = Tensor::<3>::random([2, 5, 4], Distribution::Default, &device);
    let (mut lstm, mut gru) = (None, None);
    for _ in 0..3 {
        let theirs = LstmConfig::new(4, 6, true).init(&device);
        let ours = lstm.get_or_insert_with(|| Lstm::from(theirs.clone()));
        ours.forget_gate = theirs.forget_gate.clone();
        let theirs = burn::nn::Lstm::from(ours.clone());
        for _ in 0..2 {
            close(ours.forward(x.clone(), None).0, theirs.forward(x.clone(), None).0, "lstm");
        }
        let theirs = GruConfig::new(4, 6, true).init(&device);
        let ours = gru.get_or_insert_with(|| Gru::from(theirs.clone()));
        ours.new_gate = theirs.new_gate.clone();
        let theirs = burn::nn::Gru::from(ours.clone());
        for _ in 0..2 {
            close(ours.forward(x.clone(), None), theirs.forward(x.clone(), None), "gru");
        }
    }
}

/// All of these tests once more with the instructions of lesser processors.
#[test]
fn narrower_instructions_do_the_same() {
    for isa in ["avx2", "portable"] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--skip", "narrower_instructions"])
            .env("TENFOLD_ISA", isa)
            .output()
            .unwrap();
        assert!(output.status.success(), "{isa}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

fn as_gate([input, hidden, first, second]: &[Vec<f32>; 4]) -> Gate<'_> {
    Gate { input, hidden, input_bias: Some(first), hidden_bias: Some(second) }
}
