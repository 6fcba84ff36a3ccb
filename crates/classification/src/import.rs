//! `import`: weights that others trained as a file with its own configuration, which every verb
//! takes as one that `export` wrote.

use crate::config::RunConfig;
use crate::flags::{ImportFlags, TrainFlags};
use crate::labels;
use crate::models::ModelConfig;
use crate::task::Classification;
use crate::zoo::{Zoo, with_config};
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::{DataFlags, RunFlags, check_written};
use tenfold_core::run::Header;
use tenfold_core::task::{Flags, Task};
use tenfold_core::trained::CONFIG_KEY;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result, device};

/// Runs the verb.
///
/// # Errors
/// Weights or data that cannot be read or do not fit each other; a file that cannot be written.
pub fn run(args: &ImportFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    check_written(&args.file, args.overwrite)?;
    with_config!(args.model, Config, new => {
        import(&Classification::<Config> { model: args.model, new }, args)?;
    });
    Ok(writeln!(out, "{}", args.file.display())?)
}

fn import<C: ModelConfig>(task: &Classification<C>, args: &ImportFlags) -> Result<()> {
    // As a training from these weights would begin, of which no step is done.
    let data_dir = args.data_dir.clone();
    let data = DataFlags { data: Some(args.data.clone()), limit: None, data_dir };
    let own = TrainFlags { data, weights: Some(args.weights.clone()), ..TrainFlags::default() };
    let run = RunFlags { set: args.set.clone(), ..RunFlags::default() };
    let flags = Flags { run, own, named: true, steers: true };
    let choice = task.choose(&flags)?;
    let data = task.open(&choice, args.data_dir.as_deref())?;
    let mut config: RunConfig = task.configure(&flags, choice, &data)?;
    task.portable(&mut config);

    let network: C = config.network(Path::new("config.json"))?;
    let mut network = network.init(&device::open("cpu")?);
    let named = labels::find(&args.weights, args.data_dir.as_deref())?;
    let options: LoadOptions = <C::Network as crate::models::Network>::load_options();
    weights::load(&mut network, &named.file, &options)?;

    let unfit = |why: serde_json::Error| Error::file(&args.file, why);
    let header = Header::new(Zoo::TASK, args.model.name());
    let mut whole = serde_json::to_value(header).map_err(unfit)?;
    let config = serde_json::to_value(config).map_err(unfit)?;
    if let (Some(whole), Some(config)) = (whole.as_object_mut(), config.as_object()) {
        whole.extend(config.clone());
    }
    let metadata = [(CONFIG_KEY.to_string(), whole.to_string())].into();
    weights::save(&network, &args.file, &metadata)
}
