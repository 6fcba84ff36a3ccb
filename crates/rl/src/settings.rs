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
    #[arg(help = "Strategy games: opponent of the agent [default: simple, or the run's]")]
    pub opponent: Option<Opponent>,
    #[arg(long, value_enum, value_name = "WHAT")]
    #[arg(help = "MiniRTS: observation of the agent, planes over the map or a row of counts \
                  [default: map, or the run's]")]
    pub observation: Option<Observation>,
    #[arg(long, value_name = "TICKS")]
    #[arg(help = "Strategy games: ticks per action of the agent [default: 50]")]
    pub frame_skip: Option<u32>,
    #[arg(long, value_name = "TICKS")]
    #[arg(help = "Strategy games: ticks per action of a built-in opponent [default: 20]")]
    pub opponent_frame_skip: Option<u32>,
    #[arg(long, value_name = "X")]
    #[arg(help = "MiniRTS: reward shaping, X for each lead in units that cost 1000 \
                  [default: 0]")]
    pub shaping: Option<f32>,
    #[arg(long, value_name = "NAME")]
    #[arg(help = "Atari: game, such as pong or space_invaders [default: pong]")]
    pub rom: Option<String>,
    #[arg(long, value_name = "PATH")]
    #[arg(help = "Atari: Python interpreter with ale-py [default: python3 on the PATH]")]
    pub python: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FRAMES",
        help = "Atari: frames per action (frame skip) [default: 4]"
    )]
    pub atari_skip: Option<u8>,
    #[arg(long, value_name = "FRAMES")]
    #[arg(help = "Atari: most no-op frames at the start of a game [default: 30]")]
    pub noops: Option<u8>,
    #[arg(long, value_name = "BOOL")]
    #[arg(help = "Atari: end an episode when a life is lost [default: true]")]
    pub episodic_life: Option<bool>,
    #[arg(long, value_name = "BOOL")]
    #[arg(help = "Atari: clip rewards to -1, 0 and 1 [default: true]")]
    pub clip_rewards: Option<bool>,
    #[arg(long, value_name = "P")]
    #[arg(
        help = "Atari: probability that a frame repeats the last action (sticky actions) [default: 0]"
    )]
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
