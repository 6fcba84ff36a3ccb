//! Word vectors: Mikolov et al., "Distributed Representations of Words and Phrases and their
//! Compositionality", NIPS 2013 (skip-gram, negative sampling, subsampling), and "Efficient
//! Estimation of Word Representations in Vector Space", arXiv:1301.3781 (CBOW).
//!
//! The gradient of one pair touches a handful of rows, so that it is written out here and
//! applied at once, as the papers' program does, in place of whole tables of derivatives.
//!
//! Differs from the papers' program: one thread, so that the same seed gives the same vectors.

use serde::{Deserialize, Serialize};
use tenfold_core::data::random::SplitMix64;

/// Which word is predicted from which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Each neighbour from the word.
    Skipgram,
    /// The word from the mean of its neighbours.
    Cbow,
}

/// Sizes and rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Word2VecConfig {
    /// Which word is predicted from which.
    #[serde(alias = "way")]
    pub architecture: Architecture,
    /// Words of the vocabulary.
    pub tokens: usize,
    /// Features of a vector.
    pub dimensions: usize,
    /// Neighbours on each side, at most.
    pub window: usize,
    /// Negative samples for each true word.
    pub negatives: usize,
    /// Words that make up more than this part of the text are often passed over.
    pub subsample: f64,
    /// Words that occur less often are left out.
    pub min_count: usize,
}

impl Word2VecConfig {
    /// The usual choices for a small text.
    pub fn new(architecture: Architecture, tokens: usize) -> Self {
        Self {
            architecture,
            tokens,
            dimensions: 100,
            window: 5,
            negatives: 5,
            subsample: 1e-3,
            min_count: 3,
        }
    }

    /// What cannot be.
    ///
    /// # Errors
    /// The field, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let sizes = [
            ("tokens", self.tokens),
            ("dimensions", self.dimensions),
            ("window", self.window),
            ("negatives", self.negatives),
            ("min_count", self.min_count),
        ];
        match sizes.into_iter().find(|(_, size)| !(1..=10_000_000).contains(size)) {
            Some((name, size)) => Err(format!("{name}: {size}, expected 1 to 10000000")),
            None if !(self.subsample > 0.0 && self.subsample.is_finite()) => {
                Err(format!("subsample: {}, expected a number above 0", self.subsample))
            }
            None => Ok(()),
        }
    }
}

/// The two tables, row after row.
#[derive(Clone, Debug)]
pub struct Word2Vec {
    config: Word2VecConfig,
    /// What is kept: the vector of each word where it predicts.
    pub input: Vec<f32>,
    /// The vector of each word where it is predicted.
    pub output: Vec<f32>,
    /// The probability with which each word is kept.
    keep: Vec<f32>,
    /// The noise distribution: words as often as they are to be drawn.
    noise: Vec<u32>,
}

/// Entries of the noise distribution's table.
const NOISE: usize = 1 << 20;

impl Word2Vec {
    /// Small random vectors for words that occur so often.
    pub fn new(config: Word2VecConfig, counts: &[usize], random: &mut SplitMix64) -> Self {
        let (words, width) = (counts.len(), config.dimensions);
        let bound = 0.5 / width as f32;
        let input = (0..words * width).map(|_| random.between(-bound, bound)).collect();
        let all = counts.iter().sum::<usize>().max(1) as f64;
        // The papers' program keeps a word of frequency f with probability
        // sqrt(t / f) + t / f.
        let keep = counts.iter().map(|&count| {
            let ratio = config.subsample * all / count.max(1) as f64;
            (ratio.sqrt() + ratio).min(1.0) as f32
        });
        // Section 2.2: negatives by their count to the power of 3/4.
        let weights: Vec<f64> = counts.iter().map(|&count| (count as f64).powf(0.75)).collect();
        let sum: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut noise = Vec::with_capacity(NOISE);
        let mut upto = 0.0;
        for (word, weight) in weights.iter().enumerate() {
            upto += weight / sum;
            noise.resize(
                ((upto * NOISE as f64).round() as usize).min(NOISE).max(noise.len()),
                word as u32,
            );
        }
        let keep = keep.collect();
        Self { config, input, output: vec![0.0; words * width], keep, noise }
    }

