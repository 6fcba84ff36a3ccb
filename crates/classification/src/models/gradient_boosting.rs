//! Gradient boosting: small decision trees, each grown on what those before it got wrong.
//!
//! J. H. Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of
//! Statistics 29 (2001), algorithms 3, 5 and 6.
//!
//! Differs from the paper: the denominator of a leaf's Newton step has 1 added to it (Chen and
//! Guestrin 2016), and trees are added until the loss of the validation rows has not fallen for a
//! while, of which those up to the lowest are kept.

use super::input::{Sizes, Takes};
use super::network::{Fields, Fit, Matrix, ModelConfig, Network, host};
use super::trees::{Grown, Limits, Tree, Trees, examples, failed, written};
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::tree::decision_tree_regressor::{
    DecisionTreeRegressor, DecisionTreeRegressorParameters,
};
use tenfold_core::Result;
use tenfold_core::data::Task;

/// Rounds without a lower loss of the validation rows, after which it ends.
const PATIENCE: usize = 30;

/// The choices of [`GradientBoosting`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradientBoostingConfig {
    /// `[1, 1, columns]`.
    pub input: [usize; 3],
    /// How many classes; 1 where a number is predicted.
    pub classes: usize,
    /// How many examples it is trained on.
    pub examples: usize,
    /// Rounds at most; each adds a tree, where there are more than two classes one for each.
    pub rounds: usize,
    /// Questions from a tree's root to a leaf at most.
    pub depth: usize,
    /// Training examples in a leaf at least.
    pub leaf: usize,
    /// The part of a tree's answer that counts.
    pub rate: f64,
}

impl GradientBoostingConfig {
    /// The default choices for rows of shape `[1, 1, columns]`.
    pub fn new(input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, examples: 0, rounds: 300, depth: 4, leaf: 5, rate: 0.1 }
    }

    /// Sums of trees: of two classes the second's alone, against the first.
    fn sums(&self) -> usize {
        if self.classes == 2 { 1 } else { self.classes }
    }

    fn limits(&self) -> Limits {
        let Self { rounds, depth, leaf, examples, .. } = *self;
        Limits { trees: rounds.saturating_mul(self.sums()), depth, leaf, examples }
    }

    fn fitted(
        &self,
        train: &Matrix,
        validation: &Matrix,
        device: &Device,
    ) -> Result<GradientBoosting> {
        let (x, sums) = (examples(train)?, self.sums());
        let start = self.start(train);
        let mut scores = start.repeat(train.len());
        let mut unseen = start.repeat(validation.len());
        let (mut trees, mut kept, mut lowest): (Vec<Tree>, _, _) = (Vec::new(), 0, f64::INFINITY);
        for round in 1..=self.rounds {
            let slopes = self.slopes(&scores, &train.targets);
            let grown = (0..sums).into_par_iter().map(|sum| {
                let of = |all: &[f64]| all[sum..].iter().step_by(sums).copied().collect::<Vec<_>>();
                self.grow(train, &x, of(&slopes.0), &of(&slopes.1))
            });
            let grown = grown.collect::<Result<Vec<Tree>>>()?;
            for (rows, scores) in [(train, &mut scores), (validation, &mut unseen)] {
                let scores = scores.par_chunks_mut(sums).zip(rows.inputs.par_chunks(train.width));
                scores.for_each(|(scores, row)| {
                    for (score, tree) in scores.iter_mut().zip(&grown) {
                        *score += f64::from(tree.value[tree.leaf(row)]);
                    }
                });
            }
            trees.extend(grown);
            let loss = match validation.is_empty() {
                true => -(round as f64),
                false => self.loss(&unseen, &validation.targets),
            };
            if loss < lowest {
                (lowest, kept) = (loss, round);
            }
            if round - kept >= PATIENCE {
                break;
            }
        }
        trees.truncate(kept * sums);
        let start: Vec<f32> = start.iter().map(|&start| start as f32).collect();
        Ok(GradientBoosting {
            trees: Trees::new(&trees, &self.limits(), device)?,
            start: Param::from_data(TensorData::new(start, [sums]), device),
            classes: self.classes,
        })
    }

    /// The best scores that are the same for every row: logarithms of the classes' parts, or the
    /// mean. A class that is never seen counts as half an example.
    fn start(&self, train: &Matrix) -> Vec<f64> {
        if self.classes == 1 {
            let sum: f64 = train.targets.iter().map(|&target| f64::from(target)).sum();
            return vec![sum / train.len().max(1) as f64];
        }
        let count = |class: usize| {
            train.targets.iter().filter(|&&target| target as usize == class).count() as f64
        };
        let logs: Vec<f64> = (0..self.classes).map(|class| count(class).max(0.5).ln()).collect();
        if self.classes == 2 { vec![logs[1] - logs[0]] } else { logs }
    }

    /// For each score of each row how fast the loss falls, and its second derivative.
    fn slopes(&self, scores: &[f64], targets: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let row = |(scores, &target): (&[f64], &f32)| match self.classes {
            1 => vec![(f64::from(target) - scores[0], 1.0)],
            _ => {
                let is = |sum: usize| match self.classes {
                    2 => f64::from(target),
                    _ => f64::from(target as usize == sum),
                };
                let parts = self.probabilities(scores);
                let of = |(sum, p): (usize, &f64)| (is(sum) - p, p * (1.0 - p));
                parts.iter().enumerate().map(of).collect::<Vec<_>>()
            }
        };
        scores.par_chunks(self.sums()).zip(targets).flat_map_iter(row).unzip()
    }

    /// The probability that each sum stands for.
    fn probabilities(&self, scores: &[f64]) -> Vec<f64> {
        if let &[score] = scores {
            return vec![1.0 / (1.0 + (-score).exp())];
        }
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.iter().map(|power| power / sum).collect()
    }

    /// A tree on how fast the loss falls, whose leaves take a Newton step.
    fn grow(
        &self,
        train: &Matrix,
        x: &DenseMatrix<f32>,
        slopes: Vec<f64>,
        curves: &[f64],
    ) -> Result<Tree> {
        let parameters = DecisionTreeRegressorParameters::default()
            .with_max_depth(self.limits().levels())
            .with_min_samples_leaf(self.leaf);
        let grown = DecisionTreeRegressor::fit(x, &slopes, parameters).map_err(failed)?;
        let mut tree = Tree::new(&written::<Written>(&grown)?.tree_regressor);
        let mut sums = vec![(0.0, 1.0); tree.value.len()];
        for ((row, slope), curve) in train.rows().zip(&slopes).zip(curves) {
            let (slopes, curves) = &mut sums[tree.leaf(row)];
            *slopes += slope;
            *curves += curve;
        }
        let part = match self.classes {
            1 | 2 => self.rate,
            classes => self.rate * (classes - 1) as f64 / classes as f64,
        };
        for (place, answer) in tree.answers() {
            *answer = (part * sums[place].0 / sums[place].1) as f32;
        }
        Ok(tree)
    }

    /// The mean loss of some rows: cross-entropy, or half the squared error.
    fn loss(&self, scores: &[f64], targets: &[f32]) -> f64 {
        let row = |(scores, &target): (&[f64], &f32)| match self.classes {
            1 => (f64::from(target) - scores[0]).powi(2) / 2.0,
            2 => {
                let [p] = self.probabilities(scores)[..] else { return f64::NAN };
                -(if target > 0.5 { p } else { 1.0 - p }).max(1e-12).ln()
            }
            _ => -self.probabilities(scores)[target as usize].max(1e-12).ln(),
        };
        let sum: f64 = scores.chunks(self.sums()).zip(targets).map(row).sum();
        sum / targets.len().max(1) as f64
    }
}

