//! The program as a person uses it: one test program, to be linked once.

mod cli;
mod play;
