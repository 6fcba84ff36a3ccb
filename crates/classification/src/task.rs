//! A classifier or a regression as a [`Task`]: data, configuration, learner, measuring.

use crate::batches::{BATCH, Batch, ExampleBatches, plain_batches, read_back, read_labels};
use crate::config::{self, DataChoice, Interval, Regression, RunConfig, Start};
use crate::flags::{EvalFlags, Onward, TrainFlags, refuse_steps};
use crate::importance::Importances;
use crate::models::{Matrix, ModelConfig, Network, infer};
use crate::predictor::Predictor;
use crate::regression::{self, Errors, NumberBatches};
use crate::scores::{self, Scores};
use crate::start::start_from;
use crate::zoo::Zoo;
use crate::{labels, layerwise, losses, recipes};
use burn::module::{Module, ParamGroup};
use burn::tensor::Device;
use burn::tensor::activation::log_softmax;
use rayon::prelude::*;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tenfold_core::calibrate;
use tenfold_core::cli::Program;
use tenfold_core::cli::args::{DataFlags, SupervisedFlags, kept_path};
use tenfold_core::data::split::first;
use tenfold_core::data::{DataSet, Examples, Input, Kind};
use tenfold_core::device::autodiff_device;
use tenfold_core::progress::{bar, note};
use tenfold_core::set::Field;
use tenfold_core::suggest::{Propose, RetrainPlan};
use tenfold_core::task::{self, Flags, Purpose, Split, Task};
use tenfold_core::train::loader::{Collate, Loader};
use tenfold_core::train::loss::LossConfig;
use tenfold_core::train::{AtOnce, Keep, Learner, Plan, Supervised, Unit, Weights, drawn};
use tenfold_core::trained::Trained;
use tenfold_core::viz::font;
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result, data, weights};

/// The numbers that a temperature is fitted to at most: 20,000 examples of 1,000 classes.
const MOST_LOGITS: usize = 20_000_000;

/// One of the zoo's models.
pub(crate) struct Classification<C> {
    /// Which.
    pub model: Zoo,
    /// Its Config from the shape of the inputs and the number of classes.
    pub new: fn([usize; 3], usize) -> C,
}

impl<C: ModelConfig> Classification<C> {
    /// The network's Config as the flags change it.
    fn network(&self, flags: &Flags<Zoo>, data: &DataSet) -> Result<C> {
        let input = match (&flags.own.onward, flags.own.size) {
            // Weights go on with what they were trained for, whatever size the new images have.
            (Some(onward), _) if flags.own.weights.is_some() => onward.preprocess.shape(),
            (_, Some(side)) => C::TAKES.of_side(&data.kind, side as usize)?,
            (_, None) => C::input(&data.kind)?,
        };
        let network = (self.new)(input, data.classes.len());
        if flags.own.size.is_some() && flags.run.set.is_empty() {
            network.check().map_err(|why| Error::argument("--size", why))?;
        }
        let mut network = network.for_examples(data.train.len());
        if let Some(named) = &flags.own.weights {
            let file = labels::find(named, flags.own.data.data_dir.as_deref())?.file;
            let device = Device::default();
            // Weights that do not fit are refused where they are loaded.
            if let Ok(found) = infer(&file, "it", std::slice::from_ref(&network), &device) {
                let like = network.clone().like(&found);
                config::tell_changes(&file, &network, &like);
                network = like;
            }
        }
        config::set_fields(&network, &flags.run.set)
    }

