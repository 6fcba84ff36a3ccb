//! Reinforcement learning: environments that are fast enough to learn in, and agents.
//!
//! [`mod@env`] has the environments, all behind one small trait and stepped many at a time:
//!
//! ```
//! use tenfold_rl::env::{self, Observations, Options};
//!
//! # fn main() -> tenfold_core::Result<()> {
//! let mut envs = env::open("cartpole", 8, &Options::default())?;
//! envs.reset(1)?;
//! envs.step(&[0; 8])?;
//! let Observations::Floats(cells) = envs.observations() else { unreachable!() };
//! assert_eq!(cells.len(), 8 * 4);
//! assert_eq!(envs.rewards(), [1.0; 8]);
//! # Ok(())
//! # }
//! ```

pub mod agents;
mod answer;
pub mod config;
#[cfg(feature = "cli")]
mod contest;
pub mod env;
pub mod evaluate;
#[cfg(feature = "cli")]
pub mod flags;
mod interval;
pub mod networks;
#[cfg(feature = "cli")]
mod play;
#[cfg(feature = "cli")]
mod predict;
mod predictor;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
mod published;
pub mod reader;
pub mod replay;
#[cfg(feature = "cli")]
pub mod settings;
#[cfg(feature = "cli")]
mod task;
pub mod tensors;
mod zoo;

pub use answer::Advisor;
pub use interval::{Interval, Policy};
pub use predictor::Predictor;
pub use zoo::Zoo;
