//! What games were like for some steps, for agents that learn from that and forget it.

use crate::env::{Episode, Observations};
use crate::reader::Shown;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// A stretch of some games: `[horizon, rows]` of everything.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// `[horizon * rows, cells]`
    pub observations: Seen,
    pub actions: Vec<i32>,
    /// What the scripted player would have done; empty where nobody teaches.
    #[serde(default)]
    pub advice: Vec<i32>,
    /// Logarithms of the probabilities with which they were chosen.
    pub logs: Vec<f32>,
    pub advantages: Vec<f32>,
    /// What the values should have been.
    pub returns: Vec<f32>,
    /// What the critic saw, of the observations' shape; empty where it saw the same.
    #[serde(default)]
    pub unveiled: Seen,
    #[serde(skip)]
    pub episodes: Vec<Episode>,
}

impl Stretch {
    /// One with all their games.
    pub fn joined(stretches: &[Self]) -> Self {
        let mut all = Self::default();
        for one in stretches {
            all.observations.add(one.observations.view());
            all.unveiled.add(one.unveiled.view());
            all.actions.extend_from_slice(&one.actions);
            all.advice.extend_from_slice(&one.advice);
            all.logs.extend_from_slice(&one.logs);
            all.advantages.extend_from_slice(&one.advantages);
            all.returns.extend_from_slice(&one.returns);
        }
        all
    }

    /// Those at some places, but for what was seen: [`Shown::rows`] takes of that.
    pub fn take(&self, places: &[usize]) -> Self {
        /// None of what is empty: where nobody teaches there is no advice.
        fn pick<T: Copy>(from: &[T], places: &[usize]) -> Vec<T> {
            places.iter().filter_map(|&place| from.get(place).copied()).collect()
        }
        Self {
            actions: pick(&self.actions, places),
            advice: pick(&self.advice, places),
            logs: pick(&self.logs, places),
            advantages: pick(&self.advantages, places),
            returns: pick(&self.returns, places),
            ..Self::default()
        }
    }
}

/// Observations as the worlds show them: bytes stay bytes, of which a stretch has many.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Seen {
    Floats(Vec<f32>),
    Bytes(Vec<u8>),
}

impl Default for Seen {
    fn default() -> Self {
        Self::Floats(Vec::new())
    }
}

impl Seen {
    pub fn view(&self) -> Observations<'_> {
        match self {
            Self::Floats(cells) => Observations::Floats(cells),
            Self::Bytes(cells) => Observations::Bytes(cells),
        }
    }

    pub fn add(&mut self, more: Observations<'_>) {
        match (&mut *self, more) {
            (Self::Floats(all), Observations::Floats(cells)) => all.extend_from_slice(cells),
            (Self::Bytes(all), Observations::Bytes(cells)) => all.extend_from_slice(cells),
            // The first of them.
            (_, Observations::Floats(cells)) => *self = Self::Floats(cells.to_vec()),
            (_, Observations::Bytes(cells)) => *self = Self::Bytes(cells.to_vec()),
        }
    }

    /// On a device, as so many rows.
    pub fn on(&self, rows: usize, device: &Device) -> Shown {
        Shown::new(self.view(), rows, device)
    }
}
