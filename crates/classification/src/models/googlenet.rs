//! GoogLeNet.
//!
//! C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke,
//! A. Rabinovich, "Going Deeper with Convolutions", CVPR (2015), table 1.
//!
//! Differs from the paper, as torchvision does, whose names the layers have: every convolution
//! is normalised over the batch (Ioffe and Szegedy 2015) in place of two local response
//! normalisations; the "5 x 5" convolutions are 3 x 3; the last hidden units are left out with
//! probability 0.2 in place of 0.4; the auxiliary heads take means over a grid of 4 x 4 in
//! place of 5 x 5 windows of stride 3.
//!
//! [`Stem::Small`] begins with a 3 x 3 convolution of stride 1 and leaves the first two pools
//! out, so that all strides below are an eighth of what is said there.

use super::checks::{DROPOUT, check_convolutional, check_dropout};
use super::infer::{image_sizes, shape};
use super::input::{Sizes, Stem};
use super::layers::{average, conv, head, max_pool, parts};
use super::network::{Backbone, BackboneConfig, Fields, Level, ModelConfig, Network};
use burn::module::Module;
use burn::nn::{BatchNormConfig, Dropout, DropoutConfig, Initializer, LinearConfig};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::{BatchNorm, Conv2d, Linear, MaxPool2d};
use tenfold_kernels::ops::{Activation, Epilogue};

/// Table 1: the maps of inception 3a to 5b, in the order of its columns: 1 x 1, 3 x 3 reduce,
/// 3 x 3, 5 x 5 reduce, 5 x 5, pool projection.
const TABLE_1: [[usize; 6]; 9] = [
    [64, 96, 128, 16, 32, 32],     // 3a
    [128, 128, 192, 32, 96, 64],   // 3b
    [192, 96, 208, 16, 48, 64],    // 4a
    [160, 112, 224, 24, 64, 64],   // 4b
    [128, 128, 256, 24, 64, 64],   // 4c
    [112, 144, 288, 32, 64, 64],   // 4d
    [256, 160, 320, 32, 128, 128], // 4e
    [256, 160, 320, 32, 128, 128], // 5a
    [384, 192, 384, 48, 128, 128], // 5b
];
/// The last module at each stride, and the maps it gives.
const STAGES: [&str; 3] = ["inception3b", "inception4e", "inception5b"];
const CHANNELS: [usize; 3] = [480, 832, 1024];
/// Weight of an auxiliary head's loss (section 5).
const AUXILIARY: f32 = 0.3;

/// The choices of [`GoogLeNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoogLeNetConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// How the network begins.
    pub stem: Stem,
    /// Whether there are auxiliary heads to learn from.
    pub auxiliary: bool,
    /// Whether colour images, normalised by ImageNet's mean and deviation, are brought to
    /// the range -1..1 for which torchvision's weights were trained.
    pub transform_input: bool,
    /// Part of the last hidden units that a training step leaves out.
    pub dropout: f64,
}

impl GoogLeNetConfig {
    /// For images `[3, 224, 224]`, normalised as for all networks with weights for ImageNet.
    pub fn googlenet(classes: usize) -> Self {
        let stem = Stem::ImageNet;
        let input = stem.input(3);
        Self { input, classes, stem, auxiliary: true, transform_input: true, dropout: 0.2 }
    }
}

impl ModelConfig for GoogLeNetConfig {
    type Network = GoogLeNet;

    const FIELDS: Fields = &[
        Stem::FIELD,
        ("auxiliary", "auxiliary classifiers in training"),
        (
            "transform_input",
            "whether colour images, normalised by ImageNet's mean and deviation, are brought to \
             -1..1, for which torchvision's weights were trained",
        ),
        DROPOUT,
    ];

    fn members() -> Vec<Self> {
        vec![Self::googlenet(1000)]
    }

    fn sizes(&self) -> Sizes {
        Sizes { input: self.input, classes: self.classes, stem: Some(self.stem) }
    }

