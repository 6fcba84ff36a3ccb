//! Language models: learnt from a text, measured by how well they predict its held-out part.

mod data;
mod learn;
#[cfg(feature = "cli")]
mod task;
mod writer;

pub use data::{RHYMES, Text, open};
pub use learn::learner;
pub use writer::{Sampling, Writer};

use crate::config::same_sizes;
use crate::kind::{self, Kind, Run};
use crate::models::charlm::{CharLm, CharLmConfig};
use crate::vocab::Vocabulary;
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use tenfold_core::Result;

impl Writer {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file of the run that is missing or damaged.
    pub fn from_file(folder: &Path, device: &Device) -> Result<Self> {
        kind::open::<LanguageModel>(folder, device)
    }
}

/// The kind of model.
pub(crate) struct LanguageModel;

impl Kind for LanguageModel {
    const DATA: &'static str = RHYMES;

    type Config = CharLmConfig;
    type Language = Vocabulary;
    type Network = CharLm;
    type Answers = Writer;

    fn check(config: &CharLmConfig) -> Result<(), String> {
        config.check()
    }

    fn fits(config: &CharLmConfig, vocabulary: &Vocabulary) -> Result<(), String> {
        same_sizes(&[config.tokens], &[vocabulary.len()], &["tokens"])
    }

    fn network(config: &CharLmConfig, device: &Device) -> CharLm {
        config.init(device)
    }

    fn answers(network: CharLm, run: Run<Self>, device: &Device) -> Result<Writer> {
        Ok(Writer::new(network, run.language, run.config.steps, device))
    }

    fn parameters(&self, device: &Device) -> usize {
        // Tiny Shakespeare has 65 characters.
        CharLmConfig::new(69).init(device).num_params()
    }
}
