//! The losses one can choose, and the penalties that regularise.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::{CrossEntropyLossConfig, HuberLossConfig, Reduction};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::ops::cross_entropy;

use crate::data::Task;
use crate::{Error, Result};

/// The losses, by the names that `--loss` takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Classes: minus the logarithm of the right class's probability.
    #[default]
    CrossEntropy,
    /// Classes: cross-entropy with a tenth of the target spread over all classes (Szegedy et
    /// al. 2016).
    LabelSmoothing,
    /// Classes: cross-entropy that counts what is right already for less, by the square of
    /// what its probability lacks (Lin et al. 2017, gamma 2).
    Focal,
    /// Numbers: the mean squared error.
    Mse,
    /// Numbers: the mean absolute error, which outliers sway less.
    Mae,
    /// Numbers: squared up to one standard deviation of the target, absolute beyond (Huber
    /// 1964).
    Huber,
}

/// Part of the target that label smoothing spreads over all classes.
const SMOOTHING: f32 = 0.1;
/// From this error on, in standard deviations of the target, Huber's loss is absolute.
const DELTA: f32 = 1.0;

/// What a training makes small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LossConfig {
    /// The loss of the outputs; what curves show.
    pub kind: LossKind,
    /// Added for the gradients: this times the sum of the absolute weights.
    pub l1: f64,
    /// Added for the gradients: half of this times the sum of the squared weights, which is
    /// PyTorch's weight decay for plain gradient descent.
    pub l2: f64,
}

impl LossConfig {
    /// The loss that was asked for, or the usual one for the task.
    ///
    /// # Errors
    /// A loss of the other task.
    pub fn new(task: Task, kind: Option<LossKind>, l1: f64, l2: f64) -> Result<Self> {
        use LossKind::{CrossEntropy, Focal, Huber, LabelSmoothing, Mae, Mse};
        let (usual, fitting, names) = match task {
            Task::Classification => (
                CrossEntropy,
                [CrossEntropy, LabelSmoothing, Focal],
                "classes take cross-entropy, label-smoothing or focal",
            ),
            Task::Regression => (Mse, [Mse, Mae, Huber], "a number takes mse, mae or huber"),
        };
        let kind = kind.unwrap_or(usual);
        match fitting.contains(&kind) {
            true => Ok(Self { kind, l1, l2 }),
            false => Err(Error::argument("--loss", names)),
        }
    }

    /// The mean loss of logits `[batch, classes]` against places of classes `[batch]`. With
    /// `weights`, one a class, each example counts with its class's, and the mean is weighted.
    pub fn of_classes(
        &self,
        logits: Tensor<2>,
        targets: Tensor<1, Int>,
        weights: Option<&[f32]>,
    ) -> Tensor<1> {
        let device = logits.device();
        match self.kind {
            LossKind::Focal => {
                let own = log_softmax(logits, 1).gather(1, targets.clone().unsqueeze_dim(1));
                let lacking = own.clone().exp().neg().add_scalar(1.0);
                let losses = (lacking.square() * own).neg(); // [batch, 1]
                match weights {
                    None => losses.mean(),
                    Some(weights) => {
                        let weights = Tensor::<1>::from_floats(weights, &device);
                        let weights = weights.select(0, targets).unsqueeze_dim(1);
                        (losses * weights.clone()).sum() / weights.sum()
                    }
                }
            }
            kind => {
                let smoothing = (kind == LossKind::LabelSmoothing).then_some(SMOOTHING);
                let loss = CrossEntropyLossConfig::new()
                    .with_smoothing(smoothing)
                    .with_weights(weights.map(<[f32]>::to_vec))
                    .init(&device);
                cross_entropy(&loss, logits, targets)
            }
        }
    }

    /// [`Self::of_classes`] of one example, of its log-probabilities.
    pub fn of_log_probabilities(&self, row: &[f32], label: usize) -> f64 {
        let own = f64::from(row[label]);
        match self.kind {
            LossKind::Focal => -(1.0 - own.exp()).powi(2) * own,
            LossKind::LabelSmoothing => {
                let all = row.iter().map(|&other| f64::from(other)).sum::<f64>();
                let smoothing = f64::from(SMOOTHING);
                -(1.0 - smoothing) * own - smoothing * all / row.len() as f64
            }
            _ => -own,
        }
    }

    /// [`Self::of_numbers`] of one example, of its error in standard deviations.
    pub fn of_error(&self, error: f64) -> f64 {
        let (size, delta) = (error.abs(), f64::from(DELTA));
        match self.kind {
            LossKind::Mae => size,
            LossKind::Huber if size <= delta => 0.5 * size * size,
            LossKind::Huber => delta * (size - 0.5 * delta),
            _ => size * size,
        }
    }

