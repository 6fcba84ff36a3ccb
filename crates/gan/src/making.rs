//! Models that make images from noise, as core's [`Task`].

use crate::config::RunConfig;
use crate::data;
use crate::flags::TrainFlags;
use crate::frechet::Features;
use crate::generate::made;
use crate::guard::Guard;
use crate::judge::Judge;
use crate::learner::{Adversarial, Shared};
use crate::measure;
use crate::models::config::NoiseConfig;
use crate::models::network::Generator;
use crate::models::noise::Noise;
use crate::pixels::Pixels;
use crate::predict;
use crate::recipes;
use crate::sheet;
use crate::training::Training;
use crate::zoo::Zoo;
use burn::tensor::Device;
use image::DynamicImage;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use tenfold_core::cli::args::kept_path;
use tenfold_core::data::glyphs;
use tenfold_core::device::autodiff_device;
use tenfold_core::progress::note;
use tenfold_core::set::{Field, set_fields};
use tenfold_core::task::prelude::*;
use tenfold_core::task::{Asked, folder, introduction};

/// Samples of a measurement during a training; at its end there are twice as many.
const SAMPLES: usize = 1000;
/// The noise of what is measured is of this seed, whatever the training's.
const MEASURED_SEED: u64 = 23;

/// One of the zoo's models that make images from noise.
pub(crate) struct Making {
    model: Zoo,
    guard: Shared,
    /// The run folder of a training.
    folder: Mutex<Option<PathBuf>>,
    judge: RefCell<Option<Rc<Judge>>>,
    /// Features of the images held out to choose by, which are the same each time.
    held_out: Mutex<Option<Arc<Features>>>,
}

type Config = RunConfig<NamedData>;

/// What a mutex holds: none of ours guards what a panic could leave half-changed.
fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Making {
    pub(crate) fn new(model: Zoo) -> Self {
        let guard = Arc::new(Mutex::new(Guard::new()));
        Self {
            model,
            guard,
            folder: Mutex::default(),
            judge: RefCell::default(),
            held_out: Mutex::default(),
        }
    }

    fn judge(&self, config: &Config) -> Result<Rc<Judge>> {
        let mut judge = self.judge.borrow_mut();
        if let Some(judge) = &*judge {
            return Ok(judge.clone());
        }
        let Training { features, .. } = &config.training;
        let new = Rc::new(Judge::new(features.as_deref(), &config.data.name)?);
        *judge = Some(new.clone());
        Ok(new)
    }

    /// The features of a split's images, up to `most`.
    fn real(judge: &Judge, config: &Config, examples: &Examples, most: usize) -> Result<Features> {
        let pixels = Pixels::read(examples, shape(&config.config), most)?;
        judge.features(&(0..pixels.len()).map(|i| pixels.image(i)).collect::<Vec<_>>())
    }
}

fn shape(config: &NoiseConfig) -> [usize; 3] {
    [config.channels, config.side, config.side]
}

/// The side of a model for images of this size.
fn side(height: usize, width: usize) -> usize {
    match height.min(width) {
        28 => 28,
        shorter if shorter < 64 => 32,
        _ => 64,
    }
}

impl Task for Making {
    type Zoo = Zoo;
    type Choice = NamedData;
    type Data = DataSet;
    type Config = Config;
    type Model = Weights<Generator>;

    fn zoo(&self) -> Zoo {
        self.model
    }

    fn choose(&self, flags: &Flags<Zoo>) -> Result<NamedData> {
        let choice = NamedData::new(&flags.own.data, flags.run.seed(), glyphs::NAME);
        *held(&self.folder) = Some(folder(self, flags, &choice));
        Ok(choice)
    }

    fn chosen(config: &Config) -> &NamedData {
        &config.data
    }

    fn open(&self, choice: &NamedData, data_dir: Option<&Path>) -> Result<DataSet> {
        data::open(&choice.name, &choice.options(data_dir))
    }

