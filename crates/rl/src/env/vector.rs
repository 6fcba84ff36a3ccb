//! Many games of one world, stepped together into one buffer.

use super::{Cell, Episode, Game, Observations, Outcome, Random, Spec, Worlds};
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

/// Many games of one world. After construction nothing allocates.
pub struct Vector<G: Game> {
    spec: Spec,
    /// Cells of one observation.
    cells: usize,
    slots: Vec<Slot<G>>,
    observations: Vec<G::Cell>,
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
    /// One step of this game.
    #[inline]
    fn step(self, actions: &[usize], cells: usize, limit: u32) {
        let Slot { game, random, steps, score } = self.slot;
        let Outcome { reward, terminated } = game.step_players(actions, random);
        *steps += 1;
        *score += reward;
        let truncated = !terminated && *steps >= limit;
        for player in 0..actions.len() {
            self.rewards[player] = if player == 0 { reward } else { -reward };
            self.terminated[player] = terminated;
            self.truncated[player] = truncated;
        }
        *self.ended = None;
        if terminated || truncated {
            observe(game, self.last, cells);
            *self.ended = Some((*score, *steps));
            (*steps, *score) = (0, 0.0);
            game.reset(random);
        }
        observe(game, self.observation, cells);
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

impl<G: Game> Vector<G> {
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

impl<G: Game> Worlds for Vector<G> {
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
        if G::SLOW && self.slots.len() > 1 {
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
                .for_each(
                    |(slot, observation, last, rewards, terminated, truncated, ended, actions)| {
                        let row =
                            Row { slot, observation, last, rewards, terminated, truncated, ended };
                        row.step(actions, cells, limit);
                    },
                );
        } else {
            let mut rest = (
                &mut self.observations[..],
                &mut self.last[..],
                &mut self.rewards[..],
                &mut self.terminated[..],
                &mut self.truncated[..],
                actions,
            );
            for (slot, ended) in self.slots.iter_mut().zip(&mut self.ended) {
                let (observation, last, rewards, terminated, truncated, actions) = rest;
                let (observation, a) = observation.split_at_mut(players * cells);
                let (last, b) = last.split_at_mut(players * cells);
                let (rewards, c) = rewards.split_at_mut(players);
                let (terminated, d) = terminated.split_at_mut(players);
                let (truncated, e) = truncated.split_at_mut(players);
                let (actions, f) = actions.split_at(players);
                let row = Row { slot, observation, last, rewards, terminated, truncated, ended };
                row.step(actions, cells, limit);
                rest = (a, b, c, d, e, f);
            }
        }
        self.episodes.clear();
        for (game, ended) in self.ended.iter().enumerate() {
            let Some((score, length)) = *ended else { continue };
            for player in 0..players {
                let score = if player == 0 { score } else { -score };
                self.episodes.push(Episode { row: game * players + player, score, length });
            }
        }
        Ok(())
    }

    fn observations(&self) -> Observations<'_> {
        G::Cell::view(&self.observations)
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

/// Refuses a wrong number of actions, and actions that the world lacks.
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
