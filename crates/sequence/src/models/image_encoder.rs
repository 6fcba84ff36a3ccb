//! The image encoder: a convolutional network of `tenfold-classification` up to its last
//! feature maps.
//!
//! Fields named `eyes`, `look` and `places` are names of weights in files that exist.

use burn::module::{Initializer, Module, Param};
use burn::nn::{LinearConfig, Relu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tenfold_classification::models::layers::{MapLayer, conv, he, maps, max_pool, norm};
use tenfold_classification::models::resnet::{ResNet, ResNetConfig};
use tenfold_classification::models::{Backbone, BackboneConfig, Level, ModelConfig};
use tenfold_core::data::{Preprocess, Resize};
use tenfold_core::run;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::{Error, Result};
use tenfold_kernels::nn::{BatchNorm, Linear};
use tenfold_kernels::ops::Activation;

/// The networks that encode images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncoderKind {
    /// Five convolutions, for drawings of about 64 x 64 pixels.
    Small,
    /// ResNet-18, for photographs.
    ResNet18,
    /// ResNet-50, for photographs.
    ResNet50,
}

impl EncoderKind {
    /// The one that suits images of so many rows and columns.
    pub fn for_side(side: usize) -> Self {
        if side > 128 { Self::ResNet18 } else { Self::Small }
    }
}

/// Channels of the small network's last maps.
const SMALL: usize = 128;
/// The small network's stride.
const STRIDE: usize = 8;

/// The choices of [`ImageEncoder`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageEncoderConfig {
    /// The network.
    pub encoder: EncoderKind,
    /// Rows and columns of the images, in colour.
    pub side: usize,
}

impl ImageEncoderConfig {
    /// What no network can have.
    ///
    /// # Errors
    /// The field, and what it may be.
    pub fn check(&self) -> std::result::Result<(), String> {
        let sides = match self.encoder {
            EncoderKind::Small => 16..=256,
            EncoderKind::ResNet18 | EncoderKind::ResNet50 => 64..=512,
        };
        match sides.contains(&self.side) {
            true => Ok(()),
            false => {
                let (low, high) = (sides.start(), sides.end());
                Err(format!("side: {}, expected {low} to {high} for this encoder", self.side))
            }
        }
    }

    /// How an image becomes the network's input.
    pub fn preprocess(&self) -> Preprocess {
        let (mean, std) = match self.encoder {
            EncoderKind::Small => (vec![0.5; 3], vec![0.25; 3]),
            // torchvision's for ImageNet.
            _ => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
        };
        let side = self.side;
        let resize = Resize::Stretch;
        Preprocess::Image { channels: 3, height: side, width: side, resize, mean, std }
    }

    /// The residual network, where it is one. It has a head of one class, which is not used:
    /// weights in files have it.
    fn resnet(&self) -> Option<ResNetConfig> {
        let config = match self.encoder {
            EncoderKind::Small => return None,
            EncoderKind::ResNet18 => ResNetConfig::resnet18(1),
            EncoderKind::ResNet50 => ResNetConfig::resnet50(1),
        };
        Some(config.with_input([3, self.side, self.side]))
    }

    /// The last maps of the residual network, where it is one.
    fn last(&self) -> Option<Level> {
        self.resnet()?.levels().pop()
    }

    /// Places along a side of the last maps.
    pub fn grid(&self) -> usize {
        self.last().map_or(self.side / STRIDE, |last| self.side.div_ceil(last.stride))
    }

    /// Features at each place.
    pub fn features(&self) -> usize {
        self.last().map_or(SMALL, |last| last.channels)
    }

    /// With random weights.
    pub fn init(&self, device: &Device) -> ImageEncoder {
        let look = match self.resnet() {
            None => Network::Small(small(device)),
            Some(config) => Network::ResNet(config.init(device)),
        };
        let shape = [self.grid() * self.grid(), self.features()];
        let places = Initializer::Normal { mean: 0.0, std: 0.1 }.init(shape, device);
        ImageEncoder { look, places }
    }

    /// To one vector of so many units for the whole image.
    pub fn pooling(&self, units: usize, device: &Device) -> ImagePooling {
        ImagePooling {
            place: LinearConfig::new(self.features(), units).init(device).into(),
            norm: norm(units, device),
        }
    }
}

fn small(device: &Device) -> Vec<MapLayer> {
    let mut layers = Vec::new();
    let mut add = |channels: [usize; 2], kernel, stride, pool: bool| {
        layers.push(MapLayer::Conv(conv(channels, kernel, stride, he(false), device)));
        layers.push(MapLayer::Norm(norm(channels[1], device)));
        layers.push(MapLayer::Relu(Relu));
        if pool {
            layers.push(MapLayer::Pool(max_pool(2, 2, 0, false)));
        }
    };
    add([3, 32], 5, 2, false); // [batch, 32, side/2, side/2]
    add([32, 32], 3, 1, true); // [batch, 32, side/4, side/4]
    add([32, 64], 3, 1, false);
    add([64, 64], 3, 1, true); // [batch, 64, side/8, side/8]
    add([64, SMALL], 3, 1, false); // [batch, 128, side/8, side/8]
    layers
}

/// From images to features at places.
#[derive(Module, Debug)]
pub struct ImageEncoder {
    /// The network.
    pub look: Network,
    /// Added to the features at each place, so that they say where they are, `[places,
    /// features]`.
    pub places: Param<Tensor<2>>,
}

