//! SSD's head: default boxes on several maps, the hardest negatives, a softmax over classes and
//! background.
//!
//! W. Liu et al., "SSD: Single Shot MultiBox Detector", ECCV (2016); its layers named as in
//! torchvision.

use super::coder::DeltaCoder;
use super::losses::{places, smooth_l1, sum, table};
use super::matcher::{Match, Matcher};
use super::sampler::hardest;
use crate::detection::Detection;
use burn::module::Module;
use burn::nn::Initializer;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use tenfold_core::data::Object;
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;
use tenfold_kernels::nn::Conv2d;

/// So many hard negatives for each object.
const NEGATIVES: usize = 3;
/// Less is not worth a candidate.
pub const LEAST: f32 = 0.01;
/// Candidates of each class.
pub const CANDIDATES: usize = 400;

/// A convolution for each map.
#[derive(Module, Debug)]
pub struct Convolutions {
    module_list: Vec<Conv2d>,
}

/// What says classes, and what says boxes.
#[derive(Module, Debug)]
pub struct Head {
    classification_head: Convolutions,
    regression_head: Convolutions,
}

impl Head {
    /// For maps of so many channels and default boxes at each place; `outputs` are the classes and
    /// the background.
    pub fn new(maps: &[[usize; 2]], outputs: usize, device: &Device) -> Self {
        let convolutions = |numbers: usize| {
            let one = |&[inputs, boxes]: &[usize; 2]| conv(inputs, boxes * numbers, device);
            Convolutions { module_list: maps.iter().map(one).collect() }
        };
        Self { classification_head: convolutions(outputs), regression_head: convolutions(4) }
    }

    /// Maps to logits `[batch, boxes, outputs]` and boxes `[batch, boxes, 4]`.
    pub fn forward(&self, maps: &[Tensor<4>], outputs: usize) -> (Tensor<3>, Tensor<3>) {
        (self.classification_head.forward(maps, outputs), self.regression_head.forward(maps, 4))
    }
}

fn conv(inputs: usize, outputs: usize, device: &Device) -> Conv2d {
    let mut own = Conv2dConfig::new([inputs, outputs], [3; 2])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_initializer(Initializer::XavierUniform { gain: 1.0 })
        .init(device);
    own.bias = Some(Initializer::Zeros.init([outputs], device));
    own.into()
}

impl Convolutions {
    /// Rows of `numbers` for each box: `[batch, boxes, numbers]`.
    fn forward(&self, maps: &[Tensor<4>], numbers: usize) -> Tensor<3> {
        let one = |(conv, map): (&Conv2d, &Tensor<4>)| {
            let x = conv.forward(map.clone()); // [batch, boxes of a place * numbers, rows, columns]
            let batch = x.dims()[0];
            x.permute([0, 2, 3, 1]).reshape([batch as i32, -1, numbers as i32])
        };
        Tensor::cat(self.module_list.iter().zip(maps).map(one).collect(), 1)
    }
}

/// The loss of a batch, for what [`Head::forward`] says of its default boxes.
pub fn loss(
    logits: Tensor<3>,
    boxes: Tensor<3>,
    anchors: &[BoundingBox],
    truth: &[Vec<Object>],
) -> Loss {
    let device = logits.device();
    let [count, _, outputs] = logits.dims();
    let values = |tensor: Tensor<2>| -> Vec<f32> { tensor.into_data().iter().collect() };
    let total = count * anchors.len();
    let logs = log_softmax(logits.reshape([total, outputs]), 1);
    let background = values(logs.clone().detach().narrow(1, 0, 1).neg());
    let chosen = |(objects, losses): (&Vec<Object>, &[f32])| {
        let boxes: Vec<BoundingBox> = objects.iter().map(|object| object.bounding_box).collect();
        let matches = Matcher::SSD.apply(anchors, &boxes);
        let negatives = hardest(&matches, losses, NEGATIVES);
        (matches, negatives)
    };
    let chosen: Vec<(Vec<Match>, Vec<usize>)> =
        truth.par_iter().zip(background.par_chunks(anchors.len())).map(chosen).collect();
    // Places in the batch; objects first, for they have boxes too.
    let (mut learnt, mut outcome, mut deltas) = (Vec::new(), Vec::new(), Vec::new());
    for (image, ((matches, _), objects)) in chosen.iter().zip(truth).enumerate() {
        for (place, own) in matches.iter().enumerate() {
            if let Match::Object(object) = own {
                let Object { label, bounding_box, .. } = &objects[*object];
                learnt.push(image * anchors.len() + place);
                outcome.push(label + 1);
                deltas.extend(DeltaCoder::SSD.encode(bounding_box, &anchors[place]));
            }
        }
    }
    let found = learnt.len();
    if found == 0 {
        // The paper's loss of a batch without objects is 0.
        return Loss::new(logs.sum() * 0.0, count);
    }
    for (image, (_, negatives)) in chosen.iter().enumerate() {
        learnt.extend(negatives.iter().map(|place| image * anchors.len() + place));
    }
    outcome.resize(learnt.len(), 0);
    let learnt = places(learnt, &device);
    let right = logs.select(0, learnt.clone()).gather(1, places(outcome, &device).unsqueeze_dim(1));
    let classification = right.sum().neg() / found as f32;
    let said = boxes.reshape([total, 4]).select(0, learnt.narrow(0, 0, found));
    let regression = smooth_l1(said, table(deltas, 4, &device), 1.0).sum() / found as f32;
    sum(vec![("class_loss", classification), ("box_loss", regression)], count)
}

/// What is found in each image of `side` rows and columns, before suppression.
pub fn found(
    logits: Tensor<3>,
    boxes: Tensor<3>,
    anchors: &[BoundingBox],
    side: usize,
) -> Vec<Vec<Detection>> {
    let outputs = logits.dims()[2];
    let values = |tensor: Tensor<3>| -> Vec<f32> { tensor.into_data().iter().collect() };
    let (scores, boxes) = (values(softmax(logits, 2)), values(boxes));
    let image = |(scores, boxes): (&[f32], &[f32])| {
        let of_class = |label: usize| {
            let score = |place: usize| scores[place * outputs + label + 1];
            let mut good: Vec<usize> =
                (0..anchors.len()).filter(|&place| score(place) > LEAST).collect();
            good.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
            good.truncate(CANDIDATES);
            let one = |place: usize| {
                let at = &boxes[place * 4..][..4];
                let own = DeltaCoder::SSD.decode([at[0], at[1], at[2], at[3]], &anchors[place]);
                let bounding_box = own.clip(side, side);
                Detection { label, score: score(place), bounding_box }
            };
            good.into_iter().map(one).collect::<Vec<_>>()
        };
        (0..outputs - 1).flat_map(of_class).collect()
    };
    let scores = scores.par_chunks(anchors.len() * outputs);
    scores.zip(boxes.par_chunks(anchors.len() * 4)).map(image).collect()
}
