//! K-nearest neighbours: an example is what the most similar training examples are.
//!
//! E. Fix and J. L. Hodges, "Discriminatory Analysis: Nonparametric Discrimination", USAF
//! School of Aviation Medicine (1951); T. Cover and P. Hart, "Nearest Neighbor Pattern
//! Classification", IEEE Transactions on Information Theory 13 (1967).
//!
//! Differs from the papers: neighbours vote with one over their distance (Dudani 1976) unless
//! `--set weights=uniform`, and one vote is spread over all classes, so that no class is ever
//! called impossible. In a regression the neighbours' numbers are averaged with these weights.

use super::checks::{check_widths, numbers};
use super::input::{Sizes, Takes};
use super::network::{Fields, Fit, ModelConfig, Network, host};
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tenfold_core::data::Task;

/// How much a neighbour counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// Each as much as any other.
    Uniform,
    /// In inverse proportion to its distance.
    Distance,
}

/// The choices of [`Knn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnnConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes; 1 where a number is predicted.
    pub classes: usize,
    /// How many examples it remembers: all that it was trained on.
    pub examples: usize,
    /// How many neighbours are asked, the k of the name.
    pub k: usize,
    /// How much each of them counts.
    pub weights: Weights,
}

impl KnnConfig {
    /// The default choices for inputs of shape `[channels, height, width]`.
    pub fn new(input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, examples: 0, k: 5, weights: Weights::Distance }
    }
}

impl ModelConfig for KnnConfig {
    type Network = Knn;

    const TASKS: &'static [Task] = &[Task::Classification, Task::Regression];
    const TAKES: Takes = Takes::Anything;
    const FIELDS: Fields = &[
        ("k", "number of neighbours"),
        ("weights", "weight of a neighbour: uniform, or distance for 1/distance"),
    ];

    fn members() -> Vec<Self> {
        Vec::new()
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        // Nothing is learnt, but as much is stored; none before it is trained.
        check_widths("examples", &[numbers(self.input), self.examples.max(1), self.classes])?;
        match self.k {
            0 => Err("k: 0; expected 1 or more".into()),
            _ => Ok(()),
        }
    }

    fn infer(&self, _keys: &[(String, Vec<usize>)]) -> Option<Self> {
        // The number of classes is not to be seen in what it remembers.
        None
    }

    fn for_examples(mut self, count: usize) -> Self {
        self.examples = count;
        self
    }

    fn fit(&self) -> Option<Fit<Self>> {
        Some(|config, train, _, _, device| {
            let inputs = TensorData::new(train.inputs.clone(), [train.len(), train.width]);
            let targets = TensorData::new(train.targets.clone(), [train.len()]);
            Ok(Knn {
                inputs: Param::from_data(inputs, device),
                targets: Param::from_data(targets, device),
                ..config.init(device)
            })
        })
    }

    fn init(&self, device: &Device) -> Knn {
        Knn {
            inputs: Initializer::Zeros.init([self.examples, numbers(self.input)], device),
            targets: Initializer::Zeros.init([self.examples], device),
            classes: self.classes,
            k: self.k,
            by_distance: self.weights == Weights::Distance,
        }
    }
}

/// All training examples.
#[derive(Module, Debug)]
pub struct Knn {
    /// `[examples, numbers]`.
    pub inputs: Param<Tensor<2>>,
    /// `[examples]`: the place of each one's class, or its number.
    pub targets: Param<Tensor<1>>,
    classes: usize,
    k: usize,
    by_distance: bool,
}

impl Network for Knn {
    type Config = KnnConfig;

    /// `[batch, numbers]` to logarithms of probabilities `[batch, classes]`, which the softmax leaves as they are; or
    /// numbers `[batch, 1]`. Carries no gradient.
    fn head(&self, queries: Tensor<2>) -> Tensor<2> {
        let device = queries.device();
        let examples = self.inputs.val();
        let [batch, count] = [queries.dims()[0], examples.dims()[0]];
        // |q - e|^2 = |q|^2 - 2 q e + |e|^2, of which the product takes nearly all the time.
        let squares = |rows: &Tensor<2>| host(rows.clone().square().sum_dim(1));
        let (query_squares, example_squares) = (squares(&queries), squares(&examples));
        let products = host(queries.matmul(examples.transpose())); // [batch, examples]
        let targets = host(self.targets.val());
        let answers = products.par_chunks(count.max(1)).zip(&query_squares).flat_map_iter(
            |(products, square)| {
                let distances = products.iter().zip(&example_squares).map(|(p, e)| e - 2.0 * p);
                let mut nearest = nearest(distances, self.k);
                // What rounding makes negative is no distance.
                nearest
                    .iter_mut()
                    .for_each(|(distance, _)| *distance = (*distance + square).max(0.0));
                self.answer(&nearest, &targets)
            },
        );
        Tensor::from_data(TensorData::new(answers.collect(), [batch, self.classes]), &device)
    }
}

