//! The networks, one file each.

pub mod bilstm;
pub mod caption;
pub mod charlm;
pub mod image_encoder;
pub mod phrases;
pub mod seq2seq;
pub mod vqa;
pub mod word2vec;
