//! The replay memory: what happened, to be learnt from many times.
//!
//! - Pixels stay bytes, and each frame is kept once: an observation of several stacked frames is
//!   put together from them, and the observation after a step is found at the next place.
//! - A step that ended its episode is followed by nothing; one that was cut off at a time limit
//!   is followed by the last observation, so that its value can be bootstrapped.
//! - Every row of the environments has its own ring, and no reference crosses an episode's end.
//!
//! Lin: "Self-improving reactive agents", 1992; Schaul et al.: "Prioritized experience replay",
//! 2016 (arXiv:1511.05952); n-step returns as in Hessel et al.: "Rainbow", 2018
//! (arXiv:1710.02298), section 3.

mod sum_tree;

pub use sum_tree::SumTree;

use crate::env::{Cells, Observations, Random, Spec, VectorEnv};
use serde::{Deserialize, Serialize};
use tenfold_core::{Error, Result};

/// Frames of one kind of cell.
enum Frames {
    Floats(Vec<f32>),
    Bytes(Vec<u8>),
}

/// What stands at a place of a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    /// A frame without an action: earlier frames of a first observation, the last observation
    /// of an episode that was cut off, or the one in which no action has been taken yet.
    #[default]
    Frame,
    /// A step; the next place holds what it led to.
    Step,
    /// A step that ended its episode.
    Terminal,
    /// A step that was cut off; the next place holds the last observation.
    Cut,
}

/// Everything but the frames.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Steps {
    kinds: Vec<Kind>,
    actions: Vec<u16>,
    rewards: Vec<f32>,
    /// How many places each ring has ever written.
    heads: Vec<u64>,
    /// Steps in memory.
    len: usize,
    /// The largest priority so far: that of steps never learnt from.
    largest: f64,
}

/// How priorities become probabilities.
#[derive(Clone, Copy, Debug)]
pub struct Priority {
    /// The exponent of the priorities: 0 for a uniform draw.
    pub alpha: f64,
}

/// The memory.
pub struct Replay {
    rows: usize,
    /// Places in each row's ring.
    places: usize,
    /// Cells of one frame, and frames of one observation.
    frame: usize,
    stack: usize,
    scale: f32,
    frames: Frames,
    steps: Steps,
    tree: Option<SumTree>,
    priority: Priority,
    n_step: usize,
    gamma: f32,
}

/// Some steps to learn from.
pub struct Batch {
    /// `[batch, observation]`, divided by the spec's scale.
    pub observations: Vec<f32>,
    /// `[batch]`
    pub actions: Vec<i32>,
    /// Discounted rewards of n steps, `[batch]`.
    pub returns: Vec<f32>,
    /// What the value of the observation after them counts: gamma to the power of n, or 0 after
    /// the end of an episode. `[batch]`
    pub discounts: Vec<f32>,
    /// The observation after them, `[batch, observation]`.
    pub next: Vec<f32>,
    /// Corrections for drawing by priority, at most 1; all 1 for a uniform draw. `[batch]`
    pub weights: Vec<f32>,
    /// Where the steps are, for [`Replay::update`].
    pub places: Vec<usize>,
}

/// What a [`Replay`] is to remember.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Rows of the environments.
    pub rows: usize,
    /// Steps of all rows together.
    pub capacity: usize,
    /// How many frames an observation stacks, see [`frames`].
    pub stack: usize,
    /// Rewards summed before the value of what follows.
    pub n_step: usize,
    /// Discount of a reward one step later.
    pub gamma: f32,
    /// By which steps are drawn; none for a uniform draw.
    pub priority: Option<Priority>,
}

/// How many frames an environment's observations stack: large images show the last ones, newest
/// last; small planes are different things at one time.
pub fn frames(spec: &Spec) -> usize {
    match spec.observation[..] {
        [frames, height, width] if spec.cells == Cells::Bytes && height.min(width) >= 36 => frames,
        _ => 1,
    }
}

impl Replay {
    /// An empty memory.
    ///
    /// # Errors
    /// No room for even one step of n in each row.
    pub fn new(spec: &Spec, memory: Memory) -> Result<Self> {
        let Memory { rows, capacity, stack, n_step, gamma, priority } = memory;
        let cells = spec.cells_per_observation();
        let places = capacity / rows.max(1);
        if places < n_step + stack + 1 {
            let why = format!(
                "a memory of {capacity} steps for {rows} rows: expected at least {}",
                rows * (n_step + stack + 1)
            );
            return Err(Error::argument("--set replay", why));
        }
        let (frame, all) = (cells / stack, places * rows);
        let frames = match spec.cells {
            Cells::Floats => Frames::Floats(vec![0.0; all * frame]),
            Cells::Bytes => Frames::Bytes(vec![0; all * frame]),
        };
        let steps = Steps {
            kinds: vec![Kind::Frame; all],
            actions: vec![0; all],
            rewards: vec![0.0; all],
            heads: vec![0; rows],
            len: 0,
            largest: 1.0,
        };
        let tree = priority.map(|_| SumTree::new(all));
        let priority = priority.unwrap_or(Priority { alpha: 0.0 });
        let scale = spec.scale;
        Ok(Self { rows, places, frame, stack, scale, frames, steps, tree, priority, n_step, gamma })
    }

