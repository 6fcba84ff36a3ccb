//! Detectors as core's [`Task`]: data, configuration, learner, measuring.

use crate::augment::Augment;
use crate::batches::{Batch, Batches};
use crate::calibration::Calibration;
use crate::config::RunConfig;
use crate::data::choice::DataChoice;
use crate::data::unboxed;
use crate::finder::Finder;
use crate::flags::{EvalFlags, Onward, TrainFlags};
use crate::metrics::Judged;
use crate::mistakes;
use crate::models::detector::{DetectorConfig, Seen};
use crate::parts::word_tree::WordTree;
use crate::predict;
use crate::recipes;
use crate::scores;
use crate::start::Start;
use crate::verdicts;
use crate::zoo::Zoo;
use burn::module::Module;
use burn::tensor::Device;
use rayon::prelude::*;
use std::io::Write;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use tenfold_core::calibrate;
use tenfold_core::cli::args::{DataFlags, SupervisedFlags};
use tenfold_core::data::{Examples, Input, Object, scenes};
use tenfold_core::device::autodiff_device;
use tenfold_core::set::{Field, set_fields};
use tenfold_core::suggest::RetrainPlan;
use tenfold_core::task::prelude::*;
use tenfold_core::task::{Asked, Choice, introduction};
use tenfold_core::train::loader::{Epoch, Loader};
use tenfold_core::trained::Trained;
use tenfold_core::zoo::{self, did_you_mean};

/// Images that priors are measured on, at most.
const MOST_MEASURED: usize = 1_000;
/// Images that are read at once while a split is measured.
const PART: usize = 64;

/// One of the zoo's models.
pub(crate) struct Detecting<C> {
    model: Zoo,
    config: PhantomData<C>,
}

type Config<C> = RunConfig<C, DataChoice>;

impl<C: DetectorConfig> Detecting<C> {
    pub(crate) fn new(model: Zoo) -> Self {
        Self { model, config: PhantomData }
    }

    /// What was found in the images of a split, and what is there.
    fn judged(
        network: &C::Network,
        config: &Config<C>,
        data: &DataSet<Vec<Object>>,
        split: Split,
    ) -> Result<Vec<Judged>> {
        let device = network.devices().into_iter().next().unwrap_or_default();
        let finder = Finder::new(config, network.clone(), &device);
        let examples = data.split(split);
        // The same classes may stand in another order in other data.
        let place = |name: &String| config.labels.iter().position(|own| own == name);
        let labels: Vec<Option<usize>> = data.classes.iter().map(place).collect();
        let mut all = Vec::with_capacity(examples.len());
        for first in (0..examples.len()).step_by(PART) {
            let part = first..(first + PART).min(examples.len());
            let part = part.into_par_iter().map(|index| examples.get(index));
            let part = part.collect::<Result<Vec<_>>>()?;
            let inputs: Vec<&Input> = part.iter().map(|example| &example.input).collect();
            for (example, found) in part.iter().zip(finder.find(&inputs)?) {
                let own = |object: &Object| Some((labels[object.label]?, object.bounding_box));
                all.push(Judged {
                    objects: example.target.iter().filter_map(own).collect(),
                    found,
                });
            }
        }
        Ok(all)
    }
}

/// The examples to learn from, without the boxes of these classes.
fn learnt(data: &DataSet<Vec<Object>>, names: &[String]) -> Result<Examples<Vec<Object>>> {
    let place = |name: &String| {
        let place = data.classes.iter().position(|own| own == name);
        place.ok_or_else(|| {
            let meant = did_you_mean(name, data.classes.iter().map(String::as_str));
            let known = data.classes.join(", ");
            Error::argument("--unboxed", format!("`{name}`{meant}: expected some of {known}"))
        })
    };
    let labels = names.iter().map(place).collect::<Result<_>>()?;
    Ok(unboxed::hide(data.train.clone(), labels))
}

/// The choices of a run's model for these classes, of which it may have learnt some.
fn learns_on<C: DetectorConfig>(config: &serde_json::Value, classes: &[String]) -> Result<C> {
    let mut own = config.clone();
    if let Some(count) = own.get_mut("classes") {
        *count = classes.len().into();
    }
    let own: C = serde_json::from_value(own).map_err(|why| Error::argument("--data", why))?;
    match own.classes() == classes.len() {
        true => Ok(own),
        false => {
            let why = "has new labels, and the words of this model's tree are fixed";
            Err(Error::argument("--data", why))
        }
    }
}

