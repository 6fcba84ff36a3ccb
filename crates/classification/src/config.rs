//! A classification run's `config.json`.

use crate::models::ModelConfig;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tenfold_core::data::csv::{Schema, TableOptions};
use tenfold_core::data::{
    Augment, DataSet, OpenOptions, Preprocess, Task, default_data_dir, mixed, open,
};
use tenfold_core::progress::note;
use tenfold_core::set::{self, Field};
#[cfg(feature = "cli")]
use tenfold_core::task::Choice;
use tenfold_core::train::Settings;
use tenfold_core::train::loss::LossConfig;
use tenfold_core::{Error, Result};

/// Everything that `predict`, `eval` and `train --resume` need to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RunConfig {
    /// The model's own Config.
    pub config: Value,
    /// The labels, in the order of the network's outputs.
    pub labels: Vec<String>,
    /// How an image or row becomes the network's input.
    pub preprocess: Preprocess,
    /// The name of each number of a row, where the run was trained on a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// In a regression, how the network's output becomes the number that is predicted; the
    /// one label is that number's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<Regression>,
    /// By what the network's outputs are divided before they become probabilities, so that
    /// these can be trusted; measured on the validation examples at the end of the training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// The data it was trained on.
    pub data: DataChoice,
    /// How it was trained.
    pub training: Settings,
    /// What its training made small.
    #[serde(default)]
    pub loss: LossConfig,
    /// What an example of each class counts in it, where not all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f32>>,
    /// What was done to images in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<Augment>,
    /// The weights it started from, where not from random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
}

/// The data that a person chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataChoice {
    /// As given to `--data`.
    pub name: String,
    /// Seed of the splits.
    pub seed: u64,
    /// `--limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `--target`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `--task`, or what the target turned out to be; runs from before there was a choice tell
    /// classes.
    #[serde(default = "classification")]
    pub task: Option<Task>,
    /// Of a training on decisions: the data of the run that it went on from, of which a part
    /// is trained on too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Box<DataChoice>>,
    /// How a table is to be read, where a person said.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub table: TableOptions,
    /// What a table's columns turned out to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// Whether all of a table is there to test with.
    #[serde(skip)]
    pub whole: bool,
}

fn is_usual(table: &TableOptions) -> bool {
    *table == TableOptions::default()
}

fn classification() -> Option<Task> {
    Some(Task::Classification)
}

/// How a network's output becomes a number, and how far that is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// Mean of the target over the training examples.
    pub mean: f64,
    /// Its standard deviation there; the network's output is in this unit.
    pub std: f64,
    /// Measured at the end of the training; absent from one that was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// How far predictions were off on the test examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The truth lies within this much of the prediction ...
    pub half: f64,
    /// ... with this probability.
    pub coverage: f64,
}

#[cfg(feature = "cli")]
impl Choice for DataChoice {
    fn name(&self) -> &str {
        &self.name
    }

    fn elsewhere(&self, name: &str) -> Self {
        // The run's own table by another path keeps its split: its rows were trained on.
        let real = |name: &str| Path::new(name).canonicalize().ok().filter(|path| path.is_file());
        let whole = real(name).is_none_or(|path| real(&self.name) != Some(path));
        let limit = self.limit.filter(|_| !whole);
        Self { name: name.into(), limit, whole, beside: None, ..self.clone() }
    }
}

impl DataChoice {
    /// Opens the data.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn open(&self, data_dir: Option<&Path>) -> Result<DataSet> {
        let options = OpenOptions {
            data_dir: data_dir.map_or_else(default_data_dir, Path::to_path_buf),
            seed: self.seed,
            limit: self.limit,
            target: self.target.clone(),
            task: self.task,
            table: TableOptions {
                schema: self.schema.clone(),
                whole: self.whole,
                ..self.table.clone()
            },
        };
        let data = open(&self.name, &options)?;
        let Some(own) = &self.beside else { return Ok(data) };
        let part = own.open(data_dir).map_err(|why| why.to_string());
        match part.and_then(|part| mixed(&data, &part, self.seed)) {
            Ok(both) => Ok(both),
            Err(why) => {
                note(format_args!("trained on decisions alone, without {}: {why}", own.name));
                Ok(data)
            }
        }
    }
}

impl Serialize for RunConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'a> Deserialize<'a> for RunConfig {
    /// A run from before there was a schema gets the one that the names of its numbers tell.
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        let mut own = Self::deserialize(deserializer)?;
        if let (Some(names), None) = (&own.columns, &own.data.schema) {
            let (target, classes) = match (&own.regression, &own.labels[..]) {
                (Some(_), [target]) => (&target[..], None),
                _ => (own.data.target.as_deref().unwrap_or_default(), Some(&own.labels[..])),
            };
            own.data.schema = Some(Schema::of_names(names, target, classes));
        }
        Ok(own)
    }
}

impl RunConfig {
    /// The model's own Config; `path` is named in errors.
    ///
    /// # Errors
    /// A field that is missing, of another type, or that no network can have; labels or
    /// preprocessing of another model.
    pub fn network<C: ModelConfig>(&self, path: &Path) -> Result<C> {
        let wrong = |why: String| Error::file(path, format!("the model's config: {why}"));
        let network: C =
            serde_json::from_value(self.config.clone()).map_err(|why| wrong(why.to_string()))?;
        network.check().map_err(wrong)?;
        let (labels, classes) = (self.labels.len(), network.classes());
        if labels != classes {
            let why = format!("{labels} labels for a model of {classes} classes");
            return Err(Error::file(path, why));
        }
        if self.temperature.is_some_and(|t| !t.is_finite() || t <= 0.0) {
            return Err(Error::file(path, "a temperature that is not above zero"));
        }
        if let Some(weights) = &self.class_weights
            && (weights.len() != classes
                || weights.iter().any(|weight| weight.is_nan() || *weight <= 0.0))
        {
            return Err(Error::file(path, "class_weights: expected a number above 0 a class"));
        }
        let (given, taken) = (self.preprocess.shape(), network.input_shape());
        if given != taken {
            let why = format!("preprocessing to {given:?} for a model that takes {taken:?}");
            return Err(Error::file(path, why));
        }
        Ok(network)
    }
}