/// smartcore's tree, as it writes it.
#[derive(Deserialize)]
struct Written {
    tree_regressor: Grown,
}

impl ModelConfig for GradientBoostingConfig {
    type Network = GradientBoosting;

    const TASKS: &'static [Task] = &[Task::Classification, Task::Regression];
    const TAKES: Takes = Takes::Rows;
    const FIELDS: Fields = &[
        ("rounds", "rounds at most, each of which adds a tree, of three classes or more one each"),
        ("depth", "questions from a tree's root to a leaf at most"),
        ("leaf", "training rows in a leaf at least"),
        ("rate", "the part of a tree's answer that counts, above 0 to 1"),
    ];

    fn members() -> Vec<Self> {
        Vec::new()
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        if self.rounds == 0 || self.depth == 0 {
            let field = if self.rounds == 0 { "rounds" } else { "depth" };
            return Err(format!("{field}: 0; expected 1 or more"));
        }
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return Err(format!("rate: {}; expected a number above 0, at most 1", self.rate));
        }
        self.limits().check(self.input, self.classes)
    }

    fn infer(&self, _keys: &[(String, Vec<usize>)]) -> Option<Self> {
        // Without its run nobody knows what a column's place is a place of.
        None
    }

    fn for_examples(self, examples: usize) -> Self {
        Self { examples, ..self }
    }

    fn fit(&self) -> Option<Fit<Self>> {
        Some(|config, train, validation, _, device| config.fitted(train, validation, device))
    }

    fn init(&self, device: &Device) -> GradientBoosting {
        GradientBoosting {
            trees: Trees::empty(&self.limits(), device),
            start: Initializer::Zeros.init([self.sums()], device),
            classes: self.classes,
        }
    }
}

/// Trees whose answers are added.
#[derive(Module, Debug)]
pub struct GradientBoosting {
    /// The trees, those of a round side by side: one for each score.
    pub trees: Trees,
    /// `[scores]`: what they are added to.
    pub start: Param<Tensor<1>>,
    classes: usize,
}

