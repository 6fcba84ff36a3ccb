//! Atari 2600 games, played by the Arcade Learning Environment in processes of their own.
//!
//! Bellemare et al.: "The Arcade Learning Environment: An Evaluation Platform for General
//! Agents", 2013. The preprocessing is that of Mnih et al.: "Human-level control through deep
//! reinforcement learning", 2015: every action lasts 4 frames, of the last two the brighter
//! pixels are taken, grey, 84x84, and the last 4 such images are one observation; an episode
//! begins with up to 30 frames of doing nothing; rewards are clipped to -1, 0 and 1, and a lost
//! life ends an episode. [`VectorEnv::episodes`] tells whole games and their true scores.
//!
//! Games that wait for the fire button are started with it.

pub mod child;
mod resize;

use super::vector::check_actions;
use crate::env::game::Random;
use crate::env::spec::{Cell, Cells, Observations, Spec};
use crate::env::vector_env::{Episode, VectorEnv};
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

impl Options {
    /// The steps after which a game is cut off.
    fn time_limit(&self) -> u32 {
        FRAMES / u32::from(self.atari_skip)
    }
}

/// The frames after which a game is cut off: half an hour.
const FRAMES: u32 = 108_000;
/// Images of an observation.
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

/// One process, and what is known of its games.
struct Group {
    player: Player,
    options: Options,
    /// Which rows they are.
    rows: Range<usize>,
    slots: Vec<Slot>,
    /// Those that ended at the last step.
    episodes: Vec<Episode>,
    screen: Vec<u8>,
    image: Vec<u8>,
    resize: Resize,
}

/// What the games of one process write at each step, a row for each.
struct Rows<'a> {
    observations: &'a mut [u8],
    last: &'a mut [u8],
    rewards: &'a mut [f32],
    terminated: &'a mut [bool],
    truncated: &'a mut [bool],
}

impl Rows<'_> {
    /// Takes the first so many off.
    fn split_off(&mut self, rows: usize) -> Self {
        fn first<'a, T>(all: &mut &'a mut [T], count: usize) -> &'a mut [T] {
            let (first, rest) = std::mem::take(all).split_at_mut(count);
            *all = rest;
            first
        }
        Self {
            observations: first(&mut self.observations, rows * CELLS),
            last: first(&mut self.last, rows * CELLS),
            rewards: first(&mut self.rewards, rows),
            terminated: first(&mut self.terminated, rows),
            truncated: first(&mut self.truncated, rows),
        }
    }
}

impl Group {
    fn new(start: &Start, options: &Options, rows: Range<usize>) -> Result<Self> {
        let slot = Slot { random: Random::new(0), noops: 0, steps: 0, score: 0.0 };
        Ok(Self {
            player: Player::start(start, rows.len())?,
            options: options.clone(),
            slots: vec![slot; rows.len()],
            episodes: Vec::with_capacity(rows.len()),
            screen: vec![0; SCREEN],
            image: vec![0; PICTURE],
            resize: Resize::new(),
            rows,
        })
    }

    /// Begins its games anew.
    fn begin(&mut self, observations: &mut [u8]) -> Result<()> {
        let slots = self.slots.iter_mut();
        let noops: Vec<u8> = slots.map(|slot| slot.draw_noops(self.options.noops)).collect();
        self.player.ask(b'R', &noops)?;
        for (slot, stack) in self.slots.iter_mut().zip(observations.chunks_exact_mut(CELLS)) {
            self.player.answer(&mut self.screen)?;
            self.resize.apply(&self.screen, &mut self.image);
            fill(stack, &self.image);
            (slot.steps, slot.score) = (0, 0.0);
            slot.draw_noops(self.options.noops);
        }
        Ok(())
    }

