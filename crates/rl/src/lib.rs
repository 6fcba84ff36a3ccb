//! Reinforcement learning: worlds that are fast enough to learn in, and agents.
//!
//! [`mod@env`] has the worlds, all behind one small trait and stepped many at a time:
//!
//! ```
//! use tenfold_rl::env::{self, Observations, Options};
//!
//! # fn main() -> tenfold_core::Result<()> {
//! let mut worlds = env::open("cartpole", 8, &Options::default())?;
//! worlds.reset(1)?;
//! worlds.step(&[0; 8])?;
//! let Observations::Floats(cells) = worlds.observations() else { unreachable!() };
//! assert_eq!(cells.len(), 8 * 4);
//! assert_eq!(worlds.rewards(), [1.0; 8]);
//! # Ok(())
//! # }
//! ```

pub mod agents;
mod checkpoint;
pub mod cli;
pub mod config;
pub mod contest;
pub mod env;
pub mod evaluate;
pub mod networks;
pub mod play;
pub mod predict;
pub mod reader;
pub mod replay;
pub mod settings;
pub mod train;
mod trained;
mod zoo;

pub use trained::Trained;
pub use zoo::Zoo;
