//! The sizes, and how the work is divided.

use super::gates::Gate;
use crate::raw::gemm::panel_width;
use crate::raw::threads;

/// Multiplications of a step that several threads do sooner than one.
const STEP: usize = 1 << 16;

/// The sizes of a sequence and its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Rows.
    pub batch: usize,
    /// Steps of each row.
    pub steps: usize,
    /// Features of each step.
    pub inputs: usize,
    /// Units of the layer.
    pub hidden: usize,
}

impl Sequence {
    /// Floats of a state, `[B, H]`.
    pub fn state(&self) -> usize {
        self.batch * self.hidden
    }

    /// Floats of all hidden states, `[B, T, H]`.
    pub fn states(&self) -> usize {
        self.steps * self.state()
    }

    /// Parts of the batch that threads take: they depend on the sizes and the number of
    /// threads alone, and so do the sums over the batch.
    pub(super) fn parts(&self) -> usize {
        threads().min(self.batch).max(1)
    }

    pub(super) fn part(&self, index: usize) -> std::ops::Range<usize> {
        let parts = self.parts();
        self.batch * index / parts..self.batch * (index + 1) / parts
    }

    /// Parts of the units that threads take, all in step, where there are too few rows to divide;
    /// none where they are not worth it. `width` is that of all gates.
    pub(super) fn unit_parts(&self, width: usize) -> Option<usize> {
        let parts = threads().min(self.hidden / panel_width());
        let whole = self.hidden.is_multiple_of(panel_width());
        let work = self.state() * width;
        (self.batch < 2 * threads() && parts > 1 && whole && work >= STEP).then_some(parts)
    }

    pub(super) fn check(&self, x: &[f32], gates: &[Gate<'_>]) {
        self.check_input(x);
        self.check_gates(gates);
    }

    pub(super) fn check_input(&self, x: &[f32]) {
        assert_eq!(x.len(), self.batch * self.steps * self.inputs, "input");
        assert!(self.steps > 0 && self.hidden > 0 && self.inputs > 0, "an empty sequence or layer");
    }

    pub(super) fn check_gates(&self, gates: &[Gate<'_>]) {
        for gate in gates {
            assert_eq!(gate.input.len(), self.inputs * self.hidden, "weights of the input");
            assert_eq!(gate.hidden.len(), self.hidden * self.hidden, "weights of the state");
            for bias in [gate.input_bias, gate.hidden_bias].into_iter().flatten() {
                assert_eq!(bias.len(), self.hidden, "bias");
            }
        }
    }
}

/// The state before each step, `[B, T, H]`.
pub(super) fn earlier(sequence: &Sequence, states: &[f32], first: &[f32]) -> Vec<f32> {
    let (steps, hidden) = (sequence.steps, sequence.hidden);
    let mut out = Vec::with_capacity(sequence.states());
    let rows = states.chunks_exact(steps * hidden);
    for (states, first) in rows.zip(first.chunks_exact(hidden)) {
        out.extend_from_slice(first);
        out.extend_from_slice(&states[..(steps - 1) * hidden]);
    }
    out
}
