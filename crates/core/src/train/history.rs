//! What happened in each epoch: the source of `metrics.jsonl`, the curves, the best epoch
//! and early stopping, so that all of them survive a restart together.

use crate::{Error, Result, files};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Counted from 1.
    pub epoch: usize,
    /// `train` or `validation`.
    pub split: String,
    /// Means over the split: `loss` in nats, `accuracy` in 0..1, and so on.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, f64>,
    /// Learning rate at the end of the epoch.
    pub lr: f64,
    /// Wall time of the split in seconds.
    pub seconds: f64,
}

/// All lines so far, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    /// Epoch by epoch, training before validation.
    pub lines: Vec<Line>,
}

impl History {
    /// The values of one metric on one split, as (epoch, value).
    pub fn series(&self, split: &str, metric: &str) -> Vec<(usize, f64)> {
        let of_split = self.lines.iter().filter(|line| line.split == split);
        of_split.filter_map(|line| Some((line.epoch, *line.metrics.get(metric)?))).collect()
    }

    /// The epoch with the lowest validation loss (the first of equals), and that loss.
    pub fn best(&self) -> Option<(usize, f64)> {
        let losses = self.series("validation", "loss");
        losses.into_iter().reduce(|best, next| if next.1 < best.1 { next } else { best })
    }

    /// Whether the validation loss has not improved for `patience` epochs.
    pub fn stalled(&self, patience: usize) -> bool {
        let last = self.lines.last().map_or(0, |line| line.epoch);
        self.best().is_some_and(|(best, _)| last - best >= patience)
    }

    /// Wall time of all splits in seconds.
    pub fn seconds(&self) -> f64 {
        self.lines.iter().map(|line| line.seconds).sum()
    }

    /// Writes `metrics.jsonl`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = String::new();
        for line in &self.lines {
            text += &serde_json::to_string(line).map_err(|why| Error::file(path, why))?;
            text.push('\n');
        }
        files::write(path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_losses(losses: &[f64]) -> History {
        let line = |(i, &loss): (usize, &f64)| Line {
            epoch: i + 1,
            split: "validation".into(),
            metrics: BTreeMap::from([("loss".to_string(), loss)]),
            lr: 0.1,
            seconds: 1.0,
        };
        History { lines: losses.iter().enumerate().map(line).collect() }
    }

    #[test]
    fn numbers_come_back_from_json_as_they_were() {
        // serde_json reads this one wrong unless its `float_roundtrip` is on.
        let history = with_losses(&[0.0024352369618492894, 1.0 / 3.0, f64::MIN_POSITIVE]);
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    }

    #[test]
    fn the_best_epoch_is_the_first_of_the_lowest_losses() {
        assert_eq!(with_losses(&[3.0, 1.0, 2.0, 1.0]).best(), Some((2, 1.0)));
        assert_eq!(with_losses(&[]).best(), None);
    }

    #[test]
    fn patience_counts_epochs_since_the_best() {
        assert!(!with_losses(&[3.0, 1.0, 2.0]).stalled(2));
        assert!(with_losses(&[3.0, 1.0, 2.0, 2.0]).stalled(2));
        assert!(!with_losses(&[]).stalled(1));
    }

    #[test]
    fn lines_are_one_json_object_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let history = with_losses(&[0.5, 0.25]);
        history.write(&path).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<Line> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(History { lines }, history);
        assert!(text.starts_with(r#"{"epoch":1,"split":"validation","loss":0.5,"#), "{text}");
    }
}
