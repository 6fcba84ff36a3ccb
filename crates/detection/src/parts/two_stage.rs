//! What Fast and Faster R-CNN have in common: the second stage, which says of each region what it
//! is, and how both stages are trained together and asked.
//!
//! R. Girshick, "Fast R-CNN", ICCV (2015); S. Ren et al., "Faster R-CNN", NIPS (2015). The layers
//! are named as in torchvision.

use super::losses::{drawn_seed, sum};
use super::proposals::{self, Choice, Rpn};
use super::regions::{self, Pooling, Sampled};
use crate::detection::Detection;
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use tenfold_core::data::Object;
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::{Activation, Roi};

/// Rows and columns of a region.
const REGION: usize = 7;
/// Proposals of a level before suppression, in training and afterwards.
const BEFORE: [usize; 2] = [2000, 1000];

/// The hidden layers of the second stage.
#[derive(Module, Debug)]
pub struct Hidden {
    /// Flat regions to units.
    pub fc6: Linear,
    /// Units to units.
    pub fc7: Linear,
}

/// What the second stage says of a region: its class, 0 for background, and for each class a box.
#[derive(Module, Debug)]
pub struct Predictor {
    /// Units to `1 + classes`.
    pub cls_score: Linear,
    /// Units to `4 * (1 + classes)`.
    pub bbox_pred: Linear,
}

/// The second stage.
#[derive(Module, Debug)]
pub struct RoiHeads {
    /// The hidden layers.
    pub box_head: Hidden,
    /// The last ones.
    pub box_predictor: Predictor,
}

impl RoiHeads {
    /// For maps of so many channels, with hidden layers of so many units.
    pub fn new(channels: usize, units: usize, classes: usize, device: &Device) -> Self {
        let linear = |inputs: usize, outputs: usize| -> Linear {
            LinearConfig::new(inputs, outputs).init(device).into()
        };
        Self {
            box_head: Hidden {
                fc6: linear(channels * REGION * REGION, units),
                fc7: linear(units, units),
            },
            box_predictor: Predictor {
                cls_score: linear(units, 1 + classes),
                bbox_pred: linear(units, 4 * (1 + classes)),
            },
        }
    }

    /// Regions of the levels of images of this height to logits `[regions, 1 + classes]` and
    /// numbers `[regions, (1 + classes) * 4]`.
    pub fn forward(
        &self,
        levels: &[Tensor<4>],
        height: usize,
        rois: &[Roi],
        pooling: Pooling,
    ) -> [Tensor<2>; 2] {
        let x: Tensor<2> = regions::pooled(levels, height, rois, REGION, pooling).flatten(1, 3); // [regions, channels * 49]
        let Self { box_head: Hidden { fc6, fc7 }, box_predictor: said } = self;
        let x = fc7.forward_with(fc6.forward_with(x, Activation::Relu), Activation::Relu);
        [said.cls_score.forward(x.clone()), said.bbox_pred.forward(x)]
    }
}

/// The second stage with its choices.
#[derive(Clone, Copy, Debug)]
pub struct Second<'a> {
    /// The network.
    pub heads: &'a RoiHeads,
    /// How regions are cut out.
    pub pooling: Pooling,
    /// Regions of an image that a step learns from.
    pub samples: usize,
}

impl Second<'_> {
    /// The losses of classes and boxes on regions of images of this height; none where no image
    /// has a region.
    pub fn loss(
        &self,
        levels: &[Tensor<4>],
        height: usize,
        proposals: Vec<Vec<BoundingBox>>,
        truth: &[Vec<Object>],
    ) -> Option<[Tensor<1>; 2]> {
        let seed = drawn_seed(&levels[0].device());
        let sampled = Sampled::draw(proposals, truth, self.samples, seed);
        if sampled.rois.is_empty() {
            return None;
        }
        let [logits, numbers] = self.heads.forward(levels, height, &sampled.rois, self.pooling);
        Some(sampled.loss(logits, numbers))
    }

    /// What is in the regions of images of these heights and widths, before suppression.
    pub fn detect(
        &self,
        levels: &[Tensor<4>],
        height: usize,
        proposals: &[Vec<BoundingBox>],
        sizes: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let rois = regions::rois(proposals);
        if rois.is_empty() {
            return vec![Vec::new(); sizes.len()];
        }
        let said = self.heads.forward(levels, height, &rois, self.pooling);
        let [logits, numbers] =
            said.map(|tensor| tensor.into_data().iter::<f32>().collect::<Vec<_>>());
        regions::detections(&logits, &numbers, &rois, sizes)
    }
}

/// Both stages.
#[derive(Clone, Copy, Debug)]
pub struct TwoStages<'a> {
    /// The first.
    pub rpn: &'a Rpn,
    /// Its anchors, level by level.
    pub anchors: &'a [Vec<BoundingBox>],
    /// Regions of an image that are looked at; in training twice as many.
    pub proposals: usize,
    /// The second.
    pub second: Second<'a>,
    /// It looks at the first of the levels, so many.
    pub levels: usize,
}

impl TwoStages<'_> {
    /// The loss of a batch of images of this height and width.
    pub fn loss(&self, levels: &[Tensor<4>], size: [usize; 2], truth: &[Vec<Object>]) -> Loss {
        let count = truth.len();
        let (logits, numbers) = self.rpn.forward(levels);
        let choice = Choice { before: BEFORE[0], after: 2 * self.proposals };
        let detached = (logits.clone().detach(), numbers.clone().detach());
        let proposals = self.proposed(choice, detached, &vec![size; count]);
        let seed = drawn_seed(&logits.device());
        let [objectness, proposal] =
            proposals::loss(logits, numbers, &self.anchors.concat(), truth, seed);
        let mut parts = vec![("objectness_loss", objectness), ("proposal_loss", proposal)];
        let second = self.second.loss(&levels[..self.levels], size[0], proposals, truth);
        if let Some([classes, boxes]) = second {
            parts.extend([("class_loss", classes), ("box_loss", boxes)]);
        }
        sum(parts, count)
    }

    /// What is found in images of these heights and widths, of which the tensors have this height.
    pub fn detect(
        &self,
        levels: &[Tensor<4>],
        height: usize,
        sizes: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let choice = Choice { before: BEFORE[1], after: self.proposals };
        let proposals = self.proposed(choice, self.rpn.forward(levels), sizes);
        self.second.detect(&levels[..self.levels], height, &proposals, sizes)
    }

    /// The proposals of each image.
    fn proposed(
        &self,
        choice: Choice,
        (logits, numbers): (Tensor<2>, Tensor<3>),
        sizes: &[[usize; 2]],
    ) -> Vec<Vec<BoundingBox>> {
        let logits: Vec<f32> = logits.into_data().iter().collect();
        let numbers: Vec<f32> = numbers.into_data().iter().collect();
        let count: usize = self.anchors.iter().map(Vec::len).sum();
        let images = logits.par_chunks(count).zip(numbers.par_chunks(4 * count)).zip(sizes);
        let one = |((logits, numbers), &size)| choice.apply(logits, numbers, self.anchors, size);
        images.map(one).collect()
    }
}
