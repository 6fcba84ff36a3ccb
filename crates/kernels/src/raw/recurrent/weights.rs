//! The weights of a layer, packed.

use super::gates::{Gate, bias_sum, side_by_side};
use super::matrix::pack;
use super::sequence::{Sequence, Sizes};
use crate::raw::gemm::Packed;

/// The weights of a layer as [`lstm_with`](super::lstm_with) or [`gru_with`](super::gru_with) want them.
#[derive(Clone, Debug)]
pub struct Weights {
    pub(super) input: Packed,
    pub(super) hidden: Packed,
    /// Added to the product with the input.
    pub(super) bias: Vec<f32>,
    /// Added to that with the state, where the other cannot be added at once.
    pub(super) hidden_bias: Option<Vec<f32>>,
}

impl Weights {
    /// Those of [`lstm`](super::lstm).
    ///
    /// # Panics
    /// Where lengths differ from the sizes.
    pub fn of_lstm(sequence: &Sequence, gates: &[Gate<'_>; 4]) -> Self {
        let Sizes { inputs, hidden: size, .. } = **sequence;
        sequence.check_gates(gates);
        Self {
            input: pack(&side_by_side(gates.map(|gate| gate.input), size), inputs, 4 * size),
            hidden: pack(&side_by_side(gates.map(|gate| gate.hidden), size), size, 4 * size),
            bias: gates.map(|gate| bias_sum([gate.input_bias, gate.hidden_bias], size)).concat(),
            hidden_bias: None,
        }
    }

    /// Those of [`gru`](super::gru).
    ///
    /// # Panics
    /// Where lengths differ from the sizes.
    pub fn of_gru(sequence: &Sequence, gates: &[Gate<'_>; 3]) -> Self {
        let Sizes { inputs, hidden: size, .. } = **sequence;
        sequence.check_gates(gates);
        let &[update, reset, candidate] = gates;
        let for_input = [candidate, update, reset];
        let bias = |bias: Option<&[f32]>| bias_sum([bias, None], size);
        Self {
            input: pack(&side_by_side(for_input.map(|gate| gate.input), size), inputs, 3 * size),
            hidden: pack(&side_by_side(gates.map(|gate| gate.hidden), size), size, 3 * size),
            bias: for_input.map(|gate| bias(gate.input_bias)).concat(),
            hidden_bias: Some(gates.map(|gate| bias(gate.hidden_bias)).concat()),
        }
    }

    pub(super) fn check(&self, sequence: &Sequence, width: usize) {
        let sizes = [&self.input, &self.hidden].map(|packed| [packed.terms(), packed.columns()]);
        let Sizes { inputs, hidden, .. } = **sequence;
        assert_eq!(sizes, [[inputs, width], [hidden, width]], "packed weights");
    }
}
