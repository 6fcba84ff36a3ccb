//! The training of a captioning network: batches in, the loss out.

use super::data::{Captions, Split};
use crate::batch::{flat, images};
use crate::checked::Checked;
use crate::config::RunConfig;
use crate::images::Images;
use crate::models::caption::{CaptionConfig, CaptionNet};
use crate::vocab::{BEGIN, END, PAD, Vocabulary};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::Preprocess;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::device::autodiff_device;
use tenfold_core::train::loader::Collate;
use tenfold_core::train::{Learner, Loss, Supervised, drawn};
use tenfold_kernels::ops;

/// What learns captions as a configuration says.
///
/// # Errors
/// Weights to start from that do not fit; settings out of their range.
pub fn learner(
    run: &RunConfig<CaptionConfig, Vocabulary>,
    data: &Captions,
    device: &Device,
) -> Result<Box<dyn Learner<Model = Checked<CaptionNet>>>> {
    let RunConfig { config, language, training, .. } = run;
    let (preprocess, train) = (config.image_encoder().preprocess(), &data.splits.train);
    let batches = CaptionBatches::new(train, language, preprocess, config.longest, true);
    let device = autodiff_device(device, training.seed);
    let mut network = drawn(config.init(&device));
    if let Some(start) = &config.start {
        network.eyes = network.eyes.started(start)?;
    }
    let penalty = config.penalty;
    let loss = move |network: &CaptionNet, batch| match token_loss(network, batch) {
        (loss, None) => loss,
        (loss, Some(off)) => Loss { total: loss.total + off.mul_scalar(penalty), ..loss },
    };
    let (batches, wrap) = (Arc::new(batches), Checked::wrapping(language)?);
    Ok(Box::new(Supervised::new(network, batches, training, &device, loss, wrap)?))
}

/// The loss, and where the network attends how far the attention on each place is from what
/// would be fair, summed over the words of a caption.
pub(super) fn token_loss(network: &CaptionNet, batch: Batch) -> (Loss, Option<Tensor<1>>) {
    let Batch { images, words, places, next } = batch;
    let [rows, steps] = words.dims();
    let mut memory = network.encode(images);
    let (features, attention) = network.read(words, &mut memory);
    let logits = network.logits(features.select(0, places.clone())); // [tokens, words]
    let count = next.dims()[0];
    let loss = CrossEntropyLossConfig::new().init(&logits.device());
    let loss = ops::cross_entropy(&loss, logits, next);
    let off = attention.map(|attention| {
        // Padding attends to nothing.
        let device = attention.device();
        let real = Tensor::<2>::zeros([rows * steps, 1], &device);
        let ones = Tensor::<2>::ones([count, 1], &device);
        let real = real.select_assign(0, places, ones, IndexingUpdateOp::Add);
        let sums = (attention * real.reshape([rows, steps, 1])).sum_dim(1); // [rows, 1, places]
        let [.., all] = sums.dims();
        let fair = count as f64 / (rows * all) as f64;
        (sums - fair).powf_scalar(2.0).sum().div_scalar(rows as f64)
    });
    (Loss::new(loss, count), off)
}

/// Images, each with one of its captions.
pub(super) struct CaptionBatches {
    images: Images,
    captions: Vec<Vec<Vec<usize>>>,
    preprocess: Preprocess,
    longest: usize,
    /// Whether each epoch draws a caption of each image; else the first is taken.
    drawn: bool,
}

impl CaptionBatches {
    pub(super) fn new(
        split: &Split,
        vocabulary: &Vocabulary,
        preprocess: Preprocess,
        longest: usize,
        drawn: bool,
    ) -> Self {
        let encoded = |captions: &Vec<String>| -> Vec<Vec<usize>> {
            captions.iter().map(|caption| vocabulary.encode(caption)).collect()
        };
        let captions = split.captions.iter().map(encoded).collect();
        Self { images: split.images.clone(), captions, preprocess, longest, drawn }
    }
}

/// A batch in ordinary memory.
pub(super) struct Host {
    images: Vec<f32>,
    /// `[batch * steps]`
    words: Vec<i32>,
    steps: usize,
    /// The places of `words` that are no padding, and the words that follow there.
    places: Vec<i32>,
    next: Vec<i32>,
}

/// Images and captions.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// `[batch, 3, side, side]`
    images: Tensor<4>,
    /// `[batch, steps]`, padded.
    words: Tensor<2, Int>,
    /// `[tokens]`: the places of all words in the batch laid flat.
    places: Tensor<1, Int>,
    /// `[tokens]`: the words that follow.
    next: Tensor<1, Int>,
}

impl Collate for CaptionBatches {
    type Host = Host;
    type Batch = Batch;

    fn len(&self) -> usize {
        self.captions.len()
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Host> {
        let caption = |&index: &usize| {
            let all = &self.captions[index];
            let drawn = SplitMix64::keyed(&[seed, index as u64]).below(all.len());
            let words = &all[if self.drawn { drawn } else { 0 }];
            &words[..words.len().min(self.longest)]
        };
        let captions: Vec<&[usize]> = examples.iter().map(caption).collect();
        let steps = captions.iter().map(|words| words.len() + 1).max().unwrap_or(1);
        let images = self.images.preprocessed(examples, &self.preprocess)?;
        let mut host =
            Host { images, words: Vec::new(), steps, places: Vec::new(), next: Vec::new() };
        for words in captions {
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
        Batch {
            images: images(host.images, &self.preprocess, device),
            words: Tensor::from_data(TensorData::new(host.words, [batch, host.steps]), device),
            places: flat(host.places, device),
            next: flat(host.next, device),
        }
    }
}