    /// One sentence; returns the sum of its losses and how many there are.
    pub fn learn(&mut self, sentence: &[u32], lr: f32, random: &mut SplitMix64) -> (f64, usize) {
        let kept: Vec<u32> =
            sentence.iter().copied().filter(|&w| random.unit() < self.keep[w as usize]).collect();
        let width = self.config.dimensions;
        let (mut hidden, mut change) = (vec![0.0; width], vec![0.0; width]);
        let (mut loss, mut count) = (0.0, 0);
        for (place, &word) in kept.iter().enumerate() {
            // Nearer neighbours count more: the window's size is drawn.
            let reach = 1 + random.below(self.config.window);
            let (from, to) = (place.saturating_sub(reach), (place + reach + 1).min(kept.len()));
            let neighbours: Vec<u32> =
                (from..to).filter(|&other| other != place).map(|other| kept[other]).collect();
            if neighbours.is_empty() {
                continue;
            }
            match self.config.architecture {
                Architecture::Skipgram => {
                    for &neighbour in &neighbours {
                        hidden.copy_from_slice(row(&self.input, word, width));
                        change.fill(0.0);
                        loss += self.predict(&hidden, neighbour, lr, &mut change, random);
                        add(row_mut(&mut self.input, word, width), &change, 1.0);
                        count += 1;
                    }
                }
                Architecture::Cbow => {
                    let share = 1.0 / neighbours.len() as f32;
                    hidden.fill(0.0);
                    for &neighbour in &neighbours {
                        add(&mut hidden, row(&self.input, neighbour, width), share);
                    }
                    change.fill(0.0);
                    loss += self.predict(&hidden, word, lr, &mut change, random);
                    // As the papers' program: each neighbour takes the whole change.
                    for &neighbour in &neighbours {
                        add(row_mut(&mut self.input, neighbour, width), &change, 1.0);
                    }
                    count += 1;
                }
            }
        }
        (loss, count)
    }

    /// Predicts `word` against negatives from the features `hidden` (eq. 4), improves the
    /// vectors of all of these, and adds to `change` what would improve the features.
    fn predict(
        &mut self,
        hidden: &[f32],
        word: u32,
        lr: f32,
        change: &mut [f32],
        random: &mut SplitMix64,
    ) -> f64 {
        let width = self.config.dimensions;
        let mut loss = 0.0;
        for draw in 0..=self.config.negatives {
            let (other, truth) = match draw {
                0 => (word, 1.0),
                _ => (self.noise[random.below(self.noise.len())], 0.0),
            };
            if draw > 0 && other == word {
                continue;
            }
            let target = row_mut(&mut self.output, other, width);
            let fit: f32 = hidden.iter().zip(target.iter()).map(|(a, b)| a * b).sum();
            let predicted = 1.0 / (1.0 + (-fit).exp());
            let own = if truth == 1.0 { predicted } else { 1.0 - predicted };
            loss -= f64::from(own.max(1e-7)).ln();
            let step = lr * (truth - predicted);
            for ((change, hidden), target) in change.iter_mut().zip(hidden).zip(target) {
                *change += step * *target;
                *target += step * hidden;
            }
        }
        loss
    }
}

fn row(table: &[f32], word: u32, width: usize) -> &[f32] {
    &table[word as usize * width..][..width]
}

fn row_mut(table: &mut [f32], word: u32, width: usize) -> &mut [f32] {
    &mut table[word as usize * width..][..width]
}

fn add(to: &mut [f32], what: &[f32], times: f32) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += times * what);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loss of predicting `word` from `hidden` with fixed negatives, in f64.
    fn loss(hidden: &[f32], output: &[f32], words: &[(u32, f32)], width: usize) -> f64 {
        let term = |&(word, truth): &(u32, f32)| {
            let target = row(output, word, width);
            let fit: f64 =
                hidden.iter().zip(target).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let predicted = 1.0 / (1.0 + (-fit).exp());
            if truth == 1.0 { -predicted.ln() } else { -(1.0 - predicted).ln() }
        };
        words.iter().map(term).sum()
    }

    #[test]
    fn the_step_follows_the_gradient() {
        let config = Word2VecConfig {
            dimensions: 4,
            negatives: 3,
            ..Word2VecConfig::new(Architecture::Skipgram, 6)
        };
        let mut random = SplitMix64::new(5);
        let mut model = Word2Vec::new(config, &[5, 9, 2, 7, 3, 4], &mut random);
        model.output.iter_mut().for_each(|x| *x = random.between(-1.0, 1.0));
        let hidden: Vec<f32> = (0..4).map(|_| random.between(-1.0, 1.0)).collect();
        // The same draws as `predict` will make.
        let mut draws = random.clone();
        let mut words = vec![(1, 1.0)];
        for _ in 0..3 {
            let other = model.noise[draws.below(model.noise.len())];
            if other != 1 {
                words.push((other, 0.0));
            }
        }
        let before = model.output.clone();
        let mut change = vec![0.0; 4];
        let lr = 1e-3;
        let found = model.predict(&hidden, 1, lr, &mut change, &mut random);
        assert!((found - loss(&hidden, &before, &words, 4)).abs() < 1e-3);
        for place in 0..4 {
            let moved = |by: f32| {
                let mut hidden = hidden.clone();
                hidden[place] += by;
                loss(&hidden, &before, &words, 4)
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((f64::from(change[place] / lr) + slope).abs() < 2e-2, "{place}");
        }
    }
}
