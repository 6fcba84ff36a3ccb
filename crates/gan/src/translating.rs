//! Models that make images from images, as core's [`Task`].

use crate::exchange::{Exchange, Images};
use crate::flags::TrainFlags;
use crate::guard::Guard;
use crate::judge::Judge;
use crate::keeper::Keeper;
use crate::learner::Shared;
use crate::measure;
use crate::models::translate::TranslateConfig;
use crate::models::translators::Translators;
use crate::pairs::{self, Kinds, Pairs};
use crate::pixels::{Pixels, images};
use crate::recipes;
use crate::sheet;
use crate::training::Training;
use crate::translation;
use crate::zoo::Zoo;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use image::DynamicImage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tenfold_core::cli::args::kept_path;
use tenfold_core::data::scenes;
use tenfold_core::device::autodiff_device;
use tenfold_core::progress::note;
use tenfold_core::set::{Field, set_fields};
use tenfold_core::task::prelude::*;
use tenfold_core::task::{Asked, folder, introduction};

/// Images by which a training is measured, at most.
const SAMPLES: usize = 200;
/// Images that are translated at once.
const BATCH: usize = 16;

/// What stands in `config.json` beside the header.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TranslatingConfig {
    /// The model's own choices.
    pub config: TranslateConfig,
    /// The data.
    pub data: NamedData,
    /// How it is trained.
    pub training: Training,
}

/// One of the zoo's models that make images from images.
pub(crate) struct Translating {
    model: Zoo,
    guard: Shared,
    /// The run folder of a training.
    folder: Mutex<Option<PathBuf>>,
}

/// The images of a split, and what was made of them.
struct Translated {
    real: [Vec<DynamicImage>; 2],
    there: Vec<DynamicImage>,
    back: Vec<DynamicImage>,
    /// Mean distance from the target, or after there and back, on the scale 0..1.
    distance: f64,
}

impl Translating {
    pub(crate) fn new(model: Zoo) -> Self {
        Self { model, guard: Arc::new(Mutex::new(Guard::new())), folder: Mutex::default() }
    }

    fn folder(&self) -> Option<PathBuf> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn paired(&self) -> bool {
        self.model == Zoo::Pix2Pix
    }

    fn translate(network: &Translators, kinds: &[Pixels; 2]) -> Translated {
        let device = network.devices().into_iter().next().unwrap_or_default();
        let count = kinds[0].len();
        let (mut there, mut back, mut sum) = (Vec::new(), Vec::new(), 0.0);
        let apart = |a: Tensor<4>, b: Tensor<4>| {
            let [batch, ..] = a.dims();
            f64::from((a - b).abs().mean().into_scalar::<f32>()) * 0.5 * batch as f64
        };
        for first in (0..count).step_by(BATCH) {
            let places: Vec<usize> = (first..(first + BATCH).min(count)).collect();
            let [one, other] = [0, 1].map(|kind: usize| kinds[kind].batch(&places, &device));
            let made = network.there.forward(one.clone());
            match &network.back {
                Some(returning) => {
                    let home = returning.forward(other.clone());
                    let around = apart(returning.forward(made.clone()), one)
                        + apart(network.there.forward(home.clone()), other);
                    sum += 0.5 * around;
                    back.extend(images(home));
                }
                None => sum += apart(made.clone(), other),
            }
            there.extend(images(made));
        }
        let real = [0, 1].map(|kind: usize| (0..count).map(|i| kinds[kind].image(i)).collect());
        Translated { real, there, back, distance: sum / count.max(1) as f64 }
    }
}

/// The images of both kinds of a split, as the model takes them.
fn read(pairs: &Pairs, config: &TranslateConfig, most: usize) -> Result<[Pixels; 2]> {
    let shape = |kind: usize| [config.channels[kind], config.side, config.side];
    let place = |kind: usize| if config.reverse { 1 - kind } else { kind };
    Ok([
        Pixels::of_pairs(pairs, place(0), shape(0), most)?,
        Pixels::of_pairs(pairs, place(1), shape(1), most)?,
    ])
}

impl Task for Translating {
    type Zoo = Zoo;
    type Choice = NamedData;
    type Data = Kinds;
    type Config = TranslatingConfig;
    type Model = Weights<Translators>;

    fn zoo(&self) -> Zoo {
        self.model
    }

    fn choose(&self, flags: &Flags<Zoo>) -> Result<NamedData> {
        let choice = NamedData::new(&flags.own.data, flags.run.seed(), scenes::NAME);
        let own = folder(self, flags, &choice);
        *self.folder.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
        Ok(choice)
    }

    fn chosen(config: &TranslatingConfig) -> &NamedData {
        &config.data
    }

    fn open(&self, choice: &NamedData, data_dir: Option<&Path>) -> Result<Kinds> {
        pairs::open(&choice.name, &choice.options(data_dir), self.paired())
    }

