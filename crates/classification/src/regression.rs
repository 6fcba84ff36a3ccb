//! Predicting a number: its batches, what it is measured by, and how far off its predictions may
//! be.

use crate::batches::{BATCH, ExampleBatches, plain_batches, read_back};
use crate::config::{Interval, Regression, RunConfig};
use crate::models::Network;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::Examples;
use tenfold_core::progress::grouped;
use tenfold_core::suggest::{Estimate, Suggestion};
use tenfold_core::train::loader::{Collate, Loader};

/// The part of truths that an interval is to hold, where there are enough examples to tell.
const COVERAGE: f64 = 0.9;

impl Regression {
    /// The scale of the targets of some examples.
    ///
    /// # Errors
    /// An example that cannot be read.
    pub fn fit(train: &Examples, values: &[f64]) -> Result<Self> {
        let numbers = truths(train, values)?;
        let mean = numbers.iter().sum::<f64>() / numbers.len().max(1) as f64;
        let squares = numbers.iter().map(|y| (y - mean) * (y - mean));
        let std = (squares.sum::<f64>() / numbers.len().max(1) as f64).sqrt();
        let std = if std > 0.0 { std } else { 1.0 };
        Ok(Self { mean, std, interval: None })
    }

    /// The number in standard deviations from the mean.
    pub fn scaled(&self, number: f64) -> f32 {
        ((number - self.mean) / self.std) as f32
    }

    /// The number that an output stands for.
    pub fn number(&self, output: f32) -> f64 {
        f64::from(output) * self.std + self.mean
    }

    /// What a person is told of an output.
    pub fn suggestion(&self, output: f32) -> Suggestion {
        // Three digits of the target's spread: more would be noise.
        let decimals = (2.0 - self.std.log10().floor()).clamp(0.0, 9.0) as i32;
        let unit = 10f64.powi(decimals);
        let rounded = |x: f64| (x * unit).round() / unit;
        let number = self.number(output);
        let limit = |sign: f64| self.interval.map(|i| rounded(number + sign * i.half));
        let value = rounded(number);
        let estimate = Estimate { value, low: limit(-1.0), high: limit(1.0) };
        let score = self.interval.map_or(0.0, |interval| interval.coverage as f32);
        Suggestion::number(estimate, score)
    }
}

impl Interval {
    /// How far predictions are from the truth, from those of examples that had no part in the
    /// training: split conformal prediction (Papadopoulos et al. 2002). Of n errors the k-th
    /// smallest is not exceeded by a new one with probability k / (n + 1), whatever the model.
    ///
    /// The examples are the test's, not the validation's: those have chosen the epoch that is
    /// kept, and the model suits them better than it suits new ones.
    pub fn measure(predicted: &[f64], truths: &[f64]) -> Option<Self> {
        let mut errors: Vec<f64> =
            predicted.iter().zip(truths).map(|(p, t)| (p - t).abs()).collect();
        errors.sort_by(f64::total_cmp);
        let of = (errors.len() + 1) as f64;
        // A tiny slack, for 0.9 times ten is not quite nine.
        let rank = ((COVERAGE * of - 1e-9).ceil() as usize).min(errors.len());
        let half = *errors.get(rank.checked_sub(1)?)?;
        Some(Self { half, coverage: rank as f64 / of })
    }
}

/// Inputs and the numbers they should give.
#[derive(Clone, Debug)]
pub struct NumberBatch {
    /// `[batch, channels, height, width]`.
    pub inputs: Tensor<4>,
    /// `[batch, 1]`, standardised.
    pub targets: Tensor<2>,
}

/// Makes batches of a regression's examples.
pub struct NumberBatches {
    /// The examples, as a classifier's.
    pub examples: Arc<ExampleBatches>,
    /// The number of each label.
    pub values: Arc<[f64]>,
    /// The scale of the targets.
    pub scale: Regression,
}

impl Collate for NumberBatches {
    type Host = (Vec<f32>, Vec<f32>);
    type Batch = NumberBatch;

    fn len(&self) -> usize {
        self.examples.len()
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host> {
        let (inputs, labels) = self.examples.stack(examples, seed)?;
        let number = |&label: &i64| self.scale.scaled(self.values[label as usize]);
        Ok((inputs, labels.iter().map(number).collect()))
    }

    fn upload(&self, (inputs, targets): Self::Host, device: &Device) -> NumberBatch {
        let inputs = self.examples.preprocess.tensor(inputs, device);
        let count = targets.len();
        NumberBatch {
            inputs,
            targets: Tensor::from_data(TensorData::new(targets, [count, 1]), device),
        }
    }
}

/// How far predictions were off over a split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Examples.
    pub count: usize,
    /// Mean absolute error, in the target's unit.
    pub mae: f64,
    /// Root of the mean squared error, in the target's unit.
    pub rmse: f64,
    /// Part of the truths' variance that is explained: 1 is perfect, 0 is no better than
    /// their mean. Not a number where the truths do not vary.
    pub r2: f64,
    /// Half the width of the predictions' intervals, and the part of the truths in them.
    pub interval: Option<(f64, f64)>,
}

