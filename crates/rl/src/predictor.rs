//! A trained agent, opened to play.

use crate::agents::Player;
use crate::config::RunConfig;
use crate::zoo::Zoo;
use std::path::Path;
use tenfold_core::device::Device;
use tenfold_core::trained::Trained;
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result};

/// What a training left: its configuration and what it learnt.
///
/// ```no_run
/// use tenfold_rl::{Predictor, env};
///
/// # fn main() -> tenfold_core::Result<()> {
/// let device = tenfold_core::device::open("cpu")?;
/// let agent = Predictor::from_file("cartpole.safetensors".as_ref(), &device)?;
/// let envs = env::open(&agent.config.choice.env, 1, &agent.config.choice.options)?;
/// let scores = agent.player.scores(envs.observations(), 1)?;
/// # Ok(())
/// # }
/// ```
pub struct Predictor {
    /// Which agent it is.
    pub agent: Zoo,
    /// `config.json`.
    pub config: RunConfig,
    /// The best weights.
    pub player: Box<dyn Player>,
}

impl Predictor {
    /// Opens a run folder, or a file that `export` wrote.
    ///
    /// # Errors
    /// Neither of the two, one of another task, or weights that are missing or damaged.
    pub fn from_file(path: &Path, device: &Device) -> Result<Self> {
        let trained = Trained::open(path)?;
        let agent: Zoo = trained.model()?;
        let config: RunConfig = trained.config(Zoo::TASK)?;
        let mut player =
            player(agent, &config, device).map_err(|why| Error::file(&trained.path, why))?;
        player.load(&trained.weights)?;
        Ok(Self { agent, config, player })
    }
}

/// A player of any weights, for those of a file.
///
/// # Errors
/// A configuration that no agent can have.
pub fn player(agent: Zoo, config: &RunConfig, device: &Device) -> Result<Box<dyn Player>> {
    Ok(agent.agent(&config.config, &config.spec, config.seed, device)?.player())
}
