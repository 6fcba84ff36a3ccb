//! `config.json`.

use crate::augment::Augment;
use crate::parts::nms::Nms;
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
    /// What each step keeps of the average of the weights.
    pub average: f64,
    /// Which boxes are kept beside others.
    pub nms: Nms,
    /// The score from which a box is shown: where precision and recall are best together on the
    /// validation images.
    #[serde(default)]
    pub threshold: Option<f32>,
}
