//! A trained model that writes captions.

use super::data::Split;
use super::learn::{CaptionBatches, token_loss};
use crate::batch::{flat, images, mean_loss, numbers};
use crate::beam::{BEAM, Decoder, Hypothesis, Search};
use crate::models::caption::{CaptionConfig, CaptionNet, Memory};
use crate::vocab::{BEGIN, PAD, UNKNOWN, Vocabulary};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::{Input, Kind, Preprocess};
use tenfold_core::suggest::{Proposal, Propose, Suggest, Suggestion};
use tenfold_core::train::loader::Loader;

/// Images per batch.
const BATCH: usize = 64;

/// A trained model that writes captions.
pub struct Captioner {
    network: CaptionNet,
    pub(super) vocabulary: Vocabulary,
    pub(super) preprocess: Preprocess,
    /// Places along a side of an attention map.
    pub(super) grid: usize,
    longest: usize,
    device: Device,
    /// Beam size: hypotheses that are kept while it writes; 1 is greedy.
    pub beam: usize,
}

/// A caption.
#[derive(Clone, Debug)]
struct Caption {
    /// Its words.
    words: Vec<usize>,
    /// How sure the model is of a word, in geometric mean: a probability in 0..1.
    score: f32,
}

impl Captioner {
    /// From a network in hand, made by `config`, and its vocabulary.
    pub fn new(
        network: CaptionNet,
        vocabulary: Vocabulary,
        config: &CaptionConfig,
        device: &Device,
    ) -> Self {
        let encoder = config.image_encoder();
        Self {
            network,
            vocabulary,
            preprocess: encoder.preprocess(),
            grid: encoder.grid(),
            longest: config.longest,
            device: device.clone(),
            beam: BEAM,
        }
    }

    /// The mean loss of the words of each image's first caption, in nats.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn mean_loss(&self, split: &Split) -> Result<f64> {
        let preprocess = self.preprocess.clone();
        let batches = CaptionBatches::new(split, &self.vocabulary, preprocess, self.longest, false);
        let batches = Loader::new(Arc::new(batches), BATCH, self.device.clone());
        mean_loss(&batches, |batch| token_loss(&self.network, batch).0)
    }

    /// The caption that fits each image best, with a beam of this size.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn best(&self, split: &Split, beam: usize) -> Result<Vec<String>> {
        let all: Vec<usize> = (0..split.captions.len()).collect();
        let mut captions = Vec::new();
        for chunk in all.chunks(BATCH) {
            let values = split.images.preprocessed(chunk, &self.preprocess)?;
            for found in self.search(images(values, &self.preprocess, &self.device), beam)? {
                let best = found.first().map(|best| self.vocabulary.decode(&best.words));
                captions.push(best.unwrap_or_default());
            }
        }
        Ok(captions)
    }

    /// For each preprocessed image up to `beam` captions, best first by their score.
    fn search(&self, images: Tensor<4>, beam: usize) -> Result<Vec<Vec<Caption>>> {
        let rows = images.dims()[0];
        let search = Search { beam, longest: self.longest, alpha: 1.0 };
        let caption = |Hypothesis { tokens, log_probability, .. }: Hypothesis| {
            let score = (log_probability / (tokens.len() + 1) as f32).exp();
            Caption { words: tokens, score }
        };
        let found = search.run(self, self.network.encode(images), rows)?;
        let ranked = found.into_iter().map(|all| {
            let mut all: Vec<Caption> = all.into_iter().map(caption).collect();
            all.sort_by(|a, b| b.score.total_cmp(&a.score));
            all
        });
        Ok(ranked.collect())
    }

    /// The attention weights before each word of a caption, `grid * grid` for each; none where
    /// the network does not attend.
    ///
    /// # Errors
    /// The device.
    pub fn attention(&self, image: Tensor<4>, words: &[usize]) -> Result<Option<Vec<Vec<f32>>>> {
        let words: Vec<i32> = [BEGIN].iter().chain(words).map(|&word| word as i32).collect();
        let shape = [1, words.len()];
        let words = Tensor::from_data(TensorData::new(words, shape), &self.device);
        let (_, weights) = self.network.read(words, &mut self.network.encode(image));
        let places = self.grid * self.grid;
        let weights = weights.map(numbers).transpose()?;
        Ok(weights.map(|weights| weights.chunks(places).map(<[f32]>::to_vec).collect()))
    }

    pub(super) fn preprocessed(&self, inputs: &[&Input]) -> Result<Tensor<4>> {
        let values = inputs.iter().map(|input| self.preprocess.apply(input));
        let values = values.collect::<Result<Vec<_>>>()?.concat();
        Ok(images(values, &self.preprocess, &self.device))
    }
}

impl Suggest<Input> for Captioner {
    /// Captions of images.
    fn suggest(&self, inputs: &[&Input], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let suggestion =
            |own: &Caption| Suggestion::text(self.vocabulary.decode(&own.words), own.score);
        let found = self.search(self.preprocessed(inputs)?, self.beam)?;
        Ok(found.iter().map(|all| all.iter().take(top).map(suggestion).collect()).collect())
    }
}

impl Propose for Captioner {
    fn kind(&self) -> Kind {
        let [channels, height, width] = self.preprocess.shape();
        Kind::Images { channels, height, width }
    }

    /// There is no list of all captions.
    fn labels(&self) -> &[String] {
        &[]
    }

    fn preprocess(&self) -> Option<&Preprocess> {
        Some(&self.preprocess)
    }

    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>> {
        Ok(self.suggest(inputs, top)?.into_iter().map(Proposal::alternatives).collect())
    }
}

impl Decoder for Captioner {
    type State = Memory;

    fn step(&self, last: &[usize], state: &Memory) -> Result<(Vec<f32>, Memory)> {
        let words: Vec<i32> = last.iter().map(|&word| word as i32).collect();
        let words = Tensor::from_data(TensorData::new(words, [last.len(), 1]), &self.device);
        let mut memory = state.clone();
        let (features, _) = self.network.read(words, &mut memory);
        let mut logs = numbers(log_softmax(self.network.logits(features), 1))?;
        let count = logs.len() / last.len().max(1);
        // No caption has these inside.
        for row in logs.chunks_mut(count.max(1)) {
            [PAD, UNKNOWN, BEGIN].into_iter().for_each(|word| row[word] = f32::NEG_INFINITY);
        }
        Ok((logs, memory))
    }

    fn select(&self, state: &Memory, rows: &[usize]) -> Memory {
        state.select(&flat(rows.iter().map(|&row| row as i32).collect(), &self.device))
    }
}
