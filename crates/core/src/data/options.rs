//! How a data set is opened, and where fetched ones lie.

use std::path::PathBuf;

use super::csv::{TableOptions, Task};

/// How to open a data set.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Where fetched data sets are: see [`default_data_dir`].
    pub data_dir: PathBuf,
    /// Decides which examples are held out; the same seed, the same choice.
    pub seed: u64,
    /// Only the first examples to train on, validation included; never limits the test.
    pub limit: Option<usize>,
    /// The column of a table to predict: its name, or its number counted from 1.
    pub target: Option<String>,
    /// What is to be said of that column; decided by what it holds where nothing is said.
    /// Images have classes, whatever stands here.
    pub task: Option<Task>,
    /// How a table is written, and which of its columns a model sees.
    pub table: TableOptions,
}

/// `$TENFOLD_DATA`, else `tenfold` in the platform's cache folder.
pub fn default_data_dir() -> PathBuf {
    match std::env::var_os("TENFOLD_DATA") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("tenfold"),
    }
}