    fn check(&self) -> Result<(), String> {
        check_convolutional(self.sizes(), &[]).and_then(|()| check_dropout(self.dropout))
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let (input, classes) = image_sizes(keys, ("conv1.conv.weight", 7), "fc.weight")?;
        let auxiliary = shape(keys, "aux1.fc2.weight").is_some();
        Some(Self { auxiliary, ..self.clone().sized(input, classes) })
    }

    fn init(&self, device: &Device) -> GoogLeNet {
        let (kernel, stride) = self.stem.choose((7, 2), (3, 1));
        let pool = || max_pool(3, 2, 0, true);
        let large = self.stem == Stem::ImageNet;
        let mut inputs = 192;
        let mut rows = TABLE_1.into_iter();
        let mut inception = || {
            let row = rows.next().unwrap_or_default();
            let block = Inception::new(inputs, row, device);
            inputs = row[0] + row[2] + row[4] + row[5];
            block
        };
        let has_head = self.classes > 0;
        let auxiliary = |inputs| {
            let head = || InceptionAux::new(inputs, self.classes, device);
            (self.auxiliary && has_head).then(head)
        };
        GoogLeNet {
            transform_input: self.transform_input && self.input[0] == 3,
            conv1: BasicConv::new([self.input[0], 64], kernel, stride, device),
            maxpool1: large.then(pool),
            conv2: BasicConv::new([64, 64], 1, 1, device),
            conv3: BasicConv::new([64, 192], 3, 1, device),
            maxpool2: large.then(pool),
            inception3a: inception(),
            inception3b: inception(),
            maxpool3: pool(),
            inception4a: inception(),
            inception4b: inception(),
            inception4c: inception(),
            inception4d: inception(),
            inception4e: inception(),
            maxpool4: max_pool(2, 2, 0, true),
            inception5a: inception(),
            inception5b: inception(),
            aux1: auxiliary(512),
            aux2: auxiliary(528),
            dropout: DropoutConfig::new(self.dropout).init(),
            fc: has_head.then(|| linear(CHANNELS[2], self.classes, device)),
        }
    }
}

impl BackboneConfig for GoogLeNetConfig {
    fn levels(&self) -> Vec<Level> {
        Level::doubling(self.stem.choose(8, 1), STAGES, CHANNELS)
    }

    fn sized(self, input: [usize; 3], classes: usize) -> Self {
        let stem = Stem::of(input);
        Self { input, classes, stem, transform_input: stem == Stem::ImageNet, ..self }
    }

    fn without_head(self) -> Self {
        Self { classes: 0, ..self }
    }
}

/// First weights of all layers but the normalisations.
fn first() -> Initializer {
    Initializer::Normal { mean: 0.0, std: 0.01 }
}

fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(inputs, outputs).init(device);
    layer.weight = first().init([inputs, outputs], device);
    layer.into()
}

/// 22 layers deep, nine of them pairs within inception modules.
#[derive(Module, Debug)]
pub struct GoogLeNet {
    transform_input: bool,
    /// 7 x 7.
    pub conv1: BasicConv,
    maxpool1: Option<MaxPool2d>,
    /// 3 x 3 reduce.
    pub conv2: BasicConv,
    /// 3 x 3.
    pub conv3: BasicConv,
    maxpool2: Option<MaxPool2d>,
    /// 256 maps.
    pub inception3a: Inception,
    /// 480 maps.
    pub inception3b: Inception,
    maxpool3: MaxPool2d,
    /// 512 maps.
    pub inception4a: Inception,
    /// 512 maps.
    pub inception4b: Inception,
    /// 512 maps.
    pub inception4c: Inception,
    /// 528 maps.
    pub inception4d: Inception,
    /// 832 maps.
    pub inception4e: Inception,
    maxpool4: MaxPool2d,
    /// 832 maps.
    pub inception5a: Inception,
    /// 1024 maps.
    pub inception5b: Inception,
    /// Learns to classify from inception 4a; unused after training.
    pub aux1: Option<InceptionAux>,
    /// Learns to classify from inception 4d; unused after training.
    pub aux2: Option<InceptionAux>,
    dropout: Dropout,
    /// Classes; none in a backbone alone.
    pub fc: Option<Linear>,
}

