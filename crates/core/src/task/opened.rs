//! Data open, and a run or an exported file as a task's configuration and model.

use super::contract::Task;
use super::data::Choice;
use crate::Result;
use crate::data::{default_data_dir, locate};
use crate::train::Model;
use crate::trained::Trained;
use crate::zoo::Zoo;
use burn::tensor::Device;
use std::path::Path;

/// The data of a choice. Where it is another task's, the error says whose.
pub(super) fn open<T: Task>(
    task: &T,
    choice: &T::Choice,
    data_dir: Option<&Path>,
) -> Result<T::Data> {
    task.open(choice, data_dir).map_err(|why| {
        let data_dir = data_dir.map_or_else(default_data_dir, Path::to_path_buf);
        locate::meant_for(choice.name(), &data_dir, T::Zoo::TASK).unwrap_or(why)
    })
}

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
