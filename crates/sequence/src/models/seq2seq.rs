//! Encoder-decoder with attention: Bahdanau, Cho, Bengio, "Neural Machine Translation by
//! Jointly Learning to Align and Translate", ICLR 2015, and Luong, Pham, Manning, "Effective
//! Approaches to Attention-based Neural Machine Translation", EMNLP 2015.
//!
//! Differs from the papers: GRUs in both; the output layer shares its weights with the embedding
//! of the target (Press and Wolf, EACL 2017). Of Luong's the "general" score, without input
//! feeding, so that a whole target sentence goes through the decoder at once. Of Bahdanau's the
//! readout is one tanh layer instead of a maxout.

use crate::recurrent::{Cell, Lengths, Stack, StackConfig, State};
use burn::module::{Initializer, Module};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::Cache;
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::{self, Activation};

/// How the decoder attends to the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// Before each step, by its last state: `v tanh(W s + U h)` (Bahdanau et al., appendix A.1.2).
    Bahdanau,
    /// After each step, by its new state: `s W h` (Luong et al., eq. 8, "general").
    Luong,
}

/// The network's sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seq2SeqConfig {
    /// Tokens of the vocabulary that both languages share.
    pub tokens: usize,
    /// How the decoder attends to the source.
    pub attention: Attention,
    /// Features of an embedded token.
    pub embedding: usize,
    /// Hidden units of the encoder in each direction; the decoder has twice as many.
    pub hidden: usize,
    /// Layers of the encoder.
    pub layers: usize,
    /// Part of the values set to zero, in training.
    pub dropout: f64,
    /// The part of a target's probability that training spreads over all tokens.
    pub smoothing: f32,
    /// Tokens of the longest sentence.
    pub longest: usize,
}

impl Seq2SeqConfig {
    /// Sizes for tens of thousands of sentences.
    pub fn new(tokens: usize) -> Self {
        Self {
            tokens,
            attention: Attention::Luong,
            embedding: 256,
            hidden: 256,
            layers: 1,
            dropout: 0.3,
            smoothing: 0.1,
            longest: 80,
        }
    }

    /// What no network can have.
    ///
    /// # Errors
    /// The field, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let sizes = [
            ("tokens", self.tokens),
            ("embedding", self.embedding),
            ("hidden", self.hidden),
            ("layers", self.layers),
            ("longest", self.longest),
        ];
        let fraction = |x: f64| (0.0..1.0).contains(&x);
        match sizes.into_iter().find(|(_, size)| !(1..=65_536).contains(size)) {
            Some((name, size)) => Err(format!("{name}: {size}, expected 1 to 65536")),
            None if !fraction(self.dropout) => {
                Err(format!("dropout: {}, expected 0 up to below 1", self.dropout))
            }
            None if !fraction(self.smoothing.into()) => {
                Err(format!("smoothing: {}, expected 0 up to below 1", self.smoothing))
            }
            None => Ok(()),
        }
    }

    /// With random weights.
    pub fn init(&self, device: &Device) -> Seq2Seq {
        let Self { tokens, embedding, hidden, .. } = *self;
        let outputs = 2 * hidden;
        let linear =
            |inputs, outputs| -> Linear { LinearConfig::new(inputs, outputs).init(device).into() };
        let bound = 1.0 / (embedding as f64).sqrt();
        let embedded = || {
            EmbeddingConfig::new(tokens, embedding)
                .with_initializer(Initializer::Normal { mean: 0.0, std: bound })
                .init(device)
        };
        let encoder = StackConfig::new(Cell::Gru, embedding, hidden)
            .with_layers(self.layers, self.dropout)
            .bidirectional();
        let (read, seen) = match self.attention {
            Attention::Luong => (embedding, outputs + outputs),
            Attention::Bahdanau => (embedding + outputs, outputs + outputs + embedding),
        };
        Seq2Seq {
            source: embedded(),
            target: embedded(),
            encoder: encoder.init(device),
            bridge: linear(outputs, outputs),
            decoder: StackConfig::new(Cell::Gru, read, outputs).init(device),
            keys: linear(outputs, outputs),
            query: linear(outputs, outputs),
            energy: linear(outputs, 1),
            readout: linear(seen, embedding),
            dropout: DropoutConfig::new(self.dropout).init(),
            bahdanau: self.attention == Attention::Bahdanau,
            cache: Cache::default(),
        }
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Seq2Seq {
    /// Of the source, `[tokens, embedding]`.
    pub source: Embedding,
    /// Of the target, `[tokens, embedding]`; the output layer too.
    pub target: Embedding,
    /// Both ways over the source.
    pub encoder: Stack,
    /// From the encoder's last states to the decoder's first.
    pub bridge: Linear,
    /// Along the target.
    pub decoder: Stack,
    /// Of each place of the source what it is found by.
    pub keys: Linear,
    /// The query of a decoder's state; Bahdanau's only.
    pub query: Linear,
    /// How well both fit; Bahdanau's only.
    pub energy: Linear,
    /// From state and context to features of the next token.
    pub readout: Linear,
    /// On embeddings and on what the output layer sees.
    pub dropout: Dropout,
    /// Which attention.
    pub bahdanau: bool,
    #[module(skip)]
    cache: Cache,
}

/// A batch of sources, read.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// `[batch, steps, outputs]`
    outputs: Tensor<3>,
    /// `[batch, steps, outputs]`
    keys: Tensor<3>,
    /// `[batch, steps]`: 0 on a token, very low on padding.
    bias: Tensor<2>,
    /// The decoder's state, `[batch, outputs]`.
    state: Tensor<2>,
}

