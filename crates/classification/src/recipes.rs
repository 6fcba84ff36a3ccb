//! How each model is trained when nothing is said. The choices for logistic regression, the
//! perceptron and LeNet are measured, see BENCHMARKS.md.

use crate::config::RunConfig;
use crate::flags::{ResizeKind, TrainFlags};
use crate::labels;
use crate::models::{ModelConfig, Stem};
use crate::zoo::Zoo;
use std::path::{Path, PathBuf};
use tenfold_core::cli::args::{self, Few, SupervisedFlags};
use tenfold_core::data::{Augment, DataSet, Kind, Preprocess, Resize};
use tenfold_core::progress::{grouped, note};
use tenfold_core::task::Flags;
use tenfold_core::train::Settings;
use tenfold_core::train::schedule::ScheduleKind;
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result};

/// What networks need of a few images: with fewer steps LeNet and ResNet-18 stay near guessing on
/// sets of 60, and larger batches leave the averages of batch normalisation at their start.
const FEW: Few = Few { steps: 400, batches: 14, smallest: 8, warmup: 0.0 };

/// Below this many, a split's accuracy of 80 % has a standard error of 4 points and more.
const FEW_TO_VALIDATE: usize = 100;

/// Photographs below this many are learnt from weights that others trained, where these are there.
const FEW_PHOTOGRAPHS: usize = 2_000;

/// Numbers that depend on the model.
struct Recipe {
    epochs: usize,
    lr: f64,
    weight_decay: f32,
    augment: &'static str,
}

fn recipe(model: Zoo, kind: &Kind) -> Recipe {
    let table = matches!(kind, Kind::Rows { .. });
    match model {
        // Fitted at once, unless a linear regression goes down the gradient.
        Zoo::Knn | Zoo::RandomForest | Zoo::GradientBoosting | Zoo::HogSvm => {
            Recipe { epochs: 1, lr: 1e-3, weight_decay: 0.0, augment: "none" }
        }
        Zoo::Linear => Recipe { epochs: 300, lr: 2e-2, weight_decay: 0.0, augment: "none" },
        // A table has few rows, so that an epoch has few steps.
        Zoo::Logistic if table => {
            Recipe { epochs: 100, lr: 1e-1, weight_decay: 0.0, augment: "none" }
        }
        Zoo::Mlp if table => Recipe { epochs: 100, lr: 5e-3, weight_decay: 1e-2, augment: "none" },
        Zoo::Logistic => Recipe { epochs: 10, lr: 2e-3, weight_decay: 0.0, augment: "none" },
        Zoo::Mlp => Recipe { epochs: 10, lr: 2e-3, weight_decay: 1e-2, augment: "none" },
        Zoo::LeNet => {
            let augment = "affine:8:0.08:0.92-1.08:4";
            Recipe { epochs: 5, lr: 3e-3, weight_decay: 1e-2, augment }
        }
        // Not measured, as the next: the usual choices. Without normalisation larger steps diverge.
        Zoo::AlexNet | Zoo::Vgg11 | Zoo::Vgg13 | Zoo::Vgg16 | Zoo::Vgg19 => {
            Recipe { epochs: 30, lr: 3e-4, weight_decay: 5e-2, augment: "crop:4,flip" }
        }
        // Measured on 90 and 300 photographs, see BENCHMARKS.md.
        Zoo::ResNet20 | Zoo::ResNet32 | Zoo::ResNet44 | Zoo::ResNet56 => {
            Recipe { epochs: 30, lr: 3e-3, weight_decay: 5e-2, augment: "crop:4,flip" }
        }
        _ => Recipe { epochs: 30, lr: 1e-3, weight_decay: 5e-2, augment: "crop:4,flip" },
    }
}

