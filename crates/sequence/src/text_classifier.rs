//! Text classification: learnt from texts in classes, proposed with the words that counted.

mod classifier;
mod data;
mod learn;
mod sheet;
mod table;
#[cfg(feature = "cli")]
mod task;

pub use classifier::{Classified, Language, TextClassifier};
pub use data::{Document, Documents, FOLDS, OPINIONS, open};
pub use learn::learner;

use crate::config::same_sizes;
use crate::kind::{self, Kind, Run};
use crate::models::bilstm::{BiLstm, BiLstmConfig};
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use tenfold_core::Result;

/// Words of the vocabulary at most, unless `--set tokens=N` says otherwise.
const TOKENS: usize = 20_000;

impl TextClassifier {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn from_file(folder: &Path, device: &Device) -> Result<Self> {
        kind::open::<TextClassification>(folder, device)
    }
}

/// The kind of model.
pub(crate) struct TextClassification;

impl Kind for TextClassification {
    const DATA: &'static str = OPINIONS;

    type Config = BiLstmConfig;
    type Language = Language;
    type Network = BiLstm;
    type Answers = TextClassifier;

    fn check(config: &BiLstmConfig) -> Result<(), String> {
        config.check()
    }

    fn fits(config: &BiLstmConfig, Language { words, labels }: &Language) -> Result<(), String> {
        let (network, language) = ([config.tokens, config.classes], [words.len(), labels.len()]);
        same_sizes(&network, &language, &["words", "labels"])
    }

    fn network(config: &BiLstmConfig, device: &Device) -> BiLstm {
        config.init(device)
    }

    fn answers(network: BiLstm, run: Run<Self>, device: &Device) -> Result<TextClassifier> {
        let longest = run.config.longest;
        let mut classifier = TextClassifier::new(network, run.language, longest, device);
        classifier.columns = run.data.columns;
        Ok(classifier)
    }

    fn parameters(&self, device: &Device) -> usize {
        // The largest default vocabulary and two classes.
        BiLstmConfig::new(TOKENS, 2).init(device).num_params()
    }
}
