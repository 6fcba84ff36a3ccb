//! The verbs of reinforcement learning and their flags.

use crate::settings::Settings;
use crate::zoo::Zoo;
use crate::{contest, play, predict, train};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use tenfold_core::cli;

const ABOUT: &str = "Trains agents in games and control tasks, measures them, lets them play \
                     against each other and against a person; every agent proposes its actions \
                     ranked, for a person to confirm";

#[derive(Parser)]
#[command(version)]
struct Program {
    #[command(subcommand)]
    verb: Verb,
}

// `about` is written out: a doc comment on a flattened struct would replace it.
#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "made once per program")]
enum Verb {
    #[command(about = "List the agents: paper, year, parameters, default world")]
    Models {
        #[arg(long, help = "Print one JSON document")]
        json: bool,
    },
    #[command(about = "Train an agent in a world")]
    Train {
        #[arg(value_enum, value_name = "AGENT", help = "The agent, see `models`")]
        agent: Zoo,
        #[command(flatten)]
        args: TrainArgs,
    },
    #[command(about = "Play episodes with a trained run: mean return and spread")]
    Eval {
        #[command(flatten)]
        args: EvalArgs,
    },
    #[command(about = "Play an episode: the actions proposed at every step, and pictures of it")]
    Predict {
        #[command(flatten)]
        args: PredictArgs,
    },
    #[command(about = "Let two runs play a game of two players against each other")]
    Match {
        #[command(flatten)]
        args: MatchArgs,
    },
    #[command(
        about = "Play a world yourself in the terminal; against a run where it has two sides"
    )]
    Play {
        #[command(flatten)]
        args: PlayArgs,
    },
    #[command(about = "Raw speed of a world: steps per second and core, without an agent")]
    Speed {
        #[command(flatten)]
        args: SpeedArgs,
    },
    #[command(about = "Write weights and configuration of a run as one portable file")]
    Export {
        #[command(flatten)]
        args: cli::args::ExportArgs,
    },
}

/// `train`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    #[arg(long, value_name = "ENV", help = "The world [default: cartpole; cliff for tables]")]
    pub env: Option<String>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(help = "Steps of single games [default: 50000, or 200000 for policies]")]
    pub steps: Option<u64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    #[arg(help = "Games played at once [default: by agent, 1 to 16]")]
    pub games: Option<u32>,
    #[arg(long, value_name = "X", value_parser = positive, help = "Learning rate")]
    pub lr: Option<f64>,
    #[arg(long, value_name = "S", help = "Seed of every random number [default: 1]")]
    pub seed: Option<u64>,
    #[arg(long = "set", value_name = "KEY=VALUE")]
    #[arg(help = "Change a field of the agent's Config, such as double=true or n_step=3")]
    pub set: Vec<String>,
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    #[arg(help = "Start from these weights, such as another run's weights.safetensors")]
    pub weights: Option<PathBuf>,
    #[arg(long, value_name = "RUN", help = "Run folder [default: runs/AGENT-ENV]")]
    pub out: Option<PathBuf>,
    #[arg(long, value_name = "N", default_value = "20")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    #[arg(help = "How many times it is measured; the best weights are kept")]
    pub evaluations: u32,
    #[arg(long, value_name = "N", default_value = "20")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    #[arg(help = "Episodes of each of these")]
    pub episodes: u32,
    #[arg(long, help = "Draw actions by the policy's probabilities in these too")]
    pub sample: bool,
    #[arg(long, conflicts_with = "overwrite", help = "Continue the run in the run folder")]
    pub resume: bool,
    #[arg(long, help = "Replace the run in the run folder")]
    pub overwrite: bool,
    #[arg(long, help = "Print the summary as one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    #[arg(help = "cpu, ndarray, cuda, cuda:N or vulkan, as far as compiled in")]
    pub device: String,
    #[command(flatten)]
    pub settings: Settings,
}

