//! Many games of one environment, stepped together into one buffer.

use super::game::{Game, Outcome, Random};
use super::spec::{Cell, Observations, Spec};
use super::vector_env::{Episode, VectorEnv};
use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tenfold_core::{Error, Result};

/// A game with its random numbers and its episode's figures so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slot<G> {
    game: G,
    random: Random,
    steps: u32,
    score: f32,
}

/// Many games of one environment. After construction nothing allocates, but for the first
/// [`VectorEnv::full_observations`].
pub struct SyncVectorEnv<G: Game> {
    spec: Spec,
    /// Cells of one observation.
    cells: usize,
    slots: Vec<Slot<G>>,
    observations: Vec<G::Cell>,
    /// Empty until it is asked for.
    full_observations: Vec<G::Cell>,
    /// Of the episode that ended last, in each row.
    last: Vec<G::Cell>,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    /// Score and length of the episode that ended in the last step, for each game.
    ended: Vec<Option<(f32, u32)>>,
    episodes: Vec<Episode>,
}

/// The part of the buffers that belongs to one game.
struct Row<'a, G: Game> {
    slot: &'a mut Slot<G>,
    observation: &'a mut [G::Cell],
    last: &'a mut [G::Cell],
    rewards: &'a mut [f32],
    terminated: &'a mut [bool],
    truncated: &'a mut [bool],
    ended: &'a mut Option<(f32, u32)>,
}

impl<G: Game> Row<'_, G> {
    /// One step of this game; whether its episode ended.
    #[inline]
    fn step(self, actions: &[usize], cells: usize, limit: u32) -> bool {
        let Slot { game, random, steps, score } = self.slot;
        let before = game.standing();
        let Outcome { reward, terminated } = game.step_players(actions, random);
        let paid = reward + game.standing() - before;
        *steps += 1;
        *score += reward;
        let truncated = !terminated && *steps >= limit;
        for player in 0..actions.len() {
            self.rewards[player] = if player == 0 { paid } else { -paid };
            self.terminated[player] = terminated;
            self.truncated[player] = truncated;
        }
        *self.ended = None;
        let ended = terminated || truncated;
        if ended {
            observe(game, self.last, cells);
            *self.ended = Some((*score, *steps));
            (*steps, *score) = (0, 0.0);
            game.reset(random);
        }
        observe(game, self.observation, cells);
        ended
    }
}

/// Writes what every player of `game` sees.
#[inline]
fn observe<G: Game>(game: &G, into: &mut [G::Cell], cells: usize) {
    if into.len() == cells {
        return game.observe_player(0, into);
    }
    for (player, into) in into.chunks_exact_mut(cells).enumerate() {
        game.observe_player(player, into);
    }
}

impl<G: Game> SyncVectorEnv<G> {
    /// `games` games like `game`, begun with seed 0.
    ///
    /// # Errors
    ///
    /// No games at all.
    pub fn new(game: G, games: usize) -> Result<Self> {
        let spec = game.spec();
        if games == 0 {
            return Err(Error::argument("--games", "there must be at least one game"));
        }
        debug_assert_eq!(spec.cells, <G::Cell as Cell>::CELLS);
        let (rows, cells) = (games * spec.players, spec.cells_per_observation());
        let slot = Slot { game, random: Random::new(0), steps: 0, score: 0.0 };
        let mut vector = Self {
            cells,
            slots: vec![slot; games],
            observations: vec![Default::default(); rows * cells],
            full_observations: Vec::new(),
            last: vec![Default::default(); rows * cells],
            rewards: vec![0.0; rows],
            terminated: vec![false; rows],
            truncated: vec![false; rows],
            ended: vec![None; games],
            episodes: Vec::with_capacity(rows),
            spec,
        };
        vector.begin(0);
        Ok(vector)
    }

    /// The games themselves, in order.
    pub fn games(&self) -> impl ExactSizeIterator<Item = &G> {
        self.slots.iter().map(|slot| &slot.game)
    }

