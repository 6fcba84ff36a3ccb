//! What every Tenfold task shares: command line, run folder, training, data and drawing.
//! This crate names no model.

pub mod calibrate;
pub mod cli;
pub mod data;
pub mod device;
pub mod error;
pub mod files;
pub mod parquet;
pub mod run;
#[cfg(feature = "store")]
pub mod store;
pub mod suggest;
pub mod train;
pub mod viz;
pub mod weights;

pub use error::{Error, Result};
