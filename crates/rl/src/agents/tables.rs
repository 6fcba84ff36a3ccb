//! Agents that keep one value for each state and action in a table: value iteration, which
//! plans by rules that are told, and SARSA and Q-learning, which try.
//!
//! Sutton and Barto: "Reinforcement Learning: An Introduction", 2nd edition, 2018: sections 4.4,
//! 6.4 and 6.5. Q-learning is Watkins' (1989), SARSA Rummery and Niranjan's (1994).

use super::{Agent, Log, Meaning, Player, best, require, step};
use crate::env::grid::{Grid, Table as _};
use crate::env::{self, Game as _, Observations, Random, Spec, VectorEnv};
use crate::tensors::elements;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::train::Parts;
use tenfold_core::weights::LoadOptions;
use tenfold_core::{Error, Result};

/// How the table is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By sweeps over all states with their known rules.
    ValueIteration,
    /// By what the agent itself does next: on policy.
    Sarsa,
    /// By the best that could be done next: off policy.
    QLearning,
}

/// The settings of an agent with a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// Step size. Value iteration has no use for it.
    pub lr: f64,
    /// Discount of a reward one step later.
    pub gamma: f32,
    /// Probability of a random action. Value iteration has no use for it.
    pub epsilon: f32,
}

impl TableConfig {
    /// What `--set help` says of each field.
    pub const FIELDS: &[(&str, &str)] = &[
        ("lr", "learning rate; not used by value iteration"),
        ("gamma", "discount factor"),
        ("epsilon", "epsilon of epsilon-greedy exploration; not used by value iteration"),
    ];

    /// The settings of Sutton and Barto's cliff, example 6.6, but for a discount that keeps
    /// values finite in environments without an end.
    pub fn new(_spec: &Spec) -> Self {
        Self { lr: 0.5, gamma: 0.99, epsilon: 0.1 }
    }

    /// What is wrong with the settings, if anything is.
    pub fn check(&self, _spec: &Spec) -> Result<(), String> {
        require(self.lr > 0.0 && self.lr <= 1.0, "lr", "above 0, at most 1")?;
        require((0.0..=1.0).contains(&self.gamma), "gamma", "0 to 1")?;
        require((0.0..=1.0).contains(&self.epsilon), "epsilon", "0 to 1")
    }
}

/// A table of values, in the form that files have.
#[derive(Module, Debug)]
struct Weights {
    /// `[states, actions]`
    table: Param<Tensor<2>>,
}

/// The agent.
pub struct TableAgent {
    method: Method,
    config: TableConfig,
    spec: Spec,
    /// `[states, actions]`
    table: Vec<f32>,
    random: Random,
    /// SARSA: what each row will do now, chosen when it was learnt from.
    chosen: Vec<Option<usize>>,
}

impl TableAgent {
    /// An agent that has seen nothing.
    ///
    /// # Errors
    /// An environment whose states are not few and shown one-hot, or, for value iteration, one
    /// whose rules cannot be asked.
    pub fn new(method: Method, config: TableConfig, spec: &Spec, seed: u64) -> Result<Self> {
        let states = spec.cells_per_observation();
        if spec.observation.len() != 1 || states > 100_000 {
            return Err(not_a_state(spec));
        }
        if method == Method::ValueIteration {
            rules(spec)?;
        }
        // Whether an environment shows its state is seen by looking.
        if let Ok(envs) = env::open(&spec.name, 1, &env::Options::default()) {
            self::states(envs.observations(), spec)?;
        }
        let table = vec![0.0; states * spec.actions.len()];
        let random = Random::keyed(&[seed, 1]);
        Ok(Self { method, config, spec: spec.clone(), table, random, chosen: Vec::new() })
    }

    fn values(&self, state: usize) -> &[f32] {
        let count = self.spec.actions.len();
        &self.table[state * count..][..count]
    }

    /// The best action, or with probability epsilon any. Equal ones are drawn from, so that an
    /// empty table prefers none.
    fn choose(&mut self, state: usize) -> usize {
        let count = self.spec.actions.len();
        if self.random.unit() < self.config.epsilon {
            return self.random.below(count);
        }
        let values = self.values(state);
        let most = values[best(values)];
        let equals: Vec<usize> = (0..count).filter(|&action| values[action] == most).collect();
        equals[self.random.below(equals.len())]
    }

    /// One sweep: every state's actions are worth what they pay, and the best of what follows.
    fn sweep(&mut self) -> Result<f32> {
        let (game, count) = (rules(&self.spec)?, self.spec.actions.len());
        let mut change = 0.0f32;
        for state in 0..game.states() {
            for action in 0..count {
                let found = game.transitions(state, action);
                let value = found.iter().map(|to| {
                    let values = self.values(to.next);
                    let next = if to.terminated { 0.0 } else { values[best(values)] };
                    to.probability * (to.reward + f64::from(self.config.gamma * next))
                });
                let (value, at) = (value.sum::<f64>() as f32, state * count + action);
                change = change.max((value - self.table[at]).abs());
                self.table[at] = value;
            }
        }
        Ok(change)
    }
}

