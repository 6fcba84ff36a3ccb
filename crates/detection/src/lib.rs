//! Detectors: what is in an image, and where.

pub mod data;
pub mod detection;
pub mod metrics;
pub mod parts;
/// Temporarily.
pub struct Zoo;
