//! `train`: data and model into a run folder.

use crate::classifier::{Classifier, ExampleBatches, plain_batches};
use crate::config::{self, DataChoice, RunConfig, Start};
use crate::evaluate::{self, Scores};
use crate::models::{ModelConfig, Network};
use crate::zoo::{DEFAULT_DATA, Zoo};
use crate::{labels, layerwise, recipes};
use burn::module::Module;
use burn::tensor::Device;
use burn::train::metric::{AccuracyMetric, LossMetric};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenfold_core::cli::args::TrainArgs;
use tenfold_core::cli::{Zoo as _, print_json};
use tenfold_core::data::{DataSet, Kind, Preprocess};
use tenfold_core::run::{Header, Run};
use tenfold_core::train::history::History;
use tenfold_core::train::loader::{Epoch, Loader};
use tenfold_core::train::optim::Clip;
use tenfold_core::train::renderer::{grouped, note};
use tenfold_core::train::{Training, fit};
use tenfold_core::weights;
use tenfold_core::{Error, Result, device, files};

/// Trains the model that `new` configures, or continues its training.
///
/// # Errors
/// Whatever keeps the training from its end.
pub fn run<C: ModelConfig>(
    model: Zoo,
    new: fn([usize; 3], usize) -> C,
    args: &TrainArgs,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let name = args.data.as_deref().map_or_else(|| DEFAULT_DATA.into(), tidied);
    let folder = args.out.clone().unwrap_or_else(|| default_folder(model, &name));
    if args.resume {
        let run = Run::open(&folder)?;
        let _lock = run.lock()?;
        let config = RunConfig::read(&run)?;
        refuse_changes(model, args, &config)?;
        let data = config.data.open(args.place.data_dir.as_deref())?;
        evaluate::check_labels(&config, &data)?;
        let classifier = prepare::<C>(&config, &run.config_path(), &device)?;
        return train(&run, &config, &data, classifier, &device, args, out);
    }
    // Everything that can be wrong with the data and the flags comes before the folder.
    let choice = DataChoice {
        name,
        seed: args.seed.unwrap_or(1),
        limit: args.limit.map(|limit| limit as usize),
        target: args.target.clone(),
    };
    let data = choice.open(args.place.data_dir.as_deref())?;
    let config = new_config(model, new, args, choice, &data)?;
    // A taken folder is refused before anything is created in it.
    if folder.join("config.json").exists() && !args.overwrite {
        let why = "holds a run already: --resume continues it, --overwrite replaces it";
        return Err(Error::argument("--out", format!("{} {why}", folder.display())).into());
    }
    let classifier = prepare::<C>(&config, &folder.join("config.json"), &device)?;
    let run = Run::at(&folder)?;
    let _lock = run.lock()?;
    run.clear()?;
    files::write_json(&run.config_path(), &config)?;
    train(&run, &config, &data, classifier, &device, args, out)
}

/// `data/` is `data`, so that a shell's completion makes no other data of it on --resume.
fn tidied(name: &str) -> String {
    match name.trim_end_matches('/') {
        "" => name.into(),
        trimmed => trimmed.into(),
    }
}

/// `runs/MODEL-DATA`, the data by its last name.
fn default_folder(model: Zoo, data: &str) -> PathBuf {
    let trimmed = data.trim_end_matches(['/', '\\']);
    let last = PathBuf::from(trimmed);
    let last = last.file_stem().map_or_else(|| "data".into(), |stem| stem.to_string_lossy());
    PathBuf::from("runs").join(format!("{}-{last}", model.name()))
}

fn new_config<C: ModelConfig>(
    model: Zoo,
    new: fn([usize; 3], usize) -> C,
    args: &TrainArgs,
    choice: DataChoice,
    data: &DataSet,
) -> Result<RunConfig> {
    let input = C::input(&data.kind)?;
    let network = config::set_fields(&new(input, data.classes.len()), &args.set)?;
    let value = serde_json::to_value(&network);
    let start = args.weights.as_ref().map(|named| {
        let named = labels::named(named, args.place.data_dir.as_deref())?;
        let sha256 = weights::digest(&named.file)?;
        let freeze_backbone = args.freeze_backbone;
        Ok::<_, Error>(Start { weights: named.file, sha256, freeze_backbone })
    });
    Ok(RunConfig {
        header: Header::new(Zoo::TASK, &model.name()),
        config: value.map_err(|why| Error::argument("--set", why))?,
        labels: data.classes.clone(),
        preprocess: match network.preprocess() {
            Some(preprocess) => preprocess,
            None => Preprocess::fit(&sized(&data.kind, input), &data.train)?,
        },
        columns: match &data.kind {
            Kind::Rows { columns } => Some(columns.clone()),
            Kind::Pictures { .. } => None,
        },
        data: choice,
        training: recipes::settings(model, args),
        augment: recipes::augment(model, args, &data.kind),
        start: start.transpose()?,
    })
}

