//! Operators with hand-written backward for Burn's CPU backend.
pub mod nn;
pub mod ops;
pub mod optim;
pub mod raw;
#[cfg(feature = "flex")]
mod route;
