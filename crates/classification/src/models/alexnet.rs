//! AlexNet.
//!
//! A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014),
//! the network in one tower, after A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet
//! Classification with Deep Convolutional Neural Networks", NeurIPS (2012).
//!
//! Differs from the paper of 2012, as torchvision does, whose names the layers have: one tower
//! of 64, 192, 384, 256 and 256 maps in place of two with 96, 256, 384, 384 and 256 together;
//! no local response normalisation.
//!
//! [`Stem::Small`] begins with a 5 x 5 convolution of stride 1, as the authors' network for
//! CIFAR, and has 1,024 units in place of 4,096 in each hidden layer, over 2 x 2 maps in place
//! of 6 x 6.

use super::checks::{DROPOUT, check_convolutional, check_dropout};
use super::infer::{image_sizes, shape};
use super::input::{Sizes, Stem};
use super::layers::{MapLayer, max_pool, pad};
use super::network::{BackboneConfig, Fields, Level, ModelConfig};
use super::sequential::{Sequential, UnitLayer};
use burn::module::Module;
use burn::nn::Relu;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Figure 2 in one tower: maps, side of the kernel, and whether a pool follows.
const LAYERS: [(usize, usize, bool); 5] =
    [(64, 11, true), (192, 5, true), (384, 3, false), (256, 3, false), (256, 3, true)];
/// What the pools are called, by the layers before them.
const POOLS: [&str; 3] = ["pool1", "pool2", "pool5"];
/// Side of the first kernel under the small stem.
const SMALL_KERNEL: usize = 5;

/// The choices of [`AlexNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlexNetConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// How the network begins.
    pub stem: Stem,
    /// Part of the hidden units that a training step leaves out.
    pub dropout: f64,
}

impl AlexNetConfig {
    /// For images `[3, 224, 224]`.
    pub fn alexnet(classes: usize) -> Self {
        let stem = Stem::ImageNet;
        Self { input: stem.input(3), classes, stem, dropout: 0.5 }
    }
}

impl ModelConfig for AlexNetConfig {
    type Network = AlexNet;

    const FIELDS: Fields = &[Stem::FIELD, DROPOUT];

    fn members() -> Vec<Self> {
        vec![Self::alexnet(1000)]
    }

    fn sizes(&self) -> Sizes {
        Sizes { input: self.input, classes: self.classes, stem: Some(self.stem) }
    }

    fn check(&self) -> Result<(), String> {
        check_convolutional(self.sizes(), &[]).and_then(|()| check_dropout(self.dropout))
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let side = *shape(keys, "features.0.weight")?.last()?;
        let known = [LAYERS[0].1, SMALL_KERNEL].contains(&side);
        let first = ("features.0.weight", LAYERS[0].1);
        let (input, classes) = image_sizes(keys, first, "classifier.6.weight")?;
        known.then(|| self.clone().sized(input, classes))
    }

    fn init(&self, device: &Device) -> AlexNet {
        let (first, stride, side, hidden) =
            self.stem.choose((LAYERS[0].1, 4, 6, 4096), (SMALL_KERNEL, 1, 2, 1024));
        let mut features = Vec::new();
        let mut inputs = self.input[0];
        for (place, (outputs, kernel, pool)) in LAYERS.into_iter().enumerate() {
            let kernel = if place == 0 { first } else { kernel };
            let conv = Conv2dConfig::new([inputs, outputs], [kernel, kernel])
                .with_stride(if place == 0 { [stride, stride] } else { [1, 1] })
                // 2 rather than 5 around the kernel of 11.
                .with_padding(pad((kernel / 2).min(2)));
            features.extend([MapLayer::Conv(conv.init(device).into()), MapLayer::Relu(Relu)]);
            if pool {
                features.push(MapLayer::Pool(max_pool(3, 2, 0, false)));
            }
            inputs = outputs;
        }
        let classifier = || {
            vec![
                UnitLayer::dropout(self.dropout),
                UnitLayer::linear(inputs * side * side, hidden, device),
                UnitLayer::Relu(Relu),
                UnitLayer::dropout(self.dropout),
                UnitLayer::linear(hidden, hidden, device),
                UnitLayer::Relu(Relu),
                UnitLayer::linear(hidden, self.classes, device),
            ]
        };
        let classifier = if self.classes > 0 { classifier() } else { Vec::new() };
        AlexNet { features, side, classifier }
    }
}

impl BackboneConfig for AlexNetConfig {
    fn levels(&self) -> Vec<Level> {
        let channels = [LAYERS[0], LAYERS[1], LAYERS[4]].map(|(channels, ..)| channels);
        Level::doubling(self.stem.choose(8, 2), POOLS, channels)
    }

    fn sized(self, input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, stem: Stem::of(input), ..self }
    }

    fn without_head(self) -> Self {
        Self { classes: 0, ..self }
    }
}

/// Five convolutions and three fully connected layers.
#[derive(Module, Debug)]
pub struct AlexNet {
    /// Convolutions, each with its ReLU, and pools.
    pub features: Vec<MapLayer>,
    side: usize,
    /// Fully connected layers.
    pub classifier: Vec<UnitLayer>,
}

impl Sequential for AlexNet {
    type Config = AlexNetConfig;

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
    fn stages_have_their_strides() {
        let device = device::open("cpu").unwrap();
        let config = AlexNetConfig::alexnet(10).with_input([1, 32, 32]);
        let stages = config.init(&device).stages(Tensor::zeros([2, 1, 32, 32], &device));
        let shapes: Vec<_> = stages.iter().map(|(name, x)| (*name, x.dims())).collect();
        let [small, middle, large] = [[2, 64, 15, 15], [2, 192, 7, 7], [2, 256, 3, 3]];
        assert_eq!(shapes, [("pool1", small), ("pool2", middle), ("pool5", large)]);
    }
}
