//! LeNet-5.
//!
//! Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document
//! Recognition", Proceedings of the IEEE 86 (1998), section II.B and figure 2.
//!
//! Two variants: `lecun1998` is the paper's, `modern` (the default) the one that frameworks
//! have taught since Caffe: ReLU, max pooling, full connections, 20 and 50 maps.
//!
//! `lecun1998` differs from the paper: the output layer is linear under a softmax, where the
//! paper has distances to drawn 7 x 12 bitmaps of the characters (equation 7).

use super::checks::{DROPOUT, check_dropout, check_widths};
use super::infer::shape;
use super::input::{Sizes, Takes};
use super::layers::parts;
use super::network::{Backbone, Fields, ModelConfig, Network};
use burn::module::{Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::{AvgPool2d, Conv2d, Linear, MaxPool2d};
use tenfold_kernels::ops::Activation;

/// Pixels a side of the images; the paper's network pads them to 32.
const SIDE: usize = 28;

/// Table I of the paper: the maps of S2 that each map of C3 looks at.
const TABLE_I: [&[usize]; 16] = [
    &[0, 1, 2],
    &[1, 2, 3],
    &[2, 3, 4],
    &[3, 4, 5],
    &[0, 4, 5],
    &[0, 1, 5],
    &[0, 1, 2, 3],
    &[1, 2, 3, 4],
    &[2, 3, 4, 5],
    &[0, 3, 4, 5],
    &[0, 1, 4, 5],
    &[0, 1, 2, 5],
    &[0, 1, 3, 4],
    &[1, 2, 4, 5],
    &[0, 2, 3, 5],
    &[0, 1, 2, 3, 4, 5],
];

/// Which LeNet-5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The paper's.
    Lecun1998,
    /// Caffe's.
    Modern,
}

/// The choices of [`LeNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeNetConfig {
    /// `[channels, 28, 28]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// Which LeNet-5.
    pub variant: Variant,
    /// Part of the last hidden units that a training step leaves out; `modern` only.
    pub dropout: f64,
}

impl LeNetConfig {
    /// The default choices for inputs of shape `[channels, height, width]`.
    pub fn new(input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, variant: Variant::Modern, dropout: 0.4 }
    }
}

impl ModelConfig for LeNetConfig {
    type Network = LeNet;

    const TAKES: Takes = Takes::ImagesOf(SIDE);
    const FIELDS: Fields = &[("variant", "lecun1998, the paper's, or modern, Caffe's"), DROPOUT];

    fn members() -> Vec<Self> {
        vec![Self::new([1, SIDE, SIDE], 10)]
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        let [channels, height, width] = self.input;
        if [height, width] != [SIDE, SIDE] || ![1, 3].contains(&channels) {
            return Err(format!("input: {:?}; expected [1 or 3, {SIDE}, {SIDE}]", self.input));
        }
        check_widths("classes", &[500, self.classes])?;
        check_dropout(self.dropout)
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let &[classes, _] = shape(keys, "output.weight")? else { return None };
        let (variant, first) = match shape(keys, "c1.weight") {
            Some(first) => (Variant::Lecun1998, first),
            None => (Variant::Modern, shape(keys, "conv1.weight")?),
        };
        let &[_, channels, ..] = first else { return None };
        Some(Self { variant, ..Self::new([channels, SIDE, SIDE], classes) })
    }

    fn init(&self, device: &Device) -> LeNet {
        match self.variant {
            Variant::Lecun1998 => LeNet::Lecun1998(Lecun1998::new(self, device)),
            Variant::Modern => LeNet::Modern(Modern::new(self, device)),
        }
    }
}

/// A LeNet-5 of either variant.
#[allow(clippy::large_enum_variant, reason = "handles to tensors, one per training")]
#[derive(Module, Debug)]
pub enum LeNet {
    /// The paper's.
    Lecun1998(Lecun1998),
    /// Caffe's.
    Modern(Modern),
}

impl Backbone for LeNet {
    /// `pool1` and `pool2` of strides 2 and 4 with 20 and 50 channels; the paper's `s2` and
    /// `s4` have 6 and 16.
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
        let (names, maps) = match self {
            Self::Lecun1998(network) => (["s2", "s4"], network.features(inputs)),
            Self::Modern(network) => (["pool1", "pool2"], network.features(inputs)),
        };
        names.into_iter().zip(maps).collect()
    }

    /// The units below the classes.
    fn summary(&self, last: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Lecun1998(network) => network.units(last),
            Self::Modern(network) => network.units(last),
        }
    }
}

