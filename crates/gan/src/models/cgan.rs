//! Conditional GAN: an image of the class that one asks for.
//!
//! M. Mirza, S. Osindero, "Conditional Generative Adversarial Nets", arXiv:1411.1784, 2014:
//! section 3.2, figure 1: both networks are told the class.
//!
//! Differs from the paper: the networks are `dcgan`'s. The class is beside the noise, one-hot, and
//! beside the image's channels as a map for each class.

use super::config::NoiseConfig;

/// The model's choices.
pub fn config(channels: usize, side: usize, classes: usize) -> NoiseConfig {
    NoiseConfig { classes, ..NoiseConfig::new(channels, side) }
}
