//! RetinaNet's head: two small networks, the same for all levels, and the focal loss.
//!
//! T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal Loss for Dense Object Detection",
//! ICCV (2017); its layers named as in torchvision.

use super::coder::{DeltaCoder, sigmoid};
use super::losses::{places, sum, table};
use super::matcher::{Match, Matcher};
use super::pyramid::{CHANNELS, Named, conv};
use crate::detection::Detection;
use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::activation::{log_sigmoid, sigmoid as sigmoids};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use tenfold_core::data::Object;
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;
use tenfold_kernels::nn::Conv2d;
use tenfold_kernels::ops::Activation;

/// Convolutions before the last one of each part.
const DEPTH: usize = 4;
/// At the start every anchor is an object with this probability.
const PRIOR: f64 = 0.01;
/// The focal loss: the weight of objects, and how little easy anchors count.
const ALPHA: f32 = 0.25;
const GAMMA: i32 = 2;
/// Less is not worth a candidate.
const LEAST: f32 = 0.01;
/// Candidates of each level.
pub const CANDIDATES: usize = 1000;

/// The head that says classes.
#[derive(Module, Debug)]
pub struct Classification {
    conv: Vec<Named>,
    cls_logits: Conv2d,
}

/// The head that says boxes.
#[derive(Module, Debug)]
pub struct Regression {
    conv: Vec<Named>,
    bbox_reg: Conv2d,
}

/// Both, the same for all levels.
#[derive(Module, Debug)]
pub struct Head {
    classification_head: Classification,
    regression_head: Regression,
}

impl Head {
    /// For maps of [`CHANNELS`] channels, and so many anchors at each place.
    pub fn new(anchors: usize, classes: usize, device: &Device) -> Self {
        let tower = || (0..DEPTH).map(|_| vec![conv([CHANNELS; 2], 3, 1, 0.01, device)]).collect();
        let mut cls_logits = conv([CHANNELS, anchors * classes], 3, 1, 0.01, device);
        let prior = Initializer::Constant { value: -((1.0 - PRIOR) / PRIOR).ln() };
        cls_logits.bias = Some(prior.init([anchors * classes], device));
        Self {
            classification_head: Classification { conv: tower(), cls_logits },
            regression_head: Regression {
                conv: tower(),
                bbox_reg: conv([CHANNELS, anchors * 4], 3, 1, 0.01, device),
            },
        }
    }

    /// Levels to logits `[batch, anchors, classes]` and boxes `[batch, anchors, 4]`, level by
    /// level.
    pub fn forward(&self, levels: &[Tensor<4>], classes: usize) -> (Tensor<3>, Tensor<3>) {
        let Self { classification_head: said, regression_head: at } = self;
        let logits =
            levels.iter().map(|map| through(&said.conv, &said.cls_logits, map.clone(), classes));
        let boxes = levels.iter().map(|map| through(&at.conv, &at.bbox_reg, map.clone(), 4));
        (Tensor::cat(logits.collect(), 1), Tensor::cat(boxes.collect(), 1))
    }
}

/// Four convolutions and the last one, rows of `numbers` for each anchor:
/// `[batch, anchors, numbers]`.
fn through(convs: &[Named], last: &Conv2d, map: Tensor<4>, numbers: usize) -> Tensor<3> {
    let x = convs.iter().fold(map, |x, conv| conv[0].forward_with(x, Activation::Relu));
    let x = last.forward(x); // [batch, anchors of a place * numbers, rows, columns]
    let batch = x.dims()[0];
    x.permute([0, 2, 3, 1]).reshape([batch as i32, -1, numbers as i32])
}