    fn configure(&self, flags: &Flags<Zoo>, choice: NamedData, data: &DataSet) -> Result<Config> {
        let Kind::Images { channels, height, width } = data.kind else {
            return Err(Error::argument("--data", "has no images"));
        };
        let classes = data.classes.len();
        if self.model == Zoo::CGan && classes < 2 {
            let why = "cgan makes images of classes: expected a folder with a subfolder for each";
            return Err(Error::argument("--data", why));
        }
        let usual = self.model.noise(channels, side(height, width), classes);
        let config = set_fields(&usual, &flags.run.set, NoiseConfig::FIXED)?;
        config.check().map_err(|why| Error::argument("--set", why))?;
        let TrainFlags {
            steps, every, samples, batch_size, lr, patience, rollback, features, ..
        } = &flags.own;
        let number = |flag: &Option<u32>, usual: usize| flag.map_or(usual, |own| own as usize);
        let recipe = recipes::recipe(self.model);
        let steps = number(steps, recipe.steps);
        let training = Training {
            steps,
            every: number(every, steps.div_ceil(12)),
            batch_size: number(batch_size, recipe.batch_size),
            lr: lr.unwrap_or(recipe.lr),
            decay: recipe.decay,
            optimizer: recipe.optimizer,
            seed: flags.run.seed(),
            patience: patience.map(|own| own as usize),
            rollback: *rollback,
            features: features.as_deref().map(kept_path),
            samples: number(samples, SAMPLES),
        };
        let config = Config { config, labels: data.classes.clone(), data: choice, training };
        // A run that measures nothing is told before the training.
        self.judge(&config)?;
        Ok(config)
    }

    fn check(&self, config: &Config, path: &Path) -> Result<()> {
        config.check().map_err(|why| Error::file(path, why))
    }

    fn check_data(&self, config: &Config, data: &DataSet) -> Result<()> {
        match config.config.classes > 0 && config.labels != data.classes {
            true => Err(Error::argument("--data", "has other classes than the run's")),
            false => Ok(()),
        }
    }

    fn plan(&self, config: &Config) -> Plan {
        let own = config.training.features.is_none();
        config.training.plan(if own { "fd_lenet" } else { "fd_features" })
    }

    fn learner(&self, config: &Config, data: &DataSet, device: &Device) -> Learning<Self> {
        let pixels = Arc::new(Pixels::read(&data.train, shape(&config.config), usize::MAX)?);
        let (count, batch) = (pixels.len(), config.training.batch_size);
        if count < batch {
            note(format_args!("{count} images for batches of {batch}: some come twice in each"));
        }
        let device = autodiff_device(device, config.training.seed);
        let folder = held(&self.folder).clone();
        let guard = self.guard.clone();
        let RunConfig { config, training, .. } = config;
        Ok(Box::new(Adversarial::new(config, training, pixels, guard, folder, device)?))
    }

    fn model(&self, config: &Config, device: &Device) -> Result<Self::Model> {
        Ok(Weights(Generator::new(&config.config, device)))
    }

    fn measure(
        &self,
        Weights(network): &Self::Model,
        config: &Config,
        data: &DataSet,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        let judge = self.judge(config)?;
        let samples = match &purpose {
            Purpose::Choose => config.training.samples,
            Purpose::Report(own) => {
                own.map_or(2 * config.training.samples, |own| own.samples as usize)
            }
        };
        let truncate = match &purpose {
            Purpose::Report(Some(own)) => own.truncate.map_or(f32::INFINITY, |most| most as f32),
            _ => f32::INFINITY,
        };
        let noise = Noise::truncated(&config.config, MEASURED_SEED, 0..samples as u64, truncate);
        let samples = made(network, &noise);
        let features = judge.features(&samples)?;
        if let Purpose::Choose = purpose {
            let mut held_out = held(&self.held_out);
            let real = match &*held_out {
                Some(real) => real.clone(),
                None => {
                    let examples = data.split(split);
                    let most = config.training.samples;
                    let real = Arc::new(Self::real(&judge, config, examples, most)?);
                    *held_out = Some(real.clone());
                    real
                }
            };
            let scores = Scores::new(Value::Object(measure::compare(&judge, &real, &features)), "");
            let mut guard = held(&self.guard);
            let step = guard.step;
            if let Some(alarm) = guard.measured(step, judge.figure, &scores.figures()) {
                note(format_args!("alarm at step {step}: {alarm}; the best weights are kept"));
            }
            return Ok(scores);
        }
        let real = Self::real(&judge, config, data.split(split), samples.len())?;
        let train = Self::real(&judge, config, &data.train, samples.len())?;
        let floor = real.moments().distance(&train.moments());
        let mut all = measure::compare(&judge, &real, &features);
        let more = self.readings(&judge, config, &noise, &samples)?;
        let line = line(&judge, &all, &more, (real.count(), samples.len()), floor);
        all.extend(more);
        all.extend(Map::from_iter([
            ("samples".into(), json!(samples.len())),
            ("floor".into(), json!(floor)),
            ("features".into(), json!(judge.name)),
            ("normalisation".into(), json!(judge.normalisation())),
        ]));
        if let (Purpose::Report(None), Some(folder)) = (&purpose, &*held(&self.folder)) {
            sheet::join(folder)?;
        }
        let details =
            format!("features: {}\nnormalisation: {}\n", judge.name, judge.normalisation());
        Ok(Scores { details, ..Scores::new(Value::Object(all), line) })
    }

