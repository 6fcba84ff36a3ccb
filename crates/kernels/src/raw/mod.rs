//! The operators on slices, without any tensor library: all unsafe code of the crate is here.
//!
//! Pictures lie channels last, `[batch, height, width, channels]`: then a vector holds
//! channels, every loop is the same for every size of image, and a convolution reads its
//! input where it lies. Inputs may have any strides ([`View`]).
#![allow(unsafe_code)]
#![allow(
    clippy::needless_range_loop,
    reason = "several vectors are indexed at once, and the compiler unrolls such loops"
)]

pub mod cat;
pub mod conv;
pub mod gemm;
pub mod linear;
pub mod loss;
pub mod math;
pub mod norm;
pub mod optim;
pub mod pool;
pub mod recurrent;
pub mod roi;
pub mod simd;
mod sizes;
pub mod sparse;
mod steps;
mod threads;
mod view;
mod winograd;

pub(crate) use threads::{Out, SMALL, filled, on_threads, share, threads};
pub use view::View;