/// Maps inside the network.
struct Inside {
    three: Tensor<4>,
    four_a: Tensor<4>,
    four_d: Tensor<4>,
    four: Tensor<4>,
    five: Tensor<4>,
}

impl GoogLeNet {
    fn inside(&self, inputs: Tensor<4>) -> Inside {
        let x = match self.transform_input {
            true => transformed(inputs),
            false => inputs,
        };
        let pooled = |pool: &Option<MaxPool2d>, x| match pool {
            Some(pool) => pool.forward(x),
            None => x,
        };
        let x = pooled(&self.maxpool1, self.conv1.forward(x)); // [batch, 64, h/4, w/4]
        let x = self.conv3.forward(self.conv2.forward(x)); // [batch, 192, h/4, w/4]
        let x = pooled(&self.maxpool2, x); // [batch, 192, h/8, w/8]
        let three = self.inception3b.forward(self.inception3a.forward(x)); // [batch, 480, h/8, w/8]
        let four_a = self.inception4a.forward(self.maxpool3.forward(three.clone())); // h/16, w/16
        let x = self.inception4c.forward(self.inception4b.forward(four_a.clone()));
        let four_d = self.inception4d.forward(x); // [batch, 528, h/16, w/16]
        let four = self.inception4e.forward(four_d.clone()); // [batch, 832, h/16, w/16]
        let x = self.inception5a.forward(self.maxpool4.forward(four.clone())); // h/32, w/32
        let five = self.inception5b.forward(x); // [batch, 1024, h/32, w/32]
        Inside { three, four_a, four_d, four, five }
    }
}

/// From ImageNet's mean and deviation to a mean of 0.5 and a deviation of 0.5 in each channel.
fn transformed(x: Tensor<4>) -> Tensor<4> {
    let per_channel =
        |values: [f32; 3]| Tensor::<1>::from_floats(values, &x.device()).reshape([1, 3, 1, 1]);
    let scale = per_channel([0.229, 0.224, 0.225].map(|std| std / 0.5));
    let shift = per_channel([0.485, 0.456, 0.406].map(|mean| (mean - 0.5) / 0.5));
    x.clone() * scale + shift
}

impl Backbone for GoogLeNet {
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
        let Inside { three, four, five, .. } = self.inside(inputs);
        STAGES.into_iter().zip([three, four, five]).collect()
    }

    fn summary(&self, last: Tensor<4>) -> Tensor<2> {
        average(last) // [batch, 1024]
    }
}

impl Network for GoogLeNet {
    type Config = GoogLeNetConfig;

    const HEADS: &'static [&'static str] = &["fc", "aux1.fc2", "aux2.fc2"];
    const ABOVE: &'static [&'static str] = &["fc", "aux1", "aux2"];

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        head(&self.fc, self.dropout.forward(features))
    }

    fn backbone(&self) -> Option<&dyn Backbone> {
        Some(self)
    }

    fn parts(&self) -> Vec<Vec<String>> {
        parts(&[
            &["conv1", "conv2", "conv3"],
            &["inception3a", "inception3b"],
            &["inception4a", "aux1.conv", "aux1.fc1"],
            &["inception4b", "inception4c", "inception4d", "aux2.conv", "aux2.fc1"],
            &["inception4e", "inception5a", "inception5b"],
        ])
    }

    fn train_forward(&self, inputs: Tensor<4>) -> (Tensor<2>, Vec<(Tensor<2>, f32)>) {
        let Inside { four_a, four_d, five, .. } = self.inside(inputs);
        let heads = [(&self.aux1, four_a), (&self.aux2, four_d)];
        let auxiliaries =
            heads.into_iter().filter_map(|(head, x)| Some((head.as_ref()?.forward(x), AUXILIARY)));
        (self.head(self.summary(five)), auxiliaries.collect())
    }
}

