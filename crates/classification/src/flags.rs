//! The flags that classification has beside those of every task.

use crate::config::DataChoice;
use clap::Args;
use std::path::PathBuf;
use tenfold_core::cli::args::{DataFlags, SplitFlags, SupervisedFlags, non_negative, ratio};
use tenfold_core::data::csv::{Decimal, TableOptions};
use tenfold_core::data::{Augment, Preprocess, Task};
use tenfold_core::train::loss::LossKind;
use tenfold_core::{Error, Result};

/// How images of another size are brought to the network's.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeKind {
    /// Both sides at once, whatever the proportions.
    Stretch,
    /// The whole image with its proportions, black bars beside it.
    Letterbox,
    /// The middle, with its proportions.
    Crop,
}

/// `train`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct TrainFlags {
    #[command(flatten)]
    pub data: DataFlags,
    #[arg(long, value_name = "COLUMN", help = "CSV: the column to predict, by name or number")]
    pub target: Option<String>,
    #[arg(long, value_enum, help = "CSV: predict a class or a number")]
    pub task: Option<Task>,
    #[command(flatten)]
    pub table: TableFlags,
    #[command(flatten)]
    pub supervised: SupervisedFlags,
    #[arg(long, value_enum, help = "Loss [default: cross-entropy; mse for regression]")]
    pub loss: Option<LossKind>,
    #[arg(long, help = "Weight the loss so that rare classes count as much as frequent ones")]
    pub class_weights: bool,
    #[arg(long, value_name = "X", value_parser = non_negative)]
    #[arg(help = "L1 penalty: X times the sum of the absolute weights")]
    pub l1: Option<f64>,
    #[arg(long, value_name = "X", value_parser = non_negative)]
    #[arg(help = "L2 penalty: X times half the sum of the squared weights")]
    pub l2: Option<f64>,
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(8..=1024))]
    #[arg(
        help = "Images: width and height of the network's input [default: follows from the data]"
    )]
    pub size: Option<u32>,
    #[arg(long, value_enum)]
    #[arg(
        help = "How images are resized: stretched, with black bars, or cropped [default: stretch; \
                  crop under torchvision's stem]"
    )]
    pub resize: Option<ResizeKind>,
    #[arg(long, value_name = "SPEC")]
    #[arg(
        help = "Data augmentation, such as crop:2,flip,affine:10:0.1:0.9-1.1:5,jitter:0.2,cutout:0.25, or none"
    )]
    pub augment: Option<Augment>,
    #[arg(
        long,
        value_name = "FILE|NAME",
        help = "Start from these weights: a file or a fetched name"
    )]
    pub weights: Option<PathBuf>,
    #[arg(long, requires = "weights", help = "Train the last layer only")]
    pub freeze_backbone: bool,
    #[arg(long, value_name = "X", value_parser = ratio)]
    #[arg(
        help = "Layer-wise decay: each part of the network learns at X times the rate of the part above it"
    )]
    pub layer_decay: Option<f64>,
    /// Of a training on decisions, which no flag asks for.
    #[arg(skip)]
    pub onward: Option<Onward>,
}

/// What a training on decisions keeps of the run that it goes on from.
#[derive(Clone, Debug)]
pub struct Onward {
    /// That run's data.
    pub data: DataChoice,
    /// Its classes.
    pub labels: Vec<String>,
    /// What its weights expect of their inputs.
    pub preprocess: Preprocess,
}

/// How a table is to be read, where it is not found by content.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct TableFlags {
    #[arg(long, help = "CSV: the first row names the columns")]
    pub header: bool,
    #[arg(long, conflicts_with = "header", help = "CSV: the first row is an example")]
    pub no_header: bool,
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    #[arg(help = "CSV: delimiter: a character, tab, or space for any number of blanks")]
    pub delimiter: Option<char>,
    #[arg(long, value_enum, value_name = "point|comma", help = "CSV: decimal separator")]
    pub decimal: Option<Decimal>,
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    #[arg(
        help = "CSV: ignore these columns and no others; none ignores no column [default: identifiers]"
    )]
    pub ignore: Option<Vec<String>>,
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    #[arg(help = "CSV: treat these columns as categorical")]
    pub categorical: Vec<String>,
}

impl TableFlags {
    /// As a reader takes them.
    pub fn options(&self) -> TableOptions {
        let none = |names: &Vec<String>| names[..] == ["none"] || names[..] == [""];
        TableOptions {
            header: self.header.then_some(true).or(self.no_header.then_some(false)),
            delimiter: self.delimiter,
            decimal: self.decimal,
            ignore: self.ignore.clone().map(|names| if none(&names) { vec![] } else { names }),
            categorical: self.categorical.clone(),
            ..TableOptions::default()
        }
    }
}

/// A model that is fitted at once has no steps: a flag about them is refused rather than
/// ignored.
///
/// # Errors
/// The first such flag.
pub fn refuse_steps(model: &str, flags: &TrainFlags) -> Result<()> {
    let TrainFlags { supervised: own, loss, l1, l2, augment, weights, .. } = flags;
    let given = [
        ("--epochs", own.epochs.is_some()),
        ("--batch-size", own.batch_size.is_some()),
        ("--lr", own.lr.is_some()),
        ("--loss", loss.is_some()),
        ("--class-weights", flags.class_weights),
        ("--l1", l1.is_some()),
        ("--l2", l2.is_some()),
        ("--optimizer", own.optimizer.is_some()),
        ("--momentum", own.momentum.is_some()),
        ("--nesterov", own.nesterov),
        ("--weight-decay", own.weight_decay.is_some()),
        ("--clip-norm", own.clip_norm.is_some()),
        ("--schedule", own.schedule.is_some()),
        ("--warmup", own.warmup.is_some()),
        ("--augment", augment.is_some()),
        ("--patience", own.patience.is_some()),
        ("--weights", weights.is_some()),
        ("--layer-decay", flags.layer_decay.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            let why = format!("`{model}` is fitted to all examples at once: leave this flag out");
            Err(Error::argument(flag, why))
        }
        None => Ok(()),
    }
}

