//! Answers to questions about images, as a choice among known answers.
//!
//! - The product: S. Antol et al., "VQA: Visual Question Answering", ICCV (2015), section 4,
//!   "deeper LSTM Q + norm I": the image's features, normalised, and the question's states go
//!   to one space and are multiplied element by element.
//! - Stacked attention: Z. Yang et al., "Stacked Attention Networks for Image Question
//!   Answering", CVPR (2016), section 3: the question attends to the image twice.
//! - Phrases: see [`super::phrases`].
//!
//! The names of the modules' fields are names of weights in files that exist.
//!
//! Differs from the papers: the encoder learns with the rest, and a learnt vector tells each
//! place where it is. The product normalises the image's features over the batch instead of
//! to a length of one, under which a new encoder hardly learns; it takes the LSTM's last hidden
//! states without its cells, and has 512 common units where the paper has 1,024. A hidden layer
//! stands between stacked attention and the answers. States are smaller, for questions of few
//! words.

use super::image_encoder::{EncoderKind, ImageEncoder, ImageEncoderConfig, ImagePooling};
use super::phrases::Phrases;
use crate::recurrent::{Cell, Lengths, Stack, StackConfig};
use burn::module::{Initializer, Module};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::Activation;

/// How question and image are fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fusion {
    /// Their product, element by element.
    Product,
    /// Hops of attention, one after the other.
    Attention,
    /// Attention of each word with its neighbours.
    Phrases,
}

/// The network's choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VqaConfig {
    /// Words in the vocabulary.
    pub words: usize,
    /// How many answers there are to choose among.
    pub answers: usize,
    /// How question and image are fused.
    pub fusion: Fusion,
    /// Hops of attention one after the other, or the attention heads of a phrase.
    pub depth: usize,
    /// What encodes the image.
    pub encoder: EncoderKind,
    /// Rows and columns of the images.
    pub side: usize,
    /// Whose encoder it starts from, see [`ImageEncoder::started`]; its own where there is none.
    pub start: Option<PathBuf>,
    /// Features of a word.
    pub embedding: usize,
    /// Hidden units of an LSTM layer.
    pub hidden: usize,
    /// Units in which question and image are fused.
    pub common: usize,
    /// Part of the values set to zero, in training.
    pub dropout: f64,
}

impl VqaConfig {
    /// For images of so many rows and columns.
    pub fn new(
        words: usize,
        answers: usize,
        fusion: Fusion,
        encoder: EncoderKind,
        side: usize,
    ) -> Self {
        let (embedding, hidden) = (64, 64);
        // Attention has these for each place.
        let common = if fusion == Fusion::Product { 512 } else { 128 };
        Self {
            words,
            answers,
            fusion,
            depth: if fusion == Fusion::Phrases { 4 } else { 2 },
            encoder,
            side,
            start: None,
            embedding,
            hidden,
            common,
            dropout: 0.1,
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
            ("answers", self.answers),
            ("embedding", self.embedding),
            ("hidden", self.hidden),
            ("common", self.common),
        ];
        match sizes.into_iter().find(|(_, size)| !(1..=65_536).contains(size)) {
            Some((name, size)) => Err(format!("{name}: {size}, expected 1 to 65536")),
            None if !(1..=8).contains(&self.depth) => {
                Err(format!("depth: {}, expected 1 to 8", self.depth))
            }
            None if !(0.0..1.0).contains(&self.dropout) => {
                Err(format!("dropout: {}, expected 0 up to below 1", self.dropout))
            }
            None => self.image_encoder().check(),
        }
    }

