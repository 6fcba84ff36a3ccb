//! Recurrent layers over whole sequences.

use crate::Cache;
use burn::tensor::{Tensor, activation};

/// The parameters of a gate.
#[derive(Clone, Debug)]
pub struct Gate {
    /// `[inputs, hidden]`
    pub input: Tensor<2>,
    /// `[hidden, hidden]`
    pub hidden: Tensor<2>,
    /// Two of `[hidden]`, added to the product with the input and to that with the state.
    pub biases: Option<[Tensor<1>; 2]>,
}

impl Gate {
    /// `x * Wx + b` and `h * Wh + b'`.
    fn sums(&self, x: Tensor<2>, hidden: Tensor<2>) -> [Tensor<2>; 2] {
        let sums = [x.matmul(self.input.clone()), hidden.matmul(self.hidden.clone())];
        match &self.biases {
            None => sums,
            Some([first, second]) => {
                let [x, hidden] = sums;
                [x + first.clone().unsqueeze(), hidden + second.clone().unsqueeze()]
            }
        }
    }
}

/// A long short-term memory (Hochreiter and Schmidhuber, 1997) over `x`,
/// `[batch, steps, inputs]`, with the gates input, forget, candidate ("cell"), output, from
/// the states `hidden` and `cell`, `[batch, hidden]`: all hidden states,
/// `[batch, steps, hidden]`, and the last of both states.
///
/// # Panics
/// Where shapes do not fit, or there is no step.
pub fn lstm(
    x: Tensor<3>,
    gates: [Gate; 4],
    hidden: Tensor<2>,
    cell: Tensor<2>,
) -> (Tensor<3>, Tensor<2>, Tensor<2>) {
    lstm_cached(x, gates, hidden, cell, &Cache::default())
}

/// The same, with weights kept packed from one inference to the next.
///
/// # Panics
/// Where shapes do not fit, or there is no step.
pub fn lstm_cached(
    x: Tensor<3>,
    gates: [Gate; 4],
    hidden: Tensor<2>,
    cell: Tensor<2>,
    cache: &Cache,
) -> (Tensor<3>, Tensor<2>, Tensor<2>) {
    #[cfg(not(feature = "flex"))]
    let _ = cache;
    #[cfg(feature = "flex")]
    if let Some(result) = fast::lstm(&x, &gates, &hidden, &cell, cache) {
        return result;
    }
    let [input, forget, candidate, output] = gates;
    let (mut hidden, mut cell) = (hidden, cell);
    let mut states = Vec::new();
    for x in x.iter_dim(1) {
        let x = x.squeeze_dim::<2>(1);
        let sum = |gate: &Gate| {
            let [from_input, from_state] = gate.sums(x.clone(), hidden.clone());
            from_input + from_state
        };
        let [i, f, o] = [&input, &forget, &output].map(|gate| activation::sigmoid(sum(gate)));
        cell = f * cell + i * activation::tanh(sum(&candidate));
        hidden = o * activation::tanh(cell.clone());
        states.push(hidden.clone());
    }
    (Tensor::stack(states, 1), hidden, cell)
}

/// A gated recurrent unit (Cho and others, 2014, arXiv:1406.1078v1: the reset gate acts after
/// the product) over `x`, `[batch, steps, inputs]`, with the gates update, reset, candidate
/// ("new"), from the state `hidden`, `[batch, hidden]`: all hidden states,
/// `[batch, steps, hidden]`.
///
/// # Panics
/// Where shapes do not fit, or there is no step.
pub fn gru(x: Tensor<3>, gates: [Gate; 3], hidden: Tensor<2>) -> Tensor<3> {
    gru_cached(x, gates, hidden, &Cache::default())
}

/// The same, with weights kept packed from one inference to the next.
///
/// # Panics
/// Where shapes do not fit, or there is no step.
pub fn gru_cached(x: Tensor<3>, gates: [Gate; 3], hidden: Tensor<2>, cache: &Cache) -> Tensor<3> {
    #[cfg(not(feature = "flex"))]
    let _ = cache;
    #[cfg(feature = "flex")]
    if let Some(states) = fast::gru(&x, &gates, &hidden, cache) {
        return states;
    }
    let [update, reset, candidate] = gates;
    let mut hidden = hidden;
    let mut states = Vec::new();
    for x in x.iter_dim(1) {
        let x = x.squeeze_dim::<2>(1);
        let sums = |gate: &Gate| gate.sums(x.clone(), hidden.clone());
        let [z, r] = [&update, &reset].map(|gate| {
            let [from_input, from_state] = sums(gate);
            activation::sigmoid(from_input + from_state)
        });
        let [from_input, from_state] = sums(&candidate);
        let n = activation::tanh(from_input + r * from_state);
        hidden = n * (z.clone().neg() + 1.0) + z * hidden;
        states.push(hidden.clone());
    }
    Tensor::stack(states, 1)
}