/// The data's kind at the size in which the model takes it.
fn sized(kind: &Kind, [channels, height, width]: [usize; 3]) -> Kind {
    match kind {
        Kind::Pictures { .. } => Kind::Pictures { channels, height, width },
        Kind::Rows { .. } => kind.clone(),
    }
}

/// A resumed training goes on as it was started: a flag that says otherwise is refused
/// rather than ignored.
fn refuse_changes(model: Zoo, args: &TrainArgs, config: &RunConfig) -> Result<()> {
    if model.name() != config.header.model {
        let why = format!("the run trains `{}`, not `{}`", config.header.model, model.name());
        return Err(Error::argument("--resume", why));
    }
    let training = &config.training;
    let differs = |given: Option<f64>, was: f64| given.is_some_and(|given| given != was);
    let count = |given: Option<u32>| given.map(f64::from);
    let clips = |norm: f64| training.optimizer.clip == Some(Clip::Norm(norm as f32));
    let changed = [
        (
            "--data",
            args.data.as_ref().is_some_and(|name| tidied(name) != tidied(&config.data.name)),
        ),
        ("--epochs", differs(count(args.epochs), training.epochs as f64)),
        ("--batch-size", differs(count(args.batch_size), training.batch_size as f64)),
        ("--lr", differs(args.lr, training.lr)),
        ("--seed", args.seed.is_some_and(|seed| seed != training.seed)),
        ("--limit", args.limit.is_some_and(|n| Some(n as usize) != config.data.limit)),
        ("--target", args.target.is_some() && args.target != config.data.target),
        ("--optimizer", args.optimizer.is_some_and(|kind| kind != training.optimizer.kind)),
        ("--momentum", differs(args.momentum, training.optimizer.momentum)),
        ("--nesterov", args.nesterov && !training.optimizer.nesterov),
        (
            "--weight-decay",
            differs(
                args.weight_decay.map(|x| f64::from(x as f32)),
                training.optimizer.weight_decay.into(),
            ),
        ),
        ("--clip-norm", args.clip_norm.is_some_and(|norm| !clips(norm))),
        ("--schedule", args.schedule.is_some_and(|kind| kind != training.schedule.kind)),
        ("--warmup", differs(args.warmup, training.schedule.warmup)),
        ("--augment", args.augment.is_some() && args.augment != config.augment),
        ("--patience", args.patience.is_some_and(|n| Some(n as usize) != training.patience)),
        ("--layer-decay", args.layer_decay.is_some() && args.layer_decay != training.layer_decay),
        ("--set", !args.set.is_empty()),
        ("--weights", args.weights.is_some()),
    ];
    match changed.into_iter().find(|(_, changed)| *changed) {
        Some((flag, _)) => Err(Error::argument(
            flag,
            "--resume continues a run exactly as it was started: leave this flag out, or start \
             another run",
        )),
        None => Ok(()),
    }
}

/// The network with its initial weights, on a device that records gradients.
fn prepare<C: ModelConfig>(
    config: &RunConfig,
    path: &Path,
    device: &Device,
) -> Result<Classifier<C::Network>> {
    let network: C = config.network(path)?;
    let tape = device.clone().autodiff();
    tape.seed(config.training.seed);
    // Burn draws initial weights when they are first looked at: look before the seed is reused.
    let network = network.init(&tape).materialize();
    let network = match &config.start {
        Some(start) => start_from(network, start)?,
        None => network,
    };
    Ok(Classifier { network })
}

