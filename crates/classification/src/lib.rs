//! Classifiers of pictures and tables, and regressions.
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
//! [`predict::Predictor`] opens a trained run and proposes labels.

pub mod classifier;
pub mod config;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod features;
mod labels;
mod layerwise;
pub mod models;
pub mod predict;
mod recipes;
pub mod regression;
pub mod train;
mod zoo;

pub use zoo::Zoo;
