//! The second stage of R-CNNs on a pyramid: regions cut out of the level of their size, those that
//! training learns from, and boxes from what is said of them.

use super::coder::DeltaCoder;
use super::losses::{places, smooth_l1, table};
use super::matcher::{Match, Matcher, Rescue};
use super::proposals::BETA;
use super::sampler::Balanced;
use crate::detection::Detection;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tenfold_core::data::Object;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::geometry::BoundingBox;
use tenfold_kernels::ops::{Roi, RoiAlign, roi_align, roi_pool};

/// A region of so many pixels along a side ...
const CANONICAL: f32 = 224.0;
/// ... belongs to the level of stride 16, the fourth halving.
const CANONICAL_LEVEL: f32 = 4.0;
/// The finest level's halvings.
const FINEST: f32 = 2.0;
/// Samples along a side of each place of a region.
const SAMPLES: usize = 2;
/// From this overlap on a region is the object.
const MATCHER: Matcher = Matcher { object: 0.5, background: 0.5, rescue: Rescue::No };
/// The part of the sampled regions that are objects, where there are as many.
const OBJECTS: f32 = 0.25;
/// Boxes with a score up to this one, or thinner than that, are left out.
const LEAST_SCORE: f32 = 0.05;
const LEAST_SIDE: f32 = 1e-2;

/// The regions of several images.
pub fn rois(proposals: &[Vec<BoundingBox>]) -> Vec<Roi> {
    let all = proposals.iter().enumerate();
    all.flat_map(|(image, own)| own.iter().map(move |own| Roi { image, corners: (*own).into() }))
        .collect()
}

/// How regions are brought to one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// RoI align (He et al., "Mask R-CNN", ICCV 2017).
    #[default]
    Align,
    /// RoI pooling (Girshick, "Fast R-CNN", ICCV 2015).
    Max,
}

/// Regions, `[regions, channels, output, output]`, each out of the level, of strides 4, 8 and so
/// on, that its size stands for. `height` is that of the images, padding included.
pub fn pooled(
    levels: &[Tensor<4>],
    height: usize,
    rois: &[Roi],
    output: usize,
    pooling: Pooling,
) -> Tensor<4> {
    let mut order = Vec::with_capacity(rois.len());
    let mut parts = Vec::new();
    for (level, map) in levels.iter().enumerate() {
        let own = (0..rois.len()).filter(|&place| level_of(&rois[place], levels.len()) == level);
        let own: Vec<usize> = own.collect();
        if own.is_empty() {
            continue;
        }
        let part: Vec<Roi> = own.iter().map(|&place| rois[place]).collect();
        let scale = map.dims()[2] as f32 / height as f32;
        let output = [output; 2];
        parts.push(match pooling {
            Pooling::Align => {
                let options = RoiAlign { output, scale, samples: SAMPLES, aligned: false };
                roi_align(map.clone(), &part, options)
            }
            Pooling::Max => roi_pool(map.clone(), &part, output, scale),
        });
        order.extend(own);
    }
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let mut back = vec![0; order.len()];
    for (at, place) in order.into_iter().enumerate() {
        back[place] = at;
    }
    let device = levels[0].device();
    Tensor::cat(parts, 0).select(0, places(back, &device))
}

/// Equation 1 of the paper on feature pyramids.
fn level_of(roi: &Roi, count: usize) -> usize {
    let side = BoundingBox::from(roi.corners).area().sqrt();
    let level = (CANONICAL_LEVEL + (side / CANONICAL).log2() + 1e-6).floor() - FINEST;
    (level.max(0.0) as usize).min(count - 1)
}

/// What a step learns from.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    /// The regions.
    pub rois: Vec<Roi>,
    /// Of each: 0 for background, or the class and 1.
    labels: Vec<usize>,
    /// Of each: its part of the loss, a mean over images of means over their regions.
    weights: Vec<f32>,
    /// Objects: which region, and the numbers of its box.
    objects: Vec<(usize, [f32; 4])>,
}

impl Sampled {
    /// `count` regions of each image, of the proposals and of the objects themselves.
    pub fn draw(
        proposals: Vec<Vec<BoundingBox>>,
        truth: &[Vec<Object>],
        count: usize,
        seed: u64,
    ) -> Self {
        let images = truth.len();
        let mut all = Self::default();
        for (image, (mut own, objects)) in proposals.into_iter().zip(truth).enumerate() {
            let boxes: Vec<BoundingBox> =
                objects.iter().map(|object| object.bounding_box).collect();
            own.extend(&boxes);
            let matches = MATCHER.apply(&own, &boxes);
            let balanced = Balanced { count, objects: OBJECTS };
            let mut random = SplitMix64::keyed(&[seed, image as u64]);
            let (found, background) = balanced.draw(&matches, &mut random);
            let share = 1.0 / ((found.len() + background.len()).max(1) * images) as f32;
            for place in found.into_iter().chain(background) {
                let label = match matches[place] {
                    Match::Object(object) => {
                        let numbers = DeltaCoder::SSD.encode(&boxes[object], &own[place]);
                        all.objects.push((all.rois.len(), numbers));
                        objects[object].label + 1
                    }
                    _ => 0,
                };
                all.rois.push(Roi { image, corners: own[place].into() });
                all.labels.push(label);
                all.weights.push(share);
            }
        }
        all
    }

