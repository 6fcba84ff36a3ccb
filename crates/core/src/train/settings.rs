//! How to train along a gradient.

use super::optim::{Clip, OptimizerConfig};
use super::plan::{Keep, Plan, Unit};
use super::schedule::ScheduleConfig;
use serde::{Deserialize, Serialize};

/// How to train along a gradient; stands in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Passes over the training examples.
    pub epochs: usize,
    /// Examples per optimiser step.
    pub batch_size: usize,
    /// The (highest) learning rate.
    pub lr: f64,
    /// Source of every random number: initial weights, order, augmentation, dropout.
    pub seed: u64,
    /// The optimiser with its weight decay and clipping.
    pub optimizer: OptimizerConfig,
    /// The learning-rate schedule.
    pub schedule: ScheduleConfig,
    /// Stop after this many epochs without better validation.
    pub patience: Option<usize>,
    /// Each part of the network learns at the rate of the part above it times this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_decay: Option<f64>,
    /// Keep the weights of the last epoch rather than those that validate best.
    #[serde(default)]
    pub keep_last: bool,
}

impl Settings {
    /// The flags of `train` that lead to these settings, with values as TOML has them.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let word = |value: serde_json::Value| value.to_string();
        let kind = serde_json::to_value(self.optimizer.kind).map(word).unwrap_or_default();
        let schedule = serde_json::to_value(self.schedule.kind).map(word).unwrap_or_default();
        let number = |value: f64| crate::set::shown(&value.into());
        let mut all = vec![
            ("epochs", self.epochs.to_string()),
            ("batch-size", self.batch_size.to_string()),
            ("lr", number(self.lr)),
            ("optimizer", kind),
            ("weight-decay", number(self.optimizer.weight_decay.into())),
            ("schedule", schedule),
            ("warmup", number(self.schedule.warmup)),
            ("seed", self.seed.to_string()),
        ];
        if let Some(Clip::Norm(norm)) = self.optimizer.clip {
            all.push(("clip-norm", number(norm.into())));
        }
        if let Some(patience) = self.patience {
            all.push(("patience", patience.to_string()));
        }
        all
    }

    /// The plan of these settings, with weights kept by the task's own figure.
    pub fn plan(&self, keep: Keep) -> Plan {
        Plan {
            rounds: self.epochs,
            unit: Unit::Epoch,
            seed: self.seed,
            keep: if self.keep_last { Keep::Last } else { keep },
            patience: self.patience,
        }
    }
}
