//! The first GAN: two multilayer perceptrons.
//!
//! I. Goodfellow et al., "Generative Adversarial Nets", NIPS 2014: algorithm 1 and section 3;
//! the networks are those of its MNIST experiment.
//!
//! Differs from the paper: images lie in -1..1 behind a hyperbolic tangent, where the paper has
//! 0..1 behind a sigmoid; the discriminator has leaky rectifications, not maxout, and no dropout;
//! Adam, not momentum. `--set rule=saturating` is the minimax game itself, the default the loss
//! that the paper advises in its place (section 3, last paragraph).

use super::config::{Layers, NoiseConfig};
use burn::module::Module;
use burn::nn::{Initializer, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor};
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::{Activation, leaky_relu};

/// The slope of what is negative.
const SLOPE: f32 = 0.2;
/// Weights are drawn from minus this to this, as in the paper's code.
const RANGE: f64 = 0.05;

/// The model's choices.
pub fn config(channels: usize, side: usize) -> NoiseConfig {
    NoiseConfig {
        layers: Layers::Perceptron,
        width: 256,
        critic_norm: false,
        rate_ratio: 1.0,
        ..NoiseConfig::new(channels, side)
    }
}

fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let first = Initializer::Uniform { min: -RANGE, max: RANGE };
    LinearConfig::new(inputs, outputs).with_initializer(first).init(device).into()
}

/// From noise to images.
#[derive(Module, Debug)]
pub struct Generator {
    first: Linear,
    second: Linear,
    image: Linear,
    shape: [usize; 3],
}

impl Generator {
    /// With first weights.
    pub fn new(config: &NoiseConfig, device: &Device) -> Self {
        let shape = [config.channels, config.side, config.side];
        let width = config.width;
        Self {
            first: linear(config.inputs(), width, device),
            second: linear(width, 2 * width, device),
            image: linear(2 * width, shape.iter().product(), device),
            shape,
        }
    }

    /// `[batch, inputs]` to `[batch, channels, side, side]` in -1..1.
    pub fn forward(&self, noise: Tensor<2>) -> Tensor<4> {
        let x = self.first.forward_with(noise, Activation::Relu);
        let x = self.second.forward_with(x, Activation::Relu);
        let [channels, height, width] = self.shape;
        tanh(self.image.forward(x)).reshape([-1, channels as i32, height as i32, width as i32])
    }
}

/// From images to logits: how real each is.
#[derive(Module, Debug)]
pub struct Discriminator {
    first: Linear,
    second: Linear,
    output: Linear,
}

impl Discriminator {
    /// With first weights.
    pub fn new(config: &NoiseConfig, device: &Device) -> Self {
        let inputs = config.channels * config.side * config.side + config.classes;
        let width = config.width;
        Self {
            first: linear(inputs, 2 * width, device),
            second: linear(2 * width, width, device),
            output: linear(width, 1, device),
        }
    }

    /// `[batch, channels, side, side]`, and the classes that were asked for, one-hot, to
    /// `[batch, 1]`.
    pub fn forward(&self, images: Tensor<4>, classes: Option<Tensor<2>>) -> Tensor<2> {
        let mut x: Tensor<2> = images.flatten(1, 3);
        if let Some(classes) = classes {
            x = Tensor::cat(vec![x, classes], 1);
        }
        let x = leaky_relu(self.first.forward(x), SLOPE);
        let x = leaky_relu(self.second.forward(x), SLOPE);
        self.output.forward(x)
    }
}
