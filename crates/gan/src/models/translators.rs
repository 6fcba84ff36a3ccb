//! The networks of a model that makes images from images.

use super::cyclegan::{self, Resnet};
use super::norm::Norm;
use super::pix2pix::{self, Unet};
use super::translate::{Net, TranslateConfig};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use std::path::Path;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::{Error, Result};

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

/// How files of pytorch-CycleGAN-and-pix2pix are read: renamed, and without the statistics that
/// old ones hold of instance normalisations, which are not used there either.
pub fn options(rename: Vec<(String, String)>, config: &TranslateConfig) -> LoadOptions {
    let skip = match config.norm {
        Norm::Instance => vec![r"norm\.batch\.".to_owned()],
        Norm::Batch => Vec::new(),
    };
    LoadOptions { rename, skip, ..LoadOptions::default() }
}

/// The choices of a `netG` of pytorch-CycleGAN-and-pix2pix, read off its keys and shapes.
///
/// # Errors
/// A file that cannot be read, or that holds no such network.
pub fn inferred(path: &Path) -> Result<TranslateConfig> {
    let found = weights::nestings(path)?.iter().find_map(from_keys);
    found.ok_or_else(|| {
        let why = "no generator of pytorch-CycleGAN-and-pix2pix: expected keys such as \
                   model.model.0.weight (unet) or model.10.conv_block.1.weight (resnet)";
        Error::file(path, why)
    })
}

fn from_keys(keys: &weights::Keys) -> Option<TranslateConfig> {
    let shape =
        |key: &str| keys.iter().find(|(own, _)| own == key).map(|(_, shape)| shape.as_slice());
    let norm = |key: &str| if shape(key).is_some() { Norm::Batch } else { Norm::Instance };
    if let Some(&[width, first, 4, 4]) = shape("model.model.0.weight") {
        let &[_, second, ..] = shape("model.model.3.weight")? else { return None };
        let inner =
            |level: &usize| shape(&format!("{}.1.weight", pix2pix::prefix(*level))).is_some();
        let downs = 1 + (1..).take_while(inner).count();
        let norm = norm(&format!("{}.2.weight", pix2pix::prefix(1)));
        let usual = pix2pix::config([first, second], 256);
        return Some(TranslateConfig { downs, width, norm, ..usual });
    }
    let &[width, first, 7, 7] = shape("model.1.weight")? else { return None };
    let block = |i: &usize| shape(&format!("model.{}.conv_block.1.weight", 10 + i)).is_some();
    let blocks = (0..).take_while(block).count();
    let net = match blocks {
        6 => Net::Resnet6,
        9 => Net::Resnet9,
        _ => return None,
    };
    let &[second, ..] = shape(&format!("model.{}.weight", 17 + blocks))? else { return None };
    let usual = cyclegan::config([first, second], 256);
    Some(TranslateConfig { net, width, norm: norm("model.2.weight"), ..usual })
}

/// A generator that others trained: a `netG` of pytorch-CycleGAN-and-pix2pix, whose sizes are read
/// off its keys.
///
/// # Errors
/// A file that cannot be read, or does not fit.
pub fn published(path: &Path, device: &Device) -> Result<(TranslateConfig, Translators)> {
    let config = inferred(path)?;
    let rename = match config.net {
        Net::Unet => pix2pix::renames(config.downs),
        Net::Resnet6 => cyclegan::renames(6),
        Net::Resnet9 => cyclegan::renames(9),
    };
    let mut there = Translator::new(config.channels, &config, device);
    weights::load(&mut there, path, &options(rename, &config))?;
    Ok((config, Translators { there, back: None }))
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
