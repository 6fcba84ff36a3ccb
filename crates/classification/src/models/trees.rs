//! Decision trees side by side: what a random forest and gradient boosting have in common.
//!
//! L. Breiman et al., "Classification and Regression Trees" (1984). They are grown by smartcore,
//! and kept as tensors: a weights file holds numbers, and nothing in it is executed.

use super::checks::check_widths;
use super::network::{Matrix, host};
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use smartcore::linalg::basic::matrix::DenseMatrix;
use std::collections::VecDeque;
use tenfold_core::{Error, Result};

/// What stands in the place of a column in a leaf.
const LEAF: f32 = -1.0;

/// The depth of a tree at most, where it is limited.
const DEEPEST: usize = 30;

/// One tree, its root first and the two nodes below another side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tree {
    /// The place of the number that a node asks for; [`LEAF`] in a leaf.
    column: Vec<f32>,
    /// With what it is compared; in a leaf the answer.
    pub value: Vec<f32>,
    /// The node for numbers that are not larger; the next one is for those that are.
    child: Vec<f32>,
}

/// The leaf of a row, and its answer.
fn leaf(column: &[f32], value: &[f32], child: &[f32], row: &[f32]) -> (usize, f32) {
    let mut at = 0;
    while let (Some(&own), Some(&limit), Some(&below)) =
        (column.get(at), value.get(at), child.get(at))
    {
        let number = if own >= 0.0 { row.get(own as usize) } else { None };
        let Some(number) = number else { return (at, limit) };
        let next = below as usize + usize::from(*number > limit);
        // A file that was made by hand may point backwards: that would never end.
        if next <= at {
            return (at, 0.0);
        }
        at = next;
    }
    (at, 0.0)
}

/// A tree as smartcore writes it.
#[derive(Deserialize)]
pub(super) struct Grown {
    nodes: Vec<Node>,
    /// The numbers of the classes that its answers count.
    pub classes: Option<Vec<f32>>,
}

#[derive(Deserialize)]
struct Node {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

/// What smartcore made, by the fields that it writes.
pub(super) fn written<T: DeserializeOwned>(model: &impl Serialize) -> Result<T> {
    let value = serde_json::to_value(model).and_then(serde_json::from_value);
    value.map_err(failed)
}

/// What smartcore says.
pub(super) fn failed(why: impl std::fmt::Display) -> Error {
    Error::Training(format!("no tree was grown: {why}"))
}

/// Examples as smartcore takes them.
pub(super) fn examples(train: &Matrix) -> Result<DenseMatrix<f32>> {
    DenseMatrix::new(train.len(), train.width, train.inputs.clone(), false).map_err(failed)
}

impl Tree {
    pub fn new(grown: &Grown) -> Self {
        let mut own = Self::default();
        let mut queue = VecDeque::from([0]);
        let mut end = 1;
        while let Some(node) = queue.pop_front().and_then(|place: usize| grown.nodes.get(place)) {
            match (node.split_value, node.true_child, node.false_child) {
                (Some(limit), Some(below), Some(above)) => {
                    own.column.push(node.split_feature as f32);
                    own.value.push(rounded_down(limit));
                    own.child.push(end as f32);
                    queue.extend([below, above]);
                    end += 2;
                }
                _ => {
                    let answer = match &grown.classes {
                        Some(classes) => classes.get(node.output as usize).copied(),
                        None => Some(node.output as f32),
                    };
                    own.column.push(LEAF);
                    own.value.push(answer.unwrap_or_default());
                    own.child.push(0.0);
                }
            }
        }
        own
    }

    /// The place of a row's leaf.
    pub fn leaf(&self, row: &[f32]) -> usize {
        leaf(&self.column, &self.value, &self.child, row).0
    }

    /// The answers of the leaves, by their places, which may be changed.
    pub fn answers(&mut self) -> impl Iterator<Item = (usize, &mut f32)> {
        let leaves = self.value.iter_mut().enumerate().zip(&self.column);
        leaves.filter(|(_, column)| **column < 0.0).map(|(value, _)| value)
    }
}

/// The largest number of 32 bits that is not above: the same numbers of 32 bits are below both.
fn rounded_down(limit: f64) -> f32 {
    let near = limit as f32;
    if f64::from(near) > limit { near.next_down() } else { near }
}

/// How large trees may be.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Trees.
    pub trees: usize,
    /// Questions from the root to a leaf at most; 0 where that is not limited.
    pub depth: usize,
    /// Training examples in a leaf at least.
    pub leaf: usize,
    /// Training examples.
    pub examples: usize,
}

