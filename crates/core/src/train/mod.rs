//! Supervised training on burn-train.

pub mod optim;
pub mod schedule;