    /// One step of its games, with an action for each.
    fn step(&mut self, actions: &[usize], into: &mut Rows<'_>) -> Result<()> {
        let (options, limit) = (&self.options, self.options.time_limit());
        self.episodes.clear();
        let mut request = Vec::with_capacity(4 * actions.len());
        for (slot, &action) in self.slots.iter_mut().zip(actions) {
            let mut kept = 0;
            if options.sticky > 0.0 {
                for frame in 0..options.atari_skip {
                    let keep = slot.random.unit() < options.sticky;
                    kept |= u8::from(keep) << frame;
                }
            }
            let cut = u8::from(slot.steps + 1 >= limit);
            request.extend([action as u8, slot.noops, kept, cut]);
        }
        self.player.ask(b'S', &request)?;
        for (row, slot) in self.slots.iter_mut().enumerate() {
            let answer = self.player.answer(&mut self.screen)?;
            let over = answer.flags & OVER != 0;
            let cut = !over && answer.flags & CUT != 0;
            let lost = answer.flags & LIFE != 0;
            into.terminated[row] = over || lost;
            into.truncated[row] = cut && !lost;
            into.rewards[row] = match answer.reward {
                0.0 => 0.0,
                reward if options.clip_rewards => reward.signum(),
                reward => reward,
            };
            slot.steps += 1;
            slot.score += answer.reward;
            let stack = &mut into.observations[row * CELLS..][..CELLS];
            self.resize.apply(&self.screen, &mut self.image);
            stack.copy_within(PICTURE.., 0);
            stack[CELLS - PICTURE..].copy_from_slice(&self.image);
            if over || cut {
                let Slot { score, steps: length, .. } = *slot;
                self.episodes.push(Episode { row: self.rows.start + row, score, length });
                (slot.steps, slot.score) = (0, 0.0);
                slot.draw_noops(options.noops);
            }
            if answer.flags != 0 {
                into.last[row * CELLS..][..CELLS].copy_from_slice(stack);
                self.player.read(&mut self.screen)?;
                self.resize.apply(&self.screen, &mut self.image);
                fill(stack, &self.image);
            }
        }
        Ok(())
    }
}

