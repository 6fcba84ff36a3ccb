//! Word vectors: learnt from a text, asked for near words and analogies.

mod data;
mod learn;
#[cfg(feature = "cli")]
mod task;
mod vectors;

pub use data::{Corpus, KIN, open};
pub use learn::learner;
pub use vectors::{Table, Vectors};

use crate::config::same_sizes;
use crate::kind::{self, Kind, Run};
use crate::models::word2vec::{Architecture, Word2VecConfig};
use crate::vocab::{Unit, Vocabulary};
use burn::nn::EmbeddingConfig;
use burn::tensor::Device;
use std::path::Path;
use tenfold_core::Result;

/// Words of the vocabulary at most, unless `--set tokens=N` says otherwise.
const TOKENS: usize = 50_000;

impl Vectors {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn from_file(folder: &Path, device: &Device) -> Result<Self> {
        kind::open::<WordVectors>(folder, device)
    }
}

/// The kind of model.
pub(crate) struct WordVectors(pub Architecture);

impl Kind for WordVectors {
    const DATA: &'static str = KIN;

    type Config = Word2VecConfig;
    type Language = Vocabulary;
    type Network = Table;
    type Answers = Vectors;

    fn check(config: &Word2VecConfig) -> Result<(), String> {
        config.check()
    }

    fn fits(config: &Word2VecConfig, vocabulary: &Vocabulary) -> Result<(), String> {
        same_sizes(&[config.tokens], &[vocabulary.len()], &["words"])
    }

    fn network(config: &Word2VecConfig, device: &Device) -> Table {
        Table { embedding: EmbeddingConfig::new(config.tokens, config.dimensions).init(device) }
    }

    fn answers(table: Table, run: Run<Self>, _: &Device) -> Result<Vectors> {
        Vectors::of(&table, &run.language, run.config.dimensions)
    }

    fn parameters(&self, _: &Device) -> usize {
        let words = Vocabulary::build(Unit::Word, [data::kin().as_str()], TOKENS, 3).len();
        words * Word2VecConfig::new(self.0, words).dimensions
    }
}
