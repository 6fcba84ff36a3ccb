//! What normalises the maps of translating networks, and the layers that they share.

use burn::module::Module;
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::{BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::{BatchNorm, Conv2d, ConvTranspose2d};
use tenfold_kernels::ops::{Epilogue, instance_norm};

/// PyTorch's, of both normalisations.
const EPSILON: f64 = 1e-5;

/// Over what the maps are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Each image by itself, without weights.
    Instance,
    /// The batch.
    Batch,
}

/// A normalisation; one of single images has no weights.
#[derive(Module, Debug)]
pub struct Normalised {
    batch: Option<BatchNorm>,
}

/// Weights around 0 with a deviation of 0.02.
fn first() -> Initializer {
    Initializer::Normal { mean: 0.0, std: 0.02 }
}

impl Norm {
    /// The layer.
    pub fn layer(self, channels: usize, device: &Device) -> Normalised {
        let batch = (self == Self::Batch).then(|| {
            let mut norm: BatchNorm = BatchNormConfig::new(channels).init(device).into();
            norm.gamma = Initializer::Normal { mean: 1.0, std: 0.02 }.init([channels], device);
            norm
        });
        Normalised { batch }
    }

    /// Whether a convolution before it has a bias: as in the published networks.
    pub fn bias(self) -> bool {
        self == Self::Instance
    }
}

impl Normalised {
    /// The maps, and what follows.
    pub fn forward(&self, x: Tensor<4>, follow: Epilogue) -> Tensor<4> {
        match &self.batch {
            Some(norm) => norm.forward_with(x, follow),
            None => instance_norm(x, EPSILON, follow),
        }
    }
}

/// A convolution.
pub fn conv(
    [inputs, outputs]: [usize; 2],
    [kernel, stride, padding]: [usize; 3],
    bias: bool,
    device: &Device,
) -> Conv2d {
    let config = Conv2dConfig::new([inputs, outputs], [kernel, kernel]);
    let config = config.with_stride([stride, stride]).with_bias(bias).with_initializer(first());
    let padding = PaddingConfig2d::Explicit(padding, padding, padding, padding);
    config.with_padding(padding).init(device).into()
}

/// A transposed convolution of stride 2 that doubles, with `out` pixels added below and right.
pub fn double(
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    out: usize,
    bias: bool,
    device: &Device,
) -> ConvTranspose2d {
    let config = ConvTranspose2dConfig::new([inputs, outputs], [kernel, kernel]);
    let config = config.with_stride([2, 2]).with_padding([1, 1]).with_padding_out([out, out]);
    config.with_bias(bias).with_initializer(first()).init(device).into()
}
