//! Which data a run has: by name, and of a training on decisions the data of the run that it went
//! on from.

use super::open;
use burn_dataset::Dataset;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use tenfold_core::cli::args::DataFlags;
use tenfold_core::data::split::view;
use tenfold_core::data::{DataSet, Example, Examples, Object};
use tenfold_core::progress::note;
use tenfold_core::task::{Choice, NamedData};
use tenfold_core::{Error, Result};

/// Of the earlier run's training images as many as there are decisions, but so many at least, and
/// of its validation images so many at most.
const LEAST: usize = 100;
const HELD: usize = 200;

/// The data of a run; stands in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataChoice {
    /// By name.
    #[serde(flatten)]
    pub own: NamedData,
    /// Of a training on decisions: the data that the weights were trained on before, a part of
    /// which keeps them from being forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Box<DataChoice>>,
}

impl DataChoice {
    /// What the flags name, or `default`.
    pub fn new(flags: &DataFlags, seed: u64, default: &str) -> Self {
        Self { own: NamedData::new(flags, seed, default), beside: None }
    }

    /// Opens the data.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn open(&self, data_dir: Option<&Path>) -> Result<DataSet<Vec<Object>>> {
        let data = open(&self.own.name, &self.own.options(data_dir))?;
        let Some(beside) = &self.beside else { return Ok(data) };
        match beside.open(data_dir) {
            Ok(before) => Ok(mixed(data, &before)),
            Err(why) => {
                let name = &beside.own.name;
                note(format_args!("trained on decisions alone, without {name}: {why}"));
                Ok(data)
            }
        }
    }
}

impl Choice for DataChoice {
    fn name(&self) -> &str {
        self.own.name()
    }

    fn elsewhere(&self, name: &str) -> Self {
        Self { own: self.own.elsewhere(name), beside: None }
    }
}

/// Decisions with a part of the data from before.
fn mixed(data: DataSet<Vec<Object>>, before: &DataSet<Vec<Object>>) -> DataSet<Vec<Object>> {
    let place = |name: &String| data.classes.iter().position(|own| own == name);
    let labels: Vec<Option<usize>> = before.classes.iter().map(place).collect();
    let part = |own: &Examples<Vec<Object>>, most: usize| {
        let count = own.len().min(most);
        // Spread over all of them.
        view(own, (0..count).map(|at| at * own.len() / count).collect())
    };
    let joined = |first: &Examples<Vec<Object>>, second: Examples<Vec<Object>>| {
        let (first, labels) = (first.clone(), labels.clone());
        Arc::new(Joined { first, second, labels }) as Examples<Vec<Object>>
    };
    let most = data.train.len().max(LEAST);
    DataSet {
        train: joined(&data.train, part(&before.train, most)),
        validation: joined(&data.validation, part(&before.validation, HELD)),
        ..data
    }
}

/// Examples after each other; `labels` are those of the second in the first's order.
struct Joined {
    first: Examples<Vec<Object>>,
    second: Examples<Vec<Object>>,
    labels: Vec<Option<usize>>,
}

impl Dataset<Example<Vec<Object>>, Error> for Joined {
    fn get(&self, index: usize) -> Result<Example<Vec<Object>>> {
        let Some(later) = index.checked_sub(self.first.len()) else { return self.first.get(index) };
        let mut example = self.second.get(later)?;
        let known = |object: Object| Some(Object { label: self.labels[object.label]?, ..object });
        example.target = example.target.into_iter().filter_map(known).collect();
        Ok(example)
    }

    fn len(&self) -> usize {
        self.first.len() + self.second.len()
    }
}
