//! YOLO: one look at the image, a grid of cells, each of which says one class.
//!
//! J. Redmon, S. Divvala, R. Girshick, A. Farhadi, "You Only Look Once: Unified, Real-Time Object
//! Detection", CVPR (2016). Layers and their order are those of Darknet's yolov1-tiny.cfg, so that
//! its `.weights` fit.
//!
//! Differs from the paper, as that file does: eight convolutions, normalised, and one fully
//! connected layer, in place of 24 and two.
//!
//! Differs from both:
//! - the image is letterboxed, not stretched;
//! - AdamW and the average of the weights, not SGD; no training on ImageNet before.

use super::darknet::{self, Layer, Part};
use super::detector::{DetectorConfig, Published, Seen, values};
use crate::detection::Detection;
use crate::parts::coder::{around, centre};
use crate::parts::losses::table;
use burn::module::Module;
use burn::nn::{Initializer, LinearConfig};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tenfold_classification::models::layers::max_pool;
use tenfold_core::Result;
use tenfold_core::data::{Object, Preprocess, Resize};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;
use tenfold_kernels::nn::{Linear, MaxPool2d};

/// Pixels of a cell.
const STRIDE: usize = 64;
/// The paper's side: a grid of 7 x 7.
const SIDE: usize = 448;
/// Outputs of each convolution; behind the first six there are pools.
const CHANNELS: [usize; 8] = [16, 32, 64, 128, 256, 512, 1024, 256];
const POOLS: usize = 6;
/// Weights of the loss: the paper's lambdas.
const COORDINATES: f32 = 5.0;
const NO_OBJECT: f32 = 0.5;
/// Less is not worth a candidate.
const LEAST: f32 = 0.005;

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YoloV1Config {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the input, a multiple of 64.
    pub side: usize,
    /// How many boxes a cell has; it has one class.
    pub boxes: usize,
}

/// The network.
#[derive(Module, Debug)]
pub struct YoloV1 {
    layers: Vec<Layer>,
    head: Linear,
    pool: MaxPool2d,
}

impl YoloV1 {
    /// Images `[batch, 3, side, side]` to `[batch, numbers]`: of all cells the classes, then of all
    /// boxes the confidences, then of all boxes x, y inside their cells and the roots of w and h,
    /// these in parts of the side.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = images;
        for (place, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x);
            x = if place < POOLS { self.pool.forward(x) } else { x };
        } // [batch, 256, side / 64, side / 64]
        self.head.forward(x.flatten(1, 3))
    }
}

impl YoloV1Config {
    /// Cells along a side.
    fn grid(&self) -> usize {
        self.side / STRIDE
    }

    fn cells(&self) -> usize {
        self.grid() * self.grid()
    }

    /// Where the confidences begin, where the boxes begin, and how many numbers there are.
    fn ends(&self) -> [usize; 3] {
        let classes = self.cells() * self.classes;
        let confidences = classes + self.cells() * self.boxes;
        [classes, confidences, confidences + 4 * self.cells() * self.boxes]
    }

    /// A box of a cell in pixels.
    fn decode(&self, said: &[f32], cell: usize, own: usize) -> BoundingBox {
        let at = &said[self.ends()[1] + 4 * (cell * self.boxes + own)..];
        let place = [cell % self.grid(), cell / self.grid()];
        let [x, y] = [0, 1].map(|axis| (place[axis] as f32 + at[axis]) * STRIDE as f32);
        around([x, y, at[2] * at[2] * self.side as f32, at[3] * at[3] * self.side as f32])
    }

