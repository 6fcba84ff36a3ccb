//! The region proposal network: where something may be, whatever it is (S. Ren et al., "Faster
//! R-CNN", NIPS 2015), on the levels of a pyramid, its layers named as in torchvision.

use super::anchors::grid;
use super::coder::{DeltaCoder, sigmoid};
use super::losses::{binary_cross_entropy, places, smooth_l1, table};
use super::matcher::{Match, Matcher};
use super::nms::{Nms, Suppression};
use super::pyramid::{Named, conv};
use super::sampler::Balanced;
use crate::detection::Detection;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use tenfold_core::data::Object;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::geometry::BoundingBox;
use tenfold_kernels::nn::Conv2d;
use tenfold_kernels::ops::Activation;

/// Of so many anchors of an image the network learns, half of them objects where there are as
/// many.
const SAMPLED: Balanced = Balanced { count: 256, objects: 0.5 };
/// From this gap on the loss of boxes is absolute.
pub(super) const BETA: f32 = 1.0 / 9.0;
/// Proposals of a level that overlap a better one more than this go.
const OVERLAP: f32 = 0.7;
/// Sides of a proposal are this long at least.
const LEAST: f32 = 1e-3;

/// The head, the same for all levels.
#[derive(Module, Debug)]
pub struct Head {
    conv: Vec<Named>,
    cls_logits: Conv2d,
    bbox_pred: Conv2d,
}

/// The network.
#[derive(Module, Debug)]
pub struct Rpn {
    head: Head,
}

impl Rpn {
    /// For maps of so many channels, and so many anchors at each place.
    pub fn new(channels: usize, anchors: usize, device: &Device) -> Self {
        let head = Head {
            conv: vec![vec![conv([channels; 2], 3, 1, 0.01, device)]],
            cls_logits: conv([channels, anchors], 1, 1, 0.01, device),
            bbox_pred: conv([channels, 4 * anchors], 1, 1, 0.01, device),
        };
        Self { head }
    }

    /// Levels to logits `[batch, anchors]` and numbers of boxes `[batch, anchors, 4]`.
    pub fn forward(&self, levels: &[Tensor<4>]) -> (Tensor<2>, Tensor<3>) {
        let Head { conv, cls_logits, bbox_pred } = &self.head;
        let level = |map: &Tensor<4>| {
            let through = |x, layer: &Named| layer[0].forward_with(x, Activation::Relu);
            let x = conv.iter().fold(map.clone(), through);
            let batch = x.dims()[0] as i32;
            let last = |layer: &Conv2d| layer.forward(x.clone()).permute([0, 2, 3, 1]);
            (last(cls_logits).reshape([batch, -1]), last(bbox_pred).reshape([batch, -1, 4]))
        };
        let (logits, numbers): (Vec<Tensor<2>>, Vec<Tensor<3>>) = levels.iter().map(level).unzip();
        (Tensor::cat(logits, 1), Tensor::cat(numbers, 1))
    }
}

/// The anchors of each level for images of a height and width, of which `cells` has those around
/// the origin, in the order of [`Rpn::forward`].
pub fn anchors(
    cells: &[Vec<BoundingBox>],
    levels: &[Tensor<4>],
    padded: [usize; 2],
) -> Vec<Vec<BoundingBox>> {
    let level = |(cell, map): (&Vec<BoundingBox>, &Tensor<4>)| {
        let [_, _, rows, columns] = map.dims();
        // Whole pixels, also where a map was rounded up.
        grid(cell, [rows, columns], [padded[0] / rows.max(1), padded[1] / columns.max(1)])
    };
    cells.iter().zip(levels).map(level).collect()
}

/// How many are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Of each level before suppression.
    pub before: usize,
    /// Of the image after it.
    pub after: usize,
}

impl Choice {
    /// The best proposals of an image of this height and width, best first.
    pub fn apply(
        &self,
        logits: &[f32],
        numbers: &[f32],
        anchors: &[Vec<BoundingBox>],
        [height, width]: [usize; 2],
    ) -> Vec<BoundingBox> {
        let (mut found, mut first) = (Vec::new(), 0);
        for (level, anchors) in anchors.iter().enumerate() {
            let logits = &logits[first..][..anchors.len()];
            let numbers = &numbers[4 * first..][..4 * anchors.len()];
            for place in best(logits, self.before) {
                let own = [0, 1, 2, 3].map(|i| numbers[4 * place + i]);
                let own = DeltaCoder::PLAIN.decode(own, &anchors[place]).clip(width, height);
                if own.width() >= LEAST && own.height() >= LEAST {
                    let score = sigmoid(logits[place]);
                    found.push(Detection { label: level, score, bounding_box: own });
                }
            }
            first += anchors.len();
        }
        let suppression = Suppression::Hard(OVERLAP);
        let nms = Nms { suppression, score: 0.0, candidates: found.len(), keep: self.after };
        nms.apply(found).into_iter().map(|one| one.bounding_box).collect()
    }
}

