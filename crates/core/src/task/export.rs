//! `export`: a run as one file that carries its own configuration.

use super::contract::Task;
use super::opened::{config, loaded};
use crate::run::Header;
use crate::train::Model;
use crate::trained::{CONFIG_KEY, Trained};
use crate::zoo::Zoo;
use crate::{Error, Result, device};
use serde_json::Value;
use std::path::Path;

pub(super) fn run<T: Task>(task: &T, trained: &Trained, file: &Path) -> Result<()> {
    let header = Header::check(&trained.text, &trained.path, T::Zoo::TASK)?;
    let mut config = config(task, trained)?;
    let model = loaded(task, trained, &config, &device::open("cpu")?)?;
    if task.write_as(&model, &config, file)? {
        return Ok(());
    }
    let mut metadata = task.metadata(&config);
    task.portable(&mut config);
    let unfit = |why: serde_json::Error| Error::file(&trained.path, why);
    let mut whole = serde_json::to_value(header).map_err(unfit)?;
    if let (Value::Object(whole), Value::Object(config)) =
        (&mut whole, serde_json::to_value(config).map_err(unfit)?)
    {
        whole.extend(config);
    }
    metadata.insert(CONFIG_KEY.into(), whole.to_string());
    model.save(file, &metadata)
}
