//! What the trainings of all tasks share: the run folder from the command line to the summary.

use crate::zoo::{TrainFlags, Zoo};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn::train::metric::{Adaptor, LossInput, LossMetric};
use burn::train::{InferenceStep, ItemLazy, SupervisedTraining, TrainStep};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenfold_core::cli::args::{Place, TrainArgs};
use tenfold_core::cli::{Zoo as _, print_json};
use tenfold_core::data::default_data_dir;
use tenfold_core::run::{Header, Lock, Run};
use tenfold_core::train::history::History;
use tenfold_core::train::loader::{Collate, Epoch, Loader};
use tenfold_core::train::optim::{Clip, OptimizerConfig, OptimizerKind};
use tenfold_core::train::schedule::{ScheduleConfig, ScheduleKind};
use tenfold_core::train::{Settings, Trainable, Training};
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::{Error, Result, device, files};

/// A sequence run's `config.json`: `C` is the model's Config, `L` its vocabularies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig<C, L> {
    /// Format, version, task and model.
    #[serde(flatten)]
    pub header: Header,
    /// The model's own Config.
    pub config: C,
    /// What turns text into numbers, and numbers into text or labels.
    pub language: L,
    /// The data it was trained on.
    pub data: DataChoice,
    /// How it was trained.
    pub training: Settings,
}

/// The data that a person chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataChoice {
    /// As given to `--data`.
    pub name: String,
    /// `--limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `--pair`: from one language into another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// `--fold`: the tenth of the data that tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// Seed of the splits.
    pub seed: u64,
}

impl DataChoice {
    fn new(args: &TrainArgs, own: &TrainFlags, default: &str) -> Self {
        Self {
            name: args.data.clone().unwrap_or_else(|| default.into()),
            limit: args.limit.map(|limit| limit as usize),
            pair: own.pair.clone(),
            fold: own.fold.map(usize::from),
            seed: args.seed.unwrap_or(1),
        }
    }
}

/// Where fetched data is.
pub fn data_dir(place: &Place) -> PathBuf {
    place.data_dir.clone().unwrap_or_else(default_data_dir)
}

/// Settings that depend on the model.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Passes over the training examples.
    pub epochs: usize,
    /// Examples per step.
    pub batch_size: usize,
    /// Highest learning rate of AdamW.
    pub lr: f64,
    /// Its weight decay.
    pub weight_decay: f32,
    /// The gradient's norm is clipped to this.
    pub clip_norm: f32,
}

impl Recipe {
    /// The recipe, changed by the flags.
    pub fn settings(self, args: &TrainArgs) -> Settings {
        let mut optimizer = OptimizerConfig::new(args.optimizer.unwrap_or(OptimizerKind::AdamW));
        optimizer.weight_decay = args.weight_decay.map_or(self.weight_decay, |decay| decay as f32);
        if let Some(momentum) = args.momentum {
            optimizer.momentum = momentum;
        }
        optimizer.nesterov |= args.nesterov;
        let clip = args.clip_norm.map_or(self.clip_norm, |norm| norm as f32);
        optimizer.clip = Some(Clip::Norm(clip));
        let kind = args.schedule.unwrap_or(ScheduleKind::Cosine);
        let mut schedule = ScheduleConfig::new(kind);
        schedule.warmup = args.warmup.unwrap_or(0.02);
        Settings {
            epochs: args.epochs.map_or(self.epochs, |epochs| epochs as usize),
            batch_size: args.batch_size.map_or(self.batch_size, |size| size as usize),
            lr: args.lr.unwrap_or(self.lr),
            seed: args.seed.unwrap_or(1),
            optimizer,
            schedule,
            patience: args.patience.map(|epochs| epochs as usize),
            layer_decay: None,
            keep_last: false,
        }
    }
}

/// A training between its command line and its summary.
#[derive(Debug)]
pub struct Job<C, L> {
    /// The run folder, which no other training may write into.
    pub run: Run,
    _lock: Lock,
    /// What stands in `config.json`.
    pub config: RunConfig<C, L>,
    /// Where it computes.
    pub device: Device,
    /// Whether it goes on.
    resume: bool,
}

