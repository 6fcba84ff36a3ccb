//! The flags that detection has beside those of every task.

use crate::augment::Augment;
use crate::write::Format;
use clap::Args;
use std::path::PathBuf;
use tenfold_core::cli::args::{DataFlags, SplitFlags, SupervisedFlags, fraction};

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
        help = "Data augmentation, such as flip,scale:0.3,colour:0.2,mosaic:0.5, or none [default: flip for scenes, \
                  else all of these]"
    )]
    pub augment: Option<Augment>,
}

/// `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct EvalFlags {
    #[command(flatten)]
    pub on: SplitFlags,
}

/// `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct PredictFlags {
    #[arg(long, value_name = "MODEL", requires_all = ["weights", "labels"])]
    #[arg(value_parser = tenfold_core::cli::model_parser::<crate::Zoo>())]
    #[arg(help = "Instead of a RUN: the model that --weights belongs to")]
    pub model: Option<crate::Zoo>,
    #[arg(long, value_name = "FILE", requires = "model")]
    #[arg(
        help = "With --model: weights trained elsewhere, torchvision's or Darknet's .weights; no RUN then"
    )]
    pub weights: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "model")]
    #[arg(
        help = "With --model: file of labels, one per line, as many as the weights have classes"
    )]
    pub labels: Option<PathBuf>,
    #[arg(long, value_name = "X", value_parser = fraction)]
    #[arg(help = "Least score of a box [default: the run's own, best on validation]")]
    pub threshold: Option<f64>,
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
