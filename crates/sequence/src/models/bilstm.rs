//! Text classifier: Zhou et al., "Attention-Based Bidirectional Long Short-Term Memory Networks
//! for Relation Classification", ACL 2016. A layer reads the words both ways, attention weighs
//! what it read, and the weighted mean is classified.
//!
//! Differs from the paper: outputs of the two directions stand side by side instead of being
//! added, as in Yang et al., "Hierarchical Attention Networks", NAACL 2016, whose scores (eq. 5
//! and 6) are used.

use crate::batch::Sentences;
use crate::recurrent::{Cell, Stack, StackConfig};
use crate::vocab::Unit;
use burn::module::{Initializer, Module};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::Linear;

/// The network's sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BiLstmConfig {
    /// Words of the vocabulary.
    pub tokens: usize,
    /// Classes to tell.
    pub classes: usize,
    /// The kind of cell.
    pub cell: Cell,
    /// Features of an embedded word.
    pub embedding: usize,
    /// Hidden units of a layer and direction.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Part of the values set to zero, in training.
    pub dropout: f64,
    /// Part of the words that are taken for unknown, in training.
    pub word_dropout: f64,
    /// Words of the longest text.
    pub longest: usize,
    /// What counts as a word.
    #[serde(default = "words")]
    pub unit: Unit,
}

fn words() -> Unit {
    Unit::Word
}

impl BiLstmConfig {
    /// Sizes for thousands of texts.
    pub fn new(tokens: usize, classes: usize) -> Self {
        Self {
            tokens,
            classes,
            cell: Cell::Lstm,
            embedding: 64,
            hidden: 64,
            layers: 1,
            dropout: 0.5,
            word_dropout: 0.1,
            longest: 800,
            unit: words(),
        }
    }

    /// What no network can have.
    ///
    /// # Errors
    /// The field, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let sizes = [
            ("tokens", self.tokens),
            ("classes", self.classes),
            ("embedding", self.embedding),
            ("hidden", self.hidden),
            ("layers", self.layers),
            ("longest", self.longest),
        ];
        if let Some((name, size)) = sizes.into_iter().find(|(_, n)| !(1..=1_000_000).contains(n)) {
            return Err(format!("{name}: {size}, expected 1 to 1000000"));
        }
        let parts = [("dropout", self.dropout), ("word_dropout", self.word_dropout)];
        match parts.into_iter().find(|(_, part)| !(0.0..1.0).contains(part)) {
            Some((name, part)) => Err(format!("{name}: {part}, expected 0 up to below 1")),
            None => Ok(()),
        }
    }

    /// With random weights.
    pub fn init(&self, device: &Device) -> BiLstm {
        let stack = StackConfig::new(self.cell, self.embedding, self.hidden)
            .with_layers(self.layers, self.dropout)
            .bidirectional();
        let outputs = stack.outputs();
        let linear =
            |inputs, outputs| -> Linear { LinearConfig::new(inputs, outputs).init(device).into() };
        let embedding = EmbeddingConfig::new(self.tokens, self.embedding)
            .with_initializer(Initializer::Normal { mean: 0.0, std: 0.1 });
        BiLstm {
            embedding: embedding.init(device),
            recurrent: stack.init(device),
            attention: linear(outputs, outputs),
            context: linear(outputs, 1),
            output: linear(outputs, self.classes),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct BiLstm {
    /// `[tokens, embedding]`
    pub embedding: Embedding,
    /// Both ways over the words.
    pub recurrent: Stack,
    /// What a place says of itself.
    pub attention: Linear,
    /// How much that matters.
    pub context: Linear,
    /// To the classes.
    pub output: Linear,
    /// On the words and on the mean.
    pub dropout: Dropout,
}

impl BiLstm {
    /// Logits, `[batch, classes]`, and the attention weight of each word, `[batch, steps]`, which
    /// add up to 1 in each text.
    pub fn forward(&self, texts: Sentences) -> (Tensor<2>, Tensor<2>) {
        let Sentences { tokens, bias, lengths } = texts;
        let x = self.dropout.forward(self.embedding.forward(tokens)); // [batch, steps, embedding]
        let (x, _) = self.recurrent.forward(x, None, Some(&lengths)); // [batch, steps, outputs]
        let scores = self.context.forward(self.attention.forward(x.clone()).tanh());
        let weights = softmax(scores.squeeze_dim::<2>(2) + bias, 1); // [batch, steps]
        let mean = weights.clone().unsqueeze_dim::<3>(1).matmul(x); // [batch, 1, outputs]
        let logits = self.output.forward(self.dropout.forward(mean.squeeze_dim::<2>(1)));
        (logits, weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_and_padding_counts_for_nothing() {
        let device = tenfold_core::device::open("cpu").unwrap();
        for cell in [Cell::Rnn, Cell::Gru, Cell::Lstm] {
            let config = BiLstmConfig { cell, layers: 2, hidden: 7, ..BiLstmConfig::new(20, 3) };
            config.check().unwrap();
            let network = config.init(&device);
            let (long, short) = ([4, 5, 6, 7], [8, 9]);
            let (logits, weights) = network.forward(Sentences::new(&[&long, &short], &device));
            let (alone, _) = network.forward(Sentences::new(&[&short], &device));
            let error: f32 = (logits.slice([1..2, 0..3]) - alone).abs().max().into_scalar();
            assert!(error < 1e-6, "{cell:?}: {error}");
            let sums = weights.clone().sum_dim(1).into_data().try_to_vec::<f32>().unwrap();
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
            let padding: f32 = weights.slice([1..2, 2..4]).max().into_scalar();
            assert_eq!(padding, 0.0);
        }
    }
}
