//! The flags that detection has beside those of every task.

use crate::augment::Augment;
use crate::data::choice::DataChoice;
use crate::write::Format;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use tenfold_core::cli::args::{DataFlags, SplitFlags, SupervisedFlags, fraction};

/// The part that two tiles share.
fn overlap(text: &str) -> Result<f64, String> {
    match fraction(text)? {
        own if own <= 0.9 => Ok(own),
        own => Err(format!("{own}: expected 0 to 0.9")),
    }
}

/// `train`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct TrainFlags {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub supervised: SupervisedFlags,
    #[arg(long, value_name = "SPEC")]
    #[arg(
        help = "Data augmentation, of flip, crop, scale:0.3, colour:0.2, mosaic:0.5 separated by \
                  commas, or none [default: flip for scenes, else all but crop]"
    )]
    pub augment: Option<Augment>,
    #[arg(long, value_name = "FILE|RUN|NAME")]
    #[arg(help = "Start from weights: another detector's, a run's, or a classifier's for the \
                  backbone; what does not fit starts at random, and is told")]
    pub weights: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    #[arg(
        help = "With yolo9000: the tree of words above the labels, a line `word parent's-line` \
                  each, as Darknet has it [default: that of slashes in the labels]"
    )]
    pub tree: Option<PathBuf>,
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    #[arg(help = "With yolo9000: labels, separated by commas, of which images say that they are \
                  there and not where; their boxes are hidden from the training")]
    pub unboxed: Vec<String>,
    /// Of a training on decisions, which no flag asks for.
    #[arg(skip)]
    pub onward: Option<Onward>,
}

/// What a training on decisions keeps of the run that it goes on from.
#[derive(Clone, Debug)]
pub struct Onward {
    /// That run's data.
    pub data: DataChoice,
    /// Its model's choices.
    pub config: Value,
}

/// `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct EvalFlags {
    #[command(flatten)]
    pub on: SplitFlags,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Draw precision against recall, a confusion matrix, how far scores can be \
                  trusted, and the worst mistakes, into DIR")]
    pub draw: Option<PathBuf>,
}

/// `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct PredictFlags {
    #[arg(long, value_name = "MODEL")]
    #[arg(value_parser = tenfold_core::cli::model_parser::<crate::Zoo>())]
    #[arg(help = "Instead of a RUN: the model that --weights belongs to, or whose fetched \
                  weights are taken")]
    pub model: Option<crate::Zoo>,
    #[arg(long, value_name = "FILE|NAME", requires = "model")]
    #[arg(help = "With --model: weights trained elsewhere, torchvision's or Darknet's \
                  .weights, a file or fetched; no RUN then")]
    pub weights: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "model")]
    #[arg(help = "With --model: file of labels, one per line, as many as the weights have \
                  classes [default: those of fetched weights]")]
    pub labels: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "model")]
    #[arg(help = "With --model yolo9000: the tree of words above its labels, Darknet's 9k.tree")]
    pub tree: Option<PathBuf>,
    #[arg(long, value_name = "DIR", requires = "model")]
    #[arg(help = "Folder of fetched weights [default: $TENFOLD_DATA or the cache folder]")]
    pub data_dir: Option<PathBuf>,
    #[arg(long, value_name = "X", value_parser = fraction)]
    #[arg(
        help = "Least score of a box, the probability that it is right [default: the run's own, \
                  best on validation]"
    )]
    pub threshold: Option<f64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(32..=8192))]
    #[arg(help = "Look at images in tiles of N pixels a side, for objects that are small in \
                  large images; what two tiles show is one object")]
    pub tile: Option<u32>,
    #[arg(long, value_name = "X", value_parser = overlap, requires = "tile")]
    #[arg(help = "Part of a tile that its neighbour shows too [default: 0.2]")]
    pub overlap: Option<f64>,
    #[arg(long, value_name = "DIR", help = "Draw the boxes on each image, into DIR")]
    pub draw: Option<PathBuf>,
    #[arg(long, value_enum, requires = "out", help = "Also write the boxes as annotations")]
    pub format: Option<Format>,
    #[arg(
        long,
        value_name = "DIR",
        requires = "format",
        help = "Folder for the annotations of --format"
    )]
    pub out: Option<PathBuf>,
}
