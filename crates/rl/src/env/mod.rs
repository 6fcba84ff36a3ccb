//! The worlds, behind one small trait, and many games of one world stepped together.
//!
//! A world is a [`Game`]: rules, and nothing about learning. [`Vector`] steps many games and is
//! what an agent sees, as [`Worlds`]. Every game has its own stream of random numbers, made
//! from (seed, index of the game), so what happens depends neither on how many games are
//! stepped together nor on how many threads step them.

pub mod acrobot;
pub mod atari;
pub mod burn;
pub mod cartpole;
mod draw;
pub mod grid;
pub mod lander;
pub mod mini;
pub mod minirts;
pub mod mountain_car;
pub mod speed;
mod trig;
pub mod trivial;
mod vector;

#[cfg(test)]
mod gymnasium_tests;

pub use vector::Vector;

use clap::ValueEnum;
use image::RgbImage;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::{Error, Result};

/// The generator of a game's random numbers.
pub type Random = SplitMix64;

/// Of what an observation is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cells {
    /// Numbers of any size.
    Floats,
    /// Bytes: 0 or 1 in planes, 0 to 255 in pictures.
    Bytes,
}

/// What an agent must know about a world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The world's name on the command line.
    pub name: String,
    /// Shape of one player's observation: `[values]` or `[planes, height, width]`.
    pub observation: Vec<usize>,
    /// Of what it is made.
    pub cells: Cells,
    /// What a cell of 1.0 is in [`Cells::Bytes`]: 1 for planes, 255 for pictures. Networks
    /// divide by it.
    pub scale: f32,
    /// The name of every action; actions are numbers below its length.
    pub actions: Vec<String>,
    /// After how many steps an episode is cut off, as [`Worlds::truncated`].
    pub time_limit: Option<u32>,
    /// The mean return from which the world counts as solved, where its makers published one.
    pub solved_at: Option<f32>,
    /// How many players an agent steers in one game: 1, or 2 where it plays against itself.
    pub players: usize,
    /// How many frames of the game one step is, where none ends in between.
    pub frames_per_step: f64,
    /// The plane that tells whose something is, where there is one: above half the scale one's
    /// own, else the other's.
    #[serde(default)]
    pub whose: Option<usize>,
    /// Whether there is a scripted player to learn from: [`Game::advice`] answers. Runs from
    /// before it was told had one if they asked for it, or had ended at their first step.
    #[serde(default = "yes")]
    pub coached: bool,
    /// The plane of the players' bases, where there are maps with bases.
    #[serde(default)]
    pub home: Option<usize>,
    /// Whether the players see less than there is: [`Worlds::unveiled`] shows all of it.
    #[serde(default)]
    pub veiled: bool,
}

fn yes() -> bool {
    true
}

impl Spec {
    /// The specification of a world with one player, [`Cells::Bytes`] of 0 and 1 or
    /// [`Cells::Floats`], and no time limit.
    pub fn new(name: &str, cells: Cells, observation: &[usize], actions: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            observation: observation.to_vec(),
            cells,
            scale: 1.0,
            actions: actions.iter().map(|name| (*name).to_owned()).collect(),
            time_limit: None,
            solved_at: None,
            players: 1,
            frames_per_step: 1.0,
            whose: None,
            coached: false,
            home: None,
            veiled: false,
        }
    }

    /// How many cells one player's observation has.
    pub fn cells_per_observation(&self) -> usize {
        self.observation.iter().product()
    }
}

/// What one step brought, seen by the first player.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The reward. In a game of two players the second gets its negative.
    pub reward: f32,
    /// Whether the game is over by its own rules. Cutting off at a time limit is not the
    /// game's business: see [`Spec::time_limit`].
    pub terminated: bool,
}

/// A cell of an observation: `f32` or `u8`.
pub trait Cell: Copy + Default + Send + Sync + 'static {
    /// Which one.
    const CELLS: Cells;
    /// A view of many.
    fn view(cells: &[Self]) -> Observations<'_>;
}

impl Cell for f32 {
    const CELLS: Cells = Cells::Floats;
    fn view(cells: &[Self]) -> Observations<'_> {
        Observations::Floats(cells)
    }
}

impl Cell for u8 {
    const CELLS: Cells = Cells::Bytes;
    fn view(cells: &[Self]) -> Observations<'_> {
        Observations::Bytes(cells)
    }
}

