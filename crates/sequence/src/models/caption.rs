//! Captions of images.
//!
//! - Show and Tell: O. Vinyals, A. Toshev, S. Bengio, D. Erhan, CVPR (2015): the image is
//!   the first word that an LSTM reads, equations 10 to 12.
//! - Show, Attend and Tell: K. Xu et al., ICML (2015), with soft attention, section 4.2: before
//!   each word the network attends to the places that matter for it.
//!
//! Differs from the papers:
//! - the encoder learns with the rest: drawings instead of photographs, five convolutions
//!   instead of GoogLeNet or VGG; a learnt vector tells each place where it is;
//! - the penalty on attention asks for `words / places` instead of 1 a place (equation 14), as
//!   its authors' program does, with a weight of 0.01: most of a drawing is ground.

use super::image_encoder::{EncoderKind, ImageEncoder, ImageEncoderConfig, ImagePooling};
use crate::recurrent::{Cell, Stack, StackConfig, State};
use burn::module::{Initializer, Module};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, LinearConfig};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tenfold_kernels::nn::Linear;

/// Units of the vector that stands for the whole image in Show and Tell.
const POOLED: usize = 512;

/// The network's choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptionConfig {
    /// Words in the vocabulary.
    pub words: usize,
    /// Whether it attends to the image before each word.
    pub attends: bool,
    /// What encodes the image.
    pub encoder: EncoderKind,
    /// Rows and columns of the images.
    pub side: usize,
    /// Whose encoder it starts from, see [`ImageEncoder::started`]; its own where there is none.
    pub start: Option<PathBuf>,
    /// Features of a word.
    pub embedding: usize,
    /// Hidden units of the LSTM.
    pub hidden: usize,
    /// Units in which attention compares a place with the state.
    pub attention: usize,
    /// Part of the values set to zero, in training.
    pub dropout: f64,
    /// Weight of the penalty on attention.
    pub penalty: f64,
    /// The longest sentence it writes, in words.
    pub longest: usize,
}

impl CaptionConfig {
    /// For images of so many rows and columns.
    pub fn new(words: usize, attends: bool, encoder: EncoderKind, side: usize) -> Self {
        Self {
            words,
            attends,
            encoder,
            side,
            start: None,
            embedding: 96,
            hidden: 256,
            attention: 96,
            dropout: 0.2,
            penalty: 0.01,
            longest: 24,
        }
    }

    /// The encoder's own choices.
    pub fn image_encoder(&self) -> ImageEncoderConfig {
        ImageEncoderConfig { encoder: self.encoder, side: self.side }
    }