/// The settings of a training: the model's recipe, changed by the flags.
pub fn settings(model: Zoo, flags: &Flags<Zoo>, data: &DataSet) -> Settings {
    let kind = &data.kind;
    let Recipe { epochs, lr, weight_decay, .. } = recipe(model, kind);
    let (schedule, warmup, clip_norm) = (ScheduleKind::OneCycle, 0.0, None);
    let usual =
        args::Recipe { epochs, batch_size: 64, lr, weight_decay, clip_norm, schedule, warmup };
    let own = &flags.own;
    let usual = match kind {
        Kind::Images { .. } => images(usual, data.train.len(), &own.supervised),
        // Their recipes have the epochs for it.
        Kind::Rows { .. } | Kind::Texts => usual,
    };
    // A handful to validate with would end the training by chance: where the loss has one minimum,
    // and where so few images validate that most epochs differ by less than their error.
    let chance = match kind {
        Kind::Rows { .. } => matches!(model, Zoo::Linear | Zoo::Logistic),
        Kind::Images { .. } => data.validation.len() < FEW_TO_VALIDATE,
        Kind::Texts => false,
    };
    Settings {
        layer_decay: own.layer_decay,
        keep_last: own.supervised.patience.is_none() && chance,
        ..own.supervised.settings(usual, flags.run.seed())
    }
}

/// The recipe for so many images. A last batch of one is avoided, because batch normalisation
/// learns nothing from it: its variance is 0.
fn images(usual: args::Recipe, count: usize, flags: &SupervisedFlags) -> args::Recipe {
    let mut own = usual.suited(&FEW, flags, |batch| count.div_ceil(batch));
    if count > own.batch_size && count % own.batch_size == 1 {
        own.batch_size -= 1;
    }
    own
}

/// What is done to the training images; nothing to tables.
pub fn augment(model: Zoo, flags: &TrainFlags, kind: &Kind) -> Option<Augment> {
    let pictures = matches!(kind, Kind::Images { .. });
    let mut default: Option<Augment> = recipe(model, kind).augment.parse().ok();
    // A mirrored digit or letter is another one, and what is grey here is mostly writing.
    if let (Some(augment), Kind::Images { channels: 1, .. }) = (&mut default, kind) {
        augment.flip = false;
    }
    let chosen = flags.augment.clone().or(default);
    chosen.filter(|augment| pictures && !augment.is_none())
}

/// What is done to an input: what comes with the network, or is measured on the training
/// examples.
pub fn preprocess<C: ModelConfig>(
    network: &C,
    flags: &TrainFlags,
    data: &DataSet,
) -> Result<Preprocess> {
    let [_, height, width] = network.input_shape();
    let asked = flags.resize.map(|resize| match resize {
        ResizeKind::Stretch => Resize::Stretch,
        ResizeKind::Letterbox => Resize::Letterbox,
        ResizeKind::Crop => Resize::ShorterSide(height.min(width)),
    });
    if asked.is_some() && !matches!(data.kind, Kind::Images { .. }) {
        return Err(Error::argument("--resize", "this data has no images"));
    }
    match network.preprocess() {
        Some(Preprocess::Image { channels, height, width, resize, mean, std }) => {
            let resize = asked.unwrap_or(resize);
            Ok(Preprocess::Image { channels, height, width, resize, mean, std })
        }
        Some(rows) => Ok(rows),
        None => {
            let kind = sized(&data.kind, network.input_shape());
            Preprocess::fit(&kind, &data.train, asked.unwrap_or(Resize::Stretch))
        }
    }
}

/// Weights that the loss gives each class, so that all count the same: 1 on average over the
/// examples.
pub fn class_weights(data: &DataSet) -> Result<Vec<f32>> {
    if data.values.is_some() {
        return Err(Error::argument("--class-weights", "this data has a number to predict"));
    }
    let mut counts = vec![0usize; data.classes.len()];
    for place in 0..data.train.len() {
        counts[data.train.get(place)?.target] += 1;
    }
    let (all, classes) = (data.train.len() as f32, counts.len() as f32);
    // A class of which there is nothing to learn from counts as if there were one example.
    Ok(counts.into_iter().map(|count| all / (classes * count.max(1) as f32)).collect())
}

