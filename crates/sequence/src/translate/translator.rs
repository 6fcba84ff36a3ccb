//! A trained model that translates.

use super::alignment::Alignment;
use super::data::Pair;
use super::learn;
use crate::batch::{Sentences, numbers, padded};
use crate::beam::{BEAM, Decoder, Hypothesis, Search};
use crate::models::seq2seq::{Encoded, Seq2Seq};
use crate::text;
use crate::vocab::{BEGIN, END, PAD, UNKNOWN, Vocabulary};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use tenfold_core::data::{Input, Kind};
use tenfold_core::progress::note;
use tenfold_core::suggest::{Proposal, Propose, Suggest, Suggestion};
use tenfold_core::{Error, Result};

/// Sentences per batch.
const BATCH: usize = 64;
/// Strength of the length normalisation.
const ALPHA: f32 = 0.6;

/// A trained model that translates.
pub struct Translator {
    network: Seq2Seq,
    vocabulary: Vocabulary,
    longest: usize,
    device: Device,
    /// Beam size: hypotheses that are kept of each sentence.
    pub beam: usize,
}

impl Decoder for Translator {
    type State = Encoded;

    fn step(&self, last: &[usize], state: &Encoded) -> Result<(Vec<f32>, Encoded)> {
        let tokens: Vec<i32> = last.iter().map(|&token| token as i32).collect();
        let rows = tokens.len();
        let tokens = Tensor::from_data(TensorData::new(tokens, [rows, 1]), &self.device);
        let decoded = self.network.decode(state, tokens);
        let [_, _, width] = decoded.features.dims();
        let logits = self.network.logits(decoded.features.reshape([rows, width]));
        let mut logs = numbers(log_softmax(logits, 1))?;
        // These are never written.
        for row in logs.chunks_mut(self.vocabulary.len()) {
            [PAD, BEGIN, UNKNOWN].into_iter().for_each(|token| row[token] = f32::NEG_INFINITY);
        }
        Ok((logs, state.at(decoded.state)))
    }

    fn select(&self, state: &Encoded, rows: &[usize]) -> Encoded {
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let count = rows.len();
        state.select(&Tensor::from_data(TensorData::new(rows, [count]), &self.device))
    }
}

impl Translator {
    /// From a network in hand, its vocabulary, and the tokens of the longest sentence.
    pub fn new(network: Seq2Seq, vocabulary: Vocabulary, longest: usize, device: &Device) -> Self {
        Self { network, vocabulary, longest, device: device.clone(), beam: BEAM }
    }

    /// The tokens of a source; what is too long is cut.
    fn source(&self, text: &str) -> Result<Vec<usize>> {
        let mut tokens = self.vocabulary.encode(text);
        tokens.truncate(self.longest);
        match tokens.is_empty() {
            true => Err(Error::argument("INPUT", "an empty text; expected a sentence")),
            false => Ok(tokens),
        }
    }

    /// The hypotheses of each source, best first, as many as the beam is wide.
    ///
    /// # Errors
    /// An empty text.
    pub fn translate(&self, texts: &[&str]) -> Result<Vec<Vec<Hypothesis>>> {
        self.search(texts, self.beam)
    }

    /// The best translation of each source with a beam of this size.
    ///
    /// # Errors
    /// An empty text.
    pub fn best(&self, texts: &[&str], beam: usize) -> Result<Vec<String>> {
        let text = |found: Vec<Hypothesis>| {
            let tokens = found.into_iter().next().map_or_else(Vec::new, |best| best.tokens);
            self.vocabulary.decode(&tokens)
        };
        Ok(self.search(texts, beam)?.into_iter().map(text).collect())
    }

    /// The mean loss of the targets' tokens, in nats.
    ///
    /// # Errors
    /// The device.
    pub fn mean_loss(&self, pairs: &[Pair]) -> Result<f64> {
        learn::mean_loss(&self.network, &self.vocabulary, pairs, self.longest, &self.device)
    }

