//! Pictures for people: curves of a training, labels drawn on pictures.

pub mod curves;
pub mod label;
