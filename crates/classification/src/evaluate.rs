//! `eval`: how good a run is on a split of its data, or on other data.

use crate::classifier::{Batch, plain_batches, read_back};
use crate::config::{self, RunConfig};
use crate::models::{ModelConfig, Network};
use crate::regression::{self, Errors};
use crate::train::report_skipped;
use crate::zoo::with_config;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use tenfold_core::calibrate::{self, Calibration, Judged};
use tenfold_core::cli::args::{EvalArgs, SplitChoice};
use tenfold_core::cli::print_json;
use tenfold_core::data::{DataSet, Examples, Input};
use tenfold_core::run::Run;
use tenfold_core::suggest::Suggestion;
use tenfold_core::train::loader::Loader;
use tenfold_core::train::renderer::{bar, grouped};
use tenfold_core::viz::{confusion, label, reliability, sheet};
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::{Error, Result, device};

/// Examples per step where nothing is learnt.
pub const BATCH: usize = 256;

/// The worst mistakes that are kept, to be looked at.
const WORST: usize = 48;

/// The numbers that a temperature is fitted to at most: 20,000 examples of 1,000 classes.
const MOST_LOGITS: usize = 20_000_000;

/// What was counted over a split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// The labels, in the order of the network's outputs.
    pub labels: Vec<String>,
    /// How often an example of one label (row) was given another or the same (column).
    pub confusion: Vec<usize>,
    /// The examples that were wrong with the highest loss, worst first.
    pub worst: Vec<Mistake>,
    /// Examples.
    pub count: usize,
    /// Of them, those whose best suggestion was right.
    pub right: usize,
    /// Of them, those with the right label among the five best suggestions.
    pub right_in_five: usize,
    /// Sum of the cross-entropies in nats, at a temperature of one.
    pub loss: f64,
    /// By what logits are divided before they become the probabilities that are told.
    pub temperature: f32,
    /// The best suggestions as they are told ...
    pub judged: Vec<Judged>,
    /// ... and at a temperature of one.
    pub uncalibrated: Vec<Judged>,
}

/// An example whose best suggestion was wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Its place in the split.
    pub index: usize,
    /// What it is.
    pub label: usize,
    /// What was suggested first.
    pub suggested: usize,
    /// With which probability.
    pub score: f32,
    /// Cross-entropy in nats.
    pub loss: f32,
}

impl Scores {
    fn new(labels: &[String], temperature: f32) -> Self {
        let confusion = vec![0; labels.len() * labels.len()];
        Self { labels: labels.to_vec(), confusion, temperature, ..Self::default() }
    }

    /// What the run's confidence was worth.
    pub fn calibration(&self) -> Calibration {
        Calibration {
            temperature: self.temperature,
            ece: calibrate::expected_error(&self.judged),
            ece_uncalibrated: calibrate::expected_error(&self.uncalibrated),
            confidence: self.judged.iter().map(|one| one.confidence).collect(),
            right: self.judged.iter().map(|one| one.right).collect(),
        }
    }

