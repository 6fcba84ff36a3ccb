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
    let build = [
        "run",
        "--release",
        "--quiet",
        "-p",
        "tenfold-kernels",
        "--features",
        "allocator",
        "--example",
        "bench",
        "--",
    ];
    let status = Command::new("cargo")
        .current_dir(root()?)
        .args(build)
        .args(&args.rest)
        .status()
        .context("cargo")?;
    ensure!(status.success(), "the measurement failed");
    Ok(())
}
