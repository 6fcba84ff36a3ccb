//! Many games stepped together: what agents see.

use super::spec::{Observations, Spec};
use image::RgbImage;
use tenfold_core::Result;

/// An episode that ended in the last step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// Whose: the row of [`VectorEnv`].
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
pub trait VectorEnv: Send {
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
    /// its row of [`VectorEnv::observations`] is the first of the new episode, and
    /// [`VectorEnv::last_observation`] is the last of the old one.
    ///
    /// # Errors
    ///
    /// A number of actions that is not the number of rows, an action that the environment lacks, a
    /// child process that died.
    fn step(&mut self, actions: &[usize]) -> Result<()>;

    /// What every row sees now.
    fn observations(&self) -> Observations<'_>;

    /// What every row would see now if nothing were hidden from it.
    fn full_observations(&mut self) -> Observations<'_> {
        self.observations()
    }

    /// What the last step paid each row.
    fn rewards(&self) -> &[f32];

    /// Which rows' episodes ended in the last step by the rules of the game.
    fn terminated(&self) -> &[bool];

    /// Which rows' episodes were cut off in the last step, at the time limit. What would have
    /// come after still has its value: bootstrap from [`VectorEnv::last_observation`].
    fn truncated(&self) -> &[bool];

    /// What `row` saw at the end of the episode that ended last; before that, zeros.
    fn last_observation(&self, row: usize) -> Observations<'_>;

    /// The episodes that ended in the last step, by row.
    fn episodes(&self) -> &[Episode];

    /// What a demonstrator would do now in each row, where there is one to learn from.
    fn demonstrations(&self) -> Option<Vec<usize>> {
        None
    }

    /// All games and their random numbers, for [`VectorEnv::restore`].
    ///
    /// # Errors
    ///
    /// A child process that died.
    fn save(&mut self) -> Result<Vec<u8>>;

    /// Goes on where the games were when `state` was saved, exactly.
    ///
    /// # Errors
    ///
    /// A state that does not belong to this environment or this number of games.
    fn restore(&mut self, state: &[u8]) -> Result<()>;

    /// A small image of the game that `row` belongs to.
    fn draw(&self, row: usize) -> RgbImage;
}