/// One game: the rules of a world, small, without allocation after construction.
///
/// Serialising a game keeps its whole state; its random numbers are kept beside it.
pub trait Game: Clone + Send + Serialize + DeserializeOwned + 'static {
    /// Of what its observation is made.
    type Cell: Cell;

    /// Whether a step takes so long (some microseconds) that a second thread helps.
    const SLOW: bool = false;

    /// What an agent must know.
    fn spec(&self) -> Spec;

    /// Begins a new episode.
    fn reset(&mut self, random: &mut Random);

    /// One step of a game with one player; `action` is below the number of actions.
    fn step(&mut self, action: usize, random: &mut Random) -> Outcome;

    /// Writes what the player sees, [`Spec::observation`] row by row, over the whole of `into`.
    fn observe(&self, into: &mut [Self::Cell]);

    /// How well the first player stands. What a step adds to it is paid on top of the reward,
    /// and is in no score. Unlike a potential (Ng et al.: "Policy invariance under reward
    /// transformations", 1999) it is not taken back at the end, so it may change what is best.
    #[inline]
    fn standing(&self) -> f32 {
        0.0
    }

    /// What a scripted player would do in the place of one of the players, where there is one
    /// to learn from.
    fn advice(&self, _player: usize) -> Option<usize> {
        None
    }

    /// A small picture of the whole game, for people.
    fn draw(&self) -> RgbImage;

    /// One step with an action of every player.
    #[inline]
    fn step_players(&mut self, actions: &[usize], random: &mut Random) -> Outcome {
        self.step(actions[0], random)
    }

    /// Writes what one of the players sees.
    #[inline]
    fn observe_player(&self, _player: usize, into: &mut [Self::Cell]) {
        self.observe(into);
    }

    /// Writes what one of the players would see if nothing were hidden from it.
    #[inline]
    fn observe_unveiled(&self, player: usize, into: &mut [Self::Cell]) {
        self.observe_player(player, into);
    }
}

/// Many observations in one buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observations<'a> {
    /// `[rows, observation]`.
    Floats(&'a [f32]),
    /// `[rows, observation]`.
    Bytes(&'a [u8]),
}

/// An episode that ended in the last step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// Whose: the row of [`Worlds`].
    pub row: usize,
    /// The sum of its rewards, as the game counts them: neither clipped nor discounted.
    pub score: f32,
    /// How many steps it took.
    pub length: u32,
}

/// Many games stepped together: what agents see.
///
/// A row is one player of one game: there are games x [`Spec::players`] rows, and row
/// `game * players + player` is that player's.
pub trait Worlds: Send {
    /// What an agent must know.
    fn spec(&self) -> &Spec;

    /// The number of rows.
    fn rows(&self) -> usize;

    /// Begins a new episode in every game. The same seed gives the same games, whatever was
    /// before.
    ///
    /// # Errors
    ///
    /// What a child process that plays the games refuses; games of this crate never fail.
    fn reset(&mut self, seed: u64) -> Result<()>;

    /// One step with an action for every row. A game that ends begins anew in the same step:
    /// its row of [`Worlds::observations`] is the first of the new episode, and
    /// [`Worlds::last_observation`] is the last of the old one.
    ///
    /// # Errors
    ///
    /// A number of actions that is not the number of rows, an action that the world lacks, a
    /// child process that died.
    fn step(&mut self, actions: &[usize]) -> Result<()>;

    /// What every row sees now.
    fn observations(&self) -> Observations<'_>;

    /// What every row would see now if nothing were hidden from it.
    fn unveiled(&mut self) -> Observations<'_> {
        self.observations()
    }

    /// What the last step paid each row.
    fn rewards(&self) -> &[f32];

    /// Which rows' episodes ended in the last step by the rules of the game.
    fn terminated(&self) -> &[bool];

    /// Which rows' episodes were cut off in the last step, at the time limit. What would have
    /// come after still has its value: bootstrap from [`Worlds::last_observation`].
    fn truncated(&self) -> &[bool];

    /// What `row` saw at the end of the episode that ended last; before that, zeros.
    fn last_observation(&self, row: usize) -> Observations<'_>;

    /// The episodes that ended in the last step, by row.
    fn episodes(&self) -> &[Episode];

    /// What a scripted player would do now in each row, where there is one to learn from.
    fn advice(&self) -> Option<Vec<usize>> {
        None
    }

    /// All games and their random numbers, for [`Worlds::restore`].
    ///
    /// # Errors
    ///
    /// A child process that died.
    fn save(&mut self) -> Result<Vec<u8>>;

    /// Goes on where the games were when `state` was saved, exactly.
    ///
    /// # Errors
    ///
    /// A state that does not belong to this world or this number of games.
    fn restore(&mut self, state: &[u8]) -> Result<()>;

    /// A small picture of the game that `row` belongs to.
    fn draw(&self, row: usize) -> RgbImage;
}

/// The worlds by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum World {
    /// A 4x4 grid with goals in two corners.
    Grid,
    /// A walk beside a cliff.
    Cliff,
    /// Say what you see.
    Identity,
    /// A bandit with five arms.
    Bandit,
    /// CartPole-v1: balance a pole on a cart.
    #[value(name = "cartpole")]
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
    #[value(name = "minirts")]
    MiniRts,
    /// Two teams and one flag, on the same map.
    CaptureTheFlag,
    /// Atari 2600, through Python with ale-py; --rom says which game.
    Atari,
}

