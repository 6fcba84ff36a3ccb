//! Random forest: many decision trees, each grown on another sample of the rows, vote.
//!
//! L. Breiman, "Random Forests", Machine Learning 45 (2001).
//!
//! Each question of a tree is chosen among a few columns that are drawn anew: as many as the root
//! of their number, in a regression a third. The trees are grown until their leaves hold one
//! class, and vote; in a regression their numbers are averaged.
//!
//! Differs from the paper: the rows of each tree are drawn within each class, and one vote is
//! spread over all classes, so that no class is ever called impossible.

use super::input::{Sizes, Takes};
use super::network::{Fields, Fit, Matrix, ModelConfig, Network};
use super::trees::{Grown, Limits, Tree, Trees, examples, failed, written};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use smartcore::ensemble::random_forest_classifier::{
    RandomForestClassifier, RandomForestClassifierParameters,
};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;
use tenfold_core::Result;
use tenfold_core::data::Task;
use tenfold_core::data::random::SplitMix64;

/// The choices of [`RandomForest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomForestConfig {
    /// `[1, 1, columns]`.
    pub input: [usize; 3],
    /// How many classes; 1 where a number is predicted.
    pub classes: usize,
    /// How many examples it is trained on.
    pub examples: usize,
    /// How many trees.
    pub trees: usize,
    /// Questions from the root to a leaf at most; 0 where that is not limited.
    pub depth: usize,
    /// Training examples in a leaf at least.
    pub leaf: usize,
    /// Columns among which a question is chosen; 0 for the root of their number, in a regression
    /// a third of it.
    pub columns: usize,
}

impl RandomForestConfig {
    /// The default choices for rows of shape `[1, 1, columns]`.
    pub fn new(input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, examples: 0, trees: 100, depth: 0, leaf: 1, columns: 0 }
    }

    fn limits(&self) -> Limits {
        let Self { trees, depth, leaf, examples, .. } = *self;
        Limits { trees, depth, leaf, examples }
    }

    /// Grows a tree on a sample of the rows that depends on `seed`.
    fn grow(&self, train: &Matrix, x: &DenseMatrix<f32>, seed: u64) -> Result<Tree> {
        let (limits, width) = (self.limits(), train.width);
        if self.classes == 1 {
            let own = RandomForestRegressorParameters {
                max_depth: Some(limits.levels()),
                min_samples_leaf: self.leaf,
                m: Some(if self.columns > 0 { self.columns.min(width) } else { width.div_ceil(3) }),
                n_trees: 1,
                seed,
                ..Default::default()
            };
            let forest = RandomForestRegressor::fit(x, &train.targets, own).map_err(failed)?;
            let Regressor { forest_regressor } = written(&forest)?;
            return forest_regressor.first();
        }
        let classes: Vec<u32> = train.targets.iter().map(|&class| class as u32).collect();
        let root = (width as f64).sqrt().round() as usize;
        let own = RandomForestClassifierParameters {
            max_depth: Some(limits.levels()),
            min_samples_leaf: self.leaf,
            m: Some(if self.columns > 0 { self.columns.min(width) } else { root }),
            n_trees: 1,
            seed,
            ..Default::default()
        };
        let forest = RandomForestClassifier::fit(x, &classes, own).map_err(failed)?;
        written::<Forest>(&forest)?.first()
    }
}

/// smartcore's forests, as it writes them.
#[derive(Deserialize)]
struct Forest {
    trees: Vec<Grown>,
}

#[derive(Deserialize)]
struct Regressor {
    forest_regressor: Forest,
}

impl Forest {
    fn first(&self) -> Result<Tree> {
        self.trees.first().map(Tree::new).ok_or_else(|| failed("a forest without trees"))
    }
}

impl ModelConfig for RandomForestConfig {
    type Network = RandomForest;

    const TASKS: &'static [Task] = &[Task::Classification, Task::Regression];
    const TAKES: Takes = Takes::Rows;
    const FIELDS: Fields = &[
        ("trees", "how many trees vote"),
        ("depth", "questions from a tree's root to a leaf at most; 0 for no limit"),
        ("leaf", "training rows in a leaf at least"),
        (
            "columns",
            "columns among which a question is chosen; 0 for the root of their number, in a \
             regression a third",
        ),
    ];

