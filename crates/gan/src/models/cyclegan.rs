//! CycleGAN: from one kind of image to another and back, learnt without pairs.
//!
//! J.-Y. Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
//! Networks", ICCV 2017: equation 3 with its weight of 10, section 4 (least squares, a pool of 50
//! made images), section 5.2 (identity), appendix 7.2 (residual blocks); names and details of the
//! authors' program pytorch-CycleGAN-and-pix2pix, whose weights load by their keys.
//!
//! Differs from the paper: 16 channels in the largest maps, not 64; six blocks.

use super::config::Rule;
use super::norm::{Norm, Normalised, conv, double};
use super::patchgan::rename;
use super::translate::{Net, TranslateConfig};
use burn::module::Module;
use burn::tensor::activation::tanh;
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor};
use tenfold_core::data::random::SplitMix64;
use tenfold_kernels::nn::{Conv2d, ConvTranspose2d};
use tenfold_kernels::ops::Epilogue;

/// The model's choices for images of these channels and this side.
pub fn config(channels: [usize; 2], side: usize) -> TranslateConfig {
    TranslateConfig {
        channels,
        side,
        net: Net::Resnet6,
        downs: 6,
        width: 16,
        critic_width: 16,
        norm: Norm::Instance,
        rule: Rule::LeastSquares,
        l1: 0.0,
        cycle: 10.0,
        identity: 0.5,
        pool: 50,
        average: 0.0,
        reverse: false,
    }
}

/// Residual blocks between two halvings and two doublings.
#[derive(Module, Debug)]
pub struct Resnet {
    ins: Vec<In>,
    blocks: Vec<Residual>,
    outs: Vec<Out>,
    image: Conv2d,
}

#[derive(Module, Debug)]
struct In {
    conv: Conv2d,
    norm: Normalised,
}

#[derive(Module, Debug)]
struct Residual {
    first: In,
    second: In,
}

#[derive(Module, Debug)]
struct Out {
    conv: ConvTranspose2d,
    norm: Normalised,
}

/// Mirrored at the edges.
fn reflected(x: Tensor<4>, by: usize) -> Tensor<4> {
    x.pad([(by, by), (by, by)], PadMode::Reflect)
}

impl Resnet {
    /// With first weights.
    pub fn new(
        [inputs, outputs]: [usize; 2],
        blocks: usize,
        config: &TranslateConfig,
        device: &Device,
    ) -> Self {
        let TranslateConfig { width, norm, .. } = *config;
        let layer = |channels: [usize; 2], shape| In {
            conv: conv(channels, shape, norm.bias(), device),
            norm: norm.layer(channels[1], device),
        };
        let out = |channels: [usize; 2]| Out {
            conv: double(channels, 3, 1, norm.bias(), device),
            norm: norm.layer(channels[1], device),
        };
        let deepest = 4 * width;
        let block = |_| Residual {
            first: layer([deepest; 2], [3, 1, 0]),
            second: layer([deepest; 2], [3, 1, 0]),
        };
        Self {
            ins: vec![
                layer([inputs, width], [7, 1, 0]),
                layer([width, 2 * width], [3, 2, 1]),
                layer([2 * width, deepest], [3, 2, 1]),
            ],
            blocks: (0..blocks).map(block).collect(),
            outs: vec![out([deepest, 2 * width]), out([2 * width, width])],
            image: conv([width, outputs], [7, 1, 0], true, device),
        }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, height, width]` in -1..1.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = reflected(x, 3);
        for layer in &self.ins {
            x = layer.norm.forward(layer.conv.forward(x), Epilogue::Relu);
        }
        for block in &self.blocks {
            let y = block.first.conv.forward(reflected(x.clone(), 1));
            let y = block.first.norm.forward(y, Epilogue::Relu);
            let y = block.second.conv.forward(reflected(y, 1));
            x = x + block.second.norm.forward(y, Epilogue::Identity);
        }
        for layer in &self.outs {
            x = layer.norm.forward(layer.conv.forward(x), Epilogue::Relu); // twice as large
        }
        tanh(self.image.forward(reflected(x, 3)))
    }
}

/// From the keys of pytorch-CycleGAN-and-pix2pix's `netG` (`resnet_6blocks`, `resnet_9blocks`) to
/// ours.
pub fn renames(blocks: usize) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut layer = |conv: String, norm: String, own: String| {
        all.push(rename(&conv, &format!("{own}.conv")));
        all.push(rename(&norm, &format!("{own}.norm.batch")));
    };
    for (i, place) in [1, 4, 7].into_iter().enumerate() {
        layer(format!("model.{place}"), format!("model.{}", place + 1), format!("ins.{i}"));
    }
    for block in 0..blocks {
        let own = format!("model.{}.conv_block", 10 + block);
        layer(format!("{own}.1"), format!("{own}.2"), format!("blocks.{block}.first"));
        layer(format!("{own}.5"), format!("{own}.6"), format!("blocks.{block}.second"));
    }
    let outs = 10 + blocks;
    for i in 0..2 {
        let place = outs + 3 * i;
        layer(format!("model.{place}"), format!("model.{}", place + 1), format!("outs.{i}"));
    }
    all.push(rename(&format!("model.{}", outs + 7), "image"));
    all
}

/// Made images that the discriminator is shown again, so that it does not forget (section 4, after
/// Shrivastava et al. 2017).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// Images as numbers, one after the other.
    pub images: Vec<Vec<f32>>,
}

impl Pool {
    /// What is shown in place of a new image: itself while there is room, later it or, as often,
    /// one of before, whose place it takes.
    pub fn exchange(&mut self, new: Vec<f32>, size: usize, random: &mut SplitMix64) -> Vec<f32> {
        if size == 0 {
            return new;
        }
        if self.images.len() < size {
            self.images.push(new.clone());
            return new;
        }
        match random.unit() > 0.5 {
            true => {
                let place = random.below(size);
                std::mem::replace(&mut self.images[place], new)
            }
            false => new,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pool_gives_back_half_of_the_time() {
        let (mut pool, mut random) = (Pool::default(), SplitMix64::new(1));
        let mut old = 0;
        for i in 0..1050u16 {
            let own = pool.exchange(vec![f32::from(i)], 50, &mut random)[0];
            old += usize::from(own != f32::from(i));
            assert!(i >= 50 || own == f32::from(i));
        }
        assert_eq!(pool.images.len(), 50);
        assert!((450..550).contains(&old), "{old}");
    }
}
