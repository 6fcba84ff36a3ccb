//! ResNet.
//!
//! K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR
//! (2016), table 1. The networks for CIFAR of the same paper are in [`super::resnet_cifar`].
//!
//! Differs from the paper, as torchvision does, whose names the layers have:
//! - in a bottleneck that halves the maps the stride is at the 3 x 3 convolution, not at the
//!   first 1 x 1 one;
//! - [`Stem::Small`] begins with a 3 x 3 convolution of stride 1 and without the pool, so that
//!   all strides below are a quarter of what is said there.

use super::checks::check_convolutional;
use super::infer::{image_sizes, shape};
use super::input::{Sizes, Stem};
use super::layers::{MapLayer, average, conv, he, head, maps, max_pool, norm, parts};
use super::network::{Backbone, BackboneConfig, Fields, Level, ModelConfig, Network};
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::{BatchNorm, Conv2d, Linear, MaxPool2d};
use tenfold_kernels::ops::Epilogue;

/// Table 1: the depth, whether blocks have a bottleneck, and the blocks of conv2_x to conv5_x.
const TABLE_1: [(usize, bool, [usize; 4]); 5] = [
    (18, false, [2, 2, 2, 2]),
    (34, false, [3, 4, 6, 3]),
    (50, true, [3, 4, 6, 3]),
    (101, true, [3, 4, 23, 3]),
    (152, true, [3, 8, 36, 3]),
];
/// Channels of conv2_x to conv5_x within their blocks.
const CHANNELS: [usize; 4] = [64, 128, 256, 512];
/// A bottleneck's outputs have this many times its inner channels.
const EXPANSION: usize = 4;
/// What conv2_x to conv5_x are called.
const STAGES: [&str; 4] = ["layer1", "layer2", "layer3", "layer4"];

/// The choices of [`ResNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResNetConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// How the network begins.
    pub stem: Stem,
    /// Whether the blocks squeeze their maps through a quarter of the channels.
    pub bottleneck: bool,
    /// How many blocks each of the four stages has.
    pub blocks: [usize; 4],
}

impl ResNetConfig {
    /// 18 layers, for images `[3, 224, 224]`.
    pub fn resnet18(classes: usize) -> Self {
        Self::row(0, classes)
    }

    /// 34 layers, for images `[3, 224, 224]`.
    pub fn resnet34(classes: usize) -> Self {
        Self::row(1, classes)
    }

    /// 50 layers, for images `[3, 224, 224]`.
    pub fn resnet50(classes: usize) -> Self {
        Self::row(2, classes)
    }

    /// 101 layers, for images `[3, 224, 224]`.
    pub fn resnet101(classes: usize) -> Self {
        Self::row(3, classes)
    }

    /// 152 layers, for images `[3, 224, 224]`.
    pub fn resnet152(classes: usize) -> Self {
        Self::row(4, classes)
    }

    fn row(row: usize, classes: usize) -> Self {
        let (_, bottleneck, blocks) = TABLE_1[row];
        let stem = Stem::ImageNet;
        Self { input: stem.input(3), classes, stem, bottleneck, blocks }
    }

    /// A block's outputs have this many times its inner channels.
    fn expansion(&self) -> usize {
        if self.bottleneck { EXPANSION } else { 1 }
    }
}

impl ModelConfig for ResNetConfig {
    type Network = ResNet;

    const FIELDS: Fields = &[
        Stem::FIELD,
        ("bottleneck", "bottleneck blocks: 1x1, 3x3, 1x1 convolutions instead of two 3x3"),
        ("blocks", "blocks in each of the four stages"),
    ];

    fn members() -> Vec<Self> {
        (0..TABLE_1.len()).map(|row| Self::row(row, 1000)).collect()
    }

    fn sizes(&self) -> Sizes {
        Sizes { input: self.input, classes: self.classes, stem: Some(self.stem) }
    }

    fn check(&self) -> Result<(), String> {
        check_convolutional(self.sizes(), &self.blocks)
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        // The networks for CIFAR have the same names, and a stage less.
        shape(keys, "layer4.0.conv1.weight")?;
        let (input, classes) = image_sizes(keys, ("conv1.weight", 7), "fc.weight")?;
        Some(self.clone().sized(input, classes))
    }

    fn init(&self, device: &Device) -> ResNet {
        let (kernel, stride) = self.stem.choose((7, 2), (3, 1));
        let mut inputs = CHANNELS[0];
        let mut stage = |index: usize| -> Vec<Block> {
            let block = |place| {
                let stride = if place == 0 && index > 0 { 2 } else { 1 };
                let block = Block::new(inputs, CHANNELS[index], stride, self.bottleneck, device);
                inputs = CHANNELS[index] * self.expansion();
                block
            };
            (0..self.blocks[index]).map(block).collect()
        };
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(&mut stage);
        ResNet {
            conv1: conv([self.input[0], CHANNELS[0]], kernel, stride, he(true), device),
            bn1: norm(CHANNELS[0], device),
            maxpool: (self.stem == Stem::ImageNet).then(|| max_pool(3, 2, 1, false)),
            layer1,
            layer2,
            layer3,
            layer4,
            fc: (self.classes > 0)
                .then(|| LinearConfig::new(inputs, self.classes).init(device).into()),
        }
    }
}

impl BackboneConfig for ResNetConfig {
    fn levels(&self) -> Vec<Level> {
        let channels = CHANNELS.map(|channels| channels * self.expansion());
        Level::doubling(self.stem.choose(4, 1), STAGES, channels)
    }

    fn sized(self, input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, stem: Stem::of(input), ..self }
    }

    fn without_head(self) -> Self {
        Self { classes: 0, ..self }
    }
}

