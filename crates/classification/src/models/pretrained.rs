//! Networks that have already been trained: by torchvision and others, or in a run of ours.

use super::input::Sizes;
use super::network::{BackboneConfig, ModelConfig, Network};
use burn::tensor::Device;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use tenfold_core::data::{Preprocess, Resize, default_data_dir};
use tenfold_core::run::{Header, Run};
use tenfold_core::weights::{self, Keys, LoadOptions};
use tenfold_core::{Error, Result, files};

/// Where an exported file's header holds the configuration.
pub const CONFIG_KEY: &str = "tenfold.config";

/// A network with all that is needed to use it.
#[derive(Clone, Debug)]
pub struct Pretrained<N: Network> {
    /// The choices that the network is made from.
    pub config: N::Config,
    /// The network, on the device that was named.
    pub network: N,
    /// What each of its outputs means, in their order; empty for a backbone alone.
    pub labels: Vec<String>,
    /// How an image or row becomes the network's input.
    pub preprocess: Preprocess,
}

/// Opening networks that have already been trained: `ResNet::pretrained("resnet50.pth", &device)`.
pub trait Pretrain: Network {
    /// The network in `weights`, which is a file that `export` wrote, a run folder, a file of
    /// others' weights with torchvision's names (`.pth` or safetensors; which of the family's
    /// networks it is, they tell), or the name of weights that were fetched.
    ///
    /// Labels and preprocessing are the run's. Of others' weights the labels are those that
    /// were fetched with them, or else numbers; preprocessing is torchvision's for ImageNet,
    /// and in models without one it scales to 0..1.
    ///
    /// # Errors
    /// A file that cannot be read, or is of another network.
    fn pretrained(weights: impl AsRef<Path>, device: &Device) -> Result<Pretrained<Self>> {
        let source = Source::<Self::Config>::open(weights.as_ref(), device)?;
        let network = source.load(&source.config, Self::load_options(), device)?;
        let Source { config, labels, preprocess, .. } = source;
        Ok(Pretrained { config, network, labels, preprocess })
    }

    /// The same without its head, for whoever builds on [`Backbone::stages`].
    ///
    /// # Errors
    /// As [`Pretrain::pretrained`].
    ///
    /// [`Backbone::stages`]: super::Backbone::stages
    fn pretrained_backbone(weights: impl AsRef<Path>, device: &Device) -> Result<Pretrained<Self>>
    where
        Self::Config: BackboneConfig,
    {
        let source = Source::<Self::Config>::open(weights.as_ref(), device)?;
        let config = source.config.clone().without_head();
        let network = source.load(&config, Self::backbone_options(), device)?;
        Ok(Pretrained { config, network, labels: Vec::new(), preprocess: source.preprocess })
    }
}

impl<N: Network> Pretrain for N {}

/// What stands in a run's configuration, beside what its training needs.
#[derive(Deserialize)]
struct Trained<C> {
    config: C,
    labels: Vec<String>,
    preprocess: Preprocess,
}

/// A file of weights, and what is known of the network that they are of.
struct Source<C> {
    file: PathBuf,
    config: C,
    labels: Vec<String>,
    preprocess: Preprocess,
    /// Whether Tenfold wrote the file, which then has a checksum.
    sealed: bool,
}

impl<C: ModelConfig> Source<C> {
    fn open(weights: &Path, device: &Device) -> Result<Self> {
        if weights.is_dir() {
            let run = Run::open(weights)?;
            let text = files::read_text(&run.config_path())?;
            return Self::trained(&text, &run.config_path(), run.weights_path());
        }
        let named = weights::find(weights, &default_data_dir())?;
        // A file of others may be no safetensors file at all.
        let metadata = weights::metadata(&named.file).unwrap_or_default();
        match metadata.get(CONFIG_KEY) {
            Some(text) => Self::trained(text, &named.file, named.file.clone()),
            None => Self::foreign(named.file, named.classes, device),
        }
    }

    /// From the configuration of a run, which stands in `path`.
    fn trained(text: &str, path: &Path, file: PathBuf) -> Result<Self> {
        let wrong = |why: String| Error::file(path, why);
        Header::check(text, path, "classification")?;
        let trained: Trained<C> =
            serde_json::from_str(text).map_err(|why| wrong(why.to_string()))?;
        let Trained { config, labels, preprocess } = trained;
        config.check().and_then(|()| config.fits(&labels, &preprocess)).map_err(wrong)?;
        Ok(Self { file, config, labels, preprocess, sealed: true })
    }

