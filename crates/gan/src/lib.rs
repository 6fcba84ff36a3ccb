//! Generative adversarial networks: images from noise, and images from images.

pub mod config;
pub mod data;
pub mod exchange;
#[cfg(feature = "cli")]
pub mod flags;
pub mod frechet;
#[cfg(feature = "cli")]
mod generate;
pub mod guard;
pub mod judge;
pub mod keeper;
pub mod learner;
pub mod losses;
#[cfg(feature = "cli")]
mod making;
pub mod measure;
pub mod models;
pub mod pairs;
pub mod pixels;
#[cfg(feature = "cli")]
mod predict;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
mod recipes;
pub mod sheet;
pub mod training;
#[cfg(test)]
mod translate_tests;
#[cfg(feature = "cli")]
mod translating;
#[cfg(feature = "cli")]
mod translation;
#[cfg(all(test, feature = "cli"))]
mod verbs_tests;
mod zoo;

pub use zoo::Zoo;