/// What a model's configuration is made of: see [`Seen`].
fn seen(
    data: &DataSet<Vec<Object>>,
    train: &Examples<Vec<Object>>,
    tree: Option<WordTree>,
    model: Zoo,
    seed: u64,
) -> Result<Seen> {
    let count = train.len().min(MOST_MEASURED);
    let of_image = |place: usize| {
        let example = train.get(place * train.len() / count)?;
        let Input::Image(image) = &example.input else { return Ok(Vec::new()) };
        let longer = image.width().max(image.height()) as f32;
        let side = |object: &Object| {
            let [_, _, w, h] = object.bounding_box.xywh();
            [w / longer, h / longer]
        };
        let boxed = example.target.iter().filter(|object| !unboxed::is_unboxed(object));
        Ok(boxed.map(side).collect())
    };
    let sides = (0..count).into_par_iter().map(of_image).collect::<Result<Vec<Vec<_>>>>()?.concat();
    if sides.is_empty() {
        return Err(Error::argument(
            "--data",
            "no object in the training images; expected one at least",
        ));
    }
    let image = match data.kind {
        Kind::Images { height, width, .. } => [width, height],
        _ => [scenes::SIDE; 2],
    };
    let labels = data.classes.clone();
    let model = zoo::Zoo::name(model);
    Ok(Seen { model, classes: labels.len(), labels, tree, image, sides, seed })
}

impl<C: DetectorConfig> Task for Detecting<C> {
    type Zoo = Zoo;
    type Choice = DataChoice;
    type Data = DataSet<Vec<Object>>;
    type Config = Config<C>;
    type Model = Weights<C::Network>;