    fn answerer(&self, _: Self::Model, config: Config, _: &Device) -> Answering {
        let judge = Judge::new(config.training.features.as_deref(), &config.data.name)?;
        Ok(Box::new(crate::keeper::Keeper::new(judge, shape(&config.config))))
    }

    fn predict(
        &self,
        Weights(network): Self::Model,
        config: Config,
        _: &Device,
        asked: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        predict::samples(&network, &config, asked, out)
    }

    fn fields(&self, _: &Flags<Zoo>) -> Result<Vec<Field>> {
        let own = self.model.noise(1, glyphs::SIDE, glyphs::CLASSES);
        let value = serde_json::to_value(own).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        let own = fields.filter(|(name, _)| !NoiseConfig::FIXED.contains(&name.as_str()));
        let field = |(name, default): (&String, &Value)| Field {
            name: name.clone(),
            meaning: NoiseConfig::meaning(name),
            default: default.clone(),
        };
        Ok(own.map(field).collect())
    }

    fn introduce(&self, config: &Config, data: &DataSet) -> String {
        let NoiseConfig { side, channels, .. } = config.config;
        let colour = if channels == 1 { "grey" } else { "colour" };
        let Training { steps, every, .. } = config.training;
        let own = introduction(self, config, data);
        let judge = self.judge(config).map(|judge| judge.name.clone()).unwrap_or_default();
        format!(
            "{own}; {side}x{side} {colour}, {steps} steps, measured every {every} by features of \
             {judge}"
        )
    }
}

impl Making {
    /// What the judge reads in samples, where it knows the data's classes.
    fn readings(
        &self,
        judge: &Judge,
        config: &Config,
        noise: &Noise,
        samples: &[DynamicImage],
    ) -> Result<Map<String, Value>> {
        if judge.classes() != config.labels {
            return Ok(Map::new());
        }
        let (mut figures, labels) = measure::read(judge, samples)?;
        let place = |label: &String| config.labels.iter().position(|own| own == label);
        let labels: Vec<usize> = labels.iter().map(|label| place(label).unwrap_or(0)).collect();
        let NoiseConfig { classes, categories, .. } = config.config;
        if classes > 0 {
            let right = labels.iter().zip(&noise.labels).filter(|(a, b)| a == b).count();
            let part = right as f64 / labels.len().max(1) as f64;
            figures.insert("accuracy".into(), json!(part));
        }
        if categories > 0 {
            let count = categories.max(config.labels.len());
            let part = measure::matching(&noise.labels, &labels, count);
            figures.insert("code_accuracy".into(), json!(part));
        }
        Ok(figures)
    }
}

/// The figures for a person.
fn line(
    judge: &Judge,
    all: &Map<String, Value>,
    more: &Map<String, Value>,
    (real, samples): (usize, usize),
    floor: f64,
) -> String {
    let figure = |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_f64);
    let own = |name: &str| figure(all, name).unwrap_or(f64::NAN);
    let name = judge.figure;
    let mut line = format!(
        "{name} {:.2} (real training images: {floor:.2})  precision {:.3}  recall {:.3}",
        own(name),
        own("precision"),
        own("recall"),
    );
    if let Some(diversity) = figure(all, "diversity") {
        line += &format!("  diversity {diversity:.3}");
    }
    if let (Some(sure), Some(covered), Some(classes)) =
        (figure(more, "sure"), figure(more, "classes_covered"), figure(more, "classes"))
    {
        line += &format!("  sure of {:.1} %, of {covered} of {classes} classes", 100.0 * sure);
    }
    for (name, text) in
        [("accuracy", "the asked class read"), ("code_accuracy", "category and class agree")]
    {
        if let Some(part) = figure(more, name) {
            line += &format!("  {text} in {:.1} %", 100.0 * part);
        }
    }
    line + &format!("  of {samples} samples against {real} images")
}
