//! `eval`: how good a run is on a split of its data, or on other data.

use crate::classifier::{Batch, plain_batches, read_back};
use crate::config::{self, RunConfig};
use crate::models::{ModelConfig, Network};
use crate::train::report_skipped;
use crate::zoo::with_config;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use serde_json::json;
use std::io::Write;
use tenfold_core::cli::args::{EvalArgs, SplitChoice};
use tenfold_core::cli::print_json;
use tenfold_core::data::{DataSet, Examples};
use tenfold_core::run::Run;
use tenfold_core::train::loader::Loader;
use tenfold_core::train::renderer::{bar, grouped};
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::{Error, Result, device};

/// Examples per step where nothing is learnt.
pub const BATCH: usize = 256;

/// What was counted over a split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Examples.
    pub count: usize,
    /// Of them, those whose best suggestion was right.
    pub right: usize,
    /// Of them, those with the right label among the five best suggestions.
    pub right_in_five: usize,
    /// Sum of the cross-entropies in nats.
    pub loss: f64,
}

impl Scores {
    /// Part of the examples that was right.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.count as f64
    }

    /// Counts a batch of log-probabilities `[batch, classes]`, row by row, against its labels.
    fn add(&mut self, log_probabilities: &[f32], labels: &[usize], classes: usize) {
        for (row, &label) in log_probabilities.chunks(classes).zip(labels) {
            let own = row[label];
            // As a person sees the list: of equal scores the earlier label stands first.
            let before = |(i, &other): (usize, &f32)| other > own || (other == own && i < label);
            let rank = row.iter().enumerate().filter(|&place| before(place)).count();
            self.count += 1;
            self.right += usize::from(rank == 0);
            self.right_in_five += usize::from(rank < 5);
            self.loss -= f64::from(own);
        }
    }

    /// As `--json` prints them.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "accuracy": self.accuracy(),
            "top5": self.right_in_five as f64 / self.count as f64,
            "loss": self.loss / self.count as f64,
            "count": self.count,
        })
    }

    /// One line for a person.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print(&self, split: &str, out: &mut dyn Write) -> std::io::Result<()> {
        let count = grouped(self.count);
        let accuracy = self.accuracy() * 100.0;
        let loss = self.loss / self.count as f64;
        writeln!(out, "accuracy {accuracy:.2} %  loss {loss:.4}  on {count} {split} examples")
    }
}

/// Runs the verb.
///
/// # Errors
/// A run or data that cannot be read, or data with other labels than the run's.
pub fn run(args: &EvalArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let run = Run::open(&args.run)?;
    let config = RunConfig::read(&run)?;
    let mut choice = config.data.clone();
    if let Some(name) = &args.data {
        choice.name = name.clone();
        choice.limit = None;
    }
    let data = choice.open(args.place.data_dir.as_deref())?;
    report_skipped(&data);
    check_labels(&config, &data)?;
    let (name, examples) = match args.split {
        SplitChoice::Train => ("train", &data.train),
        SplitChoice::Validation => ("validation", &data.validation),
        SplitChoice::Test => ("test", &data.test),
    };
    let scores = run_scores(&run, &config, examples, &device)?;
    if !args.json {
        scores.print(name, out)?;
        return Ok(());
    }
    let mut json = scores.json();
    json["split"] = name.into();
    json["data"] = choice.name.into();
    json["skipped"] = data.skipped.len().into();
    print_json(&json, out)
}

/// Data whose labels are not the run's would be scored against the wrong names.
///
/// # Errors
/// The first label that differs.
pub fn check_labels(config: &RunConfig, data: &DataSet) -> Result<()> {
    if data.classes == config.labels {
        return Ok(());
    }
    let other = |own: &[String], theirs: &[String]| {
        own.iter().find(|label| !theirs.contains(label)).cloned()
    };
    let why = match (other(&data.classes, &config.labels), other(&config.labels, &data.classes)) {
        (Some(label), _) => format!("its label `{label}` is not among the run's"),
        (None, Some(label)) => format!("it lacks the run's label `{label}`"),
        (None, None) => "its labels stand in another order than the run's".into(),
    };
    Err(Error::argument("--data", format!("{}: {why}", data.name)))
}

/// Scores of a run's weights on some examples.
///
/// # Errors
/// Weights or examples that cannot be read.
pub fn run_scores(
    run: &Run,
    config: &RunConfig,
    examples: &Examples,
    device: &Device,
) -> Result<Scores> {
    let path = run.config_path();
    with_config!(config::model(&config.header, &path)?, Config => {
        let network: Config = config.network(&path)?;
        let mut network = network.init(device);
        weights::load(&mut network, &run.weights_path(), &LoadOptions { sealed: true, ..LoadOptions::default() })?;
        scores(&network, config, examples, device)
    })
}

fn scores<N: Network>(
    network: &N,
    config: &RunConfig,
    examples: &Examples,
    device: &Device,
) -> Result<Scores> {
    if examples.is_empty() {
        return Err(Error::argument("--split", "this split has no examples"));
    }
    let batches = plain_batches(examples, &config.preprocess);
    let bar = bar(examples.len());
    let mut scores = Scores::default();
    for batch in Loader::new(batches, BATCH, device.clone()).pass() {
        let Batch { inputs, targets } = batch?;
        let log_probabilities = log_softmax(network.forward(inputs), 1);
        let [_, classes] = log_probabilities.dims();
        scores.add(&read_back(log_probabilities)?, &read_labels(targets)?, classes);
        if let Some(bar) = &bar {
            bar.set_position(scores.count as u64);
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(scores)
}

fn read_labels(targets: Tensor<1, Int>) -> Result<Vec<usize>> {
    let data = targets.try_into_data().map_err(|why| Error::Training(why.to_string()))?;
    Ok(data.iter::<i64>().map(|label| label as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_losses_are_counted() {
        let mut scores = Scores::default();
        let rows: Vec<f32> = [0.7f32, 0.2, 0.1, 0.2, 0.2, 0.6].map(f32::ln).into();
        scores.add(&rows, &[0, 1], 3);
        assert_eq!((scores.count, scores.right, scores.right_in_five), (2, 1, 2));
        let expected = -(0.7f64.ln() + 0.2f64.ln());
        assert!((scores.loss - expected).abs() < 1e-6);
        assert_eq!(scores.accuracy(), 0.5);
    }

    #[test]
    fn of_equal_scores_the_first_is_the_suggestion() {
        let mut scores = Scores::default();
        scores.add(&[0.0, 0.0, 0.0, 0.0], &[0, 1], 2);
        assert_eq!(scores.right, 1);
    }
}
