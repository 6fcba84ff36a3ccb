//! Atari 2600 games, played by the Arcade Learning Environment in processes of their own.
//!
//! Bellemare et al.: "The Arcade Learning Environment: An Evaluation Platform for General
//! Agents", 2013. The preprocessing is that of Mnih et al.: "Human-level control through deep
//! reinforcement learning", 2015: every action lasts 4 frames, of the last two the brighter
//! pixels are taken, grey, 84x84, and the last 4 such pictures are one observation; an episode
//! begins with up to 30 frames of doing nothing; rewards are clipped to -1, 0 and 1, and a lost
//! life ends an episode. [`Worlds::episodes`] tells whole games and their true scores.
//!
//! Games that wait for the fire button are started with it.

pub mod child;
mod resize;

use super::vector::check_actions;
use super::{Cell, Cells, Episode, Observations, Random, Spec, Worlds};
use child::{CUT, LIFE, OVER, Player, SCREEN, Start};
use image::RgbImage;
use resize::{Resize, SIDE};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::PathBuf;
use tenfold_core::{Error, Result};

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Which game, such as pong or space_invaders.
    pub rom: String,
    /// The Python that has ale-py; none for `python3` on the PATH.
    pub python: Option<PathBuf>,
    /// Frames that an action lasts.
    pub atari_skip: u8,
    /// The most frames of doing nothing at the start of a game.
    pub noops: u8,
    /// Whether a lost life ends an episode.
    pub episodic_life: bool,
    /// Whether rewards are clipped to -1, 0 and 1.
    pub clip_rewards: bool,
    /// With which probability a frame repeats the last action.
    pub sticky: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rom: "pong".to_owned(),
            python: None,
            atari_skip: 4,
            noops: 30,
            episodic_life: true,
            clip_rewards: true,
            sticky: 0.0,
        }
    }
}

/// The frames after which a game is cut off: half an hour.
const FRAMES: u32 = 108_000;
/// Pictures of an observation.
const STACK: usize = 4;
const PICTURE: usize = SIDE * SIDE;
const CELLS: usize = STACK * PICTURE;

/// ALE's actions by number.
const ACTIONS: [&str; 18] = [
    "noop",
    "fire",
    "up",
    "right",
    "left",
    "down",
    "upright",
    "upleft",
    "downright",
    "downleft",
    "upfire",
    "rightfire",
    "leftfire",
    "downfire",
    "uprightfire",
    "upleftfire",
    "downrightfire",
    "downleftfire",
];

/// What is known here of one game.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slot {
    random: Random,
    /// Frames of doing nothing at the next start.
    noops: u8,
    /// Of the whole game so far.
    steps: u32,
    score: f32,
}

impl Slot {
    fn draw_noops(&mut self, most: u8) -> u8 {
        self.noops = if most == 0 { 0 } else { 1 + self.random.below(usize::from(most)) as u8 };
        self.noops
    }
}

/// Some games, shared among some processes.
pub struct Atari {
    spec: Spec,
    options: Options,
    start: Start,
    players: Vec<(Player, Range<usize>)>,
    /// Whether a process has been started anew already.
    restarted: bool,
    slots: Vec<Slot>,
    observations: Vec<u8>,
    last: Vec<u8>,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    episodes: Vec<Episode>,
    screen: Vec<u8>,
    picture: Vec<u8>,
    resize: Resize,
}

impl Atari {
    /// Starts `games` games on as many processes as there are cores, at most one per game.
    ///
    /// # Errors
    ///
    /// No games, settings that cannot work, no such Python, no `ale-py`, no such game.
    pub fn new(options: &Options, games: usize) -> Result<Self> {
        Self::with_script(options, games, processes(games), child::SCRIPT)
    }