    /// Begins every game anew.
    fn begin(&mut self, seed: u64) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.random = Random::keyed(&[seed, index as u64]);
            slot.game.reset(&mut slot.random);
            (slot.steps, slot.score) = (0, 0.0);
        }
        self.forget();
    }

    /// Observes every game as it is, and knows of no step before.
    fn forget(&mut self) {
        let per_game = self.cells * self.spec.players;
        for (slot, into) in self.slots.iter().zip(self.observations.chunks_exact_mut(per_game)) {
            observe(&slot.game, into, self.cells);
        }
        self.last.fill(Default::default());
        self.rewards.fill(0.0);
        self.terminated.fill(false);
        self.truncated.fill(false);
        self.ended.fill(None);
        self.episodes.clear();
    }
}

impl<G: Game> VectorEnv for SyncVectorEnv<G> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn rows(&self) -> usize {
        self.rewards.len()
    }

    fn reset(&mut self, seed: u64) -> Result<()> {
        self.begin(seed);
        Ok(())
    }

    fn step(&mut self, actions: &[usize]) -> Result<()> {
        check_actions(actions, &self.spec, self.rewards.len())?;
        let (players, cells) = (self.spec.players, self.cells);
        let limit = self.spec.time_limit.unwrap_or(u32::MAX);
        let any = if G::SLOW && self.slots.len() > 1 {
            (
                self.slots.par_iter_mut(),
                self.observations.par_chunks_exact_mut(players * cells),
                self.last.par_chunks_exact_mut(players * cells),
                self.rewards.par_chunks_exact_mut(players),
                self.terminated.par_chunks_exact_mut(players),
                self.truncated.par_chunks_exact_mut(players),
                self.ended.par_iter_mut(),
                actions.par_chunks_exact(players),
            )
                .into_par_iter()
                .map(|(slot, observation, last, rewards, terminated, truncated, ended, actions)| {
                    let row =
                        Row { slot, observation, last, rewards, terminated, truncated, ended };
                    row.step(actions, cells, limit)
                })
                .reduce(|| false, |a, b| a | b)
        } else {
            let mut rest = (
                &mut self.observations[..],
                &mut self.last[..],
                &mut self.rewards[..],
                &mut self.terminated[..],
                &mut self.truncated[..],
                actions,
            );
            let mut any = false;
            for (slot, ended) in self.slots.iter_mut().zip(&mut self.ended) {
                let (observation, last, rewards, terminated, truncated, actions) = rest;
                let (observation, a) = observation.split_at_mut(players * cells);
                let (last, b) = last.split_at_mut(players * cells);
                let (rewards, c) = rewards.split_at_mut(players);
                let (terminated, d) = terminated.split_at_mut(players);
                let (truncated, e) = truncated.split_at_mut(players);
                let (actions, f) = actions.split_at(players);
                let row = Row { slot, observation, last, rewards, terminated, truncated, ended };
                any |= row.step(actions, cells, limit);
                rest = (a, b, c, d, e, f);
            }
            any
        };
        self.episodes.clear();
        if any {
            for (game, ended) in self.ended.iter().enumerate() {
                let Some((score, length)) = *ended else { continue };
                for player in 0..players {
                    let score = if player == 0 { score } else { -score };
                    self.episodes.push(Episode { row: game * players + player, score, length });
                }
            }
        }
        Ok(())
    }

    fn observations(&self) -> Observations<'_> {
        G::Cell::view(&self.observations)
    }

    fn full_observations(&mut self) -> Observations<'_> {
        let (players, cells) = (self.spec.players, self.cells);
        self.full_observations.resize(self.observations.len(), Default::default());
        for (row, into) in self.full_observations.chunks_exact_mut(cells).enumerate() {
            self.slots[row / players].game.observe_all(row % players, into);
        }
        G::Cell::view(&self.full_observations)
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
        G::Cell::view(&self.last[row * self.cells..][..self.cells])
    }

    fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    fn demonstrations(&self) -> Option<Vec<usize>> {
        let players = self.spec.players;
        let game = |slot: &Slot<G>, player| slot.game.demonstration(player);
        (0..self.rows()).map(|row| game(&self.slots[row / players], row % players)).collect()
    }

    fn save(&mut self) -> Result<Vec<u8>> {
        rmp_serde::to_vec(&(&self.spec, &self.slots))
            .map_err(|why| Error::Training(format!("the games' state: {why}")))
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let wrong = |why: String| Error::file("the saved games", why);
        let (spec, slots): (Spec, Vec<Slot<G>>) = rmp_serde::from_slice(state)
            .map_err(|why| wrong(format!("expected games of {}: {why}", self.spec.name)))?;
        if spec != self.spec || slots.len() != self.slots.len() {
            let (have, want) = (&self.spec.name, self.slots.len());
            return Err(wrong(format!(
                "they are {} games of {}, expected {want} of {have} with the same settings",
                slots.len(),
                spec.name
            )));
        }
        self.slots = slots;
        self.forget();
        Ok(())
    }

    fn draw(&self, row: usize) -> RgbImage {
        self.slots[row / self.spec.players].game.draw()
    }
}

