//! Beam search: the most probable sequences that a decoder can write, word by word.
//!
//! Of each input's beginnings the `width` most probable are kept. A sequence that ends is ranked
//! by its mean log-probability a word, so that long ones are not at a disadvantage (the length
//! normalisation of Cho et al., arXiv:1409.1259, section 3.2). A width of 1 is greedy search.

use crate::vocab::{BEGIN, END, PAD, UNKNOWN};
use tenfold_core::Result;

/// What tells the next word.
pub trait Decoder {
    /// What it keeps from word to word, for each of its rows.
    type Memory;

    /// The log-probabilities of the words after `last`, one word a row, `[rows * words]` row by
    /// row; and where it looked for each row, where it looks.
    ///
    /// # Errors
    /// The device.
    fn step(&self, memory: &mut Self::Memory, last: &[usize])
    -> Result<(Vec<f32>, Option<Vec<Vec<f32>>>)>;

    /// The memory of some rows, in this order; a row may be taken more than once.
    fn select(&self, memory: &Self::Memory, rows: &[usize]) -> Self::Memory;
}

/// A sequence that a decoder wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Its words, without those that begin and end it.
    pub words: Vec<usize>,
    /// The mean log-probability of a word, the end among them: what it is ranked by.
    pub score: f64,
    /// Where the decoder looked before each word, where it looks.
    pub looks: Vec<Vec<f32>>,
}

impl Written {
    /// How sure the decoder was of a word, in geometric mean: a probability in 0..1.
    pub fn confidence(&self) -> f32 {
        self.score.exp() as f32
    }
}

/// A sequence that still grows.
#[derive(Clone)]
struct Beginning {
    words: Vec<usize>,
    sum: f64,
    looks: Vec<Vec<f32>>,
    row: usize,
}

impl Beginning {
    fn written(self, steps: usize) -> Written {
        let score = self.sum / steps.max(1) as f64;
        Written { words: self.words, score, looks: self.looks }
    }
}

/// For each of `inputs` rows of `memory` up to `width` sequences of at most `longest` words,
/// best first, at least one.
///
/// # Errors
/// The decoder's.
pub fn search<D: Decoder>(
    decoder: &D,
    mut memory: D::Memory,
    inputs: usize,
    width: usize,
    longest: usize,
) -> Result<Vec<Vec<Written>>> {
    let width = width.max(1);
    let start = |row| vec![Beginning { words: Vec::new(), sum: 0.0, looks: Vec::new(), row }];
    let mut growing: Vec<Vec<Beginning>> = (0..inputs).map(start).collect();
    let mut done: Vec<Vec<Written>> = vec![Vec::new(); inputs];
    for step in 1..=longest {
        let last = growing.iter().flatten().map(|b| b.words.last().copied().unwrap_or(BEGIN));
        let last: Vec<usize> = last.collect();
        if last.is_empty() {
            break;
        }
        let (logs, looks) = decoder.step(&mut memory, &last)?;
        let words = logs.len() / last.len();
        let mut rows = Vec::new();
        for (beginnings, done) in growing.iter_mut().zip(&mut done) {
            let mut next: Vec<(f64, usize, usize)> = Vec::new();
            for (place, beginning) in beginnings.iter().enumerate() {
                let logs = &logs[beginning.row * words..(beginning.row + 1) * words];
                next.extend(best(logs, width).map(|(log, word)| (beginning.sum + log, place, word)));
            }
            next.sort_by(|a, b| b.0.total_cmp(&a.0));
            next.truncate(width);
            let mut grown = Vec::new();
            for (sum, place, word) in next {
                let mut beginning = Beginning { sum, ..beginnings[place].clone() };
                if let Some(looks) = &looks {
                    beginning.looks.push(looks[beginning.row].clone());
                }
                if word == END {
                    done.push(beginning.written(step));
                } else {
                    beginning.words.push(word);
                    grown.push(beginning);
                }
            }
            // The mean of what grows can still rise; as many sequences as asked are enough.
            if done.len() >= width {
                grown.clear();
            }
            *beginnings = grown;
            for beginning in beginnings {
                rows.push(beginning.row);
                beginning.row = rows.len() - 1;
            }
        }
        if !rows.is_empty() {
            memory = decoder.select(&memory, &rows);
        }
    }
    let finished = growing.into_iter().zip(done).map(|(growing, mut done)| {
        // One that never ends is better than none.
        if done.is_empty() {
            done.extend(growing.into_iter().map(|beginning| {
                let steps = beginning.words.len();
                beginning.written(steps)
            }));
        }
        done.sort_by(|a, b| b.score.total_cmp(&a.score));
        done.truncate(width);
        done
    });
    Ok(finished.collect())
}

