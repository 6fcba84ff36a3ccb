//! What a kind of model is: its Config, its vocabularies, its network, and what answers.

use crate::checked::Checked;
use crate::config::RunConfig;
use crate::zoo::Zoo;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use tenfold_core::train::Model;
use tenfold_core::trained::Trained;
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result};

/// The configuration of a kind of model.
pub(crate) type Run<K> = RunConfig<<K as Kind>::Config, <K as Kind>::Language>;

/// A kind of model.
pub(crate) trait Kind: Sized + 'static {
    /// The data where none is named.
    const DATA: &'static str;

    type Config: Clone + Serialize + DeserializeOwned;
    /// The vocabularies.
    type Language: Clone + Serialize + DeserializeOwned;
    type Network: Module + ModuleDisplay + 'static;
    /// What answers.
    type Answers;

    /// What no network can have.
    fn check(config: &Self::Config) -> Result<(), String>;

    /// Whether a network is one for its vocabularies.
    fn fits(config: &Self::Config, language: &Self::Language) -> Result<(), String>;

    /// Of random weights.
    fn network(config: &Self::Config, device: &Device) -> Self::Network;

    /// From a network in hand.
    fn answers(network: Self::Network, run: Run<Self>, device: &Device) -> Result<Self::Answers>;

    /// Parameters of the default network on the default data.
    fn parameters(&self, device: &Device) -> usize;
}

/// Refuses a configuration that contradicts itself; it stands in `path`.
pub(crate) fn check<K: Kind>(run: &Run<K>, path: &Path) -> Result<()> {
    let fits = || K::fits(&run.config, &run.language);
    K::check(&run.config).and_then(|()| fits()).map_err(|why| Error::file(path, why))
}

/// What answers, of a run folder or an exported file.
///
/// # Errors
/// A file that is missing, damaged, or contradicts itself.
pub(crate) fn open<K: Kind>(path: &Path, device: &Device) -> Result<K::Answers> {
    let trained = Trained::open(path)?;
    let run: Run<K> = trained.config(Zoo::TASK)?;
    check::<K>(&run, &trained.path)?;
    let mut model = Checked::new(K::network(&run.config, device), &run.language)?;
    model.load(&trained.weights)?;
    K::answers(model.network, run, device)
}
