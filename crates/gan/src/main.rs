//! The GAN program: see `tenfold-gan --help`.

use std::process::ExitCode;
use tenfold_kernels::allocator::{Allocator, keep_pages};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    keep_pages();
    tenfold_core::cli::main_with::<tenfold_gan::Zoo, tenfold_assist::Verbs>()
}
