//! Beam search: the most probable sequences that a decoder can write.

use crate::vocab::{BEGIN, END};
use tenfold_core::Result;

/// Hypotheses that a beam search keeps where nothing is said.
pub const BEAM: usize = 5;

/// A decoder that writes one token after another, for several rows at once.
pub trait Decoder {
    /// What it remembers of each row.
    type State;

    /// From each row's last token the logarithms of the probabilities of each next one, row
    /// after row, `rows * tokens` numbers; and the state after it.
    ///
    /// # Errors
    /// The device.
    fn step(&self, last: &[usize], state: &Self::State) -> Result<(Vec<f32>, Self::State)>;

    /// The state of these rows, which may repeat.
    fn select(&self, state: &Self::State, rows: &[usize]) -> Self::State;
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Beam size: hypotheses that are kept of each row; 1 is greedy.
    pub beam: usize,
    /// Longest sequence.
    pub longest: usize,
    /// Strength of the length normalisation: a sum of logarithms is divided by
    /// `((5 + length) / 6)^alpha` (Wu et al., arXiv:1609.08144, eq. 14).
    pub alpha: f32,
}

/// A sequence that the search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, without those that begin and end it.
    pub tokens: Vec<usize>,
    /// The logarithm of its probability.
    pub log_probability: f32,
    /// The same, normalised by the length: what ranks.
    pub score: f32,
}

struct Partial {
    tokens: Vec<usize>,
    sum: f32,
}

impl Search {
    fn finish(&self, Partial { mut tokens, sum }: Partial) -> Hypothesis {
        // The end counts as written.
        let length = tokens.len() as f32;
        if tokens.last() == Some(&END) {
            tokens.pop();
        }
        Hypothesis { tokens, log_probability: sum, score: self.normalised(sum, length) }
    }

    fn normalised(&self, sum: f32, length: f32) -> f32 {
        sum / ((5.0 + length) / 6.0).powf(self.alpha)
    }

    /// Keeps the best of a row's finished hypotheses, and says whether the unfinished ones are
    /// behind all of them: none of them would rank if it ended here.
    fn done(&self, finished: &mut Vec<Hypothesis>, partial: &[Partial]) -> bool {
        finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        finished.truncate(self.beam.max(1));
        let hope = partial
            .first()
            .map_or(f32::NEG_INFINITY, |best| self.normalised(best.sum, best.tokens.len() as f32));
        finished.len() >= self.beam.max(1) && finished.iter().all(|own| own.score >= hope)
    }

    /// For each of `rows` rows of `state` up to `beam` sequences, best first.
    ///
    /// # Errors
    /// The decoder's.
    pub fn run<D: Decoder>(
        &self,
        decoder: &D,
        state: D::State,
        rows: usize,
    ) -> Result<Vec<Vec<Hypothesis>>> {
        let beam = self.beam.max(1);
        let mut finished: Vec<Vec<Hypothesis>> = (0..rows).map(|_| Vec::new()).collect();
        // The unfinished hypotheses of each row that is not done, and its place among all rows.
        let mut open: Vec<(usize, Vec<Partial>)> =
            (0..rows).map(|row| (row, vec![Partial { tokens: Vec::new(), sum: 0.0 }])).collect();
        let mut state = state;
        for _ in 0..self.longest {
            if open.is_empty() {
                break;
            }
            let unfinished = open.iter().flat_map(|(_, hypotheses)| hypotheses);
            let last: Vec<usize> =
                unfinished.map(|own| own.tokens.last().copied().unwrap_or(BEGIN)).collect();
            let (logs, next) = decoder.step(&last, &state)?;
            let tokens = logs.len() / last.len().max(1);
            let (mut kept, mut first) = (Vec::new(), 0);
            let mut going = Vec::new();
            for (row, hypotheses) in open {
                // A hypothesis may end, so that twice as many candidates are taken as are kept.
                let mut candidates: Vec<(f32, usize, usize)> = Vec::new();
                for (place, hypothesis) in hypotheses.iter().enumerate() {
                    let own = &logs[(first + place) * tokens..(first + place + 1) * tokens];
                    let best = best(own, 2 * beam).into_iter();
                    candidates.extend(best.map(|t| (hypothesis.sum + own[t], place, t)));
                }
                candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
                let mut grown = Vec::new();
                for (rank, (sum, place, token)) in candidates.into_iter().enumerate() {
                    if grown.len() == beam || !sum.is_finite() {
                        break;
                    }
                    let mut tokens = hypotheses[place].tokens.clone();
                    tokens.push(token);
                    match token {
                        END if rank < beam => {
                            finished[row].push(self.finish(Partial { tokens, sum }))
                        }
                        END => {}
                        _ => {
                            grown.push(Partial { tokens, sum });
                            kept.push(first + place);
                        }
                    }
                }
                first += hypotheses.len();
                if self.done(&mut finished[row], &grown) {
                    kept.truncate(kept.len() - grown.len());
                } else if !grown.is_empty() {
                    going.push((row, grown));
                }
            }
            // Most steps end no sequence of a greedy search, and copying the states is dear.
            let all_go_on = kept.iter().copied().eq(0..last.len());
            state = if all_go_on { next } else { decoder.select(&next, &kept) };
            open = going;
        }
        for (row, hypotheses) in open {
            finished[row].extend(hypotheses.into_iter().map(|own| self.finish(own)));
            self.done(&mut finished[row], &[]);
        }
        Ok(finished)
    }
}

