//! YOLO v2, small: for CPUs and small images.
//!
//! J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR (2017).
//!
//! As in the paper: anchors by k-means of the data, the centre of a box by a sigmoid inside its
//! cell, its sides as exponentials of a prior's, the objectness that learns the IoU, softmax over
//! classes, a passthrough from the finer map, batch normalisation; the squared errors and weights
//! of its program Darknet.
//!
//! Differs from the paper:
//! - nine convolutions of 16 to 128 channels in place of Darknet-19 with 1,024; ReLU, not leaky;
//! - maps of stride 8, not 32: cells as small as the objects of small images;
//! - an object whose best prior is taken in its cell gets the next best one that is free, where in
//!   Darknet it takes the place of the other;
//! - no first phase in which all boxes learn their priors; one size of images in a training;
//! - AdamW and the average of the weights, not SGD.

use super::detector::{DetectorConfig, Seen, values};
use crate::detection::Detection;
use crate::parts::anchors::{k_means, overlap};
use crate::parts::coder::{YoloCoder, centre, sigmoid};
use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::activation::{log_softmax, sigmoid as sigmoids};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tenfold_classification::models::layers::{conv, he, max_pool, norm};
use tenfold_core::data::{Object, Preprocess, Resize};
use tenfold_core::train::Loss;
use tenfold_kernels::nn::{BatchNorm, Conv2d, MaxPool2d};
use tenfold_kernels::ops::Epilogue;

/// Pixels of a cell.
const STRIDE: usize = 8;
/// The longest side that images get when nothing is said.
const MOST_SIDE: usize = 320;
/// Weights of the loss, as in Darknet's yolo-voc.cfg.
const OBJECT: f32 = 5.0;
const NO_OBJECT: f32 = 1.0;
/// Whoever overlaps an object more is not told that nothing is there.
const OVERLAP: f32 = 0.6;
/// Less is not worth a candidate.
const LEAST: f32 = 0.005;

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YoloV2SmallConfig {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the input, a multiple of 8.
    pub side: usize,
    /// Channels of the first layer.
    pub width: usize,
    /// How many boxes a cell has.
    pub priors: usize,
    /// Their widths and heights, in parts of the side.
    pub anchors: Vec<[f32; 2]>,
}