    /// Part of the examples that was right.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.count as f64
    }

    /// Counts a batch of log-probabilities `[batch, classes]`, row by row, against its labels.
    fn add(&mut self, log_probabilities: &[f32], labels: &[usize]) {
        let classes = self.labels.len();
        for (row, &label) in log_probabilities.chunks(classes).zip(labels) {
            let own = row[label];
            let best = (0..classes).reduce(|a, b| if row[b] > row[a] { b } else { a });
            let best = best.unwrap_or_default();
            self.confusion[label * classes + best] += 1;
            let confidence = confidence(row, row[best], self.temperature);
            let right = best == label;
            self.judged.push(Judged { confidence, right });
            self.uncalibrated.push(Judged { confidence: row[best].exp(), right });
            if best != label {
                let (score, loss) = (row[best].exp(), -own);
                let mistake = Mistake { index: self.count, label, suggested: best, score, loss };
                let place = self.worst.partition_point(|other| other.loss >= loss);
                self.worst.insert(place, mistake);
                self.worst.truncate(WORST);
            }
            // As a person sees the list: of equal scores the earlier label stands first.
            let before = |(i, &other): (usize, &f32)| other > own || (other == own && i < label);
            let rank = row.iter().enumerate().filter(|&place| before(place)).count();
            self.count += 1;
            self.right += usize::from(best == label);
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
            "ece": calibrate::expected_error(&self.judged),
            "count": self.count,
        })
    }

    /// Precision, recall and F1 of each label.
    pub fn classes(&self) -> Vec<ClassScore> {
        let n = self.labels.len();
        let score = |(class, label): (usize, &String)| {
            let right = self.confusion[class * n + class] as f64;
            let count: usize = self.confusion[class * n..][..n].iter().sum();
            let suggested: usize = (0..n).map(|row| self.confusion[row * n + class]).sum();
            ClassScore {
                label: label.clone(),
                count,
                // Where a denominator is 0 so is the numerator.
                precision: right / suggested.max(1) as f64,
                recall: right / count.max(1) as f64,
                f1: 2.0 * right / (count + suggested).max(1) as f64,
            }
        };
        self.labels.iter().enumerate().map(score).collect()
    }

    /// The table of [`Self::classes`] and the commonest confusions, for a person.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print_classes(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let classes = self.classes();
        let width = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(5);
        writeln!(out, "\n{:<width$}  precision  recall      F1   count", "label")?;
        for ClassScore { label, precision, recall, f1, count } in &classes {
            writeln!(
                out,
                "{label:<width$}  {precision:>9.4}  {recall:>6.4}  {f1:>6.4}  {count:>6}"
            )?;
        }
        let n = self.labels.len();
        let mut confused: Vec<(usize, usize)> =
            self.confusion.iter().copied().enumerate().filter(|(i, _)| i / n != i % n).collect();
        confused.retain(|&(_, count)| count > 0);
        confused.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        if !confused.is_empty() {
            writeln!(out, "\ncommonest mistakes")?;
        }
        for (i, count) in confused.into_iter().take(10) {
            writeln!(out, "{count:>6}  {} taken for {}", self.labels[i / n], self.labels[i % n])?;
        }
        Ok(())
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

    /// How far its confidence can be trusted, for a person.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print_calibration(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Calibration { temperature, ece, ece_uncalibrated, .. } = self.calibration();
        let [ece, before] = [ece, ece_uncalibrated].map(|error| error * 100.0);
        write!(out, "calibration error {ece:.2} % at temperature {temperature:.2}")?;
        writeln!(out, " (without: {before:.2} %)")
    }
}

/// The probability of the best class in a row of log-probabilities, at this temperature.
fn confidence(row: &[f32], best: f32, temperature: f32) -> f32 {
    1.0 / row.iter().map(|&other| ((other - best) / temperature).exp()).sum::<f32>()
}

/// How well one label is told from the others.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClassScore {
    /// The label.
    pub label: String,
    /// Examples that have it.
    pub count: usize,
    /// Part of the examples suggested as this label that are it.
    pub precision: f64,
    /// Part of this label's examples that were suggested as it.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

/// What was measured on a split.
pub enum Measured {
    /// Of classes.
    Classes(Scores),
    /// Of a number.
    Numbers(Errors),
}

impl Measured {
    /// As `--json` prints it.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Classes(scores) => scores.json(),
            Self::Numbers(errors) => errors.json(),
        }
    }

    /// For a person.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print(&self, split: &str, out: &mut dyn Write) -> std::io::Result<()> {
        match self {
            Self::Classes(scores) => scores.print(split, out),
            Self::Numbers(errors) => errors.print(split, out),
        }
    }
}

