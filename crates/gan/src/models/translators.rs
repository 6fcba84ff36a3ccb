//! The networks of a model that makes images from images.

use super::cyclegan::{self, Resnet};
use super::pix2pix::{self, Unet};
use super::translate::{Net, TranslateConfig};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::weights::{self, LoadOptions};

/// From an image of one kind to one of another.
#[allow(clippy::large_enum_variant, reason = "handles to tensors, few per training")]
#[derive(Module, Debug)]
pub enum Translator {
    /// A U-Net.
    Unet(Unet),
    /// Residual blocks.
    Resnet(Resnet),
}

impl Translator {
    /// With first weights, from so many channels to so many.
    pub fn new(channels: [usize; 2], config: &TranslateConfig, device: &Device) -> Self {
        match config.net {
            Net::Unet => Self::Unet(Unet::new(channels, config, device)),
            Net::Resnet6 => Self::Resnet(Resnet::new(channels, 6, config, device)),
            Net::Resnet9 => Self::Resnet(Resnet::new(channels, 9, config, device)),
        }
    }

    /// `[batch, channels, height, width]` in -1..1 to the same.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Unet(network) => network.forward(x),
            Self::Resnet(network) => network.forward(x),
        }
    }
}

/// Loads a `netG` of pytorch-CycleGAN-and-pix2pix. Statistics that old files hold of instance
/// normalisations are not used, as there.
///
/// # Errors
/// A file that cannot be read, or does not fit.
pub fn load_published(
    network: &mut Translator,
    config: &TranslateConfig,
    path: &Path,
) -> Result<()> {
    let rename = match config.net {
        Net::Unet => pix2pix::renames(config.downs),
        Net::Resnet6 => cyclegan::renames(6),
        Net::Resnet9 => cyclegan::renames(9),
    };
    weights::load(network, path, &published(rename, config)).map(|_| ())
}

/// How such files are read.
pub fn published(rename: Vec<(String, String)>, config: &TranslateConfig) -> LoadOptions {
    // What would be an instance normalisation's.
    let skip = match config.norm.bias() {
        true => vec![r"norm\.batch\.".to_owned()],
        false => Vec::new(),
    };
    LoadOptions { rename, skip, ..LoadOptions::default() }
}

/// What a training leaves: one way, or both.
#[derive(Module, Debug)]
pub struct Translators {
    /// From the first kind to the second.
    pub there: Translator,
    /// From the second to the first.
    pub back: Option<Translator>,
}

impl Translators {
    /// With first weights.
    pub fn new(config: &TranslateConfig, device: &Device) -> Self {
        let [first, second] = config.channels;
        let back = || Translator::new([second, first], config, device);
        Self {
            there: Translator::new([first, second], config, device),
            back: config.both_ways().then(back),
        }
    }
}
