//! How long a training goes on, which weights it keeps, and what is said when it ends early.

use crate::Error;
use std::collections::BTreeMap;

/// What was measured, by the names of DESIGN's JSON: `loss`, `accuracy`, `map50` and so on.
pub type Figures = BTreeMap<String, f64>;

/// How long a training goes on, and which of its rounds leaves its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Rounds in all.
    pub rounds: usize,
    /// What a round counts in, as `metrics.jsonl` and the curves name it.
    pub unit: Unit,
    /// Source of every random number.
    pub seed: u64,
    /// The validation figure by which weights are kept.
    pub keep: Keep,
    /// Stop after this many rounds without a better one.
    pub patience: Option<usize>,
}

/// What the rounds of a training are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A round is a pass over the training examples.
    Epoch,
    /// A round is an interval of steps.
    Step,
}

impl Unit {
    /// The key in `metrics.jsonl`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Step => "step",
        }
    }
}

/// Which round's weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The first of those with the lowest validation figure of this name.
    Lowest(&'static str),
    /// The last of those with the highest: of equals, the one that has learnt more.
    Highest(&'static str),
    /// The last round's, whatever was measured.
    Last,
}

/// What is said of a training that was stopped after `done` epochs or steps.
pub(super) fn interrupted(unit: Unit, done: usize) -> Error {
    let unit = unit.name();
    Error::Training(match done {
        0 => format!("interrupted before the end of the first {unit}; --resume starts it again"),
        done => format!("interrupted; --resume continues after {unit} {done}"),
    })
}
