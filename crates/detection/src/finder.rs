//! A trained detector, ready to propose.

use crate::calibration::Calibration;
use crate::config::RunConfig;
use crate::detection::Detection;
use crate::models::detector::{DetectorConfig, Published};
use crate::parts::nms::Nms;
use crate::parts::word_tree::WordTree;
use crate::tiles::Tiles;
use crate::zoo::{Zoo, with_config};
use burn::tensor::Device;
use serde::de::IgnoredAny;
use std::path::Path;
use tenfold_core::data::{Input, Kind, Preprocess};
use tenfold_core::geometry::Transform;
use tenfold_core::suggest::{Proposal, Propose, Region, Slot, Suggestion};
use tenfold_core::trained::Trained;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result};

/// Images that go through a network at once, at most ...
const BATCH: usize = 16;
/// ... and the pixels of their inputs, unless one alone has more.
const PIXELS: usize = BATCH * 320 * 320;

/// What finds objects in a batch of images, in pixels of the input, before any suppression.
type Detect = Box<dyn Fn(&[&Input]) -> Result<Vec<Vec<Detection>>> + Send>;

/// A trained detector.
pub struct Finder {
    labels: Vec<String>,
    preprocess: Preprocess,
    nms: Nms,
    calibration: Calibration,
    threshold: f32,
    tiles: Option<Tiles>,
    detect: Detect,
}

impl Finder {
    /// From a run folder, or a file that `export` wrote.
    ///
    /// # Errors
    /// A file that is missing, damaged, newer than this program, or another task's.
    pub fn from_file(path: &Path, device: &Device) -> Result<Self> {
        let trained = Trained::open(path)?;
        let model: Zoo = trained.model()?;
        with_config!(model, Config => {
            let config: RunConfig<Config, IgnoredAny> = trained.config(Zoo::TASK)?;
            config.check().map_err(|why| Error::file(&trained.path, why))?;
            let mut network = config.config.init(device);
            let options = LoadOptions { sealed: true, ..LoadOptions::default() };
            weights::load(&mut network, &trained.weights, &options)?;
            Ok(Self::new(&config, network, device))
        })
    }

    /// Of a configuration and its network.
    pub fn new<C: DetectorConfig, D>(
        config: &RunConfig<C, D>,
        network: C::Network,
        device: &Device,
    ) -> Self {
        let RunConfig { labels, preprocess, nms, .. } = config;
        let own =
            Published { config: config.config.clone(), preprocess: preprocess.clone(), nms: *nms };
        let threshold = config.threshold.unwrap_or(0.5);
        let own = Self::of(own, network, labels.clone(), device).with_threshold(threshold);
        Self { calibration: config.calibration.clone(), ..own }
    }

    /// Of weights that others trained, with a label for each class, and for YOLO9000 the tree above
    /// them.
    ///
    /// # Errors
    /// A model without such, and a file that does not fit.
    pub fn from_weights(
        model: Zoo,
        path: &Path,
        labels: Vec<String>,
        tree: Option<WordTree>,
        device: &Device,
    ) -> Result<Self> {
        with_config!(model, Config => {
            let Some(mut own) = Config::published(labels.len()) else {
                let why = "is trained by this program alone: give a run in place of --weights";
                return Err(Error::argument(model.name(), why));
            };
            match (tree, model) {
                (Some(tree), Zoo::Yolo9000) => {
                    tree.knows(&labels)?;
                    own.config = own.config.with_tree(tree, &labels);
                }
                (Some(_), _) => return Err(Error::argument("--tree", "only yolo9000 takes it")),
                (None, Zoo::Yolo9000) => {
                    let why = "expected the tree of words above the labels, such as 9k.tree";
                    return Err(Error::argument("--tree", why));
                }
                (None, _) => {}
            }
            own.config.check().map_err(|why| Error::argument("--tree", why))?;
            let mut network = own.config.init(device);
            Config::load(&mut network, path)?;
            Ok(Self::of(own, network, labels, device))
        })
    }

