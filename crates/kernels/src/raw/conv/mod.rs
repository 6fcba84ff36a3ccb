//! Convolution in two dimensions and both of its gradients; and the transposed convolution,
//! which is the gradient of the first.
//!
//! All three are products of [`gemm`](super::gemm) whose left rows are pixels. Where there is
//! padding, images are copied a few at a time into a frame of zeros that fits the cache.

mod forward;
mod job;
mod plan;
mod scratch;
mod shape;
mod transposed;
mod weight_gradient;

pub use forward::{Prepared, convolve, forward};
pub use shape::{Conv, Sizes};
pub use transposed::{PreparedTransposed, input_gradient, transposed};
pub use weight_gradient::{bias_gradient, weight_gradient};