/// A residual network.
#[derive(Module, Debug)]
pub struct ResNet {
    /// conv1 of table 1.
    pub conv1: Conv2d,
    /// Its normalisation.
    pub bn1: BatchNorm,
    maxpool: Option<MaxPool2d>,
    /// conv2_x.
    pub layer1: Vec<Block>,
    /// conv3_x.
    pub layer2: Vec<Block>,
    /// conv4_x.
    pub layer3: Vec<Block>,
    /// conv5_x.
    pub layer4: Vec<Block>,
    /// Classes; none in a backbone alone.
    pub fc: Option<Linear>,
}

impl ResNet {
    /// What the four stages give.
    fn features(&self, inputs: Tensor<4>) -> [Tensor<4>; 4] {
        let mut x = self.bn1.forward_with(self.conv1.forward(inputs), Epilogue::Relu); // [batch, 64, h/2, w/2]
        if let Some(pool) = &self.maxpool {
            x = pool.forward(x); // [batch, 64, h/4, w/4]
        }
        let layer1 = residual(&self.layer1, x); // [batch, 64 or 256, h/4, w/4]
        let layer2 = residual(&self.layer2, layer1.clone()); // [batch, 128 or 512, h/8, w/8]
        let layer3 = residual(&self.layer3, layer2.clone()); // [batch, 256 or 1024, h/16, w/16]
        let layer4 = residual(&self.layer4, layer3.clone()); // [batch, 512 or 2048, h/32, w/32]
        [layer1, layer2, layer3, layer4]
    }
}

fn residual(blocks: &[Block], x: Tensor<4>) -> Tensor<4> {
    blocks.iter().fold(x, |x, block| block.forward(x))
}

impl Backbone for ResNet {
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
        STAGES.into_iter().zip(self.features(inputs)).collect()
    }

    fn summary(&self, last: Tensor<4>) -> Tensor<2> {
        average(last) // [batch, 512 or 2048]
    }
}

impl Network for ResNet {
    type Config = ResNetConfig;

    const HEADS: &'static [&'static str] = &["fc"];

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        head(&self.fc, features)
    }

    fn backbone(&self) -> Option<&dyn Backbone> {
        Some(self)
    }

    fn parts(&self) -> Vec<Vec<String>> {
        parts(&[&["conv1", "bn1"], &["layer1"], &["layer2"], &["layer3"], &["layer4"]])
    }
}

/// A residual block: two convolutions of 3 x 3, or a bottleneck of three.
#[derive(Module, Debug)]
pub struct Block {
    /// 3 x 3, or 1 x 1 into the bottleneck.
    pub conv1: Conv2d,
    /// Its normalisation.
    pub bn1: BatchNorm,
    /// 3 x 3.
    pub conv2: Conv2d,
    /// Its normalisation.
    pub bn2: BatchNorm,
    /// 1 x 1 out of the bottleneck.
    pub conv3: Option<Conv2d>,
    /// Its normalisation.
    pub bn3: Option<BatchNorm>,
    /// The projection of a shortcut between maps of different shapes; empty where it is the
    /// identity.
    pub downsample: Vec<MapLayer>,
}

impl Block {
    fn new(
        inputs: usize,
        channels: usize,
        stride: usize,
        bottleneck: bool,
        device: &Device,
    ) -> Self {
        let conv = |shape, kernel, stride| conv(shape, kernel, stride, he(true), device);
        let outputs = channels * if bottleneck { EXPANSION } else { 1 };
        let project = stride != 1 || inputs != outputs;
        let projection = || {
            let layers = [
                MapLayer::Conv(conv([inputs, outputs], 1, stride)),
                MapLayer::Norm(norm(outputs, device)),
            ];
            layers.into()
        };
        let (first, second) = if bottleneck { ((1, 1), stride) } else { ((3, stride), 1) };
        Self {
            conv1: conv([inputs, channels], first.0, first.1),
            bn1: norm(channels, device),
            conv2: conv([channels, channels], 3, second),
            bn2: norm(channels, device),
            conv3: bottleneck.then(|| conv([channels, outputs], 1, 1)),
            bn3: bottleneck.then(|| norm(outputs, device)),
            downsample: if project { projection() } else { Vec::new() },
        }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = maps(&self.downsample, x.clone());
        let x = self.bn1.forward_with(self.conv1.forward(x), Epilogue::Relu);
        let x = self.conv2.forward(x);
        let add = Epilogue::AddRelu(shortcut);
        if let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) {
            let x = self.bn2.forward_with(x, Epilogue::Relu);
            bn3.forward_with(conv3.forward(x), add)
        } else {
            self.bn2.forward_with(x, add)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn the_depth_counts_the_layers_with_weights() {
        for (depth, bottleneck, blocks) in TABLE_1 {
            let convolutions = if bottleneck { 3 } else { 2 };
            assert_eq!(blocks.iter().sum::<usize>() * convolutions + 2, depth);
        }
    }

    #[test]
    fn stages_have_their_strides() {
        let device = device::open("cpu").unwrap();
        let sides = |config: ResNetConfig, side| -> Vec<[usize; 4]> {
            let stages = config.init(&device).stages(Tensor::zeros([1, 3, side, side], &device));
            stages.iter().map(|(_, x)| x.dims()).collect()
        };
        let large = [[1, 64, 16, 16], [1, 128, 8, 8], [1, 256, 4, 4], [1, 512, 2, 2]];
        assert_eq!(sides(ResNetConfig::resnet18(10), 64), large);
        let small = ResNetConfig::resnet18(10).with_input([3, 32, 32]);
        assert_eq!(sides(small, 16), large);
    }
}
