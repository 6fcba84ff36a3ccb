//! The networks, one file each.

pub mod bilstm;
pub mod charlm;
pub mod seq2seq;
pub mod word2vec;