impl Network for LeNet {
    type Config = LeNetConfig;

    fn head(&self, units: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Lecun1998(network) => network.output.forward(units), // [batch, classes]
            Self::Modern(network) => network.output.forward(network.dropout.forward(units)),
        }
    }

    fn backbone(&self) -> Option<&dyn Backbone> {
        Some(self)
    }

    fn parts(&self) -> Vec<Vec<String>> {
        match self {
            Self::Lecun1998(_) => parts(&[&["c1", "s2"], &["c3", "s4"], &["c5"], &["f6"]]),
            Self::Modern(_) => parts(&[&["conv1"], &["conv2"], &["fc1"]]),
        }
    }
}

/// The network of figure 2, with the paper's names for its layers.
#[derive(Module, Debug)]
pub struct Lecun1998 {
    /// 6 maps of 28 x 28.
    pub c1: Conv2d,
    /// 6 maps of 14 x 14.
    pub s2: Subsampling,
    /// 16 maps of 10 x 10, connected as in table I.
    pub c3: Conv2d,
    /// 16 maps of 5 x 5.
    pub s4: Subsampling,
    /// 120 units: a convolution whose kernel is the whole map.
    pub c5: Conv2d,
    /// 84 units.
    pub f6: Linear,
    /// Classes.
    pub output: Linear,
}

impl Lecun1998 {
    fn new(config: &LeNetConfig, device: &Device) -> Self {
        let [channels, ..] = config.input;
        Self {
            c1: Conv2dConfig::new([channels, 6], [5, 5]).init(device).into(),
            s2: Subsampling::new(6, device),
            c3: Conv2dConfig::new([6, 16], [5, 5]).init(device).into(),
            s4: Subsampling::new(16, device),
            c5: Conv2dConfig::new([16, 120], [5, 5]).init(device).into(),
            f6: LinearConfig::new(120, 84).init(device).into(),
            output: LinearConfig::new(84, config.classes).init(device).into(),
        }
    }

    fn features(&self, inputs: Tensor<4>) -> [Tensor<4>; 2] {
        let x = pad(inputs, 2); // [batch, channels, 32, 32]
        let x = squash(self.c1.forward(x)); // [batch, 6, 28, 28]
        let s2 = squash(self.s2.forward(x)); // [batch, 6, 14, 14]
        let x = squash(self.sparse_c3(s2.clone())); // [batch, 16, 10, 10]
        let s4 = squash(self.s4.forward(x)); // [batch, 16, 5, 5]
        [s2, s4]
    }

    fn units(&self, s4: Tensor<4>) -> Tensor<2> {
        let x = squash(self.c5.forward(s4)).flatten(1, 3); // [batch, 120]
        squash(self.f6.forward(x)) // [batch, 84]
    }

    /// C3 without the connections that table I leaves out.
    fn sparse_c3(&self, x: Tensor<4>) -> Tensor<4> {
        let mask: Vec<f32> = TABLE_I
            .iter()
            .flat_map(|maps| (0..6).map(|map| f32::from(u8::from(maps.contains(&map)))))
            .collect();
        let mask = Tensor::<1>::from_floats(mask.as_slice(), &x.device()).reshape([16, 6, 1, 1]);
        let bias = self.c3.bias.as_ref().map(|bias| bias.val());
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        conv2d(x, self.c3.weight.val() * mask, bias, options)
    }
}

/// The paper's squashing function, A tanh(S a) with A = 1.7159 and S = 2/3 (appendix A).
fn squash<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    tanh(x * (2.0 / 3.0)) * 1.7159
}

/// Zeros around the image.
fn pad(x: Tensor<4>, width: usize) -> Tensor<4> {
    x.pad([(width, width), (width, width)], 0.0)
}

/// The paper's S layers: the mean of 2 x 2, times a coefficient, plus a bias, per map.
#[derive(Module, Debug)]
pub struct Subsampling {
    pool: AvgPool2d,
    /// `[maps]`.
    pub weight: Param<Tensor<1>>,
    /// `[maps]`.
    pub bias: Param<Tensor<1>>,
}

