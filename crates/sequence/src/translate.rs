//! Translation: learnt from pairs of sentences, measured by BLEU.

mod alignment;
mod data;
mod learn;
#[cfg(feature = "cli")]
mod task;
mod translator;

pub use alignment::Alignment;
pub use data::{NUMBERS, Pair, Pairs, open};
pub use learn::learner;
pub use translator::Translator;

use crate::config::same_sizes;
use crate::kind::{self, Kind, Run};
use crate::models::seq2seq::{Seq2Seq, Seq2SeqConfig};
use crate::vocab::Vocabulary;
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use tenfold_core::Result;

/// Pieces of words, unless `--set tokens=N` says otherwise.
const TOKENS: usize = 4000;

impl Translator {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn from_file(folder: &Path, device: &Device) -> Result<Self> {
        kind::open::<Translation>(folder, device)
    }
}

/// The kind of model.
pub(crate) struct Translation;

impl Kind for Translation {
    const DATA: &'static str = NUMBERS;

    type Config = Seq2SeqConfig;
    type Language = Vocabulary;
    type Network = Seq2Seq;
    type Answers = Translator;

    fn check(config: &Seq2SeqConfig) -> Result<(), String> {
        config.check()
    }

    fn fits(config: &Seq2SeqConfig, vocabulary: &Vocabulary) -> Result<(), String> {
        same_sizes(&[config.tokens], &[vocabulary.len()], &["tokens"])
    }

    fn network(config: &Seq2SeqConfig, device: &Device) -> Seq2Seq {
        config.init(device)
    }

    fn answers(network: Seq2Seq, run: Run<Self>, device: &Device) -> Result<Translator> {
        Ok(Translator::new(network, run.language, run.config.longest, device))
    }

    fn parameters(&self, device: &Device) -> usize {
        Seq2SeqConfig::new(TOKENS).init(device).num_params()
    }
}