impl World {
    /// The name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Settings of the worlds that have some.
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

/// Opens `games` games of the world called `name`.
///
/// # Errors
///
/// An unknown name, no games at all, settings that cannot work.
pub fn open(name: &str, games: usize, options: &Options) -> Result<Box<dyn Worlds>> {
    let world = World::from_str(name, true).map_err(|_| {
        let names: Vec<String> = World::value_variants().iter().map(|w| w.name()).collect();
        Error::argument(
            "--env",
            format!("no world is called `{name}`; there are {}", names.join(", ")),
        )
    })?;
    /// One of the miniature Atari games.
    fn mini<R: mini::Rules>(games: usize) -> Result<Box<dyn Worlds>> {
        Ok(Box::new(Vector::new(mini::Mini::<R>::default(), games)?))
    }
    Ok(match world {
        World::MountainCar => Box::new(Vector::new(mountain_car::MountainCar::default(), games)?),
        World::Acrobot => Box::new(Vector::new(acrobot::Acrobot::default(), games)?),
        World::Lander => Box::new(Vector::new(lander::Lander::default(), games)?),
        World::MiniRts => Box::new(Vector::new(minirts::MiniRts::new(&options.rts)?, games)?),
        World::CaptureTheFlag => {
            Box::new(Vector::new(minirts::flag::CaptureTheFlag::new(&options.rts)?, games)?)
        }
        World::Atari => Box::new(atari::Atari::new(&options.atari, games)?),
        World::Breakout => mini::<mini::breakout::Breakout>(games)?,
        World::Asterix => mini::<mini::asterix::Asterix>(games)?,
        World::Freeway => mini::<mini::freeway::Freeway>(games)?,
        World::Seaquest => mini::<mini::seaquest::Seaquest>(games)?,
        World::SpaceInvaders => mini::<mini::space_invaders::SpaceInvaders>(games)?,
        World::Grid => Box::new(Vector::new(grid::Grid::grid(), games)?),
        World::Cliff => Box::new(Vector::new(grid::Grid::cliff(), games)?),
        World::Identity => Box::new(Vector::new(trivial::Identity::default(), games)?),
        World::Bandit => Box::new(Vector::new(trivial::Bandit::default(), games)?),
        World::CartPole => Box::new(Vector::new(cartpole::CartPole::default(), games)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worlds that need nothing else.
    fn own() -> impl Iterator<Item = World> {
        World::value_variants().iter().copied().filter(|world| *world != World::Atari)
    }

    #[test]
    fn every_world_opens_and_is_what_it_says() {
        for world in own() {
            let mut worlds = open(&world.name(), 3, &Options::default()).unwrap();
            let spec = worlds.spec().clone();
            assert_eq!(spec.name, world.name());
            assert_eq!(worlds.rows(), 3 * spec.players);
            let (rows, count) = (worlds.rows(), spec.actions.len());
            let mut random = Random::new(5);
            for step in 0..300 {
                let actions: Vec<usize> = (0..rows).map(|_| random.below(count)).collect();
                worlds.step(&actions).unwrap();
                match worlds.observations() {
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
                assert!(worlds.rewards().iter().all(|reward| reward.is_finite()));
                if step % 100 == 0 {
                    let picture = worlds.draw(rows - 1);
                    assert!(picture.width() >= 32 && picture.height() >= 32);
                }
            }
        }
    }

    #[test]
    fn every_world_goes_on_exactly_from_a_saved_state() {
        for world in own() {
            let name = world.name();
            let mut worlds = open(&name, 2, &Options::default()).unwrap();
            let (rows, count) = (worlds.rows(), worlds.spec().actions.len());
            let mut random = Random::new(6);
            let mut actions = || (0..rows).map(|_| random.below(count)).collect::<Vec<_>>();
            for _ in 0..150 {
                worlds.step(&actions()).unwrap();
            }
            let state = worlds.save().unwrap();
            let mut other = open(&name, 2, &Options::default()).unwrap();
            other.restore(&state).unwrap();
            for _ in 0..150 {
                let actions = actions();
                worlds.step(&actions).unwrap();
                other.step(&actions).unwrap();
                assert_eq!(worlds.observations(), other.observations(), "{name}");
                assert_eq!(worlds.rewards(), other.rewards(), "{name}");
                assert_eq!(worlds.terminated(), other.terminated(), "{name}");
            }
        }
    }

    #[test]
    fn unknown_worlds_and_no_games_are_refused() {
        let refusal =
            |name: &str, games| open(name, games, &Options::default()).err().unwrap().to_string();
        assert!(refusal("cartpool", 1).contains("`cartpool`; there are grid, cliff"));
        for world in own() {
            assert!(refusal(&world.name(), 0).starts_with("--games: "), "{world:?}");
        }
    }
}
