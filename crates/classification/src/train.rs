//! `train`: data and model into a run folder.

use crate::classifier::{Classifier, ExampleBatches, plain_batches};
use crate::config::{self, DataChoice, Interval, Regression, RunConfig, Start};
use crate::evaluate::{self, Measured};
use crate::models::{Fit, Matrix, ModelConfig, Network};
use crate::regression::{self, NumberBatches, Regressor};
use crate::zoo::Zoo;
use crate::{labels, layerwise, recipes};
use burn::module::{Module, ParamGroup};
use burn::tensor::Device;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{InferenceStep, SupervisedTraining, TrainStep};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tenfold_core::cli::args::TrainArgs;
use tenfold_core::cli::{Zoo as _, print_json};
use tenfold_core::data::{DataSet, Examples, Kind, Preprocess, Task};
use tenfold_core::run::{Header, Run};
use tenfold_core::train::history::{History, Line};
use tenfold_core::train::loader::{Collate, Epoch, Loader};
use tenfold_core::train::loss::LossConfig;
use tenfold_core::train::optim::Clip;
use tenfold_core::train::renderer::{grouped, note};
use tenfold_core::train::{Trainable, Training, fit};
use tenfold_core::{Error, Result, device, files, viz, weights};

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
    let name = args.data.as_deref().map_or_else(|| model.default_data().into(), tidied);
    let folder = args.out.clone().unwrap_or_else(|| default_folder(model, &name));
    if args.resume {
        let run = Run::open(&folder)?;
        let _lock = run.lock()?;
        let config = RunConfig::read(&run)?;
        refuse_changes(model, args, &config)?;
        let data = config.data.open(args.place.data_dir.as_deref())?;
        evaluate::check_labels(&config, &data)?;
        let way = prepare::<C>(&config, &run.config_path(), &device)?;
        return train(&run, config, &data, way, &device, args, out);
    }
    // Everything that can be wrong with the data and the flags comes before the folder.
    let mut choice = DataChoice {
        name,
        seed: args.seed.unwrap_or(1),
        limit: args.limit.map(|limit| limit as usize),
        target: args.target.clone(),
        task: args.task.or(if let [only] = C::TASKS { Some(*only) } else { None }),
    };
    let data = choice.open(args.place.data_dir.as_deref())?;
    choice.task = Some(task::<C>(model, args, &data)?);
    let config = new_config(model, new, args, choice, &data)?;
    // A taken folder is refused before anything is created in it.
    if folder.join("config.json").exists() && !args.overwrite {
        let why = "holds a run already: --resume continues it, --overwrite replaces it";
        return Err(Error::argument("--out", format!("{} {why}", folder.display())).into());
    }
    let way = prepare::<C>(&config, &folder.join("config.json"), &device)?;
    if matches!(way, Way::AtOnce(..)) {
        refuse_steps(model, args)?;
    }
    let run = Run::at(&folder)?;
    let _lock = run.lock()?;
    run.clear()?;
    files::write_json(&run.config_path(), &config)?;
    train(&run, config, &data, way, &device, args, out)
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

/// What is to be said of this data.
fn task<C: ModelConfig>(model: Zoo, args: &TrainArgs, data: &DataSet) -> Result<Task> {
    let task = if data.values.is_some() { Task::Regression } else { Task::Classification };
    if args.task.is_some_and(|asked| asked != task) {
        let has = if data.values.is_some() { "a number" } else { "classes" };
        return Err(Error::argument("--task", format!("{} has {has} to predict", data.name)));
    }
    if !C::TASKS.contains(&task) {
        let (name, data) = (model.name(), &data.name);
        return Err(match (task, args.task) {
            (Task::Regression, Some(_)) => {
                Error::argument("--task", format!("`{name}` tells classes, no number"))
            }
            (Task::Regression, None) => {
                let why = format!("{data} has a number to predict, and `{name}` tells classes");
                Error::argument("--data", why)
            }
            (Task::Classification, _) => {
                let why = format!("{data} has classes to tell, and `{name}` predicts a number");
                Error::argument("--data", why)
            }
        });
    }
    Ok(task)
}