/// Refuses a wrong number of actions, and actions that the environment lacks.
pub(super) fn check_actions(actions: &[usize], spec: &Spec, rows: usize) -> Result<()> {
    if actions.len() != rows {
        let why = format!("{} actions for {rows} rows", actions.len());
        return Err(Error::Training(why));
    }
    let count = spec.actions.len();
    match actions.iter().find(|action| **action >= count) {
        Some(action) => Err(Error::Training(format!(
            "action {action}: {} has {count}, counted from 0",
            spec.name
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cells;
    use super::*;

    /// Counts its steps, and is cut off at 5; action 1 ends it. Two players see the count
    /// with opposite signs; the reward is the action of the first less that of the second.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Counter<const PLAYERS: usize, const SLOW: bool> {
        count: u8,
        start: u64,
    }

    impl<const PLAYERS: usize, const SLOW: bool> Game for Counter<PLAYERS, SLOW> {
        type Cell = f32;
        const SLOW: bool = SLOW;

        fn spec(&self) -> Spec {
            Spec {
                time_limit: Some(5),
                players: PLAYERS,
                ..Spec::new("counter", Cells::Floats, &[2], &["go on", "end"])
            }
        }

        fn reset(&mut self, random: &mut Random) {
            *self = Self { count: 0, start: random.bits() };
        }

        fn step(&mut self, action: usize, _random: &mut Random) -> Outcome {
            self.count += 1;
            Outcome { reward: action as f32, terminated: action == 1 }
        }

        fn step_players(&mut self, actions: &[usize], random: &mut Random) -> Outcome {
            let Outcome { reward, terminated } = self.step(actions[0], random);
            let second = if PLAYERS == 2 { actions[1] } else { 0 };
            Outcome { reward: reward - second as f32, terminated: terminated || second == 1 }
        }

        fn observe(&self, into: &mut [f32]) {
            into.copy_from_slice(&[self.count.into(), (self.start >> 40) as f32]);
        }

        fn observe_player(&self, player: usize, into: &mut [f32]) {
            self.observe(into);
            into[0] *= [1.0, -1.0][player];
        }

        fn draw(&self) -> RgbImage {
            RgbImage::new(1, 1)
        }
    }

    type Alone = Counter<1, false>;
    type Slow = Counter<1, true>;
    type Two = Counter<2, false>;

    fn floats(observations: Observations<'_>) -> Vec<f32> {
        let Observations::Floats(cells) = observations else { panic!("expected floats") };
        cells.to_vec()
    }

    #[test]
    fn ended_games_begin_anew_in_the_same_step() {
        let mut envs = SyncVectorEnv::new(Alone { count: 0, start: 0 }, 2).unwrap();
        envs.step(&[0, 0]).unwrap();
        assert_eq!((envs.terminated(), envs.truncated()), (&[false; 2][..], &[false; 2][..]));
        assert!(envs.episodes().is_empty());
        let before = floats(envs.observations());
        envs.step(&[0, 1]).unwrap();
        assert_eq!((envs.terminated(), envs.truncated()), (&[false, true][..], &[false; 2][..]));
        assert_eq!(envs.rewards(), [0.0, 1.0]);
        assert_eq!(envs.episodes(), [Episode { row: 1, score: 1.0, length: 2 }]);
        let after = floats(envs.observations());
        assert_eq!((after[0], after[2]), (2.0, 0.0), "the second game begins anew");
        assert_ne!(after[3], before[3], "with other random numbers");
        assert_eq!(floats(envs.last_observation(1)), [2.0, before[3]]);
    }

    #[test]
    fn time_limits_are_told_apart_from_ends() {
        let mut envs = SyncVectorEnv::new(Alone { count: 0, start: 0 }, 2).unwrap();
        for _ in 0..4 {
            envs.step(&[0, 0]).unwrap();
            assert_eq!(envs.truncated(), [false; 2]);
        }
        // An end by the rules in the very step of the limit is an end.
        envs.step(&[0, 1]).unwrap();
        assert_eq!((envs.terminated(), envs.truncated()), (&[false, true][..], &[true, false][..]));
        assert_eq!(floats(envs.last_observation(0))[0], 5.0);
        envs.step(&[0, 0]).unwrap();
        assert_eq!(envs.truncated(), [false; 2]);
        assert_eq!(floats(envs.observations())[0], 1.0);
    }

    #[test]
    fn two_players_have_a_row_each() {
        let mut envs = SyncVectorEnv::new(Two { count: 0, start: 0 }, 3).unwrap();
        assert_eq!(envs.rows(), 6);
        envs.step(&[0, 0, 1, 0, 0, 1]).unwrap();
        assert_eq!(envs.rewards(), [0.0, 0.0, 1.0, -1.0, -1.0, 1.0]);
        assert_eq!(envs.terminated(), [false, false, true, true, true, true]);
        assert_eq!(floats(envs.observations())[..3], [1.0, floats(envs.observations())[1], -1.0]);
        assert_eq!(floats(envs.last_observation(3))[0], -1.0);
        let scores: Vec<_> = envs.episodes().iter().map(|e| (e.row, e.score)).collect();
        assert_eq!(scores, [(2, 1.0), (3, -1.0), (4, -1.0), (5, 1.0)]);
    }

    /// A hundred steps with actions of their own, and every observation on the way.
    fn run(envs: &mut dyn VectorEnv, seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed);
        let mut seen = Vec::new();
        for _ in 0..100 {
            let actions: Vec<usize> = (0..envs.rows()).map(|_| random.below(5) / 4).collect();
            envs.step(&actions).unwrap();
            seen.extend(floats(envs.observations()));
            seen.extend(envs.rewards());
        }
        seen
    }

    #[test]
    fn a_saved_state_goes_on_exactly() {
        let mut envs = SyncVectorEnv::new(Two { count: 0, start: 0 }, 3).unwrap();
        envs.reset(7).unwrap();
        run(&mut envs, 1);
        let state = envs.save().unwrap();
        let expected = run(&mut envs, 2);
        let mut other = SyncVectorEnv::new(Two { count: 0, start: 0 }, 3).unwrap();
        other.restore(&state).unwrap();
        assert_eq!(run(&mut other, 2), expected);
        // Not with another number of games, not another environment's, not garbage, and no part.
        let mut fewer = SyncVectorEnv::new(Two { count: 0, start: 0 }, 2).unwrap();
        let error = fewer.restore(&state).unwrap_err().to_string();
        assert!(error.contains("3 games of counter, expected 2"), "{error}");
        for cut in [0, 1, state.len() / 2, state.len() - 1] {
            assert!(other.restore(&state[..cut]).is_err());
        }
        assert!(other.restore(&[0xFF; 64]).is_err());
    }

    #[test]
    fn games_depend_on_the_seed_and_their_index_alone() {
        let mut few = SyncVectorEnv::new(Alone { count: 0, start: 0 }, 2).unwrap();
        let mut many = SyncVectorEnv::new(Alone { count: 0, start: 0 }, 9).unwrap();
        let mut slow = SyncVectorEnv::new(Slow { count: 0, start: 0 }, 9).unwrap();
        few.reset(3).unwrap();
        many.reset(3).unwrap();
        slow.reset(3).unwrap();
        assert_eq!(floats(few.observations()), floats(many.observations())[..4]);
        assert_eq!(run(&mut many, 1), run(&mut slow, 1), "whatever the number of threads");
        let (first, first_seen) = (floats(few.observations()), run(&mut few, 1));
        few.reset(3).unwrap();
        assert_eq!((floats(few.observations()), run(&mut few, 1)), (first.clone(), first_seen));
        few.reset(4).unwrap();
        assert_ne!(floats(few.observations()), first);
    }

    #[test]
    fn refuses_no_games_and_wrong_actions() {
        assert!(SyncVectorEnv::new(Alone { count: 0, start: 0 }, 0).is_err());
        let mut envs = SyncVectorEnv::new(Alone { count: 0, start: 0 }, 2).unwrap();
        assert!(envs.step(&[0]).unwrap_err().to_string().contains("1 actions for 2 rows"));
        assert!(envs.step(&[0, 2]).unwrap_err().to_string().contains("action 2"));
    }
}
