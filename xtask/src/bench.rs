//! `cargo xtask bench`: networks on the CPU, alone or beside PyTorch.
//!
//! The program that measures is an example of tenfold-kernels, so that no one pays for building
//! Burn who wants another chore.

use crate::tidy::root;
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// What is measured, and how.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Networks and options: `cargo xtask bench --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Runs the chore.
pub fn run(args: &Args) -> Result<()> {
    // Not by `-p`: with the features that the whole workspace gives each dependency, so that Burn is
    // not built a second time.
    let build = ["run", "--release", "--quiet", "--features", "tenfold-kernels/allocator"];
    let program = ["--example", "bench", "--"];
    let status = Command::new("cargo")
        .current_dir(root()?)
        .args(build)
        .args(program)
        .args(&args.rest)
        .status()
        .context("cargo")?;
    ensure!(status.success(), "the measurement failed");
    Ok(())
}