    /// Notes on stderr which texts are longer than the model reads.
    pub fn tell_what_is_cut(&self, texts: &[&str]) {
        for text in texts {
            let count = self.vocabulary.encode(text).len();
            if count > self.longest {
                let longest = self.longest;
                note(format_args!("a text of {count} tokens is cut at {longest}: {text:.40} ..."));
            }
        }
    }

    /// Notes on stderr how many characters the model never saw.
    pub fn tell_what_is_unknown(&self, texts: &[&str]) {
        let unknown: Vec<String> =
            texts.iter().flat_map(|text| self.vocabulary.unknown(text).0).collect();
        if let Some(first) = unknown.first() {
            let count = unknown.len();
            note(format_args!("{count} characters are unknown to the model, such as `{first}`"));
        }
    }

    fn search(&self, texts: &[&str], beam: usize) -> Result<Vec<Vec<Hypothesis>>> {
        let sources: Result<Vec<_>> = texts.iter().map(|text| self.source(text)).collect();
        let sources = sources?;
        // Texts of like length together: less padding.
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|&i| sources[i].len());
        let mut all: Vec<Vec<Hypothesis>> = vec![Vec::new(); sources.len()];
        for chunk in order.chunks(BATCH) {
            let own: Vec<&[usize]> = chunk.iter().map(|&i| &sources[i][..]).collect();
            let longest = own.iter().map(|source| source.len()).max().unwrap_or(1);
            let Sentences { tokens, bias, lengths } = Sentences::new(&own, &self.device);
            let encoded = self.network.encode(tokens, bias, &lengths);
            // No translation is thrice as long, save of the shortest.
            let longest = (3 * longest + 10).min(self.longest);
            let search = Search { beam, longest, alpha: ALPHA };
            let found = search.run(self, encoded, chunk.len())?;
            chunk.iter().zip(found).for_each(|(&i, found)| all[i] = found);
        }
        Ok(all)
    }

    /// The attention weights of a translation: for each token of the target, its end included,
    /// the weight of each token of the source.
    ///
    /// # Errors
    /// An empty text.
    pub fn align(&self, text: &str, target: &[usize]) -> Result<Alignment> {
        let source = self.source(text)?;
        let Sentences { tokens, bias, lengths } = Sentences::new(&[&source], &self.device);
        let encoded = self.network.encode(tokens, bias, &lengths);
        let read: Vec<usize> = std::iter::once(BEGIN).chain(target.iter().copied()).collect();
        let steps = read.len();
        let read = padded(&[&read], steps, &self.device);
        let attention = self.network.decode(&encoded, read).attention;
        let name = |&token: &usize| self.vocabulary.tokens()[token].clone();
        Ok(Alignment {
            sources: source.iter().map(name).collect(),
            targets: target.iter().chain([&END]).map(name).collect(),
            weights: numbers(attention)?,
        })
    }
}

impl Suggest<str> for Translator {
    fn suggest(&self, texts: &[&str], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        // The whole sentence's probability falls with each word; that of a word, in geometric
        // mean, can be compared. The end counts as one.
        let suggestion = |found: Hypothesis| {
            let text = self.vocabulary.decode(&found.tokens);
            let mean = found.log_probability / (found.tokens.len() + 1) as f32;
            Suggestion::text(text, mean.exp())
        };
        let all = self.translate(texts)?.into_iter();
        Ok(all.map(|found| found.into_iter().take(top).map(suggestion).collect()).collect())
    }
}

impl Propose for Translator {
    fn kind(&self) -> Kind {
        Kind::Texts
    }

    /// There is no list of all sentences.
    fn labels(&self) -> &[String] {
        &[]
    }

    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>> {
        let texts = inputs.iter().map(text::of).collect::<Result<Vec<_>>>()?;
        Ok(self.suggest(&texts, top)?.into_iter().map(Proposal::alternatives).collect())
    }
}
