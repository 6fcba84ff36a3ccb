//! The training of a network that answers: batches in, the loss out.

use super::data::{Question, Split, Visual};
use super::language::Language;
use crate::batch::{accuracy, flat, images, padded};
use crate::checked::Checked;
use crate::config::RunConfig;
use crate::models::vqa::{Questions, Vqa, VqaConfig};
use crate::recurrent::Lengths;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor};
use std::collections::HashMap;
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::Preprocess;
use tenfold_core::device::autodiff_device;
use tenfold_core::train::loader::Collate;
use tenfold_core::train::{Learner, Loss, Supervised, drawn};
use tenfold_kernels::ops;

/// What learns answers as a configuration says.
///
/// # Errors
/// Weights to start from that do not fit; settings out of their range.
pub fn learner(
    run: &RunConfig<VqaConfig, Language>,
    data: &Visual,
    device: &Device,
) -> Result<Box<dyn Learner<Model = Checked<Vqa>>>> {
    let RunConfig { config, language, training, .. } = run;
    let (preprocess, train) = (config.image_encoder().preprocess(), data.splits.train.clone());
    let batches = QuestionBatches::new(train, language.clone(), preprocess, true);
    let device = autodiff_device(device, training.seed);
    let mut network = drawn(config.init(&device));
    if let Some(start) = &config.start {
        network.eyes = network.eyes.started(start)?;
    }
    let (batches, wrap) = (Arc::new(batches), Checked::wrapping(language)?);
    Ok(Box::new(Supervised::new(network, batches, training, &device, loss, wrap)?))
}

fn loss(network: &Vqa, batch: Batch) -> Loss {
    let [count] = batch.answers.dims();
    let (logits, _) = network.forward(batch.images, batch.questions);
    let loss = CrossEntropyLossConfig::new().init(&logits.device());
    let total = ops::cross_entropy(&loss, logits.clone(), batch.answers.clone());
    let accuracy = accuracy(logits, batch.answers);
    Loss { total: total.clone(), shown: vec![("loss", total), ("accuracy", accuracy)], count }
}

/// Images, each with all that is asked about it.
pub(super) struct QuestionBatches {
    split: Arc<Split>,
    language: Language,
    pub(super) places: HashMap<String, usize>,
    preprocess: Preprocess,
    /// Whether questions are left out whose answer cannot be chosen.
    known_only: bool,
}

impl QuestionBatches {
    pub(super) fn new(
        split: Arc<Split>,
        language: Language,
        preprocess: Preprocess,
        known_only: bool,
    ) -> Self {
        let answers = language.answers.iter().cloned().enumerate();
        let places = answers.map(|(place, answer)| (answer, place)).collect();
        Self { split, language, places, preprocess, known_only }
    }
}

/// A batch in ordinary memory.
pub(super) struct Host {
    images: Vec<f32>,
    sequences: Vec<Vec<usize>>,
    about: Vec<i32>,
    answers: Vec<i32>,
    questions: Vec<Question>,
}

/// Images, questions and answers.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// `[images, 3, side, side]`
    pub images: Tensor<4>,
    /// What is asked.
    pub questions: Questions,
    /// `[questions]`, places in the list of answers.
    answers: Tensor<1, Int>,
    /// The same in words.
    pub texts: Vec<Question>,
}

impl Collate for QuestionBatches {
    type Host = Host;
    type Batch = Batch;

    fn len(&self) -> usize {
        self.split.len()
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Host> {
        let images = self.split.images().preprocessed(examples, &self.preprocess)?;
        let (mut sequences, mut about, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        let mut questions = Vec::new();
        for (place, &index) in examples.iter().enumerate() {
            for question in self.split.questions(index, seed) {
                let answer = self.places.get(&question.answer);
                if self.known_only && answer.is_none() {
                    continue;
                }
                sequences.push(self.language.encode(&question.text));
                about.push(place as i32);
                answers.push(answer.copied().unwrap_or(0) as i32);
                questions.push(question);
            }
        }
        Ok(Host { images, sequences, about, answers, questions })
    }

    fn upload(&self, host: Host, device: &Device) -> Batch {
        Batch {
            images: images(host.images, &self.preprocess, device),
            questions: questions(&host.sequences, host.about, device),
            answers: flat(host.answers, device),
            texts: host.questions,
        }
    }
}

/// Questions on the device.
pub(super) fn questions(sequences: &[Vec<usize>], about: Vec<i32>, device: &Device) -> Questions {
    let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
    let steps = lengths.iter().copied().max().unwrap_or(1);
    let rows: Vec<&[usize]> = sequences.iter().map(Vec::as_slice).collect();
    Questions {
        words: padded(&rows, steps, device),
        lengths: Lengths::new(&lengths, steps, device),
        about: flat(about, device),
    }
}