impl Network for GradientBoosting {
    type Config = GradientBoostingConfig;

    /// `[batch, columns]` to logits `[batch, classes]`, or numbers `[batch, 1]`. Carries no
    /// gradient.
    fn head(&self, rows: Tensor<2>) -> Tensor<2> {
        let (classes, start) = (self.classes, host(self.start.val()));
        self.trees.answer(rows, classes, |answers| {
            let mut scores = start.clone();
            for (place, answer) in answers.enumerate() {
                scores[place % start.len()] += answer;
            }
            // Of two classes the second's score counts against a first one of 0.
            let first = if classes == 2 { Some(0.0) } else { None };
            first.into_iter().chain(scores).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::data::random::SplitMix64;
    use tenfold_core::device;

    fn answers(config: &GradientBoostingConfig, train: &Matrix, rows: &Matrix) -> Vec<f32> {
        let cpu = device::open("cpu").unwrap();
        let config = config.clone().for_examples(train.len());
        let fitted = config.fit().unwrap()(&config, train, rows, 1, &cpu).unwrap();
        let data = TensorData::new(rows.inputs.clone(), [rows.len(), 1, 1, rows.width]);
        host(fitted.forward(Tensor::from_data(data, &cpu)))
    }

    /// Rows of two numbers, with what `of` says of them.
    fn rows(count: usize, seed: u64, of: impl Fn(f32, f32) -> f32) -> Matrix {
        let mut random = SplitMix64::new(seed);
        let inputs: Vec<f32> = (0..2 * count).map(|_| random.between(-1.0, 1.0)).collect();
        let targets = inputs.chunks(2).map(|row| of(row[0], row[1])).collect();
        Matrix { inputs, width: 2, targets }
    }

    #[test]
    fn one_round_is_one_newton_step() {
        // Two leaves of two rows each, of the classes 0 and 1: p is 0.5 everywhere, the slopes
        // add up to -1 and 1, the second derivatives to 0.5.
        let train =
            Matrix { inputs: vec![0., 1., 8., 9.], width: 1, targets: vec![0., 0., 1., 1.] };
        let config = GradientBoostingConfig {
            rounds: 1,
            depth: 1,
            leaf: 1,
            rate: 0.3,
            ..GradientBoostingConfig::new([1, 1, 1], 2)
        };
        let step = 0.3 * 1.0 / 1.5;
        let found = answers(&config, &train, &train);
        for (found, expected) in found.chunks(2).zip([-step, -step, step, step]) {
            assert!((found[1] - found[0] - expected).abs() < 1e-6, "{found:?} {expected}");
        }
    }

    #[test]
    fn three_classes_and_numbers_are_learnt() {
        let of = |a: f32, b: f32| if a * b > 0.0 { 2.0 } else { f32::from(a > 0.0) };
        let (train, test) = (rows(900, 1, of), rows(300, 2, of));
        let found = answers(&GradientBoostingConfig::new([1, 1, 2], 3), &train, &test);
        let best = |row: &[f32]| (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        let right = found.chunks(3).zip(&test.targets);
        let right = right.filter(|(row, target)| best(row) == Some(**target as usize)).count();
        assert!(right > 285, "{right} of 300");

        let of = |a: f32, b: f32| (3.0 * a).sin() * b;
        let (train, test) = (rows(900, 3, of), rows(300, 4, of));
        let found = answers(&GradientBoostingConfig::new([1, 1, 2], 1), &train, &test);
        let square = |sum: f32, (a, b): (&f32, &f32)| sum + (a - b).powi(2);
        let error = found.iter().zip(&test.targets).fold(0.0, square);
        let spread = test.targets.iter().zip([0.0; 300].iter()).fold(0.0, square);
        assert!(error < 0.05 * spread, "{error} of {spread}");
    }

    #[test]
    fn trees_that_help_no_more_are_left_out() {
        // Nothing can be learnt: the best is what all rows have in common.
        let mut random = SplitMix64::new(5);
        let noise: Vec<f32> = (0..600).map(|_| random.below(2) as f32).collect();
        let all = rows(600, 6, |_, _| 0.0);
        let part = |from: usize, to: usize| Matrix {
            inputs: all.inputs[2 * from..2 * to].to_vec(),
            width: 2,
            targets: noise[from..to].to_vec(),
        };
        let cpu = device::open("cpu").unwrap();
        let config = GradientBoostingConfig::new([1, 1, 2], 2).for_examples(300);
        let fitted = config.fitted(&part(0, 300), &part(300, 600), &cpu).unwrap();
        let nodes = config.limits().nodes();
        let used = host(fitted.trees.value.val());
        let used = used.chunks(nodes).filter(|tree| tree.iter().any(|&value| value != 0.0));
        assert!(used.count() < 30);
    }
}
