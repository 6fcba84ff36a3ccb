//! What the convolutional networks share: layers in a row, and their first weights.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{BatchNormConfig, Initializer, PaddingConfig2d, Relu};
use burn::tensor::{Device, Tensor};
use tenfold_kernels::nn::{BatchNorm, Conv2d, Linear, MaxPool2d};
use tenfold_kernels::ops::{Activation, Epilogue, global_avg_pool2d, relu};

/// A layer that turns maps into maps. In a `Vec` the layers have the names that PyTorch's
/// `Sequential` gives them, their places.
#[derive(Module, Debug)]
pub enum MapLayer {
    /// Convolution.
    Conv(Conv2d),
    /// Batch normalisation.
    Norm(BatchNorm),
    /// Rectification.
    Relu(Relu),
    /// Maxima of neighbours.
    Pool(MaxPool2d),
}

impl MapLayer {
    /// `[batch, channels, height, width]` to the same with other sizes.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv(layer) => layer.forward(x),
            Self::Norm(layer) => layer.forward(x),
            Self::Relu(_) => relu(x),
            Self::Pool(layer) => layer.forward(x),
        }
    }
}

/// Layers one after the other.
pub fn maps(layers: &[MapLayer], mut x: Tensor<4>) -> Tensor<4> {
    let mut rest = layers;
    while let Some((first, others)) = rest.split_first() {
        (x, rest) = match (first, others) {
            // A rectification costs nothing where it is done at once.
            (MapLayer::Conv(conv), [MapLayer::Relu(_), others @ ..]) => {
                (conv.forward_with(x, Activation::Relu), others)
            }
            (MapLayer::Norm(norm), [MapLayer::Relu(_), others @ ..]) => {
                (norm.forward_with(x, Epilogue::Relu), others)
            }
            (layer, others) => (layer.forward(x), others),
        };
    }
    x
}

/// The same padding on every side.
pub(super) fn pad(width: usize) -> PaddingConfig2d {
    PaddingConfig2d::Explicit(width, width, width, width)
}

/// The normal distribution that He et al. (2015) derive for a layer under ReLU, by the number
/// of its outputs or else of its inputs.
pub fn he(fan_out_only: bool) -> Initializer {
    Initializer::KaimingNormal { gain: 2f64.sqrt(), fan_out_only }
}

/// A convolution without bias that pads so that only its stride makes maps smaller.
pub fn conv(
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    stride: usize,
    first: Initializer,
    device: &Device,
) -> Conv2d {
    Conv2dConfig::new([inputs, outputs], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(pad(kernel / 2))
        .with_bias(false)
        .with_initializer(first)
        .init(device)
        .into()
}

/// Batch normalisation with PyTorch's choices, which are Burn's too.
pub fn norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).init(device).into()
}

/// Maxima of `kernel` x `kernel` neighbours.
pub fn max_pool(kernel: usize, stride: usize, padding: usize, ceil: bool) -> MaxPool2d {
    MaxPool2dConfig::new([kernel, kernel])
        .with_strides([stride, stride])
        .with_padding(pad(padding))
        .with_ceil_mode(ceil)
        .init()
        .into()
}

/// `[count]` zeros to be learnt.
pub(super) fn zeros(count: usize, device: &Device) -> Param<Tensor<1>> {
    Initializer::Zeros.init([count], device)
}

/// The mean of each map: `[batch, channels, height, width]` to `[batch, channels]`.
pub(super) fn average(x: Tensor<4>) -> Tensor<2> {
    global_avg_pool2d(x).flatten(1, 3)
}

/// What the last layer, where there is one, makes of `[batch, units]`.
pub(super) fn head(layer: &Option<Linear>, features: Tensor<2>) -> Tensor<2> {
    match layer {
        Some(layer) => layer.forward(features), // [batch, classes]
        None => features,
    }
}

/// [`Network::parts`] from a list of them.
///
/// [`Network::parts`]: super::Network::parts
pub(super) fn parts(names: &[&[&str]]) -> Vec<Vec<String>> {
    names.iter().map(|part| part.iter().map(|name| name.to_string()).collect()).collect()
}