    /// What an image's numbers should be, and what the square of each difference weighs.
    fn wanted(&self, said: &[f32], objects: &[Object]) -> (Vec<f32>, Vec<f32>) {
        let [confidences, boxes, count] = self.ends();
        let (mut wanted, mut weights) = (vec![0.0; count], vec![0.0; count]);
        weights[confidences..boxes].fill(NO_OBJECT);
        let mut taken = vec![false; self.cells()];
        for Object { label, bounding_box, .. } in objects {
            let [x, y, w, h] = centre(bounding_box);
            let [column, row] =
                [x, y].map(|at| ((at / STRIDE as f32) as usize).min(self.grid() - 1));
            let cell = row * self.grid() + column;
            // A cell has one object: the first.
            if std::mem::replace(&mut taken[cell], true) {
                continue;
            }
            let first = cell * self.classes;
            weights[first..first + self.classes].fill(1.0);
            wanted[first + label] = 1.0;
            // The box that overlaps it most is responsible; where none does, the nearest.
            let decoded = |own: usize| self.decode(said, cell, own);
            let distance = |own: &BoundingBox| -> f32 {
                let sides = centre(own).into_iter().zip([x, y, w, h]);
                sides.map(|(a, b)| (a - b).powi(2)).sum()
            };
            let fit = |&own: &usize| {
                let own = decoded(own);
                (own.iou(bounding_box), -distance(&own))
            };
            let best = (0..self.boxes).max_by(|a, b| {
                let ((a, near), (b, far)) = (fit(a), fit(b));
                a.total_cmp(&b).then(near.total_cmp(&far))
            });
            let Some(best) = best else { continue };
            let place = cell * self.boxes + best;
            wanted[confidences + place] = decoded(best).iou(bounding_box);
            weights[confidences + place] = 1.0;
            let [w, h] = [w, h].map(|side| (side / self.side as f32).sqrt());
            let [x, y] = [(x, column), (y, row)].map(|(at, cell)| at / STRIDE as f32 - cell as f32);
            let first = boxes + 4 * place;
            wanted[first..first + 4].copy_from_slice(&[x, y, w, h]);
            weights[first..first + 4].fill(COORDINATES);
        }
        (wanted, weights)
    }
}

impl DetectorConfig for YoloV1Config {
    type Network = YoloV1;