    fn configure(
        &self,
        flags: &Flags<Zoo>,
        choice: NamedData,
        data: &Kinds,
    ) -> Result<TranslatingConfig> {
        let side = match data.size[0].min(data.size[1]) {
            shorter if shorter >= 256 => 256,
            shorter if shorter >= 128 => 128,
            _ => 64,
        };
        let usual = self.model.translation(data.channels, side);
        let mut config: TranslateConfig =
            set_fields(&usual, &flags.run.set, TranslateConfig::FIXED)?;
        if config.reverse {
            config.channels.reverse();
        }
        config.check().map_err(|why| Error::argument("--set", why))?;
        if self.paired() == config.both_ways() {
            let why = "cycle: 0 for pix2pix, above it for cyclegan";
            return Err(Error::argument("--set", why));
        }
        let TrainFlags {
            steps, every, samples, batch_size, lr, patience, rollback, features, ..
        } = &flags.own;
        if *rollback {
            let why = "is for models of noise: what translates does not collapse so";
            return Err(Error::argument("--rollback", why));
        }
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
            rollback: false,
            features: features.as_deref().map(kept_path),
            samples: number(samples, SAMPLES),
        };
        Ok(TranslatingConfig { config, data: choice, training })
    }

    fn check(&self, config: &TranslatingConfig, path: &Path) -> Result<()> {
        let wrong = |why: String| Error::file(path, why);
        config.config.check().map_err(|why| wrong(format!("the model's config: {why}")))?;
        config.training.check().map_err(wrong)
    }

    fn plan(&self, config: &TranslatingConfig) -> Plan {
        let own = config.training.features.is_none();
        config.training.plan(match (self.paired(), own) {
            (true, _) => "l1",
            (false, true) => "fd_lenet",
            (false, false) => "fd_features",
        })
    }

    fn learner(&self, config: &TranslatingConfig, data: &Kinds, device: &Device) -> Learning<Self> {
        let TranslatingConfig { config, training, .. } = config;
        let train = read(&data.train, config, usize::MAX)?.map(Arc::new);
        let shown = read(&data.validation, config, 8)?.map(Arc::new);
        let device = autodiff_device(device, training.seed);
        let images = Images { train, shown, folder: self.folder() };
        Ok(Box::new(Exchange::new(config, training, images, self.guard.clone(), device)?))
    }

    fn model(&self, config: &TranslatingConfig, device: &Device) -> Result<Self::Model> {
        Ok(Weights(Translators::new(&config.config, device)))
    }

    fn measure(
        &self,
        Weights(network): &Self::Model,
        config: &TranslatingConfig,
        data: &Kinds,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        if let Purpose::Report(Some(own)) = &purpose
            && own.truncate.is_some()
        {
            return Err(Error::argument("--truncate", "this model has no noise"));
        }
        let judge = Judge::new(config.training.features.as_deref(), &config.data.name)?;
        let most = match &purpose {
            Purpose::Report(Some(own)) => own.samples as usize,
            _ => config.training.samples,
        };
        let kinds = read(data.split(split), &config.config, most)?;
        let own = Self::translate(network, &kinds);
        let real = [judge.features(&own.real[0])?, judge.features(&own.real[1])?];
        let mut all = measure::compare(&judge, &real[1], &judge.features(&own.there)?);
        let name = match own.back.is_empty() {
            true => "l1",
            false => {
                // Both ways count alike.
                let other = measure::compare(&judge, &real[0], &judge.features(&own.back)?);
                for (figure, value) in &mut all {
                    if let (Some(a), Some(b)) = (value.as_f64(), other[figure].as_f64())
                        && figure != "count"
                    {
                        *value = json!((a + b) / 2.0);
                    }
                }
                "cycle_l1"
            }
        };
        all.insert(name.into(), json!(own.distance));
        if let Purpose::Choose = purpose {
            return Ok(Scores::new(Value::Object(all), ""));
        }
        let figure = |name: &str| all.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let line = format!(
            "{name} {:.4}  {} {:.2}  precision {:.3}  recall {:.3}  of {} images",
            own.distance,
            judge.figure,
            figure(judge.figure),
            figure("precision"),
            figure("recall"),
            own.there.len()
        );
        all.extend(Map::from_iter([
            ("features".into(), json!(judge.name)),
            ("normalisation".into(), json!(judge.normalisation())),
        ]));
        if let (Purpose::Report(None), Some(folder)) = (&purpose, self.folder()) {
            sheet::join(&folder)?;
        }
        let details =
            format!("features: {}\nnormalisation: {}\n", judge.name, judge.normalisation());
        Ok(Scores { details, ..Scores::new(Value::Object(all), line) })
    }

    fn answerer(&self, _: Self::Model, config: TranslatingConfig, _: &Device) -> Answering {
        let judge = Judge::new(config.training.features.as_deref(), &config.data.name)?;
        let TranslateConfig { channels, side, .. } = config.config;
        Ok(Box::new(Keeper::new(judge, [channels[1], side, side])))
    }

    fn predict(
        &self,
        Weights(network): Self::Model,
        config: TranslatingConfig,
        _: &Device,
        asked: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        translation::run(&network, &config.config, asked.paths, asked.args, asked.own, out)
    }

    fn fields(&self, _: &Flags<Zoo>) -> Result<Vec<Field>> {
        let own = self.model.translation([3, 3], scenes::SIDE);
        let value = serde_json::to_value(own).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        let own = fields.filter(|(name, _)| !TranslateConfig::FIXED.contains(&name.as_str()));
        let field = |(name, default): (&String, &Value)| Field {
            name: name.clone(),
            meaning: TranslateConfig::meaning(name),
            default: default.clone(),
        };
        Ok(own.map(field).collect())
    }

    fn introduce(&self, config: &TranslatingConfig, data: &Kinds) -> String {
        let TranslateConfig { side, channels: [from, to], .. } = config.config;
        let Training { steps, every, .. } = config.training;
        let own = introduction(self, config, data);
        let [height, width] = data.size;
        if [height, width] != [side, side] {
            note(format_args!(
                "the shorter side of each image is resized to {side} and its middle cut out"
            ));
        }
        format!(
            "{own}; {side}x{side}, channels {from} to {to}, {steps} steps, measured every {every}"
        )
    }
}
