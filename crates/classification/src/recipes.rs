//! How each model is trained when nothing is said. The choices for logistic regression, the
//! perceptron and LeNet are measured, see the README.

use crate::flags::TrainFlags;
use crate::zoo::Zoo;
use tenfold_core::cli::args;
use tenfold_core::data::{Augment, DataSet, Kind};
use tenfold_core::task::Flags;
use tenfold_core::train::Settings;
use tenfold_core::train::schedule::ScheduleKind;

/// Optimiser steps below which a network has learnt next to nothing of a few images; measured,
/// see crates/classification/README.md.
const STEPS: usize = 280;

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
        Zoo::Knn | Zoo::HogSvm => {
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
        Kind::Images { .. } => usual.for_examples(data.train.len(), STEPS, &own.supervised),
        // Their recipes have the epochs for it.
        Kind::Rows { .. } | Kind::Texts => usual,
    };
    let convex = matches!(model, Zoo::Linear | Zoo::Logistic);
    Settings {
        layer_decay: own.layer_decay,
        // Their loss has one minimum, and the way there is no choice of models: a handful of
        // rows to validate with would only end it by chance.
        keep_last: own.supervised.patience.is_none() && convex && matches!(kind, Kind::Rows { .. }),
        ..own.supervised.settings(usual, flags.run.seed())
    }
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
