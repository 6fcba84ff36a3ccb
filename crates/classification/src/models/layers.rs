//! What the convolutional networks share: layers in a row, their first weights, the two
//! stems and the pictures that go with each.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{
    BatchNormConfig, Dropout, DropoutConfig, Initializer, LinearConfig, PaddingConfig2d, Relu,
};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::data::{Kind, Preprocess, Resize};
use tenfold_core::{Error, Result};
use tenfold_kernels::nn::{BatchNorm, Conv2d, Linear, MaxPool2d};
use tenfold_kernels::ops::{Activation, Follow, global_avg_pool2d, relu};

/// Pixels a side of the pictures that the networks for ImageNet see.
const IMAGENET_SIDE: usize = 224;
/// To this many pixels a side are such pictures brought before their middle is cut out.
const IMAGENET_RESIZED: usize = 256;
/// Pictures of at most this many pixels a side keep their size, under the small stem.
const MOST_SMALL: usize = 64;
/// A smaller picture would vanish while the networks halve it.
const LEAST_SMALL: usize = 28;

/// How a network begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// The paper's, for pictures of about 224 pixels a side.
    ImageNet,
    /// For pictures of 28 to 64 pixels a side, which the paper's stem would shrink to
    /// nothing: fewer strides and pools, as used on CIFAR.
    Small,
}

impl Stem {
    /// The stem for inputs of shape `[channels, height, width]`.
    pub fn of([_, height, width]: [usize; 3]) -> Self {
        if height.max(width) <= MOST_SMALL { Self::Small } else { Self::ImageNet }
    }

    /// The stem whose first convolution has a kernel of this shape, where the one for ImageNet
    /// has `side` pixels.
    pub(super) fn of_kernel(kernel: &[usize], side: usize) -> Self {
        if kernel.last() == Some(&side) { Self::ImageNet } else { Self::Small }
    }

    /// The shape of the pictures where nothing but the stem and the channels are known.
    pub(super) fn input(self, channels: usize) -> [usize; 3] {
        let side = match self {
            Self::ImageNet => IMAGENET_SIDE,
            Self::Small => 32,
        };
        [channels, side, side]
    }

    /// torchvision's preprocessing for its ImageNet weights; for small pictures there is none.
    pub(super) fn preprocess(self, [channels, height, width]: [usize; 3]) -> Option<Preprocess> {
        let (mean, std) = match channels {
            3 => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
            _ => (vec![0.449; channels], vec![0.226; channels]),
        };
        let resize = Resize::ShorterSide(IMAGENET_RESIZED);
        (self == Self::ImageNet).then_some(Preprocess::Picture {
            channels,
            height,
            width,
            resize,
            mean,
            std,
        })
    }
}

/// The shape in which the convolutional networks take such data.
pub(super) fn picture_input(kind: &Kind) -> Result<[usize; 3]> {
    match *kind {
        Kind::Pictures { channels, height, width } if height.max(width) <= MOST_SMALL => {
            Ok([channels, height.max(LEAST_SMALL), width.max(LEAST_SMALL)])
        }
        Kind::Pictures { channels, .. } => Ok([channels, IMAGENET_SIDE, IMAGENET_SIDE]),
        Kind::Rows { .. } => Err(Error::argument(
            "--data",
            "a table has no pictures for a convolutional network to look at: take mlp or logistic",
        )),
    }
}

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

/// A layer that turns units into units.
#[derive(Module, Debug)]
pub enum UnitLayer {
    /// Fully connected.
    Linear(Linear),
    /// Rectification.
    Relu(Relu),
    /// Leaves units out in training.
    Dropout(Dropout),
}

impl UnitLayer {
    /// `[batch, units]` to `[batch, units]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Linear(layer) => layer.forward(x),
            Self::Relu(_) => relu(x),
            Self::Dropout(layer) => layer.forward(x),
        }
    }

    /// Leaves this part of the units out in training.
    pub(super) fn dropout(part: f64) -> Self {
        Self::Dropout(DropoutConfig::new(part).init())
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
                (norm.forward_with(x, Follow::Relu), others)
            }
            (layer, others) => (layer.forward(x), others),
        };
    }
    x
}

/// Layers one after the other.
pub(super) fn units(layers: &[UnitLayer], mut x: Tensor<2>) -> Tensor<2> {
    let mut rest = layers;
    while let Some((first, others)) = rest.split_first() {
        (x, rest) = match (first, others) {
            (UnitLayer::Linear(linear), [UnitLayer::Relu(_), others @ ..]) => {
                (linear.forward_with(x, Activation::Relu), others)
            }
            (layer, others) => (layer.forward(x), others),
        };
    }
    x
}

/// What each pool gives, one after the other.
pub(super) fn pooled(layers: &[MapLayer], mut x: Tensor<4>) -> Vec<Tensor<4>> {
    let mut stages = Vec::new();
    for layer in layers {
        x = layer.forward(x);
        if matches!(layer, MapLayer::Pool(_)) {
            stages.push(x.clone());
        }
    }
    stages
}

/// The parts of a network of `features` and `classifier`: what lies between two pools, then
/// each fully connected layer below the last.
pub(super) fn parts(features: &[MapLayer], classifier: &[UnitLayer]) -> Vec<Vec<String>> {
    let mut place = 0;
    let stages = features.split_inclusive(|layer| matches!(layer, MapLayer::Pool(_)));
    let stages = stages.map(|stage| {
        let names = (place..place + stage.len()).map(|place| format!("features.{place}"));
        place += stage.len();
        names.collect()
    });
    let mut parts: Vec<Vec<String>> = stages.collect();
    let below = below_the_last(classifier).iter().enumerate();
    let linear = below.filter(|(_, layer)| matches!(layer, UnitLayer::Linear(_)));
    parts.extend(linear.map(|(place, _)| vec![format!("classifier.{place}")]));
    parts
}

/// All but the layer of the classes.
pub(super) fn below_the_last(layers: &[UnitLayer]) -> &[UnitLayer] {
    layers.split_last().map_or(&[], |(_, below)| below)
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

/// A fully connected layer whose first weights are `first` and whose biases are zero.
pub(super) fn linear(inputs: usize, outputs: usize, first: Initializer, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(inputs, outputs).with_initializer(first).init(device);
    layer.bias = Some(zeros(outputs, device));
    layer.into()
}

/// `[count]` zeros to be learnt.
pub(super) fn zeros(count: usize, device: &Device) -> Param<Tensor<1>> {
    Initializer::Zeros.init([count], device)
}

/// The mean of each map: `[batch, channels, height, width]` to `[batch, channels]`.
pub(super) fn average(x: Tensor<4>) -> Tensor<2> {
    global_avg_pool2d(x).flatten(1, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_keep_their_size() {
        let input =
            |height, width| picture_input(&Kind::Pictures { channels: 3, height, width }).unwrap();
        assert_eq!(input(32, 32), [3, 32, 32]);
        assert_eq!(input(8, 64), [3, 28, 64]);
        assert_eq!(input(65, 20), [3, 224, 224]);
        let why = picture_input(&Kind::Rows { columns: vec!["a".into()] }).unwrap_err();
        assert!(why.to_string().contains("take mlp or logistic"), "{why}");
    }
}
