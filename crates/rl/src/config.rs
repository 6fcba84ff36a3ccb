//! A reinforcement-learning run's `config.json`.

use crate::env::minirts::Opponent;
use crate::env::{self, Options, Spec, VectorEnv};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;
use tenfold_core::{Error, Result};

/// An environment and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvChoice {
    /// The environment's name.
    pub env: String,
    /// The environment's settings.
    pub options: Options,
}

/// Everything that `eval`, `predict`, `match` and `train --resume` need to know, beside the
/// header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The agent's own Config.
    pub config: Value,
    /// The environment.
    #[serde(flatten)]
    pub choice: EnvChoice,
    /// What the agent was made for.
    pub spec: Spec,
    /// Games that are played at once.
    pub games: usize,
    /// Groups they are divided into, one for each actor.
    pub groups: usize,
    /// Seed of every random number.
    pub seed: u64,
    /// Steps of single games in the whole training.
    pub steps: u64,
    /// How many times in the training the agent is measured.
    pub evaluations: u32,
    /// Episodes of each of these.
    pub episodes: usize,
    /// Whether actions are drawn by the policy's probabilities in these.
    #[serde(default)]
    pub sample: bool,
    /// The file of weights that it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
}

impl RunConfig {
    /// The games of the training, one group for each actor.
    ///
    /// # Errors
    /// What [`env::open`] refuses.
    pub fn envs(&self) -> Result<Vec<Box<dyn VectorEnv>>> {
        (0..self.groups)
            .map(|_| env::open(&self.choice.env, self.games / self.groups, &self.choice.options))
            .collect()
    }

    /// Games to be measured in: against a built-in player where the agent plays itself.
    ///
    /// # Errors
    /// What [`env::open`] refuses.
    pub fn evaluation_envs(&self, episodes: usize) -> Result<Box<dyn VectorEnv>> {
        let mut options = self.choice.options.clone();
        options.rts.shaping = 0.0;
        if self.spec.players > 1 {
            options.rts.opponent = Opponent::Simple;
        }
        env::open(&self.choice.env, episodes.clamp(1, 100), &options)
    }

    /// Other games to play in, of the same environment or of the one that is named.
    ///
    /// # Errors
    /// What [`env::open`] refuses, or an environment that the agent was not made for.
    pub fn other_envs(
        &self,
        env: Option<&str>,
        games: usize,
        options: &Options,
    ) -> Result<Box<dyn VectorEnv>> {
        let mut options = options.clone();
        options.rts.shaping = 0.0;
        let envs = env::open(env.unwrap_or(&self.choice.env), games, &options)?;
        check_fit(&self.spec, envs.spec())?;
        Ok(envs)
    }
}

/// The same environment with an agent on both sides, where it has two.
pub fn two_sided(options: &Options) -> Options {
    let mut options = options.clone();
    options.rts.opponent = Opponent::Itself;
    options.rts.shaping = 0.0;
    options
}

/// Whether an environment has two sides, so that games are won and lost.
pub fn is_contest(env: &str, options: &Options) -> bool {
    env::open(env, 1, &two_sided(options)).is_ok_and(|envs| envs.spec().players == 2)
}

/// Refuses an environment that shows or takes something else than the one that an agent was made
/// for.
///
/// # Errors
/// One line with both.
pub fn check_fit(made_for: &Spec, found: &Spec) -> Result<()> {
    let describe = |spec: &Spec| {
        let kind = format!("{:?}", spec.cells).to_lowercase();
        format!("{:?} {kind} and {} actions", spec.observation, spec.actions.len())
    };
    let same = made_for.observation == found.observation
        && made_for.cells == found.cells
        && made_for.actions.len() == found.actions.len();
    if same {
        return Ok(());
    }
    let why = format!(
        "{} has {}, and the run was trained on {} with {}",
        found.name,
        describe(found),
        made_for.name,
        describe(made_for)
    );
    // Of one environment, what is seen differs only where another form of it was chosen.
    let argument = if found.name == made_for.name { "--observation" } else { "--env" };
    Err(Error::argument(argument, why))
}