    /// With random weights.
    pub fn init(&self, device: &Device) -> Vqa {
        let encoder = self.image_encoder();
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device).into();
        let common = self.common;
        let (layers, read) = match self.fusion {
            Fusion::Phrases => (1, self.embedding + Phrases::found(self.depth)),
            Fusion::Product | Fusion::Attention => (2, self.embedding),
        };
        let question = StackConfig::new(Cell::Lstm, read, self.hidden).with_layers(layers, 0.0);
        let embedding = EmbeddingConfig::new(self.words, self.embedding)
            .with_initializer(Initializer::Normal { mean: 0.0, std: 1.0 });
        let meeting = match self.fusion {
            Fusion::Product => FusionLayers::Product(Product {
                glance: encoder.pooling(common, device),
                picture: linear(common, common),
            }),
            Fusion::Attention => FusionLayers::Attention(Attention {
                picture: linear(encoder.features(), common),
                looks: (0..self.depth)
                    .map(|_| Hop {
                        place: linear(common, common / 2),
                        question: linear(common, common / 2),
                        score: linear(common / 2, 1),
                    })
                    .collect(),
            }),
            Fusion::Phrases => FusionLayers::Phrases(Phrases::new(
                encoder.features(),
                self.embedding,
                self.depth,
                device,
            )),
        };
        Vqa {
            eyes: encoder.init(device),
            embedding: embedding.init(device),
            recurrent: question.init(device),
            question: linear(layers * self.hidden, common),
            meeting,
            hidden: linear(common, common),
            output: linear(common, self.answers),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// Each of the networks.
#[derive(Module, Debug)]
pub struct Vqa {
    /// The encoder.
    pub eyes: ImageEncoder,
    /// `[words, embedding]`
    pub embedding: Embedding,
    /// The LSTM that reads the question, with what its phrases found.
    pub recurrent: Stack,
    /// From its last states to the common space.
    pub question: Linear,
    /// How question and image are fused.
    pub meeting: FusionLayers,
    /// Between the common space and the answers.
    pub hidden: Linear,
    /// `[common, answers]`
    pub output: Linear,
    /// Before the answers.
    pub dropout: Dropout,
}

/// How question and image are fused, as [`Fusion`] has it.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "the types say it")]
pub enum FusionLayers {
    Product(Product),
    Attention(Attention),
    Phrases(Phrases),
}

/// The product of the question with the whole image as one vector.
#[derive(Module, Debug)]
pub struct Product {
    /// The whole image.
    pub glance: ImagePooling,
    /// From it to the common space.
    pub picture: Linear,
}

/// Stacked attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// From each place to the common space.
    pub picture: Linear,
    /// One after the other.
    pub looks: Vec<Hop>,
}

/// One hop of stacked attention, equations 15 to 19.
#[derive(Module, Debug)]
pub struct Hop {
    /// From a place.
    pub place: Linear,
    /// From the question.
    pub question: Linear,
    /// To one number a place.
    pub score: Linear,
}

/// Questions of different lengths, and the image that each is about.
#[derive(Clone, Debug)]
pub struct Questions {
    /// `[questions, steps]`, padded.
    pub words: Tensor<2, Int>,
    /// Where they end.
    pub lengths: Lengths,
    /// `[questions]`, places in the batch of images.
    pub about: Tensor<1, Int>,
}

impl Vqa {
    /// Images `[images, 3, side, side]` and questions to logits `[questions, answers]`, and the
    /// attention weights of each hop, `[questions, places]`. Several questions share the work on
    /// an image.
    pub fn forward(&self, images: Tensor<4>, questions: Questions) -> (Tensor<2>, Vec<Tensor<2>>) {
        let Questions { words, lengths, about } = questions;
        let grid = self.eyes.forward(images); // [images, places, features]
        let mut words = self.embedding.forward(words); // [questions, steps, embedding]
        if let FusionLayers::Phrases(phrases) = &self.meeting {
            let found = phrases.forward(words.clone(), &lengths, grid.clone(), about.clone());
            words = Tensor::cat(vec![words, found], 2);
        }
        let (_, last) = self.recurrent.forward(words, None, Some(&lengths));
        let last = last.into_iter().map(|state| state.hidden).collect();
        let asked = Tensor::cat(last, 1); // [questions, layers * hidden]
        let asked = self.question.forward(asked).tanh(); // [questions, common]
        let mut weights = Vec::new();
        let joined = match &self.meeting {
            FusionLayers::Product(Product { glance, picture }) => {
                let image = picture.forward(glance.forward(grid)).tanh(); // [images, common]
                image.select(0, about) * asked // [questions, common]
            }
            FusionLayers::Attention(Attention { picture, looks }) => {
                let places = picture.forward(grid).tanh();
                let mut asked = asked;
                for hop in looks {
                    let (found, own) = hop.forward(&places, &about, asked.clone());
                    asked = asked + found;
                    weights.push(own);
                }
                asked
            }
            FusionLayers::Phrases(_) => asked,
        };
        let hidden = self.hidden.forward_with(self.dropout.forward(joined), Activation::Relu);
        (self.output.forward(self.dropout.forward(hidden)), weights)
    }
}

impl Hop {
    /// What `asked`, `[questions, common]`, finds among the `places` of its image, `[images,
    /// places, common]`, and the attention weights, `[questions, places]`.
    fn forward(
        &self,
        places: &Tensor<3>,
        about: &Tensor<1, Int>,
        asked: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let keys = self.place.forward(places.clone()).select(0, about.clone());
        let query = self.question.forward(asked).unsqueeze_dim(1); // [questions, 1, common / 2]
        let scores = self.score.forward((keys + query).tanh()).squeeze_dim::<2>(2);
        let weights = softmax(scores, 1); // [questions, places]
        let places = places.clone().select(0, about.clone());
        (weights.clone().unsqueeze_dim::<3>(1).matmul(places).squeeze_dim::<2>(1), weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_alike_alone_and_in_company() {
        let device = tenfold_core::device::open("cpu").unwrap();
        for (fusion, hops) in [(Fusion::Product, 0), (Fusion::Attention, 2), (Fusion::Phrases, 0)] {
            let config = VqaConfig::new(9, 5, fusion, EncoderKind::Small, 16);
            config.check().unwrap();
            let network = config.init(&device);
            let images = Tensor::random(
                [2, 3, 16, 16],
                burn::tensor::Distribution::Uniform(-1.0, 1.0),
                &device,
            );
            let questions = Questions {
                words: Tensor::from_ints([[4, 5, 6], [7, 8, 0], [4, 5, 6]], &device),
                lengths: Lengths::new(&[3, 2, 3], 3, &device),
                about: Tensor::from_ints([0, 1, 1], &device),
            };
            let (all, weights) = network.forward(images.clone(), questions);
            assert_eq!((all.dims(), weights.len()), ([3, 5], hops));
            let alone = Questions {
                words: Tensor::from_ints([[7, 8]], &device),
                lengths: Lengths::new(&[2], 2, &device),
                about: Tensor::from_ints([0], &device),
            };
            let (one, _) = network.forward(images.narrow(0, 1, 1), alone);
            let error: f32 = (all.narrow(0, 1, 1) - one).abs().max().into_scalar();
            assert!(error < 1e-4, "{fusion:?}: {error}");
        }
    }
}
