//! What an agent must know about an environment, and what observations are made of.

use serde::{Deserialize, Serialize};

/// Of what an observation is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cells {
    /// Numbers of any size.
    Floats,
    /// Bytes: 0 or 1 in planes, 0 to 255 in images.
    Bytes,
}

/// What an agent must know about an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The environment's name on the command line.
    pub name: String,
    /// Shape of one player's observation: `[values]` or `[planes, height, width]`.
    pub observation: Vec<usize>,
    /// Of what it is made.
    pub cells: Cells,
    /// What a cell of 1.0 is in [`Cells::Bytes`]: 1 for planes, 255 for images. Networks
    /// divide by it.
    pub scale: f32,
    /// The name of every action; actions are numbers below its length.
    pub actions: Vec<String>,
    /// After how many steps an episode is cut off, as `VectorEnv::truncated`.
    pub time_limit: Option<u32>,
    /// The mean return from which the environment counts as solved, where its makers published one.
    pub solved_at: Option<f32>,
    /// How many players an agent steers in one game: 1, or 2 where it plays against itself.
    pub players: usize,
    /// How many frames of the game one step is, where none ends in between.
    pub frames_per_step: f64,
    /// The plane that tells whose something is, where there is one: above half the scale one's
    /// own, else the other's.
    #[serde(default)]
    pub whose: Option<usize>,
    /// Whether there is a demonstrator to learn from: `Game::demonstration` answers. Runs from
    /// before it was told had one if they asked for it, or had ended at their first step.
    #[serde(default = "yes", alias = "coached")]
    pub demonstrator: bool,
    /// The plane of the players' bases, where there are maps with bases.
    #[serde(default)]
    pub home: Option<usize>,
    /// Whether the players see less than there is: `VectorEnv::full_observations` shows all of
    /// it.
    #[serde(default, alias = "veiled")]
    pub partially_observed: bool,
}

fn yes() -> bool {
    true
}

impl Spec {
    /// The specification of an environment with one player, [`Cells::Bytes`] of 0 and 1 or
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
            demonstrator: false,
            home: None,
            partially_observed: false,
        }
    }

    /// How many cells one player's observation has.
    pub fn cells_per_observation(&self) -> usize {
        self.observation.iter().product()
    }
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

/// Many observations in one buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observations<'a> {
    /// `[rows, observation]`.
    Floats(&'a [f32]),
    /// `[rows, observation]`.
    Bytes(&'a [u8]),
}
