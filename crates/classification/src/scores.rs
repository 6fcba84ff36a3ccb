//! What is counted over a split of classes: accuracy, loss, confusion, calibration, and the worst
//! mistakes.

use serde_json::json;
use std::path::Path;
use tenfold_core::calibrate::{self, Calibration, Judged};
use tenfold_core::data::{Example, Examples, Input};
use tenfold_core::progress::{grouped, note};
use tenfold_core::train::loss::LossConfig;
use tenfold_core::viz::{confusion, font, label, reliability, sheet};
use tenfold_core::{Error, Result};

/// An interval of the accuracy that is wider than this, in per cent, is warned of.
const WIDE: f64 = 10.0;

/// The worst mistakes that are kept, to be looked at.
const WORST: usize = 48;

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
    /// Sum of what the training made small.
    pub objective: f64,
    /// Sum of what the examples count in it.
    pub weight: f64,
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
    /// With which confidence.
    pub score: f32,
    /// Cross-entropy in nats.
    pub loss: f32,
}

impl Scores {
    /// Nothing counted yet.
    pub fn new(labels: &[String], temperature: f32) -> Self {
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

    /// Where the accuracy lies that endless examples of the same kind would show, at 95 %.
    pub fn interval(&self) -> [f64; 2] {
        calibrate::wilson(self.right as f64, self.count)
    }

    /// Counts a batch of log-probabilities `[batch, classes]`, row by row, against its labels.
    /// `weights`, one a class, are what the examples count in the loss of the training.
    pub fn add(
        &mut self,
        log_probabilities: &[f32],
        labels: &[usize],
        loss: LossConfig,
        weights: Option<&[f32]>,
    ) {
        let objective = loss;
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
                let (score, loss) = (confidence, -own);
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
            let weight = weights.map_or(1.0, |weights| f64::from(weights[label]));
            self.objective += weight * objective.of_log_probabilities(row, label);
            self.weight += weight;
        }
    }

