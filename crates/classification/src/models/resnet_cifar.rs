//! The residual networks for CIFAR.
//!
//! K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR
//! (2016), section 4.2: 6n + 2 layers on images of 32 x 32, with shortcuts that have no
//! parameters (option A). torchvision has no such networks; the layers are named as in its
//! other residual ones.
//!
//! Weights do not tell where a shortcut's new channels stand nor how images were normalised:
//! both are choices. Those of github.com/akamaster/pytorch_resnet_cifar10, known by the name
//! `linear` of their last layer, have zeros on both sides and ImageNet's mean and deviation.

use super::checks::check_convolutional;
use super::infer::shape;
use super::input::{Sizes, Takes, imagenet};
use super::layers::{average, conv, he, head, max_pool, norm, parts};
use super::network::{Backbone, BackboneConfig, Fields, Level, ModelConfig, Network};
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::data::{Preprocess, Resize};
use tenfold_kernels::nn::{BatchNorm, Conv2d, Linear, MaxPool2d};
use tenfold_kernels::ops::Epilogue;

/// Channels of the three stages (the table in section 4.2).
const CHANNELS: [usize; 3] = [16, 32, 64];
/// What they are called.
const STAGES: [&str; 3] = ["layer1", "layer2", "layer3"];
/// Pixels a side of the images.
const SIDE: usize = 32;

/// Where the channels of zeros stand that a shortcut to more channels has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shortcut {
    /// After the others.
    #[default]
    End,
    /// Half of them before the others.
    Both,
}

/// What images are normalised by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// Mean and deviation of the training data.
    #[default]
    Data,
    /// Those of ImageNet.
    ImageNet,
}

/// The choices of [`CifarResNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CifarResNetConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// Blocks of each stage: the paper's n.
    pub blocks: usize,
    /// Where a shortcut's new channels stand.
    #[serde(default)]
    pub shortcut: Shortcut,
    /// What images are normalised by.
    #[serde(default)]
    pub normalise: Normalise,
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
        let (shortcut, normalise) = Default::default();
        Self { input: [3, SIDE, SIDE], classes, blocks, shortcut, normalise }
    }
}

impl ModelConfig for CifarResNetConfig {
    type Network = CifarResNet;

    const TAKES: Takes = Takes::ImagesOf(SIDE);
    const FIELDS: Fields = &[
        ("blocks", "blocks per stage, the paper's n"),
        ("shortcut", "zero-padded channels of a shortcut: at the end, or on both sides"),
        ("normalise", "mean and deviation of the images: data, or imagenet"),
    ];

    fn members() -> Vec<Self> {
        [3, 5, 7, 9].map(|blocks| Self::of_n(blocks, 10)).into()
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        check_convolutional(self.sizes(), &[self.blocks])
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let linear = shape(keys, "linear.weight");
        let &[classes, 64] = linear.or(shape(keys, "fc.weight"))? else { return None };
        let &[16, channels, 3, 3] = shape(keys, "conv1.weight")? else { return None };
        let (shortcut, normalise) = match linear {
            Some(_) => (Shortcut::Both, Normalise::ImageNet),
            None => (self.shortcut, self.normalise),
        };
        let input = [channels, SIDE, SIDE];
        Some(Self { input, classes, shortcut, normalise, ..self.clone() })
    }

    fn like(self, weights: &Self) -> Self {
        let Self { shortcut, normalise, .. } = *weights;
        Self { shortcut, normalise, ..self }
    }

    fn preprocess(&self) -> Option<Preprocess> {
        let [channels, height, width] = self.input;
        let (mean, std) = imagenet(channels);
        let resize = Resize::Stretch;
        let whole = Preprocess::Image { channels, height, width, resize, mean, std };
        (self.normalise == Normalise::ImageNet).then_some(whole)
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
                    before: match self.shortcut {
                        Shortcut::End => 0,
                        Shortcut::Both => (outputs - inputs) / 2,
                    },
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
            fc: (self.classes > 0)
                .then(|| LinearConfig::new(CHANNELS[2], self.classes).init(device).into()),
        }
    }
}

impl BackboneConfig for CifarResNetConfig {
    fn levels(&self) -> Vec<Level> {
        Level::doubling(1, STAGES, CHANNELS)
    }

    fn sized(self, input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, ..self }
    }

    fn without_head(self) -> Self {
        Self { classes: 0, ..self }
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
    /// Classes; none in a backbone alone.
    pub fc: Option<Linear>,
}

