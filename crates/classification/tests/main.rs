//! The real program in processes of its own: one test program, to be linked once.
#![cfg(unix)]

mod browser;
mod process;
mod program;
mod resume;
mod serve;
mod starved;
