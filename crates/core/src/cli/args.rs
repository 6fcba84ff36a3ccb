//! The flags of each verb. Help texts are attributes, not doc comments, because clap shows
//! a doc comment with its Markdown.

use crate::data::locate::kept_name;
use crate::task::Split;
use crate::train::Settings;
use crate::train::optim::{Clip, OptimizerConfig, OptimizerKind};
use crate::train::schedule::{ScheduleConfig, ScheduleKind};
use crate::{Error, Result};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use std::path::{Path, PathBuf};

/// `train`: the flags of every task.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct RunFlags {
    #[arg(long, value_name = "RUN", help = "Run folder [default: runs/MODEL-DATA]")]
    pub out: Option<PathBuf>,
    #[arg(long, value_name = "S", help = "Seed of all random numbers [default: 1]")]
    pub seed: Option<u64>,
    #[arg(long = "set", value_name = "KEY=VALUE")]
    #[arg(help = "Set a hyper-parameter of the model; `--set help` lists them")]
    pub set: Vec<String>,
    #[arg(long, value_name = "FILE")]
    #[arg(help = "Model, settings and flags from a TOML file, as --dump-config writes it; flags \
                  given beside it win")]
    pub config: Option<PathBuf>,
    #[arg(long, help = "Print the --config that the model and the flags stand for, and end")]
    pub dump_config: bool,
    #[arg(long, conflicts_with = "overwrite", help = "Continue the run in the run folder")]
    pub resume: bool,
    #[arg(long, help = "Replace the run in the run folder")]
    pub overwrite: bool,
    #[arg(long, help = "Print the summary as one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE", help = DEVICE_HELP)]
    pub device: String,
}

impl Default for RunFlags {
    fn default() -> Self {
        Self {
            out: None,
            seed: None,
            set: Vec::new(),
            config: None,
            dump_config: false,
            resume: false,
            overwrite: false,
            json: false,
            device: "cpu".into(),
        }
    }
}

impl RunFlags {
    /// `--seed`, or 1.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }
}

const DEVICE_HELP: &str = "cpu, ndarray, cuda, cuda:N or vulkan, as far as compiled in";

/// `train`: which data, for tasks that learn from examples.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct DataFlags {
    #[arg(long, value_name = "NAME|DIR|FILE", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help = "Data: a fetched data set, a folder or a file [default: embedded data]")]
    pub data: Option<String>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help = "Train on the first N examples only")]
    pub limit: Option<u32>,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Folder of fetched data sets [default: $TENFOLD_DATA or the cache folder]")]
    pub data_dir: Option<PathBuf>,
}

impl DataFlags {
    /// `--data` as a [run keeps it](kept_name) or `default`, and `--limit`.
    pub fn chosen(&self, default: &str) -> (String, Option<usize>) {
        let name = self.data.as_deref().unwrap_or(default);
        (kept_name(name), self.limit.map(|limit| limit as usize))
    }
}

/// A file as a run keeps it: its path in full, so that the run can be used from another folder.
pub fn kept_path(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.into())
}

/// `train`: how to go down a gradient, for tasks that learn from examples step by step.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct SupervisedFlags {
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help = "Epochs: passes over the training examples")]
    pub epochs: Option<u32>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    #[arg(help = "Batch size: examples per optimiser step")]
    pub batch_size: Option<u32>,
    #[arg(long, value_name = "X", value_parser = positive, help = "Highest learning rate")]
    pub lr: Option<f64>,
    #[arg(long, value_enum, help = "Optimiser")]
    pub optimizer: Option<OptimizerKind>,
    #[arg(long, value_name = "X", value_parser = non_negative, help = "Momentum of sgd, rmsprop")]
    pub momentum: Option<f64>,
    #[arg(long, help = "Nesterov momentum for sgd")]
    pub nesterov: bool,
    #[arg(long, value_name = "X", value_parser = non_negative, help = "Weight decay")]
    pub weight_decay: Option<f64>,
    #[arg(long, value_name = "X", value_parser = positive)]
    #[arg(help = "Clip the gradient's norm over all parameters")]
    pub clip_norm: Option<f64>,
    #[arg(long, value_enum, help = "Learning-rate schedule")]
    pub schedule: Option<ScheduleKind>,
    #[arg(long, value_name = "X", value_parser = fraction)]
    #[arg(help = "Fraction of the steps in which the learning rate rises from zero (warm-up)")]
    pub warmup: Option<f64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help = "Stop early after N epochs without a better validation result")]
    pub patience: Option<u32>,
}

/// `train`: for a task that learns from examples step by step and has no flags of its own.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct ExampleFlags {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub supervised: SupervisedFlags,
}