/// Does the same with all of them, each on a thread of its own: a process that waits until its
/// screens are read plays no further.
fn together<T: Send, R: Send>(all: Vec<T>, act: impl Fn(T) -> R + Sync) -> Vec<R> {
    if all.len() == 1 {
        return all.into_iter().map(act).collect();
    }
    let act = &act;
    std::thread::scope(|scope| {
        let threads: Vec<_> = all.into_iter().map(|one| scope.spawn(move || act(one))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, R>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

/// Some games, shared among some processes.
pub struct Atari {
    spec: Spec,
    start: Start,
    groups: Vec<Group>,
    /// Whether a process has been started anew already.
    restarted: bool,
    observations: Vec<u8>,
    last: Vec<u8>,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    episodes: Vec<Episode>,
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
        let rows = |n| games * n / processes..games * (n + 1) / processes;
        let groups =
            together((0..processes).map(rows).collect(), |rows| Group::new(&start, options, rows));
        let groups = groups.into_iter().collect::<Result<Vec<_>>>()?;
        let actions: Vec<&str> =
            groups[0].player.actions.iter().map(|action| ACTIONS[usize::from(*action)]).collect();
        let name = format!("atari-{}", options.rom);
        let spec = Spec {
            scale: 255.0,
            time_limit: Some(options.time_limit()),
            frames_per_step: f64::from(options.atari_skip),
            ..Spec::new(&name, Cells::Bytes, &[STACK, SIDE, SIDE], &actions)
        };
        let mut atari = Self {
            spec,
            start,
            groups,
            restarted: false,
            observations: vec![0; games * CELLS],
            last: vec![0; games * CELLS],
            rewards: vec![0.0; games],
            terminated: vec![false; games],
            truncated: vec![false; games],
            episodes: Vec::with_capacity(games),
        };
        atari.reset(0)?;
        Ok(atari)
    }

    /// Every process with what it writes.
    fn groups(&mut self) -> Vec<(&mut Group, Rows<'_>)> {
        let mut all = Rows {
            observations: &mut self.observations,
            last: &mut self.last,
            rewards: &mut self.rewards,
            terminated: &mut self.terminated,
            truncated: &mut self.truncated,
        };
        self.groups
            .iter_mut()
            .map(|group| {
                let rows = all.split_off(group.slots.len());
                (group, rows)
            })
            .collect()
    }

    /// Starts a process that died anew, once: its games are cut off and begin again.
    fn revive(&mut self, number: usize, why: Error) -> Result<()> {
        if self.restarted {
            return Err(why);
        }
        self.restarted = true;
        eprintln!("warning: {why}; started anew once, its games begin again");
        let start = self.start.clone();
        let (group, rows) = self.groups().swap_remove(number);
        group.player = Player::start(&start, group.slots.len())?;
        group.episodes.clear();
        rows.last.copy_from_slice(rows.observations);
        rows.rewards.fill(0.0);
        rows.terminated.fill(false);
        rows.truncated.fill(true);
        group.begin(rows.observations)
    }

    /// After games that begin or go on there is nothing yet that came of a step.
    fn forget(&mut self) {
        self.last.fill(0);
        self.rewards.fill(0.0);
        self.terminated.fill(false);
        self.truncated.fill(false);
        self.episodes.clear();
    }
}

/// How many processes play that many games: one per core, at most one per game.
pub fn processes(games: usize) -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).clamp(1, games.max(1))
}

/// A new episode's observation: its first image as often as there is room.
fn fill(stack: &mut [u8], image: &[u8]) {
    stack.chunks_exact_mut(PICTURE).for_each(|into| into.copy_from_slice(image));
}

impl VectorEnv for Atari {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn rows(&self) -> usize {
        self.rewards.len()
    }

    fn reset(&mut self, seed: u64) -> Result<()> {
        let slots = self.groups.iter_mut().flat_map(|group| &mut group.slots);
        for (index, slot) in slots.enumerate() {
            slot.random = Random::keyed(&[seed, index as u64]);
        }
        let begun = together(self.groups(), |(group, rows)| group.begin(rows.observations));
        begun.into_iter().collect::<Result<()>>()?;
        self.forget();
        Ok(())
    }

    fn step(&mut self, actions: &[usize]) -> Result<()> {
        check_actions(actions, &self.spec, self.rows())?;
        let stepped = together(self.groups(), |(group, mut rows)| {
            group.step(&actions[group.rows.clone()], &mut rows)
        });
        for (number, stepped) in stepped.into_iter().enumerate() {
            if let Err(why) = stepped {
                self.revive(number, why)?;
            }
        }
        self.episodes.clear();
        self.episodes.extend(self.groups.iter().flat_map(|group| &group.episodes));
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
        let mut states = Vec::with_capacity(self.rows());
        for group in &mut self.groups {
            group.player.ask(b'G', &[])?;
            for _ in &group.slots {
                states.push(group.player.state()?);
            }
        }
        let slots: Vec<&Slot> = self.groups.iter().flat_map(|group| &group.slots).collect();
        rmp_serde::to_vec(&(&self.spec, &slots, &self.observations, &states))
            .map_err(|why| Error::Training(format!("the games' state: {why}")))
    }

    fn restore(&mut self, state: &[u8]) -> Result<()> {
        let wrong = |why: String| Error::file("the saved games", why);
        type Saved = (Spec, Vec<Slot>, Vec<u8>, Vec<Vec<u8>>);
        let (spec, slots, observations, states): Saved = rmp_serde::from_slice(state)
            .map_err(|why| wrong(format!("expected games of {}: {why}", self.spec.name)))?;
        let games = self.rows();
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
        for group in &mut self.groups {
            group.player.ask(b'P', &states[group.rows.clone()].concat())?;
            group.slots.clone_from_slice(&slots[group.rows.clone()]);
        }
        self.observations = observations;
        self.forget();
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