/// A table as weights, `[states, actions]`.
fn weights(table: &[f32], spec: &Spec) -> Weights {
    let shape = [spec.cells_per_observation(), spec.actions.len()];
    let data = TensorData::new(table.to_vec(), shape);
    Weights { table: Param::from_tensor(Tensor::from_data(data, &Device::default())) }
}

/// The table of a file, in place of one of its size.
fn load(table: &mut Vec<f32>, spec: &Spec, path: &Path) -> Result<()> {
    let mut held = weights(table, spec);
    tenfold_core::weights::load(&mut held, path, &LoadOptions::default())?;
    *table = elements(held.table.val());
    Ok(())
}

/// The rules of an environment that tells them.
fn rules(spec: &Spec) -> Result<Grid> {
    let grids = [Grid::grid(), Grid::cliff()];
    let found = grids.into_iter().find(|grid| grid.spec().name == spec.name);
    found.ok_or_else(|| {
        let why = format!(
            "value iteration needs an environment with known transitions: grid or cliff; {} has none",
            spec.name
        );
        Error::argument("--env", why)
    })
}

fn not_a_state(spec: &Spec) -> Error {
    let why = format!(
        "{} does not show its state one-hot, as tables need: take grid, cliff, identity or \
         bandit, or another agent",
        spec.name
    );
    Error::argument("--env", why)
}

/// The state of each row of one-hot observations.
fn states(observations: Observations<'_>, spec: &Spec) -> Result<Vec<usize>> {
    let Observations::Floats(cells) = observations else { return Err(not_a_state(spec)) };
    let state = |row: &[f32]| {
        let hot = row.iter().position(|&cell| cell == 1.0).ok_or_else(|| not_a_state(spec))?;
        let cold = row.iter().filter(|&&cell| cell == 0.0).count();
        if cold + 1 == row.len() { Ok(hot) } else { Err(not_a_state(spec)) }
    };
    cells.chunks_exact(spec.cells_per_observation()).map(state).collect()
}

impl Agent for TableAgent {
    fn turn(&mut self, envs: &mut [Box<dyn VectorEnv>], log: &mut Log) -> Result<()> {
        if self.method == Method::ValueIteration {
            let change = self.sweep()?;
            log.add("change", change);
            log.updates += 1;
            log.step += self.spec.cells_per_observation() as u64;
            return Ok(());
        }
        let envs = &mut *envs[0];
        // Act.
        let before = states(envs.observations(), &self.spec)?;
        self.chosen.resize(before.len(), None);
        let mut actions = Vec::with_capacity(before.len());
        for (row, &state) in before.iter().enumerate() {
            let chosen = self.chosen[row].take();
            actions.push(chosen.unwrap_or_else(|| self.choose(state)));
        }
        step(envs, &actions)?;
        // Learn from every step at once.
        let after = states(envs.observations(), &self.spec)?;
        for (row, &action) in actions.iter().enumerate() {
            let (terminated, truncated) = (envs.terminated()[row], envs.truncated()[row]);
            let next = match truncated {
                true => states(envs.last_observation(row), &self.spec)?[0],
                false => after[row],
            };
            let ahead = match (terminated, self.method) {
                (true, _) => 0.0,
                (false, Method::Sarsa) => {
                    let action = self.choose(next);
                    // After a time limit another episode begins, with a choice of its own.
                    self.chosen[row] = (!truncated).then_some(action);
                    self.values(next)[action]
                }
                (false, _) => self.values(next)[best(self.values(next))],
            };
            let wanted = envs.rewards()[row] + self.config.gamma * ahead;
            let value = &mut self.table[before[row] * self.spec.actions.len() + action];
            *value += self.config.lr as f32 * (wanted - *value);
        }
        log.step += actions.len() as u64;
        log.updates += actions.len() as u64;
        log.ended(envs.episodes());
        Ok(())
    }

    fn parameters(&self) -> usize {
        self.table.len()
    }

    fn player(&self) -> Box<dyn Player> {
        Box::new(TablePlayer { table: self.table.clone(), spec: self.spec.clone() })
    }

    fn value(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
        let scores = self.player().scores(observations, rows)?;
        let rows = scores.chunks_exact(self.spec.actions.len());
        Ok(rows.map(|row| row[best(row)]).collect())
    }

    fn load_weights(&mut self, path: &Path) -> Result<()> {
        load(&mut self.table, &self.spec, path)
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        let count = self.table.len();
        parts.value("table", &mut self.table)?;
        parts.value("random", &mut self.random)?;
        parts.value("chosen", &mut self.chosen)?;
        match self.table.len() == count {
            true => Ok(()),
            false => Err(Error::file("checkpoint", "a table of another environment")),
        }
    }
}

struct TablePlayer {
    table: Vec<f32>,
    spec: Spec,
}

impl Player for TablePlayer {
    fn scores(&self, observations: Observations<'_>, _rows: usize) -> Result<Vec<f32>> {
        let (states, count) = (states(observations, &self.spec)?, self.spec.actions.len());
        let rows = states.into_iter().map(|state| &self.table[state * count..][..count]);
        Ok(rows.flatten().copied().collect())
    }

    fn meaning(&self) -> Meaning {
        Meaning::Value
    }

    fn save(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        tenfold_core::weights::save(&weights(&self.table, &self.spec), path, metadata)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        load(&mut self.table, &self.spec, path)
    }
}
