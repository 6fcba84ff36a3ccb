//! The training of a language model: pieces of a text in, the loss out.

use super::data::Text;
use crate::batch::{flat, mean_loss as mean};
use crate::checked::Checked;
use crate::config::RunConfig;
use crate::models::charlm::{CharLm, CharLmConfig};
use crate::recurrent::State;
use crate::vocab::Vocabulary;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::cell::RefCell;
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::device::autodiff_device;
use tenfold_core::train::loader::{Collate, Epoch, Loader};
use tenfold_core::train::{Learner, Loss, Supervised, drawn};
use tenfold_kernels::ops;

/// So many readers share a text that is not learnt from.
const READERS: usize = 16;

/// What learns a text as a configuration says.
///
/// # Errors
/// Settings out of their range.
pub fn learner(
    run: &RunConfig<CharLmConfig, Vocabulary>,
    text: &Text,
    device: &Device,
) -> Result<Box<dyn Learner<Model = Checked<CharLm>>>> {
    let RunConfig { config, language, training, .. } = run;
    let device = autodiff_device(device, training.seed);
    let network = drawn(config.init(&device));
    let train = tokens(language, &text.train);
    let train = Arc::new(Streams::new(train, training.batch_size, config.steps, true));
    let (readers, epoch) = (train.readers, Epoch::default());
    // In order: each reader goes on where it stopped.
    let train = Loader::new(train, readers, device).in_order(training.seed, epoch.clone());
    let carried = Carried::default();
    let loss = move |network: &CharLm, piece| token_loss(network, piece, &carried);
    let wrap = Checked::wrapping(language)?;
    Ok(Box::new(Supervised::with_loader(network, train, epoch, training, loss, wrap)?))
}

/// The mean loss of a text in nats per character.
///
/// # Errors
/// The device.
pub(super) fn mean_loss(
    network: &CharLm,
    vocabulary: &Vocabulary,
    text: &str,
    steps: usize,
    device: &Device,
) -> Result<f64> {
    let streams = Arc::new(Streams::new(tokens(vocabulary, text), READERS, steps, false));
    let readers = streams.readers;
    let carried = Carried::default();
    let batches = Loader::new(streams, readers, device.clone());
    mean(&batches, |piece| token_loss(network, piece, &carried))
}

fn tokens(vocabulary: &Vocabulary, text: &str) -> Vec<i32> {
    vocabulary.encode(text).into_iter().map(|token| token as i32).collect()
}

/// The hidden states that the readers stopped with.
type Carried = RefCell<Option<Vec<State>>>;

/// The loss of a piece, read on from where the last one ended; back-propagation through time is
/// truncated there (Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line
/// Training of Recurrent Network Trajectories", 1990).
fn token_loss(network: &CharLm, piece: Piece, carried: &Carried) -> Loss {
    let mut carried = carried.borrow_mut();
    let states = carried.take().filter(|_| !piece.first);
    let (logits, states) = network.forward(piece.tokens, states);
    *carried = Some(states.into_iter().map(State::detach).collect());
    let [readers, steps, tokens] = logits.dims();
    let logits = logits.reshape([readers * steps, tokens]);
    let loss = CrossEntropyLossConfig::new().init(&logits.device());
    Loss::new(ops::cross_entropy(&loss, logits, piece.next), readers * steps)
}

/// A text read by several readers at once, each from its own place on: example `step * readers +
/// reader` is the reader's next piece.
struct Streams {
    tokens: Vec<i32>,
    readers: usize,
    steps: usize,
    /// Whether each epoch begins at another place.
    shifted: bool,
}

impl Streams {
    fn new(tokens: Vec<i32>, readers: usize, steps: usize, shifted: bool) -> Self {
        let readers = readers.min(tokens.len() - 1).max(1);
        Self { tokens, readers, steps, shifted }
    }

    /// How many tokens each reader predicts.
    fn length(&self) -> usize {
        (self.tokens.len() - 1) / self.readers
    }
}

/// Tokens and those that follow them.
#[derive(Clone, Debug)]
struct Piece {
    /// `[readers, steps]`
    tokens: Tensor<2, Int>,
    /// `[readers * steps]`
    next: Tensor<1, Int>,
    /// Whether it is the first of its epoch, where no reader has a state yet.
    first: bool,
}

impl Collate for Streams {
    type Host = (Vec<i32>, Vec<i32>, bool);
    type Batch = Piece;

    fn len(&self) -> usize {
        self.readers * self.length().div_ceil(self.steps)
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host> {
        let start = examples[0] / self.readers * self.steps;
        let steps = self.steps.min(self.length() - start);
        let count = self.tokens.len();
        let shift = if self.shifted { SplitMix64::new(seed).below(count) } else { 0 };
        let (mut tokens, mut next) = (Vec::new(), Vec::new());
        for reader in 0..examples.len() {
            // Shifted readers go round: from the last character to the first.
            let place = |step: usize| (shift + reader * self.length() + start + step) % count;
            tokens.extend((0..steps).map(|step| self.tokens[place(step)]));
            next.extend((1..=steps).map(|step| self.tokens[place(step)]));
        }
        Ok((tokens, next, start == 0))
    }

    fn upload(&self, (tokens, next, first): Self::Host, device: &Device) -> Piece {
        let steps = tokens.len() / self.readers;
        Piece {
            tokens: Tensor::from_data(TensorData::new(tokens, [self.readers, steps]), device),
            next: flat(next, device),
            first,
        }
    }
}
