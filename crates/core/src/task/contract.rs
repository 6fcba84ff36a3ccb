//! What a task says of itself.

use super::data::{Choice, Data};
use super::predict;
use super::program::{Asked, Flags, Program};
use super::split::Split;
use crate::data::Input;
use crate::progress::grouped;
use crate::set::Field;
use crate::suggest::{Propose, RetrainPlan};
use crate::train::{Figures, Learner, Model, Plan};
use crate::trained::Trained;
use crate::zoo::Zoo;
use crate::{Error, Result};
use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// What a model is measured for.
pub enum Purpose<'a, Z: Program> {
    /// To choose weights, after each round: the figures of the curves, quickly.
    Choose,
    /// To be reported: at the end of a training, or by `eval` with its flags.
    Report(Option<&'a Z::Eval>),
}

/// What was measured on a split.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// The figures by their standard names, and `count`; what else `eval --json` prints.
    pub json: Map<String, Value>,
    /// The line for a person.
    pub line: String,
    /// Further lines, which `eval` prints.
    pub details: String,
    /// Files that belong into the run folder beside the summary, by name.
    pub files: Vec<(&'static str, Value)>,
}

impl Scores {
    /// Figures and their line.
    pub fn new(json: Value, line: impl Into<String>) -> Self {
        Self {
            json: serde_json::from_value(json).unwrap_or_default(),
            line: line.into(),
            ..Self::default()
        }
    }

    /// The numbers among the figures.
    pub fn figures(&self) -> Figures {
        let number = |(name, value): (&String, &Value)| Some((name.clone(), value.as_f64()?));
        self.json.iter().filter(|(name, _)| *name != "count").filter_map(number).collect()
    }
}

