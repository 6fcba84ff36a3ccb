//! Operators with hand-written backward for Burn's CPU backend, several times as fast as its
//! own: convolution, normalisation, pooling, regions of interest, linear layers, LSTM and GRU,
//! cross-entropy, optimisers.
//!
//! - [`raw`]: functions on slices, for any program; all unsafe code is there. The instructions
//!   of the processor are found at run time: AVX-512, AVX2, or what the compiler makes of
//!   plain loops.
//! - [`ops`]: the same on Burn's tensors. On the CPU backend in f32 they are ours; on every
//!   other device, type or option they call Burn's own, with the same results.
//!   `TENFOLD_OPERATORS=burn` in the environment asks for Burn's own everywhere, to compare.
//! - [`nn`]: modules with Burn's fields and records, made `from` Burn's.
//! - [`optim`]: optimisers with Burn's records.
//!
//! What is computed does not depend on the number of threads but in the last bits, and with
//! the same number it is the same bit for bit at each run.

#[cfg(feature = "allocator")]
pub mod allocator;
mod cache;
mod largest;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod raw;
#[cfg(feature = "flex")]
mod route;

pub use cache::Cache;

/// Gives back to the system what the allocator of the programs keeps of freed memory: after a
/// moment that took far more than what follows, such as the loading of weights.
pub fn release_memory() {
    #[cfg(feature = "allocator")]
    allocator::release();
}
pub use largest::largest_result;
