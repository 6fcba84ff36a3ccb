//! Every end-to-end test: one program, to be linked once.

mod bad_input;
mod bad_runs;
mod classification;
mod explain;
mod named;
mod sequence;
mod toy;
mod toy_task;
mod transfer;
mod two_optimisers;
