//! Visual questions: learnt from images with questions and answers, measured by accuracy.

mod answerer;
mod data;
mod language;
mod learn;
#[cfg(feature = "cli")]
mod task;

pub use answerer::{Answerer, Ask, Judged};
pub use data::{Question, Split, Visual, open};
pub use language::Language;
pub use learn::learner;

use crate::config::same_sizes;
use crate::images::SIDE;
use crate::kind::{self, Kind, Run};
use crate::models::image_encoder::EncoderKind;
use crate::models::vqa::{Fusion, Vqa, VqaConfig};
use crate::vocab::SPECIAL;
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::data::scenes;

impl Answerer {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file of the run that is missing or damaged.
    pub fn from_file(path: &Path, device: &Device) -> Result<Self> {
        kind::open::<Answering>(path, device)
    }
}

/// The kind of model.
pub(crate) struct Answering(pub Fusion);

impl Kind for Answering {
    const DATA: &'static str = scenes::NAME;

    type Config = VqaConfig;
    type Language = Language;
    type Network = Vqa;
    type Answers = Answerer;

    fn check(config: &VqaConfig) -> Result<(), String> {
        config.check()
    }

    fn fits(config: &VqaConfig, Language { words, answers }: &Language) -> Result<(), String> {
        let (network, language) = ([config.words, config.answers], [words.len(), answers.len()]);
        same_sizes(&network, &language, &["words", "answers"])
    }

    fn network(config: &VqaConfig, device: &Device) -> Vqa {
        config.init(device)
    }

    fn answers(network: Vqa, run: Run<Self>, device: &Device) -> Result<Answerer> {
        Ok(Answerer::new(network, run.language, &run.config, device))
    }

    fn parameters(&self, device: &Device) -> usize {
        // Scenes are asked about in 51 words and have 22 answers.
        let words = 51 + SPECIAL.len();
        VqaConfig::new(words, 22, self.0, EncoderKind::Small, SIDE).init(device).num_params()
    }
}