/// A convolution, its normalisation and ReLU.
#[derive(Module, Debug)]
pub struct BasicConv {
    /// Convolution.
    pub conv: Conv2d,
    /// Its normalisation.
    pub bn: BatchNorm,
}

impl BasicConv {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        Self {
            conv: conv(channels, kernel, stride, first(), device),
            bn: BatchNormConfig::new(channels[1]).with_epsilon(1e-3).init(device).into(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.bn.forward_with(self.conv.forward(x), Epilogue::Relu)
    }
}

/// Figure 2b: four branches side by side.
#[derive(Module, Debug)]
pub struct Inception {
    /// 1 x 1.
    pub branch1: BasicConv,
    /// 1 x 1, then 3 x 3.
    pub branch2: Vec<BasicConv>,
    /// 1 x 1, then the paper's 5 x 5.
    pub branch3: Vec<BasicConv>,
    /// The pool, then 1 x 1.
    pub branch4: (MaxPool2d, BasicConv),
}

impl Inception {
    /// From a row of table 1.
    fn new(inputs: usize, row: [usize; 6], device: &Device) -> Self {
        let [one, reduce3, three, reduce5, five, pool] = row;
        let conv = |channels, kernel| BasicConv::new(channels, kernel, 1, device);
        Self {
            branch1: conv([inputs, one], 1),
            branch2: vec![conv([inputs, reduce3], 1), conv([reduce3, three], 3)],
            branch3: vec![conv([inputs, reduce5], 1), conv([reduce5, five], 3)],
            branch4: (max_pool(3, 1, 1, true), conv([inputs, pool], 1)),
        }
    }

    /// `[batch, inputs, height, width]` to as many maps as the branches have together.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let row = |convs: &[BasicConv]| convs.iter().fold(x.clone(), |x, conv| conv.forward(x));
        let (pool, projection) = &self.branch4;
        let branches = vec![
            self.branch1.forward(x.clone()),
            row(&self.branch2),
            row(&self.branch3),
            projection.forward(pool.forward(x.clone())),
        ];
        Tensor::cat(branches, 1)
    }
}

/// A classifier halfway up, from which the lower layers learn (section 5).
#[derive(Module, Debug)]
pub struct InceptionAux {
    /// 1 x 1.
    pub conv: BasicConv,
    /// 1024 units.
    pub fc1: Linear,
    dropout: Dropout,
    /// Classes.
    pub fc2: Linear,
}

impl InceptionAux {
    fn new(inputs: usize, classes: usize, device: &Device) -> Self {
        Self {
            conv: BasicConv::new([inputs, 128], 1, 1, device),
            fc1: linear(128 * 4 * 4, 1024, device),
            dropout: DropoutConfig::new(0.7).init(),
            fc2: linear(1024, classes, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.conv.forward(adaptive_avg_pool2d(x, [4, 4])); // [batch, 128, 4, 4]
        let x = self.fc1.forward_with(x.flatten(1, 3), Activation::Relu); // [batch, 1024]
        self.fc2.forward(self.dropout.forward(x)) // [batch, classes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::parameters;
    use tenfold_core::device;

    #[test]
    fn without_its_auxiliary_heads_it_has_torchvisions_parameters() {
        let device = device::open("cpu").unwrap();
        let config = GoogLeNetConfig { auxiliary: false, ..GoogLeNetConfig::googlenet(1000) };
        assert_eq!(parameters(&config.init(&device)), 6_624_904);
    }

    #[test]
    fn stages_have_their_strides() {
        let device = device::open("cpu").unwrap();
        let config = GoogLeNetConfig::googlenet(10).with_input([1, 28, 28]);
        let stages = config.init(&device).stages(Tensor::zeros([1, 1, 28, 28], &device));
        let shapes: Vec<_> = stages.iter().map(|(_, x)| x.dims()).collect();
        assert_eq!(shapes, [[1, 480, 28, 28], [1, 832, 14, 14], [1, 1024, 7, 7]]);
    }
}
