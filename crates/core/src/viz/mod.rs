//! Images for people: curves of a training, confusion matrices, labels on images.

pub mod bars;
pub mod confusion;
pub mod curves;
pub mod font;
pub mod heat;
pub mod label;
pub mod lines;
pub mod reliability;
pub mod sheet;
