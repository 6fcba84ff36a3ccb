//! What every Tenfold task shares: command line, run folder, training, data and drawing.
//! This crate names no model.

pub mod data;
pub mod error;
pub mod train;
pub mod weights;

pub use error::{Error, Result};
