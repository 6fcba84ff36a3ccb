//! What was measured in each round: the source of `metrics.jsonl`, the curves, the round that
//! is kept and early stopping, so that all of them survive a restart together.

use super::plan::Unit;
use crate::{Error, Result, files};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Where a line stands: JSON `"epoch": n` or `"step": n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// Epochs that have ended.
    Epoch(usize),
    /// Steps taken so far.
    Step(usize),
}

impl At {
    /// A number in a unit.
    pub fn new(unit: Unit, number: usize) -> Self {
        match unit {
            Unit::Epoch => Self::Epoch(number),
            Unit::Step => Self::Step(number),
        }
    }

    /// The number.
    pub fn number(self) -> usize {
        match self {
            Self::Epoch(number) | Self::Step(number) => number,
        }
    }

    /// The unit.
    pub fn unit(self) -> Unit {
        match self {
            Self::Epoch(_) => Unit::Epoch,
            Self::Step(_) => Unit::Step,
        }
    }
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The end of which epoch, or which step.
    #[serde(flatten)]
    pub at: At,
    /// `train` or `validation`.
    pub split: String,
    /// Means over the split: `loss` in nats, `accuracy` in 0..1, and so on.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, f64>,
    /// Learning rate at the end of the round, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Wall time of the split in seconds.
    pub seconds: f64,
}

/// All lines so far, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    /// Round by round, training before validation.
    pub lines: Vec<Line>,
}

impl History {
    /// The values of one metric on one split, by the number of the epoch or step.
    pub fn series(&self, split: &str, metric: &str) -> Vec<(usize, f64)> {
        let of_split = self.lines.iter().filter(|line| line.split == split);
        let value = |line: &Line| Some((line.at.number(), *line.metrics.get(metric)?));
        of_split.filter_map(value).collect()
    }

    /// The number of the last line; 0 where there is none.
    pub fn last(&self) -> usize {
        self.lines.last().map_or(0, |line| line.at.number())
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
    use super::super::plan::Keep;
    use super::*;

    fn with(metric: &str, values: &[f64]) -> History {
        let line = |(i, &value): (usize, &f64)| Line {
            at: At::Epoch(i + 1),
            split: "validation".into(),
            metrics: BTreeMap::from([(metric.to_string(), value)]),
            lr: Some(0.1),
            seconds: 1.0,
        };
        History { lines: values.iter().enumerate().map(line).collect() }
    }

    #[test]
    fn numbers_come_back_from_json_as_they_were() {
        // serde_json reads this one wrong unless its `float_roundtrip` is on.
        let history = with("loss", &[0.0024352369618492894, 1.0 / 3.0, f64::MIN_POSITIVE]);
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    }

    #[test]
    fn of_equal_losses_the_first_is_kept_and_of_equal_scores_the_last() {
        let lowest = |values: &[f64]| with("loss", values).kept(Keep::Lowest("loss"));
        assert_eq!(lowest(&[3.0, 1.0, 2.0, 1.0]), Some(2));
        assert_eq!(lowest(&[f64::NAN, 1.0, f64::NAN]), Some(2));
        assert_eq!(lowest(&[]), None);
        let highest = |values: &[f64]| with("map", values).kept(Keep::Highest("map"));
        assert_eq!(highest(&[0.1, 0.5, 0.2, 0.5]), Some(4));
        assert_eq!(with("loss", &[1.0, 2.0]).kept(Keep::Last), Some(2));
    }

    #[test]
    fn lines_are_one_json_object_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let history = with("loss", &[0.5, 0.25]);
        history.write(&path).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<Line> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(History { lines }, history);
        assert!(text.starts_with(r#"{"epoch":1,"split":"validation","loss":0.5,"#), "{text}");
        let step = r#"{"step":70,"split":"train","mean_return":1.5,"seconds":2.0}"#;
        let line: Line = serde_json::from_str(step).unwrap();
        assert_eq!((line.at, line.metrics.len(), line.lr), (At::Step(70), 1, None));
        assert_eq!(serde_json::to_string(&line).unwrap(), step);
    }
}
