//! The training of a network that answers: batches in, the loss and its gradients out.

use super::data::{Question, Split};
use super::{Config, Language};
use crate::captioning::uploaded;
use crate::job::Job;
use crate::models::vqa::{Questions, Vqa, VqaConfig};
use crate::recurrent::Lengths;
use crate::vocab::PAD;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use std::collections::HashMap;
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::Preprocess;
use tenfold_core::train::Trainable;
use tenfold_core::train::history::History;
use tenfold_core::train::loader::Collate;
use tenfold_kernels::ops;

/// Trains as the job says.
///
/// # Errors
/// As [`tenfold_core::train::fit`].
pub(super) fn learn(
    job: &Job<VqaConfig, Language>,
    train: Split,
    validation: Split,
) -> Result<History> {
    let Config { config, language, .. } = &job.config;
    let asked = |split, known_only| {
        let preprocess = config.eyes().preprocess();
        Arc::new(AskedAbout::new(split, language.clone(), preprocess, known_only))
    };
    let mut network = config.init(&job.tape()).materialize();
    if let Some(start) = &config.start {
        network.eyes = network.eyes.started(start)?;
    }
    job.fit(Learner { network }, asked(train, true), asked(validation, true), |builder| {
        builder.metrics((LossMetric::new(), AccuracyMetric::new()))
    })
}

/// Pictures, each with all that is asked about it.
pub(super) struct AskedAbout {
    split: Split,
    language: Language,
    places: HashMap<String, usize>,
    preprocess: Preprocess,
    /// Whether questions are left out whose answer cannot be chosen.
    known_only: bool,
}

impl AskedAbout {
    pub(super) fn new(
        split: Split,
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
    pictures: Vec<f32>,
    sequences: Vec<Vec<usize>>,
    about: Vec<i32>,
    answers: Vec<i32>,
    questions: Vec<Question>,
}

/// Pictures, questions and answers.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// `[pictures, 3, side, side]`
    pub pictures: Tensor<4>,
    /// What is asked.
    pub questions: Questions,
    /// `[questions]`, places in the list of answers.
    answers: Tensor<1, Int>,
    /// The same in words.
    pub texts: Vec<Question>,
}

impl Collate for AskedAbout {
    type Host = Host;
    type Batch = Batch;

    fn len(&self) -> usize {
        self.split.len()
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Host> {
        let pictures = self.split.pictures().prepared(examples, &self.preprocess)?;
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
        Ok(Host { pictures, sequences, about, answers, questions })
    }

    fn upload(&self, host: Host, device: &Device) -> Batch {
        Batch {
            pictures: uploaded(host.pictures, &self.preprocess, device),
            questions: asked(&host.sequences, host.about, device),
            answers: flat(host.answers, device),
            texts: host.questions,
        }
    }
}

fn flat(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// Questions on the device.
pub(super) fn asked(sequences: &[Vec<usize>], about: Vec<i32>, device: &Device) -> Questions {
    let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
    let steps = lengths.iter().copied().max().unwrap_or(1);
    let mut words = Vec::with_capacity(steps * sequences.len());
    for sequence in sequences {
        words.extend(sequence.iter().map(|&word| word as i32));
        words.resize(words.len() + steps - sequence.len(), PAD as i32);
    }
    Questions {
        words: Tensor::from_data(TensorData::new(words, [sequences.len(), steps]), device),
        lengths: Lengths::new(&lengths, steps, device),
        about: flat(about, device),
    }
}

/// The network in its training dress.
#[derive(Module, Debug)]
struct Learner {
    network: Vqa,
}

impl Learner {
    fn judge(&self, batch: Batch) -> ClassificationOutput {
        let (logits, _) = self.network.forward(batch.pictures, batch.questions);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = ops::cross_entropy(&loss, logits.clone(), batch.answers.clone());
        ClassificationOutput::new(loss, logits, batch.answers)
    }
}

impl TrainStep for Learner {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.judge(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Learner {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.judge(batch)
    }
}

impl Trainable for Learner {
    type Network = Vqa;

    fn network(&self) -> &Vqa {
        &self.network
    }
}
