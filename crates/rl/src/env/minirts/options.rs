//! Settings of the strategy games.

use super::builtin::Builtin;
use crate::env::game::Random;
use serde::{Deserialize, Serialize};
use tenfold_core::{Error, Result};

/// Who plays against the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Opponent {
    /// Gathers, and nothing else.
    Idle,
    /// Barracks, five melee troops, attack.
    #[default]
    Simple,
    /// Ranged troops that shoot and run.
    HitAndRun,
    /// Simple or hit-and-run, by chance in each game.
    Mixed,
    /// The agent itself: both players are rows of the environment.
    #[cfg_attr(feature = "cli", value(name = "self"))]
    Itself,
}

impl Opponent {
    /// The built-in player of the next game, where it is one.
    pub(super) fn builtin(self, random: &mut Random) -> Option<Builtin> {
        match self {
            Opponent::Idle => Some(Builtin::Idle),
            Opponent::Simple => Some(Builtin::Simple),
            Opponent::HitAndRun => Some(Builtin::HitAndRun),
            Opponent::Mixed => Some([Builtin::Simple, Builtin::HitAndRun][random.below(2)]),
            Opponent::Itself => None,
        }
    }
}

/// What the agent is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// Planes over the map, as in ELF.
    #[default]
    Map,
    /// A row of numbers: what can be counted on the map.
    Numbers,
}

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Who plays against the agent.
    pub opponent: Opponent,
    /// MiniRTS: what the agent is shown.
    pub observation: Observation,
    /// Ticks from one action of the agent to the next.
    pub frame_skip: u32,
    /// Ticks from one action of a built-in opponent to the next.
    pub opponent_frame_skip: u32,
    /// What the agent is paid for a lead in units that cost 1,000; 0 for rewards at the end
    /// alone.
    pub shaping: f32,
    /// A built-in player that acts in the agent's place, whose actions then count for nothing.
    pub stand_in: Option<Builtin>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            opponent: Opponent::Simple,
            observation: Observation::Map,
            frame_skip: 50,
            opponent_frame_skip: 20,
            shaping: 0.0,
            stand_in: None,
        }
    }
}

impl Options {
    /// Refuses what cannot work.
    pub(super) fn check(&self) -> Result<()> {
        for (flag, skip) in
            [("--frame-skip", self.frame_skip), ("--opponent-frame-skip", self.opponent_frame_skip)]
        {
            if !(1..=1000).contains(&skip) {
                return Err(Error::argument(flag, format!("{skip}: expected 1 to 1000 ticks")));
            }
        }
        match self.shaping.is_finite() && (0.0..=100.0).contains(&self.shaping) {
            true => Ok(()),
            false => Err(Error::argument("--shaping", "expected 0 to 100")),
        }
    }
}
