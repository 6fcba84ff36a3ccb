//! How each model is trained when nothing is said.

use crate::augment::Augment;
use crate::zoo::Zoo;
use tenfold_core::cli::args::{Few, Recipe};
use tenfold_core::data::scenes;

/// What each step keeps of the average of the weights.
pub const AVERAGE: f64 = 0.999;

/// What a training needs at least: of a folder of ten images sixty epochs are sixty steps, after
/// which no box is right.
pub const FEW: Few = Few { steps: 600, batches: 4, smallest: 2, warmup: 0.1 };

/// Epochs, batches and learning rate for data of this name.
pub fn recipe(model: Zoo, data: &str) -> Recipe {
    let drawn = data == scenes::NAME;
    let (epochs, batch_size, lr) = match (model, drawn) {
        (Zoo::YoloV2Small | Zoo::Yolo9000, true) => (3, 32, 3e-3),
        (Zoo::YoloV2Small | Zoo::Yolo9000, false) => (60, 8, 2e-3),
        (Zoo::Composed, true) => (4, 16, 1e-3),
        (Zoo::Composed, false) => (40, 8, 5e-4),
        (Zoo::FastRcnn, true) => (4, 16, 1e-3),
        (Zoo::FastRcnn, false) => (40, 8, 5e-4),
        (Zoo::FasterRcnn, true) => (2, 16, 5e-4),
        (Zoo::FasterRcnn, false) => (40, 8, 3e-4),
        (Zoo::FasterRcnnVgg16, true) => (2, 16, 2e-4),
        (Zoo::FasterRcnnVgg16, false) => (40, 8, 1e-4),
        (Zoo::Hog, true) => (2, 16, 2e-3),
        (Zoo::Hog, false) => (30, 8, 2e-3),
        (Zoo::Rcnn, true) => (1, 8, 1e-3),
        (Zoo::Rcnn, false) => (20, 8, 1e-3),
        (Zoo::YoloV1, true) => (4, 16, 5e-4),
        (Zoo::YoloV1, false) => (100, 8, 5e-4),
        (Zoo::YoloV2, true) => (2, 16, 5e-4),
        (Zoo::YoloV2, false) => (60, 8, 5e-4),
        (Zoo::RetinaNet, true) => (2, 16, 5e-4),
        (Zoo::RetinaNet, false) => (40, 8, 3e-4),
        (Zoo::Ssd300 | Zoo::Ssd512, true) => (2, 16, 2e-4),
        (Zoo::Ssd300 | Zoo::Ssd512, false) => (40, 8, 1e-4),
    };
    Recipe { batch_size, warmup: 0.05, clip_norm: Some(10.0), ..Recipe::new(epochs, lr) }
}

/// What is done to training images: drawn ones are as many and as different as one likes.
pub fn augment(data: &str) -> Augment {
    match data {
        scenes::NAME => Augment { flip: true, ..Augment::default() },
        _ => Augment::PHOTOGRAPHS,
    }
}