/// The loss of a batch, for what [`Head::forward`] says of its anchors.
pub fn loss(
    logits: Tensor<3>,
    boxes: Tensor<3>,
    anchors: &[BoundingBox],
    truth: &[Vec<Object>],
) -> Loss {
    let device = logits.device();
    let [count, _, classes] = logits.dims();
    let matched = |objects: &Vec<Object>| {
        let boxes: Vec<BoundingBox> = objects.iter().map(|object| object.bounding_box).collect();
        Matcher::RETINANET.apply(anchors, &boxes)
    };
    let matches: Vec<Vec<Match>> = truth.par_iter().map(matched).collect();
    let total = count * anchors.len();
    // 1 at the class of each object; 0 in the second where an anchor is left out.
    let (mut wanted, mut counted) = (vec![0.0; total * classes], vec![1.0; total]);
    let (mut learnt, mut deltas, mut found) = (Vec::new(), Vec::new(), vec![0f32; count]);
    for (image, (matches, objects)) in matches.iter().zip(truth).enumerate() {
        for (anchor, own) in matches.iter().enumerate() {
            let place = image * anchors.len() + anchor;
            match own {
                Match::Background => {}
                Match::Ignored => counted[place] = 0.0,
                Match::Object(object) => {
                    let object = &objects[*object];
                    wanted[place * classes + object.label] = 1.0;
                    learnt.push(place);
                    deltas.extend(DeltaCoder::PLAIN.encode(&object.bounding_box, &anchors[anchor]));
                    found[image] += 1.0;
                }
            }
        }
    }
    // Each image's loss is over its own objects.
    let share = |image: usize| 1.0 / (found[image].max(1.0) * count as f32);
    for (place, weight) in counted.iter_mut().enumerate() {
        *weight *= share(place / anchors.len());
    }
    let shares: Vec<f32> = learnt.iter().map(|place| share(place / anchors.len())).collect();
    let table = |values, width| table(values, width, &device);
    let logits = logits.reshape([total, classes]);
    let focal = focal(logits, table(wanted, classes)) * table(counted, 1);
    let classification = focal.sum();
    if learnt.is_empty() {
        return Loss::new(classification, count);
    }
    let said = boxes.reshape([total, 4]).select(0, places(learnt, &device));
    let regression = ((said - table(deltas, 4)).abs() * table(shares, 1)).sum();
    sum(vec![("class_loss", classification), ("box_loss", regression)], count)
}

/// What is found in each image of so many rows and columns, before suppression.
pub fn found(
    logits: Tensor<3>,
    boxes: Tensor<3>,
    levels: &[Vec<BoundingBox>],
    [rows, columns]: [usize; 2],
) -> Vec<Vec<Detection>> {
    let classes = logits.dims()[2];
    let values = |tensor: Tensor<3>| -> Vec<f32> { tensor.into_data().iter().collect() };
    let (logits, boxes) = (values(logits), values(boxes));
    let count: usize = levels.iter().map(Vec::len).sum();
    let image = |(logits, boxes): (&[f32], &[f32])| {
        let (mut all, mut first) = (Vec::new(), 0);
        for anchors in levels {
            let own = &logits[first * classes..][..anchors.len() * classes];
            let scores = own.iter().map(|&logit| sigmoid(logit)).enumerate();
            let mut good: Vec<(usize, f32)> = scores.filter(|(_, score)| *score >= LEAST).collect();
            good.sort_by(|a, b| b.1.total_cmp(&a.1));
            good.truncate(CANDIDATES);
            all.extend(good.into_iter().map(|(place, score)| {
                let (anchor, label) = (place / classes, place % classes);
                let at = &boxes[(first + anchor) * 4..];
                let numbers = [at[0], at[1], at[2], at[3]];
                let own = DeltaCoder::PLAIN.decode(numbers, &anchors[anchor]);
                Detection { label, score, bounding_box: own.clip(columns, rows) }
            }));
            first += anchors.len();
        }
        all
    };
    let logits = logits.par_chunks(count * classes);
    logits.zip(boxes.par_chunks(count * 4)).map(image).collect()
}

/// The focal loss of each logit against 0 or 1.
fn focal(logits: Tensor<2>, wanted: Tensor<2>) -> Tensor<2> {
    let against = wanted.clone().neg() + 1.0;
    let right = sigmoids(logits.clone());
    let wrong = right.clone().neg() + 1.0;
    let objects = wanted * log_sigmoid(logits.clone()) * wrong.powi_scalar(GAMMA) * ALPHA;
    let rest = against * log_sigmoid(logits.neg()) * right.powi_scalar(GAMMA) * (1.0 - ALPHA);
    (objects + rest).neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn the_focal_loss_of_numbers_that_a_person_can_derive() {
        let device = device::open("cpu").unwrap();
        let logits = Tensor::<2>::from_data([[0.0, 0.0, 9.0]], &device);
        let wanted = Tensor::<2>::from_data([[1.0, 0.0, 1.0]], &device);
        let own: Vec<f32> = focal(logits, wanted).into_data().iter().collect();
        // -alpha (1 - p)^2 ln p at p = 1/2.
        let expected = 0.25 * 0.25 * 2f32.ln();
        assert!((own[0] - expected).abs() < 1e-6 && (own[1] - 3.0 * expected).abs() < 1e-6);
        assert!(own[2] < 1e-9);
    }
}
