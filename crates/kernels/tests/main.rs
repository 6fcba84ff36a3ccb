//! The operators against Burn's own, and what they promise: one program, to be linked once.

mod loss;
mod operators;
mod optim;
mod promises;
mod recurrent;
mod refusals;
mod roi;
