//! Operators with hand-written backward for Burn's CPU backend.
#[cfg(feature = "allocator")]
pub mod allocator;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod raw;
#[cfg(feature = "flex")]
mod route;
