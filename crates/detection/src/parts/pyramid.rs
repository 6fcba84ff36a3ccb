//! A feature pyramid over the maps of any backbone (T.-Y. Lin et al., "Feature Pyramid Networks for
//! Object Detection", CVPR 2017), its layers named as in torchvision.

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::Conv2d;
use tenfold_kernels::ops::{max_pool2d, relu};

/// Channels of every level.
pub const CHANNELS: usize = 256;

/// A convolution in torchvision's `Sequential`.
pub type Named = Vec<Conv2d>;

/// A convolution with a bias that pads so that only its stride makes maps smaller; first weights
/// of this deviation, or by the number of inputs where it is 0.
pub fn conv(
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    stride: usize,
    std: f64,
    device: &Device,
) -> Conv2d {
    let (pad, initializer) = (
        kernel / 2,
        match std {
            0.0 => Initializer::KaimingUniform { gain: 1.0, fan_out_only: false },
            std => Initializer::Normal { mean: 0.0, std },
        },
    );
    let mut own = Conv2dConfig::new([inputs, outputs], [kernel; 2])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_initializer(initializer)
        .init(device);
    own.bias = Some(Initializer::Zeros.init([outputs], device));
    own.into()
}

/// Two coarser levels by convolutions (RetinaNet).
#[derive(Module, Debug)]
pub struct Extra {
    p6: Conv2d,
    p7: Conv2d,
}

/// What the coarser levels go on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coarsest {
    /// The last map of the backbone, as in RetinaNet's paper.
    #[default]
    C5,
    /// The last map of the pyramid, as in torchvision.
    P5,
}

/// The pyramid.
#[derive(Module, Debug)]
pub struct Pyramid {
    inner_blocks: Vec<Named>,
    layer_blocks: Vec<Named>,
    extra_blocks: Option<Extra>,
}

impl Pyramid {
    /// Over maps of so many channels each, from fine to coarse. Above them come two levels by
    /// convolutions, of what is said, or else one that is every second place of the coarsest.
    pub fn new(inputs: &[usize], convolved: Option<Coarsest>, device: &Device) -> Self {
        let last = match convolved {
            Some(Coarsest::C5) => inputs.last().copied().unwrap_or(CHANNELS),
            Some(Coarsest::P5) | None => CHANNELS,
        };
        let inner = |&inputs: &usize| vec![conv([inputs, CHANNELS], 1, 1, 0.0, device)];
        let layer = |_| vec![conv([CHANNELS; 2], 3, 1, 0.0, device)];
        let extra = || Extra {
            p6: conv([last, CHANNELS], 3, 2, 0.0, device),
            p7: conv([CHANNELS; 2], 3, 2, 0.0, device),
        };
        Self {
            inner_blocks: inputs.iter().map(inner).collect(),
            layer_blocks: inputs.iter().map(layer).collect(),
            extra_blocks: convolved.map(|_| extra()),
        }
    }

    /// How many maps of the backbone it takes.
    pub fn inputs(&self) -> usize {
        self.inner_blocks.len()
    }

    /// The maps of the backbone, each half as high and wide as the one before, to the levels.
    pub fn forward(&self, maps: Vec<Tensor<4>>, further: Coarsest) -> Vec<Tensor<4>> {
        let last = maps.last().cloned();
        let mut out = Vec::new();
        let mut above: Option<Tensor<4>> = None;
        let blocks = self.inner_blocks.iter().zip(&self.layer_blocks);
        for ((inner, layer), map) in blocks.zip(maps).rev() {
            let lateral = inner[0].forward(map);
            let merged = match above {
                Some(above) => lateral + double(above),
                None => lateral,
            };
            out.insert(0, layer[0].forward(merged.clone()));
            above = Some(merged);
        }
        let coarsest = match further {
            Coarsest::C5 => last,
            Coarsest::P5 => out.last().cloned(),
        };
        match &self.extra_blocks {
            Some(Extra { p6, p7 }) => {
                out.extend(coarsest.map(|map| p6.forward(map)));
                out.extend(out.last().cloned().map(|map| p7.forward(relu(map))));
            }
            None => {
                let second = MaxPoolOptions::new([1, 1]).with_stride([2, 2]);
                out.extend(coarsest.map(|map| max_pool2d(map, second)));
            }
        }
        out
    }
}

/// Each place twice along both sides.
fn double(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let x = x.reshape([batch, channels, height, 1, width, 1]).repeat_dim(3, 2).repeat_dim(5, 2);
    x.reshape([batch, channels, 2 * height, 2 * width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn doubling_repeats_each_place() {
        let device = device::open("cpu").unwrap();
        let x = Tensor::<4>::from_data([[[[1.0, 2.0]]]], &device);
        let all: Vec<f32> = double(x).into_data().iter().collect();
        assert_eq!(all, [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn levels_halve() {
        let device = device::open("cpu").unwrap();
        let maps = || [16, 8].map(|side| Tensor::zeros([1, 4, side, side], &device)).into();
        let sides = |convolved: Option<Coarsest>| -> Vec<usize> {
            let further = convolved.unwrap_or(Coarsest::P5);
            let levels = Pyramid::new(&[4, 4], convolved, &device).forward(maps(), further);
            levels.iter().map(|level| level.dims()[2]).collect()
        };
        for further in [Coarsest::C5, Coarsest::P5] {
            assert_eq!(sides(Some(further)), [16, 8, 4, 2]);
        }
        assert_eq!(sides(None), [16, 8, 4]);
    }
}