    /// What no network can have.
    ///
    /// # Errors
    /// The field, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let sizes = [
            ("words", self.words),
            ("embedding", self.embedding),
            ("hidden", self.hidden),
            ("attention", self.attention),
            ("longest", self.longest),
        ];
        match sizes.into_iter().find(|(_, size)| !(1..=65_536).contains(size)) {
            Some((name, size)) => Err(format!("{name}: {size}, expected 1 to 65536")),
            None if !(0.0..1.0).contains(&self.dropout) => {
                Err(format!("dropout: {}, expected 0 up to below 1", self.dropout))
            }
            None if !(0.0..=1e3).contains(&self.penalty) => {
                Err(format!("penalty: {}, expected 0 to 1000", self.penalty))
            }
            None => self.image_encoder().check(),
        }
    }

    /// With random weights.
    pub fn init(&self, device: &Device) -> CaptionNet {
        let encoder = self.image_encoder();
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device).into();
        let (features, hidden) = (encoder.features(), self.hidden);
        let attention = self.attends.then(|| Attention {
            key: linear(features, self.attention),
            query: linear(hidden, self.attention),
            score: linear(self.attention, 1),
            first_hidden: linear(features, hidden),
            first_cell: linear(features, hidden),
            gate: linear(hidden, features),
            seen: linear(features, self.embedding),
        });
        let inputs = self.embedding + if self.attends { features } else { 0 };
        let embedding = EmbeddingConfig::new(self.words, self.embedding)
            .with_initializer(Initializer::Normal { mean: 0.0, std: 0.1 });
        CaptionNet {
            eyes: encoder.init(device),
            picture: (!self.attends)
                .then(|| (encoder.pooling(POOLED, device), linear(POOLED, self.embedding))),
            attention,
            embedding: embedding.init(device),
            recurrent: StackConfig::new(Cell::Lstm, inputs, hidden).init(device),
            state: linear(hidden, self.embedding),
            output: linear(self.embedding, self.words),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// Either network.
#[derive(Module, Debug)]
pub struct CaptionNet {
    /// The encoder.
    pub eyes: ImageEncoder,
    /// Show and Tell: from the whole image to the LSTM's first word.
    pub picture: Option<(ImagePooling, Linear)>,
    /// Show, Attend and Tell: where to attend.
    pub attention: Option<Attention>,
    /// `[words, embedding]`
    pub embedding: Embedding,
    /// The LSTM.
    pub recurrent: Stack,
    /// From its state to the features of a word, `L_h` of equation 7.
    pub state: Linear,
    /// From these to the words, `L_o`.
    pub output: Linear,
    /// On words that are read and states that words follow from.
    pub dropout: Dropout,
}

/// Soft attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// From a place's features.
    pub key: Linear,
    /// From the state.
    pub query: Linear,
    /// To one number a place.
    pub score: Linear,
    /// From the mean of all places to the first state.
    pub first_hidden: Linear,
    /// The same to the first cell.
    pub first_cell: Linear,
    /// How much of the context counts, section 4.2.1.
    pub gate: Linear,
    /// From the context to the features of a word, `L_z` of equation 7.
    pub seen: Linear,
}

/// What the decoder keeps from word to word, for each sentence.
#[derive(Clone, Debug)]
pub struct Memory {
    state: Vec<State>,
    /// `[batch, places, features]` and `[batch, places, attention]`, where it attends.
    places: Option<(Tensor<3>, Tensor<3>)>,
}

impl Memory {
    /// That of some sentences, places in the batch.
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let pick = |x: &Tensor<3>| x.clone().select(0, rows.clone());
        Self {
            state: self.state.iter().map(|state| state.select(rows)).collect(),
            places: self.places.as_ref().map(|(grid, keys)| (pick(grid), pick(keys))),
        }
    }
}

impl CaptionNet {
    /// What is known of images `[batch, 3, side, side]` before the first word.
    pub fn encode(&self, images: Tensor<4>) -> Memory {
        let grid = self.eyes.forward(images); // [batch, places, features]
        match (&self.attention, &self.picture) {
            (Some(attention), _) => {
                let mean = grid.clone().mean_dim(1).squeeze_dim::<2>(1); // [batch, features]
                let hidden = attention.first_hidden.forward(mean.clone()).tanh();
                let cell = Some(attention.first_cell.forward(mean).tanh());
                let keys = attention.key.forward(grid.clone()); // [batch, places, attention]
                Memory { state: vec![State { hidden, cell }], places: Some((grid, keys)) }
            }
            (None, Some((pooling, to_word))) => {
                let first = to_word.forward(pooling.forward(grid)); // [batch, embedding]
                let first = first.unsqueeze_dim(1);
                let (_, state) = self.recurrent.forward(first, None, None);
                Memory { state, places: None }
            }
            (None, None) => unreachable!("one of them is always there"),
        }
    }

