//! Pix2Pix: images from images, learnt from pairs: a U-Net against a discriminator of patches.
//!
//! P. Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017:
//! equation 4 with its weight of 100, appendix 6.1; names and details of the authors' program
//! pytorch-CycleGAN-and-pix2pix, whose weights load by their keys.
//!
//! Differs from the paper: 16 channels in the largest maps, not 64, and six halvings for images of
//! 64 pixels; instance normalisation (batch normalisation of one image, which the paper tests
//! with); no dropout; batches of 4.

use super::config::Rule;
use super::norm::{Norm, Normalised, conv, double};
use super::patchgan::rename;
use super::translate::{Net, TranslateConfig};
use burn::module::Module;
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor};
use tenfold_kernels::nn::{Conv2d, ConvTranspose2d};
use tenfold_kernels::ops::{Epilogue, cat_channels, leaky_relu, relu};

/// The slope of what is negative on the way down.
const SLOPE: f32 = 0.2;
/// Maps grow no deeper than this many times the width.
const DEEPEST: usize = 8;

/// The model's choices for images of these channels and this side.
pub fn config(channels: [usize; 2], side: usize) -> TranslateConfig {
    TranslateConfig {
        channels,
        side,
        net: Net::Unet,
        downs: side.trailing_zeros().clamp(5, 8) as usize,
        width: 16,
        critic_width: 16,
        norm: Norm::Instance,
        rule: Rule::NonSaturating,
        l1: 100.0,
        cycle: 0.0,
        identity: 0.0,
        pool: 0,
        average: 0.0,
        reverse: false,
    }
}

/// A U-Net.
#[derive(Module, Debug)]
pub struct Unet {
    downs: Vec<Down>,
    /// From the smallest maps to the largest.
    ups: Vec<Up>,
    image: ConvTranspose2d,
}

#[derive(Module, Debug)]
struct Down {
    conv: Conv2d,
    norm: Option<Normalised>,
}

#[derive(Module, Debug)]
struct Up {
    conv: ConvTranspose2d,
    norm: Normalised,
}

impl Unet {
    /// With first weights.
    pub fn new([inputs, outputs]: [usize; 2], config: &TranslateConfig, device: &Device) -> Self {
        let TranslateConfig { downs, width, norm, .. } = *config;
        let channels: Vec<usize> = (0..downs).map(|i| width * DEEPEST.min(1 << i)).collect();
        let down = |i: usize| {
            let before = if i == 0 { inputs } else { channels[i - 1] };
            Down {
                conv: conv([before, channels[i]], [4, 2, 1], norm.bias(), device),
                // Neither the first, nor the innermost, whose maps may be single pixels.
                norm: (i > 0 && i + 1 < downs).then(|| norm.layer(channels[i], device)),
            }
        };
        let up = |i: usize| {
            // All but the innermost take what came across as well.
            let twice = if i + 1 == downs { 1 } else { 2 };
            Up {
                conv: double([twice * channels[i], channels[i - 1]], 4, 0, norm.bias(), device),
                norm: norm.layer(channels[i - 1], device),
            }
        };
        Self {
            downs: (0..downs).map(down).collect(),
            ups: (1..downs).rev().map(up).collect(),
            image: double([2 * channels[0], outputs], 4, 0, true, device),
        }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, height, width]` in -1..1.
    pub fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        let mut across = Vec::with_capacity(self.downs.len());
        for (level, down) in self.downs.iter().enumerate() {
            if level > 0 {
                x = leaky_relu(x, SLOPE);
            }
            x = down.conv.forward(x); // half as large
            if let Some(norm) = &down.norm {
                x = norm.forward(x, Epilogue::Identity);
            }
            across.push(x.clone());
        }
        across.pop();
        for up in &self.ups {
            x = up.conv.forward(relu(x)); // twice as large
            x = up.norm.forward(x, Epilogue::Identity);
            if let Some(other) = across.pop() {
                x = cat_channels(other, x);
            }
        }
        tanh(self.image.forward(relu(x)))
    }
}

/// What the keys of a level begin with there.
pub(super) fn prefix(level: usize) -> String {
    match level {
        0 => "model.model".to_owned(),
        _ => format!("model.model.1.model{}", ".3.model".repeat(level - 1)),
    }
}

/// From the keys of pytorch-CycleGAN-and-pix2pix's `netG` (`unet_256`, or of other sizes) to ours.
pub fn renames(downs: usize) -> Vec<(String, String)> {
    let mut all = vec![rename("model.model.0", "downs.0.conv"), rename("model.model.3", "image")];
    for level in 1..downs {
        let (prefix, up) = (prefix(level), format!("ups.{}", downs - 1 - level));
        all.push(rename(&format!("{prefix}.1"), &format!("downs.{level}.conv")));
        // The innermost has neither a normalisation on the way down nor one inside it.
        let (conv, norm) = if level + 1 == downs { (3, 4) } else { (5, 6) };
        if level + 1 < downs {
            all.push(rename(&format!("{prefix}.2"), &format!("downs.{level}.norm.batch")));
        }
        all.push(rename(&format!("{prefix}.{conv}"), &format!("{up}.conv")));
        all.push(rename(&format!("{prefix}.{norm}"), &format!("{up}.norm.batch")));
    }
    all
}
