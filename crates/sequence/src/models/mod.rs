//! The networks, one file each.

pub mod charlm;
pub mod seq2seq;
