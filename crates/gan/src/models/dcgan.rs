//! DCGAN: networks of convolutions alone, with which GANs learn stably.
//!
//! A. Radford, L. Metz, S. Chintala, "Unsupervised Representation Learning with Deep
//! Convolutional Generative Adversarial Networks", ICLR 2016: section 3, figure 1, section 4.
//!
//! Differs from the paper: `width` is 32, not 128, and 64 numbers of noise, not 100; images of 28
//! pixels begin with maps of 7, others with maps of 4 as there; what answers is a moving average
//! of the generator (`--set average=0` for the generator itself); the discriminator learns half as fast,
//! the generator at 1e-3, not 2e-4.

use super::config::NoiseConfig;
use super::infogan::CodeHead;
use super::spectral::{normalised, normalised_matrix};
use burn::module::Module;
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::{BatchNormConfig, Initializer, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::tanh;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Tensor};
use tenfold_kernels::nn::{BatchNorm, Conv2d, ConvTranspose2d, Linear};
use tenfold_kernels::ops::{self, Activation, Epilogue, cat_channels, leaky_relu};

/// The slope of what is negative, in the discriminator.
const SLOPE: f32 = 0.2;
/// Maps grow no deeper than this many times the width.
const DEEPEST: usize = 8;
/// Every convolution has kernels of 4, strides of 2 and padding of 1: it halves or doubles.
const KERNEL: [usize; 2] = [4, 4];

/// The model's choices.
pub fn config(channels: usize, side: usize) -> NoiseConfig {
    NoiseConfig::new(channels, side)
}

/// The side of the smallest maps, and the channels from the largest maps to these.
fn pyramid(config: &NoiseConfig) -> (usize, Vec<usize>) {
    let smallest = if config.side == 28 { 7 } else { 4 };
    let levels = (config.side / smallest).ilog2();
    let channels = (0..levels).map(|level| config.width * DEEPEST.min(1 << level));
    (smallest, channels.collect())
}

/// Weights around 0 with a deviation of 0.02 (section 4).
fn first() -> Initializer {
    Initializer::Normal { mean: 0.0, std: 0.02 }
}

fn norm(channels: usize, device: &Device) -> BatchNorm {
    let mut norm: BatchNorm = BatchNormConfig::new(channels).init(device).into();
    norm.gamma = Initializer::Normal { mean: 1.0, std: 0.02 }.init([channels], device);
    norm
}

fn double([inputs, outputs]: [usize; 2], bias: bool, device: &Device) -> ConvTranspose2d {
    let config = ConvTranspose2dConfig::new([inputs, outputs], KERNEL).with_stride([2, 2]);
    let config = config.with_padding([1, 1]).with_bias(bias).with_initializer(first());
    config.init(device).into()
}

/// From noise to images.
#[derive(Module, Debug)]
pub struct Generator {
    project: Linear,
    norm: BatchNorm,
    ups: Vec<Up>,
    image: ConvTranspose2d,
    smallest: usize,
}

#[derive(Module, Debug)]
struct Up {
    conv: ConvTranspose2d,
    norm: BatchNorm,
}

impl Generator {
    /// With first weights.
    pub fn new(config: &NoiseConfig, device: &Device) -> Self {
        let (smallest, channels) = pyramid(config);
        let deepest = channels[channels.len() - 1];
        let project = LinearConfig::new(config.inputs(), deepest * smallest * smallest);
        let up = |pair: &[usize]| Up {
            conv: double([pair[1], pair[0]], false, device),
            norm: norm(pair[0], device),
        };
        Self {
            project: project.with_bias(false).with_initializer(first()).init(device).into(),
            norm: norm(deepest, device),
            ups: channels.windows(2).rev().map(up).collect(),
            image: double([channels[0], config.channels], true, device),
            smallest,
        }
    }

    /// `[batch, inputs]` to `[batch, channels, side, side]` in -1..1.
    pub fn forward(&self, noise: Tensor<2>) -> Tensor<4> {
        let side = self.smallest as i32;
        let x = self.project.forward(noise).reshape([0, -1, side, side]);
        let mut x = self.norm.forward_with(x, Epilogue::Relu);
        for up in &self.ups {
            x = up.norm.forward_with(up.conv.forward(x), Epilogue::Relu); // twice as large
        }
        tanh(self.image.forward(x))
    }
}

/// From images to logits: how real each is; and what their code may be.
#[derive(Module, Debug)]
pub struct Discriminator {
    downs: Vec<Down>,
    output: Linear,
    code: Option<CodeHead>,
    spectral: bool,
    classes: usize,
}

