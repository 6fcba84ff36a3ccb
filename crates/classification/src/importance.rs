//! Permutation importance: how much worse a model gets when the values of one column of a table
//! are shuffled among the rows, so that they tell nothing any more.
//!
//! L. Breiman, "Random Forests", Machine Learning 45 (2001), section 10. As scikit-learn's
//! `permutation_importance`: the fall of the accuracy, in a regression of R2, on rows that the
//! model was not trained on; its mean and standard deviation over some shuffles.
//!
//! All numbers that a column of the file became are shuffled together: each of its words, and
//! that it is missing. Columns that tell the same share their importance or hide it.

use crate::batches::{BATCH, read_back};
use crate::config::RunConfig;
use crate::models::{Matrix, Network};
use serde_json::json;
use std::path::Path;
use tenfold_core::data::csv::Schema;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::progress::{bar, grouped, note};
use tenfold_core::viz::bars::{self, Bar};
use tenfold_core::{Error, Result};

/// Shuffles of each column.
const REPEATS: usize = 5;

/// The rows that it is measured on at most.
const MOST_ROWS: usize = 5_000;

/// The columns that are listed for a person.
const MOST_LISTED: usize = 20;

/// How much each column of a table matters to a model.
pub struct Importances {
    /// The columns, the most important first.
    pub columns: Vec<Bar>,
    /// What falls.
    pub score: &'static str,
    /// On how many rows.
    pub rows: usize,
}

impl Importances {
    /// Measures them on some rows, preprocessed, with their targets.
    ///
    /// # Errors
    /// The device fails.
    pub fn measure<N: Network>(
        network: &N,
        config: &RunConfig,
        schema: &Schema,
        rows: &Matrix,
    ) -> Result<Self> {
        let device = network.devices().into_iter().next().unwrap_or_default();
        let step = rows.len().div_ceil(MOST_ROWS).max(1);
        let inputs: Vec<f32> = rows.rows().step_by(step).flatten().copied().collect();
        let targets: Vec<f32> = rows.targets.iter().step_by(step).copied().collect();
        let width = rows.width.max(1);
        let regression = config.regression.is_some();
        let measure = |inputs: &[f32]| {
            let mut outputs = Vec::new();
            for inputs in inputs.chunks(BATCH * width) {
                let inputs = config.preprocess.tensor(inputs.to_vec(), &device);
                outputs.extend(read_back(network.forward(inputs))?);
            }
            Ok(if regression { r2(&outputs, &targets) } else { accuracy(&outputs, &targets) })
        };
        let columns = permuted(&schema.spans(), &inputs, width, config.training.seed, measure)?;
        let score = if regression { "r2" } else { "accuracy" };
        Ok(Self { columns, score, rows: targets.len() })
    }

    /// As `eval --json` prints them.
    pub fn json(&self) -> serde_json::Value {
        let Self { columns, score, rows } = self;
        json!({ "score": score, "repeats": REPEATS, "rows": rows, "columns": columns })
    }

    /// Writes `importance.svg`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn draw(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        bars::write(&self.title(), &self.columns, &folder.join("importance.svg"))?;
        note(format_args!("wrote importance.svg to {}", folder.display()));
        Ok(())
    }

    /// For a person: a line a column.
    pub fn table(&self, split: &str) -> String {
        let listed = &self.columns[..self.columns.len().min(MOST_LISTED)];
        let wide = listed.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
        let mut text = format!(
            "\n{} ({REPEATS} shuffles, {} {split} rows)\n",
            self.title(),
            grouped(self.rows)
        );
        for Bar { name, mean, deviation } in listed {
            text += &format!("  {name:wide$}  {mean:>8.4} ± {deviation:.4}\n");
        }
        match self.columns.len() - listed.len() {
            0 => {}
            more => text += &format!("  and {more} more\n"),
        }
        text
    }

    fn title(&self) -> String {
        let score = if self.score == "r2" { "R2" } else { self.score };
        format!("permutation importance: by how much {score} falls when a column is shuffled")
    }
}