impl CifarResNet {
    fn features(&self, inputs: Tensor<4>) -> [Tensor<4>; 3] {
        let row = |blocks: &[PlainBlock], x| blocks.iter().fold(x, |x, block| block.forward(x));
        let x = self.bn1.forward_with(self.conv1.forward(inputs), Epilogue::Relu); // [batch, 16, h, w]
        let layer1 = row(&self.layer1, x); // [batch, 16, h, w]
        let layer2 = row(&self.layer2, layer1.clone()); // [batch, 32, h/2, w/2]
        let layer3 = row(&self.layer3, layer2.clone()); // [batch, 64, h/4, w/4]
        [layer1, layer2, layer3]
    }
}

impl Backbone for CifarResNet {
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
        STAGES.into_iter().zip(self.features(inputs)).collect()
    }

    fn summary(&self, last: Tensor<4>) -> Tensor<2> {
        average(last) // [batch, 64]
    }
}

impl Network for CifarResNet {
    type Config = CifarResNetConfig;

    const HEADS: &'static [&'static str] = &["fc"];
    // In other repositories the last layer has this name.
    const RENAMES: &'static [(&'static str, &'static str)] = &[(r"^linear\.", "fc.")];

    fn backbone(&self) -> Option<&dyn Backbone> {
        Some(self)
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        head(&self.fc, features)
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
    /// How many of the shortcut's new channels stand before the others.
    before: usize,
}

impl PlainBlock {
    /// `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.subsample {
            Some(subsample) => subsample.forward(x.clone()),
            None => x.clone(),
        };
        let x = self.bn1.forward_with(self.conv1.forward(x), Epilogue::Relu);
        let x = self.conv2.forward(x);
        let ([batch, outputs, height, width], inputs) = (x.dims(), shortcut.dims()[1]);
        if inputs == outputs {
            return self.bn2.forward_with(x, Epilogue::AddRelu(shortcut));
        }
        // Option A: the new channels' shortcuts are zero.
        let zeros = |count| Tensor::zeros([batch, count, height, width], &x.device());
        let mut parts = vec![shortcut, zeros(outputs - inputs - self.before)];
        if self.before > 0 {
            parts.insert(0, zeros(self.before));
        }
        let shortcut = Tensor::cat(parts, 1);
        self.bn2.forward_with(x, Epilogue::AddRelu(shortcut))
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
    fn weights_of_others_bring_their_conventions() {
        let keys = |last: &str| -> Vec<(String, Vec<usize>)> {
            vec![
                ("conv1.weight".into(), vec![16, 3, 3, 3]),
                (format!("{last}.weight"), vec![10, 64]),
            ]
        };
        let usual = CifarResNetConfig::resnet20(10);
        let own = usual.infer(&keys("fc")).unwrap();
        assert_eq!((own.shortcut, own.preprocess()), (Shortcut::End, None));
        let theirs = usual.infer(&keys("linear")).unwrap();
        assert_eq!(theirs.shortcut, Shortcut::Both);
        assert!(theirs.preprocess().is_some());
        assert_eq!(CifarResNetConfig::resnet20(5).like(&theirs).shortcut, Shortcut::Both);
        // A run of before there was a choice.
        let old = r#"{"input":[3,32,32],"classes":10,"blocks":3}"#;
        assert_eq!(serde_json::from_str::<CifarResNetConfig>(old).unwrap(), usual);
    }

    #[test]
    fn a_shortcut_has_its_zeros_where_they_are_wanted() {
        let device = device::open("cpu").unwrap();
        for (shortcut, first) in [(Shortcut::End, 0), (Shortcut::Both, 8)] {
            let config = CifarResNetConfig { shortcut, ..CifarResNetConfig::resnet20(10) };
            let mut block = config.init(&device).layer2.remove(0);
            // Nothing but the shortcut is left of the block.
            block.bn2.gamma = block.bn2.gamma.map(|gamma| gamma.zeros_like());
            let y = block.forward(Tensor::ones([1, 16, 2, 2], &device));
            let channels: Vec<f32> = y.into_data().iter().collect();
            let expected = (0..32).map(|c| f32::from(u8::from((first..first + 16).contains(&c))));
            assert_eq!(channels, expected.collect::<Vec<_>>());
        }
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