/// `--weights`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The file.
    pub weights: PathBuf,
    /// Its SHA-256, so that a resumed training starts from the same.
    pub sha256: String,
    /// Whether only the last layer is trained.
    pub freeze_backbone: bool,
    /// The classes of these weights, where they are known: their outputs are kept for those
    /// that this run has too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// Fields of a Config that the data decides.
const GIVEN: [&str; 3] = ["input", "classes", "examples"];

/// A model's Config as `--set` takes it.
pub fn settings(config: &Value) -> Vec<String> {
    let fields = config.as_object().into_iter().flatten();
    let fields = fields.filter(|(key, _)| !GIVEN.contains(&key.as_str()));
    fields.map(|(key, value)| format!("{key}={value}")).collect()
}

/// Says which choices other weights than ours bring with them.
pub fn tell_changes<C: ModelConfig>(weights: &Path, usual: &C, found: &C) {
    let of = |config: &C| settings(&serde_json::to_value(config).unwrap_or_default());
    let usual = of(usual);
    let changed: Vec<String> = of(found).into_iter().filter(|own| !usual.contains(own)).collect();
    if !changed.is_empty() {
        let (weights, changed) = (weights.display(), changed.join(", ").replace('"', ""));
        note(format_args!("{weights}: {changed} by its weights' names; `--set` changes that"));
    }
}

/// What `--set` takes for a model.
pub fn fields<C: ModelConfig>(config: &C) -> Vec<Field> {
    let value = serde_json::to_value(config).unwrap_or_default();
    let meaning = |name: &str| {
        C::FIELDS.iter().find(|(field, _)| *field == name).map_or("", |(_, meaning)| meaning)
    };
    let fields = value.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !GIVEN.contains(&name.as_str()));
    fields
        .map(|(name, default)| Field {
            name: name.clone(),
            meaning: meaning(name),
            default: default.clone(),
        })
        .collect()
}

/// Changes fields of a model's Config as `--set KEY=VALUE` says.
///
/// # Errors
/// As [`set::set_fields`], and what the model cannot have.
pub fn set_fields<C: ModelConfig>(config: &C, changes: &[String]) -> Result<C> {
    let changed = set::set_fields(config, changes, &GIVEN)?;
    changed.check().map_err(|why| Error::argument("--set", why))?;
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::lenet::{LeNetConfig, Variant};
    use crate::models::logistic::LogisticConfig;
    use crate::models::mlp::MlpConfig;

    fn set<C: ModelConfig>(config: &C, change: &str) -> Result<C> {
        set_fields(config, &[change.to_string()])
    }

    #[test]
    fn words_numbers_and_lists_are_set() {
        let lenet = LeNetConfig::new([1, 28, 28], 10);
        assert_eq!(set(&lenet, "variant=lecun1998").unwrap().variant, Variant::Lecun1998);
        let mlp = MlpConfig::new([1, 28, 28], 10);
        assert_eq!(set(&mlp, "hidden=[9, 8]").unwrap().hidden, [9, 8]);
        assert_eq!(set(&mlp, "dropout=0.5").unwrap().dropout, 0.5);
    }

    #[test]
    fn what_cannot_be_set_is_said() {
        let message = |result: Result<MlpConfig>| result.unwrap_err().to_string();
        let mlp = MlpConfig::new([1, 28, 28], 10);
        assert_eq!(message(set(&mlp, "hidden")), "--set: `hidden`: expected KEY=VALUE");
        let why = message(set(&mlp, "depth=3"));
        assert!(
            why.starts_with("--set: unknown setting `depth`: this model has activation ("),
            "{why}"
        );
        assert!(why.contains("), dropout (0.2), hidden ([512,256])"), "{why}");
        let why = message(set(&mlp, "dropuot=0.5"));
        assert!(why.contains("`dropuot`: did you mean `dropout`? this model has"), "{why}");
        let lenet = LeNetConfig::new([1, 28, 28], 10);
        let why = set(&lenet, "dropuot=0.5").unwrap_err().to_string();
        let all =
            "did you mean `dropout`? this model has dropout (0.4), variant (modern | lecun1998)";
        assert!(why.ends_with(all), "{why}");
        assert!(message(set(&mlp, "classes=3")).contains("unknown setting `classes`"));
        assert!(
            message(set(&mlp, "hidden=wide")).starts_with("--set: `hidden=wide`: invalid type")
        );
        for change in ["hidden=[0]", "hidden=[9,99999999999]", "dropout=1", "dropout=-0.1"] {
            let why = message(set(&mlp, change));
            let field = change.split('=').next().unwrap();
            assert!(why.starts_with(&format!("--set: {field}: ")), "{why}");
        }
        let logistic = LogisticConfig::new([1, 28, 28], 10);
        let why = set(&logistic, "a=1").unwrap_err().to_string();
        assert!(why.ends_with("this model has no settings"), "{why}");
    }
}
