//! The agents. Each has its whole loop in one file: [`Agent::turn`] is one round of it, and
//! whoever trains calls that until the steps are done.

pub mod actor_critic;
pub mod dqn;
pub mod reinforce;
mod stretch;
pub mod tables;
#[cfg(test)]
mod tests;

use crate::env::{Episode, Observations, Random, Spec, Worlds};
use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::{Error, Result};

/// What learns.
pub trait Agent {
    /// One round: acts in the worlds, and learns when it is time. `worlds` has one group of
    /// games for every actor.
    ///
    /// # Errors
    /// Numbers that are not finite, or worlds that fail.
    fn turn(&mut self, worlds: &mut [Box<dyn Worlds>], log: &mut Log) -> Result<()>;

    /// How many numbers are learnt.
    fn parameters(&self) -> usize;

    /// What has been learnt so far, to play with.
    fn player(&self) -> Box<dyn Player>;

    /// The return that the agent expects from each of `rows` observations on.
    ///
    /// # Errors
    /// Observations that it cannot read.
    fn value(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>>;

    /// Writes what has been learnt so far as safetensors.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save_weights(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()>;

    /// Reads them back.
    ///
    /// # Errors
    /// The file cannot be read or is another network's.
    fn load_weights(&mut self, path: &Path) -> Result<()>;

    /// All that [`Agent::turn`] goes on from, but the worlds.
    ///
    /// # Errors
    /// It cannot be encoded.
    fn save(&self) -> Result<Parts>;

    /// Goes on where [`Agent::save`] was called.
    ///
    /// # Errors
    /// Parts of another agent.
    fn restore(&mut self, parts: &Parts) -> Result<()>;
}

/// What plays: a trained agent, or anything else that prefers some actions to others.
pub trait Player: Send {
    /// How good each action is in each of `rows` observations, `[rows, actions]`.
    ///
    /// # Errors
    /// Observations that the player cannot read.
    fn scores(&mut self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>>;

    /// What the scores are.
    fn meaning(&self) -> Meaning;
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

/// The pieces of a checkpoint by name.
pub type Parts = BTreeMap<String, Vec<u8>>;

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

/// One step of the worlds, counted, with all they answered checked.
///
/// # Errors
/// A reward or an observation that is not a finite number.
pub fn step(worlds: &mut dyn Worlds, actions: &[usize]) -> Result<()> {
    worlds.step(actions)?;
    let fault = |row: usize, what: &str, value: f32| {
        let name = &worlds.spec().name;
        Error::Training(format!("{name}: {what} {value} in row {row}; expected a finite number"))
    };
    if let Some(row) = worlds.rewards().iter().position(|reward| !reward.is_finite()) {
        return Err(fault(row, "a reward of", worlds.rewards()[row]));
    }
    if let Observations::Floats(cells) = worlds.observations()
        && let Some(at) = cells.iter().position(|cell| !cell.is_finite())
    {
        let row = at / worlds.spec().cells_per_observation();
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

/// Encodes a piece of a checkpoint.
pub(crate) fn pack(value: &impl Serialize) -> Result<Vec<u8>> {
    rmp_serde::to_vec(value).map_err(|why| Error::Training(format!("the checkpoint: {why}")))
}

/// The piece of that name.
pub(crate) fn part<'a>(parts: &'a Parts, name: &str) -> Result<&'a [u8]> {
    let missing = || Error::file("checkpoint", format!("it has no `{name}`"));
    parts.get(name).map(Vec::as_slice).ok_or_else(missing)
}

/// Decodes a piece of a checkpoint.
pub(crate) fn unpack<T: DeserializeOwned>(parts: &Parts, name: &str) -> Result<T> {
    let wrong = |why| Error::file("checkpoint", format!("`{name}`: {why}"));
    rmp_serde::from_slice(part(parts, name)?).map_err(wrong)
}

/// A network and its optimiser as pieces of a checkpoint.
pub(crate) fn pack_training<M: Module>(
    parts: &mut Parts,
    network: &M,
    optimizer: &ModuleOptimizer,
) -> Result<()> {
    parts.insert("network".into(), pack_network(network)?);
    let wrong = |why| Error::Training(format!("the checkpoint: {why}"));
    parts.insert("optimizer".into(), optimizer.to_record().into_bytes().map_err(wrong)?.to_vec());
    Ok(())
}

/// A network as a piece of a checkpoint.
pub(crate) fn pack_network<M: Module>(network: &M) -> Result<Vec<u8>> {
    let wrong = |why| Error::Training(format!("the checkpoint: {why}"));
    Ok(network.clone().into_record().into_bytes().map_err(wrong)?.to_vec())
}

/// A network from a piece of a checkpoint.
pub(crate) fn unpack_network<M: Module>(parts: &Parts, name: &str, network: M) -> Result<M> {
    let wrong = |why: String| Error::file("checkpoint", format!("`{name}`: {why}"));
    let bytes = Bytes::from_bytes_vec(part(parts, name)?.to_vec());
    let record = ModuleRecord::from_bytes(bytes).map_err(|why| wrong(why.to_string()))?;
    network.try_load_record(record).map_err(|why| wrong(why.to_string()))
}

/// An optimiser from a piece of a checkpoint.
pub(crate) fn unpack_optimizer(
    parts: &Parts,
    optimizer: ModuleOptimizer,
) -> Result<ModuleOptimizer> {
    let bytes = Bytes::from_bytes_vec(part(parts, "optimizer")?.to_vec());
    let wrong = |why| Error::file("checkpoint", format!("`optimizer`: {why}"));
    Ok(optimizer.load_record(OptimizerRecord::from_bytes(bytes).map_err(wrong)?))
}
