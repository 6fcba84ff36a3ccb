//! The two networks of a model that makes images from noise.

use super::config::{Layers, NoiseConfig};
use super::{dcgan, gan};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// From noise to images.
#[allow(clippy::large_enum_variant, reason = "handles to tensors, one per training")]
#[derive(Module, Debug)]
pub enum Generator {
    /// Fully connected layers.
    Perceptron(gan::Generator),
    /// Transposed convolutions.
    Convolutions(dcgan::Generator),
}

impl Generator {
    /// With first weights.
    pub fn new(config: &NoiseConfig, device: &Device) -> Self {
        match config.layers {
            Layers::Perceptron => Self::Perceptron(gan::Generator::new(config, device)),
            Layers::Convolutions => Self::Convolutions(dcgan::Generator::new(config, device)),
        }
    }

    /// `[batch, inputs]` to `[batch, channels, side, side]` in -1..1.
    pub fn forward(&self, noise: Tensor<2>) -> Tensor<4> {
        match self {
            Self::Perceptron(network) => network.forward(noise),
            Self::Convolutions(network) => network.forward(noise),
        }
    }
}

/// From images to logits.
#[allow(clippy::large_enum_variant, reason = "handles to tensors, one per training")]
#[derive(Module, Debug)]
pub enum Discriminator {
    /// Fully connected layers.
    Perceptron(gan::Discriminator),
    /// Convolutions.
    Convolutions(dcgan::Discriminator),
}

/// What a discriminator says of images.
pub struct Judged {
    /// How real, `[batch, 1]`.
    pub logits: Tensor<2>,
    /// What their code may be.
    pub code: Option<Tensor<2>>,
}

impl Discriminator {
    /// With first weights.
    pub fn new(config: &NoiseConfig, device: &Device) -> Self {
        match config.layers {
            Layers::Perceptron => Self::Perceptron(gan::Discriminator::new(config, device)),
            Layers::Convolutions => Self::Convolutions(dcgan::Discriminator::new(config, device)),
        }
    }

    /// Images and the classes that they are of, one-hot.
    pub fn forward(&self, images: Tensor<4>, classes: Option<Tensor<2>>) -> Judged {
        match self {
            Self::Perceptron(network) => {
                Judged { logits: network.forward(images, classes), code: None }
            }
            Self::Convolutions(network) => {
                let features = network.features(images, classes);
                Judged { logits: network.judge(features.clone()), code: network.code(features) }
            }
        }
    }
}