/// `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct EvalArgs {
    #[arg(value_name = "RUN", help = "Run folder that `train` made")]
    pub run: PathBuf,
    #[arg(long, value_name = "ENV", help = "Another world than the run's, of the same shape")]
    pub env: Option<String>,
    #[arg(long, value_name = "N", default_value = "100", help = "How many episodes")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub episodes: u32,
    #[arg(long, help = "Draw actions by the policy's probabilities instead of taking the best")]
    pub sample: bool,
    #[arg(long, value_name = "S", default_value = "1000", help = "Seed of the episodes")]
    pub seed: u64,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    #[arg(help = "cpu, ndarray, cuda, cuda:N or vulkan, as far as compiled in")]
    pub device: String,
    #[command(flatten)]
    pub settings: Settings,
}

/// `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct PredictArgs {
    #[arg(value_name = "RUN", help = "Run folder that `train` made")]
    pub run: PathBuf,
    #[arg(long, value_name = "DIR", help = "Write the episode as episode.gif and episode.png")]
    pub draw: Option<PathBuf>,
    #[arg(long, value_name = "K", default_value = "3", help = "How many suggestions a step")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub top_k: u32,
    #[arg(long, value_name = "N", default_value = "1000", help = "At most so many steps")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=27_000))]
    pub steps: u32,
    #[arg(long, help = "Draw actions by the policy's probabilities instead of taking the best")]
    pub sample: bool,
    #[arg(long, value_name = "S", default_value = "1000", help = "Seed of the episode")]
    pub seed: u64,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    #[arg(help = "cpu, ndarray, cuda, cuda:N or vulkan, as far as compiled in")]
    pub device: String,
    #[command(flatten)]
    pub settings: Settings,
}

/// `match`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct MatchArgs {
    #[arg(value_name = "RUN_A", help = "Run folder that `train` made")]
    pub a: PathBuf,
    #[arg(value_name = "RUN_B", help = "Its opponent's")]
    pub b: PathBuf,
    #[arg(long, value_name = "N", default_value = "1000")]
    #[arg(help = "How many games; each side is played in half of them")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub games: u32,
    #[arg(long, help = "Draw actions by the policies' probabilities instead of taking the best")]
    pub sample: bool,
    #[arg(long, value_name = "S", default_value = "1000", help = "Seed of the games")]
    pub seed: u64,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    #[arg(help = "cpu, ndarray, cuda, cuda:N or vulkan, as far as compiled in")]
    pub device: String,
    #[command(flatten)]
    pub settings: Settings,
}

/// `play`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct PlayArgs {
    #[arg(value_name = "ENV", help = "The world")]
    pub env: String,
    #[arg(long, value_name = "RUN", help = "The other side; without it a built-in player is")]
    pub against: Option<PathBuf>,
    #[arg(long, value_name = "RUN", help = "A run that proposes your actions, best first")]
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
    #[arg(value_name = "ENV", help = "The world")]
    pub env: String,
    #[arg(long, value_name = "N", default_value = "64", help = "Games stepped together per core")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub games: u32,
    #[arg(long, value_name = "N", default_value = "1", help = "Cores to use")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: u32,
    #[arg(long, value_name = "S", default_value = "2", value_parser = positive)]
    #[arg(help = "How long to measure, in seconds")]
    pub seconds: f64,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
    #[command(flatten)]
    pub settings: Settings,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number above zero".into()),
    }
}

/// The program's `main`.
pub fn main() -> ExitCode {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
    ExitCode::from(run(std::env::args_os(), &mut out, &mut err))
}

/// Runs one command line, the program's name first, and returns the exit status: 0 done,
/// 2 for a wrong command line, 1 for everything else.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let act = |program: Program, out: &mut dyn Write| match program.verb {
        Verb::Models { json } => {
            let cards: Vec<_> = Zoo::value_variants().iter().map(|agent| agent.card()).collect();
            cli::models(&cards, json, out)
        }
        Verb::Train { agent, args } => train::run(agent, &args, out),
        Verb::Eval { args } => contest::eval(&args, out),
        Verb::Predict { args } => predict::run(&args, out),
        Verb::Match { args } => contest::run(&args, out),
        Verb::Play { args } => play::run(&args, &mut std::io::stdin().lock(), out),
        Verb::Speed { args } => contest::speed(&args, out),
        Verb::Export { args } => predict::export(&args, out),
    };
    cli::run_program((env!("CARGO_PKG_NAME"), ABOUT), args, act, out, err)
}