/// The most probable words that a text can have.
fn best(logs: &[f32], count: usize) -> impl Iterator<Item = (f64, usize)> {
    let mut words: Vec<usize> =
        (0..logs.len()).filter(|word| ![PAD, UNKNOWN, BEGIN].contains(word)).collect();
    words.sort_by(|&a, &b| logs[b].total_cmp(&logs[a]).then(a.cmp(&b)));
    words.truncate(count);
    words.into_iter().map(|word| (f64::from(logs[word]), word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the words 4 and 5: what comes after which, from the first on.
    struct Table;

    const A: usize = 4;
    const B: usize = 5;

    impl Decoder for Table {
        type Memory = Vec<Vec<usize>>;

        fn step(
            &self,
            memory: &mut Self::Memory,
            last: &[usize],
        ) -> Result<(Vec<f32>, Option<Vec<Vec<f32>>>)> {
            let mut logs = Vec::new();
            for (words, &word) in memory.iter_mut().zip(last) {
                words.push(word);
                // A is likelier first, but leads to nothing sure; B leads to B and the end.
                let (a, b, end): (f32, f32, f32) = match words[..] {
                    [BEGIN] => (0.6, 0.4, 0.0),
                    [BEGIN, A] => (0.4, 0.3, 0.3),
                    [BEGIN, A, _] => (0.0, 0.5, 0.5),
                    [BEGIN, B] => (0.0, 1.0, 0.0),
                    [BEGIN, B, B] => (0.0, 0.0, 1.0),
                    _ => (0.0, 0.0, 1.0),
                };
                logs.extend([0.0, 0.0, 0.0, end, a, b].map(f32::ln));
            }
            Ok((logs, Some(memory.iter().map(|words| vec![words.len() as f32]).collect())))
        }

        fn select(&self, memory: &Self::Memory, rows: &[usize]) -> Self::Memory {
            rows.iter().map(|&row| memory[row].clone()).collect()
        }
    }

    #[test]
    fn greedy_takes_the_first_step_and_a_beam_the_best_way() {
        let search = |width| search(&Table, vec![vec![]; 2], 2, width, 10).unwrap();
        let greedy = search(1);
        assert_eq!(greedy.len(), 2);
        assert_eq!(greedy[0][0].words, [A, A, B]);
        // 0.6 * 0.4 * 0.5 * 1 in four steps.
        assert!((greedy[1][0].score - (0.12f64.ln() / 4.0)).abs() < 1e-6);
        let beam = search(2);
        assert_eq!(beam[1][0].words, [B, B]);
        assert!((beam[0][0].confidence() - 0.4f32.powf(1.0 / 3.0)).abs() < 1e-6);
        assert!(beam[0][0].score > beam[0][1].score);
        assert_eq!(beam[0][0].looks, [[1.0], [2.0], [3.0]]);
    }

    #[test]
    fn a_sequence_that_does_not_end_is_cut() {
        let cut = search(&Table, vec![vec![]], 1, 2, 2).unwrap();
        assert!(!cut[0].is_empty() && cut[0].iter().all(|written| written.words.len() <= 2));
    }
}