fn train<N: Network>(
    run: &Run,
    config: &RunConfig,
    data: &DataSet,
    classifier: Classifier<N>,
    device: &Device,
    args: &TrainArgs,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let settings = &config.training;
    note(format_args!(
        "{} on {}: {} examples to train on, {} to validate, {} to test; into {}",
        config.header.model,
        data.name,
        grouped(data.train.len()),
        grouped(data.validation.len()),
        grouped(data.test.len()),
        run.folder().display()
    ));
    report_skipped(data);
    let tape = device.clone().autodiff();
    let epoch = Epoch::default();
    let batches = Arc::new(ExampleBatches {
        examples: data.train.clone(),
        preprocess: config.preprocess.clone(),
        augment: config.augment.clone(),
    });
    let validation = plain_batches(&data.validation, &config.preprocess);
    let training = Training {
        run,
        settings,
        train: Arc::new(
            Loader::new(batches, settings.batch_size, tape.clone())
                .shuffled(settings.seed, epoch.clone()),
        ),
        validation: Arc::new(Loader::new(validation, evaluate::BATCH, device.clone())),
        epoch,
        metadata: BTreeMap::from([("model".into(), config.header.model.clone())]),
        frozen: config
            .start
            .as_ref()
            .filter(|start| start.freeze_backbone)
            .map(|_| layerwise::backbone::<N>()),
        rates: match settings.layer_decay {
            Some(decay) => layerwise::rates(&classifier.network, decay)?,
            None => Vec::new(),
        },
        resume: args.resume,
    };
    let history = fit(training, classifier, |builder| {
        builder.metrics((LossMetric::new(), AccuracyMetric::new()))
    })?;

    let scores = evaluate::run_scores(run, config, &data.test, device)?;
    let summary = summary(config, data, &history, &scores, args);
    files::write_json(&run.summary_path(), &summary)?;
    if args.json {
        return print_json(&summary, out);
    }
    let best = history.best().map_or(0, |(best, _)| best);
    scores.print("test", out)?;
    writeln!(
        out,
        "weights of epoch {best}, trained for {:.0} s, in {}",
        history.seconds(),
        run.folder().display()
    )?;
    Ok(())
}

/// Tells of records that a reader left out.
pub fn report_skipped(data: &DataSet) {
    if data.skipped.is_empty() {
        return;
    }
    note(format_args!("left out {} records:", grouped(data.skipped.len())));
    data.skipped.iter().take(5).for_each(|line| note(format_args!("  {line}")));
    if data.skipped.len() > 5 {
        note(format_args!("  and {} more", grouped(data.skipped.len() - 5)));
    }
}

/// The network with weights that were trained before; its last layer starts anew where the
/// file's has other classes.
fn start_from<N: Network>(network: N, start: &Start) -> Result<N> {
    let path = &start.weights;
    if weights::digest(path)? != start.sha256 {
        return Err(Error::file(path, "not the file that this run was started from"));
    }
    let heads: Vec<String> = N::HEADS.iter().map(|head| format!("{head}.")).collect();
    let in_head = |key: &(String, Vec<usize>)| heads.iter().any(|head| key.0.starts_with(head));
    let mut network = network;
    let own_heads = weights::module_keys(&network).into_iter().filter(&in_head);
    let mut options = N::load_options();
    if !weights::keys(path)?.into_iter().filter(&in_head).eq(own_heads) {
        let path = path.display();
        note(format_args!("{path}: other classes than this data; the last layer starts anew"));
        options.skip.extend(heads.iter().map(|head| format!("^{}", head.replace('.', "\\."))));
    }
    weights::load(&mut network, path, &options)?;
    Ok(network)
}

fn summary(
    config: &RunConfig,
    data: &DataSet,
    history: &History,
    scores: &Scores,
    args: &TrainArgs,
) -> serde_json::Value {
    let mut summary = scores.json();
    let rest = serde_json::json!({
        "split": "test",
        "model": config.header.model,
        "data": config.data.name,
        "examples": {
            "train": data.train.len(),
            "validation": data.validation.len(),
            "test": data.test.len(),
            "skipped": data.skipped.len(),
        },
        "best_epoch": history.best().map(|(epoch, _)| epoch),
        "epochs": history.lines.last().map(|line| line.epoch),
        "seconds": history.seconds(),
        "device": args.place.device,
    });
    if let (Some(summary), serde_json::Value::Object(rest)) = (summary.as_object_mut(), rest) {
        summary.extend(rest);
    }
    summary
}
