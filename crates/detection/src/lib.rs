//! Detectors: what is in an image, and where.
//!
//! A library user opens a trained run with [`Finder::from_file`], or takes the [`parts`] alone:
//!
//! ```
//! use tenfold_core::geometry::BoundingBox;
//! use tenfold_detection::{detection::Detection, parts::nms::Nms};
//!
//! let found = |score, x| Detection {
//!     label: 0,
//!     score,
//!     bounding_box: BoundingBox::new(x, 0.0, x + 10.0, 10.0),
//! };
//! let kept = Nms::default().apply(vec![found(0.6, 1.0), found(0.9, 0.0)]);
//! assert_eq!(kept, [found(0.9, 0.0)]);
//! ```

pub mod augment;
pub mod batches;
pub mod calibration;
pub mod config;
#[cfg(test)]
mod darknet_tests;
pub mod data;
pub mod detection;
#[cfg(feature = "cli")]
mod draw;
#[cfg(test)]
mod fasterrcnn_tests;
pub mod finder;
#[cfg(feature = "cli")]
pub mod flags;
pub mod metrics;
#[cfg(feature = "cli")]
mod mistakes;
pub mod models;
pub mod parts;
#[cfg(feature = "cli")]
mod predict;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
mod recipes;
#[cfg(feature = "cli")]
mod scores;
pub mod start;
#[cfg(feature = "cli")]
mod task;
pub mod tiles;
#[cfg(test)]
mod torchvision_tests;
#[cfg(all(test, feature = "cli"))]
mod verbs_tests;
pub mod verdicts;
#[cfg(feature = "cli")]
mod write;
mod zoo;

pub use finder::Finder;
pub use zoo::Zoo;
