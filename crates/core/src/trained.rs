//! A trained model on disk: a run folder, or a file that `export` wrote.

use crate::run::{Header, Run};
use crate::zoo::Zoo;
use crate::{Error, Result, files, weights};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Where an exported file's header holds the configuration.
pub const CONFIG_KEY: &str = "tenfold.config";

/// A configuration and where its weights are.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The file that holds the configuration, to be named in errors.
    pub path: PathBuf,
    /// The file that holds the weights.
    pub weights: PathBuf,
    /// The configuration as it stands there.
    pub text: String,
}

impl Trained {
    /// Opens a run folder or an exported file.
    ///
    /// # Errors
    /// Neither of the two, or one that cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            let text = weights::metadata(path)?.remove(CONFIG_KEY).ok_or_else(|| {
                let why = "carries no configuration, as files of `export` do: name the model with \
                           --model, where this task has that flag";
                Error::file(path, why)
            })?;
            return Ok(Self { path: path.into(), weights: path.into(), text });
        }
        let run = Run::open(path)?;
        let text = files::read_text(&run.config_path())?;
        Ok(Self { path: run.config_path(), weights: run.weights_path(), text })
    }

    /// Which model of `Z` it is.
    ///
    /// # Errors
    /// Another task's, a newer program's, or none of this zoo's.
    pub fn model<Z: Zoo>(&self) -> Result<Z> {
        let name = Header::check(&self.text, &self.path, Z::TASK)?.model;
        Z::named(&name).ok_or_else(|| Error::file(&self.path, format!("unknown model `{name}`")))
    }

    /// The whole configuration of a run of `task`.
    ///
    /// # Errors
    /// A field that is missing or of another type.
    pub fn config<C: DeserializeOwned>(&self, task: &str) -> Result<C> {
        Header::check(&self.text, &self.path, task)?;
        serde_json::from_str(&self.text).map_err(|why| Error::file(&self.path, why))
    }
}