/// The fall of a score when each column's places `[start, end)` of all rows are shuffled.
fn permuted(
    spans: &[(&str, std::ops::Range<usize>)],
    inputs: &[f32],
    width: usize,
    seed: u64,
    score: impl Fn(&[f32]) -> Result<f64>,
) -> Result<Vec<Bar>> {
    let whole = score(inputs)?;
    let bar = bar(spans.len() * REPEATS);
    let mut columns = Vec::with_capacity(spans.len());
    for (place, (name, span)) in spans.iter().enumerate() {
        let mut falls = [0.0; REPEATS];
        for (repeat, fall) in falls.iter_mut().enumerate() {
            let mut order: Vec<usize> = (0..inputs.len() / width).collect();
            SplitMix64::keyed(&[seed, place as u64, repeat as u64]).shuffle(&mut order);
            let mut shuffled = inputs.to_vec();
            for (row, from) in shuffled.chunks_exact_mut(width).zip(order) {
                row[span.clone()].copy_from_slice(&inputs[from * width..][span.clone()]);
            }
            *fall = whole - score(&shuffled)?;
            if let Some(bar) = &bar {
                bar.inc(1);
            }
        }
        let mean = falls.iter().sum::<f64>() / REPEATS as f64;
        let variance = falls.iter().map(|fall| (fall - mean).powi(2)).sum::<f64>() / REPEATS as f64;
        columns.push(Bar { name: (*name).into(), mean, deviation: variance.sqrt() });
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    columns.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    Ok(columns)
}

/// Part of the rows whose largest output is their class's.
fn accuracy(outputs: &[f32], targets: &[f32]) -> f64 {
    let classes = (outputs.len() / targets.len().max(1)).max(1);
    let best = |row: &[f32]| (0..classes).reduce(|a, b| if row[b] > row[a] { b } else { a });
    let right = outputs.chunks(classes).zip(targets);
    let right = right.filter(|(row, target)| best(row) == Some(**target as usize)).count();
    right as f64 / targets.len().max(1) as f64
}

/// The part of the truths' variance that is explained.
fn r2(outputs: &[f32], targets: &[f32]) -> f64 {
    let mean = targets.iter().map(|&y| f64::from(y)).sum::<f64>() / targets.len().max(1) as f64;
    let square = |y: f64, from: f64| (y - from).powi(2);
    let spread: f64 = targets.iter().map(|&y| square(y.into(), mean)).sum();
    let left: f64 = targets.iter().zip(outputs).map(|(&y, &p)| square(y.into(), p.into())).sum();
    1.0 - left / spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        assert_eq!(accuracy(&[0.1, 0.9, 0.6, 0.4, 0.5, 0.5], &[1.0, 1.0, 0.0]), 2.0 / 3.0);
        // Off by 1, 1, 2, 0; the truths' variance is 5.
        assert!((r2(&[2.0, 2.0, 3.0, 7.0], &[1.0, 3.0, 5.0, 7.0]) - 0.7).abs() < 1e-9);
    }

    /// Rows of four numbers: the first decides, the second and third are one column and decide
    /// together, the last is nothing.
    #[test]
    fn a_column_matters_as_much_as_the_score_falls_without_it() {
        let mut random = SplitMix64::new(3);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..2_000 {
            let (a, b, noise) = (random.below(2), random.below(2), random.unit());
            inputs.extend([a as f32, b as f32, 1.0 - b as f32, noise]);
            targets.push((2 * a + b) as f32);
        }
        let score = |inputs: &[f32]| {
            let right = inputs.chunks(4).zip(&targets).filter(|(row, target)| {
                assert_eq!(row[1] + row[2], 1.0, "one column's numbers stay together");
                2.0 * row[0] + row[1] == **target
            });
            Ok(right.count() as f64 / 2_000.0)
        };
        let spans = [("noise", 3..4), ("a", 0..1), ("b", 1..3)];
        let found = permuted(&spans, &inputs, 4, 1, score).unwrap();
        for Bar { name, mean, deviation } in &found {
            match &name[..] {
                "noise" => assert_eq!((*mean, *deviation), (0.0, 0.0)),
                // Half of the rows get the other value.
                _ => assert!((mean - 0.5).abs() < 0.03 && *deviation > 0.0, "{name} {mean}"),
            }
        }
        assert_eq!(found[2].name, "noise");
    }
}
