//! The environments' settings as flags. One that is not given leaves what a run was trained with.

use crate::env::Options;
use crate::env::minirts::{Observation, Opponent};
use clap::Args;
use std::path::PathBuf;

/// The flags, each of which may be missing.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct Settings {
    #[arg(long, value_enum, value_name = "WHO")]
    #[arg(help = "Strategy games: who plays against the agent [default: simple, or the run's]")]
    pub opponent: Option<Opponent>,
    #[arg(long, value_enum, value_name = "WHAT")]
    #[arg(help = "MiniRTS: whether the agent is shown the map, or what can be counted on it \
                  [default: map, or the run's]")]
    pub observation: Option<Observation>,
    #[arg(long, value_name = "TICKS")]
    #[arg(help = "Strategy games: ticks from one action of the agent to the next [default: 50]")]
    pub frame_skip: Option<u32>,
    #[arg(long, value_name = "TICKS")]
    #[arg(help = "Strategy games: the same of a built-in opponent [default: 20]")]
    pub opponent_frame_skip: Option<u32>,
    #[arg(long, value_name = "X")]
    #[arg(help = "MiniRTS: pay the agent for its lead in units too, X for what costs 1000 \
                  [default: 0]")]
    pub shaping: Option<f32>,
    #[arg(long, value_name = "NAME")]
    #[arg(help = "Atari: which game, such as pong or space_invaders [default: pong]")]
    pub rom: Option<String>,
    #[arg(long, value_name = "PATH")]
    #[arg(help = "Atari: the Python that has ale-py [default: python3 on the PATH]")]
    pub python: Option<PathBuf>,
    #[arg(long, value_name = "FRAMES", help = "Atari: frames that an action lasts [default: 4]")]
    pub atari_skip: Option<u8>,
    #[arg(long, value_name = "FRAMES")]
    #[arg(help = "Atari: the most frames of doing nothing at the start of a game [default: 30]")]
    pub noops: Option<u8>,
    #[arg(long, value_name = "BOOL")]
    #[arg(help = "Atari: whether a lost life ends an episode [default: true]")]
    pub episodic_life: Option<bool>,
    #[arg(long, value_name = "BOOL")]
    #[arg(help = "Atari: whether rewards are clipped to -1, 0 and 1 [default: true]")]
    pub clip_rewards: Option<bool>,
    #[arg(long, value_name = "P")]
    #[arg(help = "Atari: with which probability a frame repeats the last action [default: 0]")]
    pub sticky: Option<f32>,
}

impl Settings {
    /// `options`, with what the flags say in the place of what was there.
    pub fn over(&self, options: &Options) -> Options {
        let mut options = options.clone();
        fn set<T: Clone>(into: &mut T, flag: &Option<T>) {
            if let Some(value) = flag {
                into.clone_from(value);
            }
        }
        set(&mut options.rts.opponent, &self.opponent);
        set(&mut options.rts.observation, &self.observation);
        set(&mut options.rts.frame_skip, &self.frame_skip);
        set(&mut options.rts.opponent_frame_skip, &self.opponent_frame_skip);
        set(&mut options.rts.shaping, &self.shaping);
        set(&mut options.atari.rom, &self.rom);
        if self.python.is_some() {
            options.atari.python.clone_from(&self.python);
        }
        set(&mut options.atari.atari_skip, &self.atari_skip);
        set(&mut options.atari.noops, &self.noops);
        set(&mut options.atari.episodic_life, &self.episodic_life);
        set(&mut options.atari.clip_rewards, &self.clip_rewards);
        set(&mut options.atari.sticky, &self.sticky);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_changes() {
        let mut run = Options::default();
        (run.rts.opponent, run.rts.frame_skip) = (Opponent::HitAndRun, 20);
        assert_eq!(Settings::default().over(&run), run);
        // A default said aloud counts, and what is not said stays.
        let said = Settings { opponent: Some(Opponent::Simple), ..Settings::default() };
        let found = said.over(&run).rts;
        assert_eq!((found.opponent, found.frame_skip), (Opponent::Simple, 20));
    }
}