    /// Shows `see` the log-probabilities `[batch, classes]` of some examples, row by row, and
    /// their labels.
    fn each_batch(
        &self,
        network: &C::Network,
        config: &RunConfig,
        examples: &Examples,
        mut see: impl FnMut(&[f32], &[usize]),
    ) -> Result<()> {
        let device = network.devices().into_iter().next().unwrap_or_default();
        let batches = plain_batches(examples, &config.preprocess);
        let bar = bar(examples.len());
        for batch in Loader::new(batches, BATCH, device).pass() {
            let Batch { inputs, targets } = batch?;
            let log_probabilities = read_back(log_softmax(network.forward(inputs), 1))?;
            let labels = read_labels(targets)?;
            see(&log_probabilities, &labels);
            if let Some(bar) = &bar {
                bar.inc(labels.len() as u64);
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        Ok(())
    }

    /// The scores of some examples of classes.
    fn scores(
        &self,
        network: &C::Network,
        config: &RunConfig,
        examples: &Examples,
    ) -> Result<Scores> {
        let mut scores = Scores::new(&config.labels, config.temperature.unwrap_or(1.0));
        let (loss, weights) = (config.loss, config.class_weights.as_deref());
        self.each_batch(network, config, examples, |rows, own| {
            scores.add(rows, own, loss, weights);
        })?;
        Ok(scores)
    }

    /// The temperature at which probabilities fit the labels of some examples best: see
    /// [`calibrate::temperature`].
    fn temperature(
        &self,
        network: &C::Network,
        config: &RunConfig,
        examples: &Examples,
    ) -> Result<f32> {
        let classes = config.labels.len().max(1);
        // Every so many examples where there are too many, because they may lie sorted by class.
        let step = (examples.len() * classes).div_ceil(MOST_LOGITS).max(1);
        let (mut logits, mut labels, mut place) = (Vec::new(), Vec::new(), 0usize);
        self.each_batch(network, config, examples, |rows, of_rows| {
            for (row, &label) in rows.chunks(classes).zip(of_rows) {
                if place.is_multiple_of(step) {
                    logits.extend_from_slice(row);
                    labels.push(label);
                }
                place += 1;
            }
        })?;
        Ok(calibrate::temperature(&logits, classes, &labels))
    }

    /// What is predicted for some examples of a regression, and the truth.
    fn numbers(
        &self,
        network: &C::Network,
        config: &RunConfig,
        scale: Regression,
        data: &DataSet,
        examples: &Examples,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let values = data.values.as_ref().map_or(&[][..], |values| &values[..]);
        let predicted = regression::predictions(network, config, scale, examples)?;
        Ok((predicted, regression::truths(examples, values)?))
    }

    /// All of some examples in memory, as the network takes them.
    fn matrix(config: &RunConfig, data: &DataSet, examples: &Examples) -> Result<Matrix> {
        const PART: usize = 256;
        let batches = plain_batches(examples, &config.preprocess);
        let places: Vec<usize> = (0..examples.len()).collect();
        let parts = places.par_chunks(PART).map(|part| batches.stack(part, 0));
        let (mut inputs, mut targets) = (Vec::new(), Vec::with_capacity(places.len()));
        for (values, labels) in parts.collect::<Result<Vec<_>>>()? {
            inputs.extend(values);
            targets.extend(labels.into_iter().map(|label| {
                match (&config.regression, &data.values) {
                    (Some(scale), Some(values)) => scale.scaled(values[label as usize]),
                    _ => label as f32,
                }
            }));
        }
        let width = config.preprocess.shape().iter().product();
        Ok(Matrix { inputs, width, targets })
    }
}

impl<C: ModelConfig> Task for Classification<C> {
    type Zoo = Zoo;
    type Choice = DataChoice;
    type Data = DataSet;
    type Config = RunConfig;
    type Model = Weights<C::Network>;

    const SETTLED: &'static [&'static str] = &["temperature", "regression.interval"];

    fn zoo(&self) -> Zoo {
        self.model
    }

    fn choose(&self, flags: &Flags<Zoo>) -> Result<DataChoice> {
        let TrainFlags { data, target, task, table, .. } = &flags.own;
        let (name, limit) = data.chosen(self.model.default_data());
        let only = if let [only] = C::TASKS { Some(*only) } else { None };
        let (target, task) = (target.clone(), task.or(only));
        let beside = flags.own.onward.as_ref().map(|own| Box::new(own.data.clone()));
        let (seed, table, schema) = (flags.run.seed(), table.options(), None);
        let whole = false;
        Ok(DataChoice { name, seed, limit, target, task, beside, table, schema, whole })
    }

    fn chosen(config: &RunConfig) -> &DataChoice {
        &config.data
    }

    fn open(&self, choice: &DataChoice, data_dir: Option<&Path>) -> Result<DataSet> {
        choice.open(data_dir)
    }

    fn configure(
        &self,
        flags: &Flags<Zoo>,
        choice: DataChoice,
        data: &DataSet,
    ) -> Result<RunConfig> {
        let own = &flags.own;
        let task = task::<C>(self.model, own, data)?;
        let network = self.network(flags, data)?;
        if network.fit().is_some() {
            refuse_steps(self.model.name(), own)?;
        }
        let weights = own.weights.clone().or_else(|| {
            let data_dir = own.data.data_dir.as_deref();
            recipes::pretrained(self.model, &network, flags, data, data_dir)
        });
        let start = weights.as_ref().map(|named| {
            let named = labels::named(named, own.data.data_dir.as_deref())?;
            let sha256 = weights::digest(&named.file)?;
            let freeze_backbone = own.freeze_backbone;
            let labels = own.onward.as_ref().map_or_else(Vec::new, |own| own.labels.clone());
            let weights = kept_path(&named.file);
            Ok::<_, Error>(Start { weights, sha256, freeze_backbone, labels })
        });
        let (columns, schema) = match &data.kind {
            Kind::Rows { columns, schema } => (Some(columns.clone()), schema.clone()),
            Kind::Images { .. } | Kind::Texts => (None, None),
        };
        // A store of decisions may have more classes than the table had.
        let schema = schema.map(|schema| schema.with_classes(&data.classes));
        let value = serde_json::to_value(&network);
        Ok(RunConfig {
            config: value.map_err(|why| Error::argument("--set", why))?,
            labels: data.classes.clone(),
            preprocess: match &own.onward {
                Some(onward) if own.weights.is_some() => onward.preprocess.clone(),
                _ => recipes::preprocess(&network, own, data)?,
            },
            columns,
            regression: match &data.values {
                Some(values) => Some(Regression::fit(&data.train, values)?),
                None => None,
            },
            temperature: None,
            data: DataChoice { task: Some(task), schema, ..choice },
            training: recipes::settings(self.model, flags, data),
            class_weights: match own.class_weights {
                true => Some(recipes::class_weights(data)?),
                false => None,
            },
            loss: LossConfig::new(task, own.loss, own.l1.unwrap_or(0.0), own.l2.unwrap_or(0.0))?,
            augment: recipes::augment(self.model, own, &data.kind),
            start: start.transpose()?,
        })
    }

    fn check(&self, config: &RunConfig, path: &Path) -> Result<()> {
        config.network::<C>(path).map(|_| ())
    }

    fn check_data(&self, config: &RunConfig, data: &DataSet) -> Result<()> {
        check_labels(config, data)
    }

    fn plan(&self, config: &RunConfig) -> Plan {
        let settings = &config.training;
        match config.network::<C>(Path::new("config.json")) {
            Ok(network) if network.fit().is_some() => {
                let (unit, seed, keep) = (Unit::Epoch, settings.seed, Keep::Last);
                Plan { rounds: 1, unit, seed, keep, patience: None }
            }
            _ => settings.plan(Keep::Lowest("loss")),
        }
    }

    fn learner(
        &self,
        config: &RunConfig,
        data: &DataSet,
        device: &Device,
    ) -> Result<Box<dyn Learner<Model = Self::Model>>> {
        let network: C = config.network(Path::new("config.json"))?;
        if let Some(fit) = network.fit() {
            let train = Self::matrix(config, data, &data.train)?;
            let validation = Self::matrix(config, data, &data.validation)?;
            let (seed, device) = (config.training.seed, device.clone());
            return Ok(Box::new(AtOnce::new(move || {
                fit(&network, &train, &validation, seed, &device).map(Weights)
            })));
        }
        let settings = &config.training;
        let device = autodiff_device(device, settings.seed);
        let mut network = drawn(network.init(&device));
        if let Some(start) = &config.start {
            network = start_from::<C>(network, start, config)?;
            if start.freeze_backbone {
                network = network.freeze_group(layerwise::backbone::<C::Network>());
            }
        }
        let rates: Vec<(ParamGroup, f64)> = match settings.layer_decay {
            Some(decay) => layerwise::rates(&network, decay)?,
            None => Vec::new(),
        };
        let train = Arc::new(ExampleBatches {
            examples: data.train.clone(),
            preprocess: config.preprocess.clone(),
            augment: config.augment.clone(),
        });
        let (loss, weights) = (config.loss, config.class_weights.clone());
        Ok(match (config.regression, &data.values) {
            (Some(scale), Some(values)) => {
                let batches = NumberBatches { examples: train, values: values.clone(), scale };
                let of =
                    move |network: &C::Network, batch| losses::of_numbers(network, batch, loss);
                let batches = Arc::new(batches);
                let learner = Supervised::new(network, batches, settings, &device, of, Weights)?;
                Box::new(learner.rates(rates))
            }
            _ => {
                let of = move |network: &C::Network, batch| {
                    losses::of_classes(network, batch, loss, weights.as_deref())
                };
                let learner = Supervised::new(network, train, settings, &device, of, Weights)?;
                Box::new(learner.rates(rates))
            }
        })
    }

    fn model(&self, config: &RunConfig, device: &Device) -> Result<Self::Model> {
        Ok(Weights(config.network::<C>(Path::new("config.json"))?.init(device)))
    }

    fn measure(
        &self,
        Weights(network): &Self::Model,
        config: &RunConfig,
        data: &DataSet,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<task::Scores> {
        let examples = data.split(split);
        if examples.is_empty() {
            return Err(Error::argument("--split", "this split has no examples"));
        }
        let draw = match purpose {
            Purpose::Report(Some(EvalFlags { draw: Some(folder), font, .. })) => {
                font.as_deref().map(font::prefer).transpose()?;
                Some(folder)
            }
            _ => None,
        };
        // How much each column of a table matters, into the JSON, the folder, and for a person.
        let columns = |json: &mut serde_json::Value| match (draw, &config.data.schema) {
            (Some(folder), Some(schema)) => {
                let rows = Self::matrix(config, data, examples)?;
                let found = Importances::measure(network, config, schema, &rows)?;
                found.draw(folder)?;
                json["importance"] = found.json();
                Ok(found.table(split.name()))
            }
            _ => Ok(String::new()),
        };
        if let Some(scale) = config.regression {
            let (predicted, truths) = self.numbers(network, config, scale, data, examples)?;
            let errors = Errors::new(&predicted, &truths, scale.interval);
            let mut json = errors.json();
            if matches!(purpose, Purpose::Choose) {
                let of = |(p, t): (&f64, &f64)| config.loss.of_error((p - t) / scale.std);
                let sum: f64 = predicted.iter().zip(&truths).map(of).sum();
                json = json!({ "loss": sum / truths.len() as f64 });
            }
            let details = columns(&mut json)?;
            return Ok(task::Scores {
                details,
                ..task::Scores::new(json, errors.line(split.name()))
            });
        }
        let scores = self.scores(network, config, examples)?;
        if matches!(purpose, Purpose::Choose) {
            let loss = scores.objective / scores.weight;
            let json = json!({ "loss": loss, "accuracy": scores.accuracy() });
            return Ok(task::Scores::new(json, ""));
        }
        if let Some(folder) = draw {
            scores::draw(folder, &scores, examples)?;
        }
        let mut json = scores.json();
        if matches!(purpose, Purpose::Report(Some(_))) {
            scores.extend(&mut json);
        }
        let importances = columns(&mut json)?;
        let calibration = serde_json::to_value(scores.calibration());
        let calibration = calibration.map_err(|why| Error::Training(why.to_string()))?;
        Ok(task::Scores {
            details: format!("{}{}{importances}", scores.calibration_line(), scores.table()),
            files: vec![("calibration.json", calibration)],
            ..task::Scores::new(json, scores.line(split.name()))
        })
    }

    fn settle(
        &self,
        Weights(network): &Self::Model,
        config: &mut RunConfig,
        data: &DataSet,
    ) -> Result<()> {
        match config.regression {
            Some(scale) => {
                let (predicted, truths) = self.numbers(network, config, scale, data, &data.test)?;
                let interval = Interval::measure(&predicted, &truths);
                config.regression = Some(Regression { interval, ..scale });
            }
            None => {
                let temperature = self.temperature(network, config, &data.validation)?;
                config.temperature = Some(temperature);
            }
        }
        Ok(())
    }

    fn answerer(
        &self,
        model: Self::Model,
        config: RunConfig,
        device: &Device,
    ) -> Result<Box<dyn Propose>> {
        match config.regression {
            None => Ok(Box::new(Predictor::new(config, Box::new(model.0), device))),
            Some(_) => Err(Error::argument("RUN", "predicts a number; the page confirms labels")),
        }
    }

    fn introduce(&self, config: &RunConfig, data: &DataSet) -> String {
        if let Some(schema) = &config.data.schema {
            schema.lines().iter().for_each(note);
        }
        if let (Some(scale), [target]) = (&config.regression, &config.labels[..]) {
            note(format_args!("predicts the number `{target}`, {:.4} on average", scale.mean));
        }
        task::introduction(self, config, data) + &recipes::chosen::<C>(config, data)
    }

    fn fields(&self, flags: &Flags<Zoo>) -> Result<Vec<Field>> {
        let data = self.open(&self.choose(flags)?, Zoo::data_dir(&flags.own))?;
        let network = (self.new)(C::input(&data.kind)?, data.classes.len());
        Ok(config::fields(&network))
    }

    fn set(&self, config: &RunConfig) -> Vec<String> {
        config::settings(&config.config)
    }

    fn retraining(
        &self,
        config: &RunConfig,
        trained: &Trained,
        plan: &RetrainPlan,
    ) -> Result<TrainFlags> {
        let store = plan.store.to_str().ok_or_else(|| {
            Error::file(&plan.store, "its name is not UTF-8, which `--data` expects")
        })?;
        let data = DataFlags { data: Some(store.into()), limit: plan.limit, data_dir: None };
        let onward = Some(Onward {
            data: config.data.beside.as_deref().unwrap_or(&config.data).clone(),
            labels: config.labels.clone(),
            preprocess: config.preprocess.clone(),
        });
        let flags = TrainFlags { data, onward, ..TrainFlags::default() };
        if config.network::<C>(&trained.path)?.fit().is_some() {
            // It starts from nothing.
            return Ok(flags);
        }
        let mut supervised = SupervisedFlags::of(&config.training);
        supervised.epochs = plan.epochs.or(supervised.epochs);
        let none = || "none".parse().map_err(|why| Error::argument("--augment", why));
        Ok(TrainFlags {
            supervised,
            loss: Some(config.loss.kind),
            class_weights: config.class_weights.is_some(),
            l1: Some(config.loss.l1),
            l2: Some(config.loss.l2),
            augment: Some(config.augment.clone().map_or_else(none, Ok)?),
            weights: Some(trained.weights.clone()),
            freeze_backbone: config.start.as_ref().is_some_and(|start| start.freeze_backbone),
            layer_decay: config.training.layer_decay,
            ..flags
        })
    }

    fn own_examples(&self, config: &RunConfig, most: usize) -> Result<Vec<(Input, String)>> {
        if config.regression.is_some() {
            return Ok(Vec::new());
        }
        let own = config.data.beside.as_deref().unwrap_or(&config.data);
        let DataSet { validation, classes, .. } = own.open(None)?;
        let named = |place| {
            let example = validation.get(place)?;
            Ok((example.input, classes[example.target].clone()))
        };
        first(validation.len(), Some(most), Some(own.seed)).into_iter().map(named).collect()
    }

    fn portable(&self, config: &mut RunConfig) {
        // Where the weights came from is a path of this machine, of no use elsewhere.
        config.start = None;
        config.data.beside = None;
    }
}

/// Data whose labels are not the run's would be scored against the wrong names.
fn check_labels(config: &RunConfig, data: &DataSet) -> Result<()> {
    if data.values.is_some() != config.regression.is_some() {
        let [own, others] = match data.values {
            Some(_) => ["a number", "classes"],
            None => ["classes", "a number"],
        };
        let why = format!("{}: its target is {own}, and the run predicts {others}", data.name);
        return Err(Error::argument("--data", why));
    }
    if data.classes == config.labels {
        return Ok(());
    }
    let other = |own: &[String], theirs: &[String]| {
        own.iter().find(|label| !theirs.contains(label)).cloned()
    };
    let why = match (other(&data.classes, &config.labels), other(&config.labels, &data.classes)) {
        (Some(label), _) => format!("its label `{label}` is not among the run's"),
        (None, Some(label)) => format!("it lacks the run's label `{label}`"),
        (None, None) => "its labels stand in another order than the run's".into(),
    };
    Err(Error::argument("--data", format!("{}: {why}", data.name)))
}

/// What is to be said of this data.
fn task<C: ModelConfig>(model: Zoo, flags: &TrainFlags, data: &DataSet) -> Result<data::Task> {
    let task =
        if data.values.is_some() { data::Task::Regression } else { data::Task::Classification };
    if flags.task.is_some_and(|asked| asked != task) {
        let has = if data.values.is_some() { "a number" } else { "classes" };
        return Err(Error::argument("--task", format!("{} has {has} to predict", data.name)));
    }
    if !C::TASKS.contains(&task) {
        let (name, data) = (model.name(), &data.name);
        return Err(match (task, flags.task) {
            (data::Task::Regression, Some(_)) => {
                Error::argument("--task", format!("`{name}` predicts classes, no number"))
            }
            (data::Task::Regression, None) => {
                let why = format!("{data} has a number to predict, and `{name}` predicts classes");
                Error::argument("--data", why)
            }
            (data::Task::Classification, _) => {
                let why = format!("{data} has classes to predict, and `{name}` predicts a number");
                Error::argument("--data", why)
            }
        });
    }
    Ok(task)
}
