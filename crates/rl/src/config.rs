//! A reinforcement-learning run's `config.json`.

use crate::env::minirts::Opponent;
use crate::env::{self, Options, Spec, Worlds};
use crate::zoo::Zoo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenfold_core::run::{Header, Run};
use tenfold_core::{Error, Result};

/// Everything that `eval`, `predict`, `match` and `train --resume` need to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Format, version, task and agent.
    #[serde(flatten)]
    pub header: Header,
    /// The agent's own Config.
    pub config: Value,
    /// The world's name.
    pub env: String,
    /// The world's settings.
    pub options: Options,
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
}

impl RunConfig {
    /// The configuration of a run.
    ///
    /// # Errors
    /// Not a run of this crate, or one that this version cannot read.
    pub fn read(run: &Run) -> Result<Self> {
        run.config(Zoo::TASK)
    }

    /// Which agent it is.
    ///
    /// # Errors
    /// None of this crate's.
    pub fn agent(&self) -> Result<Zoo> {
        let name = &self.header.model;
        <Zoo as clap::ValueEnum>::from_str(name, false)
            .map_err(|_| Error::file("config.json", format!("unknown agent `{name}`")))
    }

    /// The games of the training, one group for each actor.
    ///
    /// # Errors
    /// What [`env::open`] refuses.
    pub fn worlds(&self) -> Result<Vec<Box<dyn Worlds>>> {
        (0..self.groups)
            .map(|_| env::open(&self.env, self.games / self.groups, &self.options))
            .collect()
    }

    /// Games to be measured in: against a built-in player where the agent plays itself.
    ///
    /// # Errors
    /// What [`env::open`] refuses.
    pub fn judges(&self, episodes: usize) -> Result<Box<dyn Worlds>> {
        let mut options = self.options.clone();
        options.rts.shaping = 0.0;
        if self.spec.players > 1 {
            options.rts.opponent = Opponent::Simple;
        }
        env::open(&self.env, episodes.clamp(1, 100), &options)
    }

    /// Other games of the same world to play in, or of the world that is named.
    ///
    /// # Errors
    /// What [`env::open`] refuses, or a world that the agent was not made for.
    pub fn arena(
        &self,
        env: Option<&str>,
        games: usize,
        options: &Options,
    ) -> Result<Box<dyn Worlds>> {
        let mut options = options.clone();
        options.rts.shaping = 0.0;
        let worlds = env::open(env.unwrap_or(&self.env), games, &options)?;
        check_fit(&self.spec, worlds.spec())?;
        Ok(worlds)
    }
}

/// The same world with an agent on both sides, where it has two.
pub fn two_sided(options: &Options) -> Options {
    let mut options = options.clone();
    options.rts.opponent = Opponent::Itself;
    options.rts.shaping = 0.0;
    options
}

/// Whether a world has two sides, so that games are won and lost.
pub fn is_contest(env: &str, options: &Options) -> bool {
    env::open(env, 1, &two_sided(options)).is_ok_and(|worlds| worlds.spec().players == 2)
}

/// Refuses a world that shows or takes something else than the one that an agent was made for.
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
    // Of one world, what is seen differs only where another form of it was chosen.
    let argument = if found.name == made_for.name { "--observation" } else { "--env" };
    Err(Error::argument(argument, why))
}