#[cfg(feature = "flex")]
mod fast {
    use super::{Cache, Gate, Tensor};
    use crate::raw::recurrent::{
        self as raw, Gradients, GruKept, LstmKept, Sequence, Sizes, Weights,
    };
    use crate::route::{self, Operand, Operator};
    use burn_flex::FlexTensor;
    use std::sync::Arc;

    /// The sizes, where the shapes fit and no side is empty.
    fn sequence(x: &Tensor<3>, gates: &[Gate], states: &[&Tensor<2>]) -> Option<Sequence> {
        let [batch, steps, inputs] = x.dims();
        let [_, hidden] = gates[0].input.dims();
        let fits = |gate: &Gate| {
            gate.input.dims() == [inputs, hidden]
                && gate.hidden.dims() == [hidden, hidden]
                && gate.biases.iter().flatten().all(|bias| bias.dims() == [hidden])
                && gate.biases.is_some() == gates[0].biases.is_some()
        };
        let fits =
            gates.iter().all(fits) && states.iter().all(|state| state.dims() == [batch, hidden]);
        Sequence::new(Sizes { batch, steps, inputs, hidden }).filter(|_| fits)
    }

    /// The operands in order: input, states, and of each gate the weights and the biases.
    fn operands<const N: usize>(
        x: &Tensor<3>,
        states: &[&Tensor<2>],
        gates: &[Gate],
    ) -> Option<[Operand; N]> {
        let mut operands = vec![Operand::new(x.clone())];
        operands.extend(states.iter().map(|&state| Operand::new(state.clone())));
        for gate in gates {
            operands.push(Operand::new(gate.input.clone()));
            operands.push(Operand::new(gate.hidden.clone()));
            operands.extend(gate.biases.iter().flatten().map(|bias| Operand::new(bias.clone())));
        }
        operands.try_into().ok().filter(route::reaches)
    }

    /// The cache, where nothing is trained.
    fn kept(cache: &Cache, x: &Tensor<3>) -> Option<Cache> {
        (!x.device().is_autodiff()).then(|| cache.clone())
    }

