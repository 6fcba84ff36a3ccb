//! The discriminator of patches: a small network whose every output looks at 70 x 70 pixels.
//!
//! Isola et al. 2017, section 3.2.2 and appendix 6.1.2, with the names of the authors' PyTorch
//! program in [`renames`].

use super::norm::{Normalised, conv};
use super::translate::TranslateConfig;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tenfold_kernels::nn::Conv2d;
use tenfold_kernels::ops::{Epilogue, leaky_relu};

/// The slope of what is negative.
const SLOPE: f32 = 0.2;
/// Strides of the four layers below the output.
const STRIDES: [usize; 4] = [2, 2, 2, 1];

/// From images to logits of patches.
#[derive(Module, Debug)]
pub struct PatchGan {
    layers: Vec<Layer>,
    output: Conv2d,
}

#[derive(Module, Debug)]
struct Layer {
    conv: Conv2d,
    norm: Option<Normalised>,
}

impl PatchGan {
    /// With first weights, for images of so many channels.
    pub fn new(inputs: usize, config: &TranslateConfig, device: &Device) -> Self {
        let (norm, width) = (config.norm, config.critic_width);
        let channels: Vec<usize> =
            std::iter::once(inputs).chain((0..4).map(|i| width << i)).collect();
        let layer = |i: usize| Layer {
            conv: conv(
                [channels[i], channels[i + 1]],
                [4, STRIDES[i], 1],
                i == 0 || norm.bias(),
                device,
            ),
            norm: (i > 0).then(|| norm.layer(channels[i + 1], device)),
        };
        Self {
            layers: (0..4).map(layer).collect(),
            output: conv([channels[4], 1], [4, 1, 1], true, device),
        }
    }

    /// `[batch, channels, height, width]` to `[batch, 1, .., ..]`.
    pub fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        for layer in &self.layers {
            x = layer.conv.forward(x);
            if let Some(norm) = &layer.norm {
                x = norm.forward(x, Epilogue::Identity);
            }
            x = leaky_relu(x, SLOPE);
        }
        self.output.forward(x)
    }
}

/// From the keys of pytorch-CycleGAN-and-pix2pix's `netD` (`basic`) to ours.
pub fn renames() -> Vec<(String, String)> {
    let mut all = vec![rename("model.0", "layers.0.conv"), rename("model.11", "output")];
    for layer in 1..4 {
        all.push(rename(&format!("model.{}", 3 * layer - 1), &format!("layers.{layer}.conv")));
        all.push(rename(&format!("model.{}", 3 * layer), &format!("layers.{layer}.norm.batch")));
    }
    all
}

/// A layer's keys begin so in a file, and so here.
pub(super) fn rename(from: &str, to: &str) -> (String, String) {
    (
        format!("^{}\\.(weight|bias|running_mean|running_var)$", from.replace('.', "\\.")),
        format!("{to}.$1"),
    )
}
