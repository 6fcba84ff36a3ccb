//! The environments, behind one small trait, and many games of one environment stepped together.
//!
//! An environment is a [`Game`]: rules, and nothing about learning. [`SyncVectorEnv`] steps many
//! games and is what an agent sees, as [`VectorEnv`]. Every game has its own stream of random
//! numbers, made from (seed, index of the game), so what happens depends neither on how many games
//! are stepped together nor on how many threads step them.

pub mod acrobot;
pub mod atari;
pub mod burn;
pub mod cartpole;
mod draw;
mod game;
pub mod grid;
pub mod lander;
pub mod mini;
pub mod minirts;
pub mod mountain_car;
mod open;
mod spec;
pub mod speed;
mod trig;
pub mod trivial;
mod vector;
mod vector_env;

#[cfg(test)]
mod gymnasium_tests;

pub use game::{Game, Outcome, Random};
pub use open::{Environment, Options, open};
pub use spec::{Cell, Cells, Observations, Spec};
pub use vector::SyncVectorEnv;
pub use vector_env::{Episode, VectorEnv};
