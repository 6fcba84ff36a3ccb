//! Environments written for burn-rl, Burn's own crate for reinforcement learning.
//!
//! Its `Environment` knows neither seeds nor saved states, and leaves states and actions to its
//! types: the functions given here turn a state into numbers and a number into an action.

use super::spec::{Cell, Cells, Observations, Spec};
use super::vector::check_actions;
use super::vector_env::{Episode, VectorEnv};
use burn_rl::{Environment, EnvironmentInit, StepResult};
use image::RgbImage;
use tenfold_core::{Error, Result};

/// Games of a burn-rl environment.
///
/// [`VectorEnv::reset`] makes no use of the seed, and states are not saved: what there is cannot
/// say more.
pub struct Burn<E: Environment, O, A> {
    spec: Spec,
    games: Vec<E>,
    observe: O,
    action: A,
    /// Steps and score of the running episodes.
    so_far: Vec<(u32, f32)>,
    observations: Vec<f32>,
    last: Vec<f32>,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    episodes: Vec<Episode>,
}

impl<E, O, A> Burn<E, O, A>
where
    E: Environment + Send,
    O: Fn(&E::State, &mut [f32]) + Send,
    A: Fn(usize) -> E::Action + Send,
{
    /// `games` games that `init` makes. `spec` names the environment, the shape of what `observe`
    /// writes and the actions that `action` makes; its time limit becomes the environment's.
    ///
    /// # Errors
    ///
    /// No games, and a first observation that is not made of numbers.
    pub fn new(
        spec: Spec,
        games: usize,
        init: &impl EnvironmentInit<E>,
        observe: O,
        action: A,
    ) -> Result<Self> {
        if games == 0 {
            return Err(Error::argument("--games", "there must be at least one game"));
        }
        let cells = spec.cells_per_observation();
        let time_limit = u32::try_from(E::MAX_STEPS).ok();
        let mut envs = Self {
            spec: Spec { cells: Cells::Floats, players: 1, time_limit, ..spec },
            games: (0..games).map(|_| init.init()).collect(),
            observe,
            action,
            so_far: vec![(0, 0.0); games],
            observations: vec![0.0; games * cells],
            last: vec![0.0; games * cells],
            rewards: vec![0.0; games],
            terminated: vec![false; games],
            truncated: vec![false; games],
            episodes: Vec::with_capacity(games),
        };
        envs.reset(0)?;
        Ok(envs)
    }

    /// Writes what a state looks like into `into`.
    fn write(&self, state: &E::State, into: &mut [f32]) -> Result<()> {
        (self.observe)(state, into);
        match into.iter().find(|cell| !cell.is_finite()) {
            Some(cell) => Err(Error::Training(format!(
                "{}: an observation holds {cell}: expected numbers",
                self.spec.name
            ))),
            None => Ok(()),
        }
    }

    fn step_game(&mut self, game: usize, action: usize) -> Result<()> {
        let cells = self.spec.cells_per_observation();
        let StepResult { next_state, reward, done, truncated } =
            self.games[game].step((self.action)(action));
        if !reward.is_finite() {
            let name = &self.spec.name;
            return Err(Error::Training(format!(
                "{name}: a reward of {reward}: expected a number"
            )));
        }
        let mut seen = std::mem::take(&mut self.observations);
        let mut last = std::mem::take(&mut self.last);
        let into = &mut seen[game * cells..][..cells];
        let mut written = self.write(&next_state, into);
        let limit = self.spec.time_limit.unwrap_or(u32::MAX);
        let (steps, score) = &mut self.so_far[game];
        *steps += 1;
        *score += reward as f32;
        // `done` may stand for both.
        self.truncated[game] = truncated || (!done && *steps >= limit);
        self.terminated[game] = done && !truncated;
        self.rewards[game] = reward as f32;
        if self.terminated[game] || self.truncated[game] {
            let (length, score) = std::mem::take(&mut self.so_far[game]);
            self.episodes.push(Episode { row: game, score, length });
            last[game * cells..][..cells].copy_from_slice(into);
            self.games[game].reset();
            written = written.and_then(|()| self.write(&self.games[game].state(), into));
        }
        (self.observations, self.last) = (seen, last);
        written
    }
}

