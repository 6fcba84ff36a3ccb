//! VGG.
//!
//! K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
//! Recognition", ICLR (2015), table 1: configurations A, B, D and E.
//!
//! Differs from the paper, as torchvision does, whose names the layers have: the `_bn` members
//! normalise after each convolution (Ioffe and Szegedy 2015); first weights after He et al.
//! (2015) in place of those of a shallower network.
//!
//! [`Stem::Small`] keeps all convolutions; its pools round sizes up, so that 28 pixels last
//! for five of them, and the hidden layers have 512 units over 1 x 1 maps in place of 4,096
//! over 7 x 7.

use super::checks::{DROPOUT, check_convolutional, check_dropout};
use super::infer::shape;
use super::input::{Sizes, Stem};
use super::layers::{MapLayer, he, max_pool, norm, pad, zeros};
use super::network::{BackboneConfig, Fields, Level, ModelConfig};
use super::sequential::{Sequential, UnitLayer};
use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Initializer, Relu};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Table 1: the layers with weights, and how many convolutions stand before each pool.
const TABLE_1: [(usize, [usize; 5]); 4] = [
    (11, [1, 1, 2, 2, 2]), // A
    (13, [2, 2, 2, 2, 2]), // B
    (16, [2, 2, 3, 3, 3]), // D
    (19, [2, 2, 4, 4, 4]), // E
];
/// Maps of the convolutions before each pool.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];
/// What the pools are called.
const POOLS: [&str; 5] = ["pool1", "pool2", "pool3", "pool4", "pool5"];

/// The choices of [`Vgg`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VggConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// How the network begins, and ends.
    pub stem: Stem,
    /// How many convolutions stand before each pool.
    pub convolutions: [usize; 5],
    /// Whether each convolution is normalised.
    pub batch_norm: bool,
    /// Part of the hidden units that a training step leaves out.
    pub dropout: f64,
}

impl VggConfig {
    /// Configuration A, for images `[3, 224, 224]`.
    pub fn vgg11(classes: usize) -> Self {
        Self::row(0, false, classes)
    }

    /// Configuration A with batch normalisation, for images `[3, 224, 224]`.
    pub fn vgg11_bn(classes: usize) -> Self {
        Self::row(0, true, classes)
    }

    /// Configuration B, for images `[3, 224, 224]`.
    pub fn vgg13(classes: usize) -> Self {
        Self::row(1, false, classes)
    }

    /// Configuration B with batch normalisation, for images `[3, 224, 224]`.
    pub fn vgg13_bn(classes: usize) -> Self {
        Self::row(1, true, classes)
    }

    /// Configuration D, for images `[3, 224, 224]`.
    pub fn vgg16(classes: usize) -> Self {
        Self::row(2, false, classes)
    }

    /// Configuration D with batch normalisation, for images `[3, 224, 224]`.
    pub fn vgg16_bn(classes: usize) -> Self {
        Self::row(2, true, classes)
    }

    /// Configuration E, for images `[3, 224, 224]`.
    pub fn vgg19(classes: usize) -> Self {
        Self::row(3, false, classes)
    }

    /// Configuration E with batch normalisation, for images `[3, 224, 224]`.
    pub fn vgg19_bn(classes: usize) -> Self {
        Self::row(3, true, classes)
    }

    fn row(row: usize, batch_norm: bool, classes: usize) -> Self {
        let (_, convolutions) = TABLE_1[row];
        let stem = Stem::ImageNet;
        Self { input: stem.input(3), classes, stem, convolutions, batch_norm, dropout: 0.5 }
    }

    /// Side of the maps that are flattened, and units of the hidden layers.
    fn head(stem: Stem) -> (usize, usize) {
        stem.choose((7, 4096), (1, 512))
    }
}

impl ModelConfig for VggConfig {
    type Network = Vgg;

    const FIELDS: Fields = &[
        Stem::FIELD,
        ("convolutions", "convolutions before each of the five pooling layers"),
        ("batch_norm", "batch normalisation after each convolution"),
        DROPOUT,
    ];

