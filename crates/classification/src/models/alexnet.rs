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

use super::layers::{
    MapLayer, Stem, UnitLayer, below_the_last, maps, max_pool, pad, parts, picture_input, pooled,
    units,
};
use super::{Backbone, ModelConfig, Network, check_convolutional, check_dropout, shape};
use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{LinearConfig, Relu};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::Result;
use tenfold_core::data::{Kind, Preprocess};

/// Figure 2 in one tower: maps, side of the kernel, and whether a pool follows.
const LAYERS: [(usize, usize, bool); 5] =
    [(64, 11, true), (192, 5, true), (384, 3, false), (256, 3, false), (256, 3, true)];
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
    /// For pictures `[3, 224, 224]`.
    pub fn alexnet(classes: usize) -> Self {
        let stem = Stem::ImageNet;
        Self { input: stem.input(3), classes, stem, dropout: 0.5 }
    }

    /// The same for pictures of another shape `[channels, height, width]`, with the stem for it.
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, stem: Stem::of(input), ..self }
    }
}

impl ModelConfig for AlexNetConfig {
    type Network = AlexNet;

    fn input(kind: &Kind) -> Result<[usize; 3]> {
        picture_input(kind)
    }

    fn input_shape(&self) -> [usize; 3] {
        self.input
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn preprocess(&self) -> Option<Preprocess> {
        self.stem.preprocess(self.input)
    }

    fn check(&self) -> std::result::Result<(), String> {
        check_convolutional(self.input, self.classes, self.stem, &[])?;
        check_dropout(self.dropout)
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let &[classes, _] = shape(keys, "classifier.6.weight")? else { return None };
        let kernel @ &[_, channels, side, _] = shape(keys, "features.0.weight")? else {
            return None;
        };
        let stem = Stem::of_kernel(kernel, LAYERS[0].1);
        let known = [LAYERS[0].1, SMALL_KERNEL].contains(&side);
        known.then(|| Self { input: stem.input(channels), classes, stem, ..self.clone() })
    }

    fn init(&self, device: &Device) -> AlexNet {
        let (first, stride, side, hidden) = match self.stem {
            Stem::ImageNet => (LAYERS[0].1, 4, 6, 4096),
            Stem::Small => (SMALL_KERNEL, 1, 2, 1024),
        };
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
        let linear = |inputs, outputs| {
            UnitLayer::Linear(LinearConfig::new(inputs, outputs).init(device).into())
        };
        let classifier = vec![
            UnitLayer::dropout(self.dropout),
            linear(inputs * side * side, hidden),
            UnitLayer::Relu(Relu),
            UnitLayer::dropout(self.dropout),
            linear(hidden, hidden),
            UnitLayer::Relu(Relu),
            linear(hidden, self.classes),
        ];
        AlexNet { features, side, classifier }
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

impl AlexNet {
    /// `[batch, 256, height, width]` to `[batch, 256 * side * side]`.
    fn flat(&self, x: Tensor<4>) -> Tensor<2> {
        adaptive_avg_pool2d(x, [self.side; 2]).flatten(1, 3)
    }
}

impl Backbone for AlexNet {
    /// `pool1`, `pool2`, `pool5` of 64, 192 and 256 channels and strides 8, 16, 32; under the
    /// small stem 2, 4, 8.
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
        ["pool1", "pool2", "pool5"].into_iter().zip(pooled(&self.features, inputs)).collect()
    }

    fn classify(&self, last: Tensor<4>) -> Tensor<2> {
        units(&self.classifier, self.flat(last)) // [batch, classes]
    }
}

impl Network for AlexNet {
    const HEADS: &'static [&'static str] = &["classifier.6"];

    fn forward(&self, inputs: Tensor<4>) -> Tensor<2> {
        self.classify(maps(&self.features, inputs))
    }

    fn embed(&self, inputs: Tensor<4>) -> Tensor<2> {
        let x = maps(&self.features, inputs);
        units(below_the_last(&self.classifier), self.flat(x)) // [batch, units]
    }

    fn backbone(&self) -> Option<&dyn Backbone> {
        Some(self)
    }

    fn parts(&self) -> Vec<Vec<String>> {
        parts(&self.features, &self.classifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