fn new_config<C: ModelConfig>(
    model: Zoo,
    new: fn([usize; 3], usize) -> C,
    args: &TrainArgs,
    choice: DataChoice,
    data: &DataSet,
) -> Result<RunConfig> {
    let input = C::input(&data.kind)?;
    let network = new(input, data.classes.len()).for_examples(data.train.len());
    let network = config::set_fields(&network, &args.set)?;
    let task = choice.task.unwrap_or(Task::Classification);
    let (l1, l2) = (args.l1.unwrap_or(0.0), args.l2.unwrap_or(0.0));
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
        regression: match &data.values {
            Some(values) => Some(Regression::fit(&data.train, values)?),
            None => None,
        },
        temperature: None,
        data: choice,
        training: recipes::settings(model, args, &data.kind),
        loss: LossConfig::new(task, args.loss, l1, l2)?,
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
        ("--task", args.task.is_some() && args.task != config.data.task),
        ("--loss", args.loss.is_some_and(|kind| kind != config.loss.kind)),
        ("--l1", differs(args.l1, config.loss.l1)),
        ("--l2", differs(args.l2, config.loss.l2)),
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

/// A model that is fitted at once has no steps: a flag about them is refused rather than
/// ignored.
fn refuse_steps(model: Zoo, args: &TrainArgs) -> Result<()> {
    let given = [
        ("--epochs", args.epochs.is_some()),
        ("--batch-size", args.batch_size.is_some()),
        ("--lr", args.lr.is_some()),
        ("--loss", args.loss.is_some()),
        ("--l1", args.l1.is_some()),
        ("--l2", args.l2.is_some()),
        ("--optimizer", args.optimizer.is_some()),
        ("--momentum", args.momentum.is_some()),
        ("--nesterov", args.nesterov),
        ("--weight-decay", args.weight_decay.is_some()),
        ("--clip-norm", args.clip_norm.is_some()),
        ("--schedule", args.schedule.is_some()),
        ("--warmup", args.warmup.is_some()),
        ("--augment", args.augment.is_some()),
        ("--patience", args.patience.is_some()),
        ("--weights", args.weights.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            let name = model.name();
            let why = format!("`{name}` is fitted to all examples at once: leave this flag out");
            Err(Error::argument(flag, why))
        }
        None => Ok(()),
    }
}

/// How a model comes by its weights.
enum Way<C: ModelConfig> {
    /// Step by step from these, on a device that records gradients.
    Steps(C::Network),
    /// From all examples at once.
    AtOnce(C, Fit<C>),
}

/// The network with its initial weights, on a device that records gradients; or the way to
/// its weights, where that is without steps.
fn prepare<C: ModelConfig>(config: &RunConfig, path: &Path, device: &Device) -> Result<Way<C>> {
    let network: C = config.network(path)?;
    if let Some(fit) = network.fit() {
        return Ok(Way::AtOnce(network, fit));
    }
    let tape = device.clone().autodiff();
    tape.seed(config.training.seed);
    // Burn draws initial weights when they are first looked at: look before the seed is reused.
    let network = network.init(&tape).materialize();
    Ok(Way::Steps(match &config.start {
        Some(start) => start_from(network, start)?,
        None => network,
    }))
}

/// What every way of training needs.
struct Job<'a> {
    run: &'a Run,
    config: &'a RunConfig,
    data: &'a DataSet,
    device: &'a Device,
    resume: bool,
}

fn train<C: ModelConfig>(
    run: &Run,
    mut config: RunConfig,
    data: &DataSet,
    way: Way<C>,
    device: &Device,
    args: &TrainArgs,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    note(format_args!(
        "{} on {}: {} examples to train on, {} to validate, {} to test; into {}",
        config.header.model,
        data.name,
        grouped(data.train.len()),
        grouped(data.validation.len()),
        grouped(data.test.len()),
        run.folder().display()
    ));
    if let (Some(scale), [target]) = (&config.regression, &config.labels[..]) {
        note(format_args!("predicts the number `{target}`, {:.4} on average", scale.mean));
    }
    report_skipped(data);
    let job = Job { run, config: &config, data, device, resume: args.resume };
    let history = match way {
        Way::Steps(network) => job.steps(network)?,
        Way::AtOnce(network, fit) => job.at_once(&network, fit)?,
    };
    if let Some(values) = &data.values {
        let (held, batch) = (&data.test, evaluate::BATCH);
        let predicted = regression::predictions(run, &config, held, batch, device)?;
        let interval = Interval::measure(&predicted, &regression::truths(held, values)?);
        config.regression = config.regression.map(|scale| Regression { interval, ..scale });
        files::write_json(&run.config_path(), &config)?;
    } else {
        let chosen_by = &data.validation;
        config.temperature = Some(evaluate::temperature(run, &config, chosen_by, device)?);
        files::write_json(&run.config_path(), &config)?;
    }

    let measured = evaluate::measure(run, &config, data, &data.test, device)?;
    if let Measured::Classes(scores) = &measured {
        let path = run.calibration_path();
        let text = serde_json::to_vec(&scores.calibration());
        files::write(&path, &text.map_err(|why| Error::file(&path, why))?)?;
    }
    let summary = summary(&config, data, &history, &measured, args);
    files::write_json(&run.summary_path(), &summary)?;
    if args.json {
        return print_json(&summary, out);
    }
    measured.print("test", out)?;
    let (seconds, folder) = (history.seconds(), run.folder().display());
    match config.training.kept(&history) {
        Some(epoch) if history.lines.len() > 1 => {
            writeln!(out, "weights of epoch {epoch}, trained for {seconds:.0} s, in {folder}")?;
        }
        _ => writeln!(out, "fitted in {seconds:.1} s, in {folder}")?,
    }
    Ok(())
}

