//! The agents. Each has its whole loop in one file: [`Agent::turn`] is one round of it, and
//! whoever trains calls that until the steps are done.

pub mod actor_critic;
pub mod dqn;
mod policy;
pub mod reinforce;
pub mod tables;
#[cfg(test)]
mod tests;

use crate::env::{Episode, Observations, Random, Spec, VectorEnv};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::train::Parts;
use tenfold_core::{Error, Result};

/// What learns.
pub trait Agent {
    /// One round: acts in the environments, and learns when it is time. `envs` has one group of
    /// games for every actor.
    ///
    /// # Errors
    /// Numbers that are not finite, or environments that fail.
    fn turn(&mut self, envs: &mut [Box<dyn VectorEnv>], log: &mut Log) -> Result<()>;

    /// How many numbers are learnt.
    fn parameters(&self) -> usize;

    /// What has been learnt so far, to play with.
    fn player(&self) -> Box<dyn Player>;

    /// The return that the agent expects from each of `rows` observations on.
    ///
    /// # Errors
    /// Observations that it cannot read.
    fn value(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>>;

    /// Starts from the weights in a file.
    ///
    /// # Errors
    /// The file cannot be read or is another network's.
    fn load_weights(&mut self, path: &Path) -> Result<()>;

    /// All that [`Agent::turn`] goes on from, but the environments: into a checkpoint, or from
    /// one.
    ///
    /// # Errors
    /// It cannot be encoded, or the parts are another agent's.
    fn parts(&mut self, parts: &mut Parts) -> Result<()>;
}

/// What plays: a trained agent, or anything else that prefers some actions to others.
pub trait Player: Send {
    /// How good each action is in each of `rows` observations, `[rows, actions]`.
    ///
    /// # Errors
    /// Observations that the player cannot read.
    fn scores(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>>;

    /// What the scores are.
    fn meaning(&self) -> Meaning;

    /// Writes the weights as safetensors, with `metadata` in the header.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()>;

    /// Reads them back.
    ///
    /// # Errors
    /// The file cannot be read or is another network's.
    fn load(&mut self, path: &Path) -> Result<()>;
}

/// What a [`Player`]'s scores are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    /// Expected returns, of any size.
    Value,
    /// Probabilities of a policy, in 0..1.
    Probability,
}

/// How far the training is, and what it has met since the last line was written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// Steps of single games so far.
    pub step: u64,
    /// Steps of the whole training.
    pub steps: u64,
    /// Steps of the optimiser so far.
    pub updates: u64,
    /// Scores and lengths of the episodes that ended since the last line.
    pub episodes: Vec<(f32, u32)>,
    /// Sums and counts of other figures, since the last line.
    pub sums: BTreeMap<String, (f64, u64)>,
}

impl Log {
    /// Which part of the training is done, 0..=1.
    pub fn part(&self) -> f64 {
        (self.step as f64 / self.steps.max(1) as f64).min(1.0)
    }

    /// One more value of a figure.
    pub fn add(&mut self, name: &str, value: f32) {
        let (sum, count) = match self.sums.get_mut(name) {
            Some(entry) => entry,
            None => self.sums.entry(name.into()).or_default(),
        };
        (*sum, *count) = (*sum + f64::from(value), *count + 1);
    }

    /// The means of what happened since the last line, which begins anew.
    pub fn figures(&mut self) -> BTreeMap<String, f64> {
        let sums = std::mem::take(&mut self.sums).into_iter();
        let mut figures: BTreeMap<_, _> =
            sums.map(|(name, (sum, count))| (name, sum / count as f64)).collect();
        let ended = std::mem::take(&mut self.episodes);
        figures.insert("updates".into(), self.updates as f64);
        figures.insert("episodes".into(), ended.len() as f64);
        if !ended.is_empty() {
            let mean = |of: &dyn Fn(&(f32, u32)) -> f64| {
                ended.iter().map(of).sum::<f64>() / ended.len() as f64
            };
            figures.insert("mean_return".into(), mean(&|episode| episode.0.into()));
            figures.insert("mean_length".into(), mean(&|episode| episode.1.into()));
        }
        figures
    }

    /// Episodes that have ended.
    pub fn ended(&mut self, episodes: &[Episode]) {
        self.episodes.extend(episodes.iter().map(|episode| (episode.score, episode.length)));
    }

    /// A loss, which must stay a number.
    ///
    /// # Errors
    /// It is not.
    pub fn loss(&mut self, loss: f32) -> Result<()> {
        self.add("loss", loss);
        self.updates += 1;
        if loss.is_finite() {
            return Ok(());
        }
        let why = format!("the loss is {loss} at step {}; try a lower --lr", self.step);
        Err(Error::Training(why))
    }
}

/// One step of the environments, counted, with all they answered checked.
///
/// # Errors
/// A reward or an observation that is not a finite number.
pub fn step(envs: &mut dyn VectorEnv, actions: &[usize]) -> Result<()> {
    envs.step(actions)?;
    let fault = |row: usize, what: &str, value: f32| {
        let name = &envs.spec().name;
        Error::Training(format!("{name}: {what} {value} in row {row}; expected a finite number"))
    };
    if let Some(row) = envs.rewards().iter().position(|reward| !reward.is_finite()) {
        return Err(fault(row, "a reward of", envs.rewards()[row]));
    }
    if let Observations::Floats(cells) = envs.observations()
        && let Some(at) = cells.iter().position(|cell| !cell.is_finite())
    {
        let row = at / envs.spec().cells_per_observation();
        return Err(fault(row, "an observation with", cells[at]));
    }
    Ok(())
}

/// The index of the largest of some scores, the first of equals.
pub fn best(scores: &[f32]) -> usize {
    let better = |best: usize, next: usize| if scores[next] > scores[best] { next } else { best };
    (1..scores.len()).fold(0, better)
}

/// An index drawn with these probabilities.
pub fn draw(probabilities: &[f32], random: &mut Random) -> usize {
    let mut left = random.unit() * probabilities.iter().sum::<f32>();
    for (index, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return index;
        }
    }
    best(probabilities)
}

/// Turns logits into probabilities, row by row.
pub fn softmax(logits: &mut [f32], actions: usize) {
    for row in logits.chunks_exact_mut(actions) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= sum);
    }
}

/// A number that may be missing or out of range, as an error about a flag.
pub(crate) fn require(fits: bool, field: &str, expected: &str) -> Result<(), String> {
    if fits { Ok(()) } else { Err(format!("{field}: expected {expected}")) }
}

/// The largest number of actions that the replay memory and the tables have room for.
pub(crate) fn check_spec(spec: &Spec) -> Result<()> {
    if spec.actions.is_empty() || spec.actions.len() > usize::from(u16::MAX) {
        let why = format!("{} has {} actions", spec.name, spec.actions.len());
        return Err(Error::argument("--env", why));
    }
    Ok(())
}
