//! The environments by name.

use super::vector::SyncVectorEnv;
use super::vector_env::VectorEnv;
use super::{acrobot, atari, cartpole, grid, lander, mini, minirts, mountain_car, trivial};
use serde::{Deserialize, Serialize};
use tenfold_core::zoo::did_you_mean;
use tenfold_core::{Error, Result};

/// The environments by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// A 4x4 grid with goals in two corners.
    Grid,
    /// A walk beside a cliff.
    Cliff,
    /// Say what you see.
    Identity,
    /// A bandit with five arms.
    Bandit,
    /// CartPole-v1: balance a pole on a cart.
    CartPole,
    /// MountainCar-v0: swing a weak car up a hill.
    MountainCar,
    /// Acrobot-v1: swing two links up.
    Acrobot,
    /// Like LunarLander-v3: land a craft on its pad.
    Lander,
    /// Miniature Atari: Breakout.
    Breakout,
    /// Miniature Atari: Asterix.
    Asterix,
    /// Miniature Atari: Freeway.
    Freeway,
    /// Miniature Atari: Seaquest.
    Seaquest,
    /// Miniature Atari: Space Invaders.
    SpaceInvaders,
    /// A small real-time strategy game.
    MiniRts,
    /// Two teams and one flag, on the same map.
    CaptureTheFlag,
    /// Atari 2600, through Python with ale-py; --rom says which game.
    Atari,
}

impl Environment {
    /// Every environment with its name on the command line.
    pub const ALL: [(Self, &str); 16] = [
        (Self::Grid, "grid"),
        (Self::Cliff, "cliff"),
        (Self::Identity, "identity"),
        (Self::Bandit, "bandit"),
        (Self::CartPole, "cartpole"),
        (Self::MountainCar, "mountain-car"),
        (Self::Acrobot, "acrobot"),
        (Self::Lander, "lander"),
        (Self::Breakout, "breakout"),
        (Self::Asterix, "asterix"),
        (Self::Freeway, "freeway"),
        (Self::Seaquest, "seaquest"),
        (Self::SpaceInvaders, "space-invaders"),
        (Self::MiniRts, "minirts"),
        (Self::CaptureTheFlag, "capture-the-flag"),
        (Self::Atari, "atari"),
    ];
}

/// Settings of the environments that have some.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Of the strategy games.
    #[serde(flatten)]
    pub rts: minirts::Options,
    /// Of Atari.
    #[serde(flatten)]
    pub atari: atari::Options,
}

