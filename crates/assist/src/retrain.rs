//! The one training on what was decided that may run: how it is done, and how far it is.

use crate::active::{Active, lock};
use serde::Serialize;
use std::path::Path;
use std::sync::Mutex;
use tenfold_core::Result;
use tenfold_core::data::Input;
use tenfold_core::store::Round;
use tenfold_core::suggest::{Propose, RetrainPlan};

/// Trains by a plan.
pub type Train = Box<dyn Fn(&RetrainPlan) -> std::result::Result<(), String> + Send + Sync>;
/// Opens a run's model.
pub type Open = Box<dyn Fn(&Path) -> Result<Box<dyn Propose>> + Send + Sync>;

/// Up to so many examples that the run was validated with before any decision, with their labels.
pub type Own = Box<dyn Fn(&Path, usize) -> Result<Vec<(Input, String)>> + Send + Sync>;

/// How far it is, as `GET /v1/status` has it.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Progress {
    pub state: Stage,
    pub round: i64,
    pub epoch: usize,
    pub epochs: usize,
    pub accuracy_before: Option<f64>,
    pub accuracy_after: Option<f64>,
    /// Of how many items of the fixed part.
    pub judged: usize,
    /// At 95 %.
    pub interval_before: Option<[f64; 2]>,
    pub interval_after: Option<[f64; 2]>,
    /// What became of the classes that the run knew, on its own validation examples; null where
    /// there are none, or they are no longer there.
    pub known: Option<Known>,
    pub taken: bool,
    pub message: String,
}

/// See [`Progress::known`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Known {
    pub examples: usize,
    pub before: f64,
    pub after: f64,
    pub interval_before: [f64; 2],
    pub interval_after: [f64; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Stage {
    #[default]
    Idle,
    Running,
    Done,
    Refused,
    Failed,
}

/// Weights that were found worse, or judged by too few items, should a person want them all the same.
#[allow(missing_docs, reason = "the names say it")]
pub struct Refused {
    pub model: Box<dyn Propose>,
    pub active: Active,
    pub round: Round,
}

/// The one training that may run.
pub struct Retrain {
    /// How it is trained.
    pub train: Train,
    /// How what was trained is opened.
    pub open: Open,
    /// What the run was validated with.
    pub own: Own,
    /// How many epochs it has, where that is not the run's own number.
    pub epochs: Option<u32>,
    /// As `--device` names it.
    pub device: String,
    /// How far it is.
    pub progress: Mutex<Progress>,
    /// Weights that were found worse.
    pub refused: Mutex<Option<Refused>>,
}

impl Retrain {
    /// After so many rounds.
    pub fn new(train: Train, open: Open, own: Own, rounds: i64) -> Self {
        let progress = Mutex::new(Progress { round: rounds, ..Progress::default() });
        let (epochs, device) = (None, "cpu".into());
        Self { train, open, own, epochs, device, progress, refused: Mutex::default() }
    }

    /// How far it is.
    pub fn status(&self) -> Progress {
        lock(&self.progress).clone()
    }

    /// Whether one runs.
    pub fn running(&self) -> bool {
        lock(&self.progress).state == Stage::Running
    }
}