impl Encoded {
    /// The same sources, the decoder in another state.
    pub fn at(&self, state: Tensor<2>) -> Self {
        Self { state, ..self.clone() }
    }

    /// These rows, which may repeat.
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let three = |x: &Tensor<3>| x.clone().select(0, rows.clone());
        let two = |x: &Tensor<2>| x.clone().select(0, rows.clone());
        Self {
            outputs: three(&self.outputs),
            keys: three(&self.keys),
            bias: two(&self.bias),
            state: two(&self.state),
        }
    }
}

/// What the decoder says of a piece of the target.
pub struct Decoded {
    /// What the output layer takes, `[batch, steps, embedding]`.
    pub features: Tensor<3>,
    /// The attention weights of each step on each place of the source, `[batch, steps, source steps]`.
    pub attention: Tensor<3>,
    /// The state after it, `[batch, outputs]`.
    pub state: Tensor<2>,
}

impl Seq2Seq {
    /// Reads sources, `[batch, steps]`; `bias`, `[batch, steps]`, is 0 on tokens and very low
    /// on padding.
    pub fn encode(&self, tokens: Tensor<2, Int>, bias: Tensor<2>, lengths: &Lengths) -> Encoded {
        let x = self.dropout.forward(self.source.forward(tokens));
        let (outputs, states) = self.encoder.forward(x, None, Some(lengths));
        let top: Vec<_> =
            states[states.len() - 2..].iter().map(|state| state.hidden.clone()).collect();
        let state = self.bridge.forward(Tensor::cat(top, 1)).tanh();
        let keys = self.keys.forward(outputs.clone());
        Encoded { outputs, keys, bias, state }
    }

    /// Reads a piece of the targets, `[batch, steps]`, from the state that `encoded` holds.
    pub fn decode(&self, encoded: &Encoded, tokens: Tensor<2, Int>) -> Decoded {
        let x = self.dropout.forward(self.target.forward(tokens)); // [batch, steps, embedding]
        match self.bahdanau {
            false => self.decode_at_once(encoded, x),
            true => self.decode_stepwise(encoded, x),
        }
    }

    fn decode_at_once(&self, encoded: &Encoded, x: Tensor<3>) -> Decoded {
        let state = State { hidden: encoded.state.clone(), cell: None };
        let (states, last) = self.decoder.forward(x, Some(vec![state]), None);
        let fit = states.clone().matmul(encoded.keys.clone().swap_dims(1, 2));
        let attention = softmax(fit + encoded.bias.clone().unsqueeze_dim(1), 2);
        let context = attention.clone().matmul(encoded.outputs.clone());
        let seen = self.dropout.forward(Tensor::cat(vec![context, states], 2));
        let features = self.readout.forward(seen).tanh();
        Decoded { features, attention, state: last[0].hidden.clone() }
    }