/// Begins or resumes a training. `open` reads the data; `configure` makes the Config, the
/// vocabularies and the settings for it from the flags. All that can be wrong with either
/// comes before the run folder is touched.
///
/// # Errors
/// What these say; a run folder that is taken, or that holds another run than the flags say.
pub fn begin<C, L, D>(
    model: Zoo,
    (args, own): (&TrainArgs, &TrainFlags),
    default_data: &str,
    open: impl Fn(&DataChoice) -> Result<D>,
    configure: impl FnOnce(&D) -> Result<(C, L, Settings)>,
) -> Result<(Job<C, L>, D)>
where
    C: Clone + PartialEq + Serialize + DeserializeOwned,
    L: Clone + PartialEq + Serialize + DeserializeOwned,
{
    refuse_unknown(args)?;
    let device = device::open(&args.place.device)?;
    let choice = DataChoice::new(args, own, default_data);
    let folder = args.out.clone().unwrap_or_else(|| default_folder(model, &choice.name));
    if args.resume {
        let run = Run::open(&folder)?;
        let lock = run.lock()?;
        let stored: RunConfig<C, L> = run.config(Zoo::TASK)?;
        if model.name() != stored.header.model {
            let why = format!("the run trains `{}`, not `{}`", stored.header.model, model.name());
            return Err(Error::argument("--resume", why));
        }
        let data = open(&stored.data)?;
        if steers(args, own) {
            let (config, language, training) = configure(&data)?;
            let header = stored.header.clone();
            let asked = RunConfig { header, config, language, data: choice, training };
            refuse_changes(&stored, &asked)?;
        }
        return Ok((Job { run, _lock: lock, config: stored, device, resume: true }, data));
    }
    let data = open(&choice)?;
    let (config, language, training) = configure(&data)?;
    if folder.join("config.json").exists() && !args.overwrite {
        let why = "holds a run already: --resume continues it, --overwrite replaces it";
        return Err(Error::argument("--out", format!("{} {why}", folder.display())));
    }
    let header = Header::new(Zoo::TASK, &model.name());
    let config = RunConfig { header, config, language, data: choice, training };
    let run = Run::at(&folder)?;
    let lock = run.lock()?;
    run.clear()?;
    files::write_json(&run.config_path(), &config)?;
    Ok((Job { run, _lock: lock, config, device, resume: false }, data))
}

/// `runs/MODEL-DATA`, the data by its last name.
fn default_folder(model: Zoo, data: &str) -> PathBuf {
    let last = PathBuf::from(data.trim_end_matches(['/', '\\']));
    let last = last.file_stem().map_or_else(|| "data".into(), |stem| stem.to_string_lossy());
    PathBuf::from("runs").join(format!("{}-{last}", model.name()))
}

/// Flags of other tasks are refused rather than ignored.
fn refuse_unknown(args: &TrainArgs) -> Result<()> {
    let given = [
        ("--target", args.target.is_some()),
        ("--task", args.task.is_some()),
        ("--loss", args.loss.is_some()),
        ("--l1", args.l1.is_some()),
        ("--l2", args.l2.is_some()),
        ("--augment", args.augment.is_some()),
        ("--weights", args.weights.is_some()),
        ("--layer-decay", args.layer_decay.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(Error::argument(flag, "the models of this task have no such choice"))
        }
        None => Ok(()),
    }
}

/// Whether a flag says how to train.
fn steers(args: &TrainArgs, own: &TrainFlags) -> bool {
    args.data.is_some()
        || args.epochs.is_some()
        || args.batch_size.is_some()
        || args.lr.is_some()
        || args.seed.is_some()
        || args.limit.is_some()
        || args.optimizer.is_some()
        || args.momentum.is_some()
        || args.nesterov
        || args.weight_decay.is_some()
        || args.clip_norm.is_some()
        || args.schedule.is_some()
        || args.warmup.is_some()
        || args.patience.is_some()
        || !args.set.is_empty()
        || own.pair.is_some()
        || own.fold.is_some()
}

/// A resumed training goes on as it was started: flags that say otherwise are refused rather
/// than ignored.
fn refuse_changes<C: Serialize, L: Serialize>(
    stored: &RunConfig<C, L>,
    asked: &RunConfig<C, L>,
) -> Result<()> {
    let value = |config| serde_json::to_value(config).map_err(|e| Error::argument("--resume", e));
    let Some(field) = difference(&value(stored)?, &value(asked)?, "") else { return Ok(()) };
    let why = format!(
        "continues a run exactly as it was started, and {field}: give the flags that it was \
         started with, or none"
    );
    Err(Error::argument("--resume", why))
}

