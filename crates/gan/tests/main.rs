//! The real program in processes of its own: one test program, to be linked once.
#![cfg(unix)]

mod killed;