    fn decode_stepwise(&self, encoded: &Encoded, x: Tensor<3>) -> Decoded {
        let mut state = encoded.state.clone();
        let (mut features, mut all) = (Vec::new(), Vec::new());
        for x in x.iter_dim(1) {
            let query = self.query.forward(state.clone()).unsqueeze_dim::<3>(1);
            let fit = self.energy.forward((encoded.keys.clone() + query).tanh()); // [b, steps, 1]
            let attention = softmax(fit.squeeze_dim::<2>(2) + encoded.bias.clone(), 1);
            let attention = attention.unsqueeze_dim::<3>(1);
            let context = attention.clone().matmul(encoded.outputs.clone()); // [b, 1, outputs]
            let input = Tensor::cat(vec![x.clone(), context.clone()], 2);
            let first = State { hidden: state, cell: None };
            let (states, last) = self.decoder.forward(input, Some(vec![first]), None);
            state = last[0].hidden.clone();
            let seen = self.dropout.forward(Tensor::cat(vec![context, states, x], 2));
            features.push(self.readout.forward(seen).tanh());
            all.push(attention);
        }
        Decoded { features: Tensor::cat(features, 1), attention: Tensor::cat(all, 1), state }
    }

    /// The logits of the next tokens, `[rows, tokens]`, from features, `[rows, embedding]`.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        let weight = self.target.weight.val().transpose();
        let features = self.dropout.forward(features);
        ops::linear_cached(features, weight, None, Activation::Identity, &self.cache)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of two sources of 3 and 2 tokens.
    fn encoded(network: &Seq2Seq, device: &Device) -> Encoded {
        let tokens = Tensor::<2, Int>::from_ints([[4, 5, 6], [5, 4, 0]], device);
        let bias = Tensor::from_floats([[0.0, 0.0, 0.0], [0.0, 0.0, -1e9]], device);
        network.encode(tokens, bias, &Lengths::new(&[3, 2], 3, device))
    }

    fn close<const D: usize>(a: Tensor<D>, b: Tensor<D>) {
        let error: f32 = (a - b).abs().max().into_scalar();
        assert!(error < 1e-5, "{error}");
    }

    #[test]
    fn step_by_step_is_the_whole_and_padding_is_not_seen() {
        let device = tenfold_core::device::open("cpu").unwrap();
        for attention in [Attention::Luong, Attention::Bahdanau] {
            let sizes =
                Seq2SeqConfig { attention, embedding: 6, hidden: 5, ..Seq2SeqConfig::new(9) };
            sizes.check().unwrap();
            let network = sizes.init(&device);
            let source = encoded(&network, &device);
            let tokens = Tensor::<2, Int>::from_ints([[2, 4, 7], [2, 8, 4]], &device);
            let whole = network.decode(&source, tokens.clone());
            assert_eq!(whole.attention.dims(), [2, 3, 3]);
            let first = network.decode(&source, tokens.clone().slice([0..2, 0..1]));
            let rest = source.at(first.state);
            let rest = network.decode(&rest, tokens.clone().slice([0..2, 1..3]));
            close(Tensor::cat(vec![first.features, rest.features], 1), whole.features.clone());
            close(rest.state, whole.state);
            // The second source by itself, without its padding.
            let short = Tensor::<2, Int>::from_ints([[5, 4]], &device);
            let bias = Tensor::zeros([1, 2], &device);
            let alone = network.encode(short, bias, &Lengths::new(&[2], 2, &device));
            let alone = network.decode(&alone, tokens.slice([1..2, 0..3]));
            close(alone.features, whole.features.slice([1..2, 0..3, 0..6]));
            let padding: f32 = whole.attention.slice([1..2, 0..3, 2..3]).max().into_scalar();
            assert_eq!(padding, 0.0);
        }
    }
}