/// The network inside.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one per network")]
pub enum Network {
    /// [`EncoderKind::Small`].
    Small(Vec<MapLayer>),
    /// [`EncoderKind::ResNet18`], [`EncoderKind::ResNet50`].
    ResNet(ResNet),
}

impl ImageEncoder {
    /// Images `[batch, 3, side, side]` to `[batch, places, features]`, places row by row.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let x = match &self.look {
            Network::Small(layers) => maps(layers, images),
            Network::ResNet(network) => {
                let mut stages = network.stages(images);
                // A residual network has stages.
                stages.pop().map(|(_, last)| last).unwrap_or_else(|| unreachable!("no stages"))
            }
        };
        let [batch, features, height, width] = x.dims();
        // [batch, features, rows, columns] to [batch, places, features]
        let x = x.reshape([batch, features, height * width]).swap_dims(1, 2);
        x + self.places.val().unsqueeze()
    }
}

impl ImageEncoder {
    /// The same with what others have learnt: the encoder of a captioning or answering run (its
    /// folder or an exported file), or a residual network's weights with torchvision's names.
    ///
    /// # Errors
    /// The file cannot be read or is not of this encoder.
    pub fn started(mut self, from: &Path) -> Result<Self> {
        let path = match from.is_dir() {
            true => run::Run::open(from)?.weights_path(),
            false => from.to_path_buf(),
        };
        let rename = [("^eyes\\.", ""), ("^(conv1|bn1|layer[1-4])\\.", "look.$1.")];
        let rename = rename.map(|(from, to)| (from.to_string(), to.to_string())).into();
        let options = LoadOptions { rename, partial: true, ..LoadOptions::default() };
        let report = weights::load(&mut self, &path, &options)?;
        // A classifier's file knows no places, and its classes are not needed.
        let own = |key: &&String| *key != "places" && !key.starts_with("look.fc.");
        match report.kept.iter().find(own) {
            None => Ok(self),
            Some(key) => {
                Err(Error::file(path, format!("not the weights of this encoder: no {key}")))
            }
        }
    }
}

/// The whole image as one vector: what is at each place, where it is included, summed over
/// all places, and normalised over the batch.
#[derive(Module, Debug)]
pub struct ImagePooling {
    /// From the features of a place.
    pub place: Linear,
    /// Of the sums.
    pub norm: BatchNorm,
}

impl ImagePooling {
    /// `[batch, places, features]` to `[batch, units]`.
    pub fn forward(&self, grid: Tensor<3>) -> Tensor<2> {
        let places = self.place.forward_with(grid, Activation::Relu); // [batch, places, units]
        let sum = places.mean_dim(1).squeeze_dim::<2>(1);
        let [batch, units] = sum.dims();
        self.norm.forward(sum.reshape([batch, units, 1, 1])).reshape([batch, units])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoder_has_the_grid_that_it_promises() {
        let device = tenfold_core::device::open("cpu").unwrap();
        for (encoder, side) in [
            (EncoderKind::Small, 64),
            (EncoderKind::Small, 48),
            (EncoderKind::ResNet18, 64),
            (EncoderKind::ResNet18, 96),
        ] {
            let config = ImageEncoderConfig { encoder, side };
            config.check().unwrap();
            let grid = config.init(&device).forward(Tensor::zeros([2, 3, side, side], &device));
            let places = config.grid() * config.grid();
            assert_eq!(grid.dims(), [2, places, config.features()], "{config:?}");
        }
        assert!(ImageEncoderConfig { encoder: EncoderKind::Small, side: 8 }.check().is_err());
    }

    /// As the networks of captions and answers have it.
    #[derive(Module, Debug)]
    struct Run {
        eyes: ImageEncoder,
    }

    #[test]
    fn what_others_have_learnt_is_taken_over() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let places =
            |encoder: &ImageEncoder| encoder.places.val().into_data().try_to_vec::<f32>().unwrap();
        let small = ImageEncoderConfig { encoder: EncoderKind::Small, side: 32 };
        let run = Run { eyes: small.init(&device) };
        weights::save(&run, &path, &Default::default()).unwrap();
        let started = small.init(&device).started(&path).unwrap();
        assert_eq!(places(&started), places(&run.eyes));
        let deep = ImageEncoderConfig { encoder: EncoderKind::ResNet18, side: 64 };
        let why = deep.init(&device).started(&path).unwrap_err().to_string();
        assert!(why.contains("places is [16, 128] in the file"), "{why}");
        let resnet = ResNetConfig::resnet18(7).with_input([3, 64, 64]).init(&device);
        weights::save(&resnet, &path, &Default::default()).unwrap();
        let started = deep.init(&device).started(&path).unwrap();
        let image = Tensor::ones([1, 3, 64, 64], &device);
        let own = resnet.stages(image.clone()).pop().unwrap().1.reshape([512, 64]);
        let grid = started.forward(image).squeeze_dim::<2>(0) - started.places.val();
        let error: f32 = (grid.transpose() - own).abs().max().into_scalar();
        assert!(error < 1e-4, "{error}");
        let why = small.init(&device).started(&path).unwrap_err().to_string();
        assert!(why.contains("not the weights of this encoder: no look."), "{why}");
    }
}
