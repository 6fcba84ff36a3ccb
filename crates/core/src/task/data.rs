//! Which data was chosen, and what is asked of it once it is open.

use super::split::Split;
use crate::cli::args::DataFlags;
use crate::data::{DataSet, Examples, OpenOptions, default_data_dir};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which data a person chose; stands in `config.json`.
pub trait Choice: Clone + PartialEq + Serialize + DeserializeOwned {
    /// As given to `--data`.
    fn name(&self) -> &str;

    /// The same choice of other data, read whole.
    fn elsewhere(&self, name: &str) -> Self;
}

/// The usual [`Choice`]: a name, the seed of the splits, and how many examples to train on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedData {
    /// As given to `--data`.
    pub name: String,
    /// Seed of the splits.
    pub seed: u64,
    /// `--limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl NamedData {
    /// What the flags name, or `default`.
    pub fn new(flags: &DataFlags, seed: u64, default: &str) -> Self {
        let (name, limit) = flags.chosen(default);
        Self { name, seed, limit }
    }

    /// How to open it.
    pub fn options(&self, data_dir: Option<&Path>) -> OpenOptions {
        OpenOptions {
            data_dir: data_dir.map_or_else(default_data_dir, Path::to_path_buf),
            seed: self.seed,
            limit: self.limit,
            ..OpenOptions::default()
        }
    }
}

impl Choice for NamedData {
    fn name(&self) -> &str {
        &self.name
    }

    fn elsewhere(&self, name: &str) -> Self {
        Self { name: name.into(), limit: None, ..self.clone() }
    }
}

/// Data that is open.
pub trait Data {
    /// How many examples a split has.
    fn count(&self, split: Split) -> usize;

    /// Faulty records that were left out, one line each.
    fn skipped(&self) -> &[String] {
        &[]
    }
}

impl<T> Data for DataSet<T> {
    fn count(&self, split: Split) -> usize {
        self.split(split).len()
    }

    fn skipped(&self) -> &[String] {
        &self.skipped
    }
}

impl<T> DataSet<T> {
    /// The examples of a split.
    pub fn split(&self, split: Split) -> &Examples<T> {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }
}