    /// The mean loss of `[batch, 1]` numbers against `[batch, 1]` true ones, both in standard
    /// deviations of the target.
    pub fn of_numbers(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        match self.kind {
            LossKind::Mae => (outputs - targets).abs().mean(),
            LossKind::Huber => {
                HuberLossConfig::new(DELTA).init().forward(outputs, targets, Reduction::Mean)
            }
            _ => (outputs - targets).square().mean(),
        }
    }

    /// The penalty on a network's weights; biases and normalisations are free. None where
    /// none was asked for.
    pub fn penalty<M: Module>(&self, network: &M) -> Option<Tensor<1>> {
        if self.l1 == 0.0 && self.l2 == 0.0 {
            return None;
        }
        let mut penalty = Penalty { loss: self, sum: None };
        network.visit(&mut penalty);
        penalty.sum
    }
}

struct Penalty<'a> {
    loss: &'a LossConfig,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Penalty<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D < 2 {
            return;
        }
        let LossConfig { l1, l2, .. } = *self.loss;
        let terms = [
            (l1 > 0.0).then(|| param.val().abs().sum().mul_scalar(l1)),
            (l2 > 0.0).then(|| param.val().square().sum().mul_scalar(l2 / 2.0)),
        ];
        for term in terms.into_iter().flatten() {
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + term,
                None => term,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    fn device() -> Device {
        crate::device::open("cpu").unwrap()
    }

    fn of_classes(kind: LossKind) -> f32 {
        let loss = LossConfig { kind, ..LossConfig::default() };
        // Probabilities 0.75 and 0.25; the first example is of the first class, the second not.
        let row = [3f32.ln(), 0.0];
        let logits = Tensor::from_data([row, row], &device());
        loss.of_classes(logits, Tensor::from_data([0, 1], &device()), None).into_scalar()
    }

    fn of_numbers(kind: LossKind) -> f32 {
        let loss = LossConfig { kind, ..LossConfig::default() };
        let outputs = Tensor::from_data([[0.5f32], [3.0]], &device());
        loss.of_numbers(outputs, Tensor::zeros([2, 1], &device())).into_scalar()
    }

    fn close(a: f32, b: f32) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn losses_of_classes_by_hand() {
        let (right, wrong) = (-0.75f32.ln(), -0.25f32.ln());
        close(of_classes(LossKind::CrossEntropy), (right + wrong) / 2.0);
        // 0.95 of the target on the own class, 0.05 on the other.
        let smooth = 0.95 * (right + wrong) + 0.05 * (wrong + right);
        close(of_classes(LossKind::LabelSmoothing), smooth / 2.0);
        let focal = 0.25f32.powi(2) * right + 0.75f32.powi(2) * wrong;
        close(of_classes(LossKind::Focal), focal / 2.0);
    }

    #[test]
    fn classes_count_what_their_weights_say() {
        let (right, wrong) = (-0.75f32.ln(), -0.25f32.ln());
        let row = [3f32.ln(), 0.0];
        let of = |kind| {
            let loss = LossConfig { kind, ..LossConfig::default() };
            let logits = Tensor::from_data([row, row], &device());
            let weights = Some(&[1.0, 3.0][..]);
            loss.of_classes(logits, Tensor::from_data([0, 1], &device()), weights).into_scalar()
        };
        close(of(LossKind::CrossEntropy), (right + 3.0 * wrong) / 4.0);
        let focal = 0.25f32.powi(2) * right + 3.0 * 0.75f32.powi(2) * wrong;
        close(of(LossKind::Focal), focal / 4.0);
    }

    #[test]
    fn losses_of_numbers_by_hand() {
        close(of_numbers(LossKind::Mse), (0.25 + 9.0) / 2.0);
        close(of_numbers(LossKind::Mae), (0.5 + 3.0) / 2.0);
        close(of_numbers(LossKind::Huber), (0.125 + 2.5) / 2.0);
    }

    #[test]
    fn penalties_count_weights_and_no_biases() {
        let layer = LinearConfig::new(1, 2)
            .with_initializer(burn::nn::Initializer::Constant { value: -3.0 })
            .init(&device());
        let penalty = |l1, l2| {
            let loss = LossConfig { l1, l2, ..LossConfig::default() };
            loss.penalty(&layer).map(|sum| sum.into_scalar::<f32>())
        };
        assert_eq!(penalty(0.0, 0.0), None);
        assert_eq!(penalty(0.5, 0.0), Some(3.0));
        assert_eq!(penalty(0.0, 1.0), Some(9.0));
        assert_eq!(penalty(0.5, 1.0), Some(12.0));
    }

    #[test]
    fn a_loss_of_the_other_task_is_refused() {
        let new = |task, kind| LossConfig::new(task, kind, 0.0, 0.0);
        assert_eq!(new(Task::Regression, None).unwrap().kind, LossKind::Mse);
        let why = new(Task::Classification, Some(LossKind::Mse)).unwrap_err().to_string();
        assert_eq!(why, "--loss: classes take cross-entropy, label-smoothing or focal");
        assert!(new(Task::Regression, Some(LossKind::Focal)).is_err());
    }
}