/// How a model is trained when nothing is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Epochs: passes over the training examples.
    pub epochs: usize,
    /// Batch size: examples per optimiser step.
    pub batch_size: usize,
    /// Highest learning rate.
    pub lr: f64,
    /// Weight decay of AdamW.
    pub weight_decay: f32,
    /// What the gradient's norm is clipped to.
    pub clip_norm: Option<f32>,
    /// The learning-rate schedule ...
    pub schedule: ScheduleKind,
    /// ... and the part of it in which the rate rises.
    pub warmup: f64,
}

impl Recipe {
    /// AdamW with a decay of 0.01 along one cycle, in batches of 64.
    pub fn new(epochs: usize, lr: f64) -> Self {
        let (batch_size, weight_decay, warmup) = (64, 0.01, 0.0);
        let schedule = ScheduleKind::OneCycle;
        Self { epochs, batch_size, lr, weight_decay, clip_norm: None, schedule, warmup }
    }

    /// The same for so few examples that its epochs would be too few optimiser steps to learn
    /// from: in smaller batches and for more epochs. A batch size makes `steps` an epoch. What
    /// the flags say stands, and plenty of data leaves everything as it is.
    #[must_use]
    pub fn suited(
        self,
        few: &Few,
        flags: &SupervisedFlags,
        steps: impl Fn(usize) -> usize,
    ) -> Self {
        let mut own = self;
        while own.batch_size > few.smallest && steps(own.batch_size) < few.batches {
            own.batch_size = (own.batch_size / 2).max(few.smallest);
        }
        let batch_size = flags.batch_size.map_or(own.batch_size, |size| size as usize);
        own.epochs = self.epochs.max(few.steps.div_ceil(steps(batch_size).max(1)));
        if own != self {
            own.warmup = self.warmup.max(few.warmup);
        }
        own
    }
}

/// What a training needs at least, whatever its data: see [`Recipe::suited`].
#[derive(Clone, Copy, Debug)]
pub struct Few {
    /// Optimiser steps; a training of fewer has hardly left its initial weights.
    pub steps: usize,
    /// Batches in an epoch, below which batches are made smaller ...
    pub batches: usize,
    /// ... but not smaller than this: their gradients are mostly noise.
    pub smallest: usize,
    /// Part of few steps in which the learning rate rises.
    pub warmup: f64,
}

impl SupervisedFlags {
    /// The flags that lead to these settings.
    pub fn of(settings: &Settings) -> Self {
        let count = |number: usize| u32::try_from(number).ok();
        let Settings { optimizer, schedule, .. } = settings;
        Self {
            epochs: count(settings.epochs),
            batch_size: count(settings.batch_size),
            lr: Some(settings.lr),
            optimizer: Some(optimizer.kind),
            momentum: Some(optimizer.momentum),
            nesterov: optimizer.nesterov,
            weight_decay: Some(optimizer.weight_decay.into()),
            clip_norm: match optimizer.clip {
                Some(Clip::Norm(norm)) => Some(norm.into()),
                _ => None,
            },
            schedule: Some(schedule.kind),
            warmup: Some(schedule.warmup),
            patience: settings.patience.and_then(count),
        }
    }

    /// A recipe, changed by the flags.
    pub fn settings(&self, recipe: Recipe, seed: u64) -> Settings {
        let mut optimizer = OptimizerConfig::new(self.optimizer.unwrap_or(OptimizerKind::AdamW));
        optimizer.weight_decay = self.weight_decay.map_or(recipe.weight_decay, |x| x as f32);
        optimizer.momentum = self.momentum.unwrap_or(optimizer.momentum);
        optimizer.nesterov |= self.nesterov;
        let clip = self.clip_norm.map(|norm| norm as f32).or(recipe.clip_norm);
        optimizer.clip = clip.map(Clip::Norm);
        let mut schedule = ScheduleConfig::new(self.schedule.unwrap_or(recipe.schedule));
        schedule.warmup = self.warmup.unwrap_or(recipe.warmup);
        Settings {
            epochs: self.epochs.map_or(recipe.epochs, |epochs| epochs as usize),
            batch_size: self.batch_size.map_or(recipe.batch_size, |size| size as usize),
            lr: self.lr.unwrap_or(recipe.lr),
            seed,
            optimizer,
            schedule,
            patience: self.patience.map(|epochs| epochs as usize),
            layer_decay: None,
            keep_last: false,
        }
    }
}

/// `eval`: the flags of every task.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    #[arg(value_name = "RUN", help = "Run folder that `train` made, or an exported file")]
    pub run: PathBuf,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE", help = DEVICE_HELP)]
    pub device: String,
}

/// `eval`: on what, for tasks that learn from examples.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct SplitFlags {
    #[arg(long, value_name = "NAME|DIR|FILE", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help = "Evaluate on other data than the run's")]
    pub data: Option<String>,
    #[arg(long, value_enum, default_value = "test", help = "Split to evaluate on")]
    pub split: Split,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Folder of fetched data sets [default: $TENFOLD_DATA or the cache folder]")]
    pub data_dir: Option<PathBuf>,
}

