//! `export`: a run as one file that carries its own configuration.

use crate::config::{self, RunConfig};
use crate::models::ModelConfig;
use crate::zoo::with_config;
use std::collections::BTreeMap;
use std::io::Write;
use tenfold_core::cli::args::ExportArgs;
use tenfold_core::run::Run;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::{Error, device};

/// Where an exported file's header holds the configuration.
pub const CONFIG_KEY: &str = "tenfold.config";

/// Runs the verb.
///
/// # Errors
/// A run that cannot be read or a file that cannot be written.
pub fn run(args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let run = Run::open(&args.run)?;
    let path = run.config_path();
    let mut config = RunConfig::read(&run)?;
    // Where the weights came from is a path of this machine, of no use elsewhere.
    config.start = None;
    let text = serde_json::to_string(&config).map_err(|why| Error::file(&path, why))?;
    let metadata = BTreeMap::from([(CONFIG_KEY.to_string(), text)]);
    let cpu = device::open("cpu")?;
    with_config!(config::model(&config.header, &path)?, Config => {
        let network: Config = config.network(&path)?;
        let mut network = network.init(&cpu);
        weights::load(&mut network, &run.weights_path(), &LoadOptions { sealed: true, ..LoadOptions::default() })?;
        weights::save(&network, &args.file, &metadata)?;
    });
    writeln!(out, "{}", args.file.display())?;
    Ok(())
}