/// Measures a run on some examples of `data`.
///
/// # Errors
/// Weights or examples that cannot be read, or none.
pub fn measure(
    run: &Run,
    config: &RunConfig,
    data: &DataSet,
    examples: &Examples,
    device: &Device,
) -> Result<Measured> {
    if examples.is_empty() {
        return Err(Error::argument("--split", "this split has no examples"));
    }
    let (Some(scale), Some(values)) = (config.regression, &data.values) else {
        return Ok(Measured::Classes(run_scores(run, config, examples, device)?));
    };
    let predicted = regression::predictions(run, config, examples, BATCH, device)?;
    let truths = regression::truths(examples, values)?;
    Ok(Measured::Numbers(Errors::new(&predicted, &truths, scale.interval)))
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
    let measured = measure(&run, &config, &data, examples, &device)?;
    match (&args.draw, &measured) {
        (Some(folder), Measured::Classes(scores)) => draw(folder, scores, examples)?,
        (Some(_), Measured::Numbers(_)) => {
            return Err(
                Error::argument("--draw", "draws classes, and this run predicts a number").into()
            );
        }
        (None, _) => {}
    }
    if !args.json {
        measured.print(name, out)?;
        if let Measured::Classes(scores) = &measured {
            scores.print_calibration(out)?;
            scores.print_classes(out)?;
        }
        return Ok(());
    }
    let mut json = measured.json();
    json["split"] = name.into();
    json["data"] = choice.name.into();
    json["skipped"] = data.skipped.len().into();
    if let Measured::Classes(scores) = &measured {
        json["temperature"] = scores.temperature.into();
        json["ece_uncalibrated"] = calibrate::expected_error(&scores.uncalibrated).into();
        json["reliability"] = json!(calibrate::reliability(&scores.judged));
        json["classes"] = json!(scores.classes());
        json["confusion"] = scores.confusion.chunks(scores.labels.len().max(1)).collect();
    }
    print_json(&json, out)
}

/// Writes `confusion.svg`, `reliability.svg`, and `mistakes.png` where there are pictures and
/// mistakes.
fn draw(folder: &Path, scores: &Scores, examples: &Examples) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let matrix = folder.join("confusion.svg");
    confusion::write(&scores.labels, &scores.confusion, &matrix)?;
    let bins = calibrate::reliability(&scores.judged);
    let error = calibrate::expected_error(&scores.judged);
    reliability::write(&bins, error, &folder.join("reliability.svg"))?;
    let mut tiles = Vec::new();
    for mistake in &scores.worst {
        let Input::Picture(picture) = examples.get(mistake.index)?.input else { return Ok(()) };
        let [own, suggested] = [mistake.label, mistake.suggested].map(|i| &scores.labels[i]);
        let suggestion = Suggestion::new(format!("{own} not {suggested}"), mistake.score);
        tiles.push(label::draw(&picture, &[suggestion]));
    }
    match tiles.is_empty() {
        true => Ok(()),
        false => sheet::write(&tiles, &folder.join("mistakes.png")),
    }
}

/// Data whose labels are not the run's would be scored against the wrong names.
///
/// # Errors
/// The first label that differs.
pub fn check_labels(config: &RunConfig, data: &DataSet) -> Result<()> {
    if data.values.is_some() != config.regression.is_some() {
        let [own, others] = match data.values {
            Some(_) => ["a number", "classes"],
            None => ["classes", "a number"],
        };
        let why = format!("{}: its target is {own}, and the run tells {others}", data.name);
        return Err(Error::argument("--data", why));
    }
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
    let mut scores = Scores::new(&config.labels, config.temperature.unwrap_or(1.0));
    each_batch(run, config, examples, device, |rows, labels| scores.add(rows, labels))?;
    Ok(scores)
}

/// The temperature at which a run's probabilities fit the labels of some examples best: see
/// [`calibrate::temperature`].
///
/// # Errors
/// Weights or examples that cannot be read.
pub fn temperature(
    run: &Run,
    config: &RunConfig,
    examples: &Examples,
    device: &Device,
) -> Result<f32> {
    let classes = config.labels.len().max(1);
    // Every so many examples where there are too many, because they may lie sorted by class.
    let step = (examples.len() * classes).div_ceil(MOST_LOGITS).max(1);
    let (mut logits, mut labels, mut place) = (Vec::new(), Vec::new(), 0usize);
    each_batch(run, config, examples, device, |rows, of_rows| {
        for (row, &label) in rows.chunks(classes).zip(of_rows) {
            if place.is_multiple_of(step) {
                logits.extend_from_slice(row);
                labels.push(label);
            }
            place += 1;
        }
    })?;
    Ok(calibrate::temperature(&logits, classes, &labels))
}

