//! The classification program: see `tenfold-classification --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tenfold_core::cli::main::<tenfold_classification::Zoo>()
}
