//! The training of a translation: batches in, the loss out.

use super::data::{Pair, Pairs};
use crate::batch::{self, Sentences, by_length, padded};
use crate::checked::Checked;
use crate::config::RunConfig;
use crate::models::seq2seq::{Seq2Seq, Seq2SeqConfig};
use crate::vocab::{BEGIN, END, Vocabulary};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::device::autodiff_device;
use tenfold_core::progress::{grouped, note};
use tenfold_core::train::loader::{Collate, Loader};
use tenfold_core::train::{Learner, Loss, Supervised, drawn};
use tenfold_kernels::ops;

/// Pairs per batch where nothing is learnt.
const BATCH: usize = 64;

/// What learns pairs as a configuration says.
///
/// # Errors
/// Settings out of their range.
pub fn learner(
    run: &RunConfig<Seq2SeqConfig, Vocabulary>,
    data: &Pairs,
    device: &Device,
) -> Result<Box<dyn Learner<Model = Checked<Seq2Seq>>>> {
    let RunConfig { config, language, training, .. } = run;
    let batches = PairBatches::new(&data.splits.train, language, config.longest);
    if batches.cut > 0 {
        let cut = grouped(batches.cut);
        note(format_args!("{cut} sentences are cut at {} tokens", config.longest));
    }
    let device = autodiff_device(device, training.seed);
    let network = drawn(config.init(&device));
    let smoothing = config.smoothing;
    let loss = move |network: &Seq2Seq, batch| token_loss(network, batch, smoothing);
    let (batches, wrap) = (Arc::new(batches), Checked::wrapping(language)?);
    Ok(Box::new(Supervised::new(network, batches, training, &device, loss, wrap)?))
}

/// The mean loss of the targets' tokens, without smoothing.
pub(super) fn mean_loss(
    network: &Seq2Seq,
    vocabulary: &Vocabulary,
    pairs: &[Pair],
    longest: usize,
    device: &Device,
) -> Result<f64> {
    let batches = Arc::new(PairBatches::new(pairs, vocabulary, longest));
    let batches = Loader::new(batches, BATCH, device.clone());
    batch::mean_loss(&batches, |batch| token_loss(network, batch, 0.0))
}

/// The mean loss of the target's tokens, each predicted from the true ones before it (teacher
/// forcing: Williams and Zipser, 1989).
fn token_loss(network: &Seq2Seq, batch: Batch, smoothing: f32) -> Loss {
    let Sentences { tokens, bias, lengths } = batch.sources;
    let encoded = network.encode(tokens, bias, &lengths);
    let features = network.decode(&encoded, batch.read).features;
    let [rows, steps, width] = features.dims();
    let features = features.reshape([rows * steps, width]).select(0, batch.places);
    let logits = network.logits(features);
    let [count, _] = logits.dims();
    let loss = CrossEntropyLossConfig::new()
        .with_smoothing(Some(smoothing).filter(|smoothing| *smoothing > 0.0))
        .init(&logits.device());
    Loss::new(ops::cross_entropy(&loss, logits, batch.write), count)
}

/// Makes batches of pairs; those that share one are of similar length.
struct PairBatches {
    sources: Vec<Vec<usize>>,
    targets: Vec<Vec<usize>>,
    /// Sentences that were cut.
    cut: usize,
}

impl PairBatches {
    fn new(pairs: &[Pair], vocabulary: &Vocabulary, longest: usize) -> Self {
        let mut cut = 0;
        let mut encode = |text: &str| {
            let mut tokens = vocabulary.encode(text);
            cut += usize::from(tokens.len() > longest);
            tokens.truncate(longest);
            tokens
        };
        let sources = pairs.iter().map(|(source, _)| encode(source)).collect();
        let targets = pairs.iter().map(|(_, target)| encode(target)).collect();
        Self { sources, targets, cut }
    }
}

/// Sources and their translations.
#[derive(Clone, Debug)]
struct Batch {
    sources: Sentences,
    /// What the decoder reads, `[batch, steps]`.
    read: Tensor<2, Int>,
    /// The places of real tokens in the batch laid flat, `[count]`.
    places: Tensor<1, Int>,
    /// What it should write there, `[count]`.
    write: Tensor<1, Int>,
}

impl Collate for PairBatches {
    type Host = Vec<usize>;
    type Batch = Batch;

    fn len(&self) -> usize {
        self.sources.len()
    }

    fn arrange(&self, order: Vec<usize>, batch_size: usize, random: &mut SplitMix64) -> Vec<usize> {
        by_length(order, batch_size, random, |i| (self.targets[i].len(), self.sources[i].len()))
    }

    fn stack(&self, examples: &[usize], _seed: u64) -> Result<Vec<usize>> {
        Ok(examples.to_vec())
    }

    fn upload(&self, examples: Vec<usize>, device: &Device) -> Batch {
        let sources: Vec<&[usize]> = examples.iter().map(|&i| &self.sources[i][..]).collect();
        let read: Vec<Vec<usize>> = examples
            .iter()
            .map(|&i| std::iter::once(BEGIN).chain(self.targets[i].iter().copied()).collect())
            .collect();
        let steps = read.iter().map(Vec::len).max().unwrap_or(1);
        let (mut places, mut write) = (Vec::new(), Vec::new());
        for (row, &example) in examples.iter().enumerate() {
            let target = self.targets[example].iter().copied().chain([END]);
            for (step, token) in target.enumerate() {
                places.push((row * steps + step) as i64);
                write.push(token as i32);
            }
        }
        let read: Vec<&[usize]> = read.iter().map(|row| &row[..]).collect();
        let count = write.len();
        Batch {
            sources: Sentences::new(&sources, device),
            read: padded(&read, steps, device),
            places: Tensor::from_data(TensorData::new(places, [count]), device),
            write: Tensor::from_data(TensorData::new(write, [count]), device),
        }
    }
}
