//! Captions: learnt from images with sentences, measured by BLEU and CIDEr.

#[cfg(feature = "cli")]
mod attention_sheet;
mod captioner;
mod data;
mod learn;
#[cfg(feature = "cli")]
mod task;

pub use captioner::Captioner;
pub use data::{Captions, Split, open};
pub use learn::learner;

use crate::config::same_sizes;
use crate::images::SIDE;
use crate::kind::{self, Kind, Run};
use crate::models::caption::{CaptionConfig, CaptionNet};
use crate::models::image_encoder::EncoderKind;
use crate::vocab::{SPECIAL, Vocabulary};
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::data::scenes;

impl Captioner {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file of the run that is missing or damaged.
    pub fn from_file(path: &Path, device: &Device) -> Result<Self> {
        kind::open::<Captioning>(path, device)
    }
}

/// The kind of model.
pub(crate) struct Captioning {
    /// Whether the network attends to the image before each word.
    pub attends: bool,
}

impl Kind for Captioning {
    const DATA: &'static str = scenes::NAME;

    type Config = CaptionConfig;
    type Language = Vocabulary;
    type Network = CaptionNet;
    type Answers = Captioner;

    fn check(config: &CaptionConfig) -> Result<(), String> {
        config.check()
    }

    fn fits(config: &CaptionConfig, vocabulary: &Vocabulary) -> Result<(), String> {
        same_sizes(&[config.words], &[vocabulary.len()], &["words"])
    }

    fn network(config: &CaptionConfig, device: &Device) -> CaptionNet {
        config.init(device)
    }

    fn answers(network: CaptionNet, run: Run<Self>, device: &Device) -> Result<Captioner> {
        Ok(Captioner::new(network, run.language, &run.config, device))
    }

    fn parameters(&self, device: &Device) -> usize {
        // Scenes are described in 36 words.
        let words = 36 + SPECIAL.len();
        let config = CaptionConfig::new(words, self.attends, EncoderKind::Small, SIDE);
        config.init(device).num_params()
    }
}
