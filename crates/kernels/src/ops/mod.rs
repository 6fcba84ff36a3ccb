//! The operators on Burn's tensors. On the CPU backend in f32 they are ours, on every other
//! device and for every other type or option Burn's own, with the same results.
//!
//! Tensors of images come back channels last in memory: their shapes are
//! `[batch, channels, height, width]` as ever.

#![allow(
    clippy::result_large_err,
    clippy::large_enum_variant,
    reason = "operands that ours cannot reach go back as they came, once for each operator"
)]

mod activation;
mod cat;
mod conv;
mod instance;
mod linear;
mod loss;
mod norm;
mod pool;
mod recurrent;
mod roi;

pub use activation::{leaky_relu, relu};
pub use cat::cat_channels;
pub use conv::{conv_transpose2d, conv_transpose2d_cached, conv2d, conv2d_cached};
pub use instance::instance_norm;
pub use linear::{linear, linear_cached};
pub use loss::cross_entropy;
pub use norm::{Epilogue, batch_norm, batch_norm_train};
pub use pool::{avg_pool2d, global_avg_pool2d, max_pool2d};
pub use recurrent::{Gate, gru, gru_cached, lstm, lstm_cached};
pub use roi::{Roi, RoiAlign, ps_roi_pool, roi_align, roi_pool};

/// What follows a linear operator at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// Rectification.
    Relu,
}
