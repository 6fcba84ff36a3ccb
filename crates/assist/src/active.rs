//! The weights in place, and how what threads share is locked.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenfold_core::calibrate::{self, Threshold};
use tenfold_core::run::Run;
use tenfold_core::{Result, weights};

/// How sure the promise of `--auto-accept` is: with 95 % confidence.
const ALPHA: f64 = 0.05;

/// The weights in place.
#[derive(Clone, Debug)]
pub struct Active {
    /// The model's name.
    pub model: String,
    /// The start of their digest.
    pub id: Arc<str>,
    /// The round that made them; 0 for the run that was named.
    pub round: i64,
    /// Their run folder.
    pub run: PathBuf,
    /// Accuracy on the fixed part, once that is known.
    pub accuracy: Option<f64>,
    /// How sure suggestions may be left to themselves.
    pub threshold: Option<Threshold>,
}

impl Active {
    /// The weights of a run; with `risk`, how sure suggestions must be to be left to themselves.
    ///
    /// # Errors
    /// A file of the run cannot be read.
    pub fn of(model: &str, round: i64, folder: &Path, risk: Option<f64>) -> Result<Self> {
        let run = Run::open(folder)?;
        let judged = run.calibration()?.map_or_else(Vec::new, |calibration| calibration.judged());
        Ok(Self {
            model: model.into(),
            id: weights::digest(&run.weights_path())?[..12].into(),
            round,
            run: folder.into(),
            accuracy: None,
            threshold: risk.and_then(|risk| calibrate::threshold(&judged, risk, ALPHA)),
        })
    }
}

/// A lock's content is valid after every single operation, so a panic elsewhere spoils nothing.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
