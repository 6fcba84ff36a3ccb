//! The gated recurrent unit.

use super::gates::{Gate, GateGradient, Gradients, apart, side_by_side};
use super::matrix::{
    Dense, Matrix, WORK, pack_transposed, product, product_of, transposed_product,
};
use super::sequence::{Sequence, Sizes, earlier};
use super::weights::Weights;
use crate::raw::gemm::Epilogue;
use crate::raw::math::{sigmoid, tanh};
use crate::raw::simd::vectorised;
use crate::raw::{Out, share};

/// What [`gru_backward`] needs of [`gru`]: candidate, update gate, reset gate, and the product
/// of the state that the reset gate acts on, `[B, T, 4, H]`.
#[derive(Clone, Debug)]
pub struct GruKept(Vec<f32>);

vectorised! {
    /// One step of one row. `gates` `[4, H]`: the sums over the input of candidate, update and
    /// reset before, as [`GruKept`] after; `sums` `[3, H]`: those over the state of update,
    /// reset and candidate; `hidden` is the state.
    fn gru_cell(gates: &mut [f32], sums: &[f32], hidden: &mut [f32]) {
        let size = hidden.len();
        let (candidate, rest) = gates.split_at_mut(size);
        let (update, rest) = rest.split_at_mut(size);
        let (reset, product) = rest.split_at_mut(size);
        let product = &mut product[..size];
        let (update_sum, rest) = sums.split_at(size);
        let (reset_sum, candidate_sum) = rest.split_at(size);
        let candidate_sum = &candidate_sum[..size];
        for j in 0..size {
            let z = sigmoid(update[j] + update_sum[j]);
            let r = sigmoid(reset[j] + reset_sum[j]);
            let n = tanh(candidate[j] + r * candidate_sum[j]);
            (candidate[j], update[j], reset[j], product[j]) = (n, z, r, candidate_sum[j]);
            hidden[j] = n * (1.0 - z) + z * hidden[j];
        }
    }
}

vectorised! {
    /// The gradient of [`gru_cell`]: `gates` are as [`GruKept`] before, and after the gradients of
    /// the sums: candidate over the input, update, reset, candidate over the state. `from_hidden`
    /// is the gradient for the hidden state, of which `from_output` is another part, before, and
    /// what goes to the earlier one without a product after.
    fn gru_cell_backward(
        gates: &mut [f32],
        earlier: &[f32],
        from_output: &[f32],
        from_hidden: &mut [f32],
        bias: &mut [f32],
    ) {
        let size = earlier.len();
        let (candidate, rest) = gates.split_at_mut(size);
        let (update, rest) = rest.split_at_mut(size);
        let (reset, product) = rest.split_at_mut(size);
        let (product, from_output) = (&mut product[..size], &from_output[..size]);
        let from_hidden = &mut from_hidden[..size];
        for j in 0..size {
            let (n, z, r, sum) = (candidate[j], update[j], reset[j], product[j]);
            let dh = from_output[j] + from_hidden[j];
            let dn = dh * (1.0 - z) * (1.0 - n * n);
            candidate[j] = dn;
            update[j] = dh * (earlier[j] - n) * z * (1.0 - z);
            reset[j] = dn * sum * r * (1.0 - r);
            product[j] = dn * r;
            from_hidden[j] = dh * z;
        }
        for (bias, gate) in bias.iter_mut().zip(gates) {
            *bias += *gate;
        }
    }
}