impl Limits {
    /// The nodes of a tree at most: two leaves to a question, and examples in every leaf.
    pub fn nodes(&self) -> usize {
        let leaves = self.examples.checked_div(self.leaf).unwrap_or(0).max(1);
        let leaves = if self.depth > 0 { leaves.min(1 << self.depth.min(DEEPEST)) } else { leaves };
        2 * leaves - 1
    }

    /// Refuses what no machine holds, and inputs that are no rows.
    pub fn check(&self, input: [usize; 3], classes: usize) -> Result<(), String> {
        // Places of nodes are kept in 32 bits, which are exact up to there.
        const MOST: usize = 1 << 24;
        let Self { trees, depth, leaf, examples } = *self;
        if trees == 0 || leaf == 0 {
            let field = if trees == 0 { "trees" } else { "leaf" };
            return Err(format!("{field}: 0; expected 1 or more"));
        }
        if depth > DEEPEST {
            return Err(format!("depth: {depth}; expected at most {DEEPEST}, or 0 for no limit"));
        }
        if examples >= MOST || trees.saturating_mul(self.nodes()) > MOST * 16 {
            let why = "trees: too many nodes for this many examples";
            return Err(format!("{why}; `--set leaf=10` or `--set depth=12` makes smaller trees"));
        }
        match input {
            [1, 1, columns] => check_widths("input", &[columns, classes]),
            input => Err(format!("input: {input:?}; expected [1, 1, columns]")),
        }
    }

    /// As smartcore counts the depth: a tree that is a leaf alone has 1.
    pub fn levels(&self) -> u16 {
        if self.depth == 0 { u16::MAX } else { self.depth as u16 + 1 }
    }
}

/// Trees as tensors `[trees, nodes]`; behind a tree's last node there are leaves without meaning.
#[derive(Module, Debug)]
pub struct Trees {
    /// The place of the number that a node asks for; -1 in a leaf.
    pub column: Param<Tensor<2>>,
    /// With what it is compared; in a leaf the answer.
    pub value: Param<Tensor<2>>,
    /// The node for numbers that are not larger; the next one is for those that are.
    pub child: Param<Tensor<2>>,
}

impl Trees {
    /// Room for trees.
    pub(super) fn empty(limits: &Limits, device: &Device) -> Self {
        let room = || Initializer::Zeros.init([limits.trees, limits.nodes()], device);
        Self { column: room(), value: room(), child: room() }
    }

    /// These trees, fewer than there is room for where need be: the others answer 0.
    pub(super) fn new(trees: &[Tree], limits: &Limits, device: &Device) -> Result<Self> {
        let nodes = limits.nodes();
        if trees.len() > limits.trees || trees.iter().any(|tree| tree.value.len() > nodes) {
            return Err(failed("it is larger than its limits"));
        }
        let packed = |of: fn(&Tree) -> &Vec<f32>, rest: f32| {
            let mut all = vec![rest; limits.trees * nodes];
            for (room, tree) in all.chunks_mut(nodes).zip(trees) {
                room[..of(tree).len()].copy_from_slice(of(tree));
            }
            Param::from_data(TensorData::new(all, [limits.trees, nodes]), device)
        };
        Ok(Self {
            column: packed(|tree| &tree.column, LEAF),
            value: packed(|tree| &tree.value, 0.0),
            child: packed(|tree| &tree.child, 0.0),
        })
    }

