//! The flags of the verbs, beside those that they have in every task.

use crate::settings::Settings;
use clap::Args;
use std::path::PathBuf;
use tenfold_core::cli::args::positive;

/// `train`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct TrainFlags {
    #[arg(long, value_name = "ENV")]
    #[arg(help = "Environment [default: cartpole; cliff for tabular agents]")]
    pub env: Option<String>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(
        help = "Environment steps, over all games [default: as published, or 50000, or 200000 for policies]"
    )]
    pub steps: Option<u64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    #[arg(help = "Environments stepped in parallel [default: as published, or 1 to 64 by agent]")]
    pub games: Option<u32>,
    #[arg(long, value_name = "X", value_parser = positive, help = "Learning rate")]
    pub lr: Option<f64>,
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    #[arg(help = "Start from these weights, such as another run's model.safetensors")]
    pub weights: Option<PathBuf>,
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    #[arg(
        help = "Number of evaluations; the best weights are kept [default: as published, or 20]"
    )]
    pub evaluations: Option<u32>,
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    #[arg(help = "Episodes per evaluation [default: as published, or 20]")]
    pub episodes: Option<u32>,
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    #[arg(help = "Sample actions from the policy in evaluations, instead of the most probable \
                  [default: as published, or false]")]
    pub sample: Option<bool>,
    #[command(flatten)]
    pub settings: Settings,
}

/// `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct EvalFlags {
    #[arg(
        long,
        value_name = "ENV",
        help = "Evaluate in another environment with the same observations and actions"
    )]
    pub env: Option<String>,
    #[arg(long, value_name = "N", default_value = "100", help = "Number of episodes")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub episodes: u32,
    #[arg(long, help = "Sample actions from the policy instead of taking the most probable")]
    pub sample: bool,
    #[arg(long, value_name = "S", default_value = "1000", help = "Seed of the episodes")]
    pub seed: u64,
    #[command(flatten)]
    pub settings: Settings,
}

/// `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct PredictFlags {
    #[arg(
        long,
        value_name = "DIR",
        help = "Draw the episode as DIR/episode.gif and DIR/episode.png"
    )]
    pub draw: Option<PathBuf>,
    #[arg(long, value_name = "FILE.csv")]
    #[arg(help = "Write the observation of each step as a table, a queue for `serve`")]
    pub observations: Option<PathBuf>,
    #[arg(long, value_name = "N", default_value = "1000", help = "Maximum number of steps")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=27_000))]
    pub steps: u32,
    #[arg(long, help = "Sample actions from the policy instead of taking the most probable")]
    pub sample: bool,
    #[arg(long, value_name = "S", default_value = "1000", help = "Seed of the episode")]
    pub seed: u64,
    #[command(flatten)]
    pub settings: Settings,
}

/// `match`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct MatchArgs {
    #[arg(value_name = "RUN_A", help = "Run folder that `train` made, or an exported file")]
    pub a: PathBuf,
    #[arg(value_name = "RUN_B", help = "Run folder or exported file of the opponent")]
    pub b: PathBuf,
    #[arg(long, value_name = "N", default_value = "1000")]
    #[arg(help = "Number of games; each run plays each side in half of them")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub games: u32,
    #[arg(long, help = "Sample actions from the policies instead of taking the most probable")]
    pub sample: bool,
    #[arg(long, value_name = "S", default_value = "1000", help = "Seed of the games")]
    pub seed: u64,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    #[arg(
        help = "Device: cpu, ndarray, cuda, cuda:N or vulkan; GPUs need a build with their feature"
    )]
    pub device: String,
    #[command(flatten)]
    pub settings: Settings,
}

/// `play`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct PlayArgs {
    #[arg(value_name = "ENV", help = "Environment to play")]
    pub env: String,
    #[arg(
        long,
        value_name = "RUN",
        help = "Run that plays the other side [default: a built-in player]"
    )]
    pub against: Option<PathBuf>,
    #[arg(long, value_name = "RUN", help = "Run that suggests actions to you, best first")]
    pub advisor: Option<PathBuf>,
    #[arg(long, value_name = "S", default_value = "1", help = "Seed of the game")]
    pub seed: u64,
    #[command(flatten)]
    pub settings: Settings,
}

/// `speed`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct SpeedArgs {
    #[arg(value_name = "ENV", help = "Environment to measure")]
    pub env: String,
    #[arg(
        long,
        value_name = "N",
        default_value = "64",
        help = "Environments stepped together per thread"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub games: u32,
    #[arg(long, value_name = "N", default_value = "1", help = "Number of threads")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: u32,
    #[arg(long, value_name = "S", default_value = "2", value_parser = positive)]
    #[arg(help = "Duration of the measurement in seconds")]
    pub seconds: f64,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[command(flatten)]
    pub settings: Settings,
}
