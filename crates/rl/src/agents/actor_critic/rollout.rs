//! What games were like for some steps, for agents that learn from that and forget it.

use super::config::ActorCriticConfig;
use crate::agents::{draw, softmax, step};
use crate::env::{Episode, Observations, Random, Spec, VectorEnv};
use crate::networks::ActorCritic;
use crate::reader::Shown;
use crate::tensors::{elements, matrix};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use tenfold_core::{Error, Result};

/// A rollout of some games: `[horizon, rows]` of everything.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Rollout {
    /// `[horizon * rows, cells]`
    pub observations: Seen,
    pub actions: Vec<i32>,
    /// What the demonstrator would have done; empty where none is imitated.
    #[serde(default)]
    pub demonstrations: Vec<i32>,
    /// Logarithms of the probabilities with which they were chosen.
    pub logs: Vec<f32>,
    pub advantages: Vec<f32>,
    /// What the values should have been.
    pub returns: Vec<f32>,
    /// What the critic saw, of the observations' shape; empty where it saw the same.
    #[serde(default)]
    pub full_observations: Seen,
    #[serde(skip)]
    pub episodes: Vec<Episode>,
}

impl Rollout {
    /// One with all their games.
    pub fn joined(rollouts: &[Self]) -> Self {
        let mut all = Self::default();
        for one in rollouts {
            all.observations.add(one.observations.view());
            all.full_observations.add(one.full_observations.view());
            all.actions.extend_from_slice(&one.actions);
            all.demonstrations.extend_from_slice(&one.demonstrations);
            all.logs.extend_from_slice(&one.logs);
            all.advantages.extend_from_slice(&one.advantages);
            all.returns.extend_from_slice(&one.returns);
        }
        all
    }

    /// Those at some places, but for what was seen: [`Shown::rows`] takes of that.
    pub fn take(&self, places: &[usize]) -> Self {
        /// None of what is empty, as demonstrations are where none is imitated.
        fn pick<T: Copy>(from: &[T], places: &[usize]) -> Vec<T> {
            places.iter().filter_map(|&place| from.get(place).copied()).collect()
        }
        Self {
            actions: pick(&self.actions, places),
            demonstrations: pick(&self.demonstrations, places),
            logs: pick(&self.logs, places),
            advantages: pick(&self.advantages, places),
            returns: pick(&self.returns, places),
            ..Self::default()
        }
    }
}

/// Observations as the environments show them: bytes stay bytes, of which a rollout has many.
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