/// The first field in which two configurations differ, in words.
fn difference(stored: &serde_json::Value, asked: &serde_json::Value, at: &str) -> Option<String> {
    use serde_json::Value;
    match (stored, asked) {
        _ if stored == asked => None,
        (Value::Object(stored), Value::Object(asked)) => {
            let keys: std::collections::BTreeSet<&String> =
                stored.keys().chain(asked.keys()).collect();
            let null = Value::Null;
            keys.into_iter().find_map(|key| {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let of = |map: &'_ serde_json::Map<String, Value>| map.get(key).cloned();
                let (stored, asked) = (of(stored), of(asked));
                let (stored, asked) =
                    (stored.as_ref().unwrap_or(&null), asked.as_ref().unwrap_or(&null));
                difference(stored, asked, &at)
            })
        }
        _ => {
            let short = |value: &Value| {
                let text = value.to_string();
                if text.len() > 40 { "another".to_string() } else { text }
            };
            Some(format!("{at} is {} there and {} here", short(stored), short(asked)))
        }
    }
}

impl<C, L: Serialize> Job<C, L> {
    /// What the run folder holds.
    ///
    /// # Errors
    /// A file of it that cannot be read.
    pub fn trained(&self) -> Result<Trained> {
        Trained::open(self.run.folder())
    }

    /// Batches to learn from, in another order each epoch, and batches to validate on.
    ///
    /// # Errors
    /// As [`tenfold_core::train::fit`].
    pub fn fit<M, B>(
        &self,
        model: M,
        train: Arc<B>,
        validation: Arc<B>,
        metrics: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>,
    ) -> Result<History>
    where
        B: Collate,
        M: Trainable + TrainStep<Input = B::Batch> + InferenceStep<Input = B::Batch>,
    {
        let settings = &self.config.training;
        let epoch = Epoch::default();
        let tape = self.device.clone().autodiff();
        let train =
            Loader::new(train, settings.batch_size, tape).shuffled(settings.seed, epoch.clone());
        let validation = Loader::new(validation, settings.batch_size, self.device.clone());
        self.fit_in(model, train, validation, epoch, metrics)
    }

    /// The same with loaders that a task made for itself.
    ///
    /// # Errors
    /// As [`tenfold_core::train::fit`].
    pub fn fit_in<M, B>(
        &self,
        model: M,
        train: Loader<B>,
        validation: Loader<B>,
        epoch: Epoch,
        metrics: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>,
    ) -> Result<History>
    where
        B: Collate,
        M: Trainable + TrainStep<Input = B::Batch> + InferenceStep<Input = B::Batch>,
    {
        let training = Training {
            run: &self.run,
            settings: &self.config.training,
            train: Arc::new(train),
            validation: Arc::new(validation),
            epoch,
            metadata: metadata(&self.config.header.model, &self.config.language)?,
            frozen: None,
            rates: Vec::new(),
            resume: self.resume,
        };
        tenfold_core::train::fit(training, model, metrics)
    }

    /// The device on which a network is made that is to learn, its random numbers seeded.
    pub fn tape(&self) -> Device {
        let tape = self.device.clone().autodiff();
        tape.seed(self.config.training.seed);
        tape
    }

    /// Writes `summary.json` and prints it or `lines`. `scores` are measured on `split`.
    ///
    /// # Errors
    /// The file or `out` cannot be written.
    pub fn finish(
        &self,
        history: &History,
        split: &str,
        scores: serde_json::Value,
        lines: &str,
        args: &TrainArgs,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let mut summary = serde_json::json!({
            "split": split,
            "model": self.config.header.model,
            "data": self.config.data.name,
            "best_epoch": self.config.training.kept(history),
            "epochs": history.lines.last().map(|line| line.epoch),
            "seconds": history.seconds(),
            "device": args.place.device,
        });
        if let (Some(summary), serde_json::Value::Object(scores)) =
            (summary.as_object_mut(), scores)
        {
            summary.extend(scores);
        }
        files::write_json(&self.run.summary_path(), &summary)?;
        if args.json {
            return print_json(&summary, out);
        }
        let epoch = self.config.training.kept(history).unwrap_or(0);
        let (seconds, folder) = (history.seconds(), self.run.folder().display());
        writeln!(out, "{lines}")?;
        writeln!(out, "weights of epoch {epoch}, trained for {seconds:.0} s, in {folder}")?;
        Ok(())
    }
}

/// Registers the loss alone.
pub fn loss_only<M>(builder: SupervisedTraining<M>) -> SupervisedTraining<M>
where
    M: Trainable + TrainStep<Output = Judged> + InferenceStep<Output = Judged>,
{
    builder.metrics((LossMetric::new(),))
}

