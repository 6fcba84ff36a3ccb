//! Classifiers of images and tables, and regressions.
//!
//! A library user takes one model and trains or loads it with Burn:
//!
//! ```
//! use burn::tensor::Tensor;
//! use tenfold_classification::models::{ModelConfig, Network, lenet::LeNetConfig};
//!
//! # fn main() -> tenfold_core::Result<()> {
//! let device = tenfold_core::device::open("cpu")?;
//! let network = LeNetConfig::new([1, 28, 28], 10).init(&device);
//! let logits = network.forward(Tensor::zeros([1, 1, 28, 28], &device));
//! assert_eq!(logits.dims(), [1, 10]);
//! # Ok(())
//! # }
//! ```
//!
//! [`Predictor`] opens a trained run and proposes labels.

#[cfg(feature = "cli")]
mod answers;
pub mod batches;
pub mod config;
pub mod explain;
#[cfg(feature = "cli")]
pub mod features;
#[cfg(feature = "cli")]
pub mod flags;
#[cfg(feature = "cli")]
mod import;
#[cfg(feature = "cli")]
mod importance;
pub mod labels;
mod layerwise;
#[cfg(feature = "cli")]
pub mod losses;
pub mod models;
#[cfg(feature = "cli")]
mod predict;
pub mod predictor;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
mod recipes;
pub mod regression;
pub mod scores;
#[cfg(feature = "cli")]
mod start;
#[cfg(feature = "cli")]
mod task;
#[cfg(test)]
mod tests;
mod zoo;

pub use predictor::Predictor;
pub use zoo::Zoo;