    /// Reads `words`, `[batch, steps]`, on from `memory`. Gives, flat, `[batch * steps,
    /// embedding]`, what [`CaptionNet::logits`] turns into the next words, and the attention
    /// weights before each, `[batch, steps, places]`.
    pub fn read(
        &self,
        words: Tensor<2, Int>,
        memory: &mut Memory,
    ) -> (Tensor<2>, Option<Tensor<3>>) {
        let words = self.dropout.forward(self.embedding.forward(words));
        let [batch, steps, embedding] = words.dims();
        let flat = |x: Tensor<3>| x.flatten::<2>(0, 1);
        let state = Some(std::mem::take(&mut memory.state));
        let (Some(attention), Some((grid, keys))) = (&self.attention, &memory.places) else {
            let (states, last) = self.recurrent.forward(words, state, None);
            memory.state = last;
            let states = self.dropout.forward(flat(states)); // [batch * steps, hidden]
            return (self.state.forward(states), None);
        };
        let mut state = state;
        let (mut outputs, mut contexts, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for step in 0..steps {
            let word = words.clone().slice([0..batch, step..step + 1, 0..embedding]);
            let hidden = state.as_ref().map(|state| state[0].hidden.clone());
            let hidden = hidden.unwrap_or_else(|| unreachable!("`encode` made one"));
            let (context, own) = attention.attend(grid, keys, hidden);
            let input = Tensor::cat(vec![word, context.clone().unsqueeze_dim(1)], 2);
            let (output, next) = self.recurrent.forward(input, state.take(), None);
            state = Some(next);
            outputs.push(output); // [batch, 1, hidden]
            contexts.push(context.unsqueeze_dim::<3>(1)); // [batch, 1, features]
            weights.push(own.unsqueeze_dim::<3>(1)); // [batch, 1, places]
        }
        memory.state = state.unwrap_or_default();
        let states = self.dropout.forward(flat(Tensor::cat(outputs, 1)));
        let contexts = self.dropout.forward(flat(Tensor::cat(contexts, 1)));
        let features = flat(words) + self.state.forward(states) + attention.seen.forward(contexts);
        (features, Some(Tensor::cat(weights, 1)))
    }

    /// The logits of the next words, `[rows, words]`.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        self.output.forward(features)
    }
}

impl Attention {
    /// The context, `[batch, features]`, and the attention weights, `[batch, places]`, for
    /// states `[batch, hidden]`.
    fn attend(
        &self,
        grid: &Tensor<3>,
        keys: &Tensor<3>,
        hidden: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let query = self.query.forward(hidden.clone()).unsqueeze_dim(1); // [batch, 1, attention]
        let scores = self.score.forward((keys.clone() + query).tanh()); // [batch, places, 1]
        let weights = softmax(scores.squeeze_dim::<2>(2), 1); // [batch, places]
        // [batch, 1, places] x [batch, places, features]
        let context =
            weights.clone().unsqueeze_dim::<3>(1).matmul(grid.clone()).squeeze_dim::<2>(1);
        let gate = sigmoid(self.gate.forward(hidden)); // [batch, features]
        (context * gate, weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_by_word_is_the_same_as_all_at_once() {
        let device = tenfold_core::device::open("cpu").unwrap();
        for attends in [false, true] {
            let config = CaptionConfig::new(11, attends, EncoderKind::Small, 16);
            config.check().unwrap();
            let network = config.init(&device);
            let images = Tensor::random(
                [2, 3, 16, 16],
                burn::tensor::Distribution::Uniform(-1.0, 1.0),
                &device,
            );
            let words = Tensor::<2, Int>::from_ints([[2, 5, 7], [2, 6, 9]], &device);
            let (features, weights) =
                network.read(words.clone(), &mut network.encode(images.clone()));
            let all = network.logits(features).reshape([2, 3, 11]);
            assert_eq!(weights.is_some(), attends);
            if let Some(weights) = weights {
                let sums: f32 = weights.sum().into_scalar();
                assert!((sums - 6.0).abs() < 1e-4, "each word's weights add up to one: {sums}");
            }
            let mut memory = network.encode(images).select(&Tensor::from_ints([0, 1], &device));
            for step in 0..3 {
                let word = words.clone().slice([0..2, step..step + 1]);
                let (features, _) = network.read(word, &mut memory);
                let own = all.clone().slice([0..2, step..step + 1, 0..11]).squeeze_dim::<2>(1);
                let error: f32 = (network.logits(features) - own).abs().max().into_scalar();
                assert!(error < 1e-5, "{attends} {step}: {error}");
            }
        }
    }
}