/// Opens `games` games of the environment called `name`.
///
/// # Errors
///
/// An unknown name, no games at all, settings that cannot work.
pub fn open(name: &str, games: usize, options: &Options) -> Result<Box<dyn VectorEnv>> {
    let named = |(_, own): &&(Environment, &str)| own.eq_ignore_ascii_case(name);
    let (env, _) = Environment::ALL.iter().find(named).ok_or_else(|| {
        let names = Environment::ALL.map(|(_, name)| name);
        let meant = did_you_mean(name, names);
        let why =
            format!("no environment is called `{name}`{meant}; there are {}", names.join(", "));
        Error::argument("ENV", why)
    })?;
    /// One of the miniature Atari games.
    fn mini<R: mini::Rules>(games: usize) -> Result<Box<dyn VectorEnv>> {
        Ok(Box::new(SyncVectorEnv::new(mini::Mini::<R>::default(), games)?))
    }
    Ok(match *env {
        Environment::MountainCar => {
            Box::new(SyncVectorEnv::new(mountain_car::MountainCar::default(), games)?)
        }
        Environment::Acrobot => Box::new(SyncVectorEnv::new(acrobot::Acrobot::default(), games)?),
        Environment::Lander => Box::new(SyncVectorEnv::new(lander::Lander::default(), games)?),
        Environment::MiniRts => {
            Box::new(SyncVectorEnv::new(minirts::MiniRts::new(&options.rts)?, games)?)
        }
        Environment::CaptureTheFlag => {
            Box::new(SyncVectorEnv::new(minirts::flag::CaptureTheFlag::new(&options.rts)?, games)?)
        }
        Environment::Atari => Box::new(atari::Atari::new(&options.atari, games)?),
        Environment::Breakout => mini::<mini::breakout::Breakout>(games)?,
        Environment::Asterix => mini::<mini::asterix::Asterix>(games)?,
        Environment::Freeway => mini::<mini::freeway::Freeway>(games)?,
        Environment::Seaquest => mini::<mini::seaquest::Seaquest>(games)?,
        Environment::SpaceInvaders => mini::<mini::space_invaders::SpaceInvaders>(games)?,
        Environment::Grid => Box::new(SyncVectorEnv::new(grid::Grid::grid(), games)?),
        Environment::Cliff => Box::new(SyncVectorEnv::new(grid::Grid::cliff(), games)?),
        Environment::Identity => Box::new(SyncVectorEnv::new(trivial::Identity::default(), games)?),
        Environment::Bandit => Box::new(SyncVectorEnv::new(trivial::Bandit::default(), games)?),
        Environment::CartPole => {
            Box::new(SyncVectorEnv::new(cartpole::CartPole::default(), games)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::game::Random;
    use crate::env::spec::{Cells, Observations};

    /// The environments that need nothing else.
    fn own() -> impl Iterator<Item = &'static str> {
        let own = Environment::ALL.iter().filter(|(env, _)| *env != Environment::Atari);
        own.map(|(_, name)| *name)
    }

    #[test]
    fn every_world_opens_and_is_what_it_says() {
        for name in own() {
            let mut envs = open(name, 3, &Options::default()).unwrap();
            let spec = envs.spec().clone();
            assert_eq!(spec.name, name);
            assert_eq!(envs.rows(), 3 * spec.players);
            let (rows, count) = (envs.rows(), spec.actions.len());
            let mut random = Random::new(5);
            for step in 0..300 {
                let actions: Vec<usize> = (0..rows).map(|_| random.below(count)).collect();
                envs.step(&actions).unwrap();
                match envs.observations() {
                    Observations::Floats(cells) => {
                        assert_eq!(spec.cells, Cells::Floats);
                        assert_eq!(cells.len(), rows * spec.cells_per_observation());
                        assert!(cells.iter().all(|cell| cell.is_finite()));
                    }
                    Observations::Bytes(cells) => {
                        assert_eq!(spec.cells, Cells::Bytes);
                        assert_eq!(cells.len(), rows * spec.cells_per_observation());
                        assert!(cells.iter().all(|cell| f32::from(*cell) <= spec.scale));
                    }
                }
                assert!(envs.rewards().iter().all(|reward| reward.is_finite()));
                if step % 100 == 0 {
                    let image = envs.draw(rows - 1);
                    assert!(image.width() >= 32 && image.height() >= 32);
                }
            }
        }
    }

    #[test]
    fn every_world_goes_on_exactly_from_a_saved_state() {
        for name in own() {
            let mut envs = open(name, 2, &Options::default()).unwrap();
            let (rows, count) = (envs.rows(), envs.spec().actions.len());
            let mut random = Random::new(6);
            let mut actions = || (0..rows).map(|_| random.below(count)).collect::<Vec<_>>();
            for _ in 0..150 {
                envs.step(&actions()).unwrap();
            }
            let state = envs.save().unwrap();
            let mut other = open(name, 2, &Options::default()).unwrap();
            other.restore(&state).unwrap();
            for _ in 0..150 {
                let actions = actions();
                envs.step(&actions).unwrap();
                other.step(&actions).unwrap();
                assert_eq!(envs.observations(), other.observations(), "{name}");
                assert_eq!(envs.rewards(), other.rewards(), "{name}");
                assert_eq!(envs.terminated(), other.terminated(), "{name}");
            }
        }
    }

    #[test]
    fn unknown_environments_and_no_games_are_refused() {
        let refusal =
            |name: &str, games| open(name, games, &Options::default()).err().unwrap().to_string();
        assert!(
            refusal("cartpool", 1)
                .contains("`cartpool` (did you mean `cartpole`?); there are grid, cliff")
        );
        for name in own() {
            assert!(refusal(name, 0).starts_with("--games: "), "{name}");
        }
    }
}
