//! `cargo xtask CHORE`: the workspace's chores, one file each. This one only dispatches.

mod bench;
mod fetch;
mod golden;
mod samples;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Chores of the workspace: fetch data, write samples, keep it tidy, regenerate golden fixtures
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

/// Every chore.
#[derive(Subcommand)]
enum Chore {
    /// Fetch data sets, verify them and put them where training finds them
    Fetch(fetch::Args),
    /// Write small files to try the commands of the READMEs with
    Samples(samples::Args),
    /// Check the rules that no compiler checks: arrows, tables, paths, features
    Tidy(tidy::Args),
    /// Measure networks on the CPU, alone or beside PyTorch
    Bench(bench::Args),
    /// Regenerate the golden fixtures of the tests, or check that they are up to date
    Golden(golden::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Fetch(args) => fetch::run(&args),
        Chore::Samples(args) => samples::run(&args),
        Chore::Tidy(args) => tidy::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Golden(args) => golden::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", fetch::one_line(&error));
            ExitCode::FAILURE
        }
    }
}
