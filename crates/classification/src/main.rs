//! The classification program: see `tenfold-classification --help`.

/// Keeps freed pages: tensors come and go by the megabyte, and each new page costs a fault.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::process::ExitCode;

fn main() -> ExitCode {
    tenfold_core::cli::main::<tenfold_classification::Zoo>()
}
