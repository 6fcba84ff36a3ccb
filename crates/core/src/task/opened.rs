//! A run or an exported file as a task's configuration and model.

use super::contract::Task;
use crate::Result;
use crate::train::Model;
use crate::trained::Trained;
use crate::zoo::Zoo;
use burn::tensor::Device;

/// The configuration of a run or an exported file, if it does not contradict itself.
pub(super) fn config<T: Task>(task: &T, trained: &Trained) -> Result<T::Config> {
    let config = trained.config(T::Zoo::TASK)?;
    task.check(&config, &trained.path)?;
    Ok(config)
}

/// The model with the weights of a run or an exported file.
pub(super) fn loaded<T: Task>(
    task: &T,
    trained: &Trained,
    config: &T::Config,
    device: &Device,
) -> Result<T::Model> {
    let mut model = task.model(config, device)?;
    model.load(&trained.weights)?;
    Ok(model)
}