impl Subsampling {
    fn new(maps: usize, device: &Device) -> Self {
        Self {
            pool: AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init().into(),
            weight: Param::from_tensor(Tensor::ones([maps], device)),
            bias: Param::from_tensor(Tensor::zeros([maps], device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let per_map = |parameter: Tensor<1>| parameter.reshape([1, -1, 1, 1]);
        self.pool.forward(x) * per_map(self.weight.val()) + per_map(self.bias.val())
    }
}

/// The network of Caffe's MNIST example, with dropout before the output.
#[derive(Module, Debug)]
pub struct Modern {
    /// 20 maps of 24 x 24.
    pub conv1: Conv2d,
    /// 50 maps of 8 x 8.
    pub conv2: Conv2d,
    pool: MaxPool2d,
    /// 500 units.
    pub fc1: Linear,
    dropout: Dropout,
    /// Classes.
    pub output: Linear,
}

impl Modern {
    fn new(config: &LeNetConfig, device: &Device) -> Self {
        let [channels, ..] = config.input;
        Self {
            conv1: Conv2dConfig::new([channels, 20], [5, 5]).init(device).into(),
            conv2: Conv2dConfig::new([20, 50], [5, 5]).init(device).into(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init().into(),
            fc1: LinearConfig::new(50 * 4 * 4, 500).init(device).into(),
            dropout: DropoutConfig::new(config.dropout).init(),
            output: LinearConfig::new(500, config.classes).init(device).into(),
        }
    }

    fn features(&self, x: Tensor<4>) -> [Tensor<4>; 2] {
        let pool1 = self.pool.forward(self.conv1.forward_with(x, Activation::Relu)); // [batch, 20, 12, 12]
        let pool2 = self.pool.forward(self.conv2.forward_with(pool1.clone(), Activation::Relu)); // [batch, 50, 4, 4]
        [pool1, pool2]
    }

    fn units(&self, pool2: Tensor<4>) -> Tensor<2> {
        self.fc1.forward_with(pool2.flatten(1, 3), Activation::Relu) // [batch, 500]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn table_i_has_the_papers_number_of_connections() {
        // Section II.B: C3 has 1,516 trainable parameters, 25 per connection and 16 biases.
        let connections: usize = TABLE_I.iter().map(|maps| maps.len()).sum();
        assert_eq!(connections * 25 + 16, 1_516);
    }

    #[test]
    fn the_papers_network_has_its_60_000_parameters() {
        let device = device::open("cpu").unwrap();
        let config =
            LeNetConfig { variant: Variant::Lecun1998, ..LeNetConfig::new([1, 28, 28], 10) };
        let LeNet::Lecun1998(network) = config.init(&device) else { panic!("the other variant") };
        let unused = (16 * 6 - 60) * 25;
        let output = 84 * 10 + 10;
        assert_eq!(network.num_params() - unused - output, 60_000);
    }

    #[test]
    fn both_variants_give_a_logit_per_class() {
        let device = device::open("cpu").unwrap();
        for variant in [Variant::Lecun1998, Variant::Modern] {
            let config = LeNetConfig { variant, ..LeNetConfig::new([3, 28, 28], 7) };
            let logits = config.init(&device).forward(Tensor::ones([2, 3, 28, 28], &device));
            assert_eq!(logits.dims(), [2, 7]);
        }
    }

    #[test]
    fn c3_ignores_the_maps_that_table_i_leaves_out() {
        let device = device::open("cpu").unwrap();
        let network = Lecun1998::new(&LeNetConfig::new([1, 28, 28], 10), &device);
        let x = Tensor::<4>::zeros([1, 6, 14, 14], &device);
        let changed = x.clone().slice_assign([0..1, 5..6], Tensor::ones([1, 1, 14, 14], &device));
        let difference = network.sparse_c3(changed) - network.sparse_c3(x);
        let per_map = difference.abs().sum_dims(&[2, 3]).flatten::<1>(0, 3);
        let per_map: Vec<f32> = per_map.into_data().try_to_vec().unwrap();
        for (map, &sum) in per_map.iter().enumerate() {
            assert_eq!(sum > 0.0, TABLE_I[map].contains(&5), "map {map}");
        }
    }
}
