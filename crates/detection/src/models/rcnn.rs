//! R-CNN: regions with features of a convolutional network, each region on its own.
//!
//! R. Girshick, J. Donahue, T. Darrell, J. Malik, "Rich Feature Hierarchies for Accurate Object
//! Detection and Semantic Segmentation", CVPR (2014): selective search, regions with a border of
//! context warped to a square, a network's features of each, a class, and a regression of its box.
//!
//! Differs from the paper:
//! - a softmax over classes and background in place of class SVMs, trained with the network in one
//!   step and not after it (the paper's appendix B compares both);
//! - a residual network for squares of 32 pixels, AlexNet's 227 with `--set backbone=alexnet,warp=224`;
//! - regions are warped bilinearly; what lies beyond the image is its border;
//! - AdamW and the average of the weights.

use super::detector::{DetectorConfig, Seen, values};
use super::resnet_fpn::{square, suited};
use crate::detection::Detection;
use crate::parts::backbone::{self, Backbone};
use crate::parts::losses::{drawn_seed, sum};
use crate::parts::nms::{Nms, Suppression};
use crate::parts::regions::{self, Sampled};
use crate::parts::search;
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::data::{Object, Preprocess};
use tenfold_core::train::Loss;
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::{Roi, RoiAlign, roi_align};

/// A region with its context has so many times its sides: 16 pixels around 195 (the paper's
/// appendix A).
const CONTEXT: f32 = 227.0 / 195.0;
/// Regions that go through the network at once.
const PART: usize = 64;

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RcnnConfig {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the image that regions are cut out of, a multiple of 32.
    pub side: usize,
    /// Rows and columns of a region.
    pub warp: usize,
    /// The backbone's name.
    pub backbone: String,
    /// Regions of an image that are looked at.
    pub proposals: usize,
    /// Regions of an image that a step learns from.
    pub samples: usize,
}

/// The network.
#[derive(Module, Debug)]
pub struct Rcnn {
    backbone: Backbone,
    cls_score: Linear,
    bbox_pred: Linear,
}

impl Rcnn {
    /// Regions `[regions, 3, warp, warp]` to logits `[regions, 1 + classes]` and numbers
    /// `[regions, (1 + classes) * 4]`.
    fn forward(&self, regions: Tensor<4>) -> Option<[Tensor<2>; 2]> {
        let x = self.backbone.forward(regions).pop()?; // [regions, channels, rows, columns]
        let x = x.mean_dim(3).mean_dim(2).flatten(1, 3); // [regions, channels]
        Some([self.cls_score.forward(x.clone()), self.bbox_pred.forward(x)])
    }
}

impl RcnnConfig {
    /// The regions of images, with their context, as squares.
    fn warped(&self, images: Tensor<4>, rois: &[Roi]) -> Tensor<4> {
        let wide = |roi: &Roi| {
            let [x1, y1, x2, y2] = roi.corners;
            let [x, y] = [x2 - x1, y2 - y1].map(|side| side * (CONTEXT - 1.0) / 2.0);
            Roi { corners: [x1 - x, y1 - y, x2 + x, y2 + y], ..*roi }
        };
        let rois: Vec<Roi> = rois.iter().map(wide).collect();
        let output = [self.warp; 2];
        roi_align(images, &rois, RoiAlign { output, scale: 1.0, samples: 2, aligned: true })
    }
}

impl DetectorConfig for RcnnConfig {
    type Network = Rcnn;