impl<E, O, A> VectorEnv for Burn<E, O, A>
where
    E: Environment + Send,
    O: Fn(&E::State, &mut [f32]) + Send,
    A: Fn(usize) -> E::Action + Send,
{
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn rows(&self) -> usize {
        self.games.len()
    }

    fn reset(&mut self, _seed: u64) -> Result<()> {
        let cells = self.spec.cells_per_observation();
        let mut seen = std::mem::take(&mut self.observations);
        let mut written = Ok(());
        for (game, into) in seen.chunks_exact_mut(cells).enumerate() {
            self.games[game].reset();
            written = written.and_then(|()| self.write(&self.games[game].state(), into));
        }
        self.observations = seen;
        self.so_far.fill((0, 0.0));
        self.last.fill(0.0);
        self.rewards.fill(0.0);
        self.terminated.fill(false);
        self.truncated.fill(false);
        self.episodes.clear();
        written
    }

    fn step(&mut self, actions: &[usize]) -> Result<()> {
        check_actions(actions, &self.spec, self.games.len())?;
        self.episodes.clear();
        for (game, &action) in actions.iter().enumerate() {
            self.step_game(game, action)?;
        }
        Ok(())
    }

    fn observations(&self) -> Observations<'_> {
        f32::view(&self.observations)
    }

    fn rewards(&self) -> &[f32] {
        &self.rewards
    }

    fn terminated(&self) -> &[bool] {
        &self.terminated
    }

    fn truncated(&self) -> &[bool] {
        &self.truncated
    }

    fn last_observation(&self, row: usize) -> Observations<'_> {
        let cells = self.spec.cells_per_observation();
        f32::view(&self.last[row * cells..][..cells])
    }

    fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    fn save(&mut self) -> Result<Vec<u8>> {
        Err(Error::Training(format!("{}: a burn-rl environment cannot be saved", self.spec.name)))
    }

    fn restore(&mut self, _state: &[u8]) -> Result<()> {
        Err(Error::Training(format!(
            "{}: a burn-rl environment cannot be restored",
            self.spec.name
        )))
    }

    /// A burn-rl environment has no images: this one is empty.
    fn draw(&self, _row: usize) -> RgbImage {
        RgbImage::new(32, 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up to 3, or down; -2 ends it; at 5 steps it is cut off.
    struct Count(i32);

    impl Environment for Count {
        type State = i32;
        type Action = i32;
        const MAX_STEPS: usize = 5;

        fn state(&self) -> i32 {
            self.0
        }

        fn step(&mut self, action: i32) -> StepResult<i32> {
            self.0 = (self.0 + action).min(3);
            let done = self.0 == -2;
            StepResult { next_state: self.0, reward: self.0.into(), done, truncated: false }
        }

        fn reset(&mut self) {
            self.0 = 0;
        }
    }

    fn spec() -> Spec {
        Spec::new("count", Cells::Floats, &[1], &["down", "up"])
    }

    fn observe(state: &i32, into: &mut [f32]) {
        into[0] = *state as f32;
    }

    #[test]
    fn ends_and_cuts_are_told_apart() {
        let action = |action| if action == 1 { 1 } else { -1 };
        let mut envs = Burn::new(spec(), 2, &|| Count(0), observe, action).unwrap();
        envs.step(&[0, 1]).unwrap();
        assert_eq!(envs.observations(), Observations::Floats(&[-1.0, 1.0]));
        envs.step(&[0, 1]).unwrap();
        assert_eq!(envs.terminated(), [true, false]);
        assert_eq!(envs.observations(), Observations::Floats(&[0.0, 2.0]));
        assert_eq!(envs.last_observation(0), Observations::Floats(&[-2.0]));
        assert_eq!(envs.episodes(), [Episode { row: 0, score: -3.0, length: 2 }]);
        for _ in 0..3 {
            assert_eq!(envs.truncated(), [false; 2]);
            envs.step(&[1, 1]).unwrap();
        }
        assert_eq!((envs.terminated(), envs.truncated()), (&[false; 2][..], &[false, true][..]));
        assert_eq!(envs.episodes(), [Episode { row: 1, score: 12.0, length: 5 }]);
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        let observe =
            |state: &i32, into: &mut [f32]| into[0] = if *state > 1 { f32::NAN } else { 0.0 };
        let mut envs = Burn::new(spec(), 1, &|| Count(0), observe, |_| 1).unwrap();
        envs.step(&[1]).unwrap();
        let error = envs.step(&[1]).unwrap_err().to_string();
        assert!(error.contains("count: an observation holds NaN"), "{error}");
        assert!(Burn::new(spec(), 0, &|| Count(0), observe, |_| 1).is_err());
    }
}
