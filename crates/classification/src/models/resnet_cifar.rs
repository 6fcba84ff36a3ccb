//! The residual networks for CIFAR.
//!
//! K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR
//! (2016), section 4.2: 6n + 2 layers on pictures of 32 x 32, with shortcuts that have no
//! parameters (option A). torchvision has no such networks; the layers are named as in its
//! other residual ones.

use super::layers::{Stem, average, conv, he, max_pool, norm};
use super::{Backbone, ModelConfig, Network, check_convolutional, parts, shape};
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::data::Kind;
use tenfold_core::{Error, Result};
use tenfold_kernels::nn::{BatchNorm, Conv2d, Linear, MaxPool2d};
use tenfold_kernels::ops::Follow;

/// Channels of the three stages (the table in section 4.2).
const CHANNELS: [usize; 3] = [16, 32, 64];
/// Pixels a side of the pictures.
const SIDE: usize = 32;

/// The choices of [`CifarResNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CifarResNetConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// Blocks of each stage: the paper's n.
    pub blocks: usize,
}

impl CifarResNetConfig {
    /// 20 layers.
    pub fn resnet20(classes: usize) -> Self {
        Self::of_n(3, classes)
    }

    /// 32 layers.
    pub fn resnet32(classes: usize) -> Self {
        Self::of_n(5, classes)
    }

    /// 44 layers.
    pub fn resnet44(classes: usize) -> Self {
        Self::of_n(7, classes)
    }

    /// 56 layers.
    pub fn resnet56(classes: usize) -> Self {
        Self::of_n(9, classes)
    }

    fn of_n(blocks: usize, classes: usize) -> Self {
        Self { input: [3, SIDE, SIDE], classes, blocks }
    }

    /// The same for pictures of another shape `[channels, height, width]`.
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }
}

impl ModelConfig for CifarResNetConfig {
    type Network = CifarResNet;

    fn input(kind: &Kind) -> Result<[usize; 3]> {
        match kind {
            Kind::Pictures { channels, .. } => Ok([*channels, SIDE, SIDE]),
            Kind::Rows { .. } => Err(Error::argument(
                "--data",
                "a table has no pictures for a convolutional network to look at: take mlp or \
                 logistic",
            )),
        }
    }

    fn input_shape(&self) -> [usize; 3] {
        self.input
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self) -> std::result::Result<(), String> {
        check_convolutional(self.input, self.classes, Stem::Small, &[self.blocks])
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let &[classes, 64] = shape(keys, "fc.weight")? else { return None };
        let &[16, channels, 3, 3] = shape(keys, "conv1.weight")? else { return None };
        Some(Self { input: [channels, SIDE, SIDE], classes, ..self.clone() })
    }

    fn init(&self, device: &Device) -> CifarResNet {
        let conv = |channels, stride| conv(channels, 3, stride, he(false), device);
        let stage = |index: usize| {
            let outputs = CHANNELS[index];
            let block = |place| {
                let first = place == 0 && index > 0;
                let inputs = if first { CHANNELS[index - 1] } else { outputs };
                PlainBlock {
                    conv1: conv([inputs, outputs], if first { 2 } else { 1 }),
                    bn1: norm(outputs, device),
                    conv2: conv([outputs, outputs], 1),
                    bn2: norm(outputs, device),
                    subsample: first.then(|| max_pool(1, 2, 0, false)),
                }
            };
            (0..self.blocks).map(block).collect()
        };
        CifarResNet {
            conv1: conv([self.input[0], CHANNELS[0]], 1),
            bn1: norm(CHANNELS[0], device),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            fc: LinearConfig::new(CHANNELS[2], self.classes).init(device).into(),
        }
    }
}

/// A residual network of three stages.
#[derive(Module, Debug)]
pub struct CifarResNet {
    /// 3 x 3.
    pub conv1: Conv2d,
    /// Its normalisation.
    pub bn1: BatchNorm,
    /// 16 maps of 32 x 32.
    pub layer1: Vec<PlainBlock>,
    /// 32 maps of 16 x 16.
    pub layer2: Vec<PlainBlock>,
    /// 64 maps of 8 x 8.
    pub layer3: Vec<PlainBlock>,
    /// Classes.
    pub fc: Linear,
}