/// What stands beside the weights: whose they are, and with which vocabularies.
///
/// # Errors
/// Vocabularies that are no JSON.
pub fn metadata(model: &str, language: &impl Serialize) -> Result<BTreeMap<String, String>> {
    Ok(BTreeMap::from([
        ("model".to_string(), model.to_string()),
        (VOCABULARY.to_string(), fingerprint(language)?),
    ]))
}

const VOCABULARY: &str = "vocabulary";

/// FNV-1a over the vocabularies' JSON: tells an exchanged file, not a forged one.
fn fingerprint(language: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(language).map_err(|e| Error::argument("vocabulary", e))?;
    let hash = text.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    Ok(format!("{hash:016x}"))
}

/// A trained model on disk: a run folder, or a file that [`export`] wrote.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Where its configuration stands.
    pub config: PathBuf,
    /// Where its weights are.
    pub weights: PathBuf,
    text: String,
}

impl Trained {
    /// Finds it.
    ///
    /// # Errors
    /// Neither, or a file that is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            let text = weights::metadata(path)?.remove(CONFIG).ok_or_else(|| {
                Error::file(path, "carries no configuration: `export` writes files that do")
            })?;
            return Ok(Self { config: path.into(), weights: path.into(), text });
        }
        let run = Run::open(path)?;
        let text = files::read_text(&run.config_path())?;
        Ok(Self { config: run.config_path(), weights: run.weights_path(), text })
    }

    /// Which model it is.
    ///
    /// # Errors
    /// Another task's, a newer program's, or one that is not of this zoo.
    pub fn model(&self) -> Result<Zoo> {
        let name = Header::check(&self.text, &self.config, Zoo::TASK)?.model;
        <Zoo as clap::ValueEnum>::from_str(&name, false)
            .map_err(|_| Error::file(&self.config, format!("unknown model `{name}`")))
    }

    /// Its whole configuration.
    ///
    /// # Errors
    /// A field that is missing or of another type.
    pub fn config<C: DeserializeOwned, L: DeserializeOwned>(&self) -> Result<RunConfig<C, L>> {
        Header::check(&self.text, &self.config, Zoo::TASK)?;
        serde_json::from_str(&self.text).map_err(|why| Error::file(&self.config, why))
    }

    /// `network` with its weights.
    ///
    /// # Errors
    /// They are missing, damaged, of other sizes, or were trained with another vocabulary.
    pub fn load<M: Module, L: Serialize>(&self, mut network: M, language: &L) -> Result<M> {
        let trained = weights::metadata(&self.weights)?;
        let own = fingerprint(language)?;
        if trained.get(VOCABULARY).is_some_and(|with| *with != own) {
            let why = format!("trained with another vocabulary than {} has", self.config.display());
            return Err(Error::file(&self.weights, why));
        }
        let options = LoadOptions { sealed: true, ..LoadOptions::default() };
        weights::load(&mut network, &self.weights, &options)?;
        Ok(network)
    }
}

/// The name under which an exported file carries its configuration.
const CONFIG: &str = "tenfold.config";

/// Writes a run's weights and configuration as one safetensors file; `init` makes the network
/// that the weights belong to.
///
/// # Errors
/// A run that cannot be read, or a file that cannot be written.
pub fn export<C, L, M>(
    trained: &Trained,
    file: &Path,
    init: impl FnOnce(&RunConfig<C, L>, &Device) -> Result<M>,
) -> Result<()>
where
    C: DeserializeOwned,
    L: DeserializeOwned + Serialize,
    M: Module,
{
    let config = trained.config::<C, L>()?;
    let cpu = device::open("cpu")?;
    let network = trained.load(init(&config, &cpu)?, &config.language)?;
    let mut metadata = metadata(&config.header.model, &config.language)?;
    metadata.insert(CONFIG.into(), trained.text.clone());
    weights::save(&network, file, &metadata)
}

/// A loss over a batch, weighted by its number of tokens in the means of an epoch.
#[derive(Debug)]
pub struct Judged {
    /// `[1]`, the mean.
    pub loss: Tensor<1>,
    /// Over so many.
    pub count: usize,
}

impl ItemLazy for Judged {
    fn sync(self) -> std::result::Result<Self, burn::backend::ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self { loss: self.loss.without_autodiff(), count: self.count })
    }
}

impl Adaptor<LossInput> for Judged {
    fn adapt(&self) -> LossInput {
        // burn-train weights a loss by the length of its tensor.
        LossInput::new(self.loss.clone().expand([self.count.max(1)]))
    }
}