    pub(crate) fn of<C: DetectorConfig>(
        Published { config, preprocess, nms }: Published<C>,
        network: C::Network,
        labels: Vec<String>,
        device: &Device,
    ) -> Self {
        let (to_input, device) = (preprocess.clone(), device.clone());
        let detect = move |inputs: &[&Input]| {
            let size = |input: &&Input| to_input.inner(input.image_size().unwrap_or([1; 2]));
            let sizes: Vec<[usize; 2]> = inputs.iter().map(size).collect();
            Ok(config.detect(&network, to_input.batch(inputs, &device)?, &sizes))
        };
        let (calibration, tiles) = (Calibration::default(), None);
        let (threshold, detect) = (0.5, Box::new(detect));
        Self { labels, preprocess, nms, calibration, threshold, tiles, detect }
    }

    /// Shows boxes from this calibrated score on.
    pub fn with_threshold(self, threshold: f32) -> Self {
        Self { threshold, ..self }
    }

    /// Looks at images in tiles.
    pub fn with_tiles(self, tiles: Tiles) -> Self {
        Self { tiles: Some(tiles), ..self }
    }

    /// Everything found in each image, best first, in pixels of the image; scores are the
    /// network's.
    ///
    /// # Errors
    /// An input that is no image.
    pub fn find(&self, inputs: &[&Input]) -> Result<Vec<Vec<Detection>>> {
        let Some(tiles) = &self.tiles else { return self.find_whole(inputs) };
        let one = |input: &&Input| {
            let Input::Image(image) = input else {
                return Err(Error::argument("input", "expected an image"));
            };
            tiles.find(image, self.nms.keep, |parts| {
                self.find_whole(&parts.iter().collect::<Vec<_>>())
            })
        };
        inputs.iter().map(one).collect()
    }

    fn find_whole(&self, inputs: &[&Input]) -> Result<Vec<Vec<Detection>>> {
        let mut all = Vec::with_capacity(inputs.len());
        let [_, height, width] = self.preprocess.shape();
        for inputs in inputs.chunks((PIXELS / (height * width)).clamp(1, BATCH)) {
            for (input, found) in inputs.iter().zip((self.detect)(inputs)?) {
                let Some([width, height]) = input.image_size() else {
                    return Err(Error::argument("input", "expected an image"));
                };
                let back = self.preprocess.transform(width, height).inverse();
                let back = back.unwrap_or(Transform::identity(width as usize, height as usize));
                let placed = |one: Detection| {
                    let own = back.bounding_box(&one.bounding_box);
                    let bounding_box = own.clip(width as usize, height as usize);
                    Detection { bounding_box, ..one }
                };
                all.push(self.nms.apply(found.into_iter().map(placed).collect()));
            }
        }
        Ok(all)
    }
}

impl Propose for Finder {
    fn kind(&self) -> Kind {
        let [channels, height, width] = self.preprocess.shape();
        Kind::Images { channels, height, width }
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn places(&self) -> bool {
        true
    }

    fn preprocess(&self) -> Option<&Preprocess> {
        // Tiles are cut out of whole images.
        self.tiles.is_none().then_some(&self.preprocess)
    }

    fn propose(&self, inputs: &[&Input], _: usize) -> Result<Vec<Proposal>> {
        let slot = |one: &Detection| Slot {
            at: Some(Region::Box(one.bounding_box)),
            ranked: vec![Suggestion::new(&self.labels[one.label], one.score)],
        };
        let shown = |found: Vec<Detection>| {
            let sure =
                |one: Detection| Detection { score: self.calibration.apply(one.score), ..one };
            let all = found.into_iter().map(sure).filter(|one| one.score >= self.threshold);
            Proposal { slots: all.map(|one| slot(&one)).collect() }
        };
        Ok(self.find(inputs)?.into_iter().map(shown).collect())
    }
}
