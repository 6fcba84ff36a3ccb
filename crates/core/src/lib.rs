//! What every Tenfold task shares: command line, run folder, training, data and drawing.
//! This crate names no model.

pub mod annotate;
pub mod calibrate;
#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
pub mod device;
pub mod error;
pub mod files;
pub mod geometry;
pub mod parquet;
pub mod progress;
pub mod run;
pub mod set;
#[cfg(feature = "store")]
pub mod store;
pub mod suggest;
#[cfg(feature = "cli")]
pub mod task;
pub mod train;
pub mod trained;
pub mod viz;
pub mod weights;
pub mod zoo;

pub use error::{Error, Result};
