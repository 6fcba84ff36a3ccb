//! `config.json`.

use crate::augment::Augment;
use crate::calibration::Calibration;
use crate::models::detector::DetectorConfig;
use crate::parts::nms::Nms;
use crate::start::Start;
use serde::{Deserialize, Serialize};
use tenfold_core::data::Preprocess;
use tenfold_core::train::Settings;

/// What stands in `config.json` beside the header: all that the other verbs need to know. `D` is
/// the choice of data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunConfig<C, D> {
    /// The model's own choices.
    pub config: C,
    /// The name of each class.
    pub labels: Vec<String>,
    /// From an image to the network's input.
    pub preprocess: Preprocess,
    /// The data.
    pub data: D,
    /// How it is trained.
    pub training: Settings,
    /// What is done to training images.
    pub augment: Augment,
    /// Weights that it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// Classes whose boxes are hidden from the training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unboxed: Vec<String>,
    /// What each step keeps of the average of the weights.
    pub average: f64,
    /// Which boxes are kept beside others.
    pub nms: Nms,
    /// From a score to the part of such boxes that are right, on the validation images.
    #[serde(default)]
    pub calibration: Calibration,
    /// The calibrated score from which a box is shown: where precision and recall are best together on the
    /// validation images.
    #[serde(default)]
    pub threshold: Option<f32>,
}

impl<C: DetectorConfig, D> RunConfig<C, D> {
    /// Refuses what contradicts itself, for someone may have edited the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.config.check().map_err(|why| format!("the model's config: {why}"))?;
        self.calibration.check()?;
        let (labels, classes) = (self.labels.len(), self.config.classes());
        if labels != classes {
            return Err(format!("{labels} labels for a model of {classes} classes"));
        }
        let (shape, expected) = (self.preprocess.shape(), self.config.preprocess().shape());
        match shape == expected {
            true => Ok(()),
            false => Err(format!("preprocessing to {shape:?} for a model that takes {expected:?}")),
        }
    }
}
