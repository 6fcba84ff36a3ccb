//! The training of a captioning network: batches in, the loss and its gradients out.

use super::data::{Captions, Split};
use super::{Config, uploaded};
use crate::job::{self, Job, Judged};
use crate::models::caption::{CaptionConfig, Captioner};
use crate::pictures::Pictures;
use crate::vocab::{BEGIN, END, PAD, Vocabulary};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::Preprocess;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::train::Trainable;
use tenfold_core::train::history::History;
use tenfold_core::train::loader::Collate;
use tenfold_kernels::ops;

/// Trains as the job says.
///
/// # Errors
/// As [`tenfold_core::train::fit`].
pub(super) fn learn(job: &Job<CaptionConfig, Vocabulary>, data: &Captions) -> Result<History> {
    let Config { config, language, .. } = &job.config;
    let pairs = |split: &Split, lots| {
        let encoded = |sentences: &Vec<String>| -> Vec<Vec<usize>> {
            sentences.iter().map(|sentence| language.encode(sentence)).collect()
        };
        Arc::new(Pairs {
            pictures: split.pictures.clone(),
            sentences: split.sentences.iter().map(encoded).collect(),
            preprocess: config.eyes().preprocess(),
            longest: config.longest,
            lots,
        })
    };
    let mut network = config.init(&job.tape()).materialize();
    if let Some(start) = &config.start {
        network.eyes = network.eyes.started(start)?;
    }
    let model = Learner { network, penalty: config.penalty };
    job.fit(model, pairs(&data.train, true), pairs(&data.validation, false), job::loss_only)
}

/// Pictures, each with one of its sentences.
struct Pairs {
    pictures: Pictures,
    sentences: Vec<Vec<Vec<usize>>>,
    preprocess: Preprocess,
    longest: usize,
    /// Whether each epoch draws the sentences anew; else the first is taken.
    lots: bool,
}

/// A batch in ordinary memory.
struct Host {
    pictures: Vec<f32>,
    /// `[batch * steps]`
    words: Vec<i32>,
    steps: usize,
    /// The places of `words` that are no padding, and the words that follow there.
    places: Vec<i32>,
    next: Vec<i32>,
}

/// Pictures and sentences.
#[derive(Clone, Debug)]
struct Batch {
    /// `[batch, 3, side, side]`
    pictures: Tensor<4>,
    /// `[batch, steps]`, padded.
    words: Tensor<2, Int>,
    /// `[tokens]`: the places of all words in the batch laid flat.
    places: Tensor<1, Int>,
    /// `[tokens]`: the words that follow.
    next: Tensor<1, Int>,
}

impl Collate for Pairs {
    type Host = Host;
    type Batch = Batch;

    fn len(&self) -> usize {
        self.sentences.len()
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Host> {
        let sentence = |&index: &usize| {
            let all = &self.sentences[index];
            let lot = SplitMix64::keyed(&[seed, index as u64]).below(all.len());
            let words = &all[if self.lots { lot } else { 0 }];
            &words[..words.len().min(self.longest)]
        };
        let sentences: Vec<&[usize]> = examples.iter().map(sentence).collect();
        let steps = sentences.iter().map(|words| words.len() + 1).max().unwrap_or(1);
        let pictures = self.pictures.prepared(examples, &self.preprocess)?;
        let mut host =
            Host { pictures, words: Vec::new(), steps, places: Vec::new(), next: Vec::new() };
        for words in sentences {
            let row = host.words.len();
            host.words.push(BEGIN as i32);
            host.words.extend(words.iter().map(|&word| word as i32));
            host.words.resize(row + steps, PAD as i32);
            host.places.extend((row..=row + words.len()).map(|place| place as i32));
            host.next.extend(words.iter().chain([&END]).map(|&word| word as i32));
        }
        Ok(host)
    }

    fn upload(&self, host: Host, device: &Device) -> Batch {
        let batch = host.words.len() / host.steps.max(1);
        let flat = |values: Vec<i32>| {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), device)
        };
        Batch {
            pictures: uploaded(host.pictures, &self.preprocess, device),
            words: Tensor::from_data(TensorData::new(host.words, [batch, host.steps]), device),
            places: flat(host.places),
            next: flat(host.next),
        }
    }
}

/// The network in its training dress.
#[derive(Module, Debug)]
struct Learner {
    network: Captioner,
    #[module(skip)]
    penalty: f64,
}

impl Learner {
    /// The loss, and the same with the penalty on attention.
    fn judge(&self, batch: Batch) -> (Judged, Tensor<1>) {
        let Batch { pictures, words, places, next } = batch;
        let [rows, steps] = words.dims();
        let mut memory = self.network.look(pictures);
        let (told, looks) = self.network.read(words, &mut memory);
        let logits = self.network.tell(told.select(0, places.clone())); // [tokens, words]
        let count = next.dims()[0];
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = ops::cross_entropy(&loss, logits, next);
        let total = match looks {
            None => loss.clone(),
            Some(looks) => {
                // Padding looks at nothing.
                let device = looks.device();
                let real = Tensor::<2>::zeros([rows * steps, 1], &device);
                let ones = Tensor::<2>::ones([count, 1], &device);
                let real = real.select_assign(0, places, ones, burn::tensor::IndexingUpdateOp::Add);
                let seen = (looks * real.reshape([rows, steps, 1])).sum_dim(1); // [rows, 1, places]
                let [.., all] = seen.dims();
                let fair = count as f64 / (rows * all) as f64;
                let off = (seen - fair).powf_scalar(2.0).sum().div_scalar(rows as f64);
                loss.clone() + off.mul_scalar(self.penalty)
            }
        };
        (Judged { loss, count }, total)
    }
}

impl TrainStep for Learner {
    type Input = Batch;
    type Output = Judged;

    fn step(&self, batch: Batch) -> TrainOutput<Judged> {
        let (output, total) = self.judge(batch);
        TrainOutput::new(self, total.backward(), output)
    }
}

impl InferenceStep for Learner {
    type Input = Batch;
    type Output = Judged;

    fn step(&self, batch: Batch) -> Judged {
        self.judge(batch).0
    }
}

impl Trainable for Learner {
    type Network = Captioner;

    fn network(&self) -> &Captioner {
        &self.network
    }
}
