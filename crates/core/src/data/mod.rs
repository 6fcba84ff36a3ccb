//! Data sets: the embedded ones, readers for files, splits, augmentation and preprocessing.
//!
//! A data set is opened by [`open`]; its examples are decoded or drawn when they are asked
//! for, so that opening is quick and memory holds no copy.

pub mod augment;
pub mod cifar;
pub mod csv;
pub mod folder;
pub mod glyphs;
pub mod houses;
pub mod idx;
mod imagenet;
pub mod locate;
mod manifest;
mod open;
pub mod picture;
pub mod preprocess;
pub mod random;
mod resample;
pub mod scenes;
pub(crate) mod split;
mod voc;

use std::sync::Arc;

pub use augment::Augment;
pub use csv::Task;
pub use open::{OpenOptions, default_data_dir, open};
pub use preprocess::{Preprocess, Resize};

/// What one example holds before preprocessing.
#[derive(Clone, Debug)]
pub enum Input {
    /// A picture, always `ImageLuma8` or `ImageRgb8`.
    Picture(image::DynamicImage),
    /// Numbers, one for each of [`Kind::Rows`]' columns.
    Row(Vec<f32>),
}

/// One example of a data set.
#[derive(Clone, Debug)]
pub struct Example {
    /// What a model sees.
    pub input: Input,
    /// What it should say: a place in [`DataSet::classes`], in a regression in
    /// [`DataSet::values`].
    pub label: usize,
}

/// Examples by index; `get` may decode a file.
pub type Examples = Arc<dyn burn_dataset::Dataset<Example, crate::Error>>;

/// A data set with its splits.
pub struct DataSet {
    /// The name it was opened by.
    pub name: String,
    /// What its inputs are.
    pub kind: Kind,
    /// The name of each class, in label order; in a regression the one name of what is
    /// predicted.
    pub classes: Vec<String>,
    /// In a regression the number that each label stands for.
    pub values: Option<Arc<[f32]>>,
    /// Examples to learn from.
    pub train: Examples,
    /// Examples to choose settings and stop by.
    pub validation: Examples,
    /// Examples to judge by, once.
    pub test: Examples,
    /// Faulty records that were left out, one line each.
    pub skipped: Vec<String>,
}

/// What the inputs of a data set are.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pictures; where their sizes differ, the first one's size.
    Pictures {
        /// 1 for grey, 3 for colour.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
    /// Rows of numbers.
    Rows {
        /// The name of each number.
        columns: Vec<String>,
    },
}