/// `predict`: the flags of every task.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct PredictArgs {
    #[arg(value_name = "RUN|INPUT", required = true, num_args = 1..)]
    #[arg(help = "Run folder or exported file, then the inputs: files or folders of images")]
    pub paths: Vec<PathBuf>,
    #[arg(long, value_name = "K", default_value = "3", help = "Number of suggestions per input")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub top_k: u32,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE", help = DEVICE_HELP)]
    pub device: String,
}

/// The run among the paths of a command line, and the inputs after it.
///
/// # Errors
/// Nothing was named.
pub fn run_and_inputs(paths: &[PathBuf]) -> Result<(&PathBuf, &[PathBuf])> {
    let none = || Error::argument("RUN", "no run named. Example: predict runs/x photo.jpg");
    paths.split_first().ok_or_else(none)
}

/// `export`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    #[arg(value_name = "RUN", help = "Run folder that `train` made")]
    pub run: PathBuf,
    #[arg(value_name = "FILE", help = "The file to write, such as model.safetensors")]
    pub file: PathBuf,
    #[arg(long, help = "Replace the file where there is one")]
    pub overwrite: bool,
}

impl ExportArgs {
    /// Refuses a file that would be called what it is not, or would replace another.
    ///
    /// # Errors
    /// The ending of another format; a file that is there, without `--overwrite`.
    pub fn check(&self) -> Result<()> {
        check_written(&self.file, self.overwrite)
    }
}

/// Refuses to write safetensors to a file with the ending of another format, or over a file that
/// is there, unless that is asked for.
///
/// # Errors
/// As it says.
pub fn check_written(file: &Path, overwrite: bool) -> Result<()> {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let ending = ending.unwrap_or_default();
    if ["onnx", "pt", "pth"].contains(&ending.as_str()) {
        let why = format!("`export` writes no .{ending}: name a file such as model.safetensors");
        return Err(Error::file(file, why));
    }
    check_absent(file, overwrite)
}

/// Refuses to write over a file that is there, unless that is asked for.
///
/// # Errors
/// As it says.
pub fn check_absent(file: &Path, overwrite: bool) -> Result<()> {
    match file.is_file() && !overwrite {
        true => Err(Error::file(file, "already there: `--overwrite` replaces it")),
        false => Ok(()),
    }
}

fn number(text: &str, fits: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if fits(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

/// Parses a number above zero.
///
/// # Errors
/// Anything else.
pub fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x.is_finite() && x > 0.0, "a number above zero")
}

/// Parses zero or a number above it.
///
/// # Errors
/// Anything else.
pub fn non_negative(text: &str) -> Result<f64, String> {
    number(text, |x| x.is_finite() && x >= 0.0, "zero or a number above it")
}

/// Parses a number above 0, at most 1.
///
/// # Errors
/// Anything else.
pub fn ratio(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x <= 1.0, "a number above 0, at most 1")
}

/// Parses a number from 0 to 1.
///
/// # Errors
/// Anything else.
pub fn fraction(text: &str) -> Result<f64, String> {
    number(text, |x| (0.0..=1.0).contains(&x), "a number from 0 to 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_examples_make_as_many_steps_as_more() {
        let few = Few { steps: 600, batches: 16, smallest: 4, warmup: 0.1 };
        let of = |examples: usize, flags: &SupervisedFlags| {
            let usual = Recipe { batch_size: 32, warmup: 0.02, ..Recipe::new(12, 1e-3) };
            let own = usual.suited(&few, flags, |batch| examples.div_ceil(batch));
            (own.batch_size, own.epochs, own.warmup)
        };
        let none = SupervisedFlags::default();
        assert_eq!(of(1600, &none), (32, 12, 0.02));
        assert_eq!(of(3200, &none), (32, 12, 0.02));
        assert_eq!(of(300, &none), (16, 32, 0.1));
        assert_eq!(of(48, &none), (4, 50, 0.1));
        assert_eq!(of(1, &none), (4, 600, 0.1));
        // The batch size that is asked for has its own number of epochs.
        let asked = SupervisedFlags { batch_size: Some(48), ..none };
        assert_eq!(of(48, &asked).1, 600);
    }

    #[test]
    fn no_file_is_called_what_it_is_not_or_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["m.onnx", "m.pt", "M.PTH"] {
            let why = check_written(&at(name), true).unwrap_err().to_string();
            assert!(why.contains("writes no .") && why.contains("model.safetensors"), "{why}");
        }
        check_written(&at("m.safetensors"), false).unwrap();
        std::fs::write(at("m.safetensors"), "mine").unwrap();
        let why = check_written(&at("m.safetensors"), false).unwrap_err().to_string();
        assert!(why.ends_with("already there: `--overwrite` replaces it"), "{why}");
        check_written(&at("m.safetensors"), true).unwrap();
    }
}