impl ActorCriticConfig {
    /// Plays one rollout by a network; the demonstrator is asked while it has a weight.
    pub(super) fn play(
        &self,
        network: &ActorCritic,
        spec: &Spec,
        imitation: f32,
        envs: &mut dyn VectorEnv,
        random: &mut Random,
        device: &Device,
    ) -> Result<Rollout> {
        let (rows, count) = (envs.rows(), spec.actions.len());
        let reader = self.body.reader(spec);
        let value = |observations: Observations<'_>, rows| {
            elements(network.values(reader.tensor(observations, rows, device)))
        };
        // Kept as read, or as bytes where reading only scales them.
        let read = |observations: Observations<'_>, kept: &mut Seen| {
            if reader.changes() {
                let cells = reader.read(observations);
                kept.add(Observations::Floats(&cells));
                return matrix(cells, rows, device);
            }
            kept.add(observations);
            reader.tensor(observations, rows, device)
        };
        let mut rollout = Rollout::default();
        let (mut rewards, mut values, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.horizon {
            let seen = read(envs.observations(), &mut rollout.observations);
            let shown = self
                .asymmetric
                .then(|| read(envs.full_observations(), &mut rollout.full_observations));
            let (logits, judged) = network.forward(seen, shown);
            values.extend(elements(judged));
            let mut policy = elements(logits);
            softmax(&mut policy, count);
            let policy = policy.chunks_exact(count);
            let actions: Vec<usize> = policy.clone().map(|policy| draw(policy, random)).collect();
            rollout.logs.extend(policy.zip(&actions).map(|(policy, &action)| policy[action].ln()));
            rollout.actions.extend(actions.iter().map(|&action| action as i32));
            if imitation > 0.0 {
                let Some(demonstrations) = envs.demonstrations() else {
                    let why = format!("{} has no demonstrator to learn from", spec.name);
                    return Err(Error::Training(why));
                };
                rollout
                    .demonstrations
                    .extend(demonstrations.into_iter().map(|action| action as i32));
            }
            step(envs, &actions)?;
            rollout.episodes.extend_from_slice(envs.episodes());
            let mut paid = envs.rewards().to_vec();
            // What would have come after a time limit counts as if it had been paid.
            let cut = (0..rows).filter(|&row| envs.truncated()[row] && !envs.terminated()[row]);
            for row in cut {
                paid[row] += self.gamma * value(envs.last_observation(row), 1)[0];
            }
            rewards.extend(paid);
            let ended = envs.terminated().iter().zip(envs.truncated());
            ends.extend(ended.map(|(&terminated, &truncated)| terminated || truncated));
        }
        let last = if self.asymmetric { envs.full_observations() } else { envs.observations() };
        values.extend(value(last, rows));
        rollout.advantages = self.advantages(&rewards, &values, &ends);
        let sums = rollout.advantages.iter().zip(&values);
        rollout.returns = sums.map(|(advantage, value)| advantage + value).collect();
        Ok(rollout)
    }

    /// Generalised advantages `[horizon, rows]` of `rewards` and `ends` of that shape, and of
    /// `values`, `[horizon + 1, rows]`.
    fn advantages(&self, rewards: &[f32], values: &[f32], ends: &[bool]) -> Vec<f32> {
        let rows = values.len() - rewards.len();
        let mut advantages = vec![0.0; rewards.len()];
        let mut ahead = vec![0.0; rows];
        for at in (0..rewards.len()).rev() {
            let ahead = &mut ahead[at % rows];
            let (next, goes_on) = (values[at + rows], if ends[at] { 0.0 } else { 1.0 });
            let error = rewards[at] + self.gamma * next * goes_on - values[at];
            *ahead = error + self.gamma * self.lambda * goes_on * *ahead;
            advantages[at] = *ahead;
        }
        advantages
    }
}

/// How much of what came out the values foretold: 1 for all, 0 for no more than their mean. What
/// the values missed are the advantages.
pub(super) fn explained_variance(advantages: &[f32], returns: &[f32]) -> f32 {
    let variance = |values: &[f32]| {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        values.iter().map(|value| (value - mean).powi(2)).sum::<f32>()
    };
    match variance(returns) {
        0.0 => 0.0,
        all => 1.0 - variance(advantages) / all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Cells;

    #[test]
    fn values_explain_what_they_foretold() {
        let returns = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(explained_variance(&[0.0; 4], &returns), 1.0);
        // Values that are all the same foretell nothing.
        assert_eq!(explained_variance(&[-1.5, -0.5, 0.5, 1.5], &returns), 0.0);
        assert_eq!(explained_variance(&[0.5, -0.5, -0.5, 0.5], &returns), 0.8);
        assert_eq!(explained_variance(&[1.0; 4], &[2.0; 4]), 0.0);
    }

    #[test]
    fn advantages_are_sums_of_errors_within_an_episode() {
        let spec = Spec::new("x", Cells::Floats, &[1], &["a"]);
        let config = ActorCriticConfig { gamma: 0.5, lambda: 0.5, ..ActorCriticConfig::a2c(&spec) };
        // One game; the second of three steps ends an episode.
        let got =
            config.advantages(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0, 40.0], &[false, true, false]);
        // The errors are 1 + 10 - 10, 2 - 20 and 3 + 20 - 30.
        assert_eq!(got, [1.0 + 0.25 * -18.0, -18.0, -7.0]);
    }
}
