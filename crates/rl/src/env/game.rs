//! One game: what every environment of this crate implements.

use super::spec::{Cell, Spec};
use image::RgbImage;
use serde::{Serialize, de::DeserializeOwned};
use tenfold_core::data::random::SplitMix64;

/// The generator of a game's random numbers.
pub type Random = SplitMix64;

/// What one step brought, seen by the first player.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The reward. In a game of two players the second gets its negative.
    pub reward: f32,
    /// Whether the game is over by its own rules. Cutting off at a time limit is not the
    /// game's business: see [`Spec::time_limit`].
    pub terminated: bool,
}

/// One game: the rules of an environment, small, without allocation after construction.
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

    /// What a demonstrator would do in the place of one of the players, where there is one
    /// to learn from.
    fn demonstration(&self, _player: usize) -> Option<usize> {
        None
    }

    /// A small image of the whole game, for people.
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
    fn observe_all(&self, player: usize, into: &mut [Self::Cell]) {
        self.observe_player(player, into);
    }
}
