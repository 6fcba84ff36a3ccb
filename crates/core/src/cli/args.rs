//! The flags of each verb. Help texts are attributes, not doc comments, because clap shows
//! a doc comment with its Markdown.

use crate::data::Task;
use crate::data::augment::Augment;
use crate::train::loss::LossKind;
use crate::train::optim::OptimizerKind;
use crate::train::schedule::ScheduleKind;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use std::path::PathBuf;

/// Where the data and the arithmetic are; the same for every verb that computes.
#[derive(Args, Clone, Debug)]
pub struct Place {
    #[allow(missing_docs)]
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    #[arg(help = "cpu, ndarray, cuda, cuda:N or vulkan, as far as compiled in")]
    pub device: String,
    #[allow(missing_docs)]
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Where fetched data is [default: $TENFOLD_DATA or the cache folder]")]
    pub data_dir: Option<PathBuf>,
}

/// `train`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    #[arg(long, value_name = "NAME|DIR|FILE.csv", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help = "Data: a fetched set, a folder of class folders, or a CSV [default: embedded]")]
    pub data: Option<String>,
    #[arg(long, value_name = "RUN", help = "Run folder [default: runs/MODEL-DATA]")]
    pub out: Option<PathBuf>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help = "Passes over the training examples")]
    pub epochs: Option<u32>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    #[arg(help = "Examples per step")]
    pub batch_size: Option<u32>,
    #[arg(long, value_name = "X", value_parser = positive, help = "Highest learning rate")]
    pub lr: Option<f64>,
    #[arg(long, value_name = "S", help = "Seed of every random number [default: 1]")]
    pub seed: Option<u64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help = "Train on the first N examples only")]
    pub limit: Option<u32>,
    #[arg(long, value_name = "COLUMN", help = "CSV: the label's column, by name or number")]
    pub target: Option<String>,
    #[arg(long, value_enum, help = "CSV: whether that column holds classes or measurements")]
    pub task: Option<Task>,
    #[arg(long, value_enum, help = "Loss [default: cross-entropy; mse for numbers]")]
    pub loss: Option<LossKind>,
    #[arg(long, value_name = "X", value_parser = non_negative)]
    #[arg(help = "Penalty on the sum of the absolute weights")]
    pub l1: Option<f64>,
    #[arg(long, value_name = "X", value_parser = non_negative)]
    #[arg(help = "Penalty on half the sum of the squared weights")]
    pub l2: Option<f64>,
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
    #[arg(long, value_enum, help = "Course of the learning rate")]
    pub schedule: Option<ScheduleKind>,
    #[arg(long, value_name = "X", value_parser = fraction)]
    #[arg(help = "Part of all steps in which the learning rate rises from zero")]
    pub warmup: Option<f64>,
    #[arg(long, value_name = "SPEC")]
    #[arg(help = "Such as crop:2,flip,affine:10:0.1:0.9-1.1:5,jitter:0.2,cutout:0.25, or none")]
    pub augment: Option<Augment>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help = "Stop after N epochs without a lower validation loss")]
    pub patience: Option<u32>,
    #[arg(long = "set", value_name = "KEY=VALUE")]
    #[arg(help = "Change a field of the model's Config, such as variant=lecun1998")]
    pub set: Vec<String>,
    #[arg(long, value_name = "FILE|NAME", help = "Start from these weights, a file or fetched")]
    pub weights: Option<PathBuf>,
    #[arg(long, requires = "weights", help = "Train the last layer only")]
    pub freeze_backbone: bool,
    #[arg(long, value_name = "X", value_parser = ratio)]
    #[arg(help = "Each part of the network learns at X times the rate of the part above it")]
    pub layer_decay: Option<f64>,
    #[arg(long, conflicts_with = "overwrite", help = "Continue the run in the run folder")]
    pub resume: bool,
    #[arg(long, help = "Replace the run in the run folder")]
    pub overwrite: bool,
    #[arg(long, help = "Print the summary as one JSON document")]
    pub json: bool,
    #[command(flatten)]
    pub place: Place,
}

/// `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    #[arg(value_name = "RUN", help = "Run folder that `train` made")]
    pub run: PathBuf,
    #[arg(long, value_name = "NAME|DIR|FILE.csv", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help = "Other data than the run's")]
    pub data: Option<String>,
    #[arg(long, value_enum, default_value = "test", help = "The split to measure on")]
    pub split: SplitChoice,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Write the confusion matrix and the worst mistakes as pictures")]
    pub draw: Option<PathBuf>,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[command(flatten)]
    pub place: Place,
}

/// A split of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SplitChoice {
    /// What the model learnt from.
    Train,
    /// What the best epoch was chosen by.
    Validation,
    /// What neither has seen.
    Test,
}

/// `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct PredictArgs {
    #[arg(value_name = "RUN|INPUT", required = true, num_args = 1..)]
    #[arg(help = "Run folder, then pictures, folders of pictures or CSV files")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub foreign: Foreign,
    #[arg(long, value_name = "K", default_value = "3", help = "How many suggestions")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub top_k: u32,
    #[arg(long, value_name = "DIR", help = "Write each picture with its label on it")]
    pub draw: Option<PathBuf>,
    #[arg(long, requires = "draw")]
    #[arg(help = "Draw where the best suggestion comes from, as a heat map (Grad-CAM)")]
    pub explain: bool,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[command(flatten)]
    pub place: Place,
}

/// Weights in place of a run.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct Foreign {
    #[arg(long, value_name = "FILE|NAME")]
    #[arg(help = "An exported file, or with --model weights that others trained, a file or \
                  fetched; no RUN then")]
    pub weights: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = "With --model: labels, one a line")]
    pub labels: Option<PathBuf>,
}

/// `features`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct FeaturesArgs {
    #[arg(value_name = "RUN|INPUT", required = true, num_args = 1..)]
    #[arg(help = "Run folder, then pictures, folders of pictures or CSV files")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub foreign: Foreign,
    #[arg(long, value_name = "FILE", required_unless_present = "neighbours")]
    #[arg(help = "Write the features to FILE.safetensors, FILE.npy or FILE.parquet")]
    pub out: Option<PathBuf>,
    #[arg(long, value_name = "PICTURE", help = "Rank the inputs by their likeness to this one")]
    pub neighbours: Option<PathBuf>,
    #[arg(long, value_name = "K", default_value = "8", help = "How many neighbours")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=400))]
    pub top_k: u32,
    #[arg(long, value_name = "DIR", requires = "neighbours")]
    #[arg(help = "Write the neighbours as one picture, DIR/neighbours.png")]
    pub draw: Option<PathBuf>,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[command(flatten)]
    pub place: Place,
}

/// `export`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    #[arg(value_name = "RUN", help = "Run folder that `train` made")]
    pub run: PathBuf,
    #[arg(value_name = "FILE", help = "The file to write, such as model.safetensors")]
    pub file: PathBuf,
}

fn number(text: &str, fits: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if fits(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x.is_finite() && x > 0.0, "a number above zero")
}

fn non_negative(text: &str) -> Result<f64, String> {
    number(text, |x| x.is_finite() && x >= 0.0, "zero or a number above it")
}

fn ratio(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x <= 1.0, "a number above 0, at most 1")
}

fn fraction(text: &str) -> Result<f64, String> {
    number(text, |x| (0.0..=1.0).contains(&x), "a number from 0 to 1")
}