/// One model of a zoo, or several alike.
pub trait Task: Sized + 'static {
    /// The list it stands in.
    type Zoo: Program;
    /// Which data was chosen.
    type Choice: Choice;
    /// The data, open.
    type Data: Data;
    /// What stands in `config.json` beside the header: all that the other verbs need to know.
    type Config: Serialize + DeserializeOwned;
    /// What answers.
    type Model: Model;

    /// Which model of the zoo this is.
    fn zoo(&self) -> Self::Zoo;

    /// The data that the flags name, or the model's own.
    ///
    /// # Errors
    /// Flags that contradict each other.
    fn choose(&self, flags: &Flags<Self::Zoo>) -> Result<Self::Choice>;

    /// The choice in a configuration.
    fn chosen(config: &Self::Config) -> &Self::Choice;

    /// Opens the data.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    fn open(&self, choice: &Self::Choice, data_dir: Option<&Path>) -> Result<Self::Data>;

    /// The configuration that flags and data lead to.
    ///
    /// # Errors
    /// Flags that do not suit the data or the model.
    fn configure(
        &self,
        flags: &Flags<Self::Zoo>,
        choice: Self::Choice,
        data: &Self::Data,
    ) -> Result<Self::Config>;

    /// Fields of the configuration that the end of a training fills in, dotted where they lie
    /// inside another: no flag decides them.
    const SETTLED: &'static [&'static str] = &[];

    /// Refuses a configuration that contradicts itself; `path` is named in errors.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, config: &Self::Config, path: &Path) -> Result<()> {
        let _ = (config, path);
        Ok(())
    }

    /// Refuses data that does not suit a configuration, such as other labels.
    ///
    /// # Errors
    /// What differs.
    fn check_data(&self, config: &Self::Config, data: &Self::Data) -> Result<()> {
        let _ = (config, data);
        Ok(())
    }

    /// How long it is trained and which weights are kept.
    fn plan(&self, config: &Self::Config) -> Plan;

    /// What learns, with its initial weights drawn from the configuration's seed.
    ///
    /// # Errors
    /// Weights to start from that cannot be read or do not fit; settings out of range.
    fn learner(&self, config: &Self::Config, data: &Self::Data, device: &Device) -> Learning<Self>;

    /// A model of any weights, for those of a file.
    ///
    /// # Errors
    /// A configuration that no model can have.
    fn model(&self, config: &Self::Config, device: &Device) -> Result<Self::Model>;

    /// Measures the model on a whole split: the same code chooses weights, reports the end of
    /// a training and is `eval`.
    ///
    /// # Errors
    /// Examples that cannot be read, or none.
    fn measure(
        &self,
        model: &Self::Model,
        config: &Self::Config,
        data: &Self::Data,
        split: Split,
        purpose: Purpose<'_, Self::Zoo>,
    ) -> Result<Scores>;

    /// The split that a finished training is reported on.
    fn reported(&self) -> Split {
        Split::Test
    }

    /// Fills in what is only known of a trained model, such as how far to trust it.
    ///
    /// # Errors
    /// Examples that cannot be read.
    fn settle(
        &self,
        model: &Self::Model,
        config: &mut Self::Config,
        data: &Self::Data,
    ) -> Result<()> {
        let _ = (model, config, data);
        Ok(())
    }

    /// Wraps a model as what answers for `predict`, `serve` and a library's user.
    ///
    /// # Errors
    /// A model that has nothing to propose.
    fn answerer(&self, model: Self::Model, config: Self::Config, device: &Device) -> Answering;

    /// `predict` for the inputs in `paths`; by default the proposals of [`Task::answerer`].
    ///
    /// # Errors
    /// Inputs that cannot be read.
    fn predict(
        &self,
        model: Self::Model,
        config: Self::Config,
        device: &Device,
        args: &Asked<'_, Self::Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let answerer = self.answerer(model, config, device)?;
        predict::run(&*answerer, args.paths, args.args, None, out)
    }

    /// What `--set` takes, for `--set help`.
    ///
    /// # Errors
    /// As [`Task::choose`].
    fn fields(&self, flags: &Flags<Self::Zoo>) -> Result<Vec<Field>> {
        let _ = flags;
        Ok(Vec::new())
    }

    /// The task's own flags of `train` that a configuration stands for, for `--dump-config`.
    fn further(&self, config: &Value) -> Vec<(&'static str, String)> {
        let _ = config;
        Vec::new()
    }

    /// A configuration's choices as `--set` takes them.
    fn set(&self, config: &Self::Config) -> Vec<String> {
        let _ = config;
        Vec::new()
    }

    /// The flags of a training on decisions: on from a run's weights, as that run was trained.
    ///
    /// # Errors
    /// A task whose models cannot be trained on decisions.
    fn retraining(
        &self,
        config: &Self::Config,
        trained: &Trained,
        plan: &RetrainPlan,
    ) -> Result<<Self::Zoo as Program>::Train> {
        let _ = (config, plan);
        Err(Error::file(&trained.path, "this model cannot be trained on decisions"))
    }

    /// Up to `most` examples that a run of `config` was validated with, and their labels: by them one
    /// sees what a training on decisions forgets. None where the task has no labels.
    ///
    /// # Errors
    /// Data that is no longer there.
    fn own_examples(&self, config: &Self::Config, most: usize) -> Result<Vec<(Input, String)>> {
        let _ = (config, most);
        Ok(Vec::new())
    }

    /// The line on stderr with which a training begins.
    fn introduce(&self, config: &Self::Config, data: &Self::Data) -> String {
        introduction(self, config, data)
    }

    /// What the summary says beside the scores.
    fn summary(&self, config: &Self::Config, data: &Self::Data) -> Map<String, Value> {
        let _ = config;
        let count = |split| Value::from(data.count(split));
        let examples = serde_json::json!({
            "train": count(Split::Train),
            "validation": count(Split::Validation),
            "test": count(Split::Test),
            "skipped": data.skipped().len(),
        });
        Map::from_iter([("examples".into(), examples)])
    }

    /// What stands in a weights file beside the weights.
    fn metadata(&self, config: &Self::Config) -> BTreeMap<String, String> {
        let _ = config;
        BTreeMap::from([("model".into(), Zoo::name(self.zoo()).into())])
    }

    /// Takes out of a configuration what means nothing on another machine.
    fn portable(&self, config: &mut Self::Config) {
        let _ = config;
    }

    /// Exports the model in another format than safetensors where the name of `file` asks for
    /// one that the task has, and says whether it did.
    ///
    /// # Errors
    /// The file cannot be written.
    fn write_as(&self, model: &Self::Model, config: &Self::Config, file: &Path) -> Result<bool> {
        let _ = (model, config, file);
        Ok(false)
    }
}

/// Model, data, and how many examples each split has.
pub fn introduction<T: Task>(task: &T, config: &T::Config, data: &T::Data) -> String {
    let count = |split| grouped(data.count(split));
    format!(
        "{} on {}: {} examples to train on, {} to validate, {} to test",
        Zoo::name(task.zoo()),
        T::chosen(config).name(),
        count(Split::Train),
        count(Split::Validation),
        count(Split::Test),
    )
}

/// What [`Task::learner`] gives.
pub type Learning<T> = Result<Box<dyn Learner<Model = <T as Task>::Model>>>;

/// What [`Task::answerer`] gives.
pub type Answering = Result<Box<dyn Propose>>;

/// What `serve` says of a model that has nothing to confirm.
pub fn nothing_to_confirm(what: &str) -> Error {
    Error::argument("RUN", format!("{what}; the page confirms what a model proposes"))
}