/// A gated recurrent unit with the gates update, reset, candidate: the hidden states of all
/// steps, `[B, T, H]`.
///
/// ```text
/// z, r = sigmoid(x * Wx + h * Wh + b), n = tanh(x * Wx + b + r (h * Wh + b'))
/// h' = (1 - z) n + z h
/// ```
///
/// # Panics
/// Where lengths differ from the sizes, or there is no step.
pub fn gru(
    sequence: &Sequence,
    x: &[f32],
    gates: &[Gate<'_>; 3],
    hidden: &[f32],
) -> (Vec<f32>, GruKept) {
    gru_with(sequence, x, &Weights::of_gru(sequence, gates), hidden)
}

/// The same with weights that are packed already.
///
/// # Panics
/// Where lengths differ from the sizes, or there is no step.
pub fn gru_with(
    sequence: &Sequence,
    x: &[f32],
    weights: &Weights,
    hidden: &[f32],
) -> (Vec<f32>, GruKept) {
    let Sizes { batch, steps, inputs, hidden: size } = **sequence;
    let (width, kept) = (3 * size, 4 * size);
    sequence.check_input(x);
    weights.check(sequence, width);
    assert_eq!(hidden.len(), sequence.state(), "state");
    let hidden_bias = weights.hidden_bias.as_deref();

    let rows = Matrix::new(x, inputs);
    let mut sums = vec![0.0; rows.rows * kept];
    let sums_out = Out(sums.as_mut_ptr());
    // SAFETY: rows of the result are four states wide, of which three are written.
    unsafe { product(rows, &weights.input, Some(&weights.bias), sums_out, kept) };
    let mut states = vec![0.0; sequence.states()];
    let states_out = Out(states.as_mut_ptr());

    let run = |part: usize| {
        let part = sequence.part(part);
        let mut state = Dense::new(part.len(), size);
        for (row, state) in part.clone().zip(state.rows_mut()) {
            state.copy_from_slice(&hidden[row * size..][..size]);
        }
        let mut products = Dense::new(part.len(), width);
        for step in 0..steps {
            state.product(&weights.hidden, hidden_bias, Epilogue::Store, &mut products);
            let rows = products.rows_mut().zip(state.rows_mut());
            for (row, (products, state)) in part.clone().zip(rows) {
                let at = (row * steps + step) * size;
                // SAFETY: the rows are those of this part, which no other task touches.
                unsafe {
                    let sums = std::slice::from_raw_parts_mut(sums_out.at(at * 4), kept);
                    gru_cell(sums, products, state);
                    std::slice::from_raw_parts_mut(states_out.at(at), size).copy_from_slice(state);
                }
            }
        }
    };
    share(sequence.parts(), batch * steps * size * width / WORK, run);
    (states, GruKept(sums))
}

/// The gradients of [`gru`], from `states`, its result, and `gradient`, that for its result.
///
/// # Panics
/// Where lengths differ from the sizes.
pub fn gru_backward(
    sequence: &Sequence,
    x: &[f32],
    gates: &[Gate<'_>; 3],
    hidden: &[f32],
    states: &[f32],
    GruKept(mut sums): GruKept,
    gradient: &[f32],
) -> Gradients<3> {
    let Sizes { batch, steps, inputs, hidden: size } = **sequence;
    sequence.check(x, gates);
    let (width, kept) = (3 * size, 4 * size);
    assert_eq!(hidden.len(), sequence.state(), "state");
    assert_eq!(
        [states.len(), gradient.len(), sums.len() / 4],
        [sequence.states(); 3],
        "result and gradient"
    );
    let joined = side_by_side(gates.map(|gate| gate.hidden), size);
    let weights = pack_transposed(&joined, size, width);

    let mut from_hidden = vec![0.0; sequence.state()];
    let mut biases = vec![0.0; sequence.parts() * kept];
    let [sums_out, hidden_out, bias_out] =
        [&mut sums, &mut from_hidden, &mut biases].map(|place| Out(place.as_mut_ptr()));
    let run = |index: usize| {
        let part = sequence.part(index);
        let mut state = Dense::new(part.len(), size);
        let mut products = Dense::new(part.len(), width);
        // SAFETY: each task has its own part of the biases.
        let bias = unsafe { std::slice::from_raw_parts_mut(bias_out.at(index * kept), kept) };
        for step in (0..steps).rev() {
            let rows = products.rows_mut().zip(state.rows_mut());
            for (row, (products, dh)) in part.clone().zip(rows) {
                let at = (row * steps + step) * size;
                let earlier = match step {
                    0 => &hidden[row * size..][..size],
                    _ => &states[at - size..][..size],
                };
                // SAFETY: the rows are those of this part, which no other task touches.
                let sums = unsafe { std::slice::from_raw_parts_mut(sums_out.at(at * 4), kept) };
                gru_cell_backward(sums, earlier, &gradient[at..][..size], dh, bias);
                products.copy_from_slice(&sums[size..]);
            }
            products.product(&weights, None, Epilogue::Accumulate, &mut state);
        }
        for (row, state) in part.zip(state.rows_mut()) {
            // SAFETY: as above.
            let out = unsafe { std::slice::from_raw_parts_mut(hidden_out.at(row * size), size) };
            out.copy_from_slice(state);
        }
    };
    share(sequence.parts(), batch * steps * size * width / WORK, run);

    let of_input = Matrix::columns(&sums, 0, width, kept);
    let of_state = Matrix::columns(&sums, size, width, kept);
    let before = earlier(sequence, states, hidden);
    let [input_weight] = transposed_product([Matrix::new(x, inputs)], of_input);
    let [hidden_weight] = transposed_product([Matrix::new(&before, size)], of_state);
    let &[update, reset, candidate] = gates;
    let joined = side_by_side([candidate, update, reset].map(|gate| gate.input), size);
    let input = product_of(of_input, &pack_transposed(&joined, inputs, width));
    let bias: Vec<f32> =
        (0..kept).map(|j| biases.chunks_exact(kept).map(|part| part[j]).sum()).collect();
    let [dn, dz, dr, dn_state]: [Vec<f32>; 4] = apart(&bias, size);
    let [input_n, input_z, input_r]: [_; 3] = apart(&input_weight, size);
    let [hidden_z, hidden_r, hidden_n]: [_; 3] = apart(&hidden_weight, size);
    let gate = |input, hidden, input_bias, hidden_bias| GateGradient {
        input,
        hidden,
        input_bias,
        hidden_bias,
    };
    Gradients {
        input,
        hidden: from_hidden,
        cell: Vec::new(),
        gates: [
            gate(input_z, hidden_z, dz.clone(), dz),
            gate(input_r, hidden_r, dr.clone(), dr),
            gate(input_n, hidden_n, dn, dn_state),
        ],
    }
}
