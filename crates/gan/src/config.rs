//! `config.json` of a model that makes images from noise.

use crate::models::config::NoiseConfig;
use crate::training::Training;
use serde::{Deserialize, Serialize};

/// What stands in `config.json` beside the header: all that the other verbs need to know. `D` is
/// the choice of data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunConfig<D> {
    /// The model's own choices.
    pub config: NoiseConfig,
    /// The name of each class of the data; none where it has none.
    pub labels: Vec<String>,
    /// The data.
    pub data: D,
    /// How it is trained.
    pub training: Training,
}

impl<D> RunConfig<D> {
    /// Refuses what contradicts itself, for someone may have edited the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.config.check().map_err(|why| format!("the model's config: {why}"))?;
        let (labels, classes) = (self.labels.len(), self.config.classes);
        if classes > 0 && labels != classes {
            return Err(format!("{labels} labels for a model of {classes} classes"));
        }
        self.training.check()
    }
}
