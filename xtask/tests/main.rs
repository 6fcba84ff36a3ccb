//! The real program against servers and folders that misbehave: one test program, to be linked
//! once.

mod fetch;
mod support;
mod weights;
