//! The sizes, and how the work is divided.

use super::gates::Gate;
use crate::raw::gemm::panel_width;
use crate::raw::sizes::floats;
use crate::raw::threads;
use std::ops::Deref;

/// Multiplications of a step that several threads do sooner than one.
const STEP: usize = 1 << 16;

/// What [`Sequence::new`] checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows.
    pub batch: usize,
    /// Steps of each row.
    pub steps: usize,
    /// Features of each step.
    pub inputs: usize,
    /// Units of the layer.
    pub hidden: usize,
}

/// A sequence and its layer, whose sizes are read as those of [`Sizes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence(Sizes);

impl Deref for Sequence {
    type Target = Sizes;

    fn deref(&self) -> &Sizes {
        &self.0
    }
}

impl Sequence {
    /// The sequence; none where it has no step, no feature or no unit, or memory cannot hold what
    /// would be read and written.
    pub fn new(sizes: Sizes) -> Option<Self> {
        let Sizes { batch, steps, inputs, hidden } = sizes;
        // The states of all gates of all steps, and those after them.
        floats(&[batch, steps.checked_add(1)?, hidden, 4])?;
        floats(&[batch, steps, inputs])?;
        floats(&[inputs, hidden, 4])?;
        floats(&[hidden, hidden, 4])?;
        (![steps, inputs, hidden].contains(&0)).then_some(Self(sizes))
    }

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