/// Convolution, batch normalisation, ReLU.
#[derive(Module, Debug)]
pub struct Layer {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Layer {
    fn new(ends: [usize; 2], kernel: usize, device: &Device) -> Self {
        Self { conv: conv(ends, kernel, 1, he(false), device), norm: norm(ends[1], device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward_with(self.conv.forward(x), Epilogue::Relu)
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct YoloV2Small {
    fine: Vec<Layer>,
    coarse: Vec<Layer>,
    passthrough: Layer,
    joint: Layer,
    head: Conv2d,
    pool: MaxPool2d,
}

impl YoloV2Small {
    /// Images `[batch, 3, side, side]` to `[batch * rows * columns * priors, 5 + classes]`: x, y,
    /// w, h, objectness and classes of each box, all before their functions.
    pub fn forward(&self, images: Tensor<4>, numbers: usize) -> Tensor<2> {
        let mut x = images;
        for (place, layer) in self.fine.iter().enumerate() {
            x = if place > 0 { self.pool.forward(x) } else { x };
            x = layer.forward(x);
        } // [batch, 4 width, side / 4, side / 4]
        let past = half(self.passthrough.forward(x.clone()));
        let x = self.coarse.iter().fold(self.pool.forward(x), |x, layer| layer.forward(x));
        let x = self.joint.forward(Tensor::cat(vec![x, past], 1));
        let maps = self.head.forward(x); // [batch, priors * numbers, rows, columns]
        maps.permute([0, 2, 3, 1]).reshape([-1, numbers as i32])
    }
}

/// The passthrough: `[b, c, h, w]` to `[b, 4 c, h / 2, w / 2]`, four neighbours on one place.
fn half(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [rows, columns] = [height / 2, width / 2];
    let x = x.reshape([batch, channels, rows, 2, columns, 2]);
    x.permute([0, 3, 5, 1, 2, 4]).reshape([batch, 4 * channels, rows, columns])
}

impl YoloV2SmallConfig {
    fn cells(&self) -> usize {
        self.side / STRIDE
    }

    fn numbers(&self) -> usize {
        5 + self.classes
    }

    /// Boxes of an image.
    fn boxes(&self) -> usize {
        self.cells() * self.cells() * self.priors
    }

    /// What turns the numbers of a box into its corners.
    fn coder(&self, place: usize) -> YoloCoder {
        let (cell, prior) = (place / self.priors, place % self.priors);
        let [column, row] = [cell % self.cells(), cell / self.cells()];
        YoloCoder {
            stride: STRIDE as f32,
            cell: [column as f32, row as f32],
            prior: self.anchors[prior].map(|side| side * self.side as f32),
        }
    }

    /// Which box is responsible for each object; `None` where all of its cell are taken.
    fn responsible(&self, objects: &[Object]) -> Vec<Option<usize>> {
        let mut taken = vec![false; self.boxes()];
        let one = |object: &Object| {
            let [x, y, w, h] = centre(&object.bounding_box);
            let cell = |at: f32| ((at / STRIDE as f32) as usize).min(self.cells() - 1);
            let first = (cell(y) * self.cells() + cell(x)) * self.priors;
            let sides = [w, h].map(|side| side / self.side as f32);
            let mut order: Vec<usize> = (0..self.priors).collect();
            let fit = |&prior: &usize| overlap(self.anchors[prior], sides);
            order.sort_by(|a, b| fit(b).total_cmp(&fit(a)));
            let free = order.into_iter().map(|prior| first + prior).find(|&place| !taken[place])?;
            taken[free] = true;
            Some(free)
        };
        objects.iter().map(one).collect()
    }

    /// What the boxes of an image, of which `said` are the numbers, should learn.
    fn wanted(&self, said: &[f32], objects: &[Object]) -> Wanted {
        let decoded = |place: usize| {
            let row = &said[place * self.numbers()..];
            self.coder(place).decode([row[0], row[1], row[2], row[3]])
        };
        let mut own = Wanted { objectness: Vec::new(), weights: Vec::new(), rows: Vec::new() };
        for place in 0..self.boxes() {
            let found = decoded(place);
            let near = objects.iter().any(|object| found.iou(&object.bounding_box) > OVERLAP);
            own.objectness.push(0.0);
            own.weights.push(if near { 0.0 } else { NO_OBJECT });
        }
        for (object, place) in objects.iter().zip(self.responsible(objects)) {
            let Some(place) = place else { continue };
            own.objectness[place] = decoded(place).iou(&object.bounding_box);
            own.weights[place] = OBJECT;
            let area = object.bounding_box.area() / (self.side * self.side) as f32;
            let numbers = self.coder(place).encode(&object.bounding_box);
            own.rows.push(Row { place, numbers, weight: 2.0 - area, label: object.label });
        }
        own
    }
}

/// What the boxes of an image should learn.
struct Wanted {
    objectness: Vec<f32>,
    weights: Vec<f32>,
    rows: Vec<Row>,
}

/// What a responsible box should say.
struct Row {
    place: usize,
    numbers: [f32; 4],
    weight: f32,
    label: usize,
}

impl DetectorConfig for YoloV2SmallConfig {
    type Network = YoloV2Small;

    const FIXED: &'static [&'static str] = &["classes", "anchors"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 8",
            "width" => "channels of the first layer",
            "priors" => "boxes of a cell; their sides are measured on the data",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let longest = seen.image[0].max(seen.image[1]);
        let side = longest.next_multiple_of(STRIDE).clamp(4 * STRIDE, MOST_SIDE);
        let (width, priors) = (16, 5);
        let anchors = k_means(&seen.sides, priors, seen.seed);
        Self { classes: seen.classes, side, width, priors, anchors }
    }

    fn finished(self, seen: &Seen) -> Result<Self, String> {
        if self.side == 0 || !self.side.is_multiple_of(STRIDE) || self.side > 4096 {
            return Err(format!(
                "side={}: expected a multiple of {STRIDE}, 4096 at most",
                self.side
            ));
        }
        if !(1..=512).contains(&self.width) || !(1..=20).contains(&self.priors) {
            return Err("expected a width from 1 to 512 and 1 to 20 priors".into());
        }
        let anchors = k_means(&seen.sides, self.priors, seen.seed);
        Ok(Self { anchors, ..self })
    }

    fn init(&self, device: &Device) -> YoloV2Small {
        let w = self.width;
        let layer = |(inputs, outputs, kernel)| Layer::new([inputs, outputs], kernel, device);
        let outputs = self.priors * self.numbers();
        YoloV2Small {
            fine: [(3, w, 3), (w, 2 * w, 3), (2 * w, 4 * w, 3)].map(layer).into(),
            coarse: [(4 * w, 8 * w, 3), (8 * w, 4 * w, 1), (4 * w, 8 * w, 3), (8 * w, 8 * w, 3)]
                .map(layer)
                .into(),
            passthrough: layer((4 * w, w, 1)),
            joint: layer((12 * w, 8 * w, 3)),
            head: Conv2dConfig::new([8 * w, outputs], [1, 1]).init(device).into(),
            pool: max_pool(2, 2, 0, false),
        }
    }

    fn preprocess(&self) -> Preprocess {
        let (mean, std) = (vec![0.0; 3], vec![1.0; 3]);
        let resize = Resize::Letterbox;
        Preprocess::Image { channels: 3, height: self.side, width: self.side, resize, mean, std }
    }

    fn loss(&self, network: &YoloV2Small, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let device = images.device();
        let said = network.forward(images, self.numbers());
        let numbers = values(said.clone().detach());
        let rows = numbers.par_chunks(self.boxes() * self.numbers()).zip(truth);
        let wanted: Vec<Wanted> = rows.map(|(own, objects)| self.wanted(own, objects)).collect();
        let count = truth.len();
        let column = |of: fn(&Wanted) -> &[f32]| {
            let all: Vec<f32> = wanted.iter().flat_map(|own| of(own).iter().copied()).collect();
            let shape = [all.len(), 1];
            Tensor::<2>::from_data(TensorData::new(all, shape), &device)
        };
        let (targets, weights) = (column(|own| &own.objectness), column(|own| &own.weights));
        let objectness = sigmoids(said.clone().narrow(1, 4, 1));
        let objectness = ((objectness - targets).square() * weights).sum() / count as f32;

        let all = || {
            wanted.iter().enumerate().flat_map(|(i, own)| own.rows.iter().map(move |row| (i, row)))
        };
        let places: Vec<i64> =
            all().map(|(i, row)| (i * self.boxes() + row.place) as i64).collect();
        if places.is_empty() {
            return Loss::new(objectness, count);
        }
        let found = places.len();
        let rows =
            said.select(0, Tensor::<1, Int>::from_data(TensorData::new(places, [found]), &device));
        let table = |values: Vec<f32>, width: usize| {
            Tensor::<2>::from_data(TensorData::new(values, [found, width]), &device)
        };
        let targets = table(all().flat_map(|(_, row)| row.numbers).collect(), 4);
        let weights = table(all().map(|(_, row)| row.weight).collect(), 1);
        let centres = sigmoids(rows.clone().narrow(1, 0, 2));
        let own = Tensor::cat(vec![centres, rows.clone().narrow(1, 2, 2)], 1);
        let boxes = ((own - targets).square() * weights).sum() / count as f32;
        let mut one_hot = vec![0.0; found * self.classes];
        for (place, (_, row)) in all().enumerate() {
            one_hot[place * self.classes + row.label] = 1.0;
        }
        let labels = table(one_hot, self.classes);
        let classes = log_softmax(rows.narrow(1, 5, self.classes), 1);
        let classes = (classes * labels).sum().neg() / count as f32;
        let total = objectness.clone() + boxes.clone() + classes.clone();
        let shown = vec![
            ("loss", total.clone()),
            ("objectness_loss", objectness),
            ("box_loss", boxes),
            ("class_loss", classes),
        ];
        Loss { total, shown, count }
    }

    fn detect(&self, network: &YoloV2Small, images: Tensor<4>) -> Vec<Vec<Detection>> {
        let said = values(network.forward(images, self.numbers()));
        let image = |rows: &[f32]| {
            let mut all = Vec::new();
            for (place, row) in rows.chunks(self.numbers()).enumerate() {
                let objectness = sigmoid(row[4]);
                if objectness < LEAST {
                    continue;
                }
                let bounding_box = self.coder(place).decode([row[0], row[1], row[2], row[3]]);
                let most = row[5..].iter().copied().fold(f32::MIN, f32::max);
                let sum: f32 = row[5..].iter().map(|logit| (logit - most).exp()).sum();
                let score = |logit: &f32| objectness * (logit - most).exp() / sum;
                let each =
                    row[5..].iter().map(score).enumerate().filter(|(_, score)| *score >= LEAST);
                all.extend(each.map(|(label, score)| Detection { label, score, bounding_box }));
            }
            all
        };
        said.par_chunks(self.boxes() * self.numbers()).map(image).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;
    use tenfold_core::geometry::BoundingBox;

    fn config() -> YoloV2SmallConfig {
        let sides = vec![[0.1, 0.1], [0.2, 0.4], [0.4, 0.2], [0.5, 0.5], [0.3, 0.3]];
        YoloV2SmallConfig::new(&Seen { classes: 3, image: [60, 40], sides, seed: 1 })
    }

    fn object(label: usize, corners: [f32; 4]) -> Object {
        Object { label, bounding_box: BoundingBox::from(corners), mask: None }
    }

    #[test]
    fn a_network_that_says_what_is_wanted_has_no_loss_and_finds_the_objects() {
        let config = config();
        assert_eq!((config.side, config.boxes()), (64, 320));
        let objects = [object(1, [10.0, 10.0, 30.0, 24.0]), object(2, [40.0, 30.0, 62.0, 60.0])];
        let mut said = vec![-9.0; 320 * 8];
        for (object, place) in objects.iter().zip(config.responsible(&objects)) {
            let place = place.unwrap();
            let [x, y, w, h] = config.coder(place).encode(&object.bounding_box);
            let logit = |p: f32| (p / (1.0 - p)).ln();
            let row = &mut said[place * 8..][..8];
            row[..5].copy_from_slice(&[logit(x), logit(y), w, h, 9.0]);
            row[5 + object.label] = 9.0;
        }
        let wanted = config.wanted(&said, &objects);
        assert_eq!(wanted.rows.len(), 2);
        for (row, object) in wanted.rows.iter().zip(&objects) {
            assert!(wanted.objectness[row.place] > 0.999);
            let own = &said[row.place * 8..];
            let found = config.coder(row.place).decode([own[0], own[1], own[2], own[3]]);
            assert!(found.iou(&object.bounding_box) > 0.999);
        }
        let told = wanted.weights.iter().filter(|&&weight| weight == NO_OBJECT).count();
        assert_eq!(told, 318);
    }

    #[test]
    fn objects_of_one_cell_get_different_boxes() {
        let config = config();
        let all: Vec<Object> = (0..6).map(|_| object(0, [10.0, 10.0, 20.0, 20.0])).collect();
        let mut places: Vec<usize> = config.responsible(&all).into_iter().flatten().collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 5);
    }

    #[test]
    fn shapes_and_an_image_without_objects() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let config = config();
        let network = config.init(&device);
        let images = Tensor::zeros([2, 3, 64, 64], &device);
        assert_eq!(network.forward(images.clone(), 8).dims(), [640, 8]);
        for truth in [vec![vec![], vec![]], vec![vec![object(0, [1.0, 1.0, 9.0, 9.0])], vec![]]] {
            let loss = config.loss(&network, images.clone(), &truth);
            assert!(values(loss.total)[0].is_finite());
        }
        assert_eq!(config.detect(&network, images).len(), 2);
    }

    #[test]
    fn the_passthrough_keeps_neighbours_together() {
        let device = device::open("cpu").unwrap();
        let x = Tensor::<1, Int>::arange(0..16, &device).float().reshape([1, 1, 4, 4]);
        let y = values(half(x));
        assert_eq!(y[..4], [0.0, 2.0, 8.0, 10.0]);
        assert_eq!(y[12..], [5.0, 7.0, 13.0, 15.0]);
    }
}