    const SETTLED: &'static [&'static str] = &["threshold", "calibration"];

    fn zoo(&self) -> Zoo {
        self.model
    }

    fn choose(&self, flags: &Flags<Zoo>) -> Result<DataChoice> {
        let own = DataChoice::new(&flags.own.data, flags.run.seed(), scenes::NAME);
        let beside = flags.own.onward.as_ref().map(|onward| Box::new(onward.data.clone()));
        Ok(DataChoice { beside, ..own })
    }

    fn chosen(config: &Config<C>) -> &DataChoice {
        &config.data
    }

    fn open(&self, choice: &DataChoice, data_dir: Option<&Path>) -> Result<Self::Data> {
        choice.open(data_dir)
    }

    fn configure(
        &self,
        flags: &Flags<Zoo>,
        choice: DataChoice,
        data: &Self::Data,
    ) -> Result<Config<C>> {
        let TrainFlags { supervised, augment, weights, tree, unboxed, onward, .. } = &flags.own;
        if self.model != Zoo::Yolo9000 {
            for (flag, given) in [("--tree", tree.is_some()), ("--unboxed", !unboxed.is_empty())] {
                if given {
                    return Err(Error::argument(flag, "only yolo9000 takes it"));
                }
            }
        }
        let tree = tree.as_deref().map(WordTree::read).transpose()?;
        if let Some(tree) = &tree {
            tree.knows(&data.classes)?;
        }
        let seen = seen(data, &learnt(data, unboxed)?, tree, self.model, flags.run.seed())?;
        let config = set_fields(&C::new(&seen), &flags.run.set, C::FIXED)?;
        let config = match onward {
            Some(onward) => learns_on(&onward.config, &data.classes)?,
            None => config.finished(&seen),
        };
        config.check().map_err(|why| Error::argument("--set", why))?;
        let recipe = recipes::recipe(self.model, choice.name());
        let count = data.train.len();
        let recipe = recipe.suited(&recipes::FEW, supervised, |batch| count.div_ceil(batch));
        let data_dir = flags.own.data.data_dir.as_deref();
        Ok(RunConfig {
            labels: data.classes.clone(),
            preprocess: config.preprocess(),
            nms: config.nms(),
            training: supervised.settings(recipe, flags.run.seed()),
            config,
            augment: augment.unwrap_or_else(|| recipes::augment(choice.name())),
            data: choice,
            start: weights.as_deref().map(|path| Start::new(path, data_dir)).transpose()?,
            unboxed: unboxed.clone(),
            average: recipes::AVERAGE,
            calibration: Calibration::default(),
            threshold: None,
        })
    }

    fn check(&self, config: &Config<C>, path: &Path) -> Result<()> {
        config.check().map_err(|why| Error::file(path, why))
    }

    fn check_data(&self, config: &Config<C>, data: &Self::Data) -> Result<()> {
        let unknown = data.classes.iter().find(|name| !config.labels.contains(name));
        let Some(name) = unknown else { return Ok(()) };
        let meant = did_you_mean(name, config.labels.iter().map(String::as_str));
        let known = config.labels.join(", ");
        let why =
            format!("has the class `{name}`{meant}, which the model was not trained on: {known}");
        Err(Error::argument("--data", why))
    }

    fn plan(&self, config: &Config<C>) -> Plan {
        config.training.plan(Keep::Highest("map50"))
    }

    fn learner(&self, config: &Config<C>, data: &Self::Data, device: &Device) -> Learning<Self> {
        let settings = &config.training;
        let device = autodiff_device(device, settings.seed);
        let mut network = drawn(config.config.init(&device));
        if let Some(start) = &config.start {
            network = start.load(network)?;
        }
        let epoch = Epoch::default();
        let batches = Batches {
            examples: learnt(data, &config.unboxed)?,
            preprocess: config.preprocess.clone(),
            sizes: config.config.sizes(),
            augment: config.augment,
            epoch: epoch.clone(),
            closed: settings.epochs - settings.epochs / 5 + 1,
        };
        let loader = Loader::new(Arc::new(batches), settings.batch_size, device.clone());
        let loader = loader.shuffled(settings.seed, epoch.clone());
        let own = config.config.clone();
        let loss =
            move |network: &C::Network, (images, truth): Batch| own.loss(network, images, &truth);
        let learner = Supervised::with_loader(network, loader, epoch, settings, loss, Weights)?;
        Ok(Box::new(learner.averaged(config.average)))
    }

    fn model(&self, config: &Config<C>, device: &Device) -> Result<Self::Model> {
        Ok(Weights(config.config.init(device)))
    }

    fn measure(
        &self,
        Weights(network): &Self::Model,
        config: &Config<C>,
        data: &Self::Data,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        let judged = Self::judged(network, config, data, split)?;
        let mut scores = scores::scores(&judged, &config.labels, split);
        if let Purpose::Report(asked) = &purpose {
            let calibrated = config.calibration.of(&judged);
            let error = calibrate::expected_error(&verdicts::judged(&calibrated));
            scores.json.insert("calibration_error".into(), error.into());
            if let Some(EvalFlags { draw: Some(folder), .. }) = asked {
                let threshold = config.threshold.unwrap_or(0.5);
                let examples = data.split(split);
                mistakes::draw(folder, &calibrated, &config.labels, threshold, examples)?;
            }
        }
        if let Purpose::Choose = purpose {
            // What the curves show.
            scores.json.retain(|name, _| ["map", "map50", "count"].contains(&name.as_str()));
            // Without an object in the split there is nothing to choose by: the last round is kept.
            if scores.json.get("map50").is_none_or(serde_json::Value::is_null) {
                scores.json.insert("map50".into(), 0.0.into());
            }
        }
        Ok(scores)
    }

    fn settle(
        &self,
        Weights(network): &Self::Model,
        config: &mut Config<C>,
        data: &Self::Data,
    ) -> Result<()> {
        let judged = Self::judged(network, config, data, Split::Validation)?;
        config.calibration = Calibration::fit(&verdicts::ranked(&judged));
        config.threshold = scores::threshold(&judged).map(|score| config.calibration.apply(score));
        Ok(())
    }

    fn answerer(&self, model: Self::Model, config: Config<C>, device: &Device) -> Answering {
        Ok(Box::new(Finder::new(&config, model.0, device)))
    }

    fn predict(
        &self,
        model: Self::Model,
        config: Config<C>,
        device: &Device,
        asked: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let finder = Finder::new(&config, model.0, device);
        predict::answer(finder, asked.paths, asked.args, asked.own, out)
    }

    fn fields(&self, flags: &Flags<Zoo>) -> Result<Vec<Field>> {
        let _ = flags;
        let model = zoo::Zoo::name(self.model);
        let seen = Seen { model, ..Seen::example(2, flags.run.seed()) };
        let value = serde_json::to_value(C::new(&seen)).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        let own = fields.filter(|(name, _)| !C::FIXED.contains(&name.as_str()));
        let field = |(name, default): (&String, &serde_json::Value)| Field {
            name: name.clone(),
            meaning: C::meaning(name),
            default: default.clone(),
        };
        Ok(own.map(field).collect())
    }

    fn retraining(
        &self,
        config: &Config<C>,
        trained: &Trained,
        plan: &RetrainPlan,
    ) -> Result<TrainFlags> {
        let store = plan.store.to_str().ok_or_else(|| {
            Error::file(&plan.store, "its name is not UTF-8, which `--data` expects")
        })?;
        let data = DataFlags { data: Some(store.into()), limit: plan.limit, data_dir: None };
        let mut supervised = SupervisedFlags::of(&config.training);
        supervised.epochs = plan.epochs.or(supervised.epochs);
        let before = config.data.beside.as_deref().unwrap_or(&config.data).clone();
        let config_of = serde_json::to_value(&config.config);
        let config_of = config_of.map_err(|why| Error::file(&trained.path, why))?;
        Ok(TrainFlags {
            data,
            supervised,
            augment: Some(config.augment),
            weights: Some(trained.weights.clone()),
            onward: Some(Onward { data: before, config: config_of }),
            ..TrainFlags::default()
        })
    }

    fn portable(&self, config: &mut Config<C>) {
        // Paths of this machine, of no use elsewhere.
        config.start = None;
        config.data.beside = None;
    }

    fn further(&self, config: &serde_json::Value) -> Vec<(&'static str, String)> {
        let augment: Option<Augment> = serde_json::from_value(config["augment"].clone()).ok();
        let labels = config["unboxed"].as_array().into_iter().flatten();
        let labels: Vec<&str> = labels.filter_map(serde_json::Value::as_str).collect();
        let own = [
            ("augment", augment.map(|own| own.to_string())),
            ("limit", config["data"]["limit"].as_u64().map(|own| own.to_string())),
            ("weights", config["start"]["weights"].as_str().map(String::from)),
            ("unboxed", (!labels.is_empty()).then(|| labels.join(","))),
        ];
        own.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect()
    }

    fn introduce(&self, config: &Config<C>, data: &Self::Data) -> String {
        let [_, height, width] = config.preprocess.shape();
        let augment = config.augment;
        let own = introduction(self, config, data);
        format!("{own}; {width}x{height} pixels, augmentation {augment}")
    }
}
