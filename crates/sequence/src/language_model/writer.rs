//! A trained model that continues texts.

use super::learn::mean_loss;
use crate::batch::numbers;
use crate::models::charlm::CharLm;
use crate::recurrent::State;
use crate::vocab::{BEGIN, END, PAD, UNKNOWN, Vocabulary};
use burn::tensor::{Device, Tensor, TensorData};
use tenfold_core::Result;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::progress::note;
use tenfold_core::suggest::{Suggest, Suggestion, rank};

/// A trained model that writes.
pub struct Writer {
    network: CharLm,
    vocabulary: Vocabulary,
    steps: usize,
    device: Device,
}

/// How the next character is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Logits are divided by this; 0 takes the most probable.
    pub temperature: f32,
    /// Only among so many of the most probable.
    pub top_k: Option<usize>,
}

impl Writer {
    /// From a network in hand and its vocabulary; `steps` of a text are measured at once.
    pub fn new(network: CharLm, vocabulary: Vocabulary, steps: usize, device: &Device) -> Self {
        Self { network, vocabulary, steps, device: device.clone() }
    }

    /// The mean loss of a text in nats per character.
    ///
    /// # Errors
    /// The device.
    pub fn mean_loss(&self, text: &str) -> Result<f64> {
        mean_loss(&self.network, &self.vocabulary, text, self.steps, &self.device)
    }

    /// Notes on stderr which characters of a prompt the model never saw.
    pub fn tell_what_is_unknown(&self, prompt: &str) {
        let unknown = |c: &char| self.vocabulary.number(&c.to_string()) == UNKNOWN;
        let unknown: Vec<char> = prompt.chars().filter(unknown).collect();
        if let Some(first) = unknown.first() {
            let count = unknown.len();
            note(format_args!(
                "the model never saw {count} of the prompt's characters, such as {first:?}"
            ));
        }
    }

    /// The logits after some tokens, and the state to go on from.
    fn read(&self, tokens: &[usize], states: Option<Vec<State>>) -> Result<(Vec<f32>, Vec<State>)> {
        let tokens: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
        let count = tokens.len();
        let tokens = Tensor::from_data(TensorData::new(tokens, [1, count]), &self.device);
        let (logits, states) = self.network.forward(tokens, states);
        let mut logits = numbers(logits.slice([0..1, count - 1..count]))?;
        // No text has these inside.
        for token in [PAD, BEGIN, END] {
            logits[token] = f32::NEG_INFINITY;
        }
        Ok((logits, states))
    }

    /// Continues `prompt` by `length` characters and hands each one to `show`. A recurrent
    /// network reads a prompt of any length.
    ///
    /// # Errors
    /// The device, or `show`.
    pub fn write(
        &self,
        prompt: &str,
        length: usize,
        sampling: Sampling,
        seed: u64,
        mut show: impl FnMut(&str) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut random = SplitMix64::new(seed);
        let (mut logits, mut states) = self.read(&self.prompt(prompt), None)?;
        for _ in 0..length {
            let token = sample(&logits, sampling, &mut random);
            show(&self.vocabulary.tokens()[token])?;
            (logits, states) = self.read(&[token], Some(states))?;
        }
        Ok(())
    }

    /// The tokens of a prompt; a line's end where there is none.
    fn prompt(&self, prompt: &str) -> Vec<usize> {
        let tokens = self.vocabulary.encode(prompt);
        if tokens.is_empty() { vec![self.vocabulary.number("\n")] } else { tokens }
    }
}

impl Suggest<str> for Writer {
    /// The most probable next characters.
    fn suggest(&self, prompts: &[&str], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        let next = |prompt: &&str| {
            let (logits, _) = self.read(&self.prompt(prompt), None)?;
            Ok(rank(&softmax(&logits, 1.0), self.vocabulary.tokens(), top))
        };
        prompts.iter().map(next).collect()
    }
}

fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = logits.iter().map(|x| ((x - most) / temperature).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn sample(logits: &[f32], sampling: Sampling, random: &mut SplitMix64) -> usize {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    if sampling.temperature == 0.0 {
        return order[0];
    }
    order.truncate(sampling.top_k.unwrap_or(usize::MAX).max(1));
    let kept: Vec<f32> = order.iter().map(|&token| logits[token]).collect();
    let mut left = random.unit();
    for (&token, share) in order.iter().zip(softmax(&kept, sampling.temperature)) {
        left -= share;
        if left < 0.0 {
            return token;
        }
    }
    order[0]
}