/// Places of the highest numbers, highest first; of equal ones the first.
fn best(numbers: &[f32], count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..numbers.len()).collect();
    let order = |&a: &usize, &b: &usize| numbers[b].total_cmp(&numbers[a]).then(a.cmp(&b));
    if count < all.len() {
        all.select_nth_unstable_by(count, order);
        all.truncate(count);
    }
    all.sort_unstable_by(order);
    all
}

/// The losses of objectness and of boxes, means over the images, each of which is a mean over
/// the anchors that are sampled of it.
pub fn loss(
    logits: Tensor<2>,
    numbers: Tensor<3>,
    anchors: &[BoundingBox],
    truth: &[Vec<Object>],
    seed: u64,
) -> [Tensor<1>; 2] {
    let device = logits.device();
    let sampled = |(image, objects): (usize, &Vec<Object>)| {
        let boxes: Vec<BoundingBox> = objects.iter().map(|object| object.bounding_box).collect();
        let matches = Matcher::PROPOSALS.apply(anchors, &boxes);
        let drawn = SAMPLED.draw(&matches, &mut SplitMix64::keyed(&[seed, image as u64]));
        (matches, drawn)
    };
    let sampled: Vec<_> = truth.par_iter().enumerate().map(sampled).collect();
    let (mut chosen, mut wanted, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    let (mut found, mut targets, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for (image, (matches, (objects, background))) in sampled.into_iter().enumerate() {
        let share = 1.0 / ((objects.len() + background.len()).max(1) * truth.len()) as f32;
        for place in objects.into_iter().chain(background) {
            chosen.push(image * anchors.len() + place);
            weights.push(share);
            let Match::Object(object) = matches[place] else {
                wanted.push(0.0);
                continue;
            };
            wanted.push(1.0);
            let own = &truth[image][object].bounding_box;
            targets.extend(DeltaCoder::PLAIN.encode(own, &anchors[place]));
            found.push(image * anchors.len() + place);
            shares.push(share);
        }
    }
    let total = truth.len() * anchors.len();
    let column = |values: Vec<f32>| table(values, 1, &device);
    let said = logits.reshape([total, 1]).select(0, places(chosen, &device));
    let objectness = (binary_cross_entropy(said, column(wanted)) * column(weights)).sum();
    let boxes = match found.is_empty() {
        true => Tensor::zeros([1], &device),
        false => {
            let said = numbers.reshape([total, 4]).select(0, places(found, &device));
            (smooth_l1(said, table(targets, 4, &device), BETA) * column(shares)).sum()
        }
    };
    [objectness, boxes]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    fn at(x: f32) -> BoundingBox {
        BoundingBox::new(x, 0.0, x + 10.0, 10.0)
    }

    #[test]
    fn the_best_of_each_level_that_do_not_cover_each_other() {
        let anchors = [vec![at(0.0), at(1.0), at(40.0), at(90.0)], vec![at(0.0), at(300.0)]];
        let logits = [1.0, 2.0, 0.0, -1.0, 0.5, 9.0];
        let choice = Choice { before: 3, after: 10 };
        let found = choice.apply(&logits, &[0.0; 24], &anchors, [50, 100]);
        // The first is covered by the second, the last of its level is not among three, and the
        // last of all lies outside.
        assert_eq!(found, [at(1.0), at(0.0), at(40.0)]);
        let one = Choice { before: 3, after: 1 }.apply(&logits, &[0.0; 24], &anchors, [50, 100]);
        assert_eq!(one, [at(1.0)]);
        assert_eq!(best(&[1.0, 3.0, 3.0, f32::NEG_INFINITY], 2), [1, 2]);
    }

    #[test]
    fn whoever_says_what_is_wanted_has_no_loss() {
        let device = device::open("cpu").unwrap();
        let anchors = [at(0.0), at(40.0), at(80.0)];
        let own = |x: f32| Object { label: 1, bounding_box: at(x), mask: None };
        let truth = [vec![own(41.0)], vec![]];
        let target = DeltaCoder::PLAIN.encode(&at(41.0), &at(40.0));
        let mut numbers = vec![0.0; 24];
        numbers[4..8].copy_from_slice(&target);
        let said = |high: f32| {
            let logits = table(vec![-high, high, -high, -high, -high, -high], 3, &device);
            let numbers = table(numbers.clone(), 4, &device).reshape([2, 3, 4]);
            loss(logits, numbers, &anchors, &truth, 1).map(|x| x.into_scalar::<f32>())
        };
        assert!(said(20.0)[0] < 1e-6 && said(20.0)[1] < 1e-9, "{:?}", said(20.0));
        // Of each image the mean, of both the mean.
        assert!((said(0.0)[0] - 2f32.ln()).abs() < 1e-6);
    }
}