    /// From nothing but the weights, and the labels that were fetched with them.
    fn foreign(file: PathBuf, labels: Vec<String>, device: &Device) -> Result<Self> {
        let config = infer(&file, "such a network", &C::members(), device)?;
        config.check().map_err(|why| Error::file(&file, why))?;
        let Sizes { input, classes, .. } = config.sizes();
        let numbered = || (0..classes).map(|class| class.to_string()).collect();
        let labels = if labels.len() == classes { labels } else { numbered() };
        let preprocess = config.preprocess().unwrap_or_else(|| scaled(input));
        Ok(Self { file, config, labels, preprocess, sealed: false })
    }

    fn load(&self, config: &C, options: LoadOptions, device: &Device) -> Result<C::Network> {
        let mut network = config.init(device);
        let options = LoadOptions { sealed: self.sealed, ..options };
        weights::load(&mut network, &self.file, &options)?;
        Ok(network)
    }
}

/// The choices of the one of these networks whose weights a file of others holds, whatever is
/// wrapped around them: the one that has all of their shapes, or else most of them, so that
/// loading says by what they differ. `name` is the network's in errors.
pub(crate) fn infer<C: ModelConfig>(
    file: &Path,
    name: &str,
    members: &[C],
    device: &Device,
) -> Result<C> {
    let mut best: Option<((bool, usize), C)> = None;
    for keys in weights::nestings(file)? {
        for config in members.iter().filter_map(|member| member.infer(&keys)) {
            config.check().map_err(|why| Error::file(file, why))?;
            let own = weights::module_keys(&config.init(device));
            let (own, theirs) = (shapes(&own), shapes(&keys));
            let fit = (own == theirs, common(&own, &theirs));
            if best.as_ref().is_none_or(|(most, _)| fit > *most) {
                best = Some((fit, config));
            }
        }
    }
    match (best, members) {
        (Some((_, config)), _) => Ok(config),
        (None, [member, ..]) => {
            let network = member.init(device);
            let own = weights::module_keys(&network);
            let keys = weights::keys_for(&network, file, &C::Network::load_options())?;
            let why = format!("not the weights of {name}: {}", unlike(&keys, own));
            Err(Error::file(file, why))
        }
        (None, []) => Err(Error::file(file, format!("not the weights of {name}"))),
    }
}

/// By what a file's keys differ from those of a network whose sizes are not known: by their
/// names, or else by their shapes.
fn unlike(keys: &Keys, mut own: Keys) -> String {
    let all = weights::differences(keys, &own);
    for (key, shape) in &mut own {
        if let Some((_, other)) = keys.iter().find(|(other, _)| other == key) {
            shape.clone_from(other);
        }
    }
    let names = weights::differences(keys, &own);
    if names.is_empty() { all } else { names }
}

/// How many shapes two sorted lists have in common.
fn common(own: &[&[usize]], theirs: &[&[usize]]) -> usize {
    let (mut count, mut rest) = (0, theirs);
    for shape in own {
        let below = rest.iter().take_while(|other| *other < shape).count();
        rest = &rest[below..];
        if rest.first() == Some(shape) {
            (count, rest) = (count + 1, &rest[1..]);
        }
    }
    count
}

/// The shapes of weights in order of size: what tells the networks of a family apart, whatever
/// their layers are called. PyTorch's counters of batches are not among them.
fn shapes(keys: &[(String, Vec<usize>)]) -> Vec<&[usize]> {
    let shapes = keys.iter().map(|(_, shape)| &shape[..]).filter(|shape| !shape.is_empty());
    let mut shapes: Vec<&[usize]> = shapes.collect();
    shapes.sort();
    shapes
}

/// Preprocessing of images to this shape, on the scale 0..1.
fn scaled([channels, height, width]: [usize; 3]) -> Preprocess {
    let (mean, std) = (vec![0.0; channels], vec![1.0; channels]);
    Preprocess::Image { channels, height, width, resize: Resize::Stretch, mean, std }
}