    fn with_script(
        options: &Options,
        games: usize,
        processes: usize,
        script: &str,
    ) -> Result<Self> {
        if games == 0 {
            return Err(Error::argument("--games", "there must be at least one game"));
        }
        if !(1..=8).contains(&options.atari_skip) {
            let why = format!("{}: expected 1 to 8 frames", options.atari_skip);
            return Err(Error::argument("--atari-skip", why));
        }
        if !(0.0..1.0).contains(&options.sticky) {
            let why = format!("{}: expected a probability below 1", options.sticky);
            return Err(Error::argument("--sticky", why));
        }
        let start = Start {
            python: child::python(options.python.as_deref()),
            script: script.to_owned(),
            rom: options.rom.clone(),
            skip: options.atari_skip,
            episodic_life: options.episodic_life,
        };
        let mut players = Vec::with_capacity(processes);
        for n in 0..processes {
            let range = games * n / processes..games * (n + 1) / processes;
            players.push((Player::start(&start, range.len())?, range));
        }
        let actions: Vec<&str> =
            players[0].0.actions.iter().map(|action| ACTIONS[usize::from(*action)]).collect();
        let name = format!("atari-{}", options.rom);
        let spec = Spec {
            scale: 255.0,
            time_limit: Some(FRAMES / u32::from(options.atari_skip)),
            frames_per_step: f64::from(options.atari_skip),
            ..Spec::new(&name, Cells::Bytes, &[STACK, SIDE, SIDE], &actions)
        };
        let slot = Slot { random: Random::new(0), noops: 0, steps: 0, score: 0.0 };
        let mut atari = Self {
            spec,
            options: options.clone(),
            start,
            players,
            restarted: false,
            slots: vec![slot; games],
            observations: vec![0; games * CELLS],
            last: vec![0; games * CELLS],
            rewards: vec![0.0; games],
            terminated: vec![false; games],
            truncated: vec![false; games],
            episodes: Vec::with_capacity(games),
            screen: vec![0; SCREEN],
            picture: vec![0; PICTURE],
            resize: Resize::new(),
        };
        atari.reset(0)?;
        Ok(atari)
    }

    /// Begins the games of one process anew.
    fn begin(&mut self, player: usize) -> Result<()> {
        let (player, range) = &mut self.players[player];
        let slots = &mut self.slots[range.clone()];
        let noops: Vec<u8> =
            slots.iter_mut().map(|slot| slot.draw_noops(self.options.noops)).collect();
        player.ask(b'R', &noops)?;
        for row in range.clone() {
            player.answer(&mut self.screen)?;
            self.resize.apply(&self.screen, &mut self.picture);
            fill(&mut self.observations[row * CELLS..][..CELLS], &self.picture);
            let slot = &mut self.slots[row];
            (slot.steps, slot.score) = (0, 0.0);
            slot.draw_noops(self.options.noops);
        }
        Ok(())
    }

    /// Asks one process for a step of its games.
    fn ask(&mut self, player: usize, actions: &[usize]) -> Result<()> {
        let (player, range) = &mut self.players[player];
        let limit = self.spec.time_limit.unwrap_or(u32::MAX);
        let mut request = Vec::with_capacity(4 * range.len());
        for row in range.clone() {
            let slot = &mut self.slots[row];
            let mut kept = 0;
            if self.options.sticky > 0.0 {
                for frame in 0..self.options.atari_skip {
                    let keep = slot.random.unit() < self.options.sticky;
                    kept |= u8::from(keep) << frame;
                }
            }
            let cut = u8::from(slot.steps + 1 >= limit);
            request.extend([actions[row] as u8, slot.noops, kept, cut]);
        }
        player.ask(b'S', &request)
    }

    /// Reads what came of it.
    fn answer(&mut self, player: usize) -> Result<()> {
        let (player, range) = &mut self.players[player];
        for row in range.clone() {
            let answer = player.answer(&mut self.screen)?;
            let over = answer.flags & OVER != 0;
            let cut = !over && answer.flags & CUT != 0;
            let lost = answer.flags & LIFE != 0;
            self.terminated[row] = over || lost;
            self.truncated[row] = cut && !lost;
            self.rewards[row] = match answer.reward {
                0.0 => 0.0,
                reward if self.options.clip_rewards => reward.signum(),
                reward => reward,
            };
            let slot = &mut self.slots[row];
            slot.steps += 1;
            slot.score += answer.reward;
            let stack = &mut self.observations[row * CELLS..][..CELLS];
            self.resize.apply(&self.screen, &mut self.picture);
            stack.copy_within(PICTURE.., 0);
            stack[CELLS - PICTURE..].copy_from_slice(&self.picture);
            if over || cut {
                let Slot { score, steps: length, .. } = *slot;
                self.episodes.push(Episode { row, score, length });
                (slot.steps, slot.score) = (0, 0.0);
                slot.draw_noops(self.options.noops);
            }
            if answer.flags != 0 {
                self.last[row * CELLS..][..CELLS].copy_from_slice(stack);
                player.read(&mut self.screen)?;
                self.resize.apply(&self.screen, &mut self.picture);
                fill(stack, &self.picture);
            }
        }
        Ok(())
    }

