//! The flags that this task has beside those of every one.

use clap::Args;
use std::path::PathBuf;
use tenfold_core::cli::args::{DataFlags, SplitFlags, positive};

const TRUNCATE: &str = "No number of the noise is farther from 0 than X: more usual samples, more alike [default: no limit]";

/// Parses a limit of normal numbers below which some of them lie.
fn spread(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.05..=10.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0.05 to 10".into()),
    }
}

/// `train`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct TrainFlags {
    #[command(flatten)]
    pub data: DataFlags,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    #[arg(help = "Steps of the generator")]
    pub steps: Option<u32>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    #[arg(help = "Steps between two measurements; the best weights are kept [default: a twelfth]")]
    pub every: Option<u32>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=50_000))]
    #[arg(help = "Samples of a measurement, and twice as many at the end [default: 1000]")]
    pub samples: Option<u32>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    #[arg(help = "Batch size: real images per step")]
    pub batch_size: Option<u32>,
    #[arg(long, value_name = "X", value_parser = positive, help = "The generator's learning rate")]
    pub lr: Option<f64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help = "Stop early after N measurements without a better one")]
    pub patience: Option<u32>,
    #[arg(long, help = "At an alarm go back to the weights kept, at half the learning rate")]
    pub rollback: bool,
    #[arg(long, value_name = "RUN")]
    #[arg(help = "Measure by the features of this classifier, a run or an exported file of \
                  `cargo classification` [default: LeNet, trained on glyphs or mnist]")]
    pub features: Option<PathBuf>,
}

/// `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct EvalFlags {
    #[command(flatten)]
    pub on: SplitFlags,
    #[arg(long, value_name = "N", default_value = "2000", help = "Number of samples")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=50_000))]
    pub samples: u32,
    #[arg(long, value_name = "X", value_parser = spread, help = TRUNCATE)]
    pub truncate: Option<f64>,
}

/// `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct PredictFlags {
    #[arg(long, value_name = "FILE")]
    #[arg(
        help = "Instead of a RUN: a netG of pytorch-CycleGAN-and-pix2pix (unet, resnet_6blocks, \
                  resnet_9blocks), whose sizes are read off its keys"
    )]
    pub weights: Option<PathBuf>,
    #[arg(long, value_name = "DIR", help = "Write the images into DIR, and a sheet of them")]
    pub draw: Option<PathBuf>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    #[arg(help = "Number of samples [default: 64]")]
    pub samples: Option<u32>,
    #[arg(long, value_name = "S", help = "Seed of the samples [default: 1]")]
    pub seed: Option<u64>,
    #[arg(long, value_name = "X", value_parser = spread, help = TRUNCATE)]
    pub truncate: Option<f64>,
    #[arg(long, value_name = "CLASS")]
    #[arg(help = "Make images of this class (cgan), or category (infogan)")]
    pub class: Option<String>,
    #[arg(long, value_name = "I=X|I=A..B", allow_hyphen_values = true)]
    #[arg(help = "infogan: number I of the code is X, or goes from A to B along each row")]
    pub code: Option<String>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=64))]
    #[arg(help = "Each row goes from one sample to the next in N images")]
    pub interpolate: Option<u32>,
    #[arg(long, help = "cyclegan: translate the second kind into the first")]
    pub backward: bool,
}