#[derive(Module, Debug)]
struct Down {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl Discriminator {
    /// With first weights.
    pub fn new(config: &NoiseConfig, device: &Device) -> Self {
        let (smallest, mut channels) = pyramid(config);
        channels.insert(0, config.channels + config.classes);
        // No normalisation of what sees the images (section 3).
        let down = |(level, pair): (usize, &[usize])| {
            let normed = config.critic_norm && level > 0;
            let conv = Conv2dConfig::new([pair[0], pair[1]], KERNEL).with_stride([2, 2]);
            let conv = conv.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            let conv = conv.with_bias(!normed).with_initializer(first());
            Down { conv: conv.init(device).into(), norm: normed.then(|| norm(pair[1], device)) }
        };
        let features = channels[channels.len() - 1] * smallest * smallest;
        let output = LinearConfig::new(features, 1).with_initializer(first());
        Self {
            downs: channels.windows(2).enumerate().map(down).collect(),
            output: output.init(device).into(),
            code: config.has_code().then(|| CodeHead::new(config, features, device)),
            spectral: config.spectral,
            classes: config.classes,
        }
    }

    /// `[batch, channels, side, side]`, and the classes that were asked for, one-hot, to
    /// features `[batch, ..]`.
    pub fn features(&self, images: Tensor<4>, classes: Option<Tensor<2>>) -> Tensor<2> {
        let mut x = match classes {
            Some(classes) => cat_channels(images.clone(), self.maps(&images, classes)),
            None => images,
        };
        for down in &self.downs {
            x = self.convolved(down, x, false);
            if let Some(norm) = &down.norm {
                x = norm.forward(x);
            }
            x = leaky_relu(x, SLOPE); // half as large
        }
        x.flatten(1, 3)
    }

    /// A map for each class, of ones or of zeros.
    fn maps(&self, images: &Tensor<4>, classes: Tensor<2>) -> Tensor<4> {
        let [batch, _, height, width] = images.dims();
        classes.reshape([batch, self.classes, 1, 1]).expand([batch, self.classes, height, width])
    }

    fn weight(&self, conv: &Conv2d) -> Tensor<4> {
        match self.spectral {
            true => normalised(conv.weight.val()),
            false => conv.weight.val(),
        }
    }

    fn convolved(&self, down: &Down, x: Tensor<4>, constant: bool) -> Tensor<4> {
        if !self.spectral && !constant {
            return down.conv.forward(x);
        }
        let (mut weight, mut bias) =
            (self.weight(&down.conv), down.conv.bias.as_ref().map(|bias| bias.val()));
        if constant {
            (weight, bias) = (weight.detach(), bias.map(Tensor::detach));
        }
        let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
        ops::conv2d(x, weight, bias, options, Activation::Identity)
    }

    fn output_weight(&self) -> Tensor<2> {
        match self.spectral {
            true => normalised_matrix(self.output.weight.val()),
            false => self.output.weight.val(),
        }
    }

    /// Features to logits, `[batch, 1]`.
    pub fn judge(&self, features: Tensor<2>) -> Tensor<2> {
        if !self.spectral {
            return self.output.forward(features);
        }
        let bias = self.output.bias.as_ref().map(|bias| bias.val());
        ops::linear(features, self.output_weight(), bias, Activation::Identity)
    }

    /// Features to what the code may be.
    pub fn code(&self, features: Tensor<2>) -> Option<Tensor<2>> {
        self.code.as_ref().map(|code| code.forward(features))
    }

    /// The gradient of each image's logit with respect to the image, as a function that itself has
    /// a gradient: the backward pass written with forward operators, transposed convolutions and
    /// the slopes of the rectifications. These are constant almost everywhere, so that the
    /// ordinary gradient of this is the exact second derivative. Without batch normalisation.
    pub fn image_gradient(&self, images: Tensor<4>) -> Tensor<4> {
        let mut x = images.detach();
        let mut slopes = Vec::with_capacity(self.downs.len());
        for down in &self.downs {
            x = self.convolved(down, x, true);
            let positive = x.clone().greater_elem(0.0).float();
            slopes.push(positive.mul_scalar(1.0 - SLOPE).add_scalar(SLOPE));
            x = leaky_relu(x, SLOPE);
        }
        let shape = x.dims();
        let [_, channels, height, width] = shape;
        let mut gradient = self.output_weight().reshape([1, channels, height, width]).expand(shape);
        for (down, slope) in self.downs.iter().zip(slopes).rev() {
            let options = ConvTransposeOptions::new([2, 2], [1, 1], [0, 0], [1, 1], 1);
            let weight = self.weight(&down.conv);
            gradient = ops::conv_transpose2d(gradient * slope, weight, None, options);
        }
        gradient
    }
}