/// What separates the cells of a table.
fn delimiter(text: &str) -> Result<char, String> {
    match text {
        "tab" | "\\t" => Ok('\t'),
        "space" | "blank" => Ok(' '),
        _ => match text.chars().collect::<Vec<_>>()[..] {
            [mark] if mark.is_ascii() && !['"', '\n', '\r'].contains(&mark) => Ok(mark),
            _ => Err("expected one character, tab or space".into()),
        },
    }
}

/// `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct EvalFlags {
    #[command(flatten)]
    pub on: SplitFlags,
    #[arg(long, value_name = "DIR")]
    #[arg(
        help = "Draw the confusion matrix and the worst mistakes as images in DIR; of a table also \
                how much each column matters (permutation importance)"
    )]
    pub draw: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "draw")]
    #[arg(help = "Font for labels (.ttf, .otf, .ttc); without it, system fonts are searched for \
                  characters that the built-in one lacks")]
    pub font: Option<PathBuf>,
}

/// `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct PredictFlags {
    #[command(flatten)]
    pub foreign: Foreign,
    #[arg(long, value_name = "DIR", help = "Draw the labels on each image, into DIR")]
    pub draw: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "draw")]
    #[arg(help = "Font for labels (.ttf, .otf, .ttc); without it, system fonts are searched for \
                  characters that the built-in one lacks")]
    pub font: Option<PathBuf>,
    #[arg(long, requires = "draw")]
    #[arg(help = "Draw a heat map of where the best suggestion comes from (Grad-CAM)")]
    pub explain: bool,
    #[arg(long, value_name = "FILE", conflicts_with = "draw")]
    #[arg(help = "Write the input table with more columns: prediction, and its confidence; of a \
                  number the limits of its split-conformal interval")]
    pub out: Option<PathBuf>,
    #[arg(long, requires = "out", help = "Replace the file where there is one")]
    pub overwrite: bool,
}

/// Weights in place of a run.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct Foreign {
    #[arg(long, value_name = "MODEL")]
    #[arg(value_parser = tenfold_core::cli::model_parser::<crate::Zoo>())]
    #[arg(help = "Instead of a RUN: the model that --weights belongs to, or whose fetched \
                  weights are taken")]
    pub model: Option<crate::Zoo>,
    #[arg(long, value_name = "FILE|NAME")]
    #[arg(
        help = "Instead of a RUN: an exported file; with --model, weights trained elsewhere, a file or \
                  fetched; no RUN then"
    )]
    pub weights: Option<PathBuf>,
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "model")]
    #[arg(
        help = "With --model: a setting that weights do not contain, such as normalise=imagenet"
    )]
    pub set: Vec<String>,
    #[arg(long, value_name = "FILE", help = "With --model: file of labels, one per line")]
    pub labels: Option<PathBuf>,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Folder of fetched weights [default: $TENFOLD_DATA or the cache folder]")]
    pub data_dir: Option<PathBuf>,
}

/// `features`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct FeaturesFlags {
    #[arg(value_name = "RUN|INPUT", required = true, num_args = 1..)]
    #[arg(help = "Run folder, then the inputs: images, folders of images or CSV files")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub foreign: Foreign,
    #[arg(long, value_name = "FILE", required_unless_present = "neighbours")]
    #[arg(help = "Write the feature vectors to FILE.safetensors, FILE.npy or FILE.parquet")]
    pub out: Option<PathBuf>,
    #[arg(long, value_name = "IMAGE", help = "Rank the inputs by similarity to this image")]
    pub neighbours: Option<PathBuf>,
    #[arg(long, value_name = "K", default_value = "8", help = "Number of neighbours")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=400))]
    pub top_k: u32,
    #[arg(long, value_name = "DIR", requires = "neighbours")]
    #[arg(help = "Draw the neighbours as one image, DIR/neighbours.png")]
    pub draw: Option<PathBuf>,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    #[arg(
        help = "Device: cpu, ndarray, cuda, cuda:N or vulkan; GPUs need a build with their feature"
    )]
    pub device: String,
}

/// `import`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct ImportFlags {
    #[arg(value_name = "MODEL")]
    #[arg(value_parser = tenfold_core::cli::model_parser::<crate::Zoo>())]
    #[arg(help = "The model that the weights belong to")]
    pub model: crate::Zoo,
    #[arg(value_name = "FILE|NAME", help = "Weights trained elsewhere: a file or a fetched name")]
    pub weights: PathBuf,
    #[arg(value_name = "FILE", help = "The file to write, such as model.safetensors")]
    pub file: PathBuf,
    #[arg(long, value_name = "NAME|DIR|FILE")]
    #[arg(help = "The data they were trained on, for the labels in their order")]
    pub data: String,
    #[arg(long = "set", value_name = "KEY=VALUE")]
    #[arg(help = "A setting that weights do not contain, such as normalise=imagenet")]
    pub set: Vec<String>,
    #[arg(long, help = "Replace the file where there is one")]
    pub overwrite: bool,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Folder of fetched data sets [default: $TENFOLD_DATA or the cache folder]")]
    pub data_dir: Option<PathBuf>,
}