    /// Starts a process that died anew, once: its games are cut off and begin again.
    fn revive(&mut self, player: usize, why: Error) -> Result<()> {
        if self.restarted {
            return Err(why);
        }
        self.restarted = true;
        eprintln!("warning: {why}; started anew once, its games begin again");
        let range = self.players[player].1.clone();
        self.players[player].0 = Player::start(&self.start, range.len())?;
        for row in range.clone() {
            let seen = row * CELLS..(row + 1) * CELLS;
            self.last[seen.clone()].copy_from_slice(&self.observations[seen]);
            (self.rewards[row], self.terminated[row], self.truncated[row]) = (0.0, false, true);
        }
        self.episodes.retain(|episode| !range.contains(&episode.row));
        self.begin(player)
    }
}

/// How many processes play that many games: one per core, at most one per game.
pub fn processes(games: usize) -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).clamp(1, games.max(1))
}

/// A new episode's observation: its first picture as often as there is room.
fn fill(stack: &mut [u8], picture: &[u8]) {
    stack.chunks_exact_mut(PICTURE).for_each(|into| into.copy_from_slice(picture));
}

impl Worlds for Atari {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn rows(&self) -> usize {
        self.slots.len()
    }

    fn reset(&mut self, seed: u64) -> Result<()> {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.random = Random::keyed(&[seed, index as u64]);
        }
        for player in 0..self.players.len() {
            self.begin(player)?;
        }
        self.last.fill(0);
        self.rewards.fill(0.0);
        self.terminated.fill(false);
        self.truncated.fill(false);
        self.episodes.clear();
        Ok(())
    }

    fn step(&mut self, actions: &[usize]) -> Result<()> {
        check_actions(actions, &self.spec, self.slots.len())?;
        self.episodes.clear();
        // All processes work at the same time.
        let asked: Vec<Result<()>> =
            (0..self.players.len()).map(|player| self.ask(player, actions)).collect();
        for (player, asked) in asked.into_iter().enumerate() {
            if let Err(why) = asked.and_then(|()| self.answer(player)) {
                self.revive(player, why)?;
            }
        }
        Ok(())
    }

    fn observations(&self) -> Observations<'_> {
        u8::view(&self.observations)
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
        u8::view(&self.last[row * CELLS..][..CELLS])
    }

    fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    fn save(&mut self) -> Result<Vec<u8>> {
        let mut states = Vec::with_capacity(self.slots.len());
        for (player, range) in &mut self.players {
            player.ask(b'G', &[])?;
            for _ in range.clone() {
                states.push(player.state()?);
            }
        }
        rmp_serde::to_vec(&(&self.spec, &self.slots, &self.observations, &states))
            .map_err(|why| Error::Training(format!("the games' state: {why}")))
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let wrong = |why: String| Error::file("the saved games", why);
        type Saved = (Spec, Vec<Slot>, Vec<u8>, Vec<Vec<u8>>);
        let (spec, slots, observations, states): Saved = rmp_serde::from_slice(state)
            .map_err(|why| wrong(format!("expected games of {}: {why}", self.spec.name)))?;
        let games = self.slots.len();
        let whole = |state: &Vec<u8>| {
            let length = state.get(2..6).and_then(|l| l.try_into().ok()).map(u32::from_le_bytes);
            length.is_some_and(|length| length as usize + 6 == state.len())
        };
        if spec != self.spec
            || [slots.len(), states.len()] != [games; 2]
            || observations.len() != games * CELLS
            || !states.iter().all(whole)
        {
            let (have, name) = (slots.len(), &self.spec.name);
            return Err(wrong(format!(
                "they are {have} games of {}, expected {games} of {name} with the same settings",
                spec.name
            )));
        }
        for (player, range) in &mut self.players {
            player.ask(b'P', &states[range.clone()].concat())?;
        }
        (self.slots, self.observations) = (slots, observations);
        self.last.fill(0);
        self.rewards.fill(0.0);
        self.terminated.fill(false);
        self.truncated.fill(false);
        self.episodes.clear();
        Ok(())
    }

    fn draw(&self, row: usize) -> RgbImage {
        let newest = &self.observations[row * CELLS..][CELLS - PICTURE..CELLS];
        let times = 3;
        let side = (SIDE * times) as u32;
        RgbImage::from_fn(side, side, |x, y| {
            let (x, y) = (x as usize / times, y as usize / times);
            image::Rgb([newest[y * SIDE + x]; 3])
        })
    }
}

#[cfg(test)]
mod tests;