impl Job<'_> {
    /// Along the gradient, epoch by epoch.
    fn steps<N: Network>(&self, network: N) -> Result<History> {
        let Self { config, data, .. } = self;
        let train = Arc::new(ExampleBatches {
            examples: data.train.clone(),
            preprocess: config.preprocess.clone(),
            augment: config.augment.clone(),
        });
        let validation = plain_batches(&data.validation, &config.preprocess);
        let start = config.start.as_ref().filter(|start| start.freeze_backbone);
        let frozen = start.map(|_| layerwise::backbone::<N>());
        let rates = match config.training.layer_decay {
            Some(decay) => layerwise::rates(&network, decay)?,
            None => Vec::new(),
        };
        let parts = (frozen, rates);
        let loss = config.loss;
        match (config.regression, &data.values) {
            (Some(scale), Some(values)) => {
                let numbers =
                    |examples| Arc::new(NumberBatches { examples, values: values.clone(), scale });
                let model = Regressor { network, loss };
                let metrics =
                    |builder: SupervisedTraining<_>| builder.metrics((LossMetric::new(),));
                self.fit(numbers(train), numbers(validation), model, parts, metrics)
            }
            _ => self.fit(train, validation, Classifier { network, loss }, parts, |builder| {
                builder.metrics((LossMetric::new(), AccuracyMetric::new()))
            }),
        }
    }

    fn fit<B: Collate, M>(
        &self,
        train: Arc<B>,
        validation: Arc<B>,
        model: M,
        (frozen, rates): (Option<ParamGroup>, Vec<(ParamGroup, f64)>),
        metrics: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>,
    ) -> Result<History>
    where
        M: Trainable + TrainStep<Input = B::Batch> + InferenceStep<Input = B::Batch>,
    {
        let (settings, device) = (&self.config.training, self.device);
        let tape = device.clone().autodiff();
        let epoch = Epoch::default();
        let train =
            Loader::new(train, settings.batch_size, tape).shuffled(settings.seed, epoch.clone());
        let training = Training {
            run: self.run,
            settings,
            train: Arc::new(train),
            validation: Arc::new(Loader::new(validation, evaluate::BATCH, device.clone())),
            epoch,
            metadata: self.metadata(),
            frozen,
            rates,
            resume: self.resume,
        };
        fit(training, model, metrics)
    }

    /// From all examples at once; the history has the one line that was measured after it.
    fn at_once<C: ModelConfig>(&self, network: &C, fit: Fit<C>) -> Result<History> {
        let Self { run, config, data, device, .. } = *self;
        let begun = Instant::now();
        let (train, validation) = (self.matrix(&data.train)?, self.matrix(&data.validation)?);
        let fitted = fit(network, &train, &validation, device);
        weights::save(&fitted, &run.weights_path(), &self.metadata())?;
        let seconds = begun.elapsed().as_secs_f64();
        let metrics = match evaluate::measure(run, config, data, &data.validation, device)? {
            Measured::Classes(scores) => BTreeMap::from([
                ("loss".into(), scores.loss / scores.count as f64),
                ("accuracy".into(), scores.accuracy()),
            ]),
            Measured::Numbers(errors) => {
                let std = config.regression.map_or(1.0, |scale| scale.std);
                BTreeMap::from([("loss".into(), (errors.rmse / std).powi(2))])
            }
        };
        let split = "validation".into();
        let history = History { lines: vec![Line { epoch: 1, split, metrics, lr: 0.0, seconds }] };
        history.write(&run.metrics_path())?;
        viz::curves::write(&history, &run.curves_path())?;
        Ok(history)
    }

    /// All of some examples in memory, as the network takes them.
    fn matrix(&self, examples: &Examples) -> Result<Matrix> {
        const PART: usize = 256;
        let batches = plain_batches(examples, &self.config.preprocess);
        let places: Vec<usize> = (0..examples.len()).collect();
        let parts = places.par_chunks(PART).map(|part| batches.stack(part, 0));
        let (mut inputs, mut targets) = (Vec::new(), Vec::with_capacity(places.len()));
        for (values, labels) in parts.collect::<Result<Vec<_>>>()? {
            inputs.extend(values);
            targets.extend(labels.into_iter().map(|label| {
                match (&self.config.regression, &self.data.values) {
                    (Some(scale), Some(values)) => scale.scaled(values[label as usize]),
                    _ => label as f32,
                }
            }));
        }
        let width = self.config.preprocess.shape().iter().product();
        Ok(Matrix { inputs, width, targets })
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("model".into(), self.config.header.model.clone())])
    }
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
    measured: &Measured,
    args: &TrainArgs,
) -> serde_json::Value {
    let mut summary = measured.json();
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
        "best_epoch": config.training.kept(history),
        "epochs": history.lines.last().map(|line| line.epoch),
        "seconds": history.seconds(),
        "device": args.place.device,
    });
    if let (Some(summary), serde_json::Value::Object(rest)) = (summary.as_object_mut(), rest) {
        summary.extend(rest);
    }
    summary
}
