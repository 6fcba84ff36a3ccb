//! The training of a text classifier: batches in, the loss out.

use super::classifier::{Language, encode};
use super::data::{Document, Documents};
use crate::batch::{Sentences, accuracy, by_length, flat};
use crate::checked::Checked;
use crate::config::RunConfig;
use crate::models::bilstm::{BiLstm, BiLstmConfig};
use crate::vocab::UNKNOWN;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor};
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::device::autodiff_device;
use tenfold_core::train::loader::Collate;
use tenfold_core::train::{Learner, Loss, Supervised, drawn};
use tenfold_kernels::ops;

/// What learns the classes of texts as a configuration says.
///
/// # Errors
/// Settings out of their range.
pub fn learner(
    run: &RunConfig<BiLstmConfig, Language>,
    data: &Documents,
    device: &Device,
) -> Result<Box<dyn Learner<Model = Checked<BiLstm>>>> {
    let RunConfig { config, language, training, .. } = run;
    let encode = |(text, class): &Document| (encode(&language.words, text, config.longest), *class);
    let texts = data.splits.train.iter().map(encode).collect();
    let batches = Arc::new(Texts { texts, word_dropout: config.word_dropout });
    let device = autodiff_device(device, training.seed);
    let network = drawn(config.init(&device));
    let wrap = Checked::wrapping(language)?;
    Ok(Box::new(Supervised::new(network, batches, training, &device, loss, wrap)?))
}

fn loss(network: &BiLstm, batch: Batch) -> Loss {
    let [count] = batch.classes.dims();
    let (logits, _) = network.forward(batch.texts);
    let loss = CrossEntropyLossConfig::new().init(&logits.device());
    let total = ops::cross_entropy(&loss, logits.clone(), batch.classes.clone());
    let accuracy = accuracy(logits, batch.classes);
    Loss { total: total.clone(), shown: vec![("loss", total), ("accuracy", accuracy)], count }
}

/// Makes batches of texts of similar length.
struct Texts {
    texts: Vec<(Vec<usize>, usize)>,
    word_dropout: f64,
}

/// Texts and what they are.
#[derive(Clone, Debug)]
struct Batch {
    texts: Sentences,
    /// `[batch]`
    classes: Tensor<1, Int>,
}

impl Collate for Texts {
    type Host = Vec<(Vec<usize>, usize)>;
    type Batch = Batch;

    fn len(&self) -> usize {
        self.texts.len()
    }

    fn arrange(&self, order: Vec<usize>, batch_size: usize, random: &mut SplitMix64) -> Vec<usize> {
        by_length(order, batch_size, random, |i| self.texts[i].0.len())
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host> {
        let example = |&i: &usize| {
            let (mut tokens, class) = self.texts[i].clone();
            let mut random = SplitMix64::keyed(&[seed, i as u64]);
            for token in &mut tokens {
                if f64::from(random.unit()) < self.word_dropout {
                    *token = UNKNOWN;
                }
            }
            (tokens, class)
        };
        Ok(examples.iter().map(example).collect())
    }

    fn upload(&self, host: Self::Host, device: &Device) -> Batch {
        let texts: Vec<&[usize]> = host.iter().map(|(tokens, _)| &tokens[..]).collect();
        let classes = host.iter().map(|&(_, class)| class as i32).collect();
        Batch { texts: Sentences::new(&texts, device), classes: flat(classes, device) }
    }
}
