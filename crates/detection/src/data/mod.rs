//! Images with boxes: readers of the usual formats, and the checking of every box before a
//! training begins. [`open`] chooses the reader by what the files hold.

pub mod check;
#[cfg(feature = "cli")]
pub mod choice;
mod coco;
mod csv;
mod cvat;
#[cfg(feature = "serve")]
mod decisions;
mod files;
mod labelme;
pub mod listed;
mod open;
pub mod unboxed;
mod voc;
mod xml;
mod yaml;
mod yolo;

pub use open::open;

#[cfg(test)]
mod tests;