/// Shows `see` the log-probabilities `[batch, classes]` that a run's weights give, row by row,
/// and the labels.
fn each_batch(
    run: &Run,
    config: &RunConfig,
    examples: &Examples,
    device: &Device,
    mut see: impl FnMut(&[f32], &[usize]),
) -> Result<()> {
    let path = run.config_path();
    with_config!(config::model(&config.header, &path)?, Config => {
        let network: Config = config.network(&path)?;
        let mut network = network.init(device);
        let options = LoadOptions { sealed: true, ..LoadOptions::default() };
        weights::load(&mut network, &run.weights_path(), &options)?;
        pass(&network, config, examples, device, &mut see)
    })
}

fn pass<N: Network>(
    network: &N,
    config: &RunConfig,
    examples: &Examples,
    device: &Device,
    see: &mut dyn FnMut(&[f32], &[usize]),
) -> Result<()> {
    let batches = plain_batches(examples, &config.preprocess);
    let bar = bar(examples.len());
    let mut done = 0;
    for batch in Loader::new(batches, BATCH, device.clone()).pass() {
        let Batch { inputs, targets } = batch?;
        let log_probabilities = read_back(log_softmax(network.forward(inputs), 1))?;
        let labels = read_labels(targets)?;
        see(&log_probabilities, &labels);
        done += labels.len() as u64;
        if let Some(bar) = &bar {
            bar.set_position(done);
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(())
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
        let mut scores = Scores::new(&["a", "b", "c"].map(String::from), 1.0);
        let rows: Vec<f32> = [0.7f32, 0.2, 0.1, 0.2, 0.2, 0.6].map(f32::ln).into();
        scores.add(&rows, &[0, 1]);
        assert_eq!((scores.count, scores.right, scores.right_in_five), (2, 1, 2));
        let expected = -(0.7f64.ln() + 0.2f64.ln());
        assert!((scores.loss - expected).abs() < 1e-6);
        assert_eq!(scores.accuracy(), 0.5);
        assert_eq!(scores.confusion, [1, 0, 0, 0, 0, 1, 0, 0, 0]);
        let [mistake] = &scores.worst[..] else { panic!("one mistake was made") };
        assert_eq!((mistake.index, mistake.label, mistake.suggested), (1, 1, 2));
        assert!((mistake.score - 0.6).abs() < 1e-6);
    }

    #[test]
    fn of_equal_scores_the_first_is_the_suggestion() {
        let mut scores = Scores::new(&["a", "b"].map(String::from), 1.0);
        scores.add(&[0.0, 0.0, 0.0, 0.0], &[0, 1]);
        assert_eq!(scores.right, 1);
    }

    #[test]
    fn precision_and_recall_by_hand() {
        // Of 4 a, 3 were right; of 2 b, both; one a was taken for b.
        let mut scores = Scores::new(&["a", "b", "never"].map(String::from));
        scores.confusion = vec![3, 1, 0, 0, 2, 0, 0, 0, 0];
        let [a, b, never] = &scores.classes()[..] else { panic!("three labels") };
        assert_eq!((a.count, a.precision, a.recall), (4, 1.0, 0.75));
        assert_eq!((b.count, b.precision, b.recall, b.f1), (2, 2.0 / 3.0, 1.0, 0.8));
        assert_eq!((never.count, never.precision, never.recall, never.f1), (0, 0.0, 0.0, 0.0));
        let mut text = Vec::new();
        scores.print_classes(&mut text).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("     1  a taken for b"));
    }

    #[test]
    fn the_worst_come_first_and_are_not_too_many() {
        let mut scores = Scores::new(&["a", "b"].map(String::from), 1.0);
        for i in 0..100u16 {
            let wrong = 0.5 + 0.4 * f32::from(i) / 100.0;
            scores.add(&[wrong.ln(), (1.0 - wrong).ln()], &[1]);
        }
        assert_eq!(scores.worst.len(), WORST);
        assert_eq!(scores.worst[0].index, 99);
        assert!(scores.worst.is_sorted_by(|a, b| a.loss >= b.loss));
    }
}