    /// The losses of classes and of boxes, for logits `[regions, 1 + classes]` and numbers
    /// `[regions, (1 + classes) * 4]`.
    pub fn loss(&self, logits: Tensor<2>, numbers: Tensor<2>) -> [Tensor<1>; 2] {
        let device = logits.device();
        let [rows, classes] = logits.dims();
        let column = |values: Vec<f32>| table(values, 1, &device);
        let labels = places(self.labels.clone(), &device).reshape([rows, 1]);
        let said = log_softmax(logits, 1).gather(1, labels);
        let classification = (said.neg() * column(self.weights.clone())).sum();
        if self.objects.is_empty() {
            return [classification, Tensor::zeros([1], &device)];
        }
        let own = |&(row, _): &(usize, [f32; 4])| row * classes + self.labels[row];
        let own: Vec<usize> = self.objects.iter().map(own).collect();
        let said = numbers.reshape([rows * classes, 4]).select(0, places(own, &device));
        let wanted = self.objects.iter().flat_map(|(_, numbers)| *numbers).collect();
        let shares = self.objects.iter().map(|&(row, _)| self.weights[row]).collect();
        let boxes = smooth_l1(said, table(wanted, 4, &device), BETA) * column(shares);
        [classification, boxes.sum()]
    }
}

/// The boxes that logits and numbers, as in [`Sampled::loss`], stand for, before suppression;
/// `sizes` are the heights and widths of the images.
pub fn detections(
    logits: &[f32],
    numbers: &[f32],
    rois: &[Roi],
    sizes: &[[usize; 2]],
) -> Vec<Vec<Detection>> {
    let classes = logits.len() / rois.len().max(1);
    let one = |(index, roi): (usize, &Roi)| {
        let [height, width] = sizes[roi.image];
        let logits = &logits[index * classes..][..classes];
        let most = logits.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
        let found = |class: usize| {
            let score = (logits[class] - most).exp() / sum;
            let own = [0, 1, 2, 3].map(|i| numbers[(index * classes + class) * 4 + i]);
            let own = DeltaCoder::SSD.decode(own, &roi.corners.into()).clip(width, height);
            let good = score > LEAST_SCORE && own.width().min(own.height()) >= LEAST_SIDE;
            good.then_some(Detection { label: class - 1, score, bounding_box: own })
        };
        (1..classes).filter_map(found).collect::<Vec<_>>()
    };
    let mut all = vec![Vec::new(); sizes.len()];
    let found: Vec<_> = rois.par_iter().enumerate().map(one).collect();
    for (roi, found) in rois.iter().zip(found) {
        all[roi.image].extend(found);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    fn square(x: f32, side: f32) -> BoundingBox {
        BoundingBox::new(x, 0.0, x + side, side)
    }

    #[test]
    fn levels_by_size() {
        let of = |side: f32| level_of(&Roi { image: 0, corners: square(0.0, side).into() }, 4);
        let all = [0.0, 10.0, 111.0, 112.0, 224.0, 448.0, 9000.0].map(of);
        assert_eq!(all, [0, 0, 0, 1, 2, 3, 3]);
    }

    #[test]
    fn regions_come_back_in_their_order() {
        let device = device::open("cpu").unwrap();
        // Each level is filled with its number.
        let levels: Vec<Tensor<4>> = (0..4)
            .map(|level| Tensor::full([2, 3, 128 >> level, 128 >> level], level as f32, &device))
            .collect();
        let sides = [448.0, 20.0, 230.0, 113.0, 30.0];
        let rois = sides.map(|side| Roi { image: 1, corners: square(0.0, side).into() });
        let own = pooled(&levels, 512, &rois, 7, Pooling::Align);
        assert_eq!(own.dims(), [5, 3, 7, 7]);
        let first: Vec<f32> = own.slice([0..5, 0..1, 0..1, 0..1]).into_data().iter().collect();
        assert_eq!(first, [3.0, 0.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn whoever_says_what_is_wanted_has_no_loss_and_finds_the_object() {
        let device = device::open("cpu").unwrap();
        let object = Object { label: 1, bounding_box: square(10.0, 20.0), mask: None };
        let proposals = vec![vec![square(12.0, 20.0), square(60.0, 20.0)], vec![square(0.0, 9.0)]];
        let truth = [vec![object.clone()], vec![]];
        let sampled = Sampled::draw(proposals, &truth, 16, 3);
        // A quarter of 16 may be objects: the first proposal and the object itself.
        assert_eq!((sampled.rois.len(), &sampled.labels[..]), (4, &[2, 2, 0, 0][..]));
        let (mut logits, mut numbers) = (vec![-30.0; 12], vec![0.0; 48]);
        for (row, &label) in sampled.labels.iter().enumerate() {
            logits[row * 3 + label] = 30.0;
        }
        for (row, own) in &sampled.objects {
            numbers[(row * 3 + 2) * 4..][..4].copy_from_slice(own);
        }
        let tables = (table(logits.clone(), 3, &device), table(numbers.clone(), 12, &device));
        let [classes, boxes] = sampled.loss(tables.0, tables.1);
        assert!(classes.into_scalar::<f32>() < 1e-6 && boxes.into_scalar::<f32>() < 1e-6);
        let found = detections(&logits, &numbers, &sampled.rois, &[[100, 100]; 2]);
        assert_eq!((found[0].len(), found[1].len()), (2, 0));
        for one in &found[0] {
            assert!(one.label == 1 && one.score > 0.999);
            assert!(one.bounding_box.iou(&object.bounding_box) > 0.999);
        }
        assert!(Sampled::draw(vec![vec![]], &[vec![]], 16, 3).rois.is_empty());
    }
}