/// The places of the `count` largest numbers, largest first; of equals the first.
fn best(numbers: &[f32], count: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(count + 1);
    for (place, &number) in numbers.iter().enumerate() {
        if best.len() == count && best.last().is_some_and(|&last| numbers[last] >= number) {
            continue;
        }
        let at = best.partition_point(|&other| numbers[other] >= number);
        best.insert(at, place);
        best.truncate(count);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes tokens 4 and 5 by a table of (last token, next token), some rows' tables shifted.
    struct Table(Vec<Vec<f32>>);

    impl Decoder for Table {
        type State = Vec<usize>;

        fn step(&self, last: &[usize], state: &Vec<usize>) -> Result<(Vec<f32>, Vec<usize>)> {
            assert_eq!(last.len(), state.len());
            let row = |(&token, &shift): (&usize, &usize)| {
                let token = (token + shift) % self.0.len();
                self.0[token].iter().copied()
            };
            Ok((last.iter().zip(state).flat_map(row).collect(), state.clone()))
        }

        fn select(&self, state: &Vec<usize>, rows: &[usize]) -> Vec<usize> {
            rows.iter().map(|&row| state[row]).collect()
        }
    }

    fn logs(weights: &[f32]) -> Vec<f32> {
        let sum: f32 = weights.iter().sum();
        weights.iter().map(|weight| (weight / sum).ln()).collect()
    }

    /// Every sequence that ends within `longest` tokens, and every one that is cut there.
    fn all(table: &Table, shift: usize, search: &Search) -> Vec<Hypothesis> {
        let mut all = Vec::new();
        let mut open = vec![Partial { tokens: Vec::new(), sum: 0.0 }];
        for _ in 0..search.longest {
            let mut next = Vec::new();
            for partial in open {
                let last = partial.tokens.last().copied().unwrap_or(BEGIN);
                let row = &table.0[(last + shift) % table.0.len()];
                for (token, log) in row.iter().enumerate().filter(|(_, log)| log.is_finite()) {
                    let mut tokens = partial.tokens.clone();
                    tokens.push(token);
                    let grown = Partial { tokens, sum: partial.sum + log };
                    match token {
                        END => all.push(search.finish(grown)),
                        _ => next.push(grown),
                    }
                }
            }
            open = next;
        }
        all.extend(open.into_iter().map(|partial| search.finish(partial)));
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        all
    }

    proptest! {
        #[test]
        fn a_beam_wide_enough_finds_the_best_of_all(
            weights in prop::collection::vec(prop::collection::vec(0.01f32..1.0, 3), 6),
            shift in 0usize..3,
        ) {
            let table = Table(weights.iter().map(|w| {
                logs(&[0.0, 0.0, 0.0, w[0], w[1], w[2]])
            }).collect());
            let search = Search { beam: 64, longest: 4, alpha: 0.6 };
            let found = search.run(&table, vec![0, shift], 2).unwrap();
            for (found, shift) in found.iter().zip([0, shift]) {
                let all = all(&table, shift, &search);
                prop_assert!((found[0].score - all[0].score).abs() < 1e-5);
            }
        }

        #[test]
        fn one_beam_takes_the_best_token_each_time(
            weights in prop::collection::vec(prop::collection::vec(0.01f32..1.0, 3), 6),
        ) {
            let table = Table(weights.iter().map(|w| {
                logs(&[0.0, 0.0, 0.0, w[0], w[1], w[2]])
            }).collect());
            let search = Search { beam: 1, longest: 5, alpha: 0.0 };
            let found = search.run(&table, vec![0], 1).unwrap().remove(0).remove(0);
            let (mut last, mut greedy) = (BEGIN, Vec::new());
            while greedy.len() < 5 {
                last = best(&table.0[last], 1)[0];
                if last == END {
                    break;
                }
                greedy.push(last);
            }
            prop_assert_eq!(found.tokens, greedy);
        }
    }
}
