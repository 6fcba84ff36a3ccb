//! Data sets: the embedded ones, readers for files, splits, augmentation and preprocessing.
//!
//! A data set is opened by [`open`]; its examples are decoded or drawn when they are asked
//! for, so that opening is quick and memory holds no copy.

pub mod augment;
pub mod cifar;
pub mod csv;
mod example;
pub mod folder;
pub mod glyphs;
pub mod houses;
pub mod idx;
pub mod image_file;
mod imagenet;
mod jpeg;
pub mod locate;
pub(crate) mod manifest;
mod mix;
mod objects;
mod open;
mod options;
mod padded;
pub mod preprocess;
pub mod random;
mod repair;
mod resample;
mod resize;
pub mod scenes;
pub mod split;
mod tiff;
mod voc;
mod webp;

pub use augment::Augment;
pub use csv::Task;
pub use example::{DataSet, Example, Examples, Input, Kind};
pub use mix::mixed;
pub use objects::Object;
pub use open::{open, open_objects};
pub use options::{OpenOptions, default_data_dir};
pub use padded::Padded;
pub use preprocess::Preprocess;
pub use resize::Resize;