impl Errors {
    /// The errors of some predictions.
    pub fn new(predicted: &[f64], truths: &[f64], interval: Option<Interval>) -> Self {
        let count = truths.len();
        let part = |sum: f64| sum / count.max(1) as f64;
        let mean = part(truths.iter().sum());
        let spread = part(truths.iter().map(|y| (y - mean).powi(2)).sum());
        let errors: Vec<f64> = predicted.iter().zip(truths).map(|(p, t)| (p - t).abs()).collect();
        let square = part(errors.iter().map(|error| error * error).sum());
        let interval = interval.map(|Interval { half, .. }| {
            (half, part(errors.iter().filter(|&&error| error <= half).count() as f64))
        });
        let mae = part(errors.iter().sum());
        Self { count, mae, rmse: square.sqrt(), r2: 1.0 - square / spread, interval }
    }

    /// As `--json` prints them.
    pub fn json(&self) -> serde_json::Value {
        let mut json =
            json!({ "mae": self.mae, "rmse": self.rmse, "r2": self.r2, "count": self.count });
        if let Some((half, coverage)) = self.interval {
            json["interval"] = half.into();
            json["interval_coverage"] = coverage.into();
        }
        json
    }

    /// For a person: a line, and one on the intervals.
    pub fn line(&self, split: &str) -> String {
        let Self { mae, rmse, r2, .. } = self;
        let count = grouped(self.count);
        let line = format!("MAE {mae:.4}  RMSE {rmse:.4}  R2 {r2:.4}  on {count} {split} examples");
        match self.interval {
            Some((half, coverage)) => {
                let part = coverage * 100.0;
                format!("{line}\n{part:.1} % of them within {half:.4} of the prediction")
            }
            None => line,
        }
    }
}

/// The true numbers of some examples.
///
/// # Errors
/// An example that cannot be read.
pub fn truths(examples: &Examples, values: &[f64]) -> Result<Vec<f64>> {
    let number = |index| Ok(values[examples.get(index)?.target]);
    (0..examples.len()).map(number).collect()
}

/// What a network predicts for some examples, in the target's unit.
///
/// # Errors
/// Examples that cannot be read.
pub fn predictions<N: Network>(
    network: &N,
    config: &RunConfig,
    scale: Regression,
    examples: &Examples,
) -> Result<Vec<f64>> {
    let device = network.devices().into_iter().next().unwrap_or_default();
    let loader = Loader::new(plain_batches(examples, &config.preprocess), BATCH, device);
    let mut numbers = Vec::with_capacity(examples.len());
    for batch in loader.pass() {
        let outputs = read_back(network.forward(batch?.inputs))?;
        numbers.extend(outputs.into_iter().map(|output| scale.number(output)));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::suggest::Answer;

    #[test]
    fn errors_by_hand() {
        // Off by 1, 1, 2, 0; the truths' variance is 5.
        let truths = [1.0, 3.0, 5.0, 7.0];
        let interval = Some(Interval { half: 1.0, coverage: 0.8 });
        let errors = Errors::new(&[2.0, 2.0, 3.0, 7.0], &truths, interval);
        assert_eq!((errors.count, errors.mae, errors.rmse), (4, 1.0, 1.5f64.sqrt()));
        assert!((errors.r2 - (1.0 - 1.5 / 5.0)).abs() < 1e-12);
        assert_eq!(errors.interval, Some((1.0, 0.75)));
        assert!(Errors::new(&[1.0], &[2.0], None).json()["r2"].is_null());
    }

    #[test]
    fn intervals_promise_no_more_than_their_examples_show() {
        let errors = |n: usize| (1..=n).map(|i| i as f64).collect::<Vec<_>>();
        let measure = |n: usize| Interval::measure(&errors(n), &vec![0.0; n]);
        // Of 9 errors the largest is exceeded by a tenth one in one of ten cases.
        assert_eq!(measure(9), Some(Interval { half: 9.0, coverage: 0.9 }));
        assert_eq!(measure(99), Some(Interval { half: 90.0, coverage: 0.9 }));
        // Four examples cannot tell of nine in ten.
        assert_eq!(measure(4), Some(Interval { half: 4.0, coverage: 0.8 }));
        assert_eq!(measure(0), None);
    }

    #[test]
    fn a_number_is_told_with_three_digits_of_its_spread() {
        let interval = Some(Interval { half: 1.5, coverage: 0.9 });
        let scale = Regression { mean: 10.0, std: 2.0, interval };
        let suggestion = scale.suggestion(0.123_456);
        assert_eq!((suggestion.answer.to_string(), suggestion.score), ("10.25".into(), 0.9));
        let expected = Estimate { value: 10.25, low: Some(8.75), high: Some(11.75) };
        assert_eq!(suggestion.answer, Answer::Number(expected));
        let unknown = Regression { interval: None, ..scale }.suggestion(0.0);
        assert_eq!((unknown.answer.to_string(), unknown.score), ("10".into(), 0.0));
        assert_eq!(Regression { std: 5e4, ..scale }.suggestion(1.0).answer.to_string(), "50010");
    }
}