    /// The packed weights of the gates among operands.
    fn weights<const G: usize>(
        cache: &Option<Cache>,
        operands: &[FlexTensor],
        sequence: &Sequence,
        pack: fn(&Sequence, &[raw::Gate<'_>; G]) -> Weights,
    ) -> Arc<Weights> {
        let prepare = || pack(sequence, &gates(operands));
        match cache {
            Some(cache) => cache.get(operands, |_| true, prepare),
            None => prepare().into(),
        }
    }

    pub(super) fn lstm(
        x: &Tensor<3>,
        gates: &[Gate; 4],
        hidden: &Tensor<2>,
        cell: &Tensor<2>,
        cache: &Cache,
    ) -> Option<(Tensor<3>, Tensor<2>, Tensor<2>)> {
        let states = [hidden, cell];
        let sequence = sequence(x, gates, &states)?;
        let Sizes { batch, steps, hidden: size, .. } = *sequence;
        let operator = Lstm(sequence, kept(cache, x));
        let packed: Tensor<1> = if gates[0].biases.is_some() {
            route::apply(operator, operands::<19>(x, &states, gates)?)
        } else {
            route::apply(operator, operands::<11>(x, &states, gates)?)
        };
        let all = packed.clone().slice(0..sequence.states()).reshape([batch, steps, size]);
        let cell = packed.slice(sequence.states()..sequence.states() + sequence.state());
        let hidden = all.clone().slice([0..batch, steps - 1..steps]).squeeze_dim(1);
        Some((all, hidden, cell.reshape([batch, size])))
    }

    pub(super) fn gru(
        x: &Tensor<3>,
        gates: &[Gate; 3],
        hidden: &Tensor<2>,
        cache: &Cache,
    ) -> Option<Tensor<3>> {
        let sequence = sequence(x, gates, &[hidden])?;
        let operator = Gru(sequence, kept(cache, x));
        Some(if gates[0].biases.is_some() {
            route::apply(operator, operands::<14>(x, &[hidden], gates)?)
        } else {
            route::apply(operator, operands::<8>(x, &[hidden], gates)?)
        })
    }

    /// The gates among operands that [`operands`] gave.
    fn gates<const G: usize>(operands: &[FlexTensor]) -> [raw::Gate<'_>; G] {
        let each = operands.len() / G;
        std::array::from_fn(|gate| {
            let of = &operands[gate * each..][..each];
            raw::Gate {
                input: route::slice(&of[0]),
                hidden: route::slice(&of[1]),
                input_bias: of.get(2).map(route::slice),
                hidden_bias: of.get(3).map(route::slice),
            }
        })
    }

    /// The gradients as primitives, in the order of the operands.
    fn primitives<const G: usize, const N: usize>(
        sequence: &Sequence,
        gradients: Gradients<G>,
        wanted: [bool; N],
    ) -> [Option<FlexTensor>; N] {
        let Sizes { batch, steps, inputs, hidden } = **sequence;
        let states = if gradients.cell.is_empty() && G == 3 { 1 } else { 2 };
        let mut all = vec![route::primitive(gradients.input, [batch, steps, inputs])];
        all.push(route::primitive(gradients.hidden, [batch, hidden]));
        if states == 2 {
            all.push(route::primitive(gradients.cell, [batch, hidden]));
        }
        let biases = N > 1 + states + 2 * G;
        for gate in gradients.gates {
            all.push(route::primitive(gate.input, [inputs, hidden]));
            all.push(route::primitive(gate.hidden, [hidden, hidden]));
            if biases {
                all.push(route::primitive(gate.input_bias, [hidden]));
                all.push(route::primitive(gate.hidden_bias, [hidden]));
            }
        }
        let mut all = all.into_iter();
        wanted.map(|wanted| all.next().filter(|_| wanted))
    }

    /// Inputs: sequence, hidden state, cell, and of each gate weights and biases, if any. The
    /// result is flat: all hidden states and the last cells.
    #[derive(Clone, Debug)]
    struct Lstm(Sequence, Option<Cache>);

    impl<const N: usize> Operator<N> for Lstm {
        /// Inputs, result, and what the forward kept.
        type Saved = ([FlexTensor; N], FlexTensor, Arc<LstmKept>);

        fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved) {
            let inputs = inputs.map(route::contiguous);
            let [x, hidden, cell] = [0, 1, 2].map(|index| route::slice(&inputs[index]));
            let weights = weights(&self.1, &inputs[3..], &self.0, Weights::of_lstm);
            let (states, kept) = raw::lstm_with(&self.0, x, &weights, hidden, cell);
            let len = states.len();
            let states = route::primitive(states, [len]);
            (states.clone(), (inputs, states, Arc::new(kept)))
        }

        fn backward(
            &self,
            (inputs, states, kept): Self::Saved,
            gradient: FlexTensor,
            wanted: [bool; N],
        ) -> [Option<FlexTensor>; N] {
            let gradient = route::contiguous(gradient);
            let [x, hidden, cell] = [0, 1, 2].map(|index| route::slice(&inputs[index]));
            let gradients = raw::lstm_backward(
                &self.0,
                x,
                &gates(&inputs[3..]),
                [hidden, cell],
                route::slice(&states),
                Arc::unwrap_or_clone(kept),
                route::slice(&gradient),
            );
            primitives(&self.0, gradients, wanted)
        }
    }

    /// Inputs: sequence, hidden state, and of each gate weights and biases, if any.
    #[derive(Clone, Debug)]
    struct Gru(Sequence, Option<Cache>);

    impl<const N: usize> Operator<N> for Gru {
        /// Inputs, result, and what the forward kept.
        type Saved = ([FlexTensor; N], FlexTensor, Arc<GruKept>);

        fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved) {
            let inputs = inputs.map(route::contiguous);
            let [x, hidden] = [0, 1].map(|index| route::slice(&inputs[index]));
            let weights = weights(&self.1, &inputs[2..], &self.0, Weights::of_gru);
            let (states, kept) = raw::gru_with(&self.0, x, &weights, hidden);
            let states = route::primitive(states, [self.0.batch, self.0.steps, self.0.hidden]);
            (states.clone(), (inputs, states, Arc::new(kept)))
        }

        fn backward(
            &self,
            (inputs, states, kept): Self::Saved,
            gradient: FlexTensor,
            wanted: [bool; N],
        ) -> [Option<FlexTensor>; N] {
            let gradient = route::contiguous(gradient);
            let [x, hidden] = [0, 1].map(|index| route::slice(&inputs[index]));
            let gradients = raw::gru_backward(
                &self.0,
                x,
                &gates(&inputs[2..]),
                hidden,
                route::slice(&states),
                Arc::unwrap_or_clone(kept),
                route::slice(&gradient),
            );
            primitives(&self.0, gradients, wanted)
        }
    }
}