impl Knn {
    /// What the neighbours, of which the squared distances are given, say together.
    fn answer(&self, nearest: &[(f32, usize)], targets: &[f32]) -> Vec<f32> {
        let weight = |&(square, _): &(f32, usize)| match self.by_distance {
            true => 1.0 / square.sqrt().max(1e-6),
            false => 1.0,
        };
        let sum: f32 = nearest.iter().map(weight).sum();
        let votes = nearest.iter().map(|near| (weight(near) / sum, targets[near.1]));
        if self.classes == 1 {
            return vec![votes.map(|(weight, number)| weight * number).sum()];
        }
        let mut shares = vec![1.0 / self.classes as f32; self.classes];
        for (weight, class) in votes {
            if let Some(share) = shares.get_mut(class as usize) {
                *share += weight * nearest.len() as f32;
            }
        }
        shares.iter().map(|share| (share / (nearest.len() + 1) as f32).ln()).collect()
    }
}

/// The k smallest, sorted, with their places; of equals the first.
fn nearest(distances: impl Iterator<Item = f32>, k: usize) -> Vec<(f32, usize)> {
    let mut nearest: Vec<(f32, usize)> = Vec::with_capacity(k + 1);
    for (place, distance) in distances.enumerate() {
        if nearest.len() == k && nearest.last().is_some_and(|last| distance >= last.0) {
            continue;
        }
        let at = nearest.partition_point(|near| near.0 <= distance);
        nearest.insert(at, (distance, place));
        nearest.truncate(k);
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Matrix;
    use tenfold_core::device;

    fn fitted(config: KnnConfig) -> Knn {
        let train = Matrix {
            inputs: vec![0.0, 0.0, 1.0, 0.0, 0.0, 4.0],
            width: 2,
            targets: vec![0.0, 1.0, 1.0],
        };
        let config = config.for_examples(3);
        let fit = config.fit().unwrap();
        fit(&config, &train, &train, 1, &device::open("cpu").unwrap()).unwrap()
    }

    fn ask(knn: &Knn, point: [f32; 2]) -> Vec<f32> {
        let input = Tensor::<1>::from_data(point, &device::open("cpu").unwrap());
        host(knn.forward(input.reshape([1, 1, 1, 2])))
    }

    #[test]
    fn votes_by_hand() {
        let config = KnnConfig { k: 3, ..KnnConfig::new([1, 1, 2], 2) };
        // Two of three neighbours are of class 1, and half a vote goes to each class.
        let uniform = KnnConfig { weights: Weights::Uniform, ..config.clone() };
        let answer = ask(&fitted(uniform), [0.0, 1.0]);
        let expected = [1.5f32 / 4.0, 2.5 / 4.0].map(f32::ln);
        assert!(answer.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{answer:?}");
        // Distances 1, root of 2, 3.
        let answer = ask(&fitted(config), [0.0, 1.0]);
        let weights = [1.0, 0.5f32.sqrt(), 1.0 / 3.0];
        let first = weights[0] / weights.iter().sum::<f32>();
        let expected = [(3.0 * first + 0.5) / 4.0, (3.0 * (1.0 - first) + 0.5) / 4.0];
        for (found, expected) in answer.iter().zip(expected) {
            assert!((found.exp() - expected).abs() < 1e-5, "{answer:?}");
        }
    }

    #[test]
    fn numbers_are_averaged_and_more_neighbours_than_examples_are_all() {
        let config = KnnConfig { k: 9, weights: Weights::Uniform, ..KnnConfig::new([1, 1, 2], 1) };
        let answer = ask(&fitted(config), [5.0, 5.0]);
        assert!((answer[0] - 2.0 / 3.0).abs() < 1e-6, "{answer:?}");
    }

    #[test]
    fn of_equally_near_ones_the_first_counts() {
        assert_eq!(nearest([2.0, 1.0, 2.0, 1.0].into_iter(), 3), [(1.0, 1), (1.0, 3), (2.0, 0)]);
        assert_eq!(nearest([2.0].into_iter(), 3), [(2.0, 0)]);
    }
}
