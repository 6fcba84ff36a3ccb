//! A trained detector, ready to propose.

use crate::config::RunConfig;
use crate::detection::Detection;
use crate::models::detector::DetectorConfig;
use crate::parts::nms::Nms;
use crate::zoo::{Zoo, with_config};
use burn::tensor::Device;
use serde::de::IgnoredAny;
use std::path::Path;
use tenfold_core::data::{Input, Kind, Preprocess};
use tenfold_core::suggest::{Proposal, Propose, Region, Slot, Suggestion};
use tenfold_core::trained::Trained;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result};

/// Images that go through a network at once.
const BATCH: usize = 16;
/// The least score of a box that is shown, where validation has not chosen one.
const THRESHOLD: f32 = 0.5;

/// What finds objects in images, in pixels of each, before any suppression.
type Detect = Box<dyn Fn(&[&Input]) -> Result<Vec<Vec<Detection>>> + Send>;

/// A trained detector.
pub struct Finder {
    labels: Vec<String>,
    preprocess: Preprocess,
    /// Whether images may be brought to the network's size before.
    shaped: bool,
    nms: Nms,
    threshold: f32,
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
        let RunConfig { config: own, labels, preprocess, nms, .. } = config;
        let threshold = config.threshold.unwrap_or(THRESHOLD);
        Self::built(own, network, labels.clone(), preprocess.clone(), *nms, device)
            .with_threshold(threshold)
    }

    /// Of a network that no run folder holds, such as one with weights that others trained.
    pub fn of<C: DetectorConfig>(
        config: &C,
        network: C::Network,
        labels: Vec<String>,
        device: &Device,
    ) -> Self {
        Self::built(config, network, labels, config.preprocess(), config.nms(), device)
    }

    fn built<C: DetectorConfig>(
        config: &C,
        network: C::Network,
        labels: Vec<String>,
        preprocess: Preprocess,
        nms: Nms,
        device: &Device,
    ) -> Self {
        let (own, to_input, device) = (config.clone(), preprocess.clone(), device.clone());
        let shaped = !own.any_size();
        let detect = move |inputs: &[&Input]| own.find(&network, &to_input, inputs, &device);
        let (threshold, detect) = (THRESHOLD, Box::new(detect));
        Self { labels, preprocess, shaped, nms, threshold, detect }
    }

    /// Shows boxes from this score on.
    pub fn with_threshold(self, threshold: f32) -> Self {
        Self { threshold, ..self }
    }

    /// Everything found in each image, best first, in pixels of the image.
    ///
    /// # Errors
    /// An input that is no image.
    pub fn find(&self, inputs: &[&Input]) -> Result<Vec<Vec<Detection>>> {
        let mut all = Vec::with_capacity(inputs.len());
        for inputs in inputs.chunks(BATCH) {
            for (input, found) in inputs.iter().zip((self.detect)(inputs)?) {
                let Some([width, height]) = input.image_size() else {
                    return Err(Error::argument("input", "expected an image"));
                };
                let clipped = |one: Detection| {
                    let bounding_box = one.bounding_box.clip(width as usize, height as usize);
                    Detection { bounding_box, ..one }
                };
                all.push(self.nms.apply(found.into_iter().map(clipped).collect()));
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
        self.shaped.then_some(&self.preprocess)
    }

    fn propose(&self, inputs: &[&Input], _: usize) -> Result<Vec<Proposal>> {
        let slot = |one: &Detection| Slot {
            at: Some(Region::Box(one.bounding_box)),
            ranked: vec![Suggestion::new(&self.labels[one.label], one.score)],
        };
        let shown = |found: Vec<Detection>| {
            let enough = found.iter().filter(|one| one.score >= self.threshold);
            Proposal { slots: enough.map(slot).collect() }
        };
        Ok(self.find(inputs)?.into_iter().map(shown).collect())
    }
}