/// The weights that others trained and that a few photographs are best learnt from, where
/// nothing is said and they have been fetched; where not, the line that fetches them is told.
pub fn pretrained<C: ModelConfig>(
    model: Zoo,
    network: &C,
    flags: &Flags<Zoo>,
    data: &DataSet,
    data_dir: Option<&Path>,
) -> Option<PathBuf> {
    let (weights, line) = start(model, network, flags, data, data_dir)?;
    note(line);
    weights
}

/// These weights, and the line that is told; `None` where there is nothing to say.
pub(crate) fn start<C: ModelConfig>(
    model: Zoo,
    network: &C,
    flags: &Flags<Zoo>,
    data: &DataSet,
    data_dir: Option<&Path>,
) -> Option<(Option<PathBuf>, String)> {
    let name = model.name();
    let steered = !flags.run.set.is_empty();
    // As it was named: the data set's own name is only the last part of a path.
    let folder = flags.own.data.data.as_deref().is_some_and(|named| Path::new(named).is_dir());
    let photographs = matches!(data.kind, Kind::Images { channels: 3, .. })
        && network.sizes().stem == Some(Stem::ImageNet)
        && folder;
    if !photographs || steered || data.train.len() >= FEW_PHOTOGRAPHS {
        return None;
    }
    let count = grouped(data.train.len());
    Some(match labels::find(Path::new(name), data_dir) {
        Ok(_) => {
            let line = format!("{count} photographs: starts from the fetched weights `{name}`");
            (Some(name.into()), line)
        }
        Err(_) => {
            let line = format!(
                "{count} photographs are few for random weights: `cargo xtask fetch \
                 weights/{name}` fetches some that were trained on ImageNet, to start from"
            );
            (None, line)
        }
    })
}

/// What was chosen from the number and size of the examples, behind the introduction.
pub fn chosen<C: ModelConfig>(config: &RunConfig, data: &DataSet) -> String {
    let mut text = String::new();
    let Ok(network) = config.network::<C>(Path::new("config.json")) else { return text };
    if network.fit().is_none() {
        let Settings { batch_size, epochs, .. } = config.training;
        let steps = data.train.len().div_ceil(batch_size) * epochs;
        let steps = grouped(steps);
        text += &format!("; batches of {batch_size}, {epochs} epochs, {steps} steps");
    }
    if let Preprocess::Image { height, width, resize, .. } = config.preprocess {
        let how = match resize {
            Resize::Stretch => "stretched to",
            Resize::Letterbox => "letterboxed to",
            Resize::ShorterSide(_) => "cut to",
            Resize::Interpolate => "stretched to",
            Resize::Sides { .. } => "fitted into",
        };
        text += &format!("; images {how} {width}x{height}");
        if network.sizes().stem == Some(Stem::Small) {
            text += " (the first layers keep small images large, unlike torchvision's: `--size 224` \
                     for those)";
        }
    }
    text
}

/// The data's kind at the size in which the model takes it.
fn sized(kind: &Kind, [channels, height, width]: [usize; 3]) -> Kind {
    match kind {
        Kind::Images { .. } => Kind::Images { channels, height, width },
        Kind::Rows { .. } | Kind::Texts => kind.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_images_get_smaller_batches_and_more_epochs() {
        let of = |count, flags: &SupervisedFlags| {
            let usual = args::Recipe { batch_size: 64, ..args::Recipe::new(5, 1e-3) };
            let own = images(usual, count, flags);
            (own.batch_size, own.epochs)
        };
        let none = SupervisedFlags::default();
        assert_eq!(of(54, &none), (8, 58));
        assert_eq!(of(240, &none), (16, 27));
        assert_eq!(of(5_200, &none), (64, 5), "as ever, where there are enough");
        assert_eq!(of(57, &none).0, 7, "not a last batch of one");
        assert_eq!(of(1, &none), (8, 400));
        let asked = SupervisedFlags { batch_size: Some(64), ..none };
        assert_eq!(of(54, &asked).1, 400, "epochs follow from the batch asked for");
    }
}