    /// Steps in memory.
    pub fn len(&self) -> usize {
        self.steps.len
    }

    /// Rows of the environments it remembers.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.len == 0
    }

    /// Remembers the first observations, before any step.
    pub fn begin(&mut self, envs: &dyn VectorEnv) {
        for row in 0..self.rows {
            self.open(row, envs.observations(), row);
        }
    }

    /// Remembers the step that `environments` has just made with `actions`.
    pub fn record(&mut self, actions: &[usize], envs: &dyn VectorEnv) {
        let (terminated, truncated) = (envs.terminated(), envs.truncated());
        for row in 0..self.rows {
            let place = self.place(row, self.steps.heads[row] - 1);
            self.steps.actions[place] = actions[row] as u16;
            self.steps.rewards[place] = envs.rewards()[row];
            self.steps.kinds[place] = match (terminated[row], truncated[row]) {
                (true, _) => Kind::Terminal,
                (false, true) => Kind::Cut,
                (false, false) => Kind::Step,
            };
            self.steps.len += 1;
            if let Some(tree) = &mut self.tree {
                tree.set(place, self.steps.largest);
            }
            if terminated[row] {
                self.open(row, envs.observations(), row);
            } else if truncated[row] {
                self.push(row, envs.last_observation(row), 0, self.stack - 1);
                self.open(row, envs.observations(), row);
            } else {
                self.push(row, envs.observations(), row, self.stack - 1);
            }
        }
    }

    /// The first observation of an episode, all of its frames.
    fn open(&mut self, row: usize, observations: Observations<'_>, from: usize) {
        (0..self.stack).for_each(|frame| self.push(row, observations, from, frame));
    }

    /// One frame of the observation at `from` into the next place of the ring.
    fn push(&mut self, row: usize, observations: Observations<'_>, from: usize, frame: usize) {
        let place = self.place(row, self.steps.heads[row]);
        self.steps.heads[row] += 1;
        if self.steps.kinds[place] != Kind::Frame {
            self.steps.kinds[place] = Kind::Frame;
            self.steps.len -= 1;
            if let Some(tree) = &mut self.tree {
                tree.set(place, 0.0);
            }
        }
        let (to, from) = (place * self.frame, (from * self.stack + frame) * self.frame);
        match (&mut self.frames, observations) {
            (Frames::Floats(to_cells), Observations::Floats(cells)) => {
                to_cells[to..to + self.frame].copy_from_slice(&cells[from..from + self.frame]);
            }
            (Frames::Bytes(to_cells), Observations::Bytes(cells)) => {
                to_cells[to..to + self.frame].copy_from_slice(&cells[from..from + self.frame]);
            }
            _ => unreachable!("the environments have the cells of their spec"),
        }
    }

    fn place(&self, row: usize, time: u64) -> usize {
        row * self.places + (time % self.places as u64) as usize
    }

    /// What n steps from `time` on brought: their discounted rewards, what the value after them
    /// counts, and when that is. Nothing where it is not known (yet, or any more).
    fn window(&self, row: usize, time: u64) -> Option<(f32, f32, u64)> {
        let head = self.steps.heads[row];
        let oldest = head.saturating_sub(self.places as u64);
        if time < oldest + self.stack as u64 - 1 {
            return None;
        }
        let (mut sum, mut discount) = (0.0, 1.0);
        for now in time..time + self.n_step as u64 {
            let place = self.place(row, now);
            // The newest place is a frame without an action.
            if now + 1 >= head || self.steps.kinds[place] == Kind::Frame {
                return None;
            }
            sum += discount * self.steps.rewards[place];
            discount *= self.gamma;
            match self.steps.kinds[place] {
                Kind::Terminal => return Some((sum, 0.0, time)),
                Kind::Cut => return Some((sum, discount, now + 1)),
                _ => {}
            }
        }
        Some((sum, discount, time + self.n_step as u64))
    }

    /// Draws `size` steps: uniformly, or by priority and then with importance weights of
    /// exponent `beta` (Schaul et al., section 3.4).
    ///
    /// # Errors
    /// Fewer steps in memory than a batch has.
    pub fn sample(&self, size: usize, beta: f64, random: &mut Random) -> Result<Batch> {
        let cells = self.frame * self.stack;
        let mut batch = Batch {
            observations: Vec::with_capacity(size * cells),
            actions: Vec::with_capacity(size),
            returns: Vec::with_capacity(size),
            discounts: Vec::with_capacity(size),
            next: Vec::with_capacity(size * cells),
            weights: Vec::with_capacity(size),
            places: Vec::with_capacity(size),
        };
        if self.len() < size {
            let why = format!("the replay memory holds {} steps, and a batch {size}", self.len());
            return Err(Error::Training(why));
        }
        // Places without a step, and the few at the ends of the rings, are drawn again.
        let mut tries = 1000 * size + 100 * self.places;
        while batch.places.len() < size {
            tries -= 1;
            if tries == 0 {
                let why = "the replay memory has no run of steps as long as an n-step return";
                return Err(Error::Training(why.into()));
            }
            let place = match &self.tree {
                Some(tree) => tree.draw(random),
                None => random.below(self.rows * self.places),
            };
            let (row, slot) = (place / self.places, (place % self.places) as u64);
            let (head, places) = (self.steps.heads[row], self.places as u64);
            // The latest time that was written to this slot.
            if slot >= head {
                continue;
            }
            let time = slot + (head - 1 - slot) / places * places;
            let Some((sum, discount, next)) = self.window(row, time) else { continue };
            self.observation(row, time, &mut batch.observations);
            self.observation(row, next, &mut batch.next);
            batch.actions.push(self.steps.actions[place].into());
            batch.returns.push(sum);
            batch.discounts.push(discount);
            batch.places.push(place);
            batch.weights.push(match &self.tree {
                Some(tree) => {
                    let probability = tree.get(place) / tree.total();
                    (self.len() as f64 * probability).powf(-beta) as f32
                }
                None => 1.0,
            });
        }
        let largest = batch.weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        batch.weights.iter_mut().for_each(|weight| *weight /= largest);
        Ok(batch)
    }

    /// The observation at `time`, its frames from the oldest to the newest.
    fn observation(&self, row: usize, time: u64, into: &mut Vec<f32>) {
        for time in time + 1 - self.stack as u64..=time {
            let at = self.place(row, time) * self.frame;
            match &self.frames {
                Frames::Floats(cells) => into.extend_from_slice(&cells[at..at + self.frame]),
                Frames::Bytes(cells) => {
                    let cells = &cells[at..at + self.frame];
                    into.extend(cells.iter().map(|&cell| f32::from(cell) / self.scale));
                }
            }
        }
    }

    /// Gives the steps at `places` priorities by their errors.
    pub fn update(&mut self, places: &[usize], errors: &[f32]) {
        let Some(tree) = &mut self.tree else { return };
        for (&place, &error) in places.iter().zip(errors) {
            let priority = (f64::from(error.abs()) + 1e-6).powf(self.priority.alpha);
            self.steps.largest = self.steps.largest.max(priority);
            tree.set(place, priority);
        }
    }

    /// All of the memory as bytes.
    ///
    /// # Errors
    /// It cannot be encoded.
    pub fn save(&self) -> Result<Vec<u8>> {
        let priorities: Option<Vec<f64>> = self
            .tree
            .as_ref()
            .map(|tree| (0..self.rows * self.places).map(|place| tree.get(place)).collect());
        let encoded = rmp_serde::to_vec(&(&self.steps, priorities))
            .map_err(|why| Error::Training(format!("the replay memory: {why}")))?;
        let mut bytes = (encoded.len() as u64).to_le_bytes().to_vec();
        bytes.extend(encoded);
        for row in 0..self.rows {
            let range = self.used(row);
            match &self.frames {
                Frames::Floats(cells) => {
                    bytes.extend(cells[range].iter().flat_map(|cell| cell.to_le_bytes()));
                }
                Frames::Bytes(cells) => bytes.extend_from_slice(&cells[range]),
            }
        }
        Ok(bytes)
    }

    /// The cells of the places that a row has written.
    fn used(&self, row: usize) -> std::ops::Range<usize> {
        let used = self.steps.heads[row].min(self.places as u64) as usize;
        let start = row * self.places * self.frame;
        start..start + used * self.frame
    }

    /// Takes the memory back from [`Replay::save`].
    ///
    /// # Errors
    /// Bytes of another memory.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let wrong = || Error::file("the saved replay memory", "not that of this run");
        let (len, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| wrong())?;
        let (encoded, mut cells) = rest.split_at_checked(len).ok_or_else(wrong)?;
        let (steps, priorities): (Steps, Option<Vec<f64>>) =
            rmp_serde::from_slice(encoded).map_err(|_| wrong())?;
        let all = self.rows * self.places;
        let lengths = [steps.kinds.len(), steps.actions.len(), steps.rewards.len()];
        if lengths != [all; 3] || steps.heads.len() != self.rows {
            return Err(wrong());
        }
        self.steps = steps;
        for row in 0..self.rows {
            let range = self.used(row);
            let size = if matches!(self.frames, Frames::Bytes(_)) { 1 } else { 4 };
            let (here, rest) = cells.split_at_checked(range.len() * size).ok_or_else(wrong)?;
            match &mut self.frames {
                Frames::Bytes(into) => into[range].copy_from_slice(here),
                Frames::Floats(into) => {
                    for (into, bytes) in into[range].iter_mut().zip(here.as_chunks::<4>().0) {
                        *into = f32::from_le_bytes(*bytes);
                    }
                }
            }
            cells = rest;
        }
        if let (Some(tree), Some(priorities)) = (&mut self.tree, priorities) {
            if priorities.len() != all {
                return Err(wrong());
            }
            priorities.iter().enumerate().for_each(|(place, &p)| tree.set(place, p));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
