//! Character language model: Karpathy, "The Unreasonable Effectiveness of Recurrent Neural
//! Networks", 2015; the network is that of Graves, arXiv:1308.0850, section 2, without its skip
//! connections. It reads characters and predicts, after each, how probable every next one is.

use crate::recurrent::{Cell, Stack, StackConfig, State};
use burn::module::{Initializer, Module};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, LinearConfig};
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::Linear;

/// The network's sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CharLmConfig {
    /// Tokens in the vocabulary.
    pub tokens: usize,
    /// The kind of cell.
    pub cell: Cell,
    /// Features of an embedded token.
    pub embedding: usize,
    /// Hidden units of a layer.
    pub hidden: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// Part of the values set to zero before, between and after the layers, in training.
    pub dropout: f64,
    /// Steps through which gradients flow back; the state goes on beyond them.
    pub steps: usize,
}

impl CharLmConfig {
    /// Two LSTM layers, under a million parameters for the characters of English.
    pub fn new(tokens: usize) -> Self {
        Self {
            tokens,
            cell: Cell::Lstm,
            embedding: 64,
            hidden: 264,
            layers: 2,
            dropout: 0.2,
            steps: 64,
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
            ("steps", self.steps),
        ];
        match sizes.into_iter().find(|(_, size)| !(1..=65_536).contains(size)) {
            Some((name, size)) => Err(format!("{name}: {size}, expected 1 to 65536")),
            None if !(0.0..1.0).contains(&self.dropout) => {
                Err(format!("dropout: {}, expected 0 up to below 1", self.dropout))
            }
            None => Ok(()),
        }
    }

    /// With random weights.
    pub fn init(&self, device: &Device) -> CharLm {
        let stack = StackConfig::new(self.cell, self.embedding, self.hidden)
            .with_layers(self.layers, self.dropout);
        let embedding = EmbeddingConfig::new(self.tokens, self.embedding)
            .with_initializer(Initializer::Normal { mean: 0.0, std: 0.1 });
        CharLm {
            embedding: embedding.init(device),
            recurrent: stack.init(device),
            output: LinearConfig::new(self.hidden, self.tokens).init(device).into(),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct CharLm {
    /// `[tokens, embedding]`
    pub embedding: Embedding,
    /// The layers.
    pub recurrent: Stack,
    /// `[hidden, tokens]`
    pub output: Linear,
    /// On what the layers read and write.
    pub dropout: Dropout,
}

impl CharLm {
    /// Of tokens, `[batch, steps]`, the logits of each next one, `[batch, steps, tokens]`, and
    /// the states to go on from.
    pub fn forward(
        &self,
        tokens: Tensor<2, Int>,
        states: Option<Vec<State>>,
    ) -> (Tensor<3>, Vec<State>) {
        let x = self.dropout.forward(self.embedding.forward(tokens)); // [batch, steps, embedding]
        let (x, states) = self.recurrent.forward(x, states, None); // [batch, steps, hidden]
        (self.output.forward(self.dropout.forward(x)), states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_halves_are_the_whole() {
        let device = tenfold_core::device::open("cpu").unwrap();
        for cell in [Cell::Rnn, Cell::Gru, Cell::Lstm] {
            let config = CharLmConfig { cell, hidden: 12, ..CharLmConfig::new(9) };
            config.check().unwrap();
            let network = config.init(&device);
            let tokens = Tensor::<2, Int>::from_ints([[4, 5, 6, 7, 8, 0]], &device);
            let (whole, _) = network.forward(tokens.clone(), None);
            let (first, states) = network.forward(tokens.clone().slice([0..1, 0..3]), None);
            let (second, _) = network.forward(tokens.slice([0..1, 3..6]), Some(states));
            let parts = Tensor::cat(vec![first, second], 1);
            let error: f32 = (whole - parts).abs().max().into_scalar();
            assert!(error < 1e-5, "{cell:?}: {error}");
        }
    }

    #[test]
    fn the_default_has_under_a_million_parameters() {
        let device = tenfold_core::device::open("cpu").unwrap();
        // Tiny Shakespeare has 65 characters.
        let network = CharLmConfig::new(69).init(&device);
        let count = network.num_params();
        assert!((800_000..1_000_000).contains(&count), "{count}");
    }
}