    fn members() -> Vec<Self> {
        Vec::new()
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        self.limits().check(self.input, self.classes)
    }

    fn infer(&self, _keys: &[(String, Vec<usize>)]) -> Option<Self> {
        // The number of classes is not to be seen in the trees.
        None
    }

    fn for_examples(self, examples: usize) -> Self {
        Self { examples, ..self }
    }

    fn fit(&self) -> Option<Fit<Self>> {
        Some(|config, train, _, seed, device| {
            let x = examples(train)?;
            let seeds =
                (0..config.trees as u64).map(|tree| SplitMix64::keyed(&[seed, tree]).bits());
            let seeds: Vec<u64> = seeds.collect();
            let trees = seeds.par_iter().map(|&seed| config.grow(train, &x, seed));
            let trees = trees.collect::<Result<Vec<Tree>>>()?;
            let trees = Trees::new(&trees, &config.limits(), device)?;
            Ok(RandomForest { trees, classes: config.classes })
        })
    }

    fn init(&self, device: &Device) -> RandomForest {
        RandomForest { trees: Trees::empty(&self.limits(), device), classes: self.classes }
    }
}

/// Trees that vote.
#[derive(Module, Debug)]
pub struct RandomForest {
    /// The trees; a leaf holds the place of a class, or a number.
    pub trees: Trees,
    classes: usize,
}

impl Network for RandomForest {
    type Config = RandomForestConfig;

    /// `[batch, columns]` to logarithms of probabilities `[batch, classes]`, which the softmax
    /// leaves as they are; or numbers `[batch, 1]`. Carries no gradient.
    fn head(&self, rows: Tensor<2>) -> Tensor<2> {
        let classes = self.classes;
        self.trees.answer(rows, classes, |answers| {
            let (mut votes, mut sum, mut count) = (vec![1.0 / classes as f32; classes], 0.0, 0.0);
            for answer in answers {
                sum += answer;
                count += 1.0;
                if let Some(votes) = votes.get_mut(answer as usize) {
                    *votes += 1.0;
                }
            }
            match classes {
                1 => vec![sum / count],
                _ => votes.iter().map(|own: &f32| (own / (count + 1.0)).ln()).collect(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::network::host;
    use burn::tensor::TensorData;
    use tenfold_core::device;

    fn answers(config: &RandomForestConfig, train: &Matrix, rows: &[f32]) -> Vec<f32> {
        let cpu = device::open("cpu").unwrap();
        let config = config.clone().for_examples(train.len());
        let forest = config.fit().unwrap()(&config, train, train, 1, &cpu).unwrap();
        let count = rows.len() / train.width;
        let rows = TensorData::new(rows.to_vec(), [count, 1, 1, train.width]);
        host(forest.forward(Tensor::from_data(rows, &cpu)))
    }

    #[test]
    fn votes_become_probabilities() {
        // Class 2 is never seen; the others lie far apart.
        let inputs = vec![0.0, 0.1, 0.2, 0.3, 5.0, 5.1, 5.2, 5.3];
        let targets = vec![0.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 3.0];
        let train = Matrix { inputs, width: 1, targets };
        let config = RandomForestConfig { trees: 9, ..RandomForestConfig::new([1, 1, 1], 4) };
        let found = answers(&config, &train, &[-1.0, 9.0]);
        for (found, class) in found.chunks(4).zip([0, 3]) {
            for (place, found) in found.iter().enumerate() {
                // Nine votes, and one spread over four classes.
                let expected: f32 = if place == class { 0.925 } else { 0.025 };
                assert!((found.exp() - expected).abs() < 1e-6, "{found}");
            }
        }
    }

    #[test]
    fn numbers_are_averaged() {
        let inputs: Vec<f32> = (0..200).map(|i| i as f32 / 100.0 - 1.0).collect();
        let targets = inputs.iter().map(|x| x * x).collect();
        let train = Matrix { inputs, width: 1, targets };
        let found = answers(&RandomForestConfig::new([1, 1, 1], 1), &train, &[-0.5, 0.0, 0.9]);
        for (found, expected) in found.iter().zip([0.25, 0.0, 0.81]) {
            assert!((found - expected).abs() < 0.03, "{found} is not {expected}");
        }
    }
}