impl CifarResNet {
    fn features(&self, inputs: Tensor<4>) -> [Tensor<4>; 3] {
        let row = |blocks: &[PlainBlock], x| blocks.iter().fold(x, |x, block| block.forward(x));
        let x = self.bn1.forward_with(self.conv1.forward(inputs), Follow::Relu); // [batch, 16, h, w]
        let layer1 = row(&self.layer1, x); // [batch, 16, h, w]
        let layer2 = row(&self.layer2, layer1.clone()); // [batch, 32, h/2, w/2]
        let layer3 = row(&self.layer3, layer2.clone()); // [batch, 64, h/4, w/4]
        [layer1, layer2, layer3]
    }
}

impl Backbone for CifarResNet {
    /// `layer1` to `layer3` of 16, 32 and 64 channels and strides 1, 2, 4.
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
        ["layer1", "layer2", "layer3"].into_iter().zip(self.features(inputs)).collect()
    }

    fn classify(&self, last: Tensor<4>) -> Tensor<2> {
        self.fc.forward(average(last)) // [batch, classes]
    }
}

impl Network for CifarResNet {
    const HEADS: &'static [&'static str] = &["fc"];

    fn forward(&self, inputs: Tensor<4>) -> Tensor<2> {
        let [.., last] = self.features(inputs);
        self.classify(last)
    }

    fn embed(&self, inputs: Tensor<4>) -> Tensor<2> {
        let [.., last] = self.features(inputs);
        average(last) // [batch, 64]
    }

    fn backbone(&self) -> Option<&dyn Backbone> {
        Some(self)
    }

    fn parts(&self) -> Vec<Vec<String>> {
        parts(&[&["conv1", "bn1"], &["layer1"], &["layer2"], &["layer3"]])
    }
}

/// Two convolutions of 3 x 3 with a shortcut around them.
#[derive(Module, Debug)]
pub struct PlainBlock {
    /// First convolution.
    pub conv1: Conv2d,
    /// Its normalisation.
    pub bn1: BatchNorm,
    /// Second convolution.
    pub conv2: Conv2d,
    /// Its normalisation.
    pub bn2: BatchNorm,
    /// Takes every second pixel: the maximum of one.
    subsample: Option<MaxPool2d>,
}

impl PlainBlock {
    /// `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.subsample {
            Some(subsample) => subsample.forward(x.clone()),
            None => x.clone(),
        };
        let x = self.bn1.forward_with(self.conv1.forward(x), Follow::Relu);
        let x = self.conv2.forward(x);
        let ([batch, outputs, height, width], inputs) = (x.dims(), shortcut.dims()[1]);
        if inputs == outputs {
            return self.bn2.forward_with(x, Follow::AddRelu(shortcut));
        }
        // Option A: the new channels' shortcuts are zero.
        let zeros = Tensor::zeros([batch, outputs - inputs, height, width], &x.device());
        let shortcut = Tensor::cat(vec![shortcut, zeros], 1);
        self.bn2.forward_with(x, Follow::AddRelu(shortcut))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::parameters;
    use tenfold_core::device;

    #[test]
    fn parameters_are_table_6s() {
        // In millions, as the paper rounds them.
        let device = device::open("cpu").unwrap();
        let count = |config: CifarResNetConfig| parameters(&config.init(&device)) as f64 / 1e6;
        assert_eq!((count(CifarResNetConfig::resnet20(10)) * 100.0).round(), 27.0);
        assert_eq!((count(CifarResNetConfig::resnet32(10)) * 100.0).round(), 46.0);
        assert_eq!((count(CifarResNetConfig::resnet44(10)) * 100.0).round(), 66.0);
        assert_eq!((count(CifarResNetConfig::resnet56(10)) * 100.0).round(), 85.0);
    }

    #[test]
    fn stages_have_their_strides() {
        let device = device::open("cpu").unwrap();
        let network = CifarResNetConfig::resnet20(10).init(&device);
        let stages = network.stages(Tensor::zeros([1, 3, 32, 32], &device));
        let shapes: Vec<_> = stages.iter().map(|(_, x)| x.dims()).collect();
        assert_eq!(shapes, [[1, 16, 32, 32], [1, 32, 16, 16], [1, 64, 8, 8]]);
    }
}