    fn members() -> Vec<Self> {
        let rows = (0..TABLE_1.len()).flat_map(|row| [(row, false), (row, true)]);
        rows.map(|(row, batch_norm)| Self::row(row, batch_norm, 1000)).collect()
    }

    fn sizes(&self) -> Sizes {
        Sizes { input: self.input, classes: self.classes, stem: Some(self.stem) }
    }

    fn check(&self) -> Result<(), String> {
        check_convolutional(self.sizes(), &self.convolutions)
            .and_then(|()| check_dropout(self.dropout))
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let &[classes, hidden] = shape(keys, "classifier.6.weight")? else { return None };
        let &[_, channels, 3, 3] = shape(keys, "features.0.weight")? else { return None };
        let fits = |stem: &Stem| Self::head(*stem).1 == hidden;
        let stem = [Stem::ImageNet, Stem::Small].into_iter().find(fits)?;
        Some(self.clone().sized(stem.input(channels), classes))
    }

    fn init(&self, device: &Device) -> Vgg {
        let mut features = Vec::new();
        let mut inputs = self.input[0];
        for (count, outputs) in self.convolutions.into_iter().zip(CHANNELS) {
            for _ in 0..count {
                let mut conv = Conv2dConfig::new([inputs, outputs], [3, 3])
                    .with_padding(pad(1))
                    .with_initializer(he(true))
                    .init(device);
                conv.bias = Some(zeros(outputs, device));
                features.push(MapLayer::Conv(conv.into()));
                if self.batch_norm {
                    features.push(MapLayer::Norm(norm(outputs, device)));
                }
                features.push(MapLayer::Relu(Relu));
                inputs = outputs;
            }
            features.push(MapLayer::Pool(max_pool(2, 2, 0, self.stem == Stem::Small)));
        }
        let (side, hidden) = Self::head(self.stem);
        let linear = |inputs, outputs| {
            let first = Initializer::Normal { mean: 0.0, std: 0.01 };
            UnitLayer::linear_of(first, inputs, outputs, device)
        };
        let classifier = || {
            vec![
                linear(inputs * side * side, hidden),
                UnitLayer::Relu(Relu),
                UnitLayer::dropout(self.dropout),
                linear(hidden, hidden),
                UnitLayer::Relu(Relu),
                UnitLayer::dropout(self.dropout),
                linear(hidden, self.classes),
            ]
        };
        let classifier = if self.classes > 0 { classifier() } else { Vec::new() };
        Vgg { features, side, classifier }
    }
}

impl BackboneConfig for VggConfig {
    fn levels(&self) -> Vec<Level> {
        Level::doubling(2, POOLS, CHANNELS)
    }

    fn sized(self, input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, stem: Stem::of(input), ..self }
    }

    fn without_head(self) -> Self {
        Self { classes: 0, ..self }
    }
}

/// Convolutions of 3 x 3 in five groups, and three fully connected layers.
#[derive(Module, Debug)]
pub struct Vgg {
    /// Convolutions, each with its ReLU, and pools.
    pub features: Vec<MapLayer>,
    side: usize,
    /// Fully connected layers.
    pub classifier: Vec<UnitLayer>,
}

impl Sequential for Vgg {
    type Config = VggConfig;

    const POOLS: &'static [&'static str] = &POOLS;

    fn layers(&self) -> (&[MapLayer], usize, &[UnitLayer]) {
        (&self.features, self.side, &self.classifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Backbone;
    use burn::tensor::Tensor;
    use tenfold_core::device;

    #[test]
    fn the_depth_counts_the_layers_with_weights() {
        for (depth, convolutions) in TABLE_1 {
            assert_eq!(convolutions.iter().sum::<usize>() + 3, depth);
        }
    }

    #[test]
    fn small_images_last_for_five_pools() {
        let device = device::open("cpu").unwrap();
        for side in [28, 32] {
            let network = VggConfig::vgg11(10).with_input([1, side, side]).init(&device);
            let stages = network.stages(Tensor::zeros([1, 1, side, side], &device));
            assert_eq!(stages[2].1.dims(), [1, 256, side.div_ceil(8), side.div_ceil(8)]);
            assert_eq!(stages[4].1.dims(), [1, 512, 1, 1]);
        }
    }
}
