//! A trained run, opened to play.

use crate::agents::Player;
use crate::config::RunConfig;
use std::path::Path;
use tenfold_core::device::Device;
use tenfold_core::run::Run;
use tenfold_core::{Error, Result};

/// A run's configuration and what it learnt.
pub struct Trained {
    /// `config.json`.
    pub config: RunConfig,
    /// The best weights.
    pub player: Box<dyn Player>,
}

impl Trained {
    /// Opens the run in `folder`.
    ///
    /// # Errors
    /// No run there, one of another task, or weights that are missing or damaged.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let run = Run::open(folder)?;
        let config = RunConfig::read(&run)?;
        let made = config.agent()?.agent(&config.config, &config.spec, config.seed, device);
        let mut agent = made.map_err(|why| Error::file(run.config_path(), why))?;
        agent.load_weights(&run.weights_path())?;
        Ok(Self { player: agent.player(), config })
    }
}