    /// What `of` makes of the answers of all trees to each row of `[batch, numbers]`, `outputs`
    /// numbers: `[batch, outputs]`.
    pub(super) fn answer(
        &self,
        rows: Tensor<2>,
        outputs: usize,
        of: impl Fn(&mut dyn Iterator<Item = f32>) -> Vec<f32> + Sync,
    ) -> Tensor<2> {
        let (device, [batch, width]) = (rows.device(), rows.dims());
        let nodes = self.value.dims()[1].max(1);
        let [column, value, child] =
            [&self.column, &self.value, &self.child].map(|all| host(all.val()));
        let rows = host(rows);
        let answers = rows.par_chunks(width.max(1)).flat_map_iter(|row| {
            let trees = column.chunks(nodes).zip(value.chunks(nodes)).zip(child.chunks(nodes));
            of(&mut trees.map(|((column, value), child)| leaf(column, value, child, row).1))
        });
        let answers: Vec<f32> = answers.collect();
        Tensor::from_data(TensorData::new(answers, [batch, outputs]), &device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smartcore::tree::decision_tree_regressor::{
        DecisionTreeRegressor, DecisionTreeRegressorParameters,
    };
    use tenfold_core::data::random::SplitMix64;
    use tenfold_core::device;

    #[derive(Deserialize)]
    struct Written {
        tree_regressor: Grown,
    }

    #[test]
    fn a_tree_answers_as_the_one_that_was_grown() {
        let mut random = SplitMix64::new(4);
        let inputs: Vec<f32> = (0..600).map(|_| random.between(-1.0, 1.0)).collect();
        let rows: Vec<&[f32]> = inputs.chunks(3).collect();
        let targets: Vec<f32> = rows.iter().map(|row| row[0] * row[1] + row[2]).collect();
        let train = Matrix { inputs: inputs.clone(), width: 3, targets };
        let x = examples(&train).unwrap();
        let limits = Limits { trees: 2, depth: 6, leaf: 2, examples: 200 };
        let parameters = DecisionTreeRegressorParameters::default()
            .with_max_depth(limits.levels())
            .with_min_samples_leaf(limits.leaf);
        let grown = DecisionTreeRegressor::fit(&x, &train.targets, parameters).unwrap();
        let expected = grown.predict(&x).unwrap();
        let tree = Tree::new(&written::<Written>(&grown).unwrap().tree_regressor);
        assert!(tree.value.len() > 31 && tree.value.len() <= limits.nodes());

        let cpu = device::open("cpu").unwrap();
        let trees = Trees::new(&[tree.clone(), tree], &limits, &cpu).unwrap();
        let rows = Tensor::from_data(TensorData::new(inputs, [200, 3]), &cpu);
        let found = host(trees.answer(rows, 2, |answers| answers.collect()));
        for (found, expected) in found.chunks(2).zip(expected) {
            assert!(found.iter().all(|found| (found - expected).abs() < 1e-6));
        }
    }

    #[test]
    fn rounding_moves_no_number_to_the_other_side() {
        let (low, high) = (1.0f32, 1.0f32.next_up());
        let between = (f64::from(low) + f64::from(high)) / 2.0;
        assert_eq!(rounded_down(between), low);
        assert_eq!(rounded_down(-between), -high);
        assert_eq!(rounded_down(0.5), 0.5);
    }

    #[test]
    fn a_tree_made_by_hand_always_ends() {
        let ends =
            |column: &[f32], child: &[f32]| leaf(column, &[0.5, 2.0, 3.0], child, &[0.0, 1.0]).1;
        assert_eq!(ends(&[0.0, LEAF, LEAF], &[1.0, 0.0, 0.0]), 2.0);
        assert_eq!(ends(&[1.0, LEAF, LEAF], &[1.0, 0.0, 0.0]), 3.0);
        assert_eq!(ends(&[0.0, 0.0, 0.0], &[1.0, 0.0, 0.0]), 0.0, "backwards");
        assert_eq!(ends(&[0.0, 0.0, 0.0], &[1e30, f32::NAN, -1.0]), 0.0, "beyond its end");
        assert_eq!(ends(&[7.0, f32::NAN, f32::INFINITY], &[1.0; 3]), 0.5, "no such column");
        assert_eq!(leaf(&[], &[], &[], &[1.0]), (0, 0.0));
    }

    #[test]
    fn limits_are_what_a_machine_holds() {
        let limits = Limits { trees: 100, depth: 0, leaf: 1, examples: 150 };
        assert_eq!((limits.nodes(), limits.levels()), (299, u16::MAX));
        assert_eq!(Limits { depth: 3, ..limits }.nodes(), 15);
        assert_eq!(Limits { leaf: 5, ..limits }.nodes(), 59);
        assert_eq!(Limits { examples: 0, ..limits }.nodes(), 1);
        let rows = [1, 1, 4];
        limits.check(rows, 3).unwrap();
        assert!(limits.check([1, 28, 28], 3).unwrap_err().contains("[1, 1, columns]"));
        for (wrong, field) in [
            (Limits { trees: 0, ..limits }, "trees: 0"),
            (Limits { leaf: 0, ..limits }, "leaf: 0"),
            (Limits { depth: 31, ..limits }, "depth: 31"),
            (Limits { examples: usize::MAX / 4, ..limits }, "too many nodes"),
            (Limits { trees: usize::MAX, ..limits }, "too many nodes"),
        ] {
            assert!(wrong.check(rows, 3).unwrap_err().contains(field));
        }
    }
}