    const FIXED: &'static [&'static str] = &["classes"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 64",
            "boxes" => "boxes of a cell, which has one class",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        // Seven cells along a side, whatever the size of the images: fewer see too few objects.
        Self { classes: seen.classes, side: SIDE, boxes: 2 }
    }

    fn check(&self) -> Result<(), String> {
        let Self { side, boxes, .. } = self;
        if *side == 0 || !side.is_multiple_of(STRIDE) || *side > 1024 {
            return Err(format!("side={side}: expected a multiple of {STRIDE}, 1024 at most"));
        }
        match (1..=10).contains(boxes) {
            true => Ok(()),
            false => Err(format!("boxes={boxes}: expected 1 to 10")),
        }
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> YoloV1 {
        let mut inputs = 3;
        let layer = |outputs| {
            let own = Layer::new([inputs, outputs], 3, device);
            inputs = outputs;
            own
        };
        let layers = CHANNELS.map(layer).into();
        let inputs = inputs * self.cells();
        let reach = (2.0 / inputs as f64).sqrt();
        let mut head = LinearConfig::new(inputs, self.ends()[2])
            .with_initializer(Initializer::Uniform { min: -reach, max: reach })
            .init(device);
        head.bias = Some(Initializer::Zeros.init([self.ends()[2]], device));
        YoloV1 { layers, head: head.into(), pool: max_pool(2, 2, 0, false) }
    }

    fn preprocess(&self) -> Preprocess {
        let (mean, std) = (vec![0.0; 3], vec![1.0; 3]);
        let resize = Resize::Letterbox;
        Preprocess::Image { channels: 3, height: self.side, width: self.side, resize, mean, std }
    }

    fn published(classes: usize) -> Option<Published<Self>> {
        let own = Self { classes, side: SIDE, boxes: 2 };
        Some(Published { preprocess: own.preprocess(), nms: own.nms(), config: own })
    }

    fn load(network: &mut YoloV1, path: &Path) -> Result<()> {
        let YoloV1 { layers, head, .. } = network;
        let parts = layers.iter_mut().map(Part::Layer).chain([Part::Linear(head)]);
        darknet::load(path, parts.collect())
    }

    fn loss(&self, network: &YoloV1, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let (device, count) = (images.device(), truth.len());
        let said = network.forward(images);
        let numbers = values(said.clone().detach());
        let [confidences, boxes, width] = self.ends();
        let rows = numbers.par_chunks(width).zip(truth);
        let (wanted, weights): (Vec<_>, Vec<_>) =
            rows.map(|(own, objects)| self.wanted(own, objects)).unzip();
        let squares = (said - table(wanted.concat(), width, &device)).square()
            * table(weights.concat(), width, &device);
        let part = |first: usize, end: usize| {
            squares.clone().narrow(1, first, end - first).sum() / count as f32
        };
        let total = squares.clone().sum() / count as f32;
        let shown = vec![
            ("loss", total.clone()),
            ("objectness_loss", part(confidences, boxes)),
            ("box_loss", part(boxes, width)),
            ("class_loss", part(0, confidences)),
        ];
        Loss { total, shown, count }
    }

    fn detect(&self, network: &YoloV1, images: Tensor<4>, _: &[[usize; 2]]) -> Vec<Vec<Detection>> {
        let said = values(network.forward(images));
        let [confidences, _, width] = self.ends();
        let image = |said: &[f32]| {
            let mut all = Vec::new();
            for place in 0..self.cells() * self.boxes {
                let (cell, own) = (place / self.boxes, place % self.boxes);
                let classes = &said[cell * self.classes..][..self.classes];
                for (label, class) in classes.iter().enumerate() {
                    let score = (said[confidences + place] * class).min(1.0);
                    if score >= LEAST {
                        let bounding_box = self.decode(said, cell, own);
                        all.push(Detection { label, score, bounding_box });
                    }
                }
            }
            all
        };
        said.par_chunks(width).map(image).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    fn object(label: usize, corners: [f32; 4]) -> Object {
        Object { label, bounding_box: BoundingBox::from(corners), mask: None }
    }

    #[test]
    fn what_is_wanted_is_what_is_there() {
        let config = YoloV1Config { classes: 3, side: 128, boxes: 2 };
        let [confidences, boxes, count] = config.ends();
        assert_eq!([confidences, boxes, count], [12, 20, 52]);
        // Centre (96, 32): the second cell, in its middle; half as wide as the image.
        let own = object(2, [64.0, 24.0, 128.0, 40.0]);
        let (wanted, weights) = config.wanted(&vec![0.1; count], &[own.clone(), own.clone()]);
        assert_eq!(wanted[3..6], [0.0, 0.0, 1.0]);
        // Of boxes that overlap as much the last is taken, which is as good.
        let place = 20 + 4 * 3;
        assert_eq!(wanted[place..place + 4], [0.5, 0.5, 0.5f32.sqrt(), 0.125f32.sqrt()]);
        assert_eq!(weights[place..place + 4], [5.0; 4]);
        assert_eq!(weights.iter().filter(|&&weight| weight == 0.5).count(), 7);
        assert_eq!(weights.iter().filter(|&&weight| weight == 1.0).count(), 3 + 1);
        // Who says that has no loss but of the confidence, which then is the IoU: 1.
        let (again, _) = config.wanted(&wanted, std::slice::from_ref(&own));
        assert!((again[confidences + 3] - 1.0).abs() < 1e-5);
        assert!(config.decode(&wanted, 1, 1).iou(&own.bounding_box) > 0.9999);
    }

    #[test]
    fn images_with_and_without_objects() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let config = YoloV1Config { classes: 2, side: 64, boxes: 2 };
        let network = config.init(&device);
        let images = || Tensor::ones([2, 3, 64, 64], &device);
        assert_eq!(network.forward(images()).dims(), [2, 12]);
        for truth in [vec![vec![], vec![]], vec![vec![object(1, [8.0, 8.0, 30.0, 24.0])], vec![]]] {
            let loss = config.loss(&network, images(), &truth);
            assert!(values(loss.total)[0].is_finite());
        }
    }
}