    const FIXED: &'static [&'static str] = &["classes"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the image that regions are cut out of, a multiple of 32",
            "warp" => "rows and columns of a region, 32 to 512",
            "backbone" => {
                "a convolutional network of `cargo classification models`, such as resnet18"
            }
            "proposals" => "regions of an image that are looked at",
            "samples" => "regions of an image that a step learns from",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let (side, _) = suited(seen, 4, 16.0);
        let (warp, backbone) = (32, "resnet20".into());
        Self { classes: seen.classes, side, warp, backbone, proposals: 200, samples: 32 }
    }

    fn check(&self) -> Result<(), String> {
        let Self { side, warp, backbone, .. } = self;
        backbone::check(backbone)?;
        if *side == 0 || !side.is_multiple_of(32) || *side > 4096 {
            return Err(format!("side={side}: expected a multiple of 32, 4096 at most"));
        }
        let counts = [
            ("warp", *warp, 32, 512),
            ("samples", self.samples, 4, 5000),
            ("proposals", self.proposals, 1, 5000),
        ];
        match counts.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value)) {
            Some((name, value, least, most)) => {
                Err(format!("{name}={value}: expected {least} to {most}"))
            }
            None => Ok(()),
        }
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> Rcnn {
        let channels =
            backbone::levels(&self.backbone, self.warp).pop().map_or(1, |last| last.channels);
        let linear =
            |outputs: usize| -> Linear { LinearConfig::new(channels, outputs).init(device).into() };
        let backbone = Backbone::new(&self.backbone, self.warp, device);
        Rcnn {
            #[allow(clippy::expect_used, reason = "`check` refuses other names")]
            backbone: backbone.expect("a name of the list"),
            cls_score: linear(1 + self.classes),
            bbox_pred: linear(4 * (1 + self.classes)),
        }
    }

    fn preprocess(&self) -> Preprocess {
        square(self.side)
    }

    fn nms(&self) -> Nms {
        let candidates = 19 * self.proposals;
        Nms { suppression: Suppression::Hard(0.3), score: 0.05, candidates, keep: 100 }
    }

    fn loss(&self, network: &Rcnn, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let [count, _, height, width] = images.dims();
        let seed = drawn_seed(&images.device());
        let sizes = vec![[height, width]; count];
        let own = self.preprocess();
        let proposals = search::in_batch(images.clone().detach(), &own, &sizes, self.proposals);
        let sampled = Sampled::draw(proposals, truth, self.samples, seed);
        let said = network.forward(self.warped(images.clone(), &sampled.rois));
        match said {
            Some([logits, numbers]) if !sampled.rois.is_empty() => {
                let [classes, boxes] = sampled.loss(logits, numbers);
                sum(vec![("class_loss", classes), ("box_loss", boxes)], count)
            }
            _ => Loss::new(network.cls_score.weight.val().sum() * 0.0, count),
        }
    }

    fn detect(
        &self,
        network: &Rcnn,
        images: Tensor<4>,
        sizes: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let own = self.preprocess();
        let rois = regions::rois(&search::in_batch(images.clone(), &own, sizes, self.proposals));
        let (mut logits, mut numbers) = (Vec::new(), Vec::new());
        for part in rois.chunks(PART) {
            if let Some(said) = network.forward(self.warped(images.clone(), part)) {
                let [own, at] = said.map(values);
                logits.extend(own);
                numbers.extend(at);
            }
        }
        regions::detections(&logits, &numbers, &rois, sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;
    use tenfold_core::geometry::BoundingBox;
    use tenfold_core::train::random_stream;

    fn config() -> RcnnConfig {
        let seen = Seen { image: [64, 50], sides: vec![[0.2, 0.25]; 9], ..Seen::example(2, 1) };
        RcnnConfig { samples: 8, ..RcnnConfig::new(&seen) }
    }

    #[test]
    fn a_region_is_warped_with_its_context() {
        let device = device::open("cpu").unwrap();
        // The column of each pixel.
        let row: Vec<f32> = (0..64).map(|x| x as f32).collect();
        let image = Tensor::<1>::from_floats(&row[..], &device).reshape([1, 1, 1, 64]);
        let image = image.repeat_dim(1, 3).repeat_dim(2, 64);
        let rois = [Roi { image: 0, corners: [20.0, 20.0, 40.0, 40.0] }];
        let own = values(config().warped(image, &rois));
        let side = 20.0 * CONTEXT;
        let (first, last) = (30.0 - side / 2.0, 30.0 + side / 2.0);
        // A pixel's centre lies half a pixel behind its number.
        let expected = |at: f32| first + at * side / 32.0 - 0.5;
        assert!((own[0] - expected(0.5)).abs() < 1e-3, "{} {first}", own[0]);
        assert!((own[31] - expected(31.5)).abs() < 1e-3, "{} {last}", own[31]);
    }

    #[test]
    fn images_with_and_without_objects() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let _stream = random_stream();
        let config = config();
        config.check().unwrap();
        let network = config.init(&device);
        let own =
            Object { label: 1, bounding_box: BoundingBox::new(8.0, 8.0, 30.0, 24.0), mask: None };
        let images = || Tensor::ones([2, 3, 64, 64], &device);
        for truth in [vec![vec![], vec![]], vec![vec![own], vec![]]] {
            let loss = config.loss(&network, images(), &truth);
            assert!(values(loss.total.clone())[0].is_finite());
            let gradients = loss.total.backward();
            assert!(network.cls_score.weight.grad(&gradients).is_some());
        }
        assert_eq!(config.detect(&network, images(), &[[64, 64], [64, 40]]).len(), 2);
        for wrong in [
            RcnnConfig { warp: 8, ..config.clone() },
            RcnnConfig { backbone: "resnet".into(), ..config.clone() },
            RcnnConfig { samples: 0, ..config },
        ] {
            assert!(wrong.check().is_err());
        }
    }
}
