//! A trained model that classifies texts.

use super::table;
use crate::batch::{Sentences, numbers};
use crate::config::Columns;
use crate::models::bilstm::BiLstm;
use crate::text;
use crate::vocab::{UNKNOWN, Vocabulary};
use burn::tensor::Device;
use burn::tensor::activation::softmax;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::data::{Input, Kind};
use tenfold_core::progress::note;
use tenfold_core::suggest::{Proposal, Propose, Suggest, Suggestion, rank};

/// Texts per batch.
const BATCH: usize = 32;

/// What a text classifier reads and says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Language {
    /// The words that it knows.
    pub words: Vocabulary,
    /// The classes.
    pub labels: Vec<String>,
}

/// A text's words by number; at least one, so that there is something to read.
pub(super) fn encode(words: &Vocabulary, text: &str, longest: usize) -> Vec<usize> {
    let mut tokens = words.encode(text);
    tokens.truncate(longest);
    if tokens.is_empty() {
        tokens.push(UNKNOWN);
    }
    tokens
}

/// A trained model that classifies texts.
pub struct TextClassifier {
    network: BiLstm,
    language: Language,
    longest: usize,
    device: Device,
    /// Those of the table it learnt from, by which others are read.
    pub columns: Columns,
}

/// What the model finds in a text.
#[derive(Clone, Debug)]
pub struct Classified {
    /// The probability of each class.
    pub probabilities: Vec<f32>,
    /// The text's words in order, and the attention weight of each; they add up to 1.
    pub words: Vec<(String, f32)>,
}

impl TextClassifier {
    /// From a network in hand, its vocabulary, and the words of the longest text.
    pub fn new(network: BiLstm, language: Language, longest: usize, device: &Device) -> Self {
        let (device, columns) = (device.clone(), Columns::default());
        Self { network, language, longest, device, columns }
    }

    /// The words that it knows.
    pub fn words(&self) -> &Vocabulary {
        &self.language.words
    }

    /// The class of each text, and the words that it follows from.
    ///
    /// # Errors
    /// The device.
    pub fn classify(&self, texts: &[&str]) -> Result<Vec<Classified>> {
        let mut all: Vec<Option<Classified>> = vec![None; texts.len()];
        let tokens: Vec<Vec<usize>> =
            texts.iter().map(|text| encode(&self.language.words, text, self.longest)).collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| tokens[i].len());
        for chunk in order.chunks(BATCH) {
            let own: Vec<&[usize]> = chunk.iter().map(|&i| &tokens[i][..]).collect();
            let (logits, weights) = self.network.forward(Sentences::new(&own, &self.device));
            let [_, steps] = weights.dims();
            let (probabilities, weights) = (numbers(softmax(logits, 1))?, numbers(weights)?);
            let rows = probabilities.chunks(self.language.labels.len()).zip(weights.chunks(steps));
            for (&i, (probabilities, weights)) in chunk.iter().zip(rows) {
                let words = self.language.words.split(texts[i]).into_iter();
                all[i] = Some(Classified {
                    probabilities: probabilities.to_vec(),
                    words: words.zip(weights.iter().copied()).collect(),
                });
            }
        }
        Ok(all.into_iter().flatten().collect())
    }
}

impl Suggest<str> for TextClassifier {
    fn suggest(&self, texts: &[&str], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        let all = self.classify(texts)?.into_iter();
        Ok(all.map(|own| rank(&own.probabilities, &self.language.labels, top)).collect())
    }
}

impl Propose for TextClassifier {
    fn kind(&self) -> Kind {
        Kind::Texts
    }

    fn labels(&self) -> &[String] {
        &self.language.labels
    }

    fn texts(&self, file: &Path) -> Result<Option<Vec<String>>> {
        let Some(table) = table::texts(file, &self.columns, None)? else { return Ok(None) };
        table.said.into_iter().for_each(note);
        Ok(Some(table.rows))
    }

    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>> {
        let texts = inputs.iter().map(text::of).collect::<Result<Vec<_>>>()?;
        Ok(self.suggest(&texts, top)?.into_iter().map(Proposal::alternatives).collect())
    }
}