    /// As `--json` prints them.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "accuracy": self.accuracy(),
            "accuracy_interval": self.interval(),
            "top5": self.right_in_five as f64 / self.count as f64,
            "loss": self.loss / self.count as f64,
            "ece": calibrate::expected_error(&self.judged),
            "count": self.count,
        })
    }

    /// What `eval --json` prints beside them.
    pub fn extend(&self, json: &mut serde_json::Value) {
        json["temperature"] = self.temperature.into();
        json["ece_uncalibrated"] = calibrate::expected_error(&self.uncalibrated).into();
        json["reliability"] = json!(calibrate::reliability(&self.judged));
        json["classes"] = json!(self.classes());
        json["confusion"] = self.confusion.chunks(self.labels.len().max(1)).collect();
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
    pub fn table(&self) -> String {
        let classes = self.classes();
        let width = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(5);
        let mut text = format!("\n{:<width$}  precision  recall      F1   count\n", "label");
        for ClassScore { label, precision, recall, f1, count } in &classes {
            text += &format!(
                "{label:<width$}  {precision:>9.4}  {recall:>6.4}  {f1:>6.4}  {count:>6}\n"
            );
        }
        let n = self.labels.len();
        let mut confused: Vec<(usize, usize)> =
            self.confusion.iter().copied().enumerate().filter(|(i, _)| i / n != i % n).collect();
        confused.retain(|&(_, count)| count > 0);
        confused.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        if !confused.is_empty() {
            text += "\ncommonest mistakes\n";
        }
        for (i, count) in confused.into_iter().take(10) {
            let [own, other] = [i / n, i % n].map(|label| &self.labels[label]);
            text += &format!("{count:>6}  {own} taken for {other}\n");
        }
        text
    }

    /// One line for a person.
    pub fn line(&self, split: &str) -> String {
        let count = grouped(self.count);
        let accuracy = self.accuracy() * 100.0;
        let loss = self.loss / self.count as f64;
        let [low, high] = self.interval().map(|end| end * 100.0);
        let mut text = format!(
            "accuracy {accuracy:.2} % (95 %: {low:.1} to {high:.1})  loss {loss:.4}  on {count} \
             {split} examples"
        );
        if high - low > WIDE {
            text += "\ntoo few examples to compare models: see the interval";
        }
        text
    }

    /// How far its confidence can be trusted, for a person.
    pub fn calibration_line(&self) -> String {
        let Calibration { temperature, ece, ece_uncalibrated, .. } = self.calibration();
        let [ece, before] = [ece, ece_uncalibrated].map(|error| error * 100.0);
        format!(
            "calibration error {ece:.2} % at temperature {temperature:.2} (without: {before:.2} %)\n"
        )
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

/// Writes `confusion.svg`, `reliability.svg`, and `mistakes.png` where there are images and
/// mistakes.
///
/// # Errors
/// A file that cannot be written, or an example that cannot be read.
pub fn draw(folder: &Path, scores: &Scores, examples: &Examples) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let mut written = vec!["confusion.svg", "reliability.svg"];
    confusion::write(&scores.labels, &scores.confusion, &folder.join(written[0]))?;
    let bins = calibrate::reliability(&scores.judged);
    let error = calibrate::expected_error(&scores.judged);
    reliability::write(&bins, error, &folder.join(written[1]))?;
    let mut tiles = Vec::new();
    for mistake in &scores.worst {
        let Example { input, file, .. } = examples.get(mistake.index)?;
        let Input::Image(image) = input else { break };
        let name = file.as_ref().and_then(|file| file.file_name());
        let name = name.map(|name| name.to_string_lossy().into_owned());
        let [own, suggested] = [mistake.label, mistake.suggested].map(|i| &scores.labels[i]);
        let sure = mistake.score * 100.0;
        tiles.push(label::caption(
            &image,
            &[
                name.unwrap_or_else(|| format!("example {}", mistake.index + 1)),
                format!("is {own}, predicted {suggested} ({sure:.1} %)"),
            ],
        ));
    }
    if !tiles.is_empty() {
        sheet::write(&tiles, &folder.join("mistakes.png"))?;
        written.push("mistakes.png");
    }
    note(format_args!("wrote {} to {}", written.join(", "), folder.display()));
    font::warning().into_iter().for_each(note);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_losses_are_counted() {
        let mut scores = Scores::new(&["a", "b", "c"].map(String::from), 1.0);
        let rows: Vec<f32> = [0.7f32, 0.2, 0.1, 0.2, 0.2, 0.6].map(f32::ln).into();
        scores.add(&rows, &[0, 1], LossConfig::default(), None);
        assert_eq!((scores.count, scores.right, scores.right_in_five), (2, 1, 2));
        let expected = -(0.7f64.ln() + 0.2f64.ln());
        assert!((scores.loss - expected).abs() < 1e-6);
        assert_eq!(scores.accuracy(), 0.5);
        // What statsmodels' proportion_confint(1, 2, method="wilson") says, and a warning.
        let [low, high] = scores.interval();
        assert!((low - 0.0945).abs() < 1e-4 && (high - 0.9055).abs() < 1e-4, "{low} {high}");
        assert!(scores.line("test").contains("(95 %: 9.5 to 90.5)  loss 0.9831  on 2 test"));
        assert!(scores.line("test").contains("see the interval"));
        assert_eq!(scores.confusion, [1, 0, 0, 0, 0, 1, 0, 0, 0]);
        let [mistake] = &scores.worst[..] else { panic!("one mistake was made") };
        assert_eq!((mistake.index, mistake.label, mistake.suggested), (1, 1, 2));
        assert!((mistake.score - 0.6).abs() < 1e-6);
    }

    #[test]
    fn examples_count_what_their_class_counts() {
        let mut scores = Scores::new(&["a", "b"].map(String::from), 1.0);
        let rows = [0.5f32.ln(), 0.5f32.ln(), 0.75f32.ln(), 0.25f32.ln()];
        scores.add(&rows, &[0, 1], LossConfig::default(), Some(&[1.0, 3.0]));
        let expected = -(0.5f64.ln() + 3.0 * 0.25f64.ln());
        assert!((scores.objective - expected).abs() < 1e-6 && scores.weight == 4.0);
    }

    #[test]
    fn of_equal_scores_the_first_is_the_suggestion() {
        let mut scores = Scores::new(&["a", "b"].map(String::from), 1.0);
        scores.add(&[0.0, 0.0, 0.0, 0.0], &[0, 1], LossConfig::default(), None);
        assert_eq!(scores.right, 1);
    }

    #[test]
    fn precision_and_recall_by_hand() {
        // Of 4 a, 3 were right; of 2 b, both; one a was taken for b.
        let mut scores = Scores::new(&["a", "b", "never"].map(String::from), 1.0);
        scores.confusion = vec![3, 1, 0, 0, 2, 0, 0, 0, 0];
        let [a, b, never] = &scores.classes()[..] else { panic!("three labels") };
        assert_eq!((a.count, a.precision, a.recall), (4, 1.0, 0.75));
        assert_eq!((b.count, b.precision, b.recall, b.f1), (2, 2.0 / 3.0, 1.0, 0.8));
        assert_eq!((never.count, never.precision, never.recall, never.f1), (0, 0.0, 0.0, 0.0));
        assert!(scores.table().contains("     1  a taken for b"));
    }

    #[test]
    fn the_worst_come_first_and_are_not_too_many() {
        let mut scores = Scores::new(&["a", "b"].map(String::from), 1.0);
        for i in 0..100u16 {
            let wrong = 0.5 + 0.4 * f32::from(i) / 100.0;
            scores.add(&[wrong.ln(), (1.0 - wrong).ln()], &[1], LossConfig::default(), None);
        }
        assert_eq!(scores.worst.len(), WORST);
        assert_eq!(scores.worst[0].index, 99);
        assert!(scores.worst.is_sorted_by(|a, b| a.loss >= b.loss));
    }
}
