//! What a data set is made of: inputs, targets, and the three splits.

use std::sync::Arc;

use super::csv::Schema;

/// What one example holds before preprocessing.
#[derive(Clone, Debug)]
pub enum Input {
    /// An image, always `ImageLuma8` or `ImageRgb8`.
    Image(image::DynamicImage),
    /// Numbers, one for each of [`Kind::Rows`]' columns.
    Row(Vec<f64>),
    /// A text.
    Text(String),
    /// An image that [`Preprocess::shaped`](super::Preprocess::shaped) has brought to a
    /// network's size, and the columns and rows that it had.
    Shaped(image::DynamicImage, [u32; 2]),
}

impl Input {
    /// Columns and rows of an image, before it is brought to a network's size.
    pub fn image_size(&self) -> Option<[u32; 2]> {
        match self {
            Self::Image(image) => Some([image.width(), image.height()]),
            Self::Shaped(_, size) => Some(*size),
            Self::Row(_) | Self::Text(_) => None,
        }
    }

    /// What it is, in an error.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Image(_) | Self::Shaped(..) => "an image",
            Self::Row(_) => "a row of numbers",
            Self::Text(_) => "a text",
        }
    }
}

/// One example of a data set: an input, and what a model should say of it.
///
/// The target is a label unless said otherwise: a place in [`DataSet::classes`], in a regression
/// in [`DataSet::values`]. Of detection it is a list of [`Object`](super::Object)s.
#[derive(Clone, Debug)]
pub struct Example<T = usize> {
    /// What a model sees.
    pub input: Input,
    /// What it should say.
    pub target: T,
    /// The file that the input was read from, where it has one of its own.
    pub file: Option<Arc<std::path::Path>>,
}

/// Examples by index; `get` may decode a file.
pub type Examples<T = usize> = Arc<dyn burn_dataset::Dataset<Example<T>, crate::Error>>;

/// A data set with its splits.
pub struct DataSet<T = usize> {
    /// The name it was opened by.
    pub name: String,
    /// What its inputs are.
    pub kind: Kind,
    /// The name of each class, in label order; in a regression the one name of what is
    /// predicted.
    pub classes: Vec<String>,
    /// In a regression the number that each label stands for.
    pub values: Option<Arc<[f64]>>,
    /// Examples to learn from.
    pub train: Examples<T>,
    /// Examples to choose settings and stop by.
    pub validation: Examples<T>,
    /// Examples to judge by, once.
    pub test: Examples<T>,
    /// Faulty records that were left out, one line each.
    pub skipped: Vec<String>,
}

/// What the inputs of a data set are.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Images; where their sizes differ, the first one's size.
    #[serde(rename = "pictures", alias = "images")]
    Images {
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
        /// From which cells of a table they are made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<Schema>,
    },
    /// Texts.
    Texts,
}

impl Kind {
    /// Rows of these numbers, of no table.
    pub fn rows(columns: Vec<String>) -> Self {
        Self::Rows { columns, schema: None }
    }
}
