//! RetinaNet: one stage on a pyramid of maps, with the focal loss.
//!
//! T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal Loss for Dense Object Detection",
//! ICCV (2017); T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", CVPR (2017).
//!
//! Differs from the paper, as torchvision does, whose names the layers have: box regression by the
//! absolute error, not its smooth form; P6 is made of P5, not of C5.
//!
//! Differs from both:
//! - the smallest anchor is as large as the small boxes of the data (`scale` strides, between 1
//!   and 4), where theirs is always 4 strides, 32 pixels: images of 64 pixels have objects of 10;
//! - without weights of others the backbone's batch normalisation learns;
//! - images are letterboxed to a square, not resized to a shorter side of 800;
//! - AdamW and the average of the weights.

use super::detector::{DetectorConfig, Published, Seen};
use super::resnet_fpn::{self, ResNetFpn};
use crate::detection::Detection;
use crate::parts::anchors::{cell, grid};
use crate::parts::focal::{self, CANDIDATES, Head};
use crate::parts::nms::{Nms, Suppression};
use crate::parts::pyramid::Coarsest;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::data::{Object, Preprocess};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;

/// Pixels from one place of P3 to the next; each further level doubles it.
const STRIDE: usize = 8;
/// P3 to P7.
const LEVELS: usize = 5;
/// Height over width.
const RATIOS: [f32; 3] = [0.5, 1.0, 2.0];

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetinaNetConfig {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the input, a multiple of 32.
    pub side: usize,
    /// The smallest anchor of a level, in strides of the level.
    pub scale: f32,
    /// What P6 is made of; runs that do not say so made it of C5.
    #[serde(default)]
    pub p6_of: Coarsest,
    /// Whether the backbone's normalisation stays as it is, without an epsilon: weights of others.
    #[serde(default)]
    pub frozen: bool,
}

/// The network.
#[derive(Module, Debug)]
pub struct RetinaNet {
    backbone: ResNetFpn,
    head: Head,
}

impl RetinaNet {
    /// Images `[batch, 3, rows, columns]` to logits `[batch, anchors, classes]` and boxes
    /// `[batch, anchors, 4]`, level by level.
    pub fn forward(
        &self,
        images: Tensor<4>,
        &RetinaNetConfig { classes, p6_of, .. }: &RetinaNetConfig,
    ) -> (Tensor<3>, Tensor<3>) {
        self.head.forward(&self.backbone.forward(images, p6_of), classes)
    }
}

impl RetinaNetConfig {
    /// The anchors of images of so many rows and columns in pixels, level by level, in the order of
    /// the network's outputs.
    pub fn anchors(&self, image: [usize; 2]) -> Vec<Vec<BoundingBox>> {
        let mut size = image;
        let level = |level: usize| {
            // Each level's map is half of the one before, rounded up.
            size = size.map(|size| if level == 0 { size / STRIDE } else { size.div_ceil(2) });
            let least = self.scale * (STRIDE << level) as f32;
            // Whole numbers, as in torchvision.
            let sizes = [0.0, 1.0, 2.0].map(|third: f32| (least * 2f32.powf(third / 3.0)).floor());
            // There strides are whole parts of the image, also where a map was rounded up.
            grid(&cell(&sizes, &RATIOS), size, [image[0] / size[0], image[1] / size[1]])
        };
        (0..LEVELS).map(level).collect()
    }
}

impl DetectorConfig for RetinaNetConfig {
    type Network = RetinaNet;

    const FIXED: &'static [&'static str] = &["classes", "frozen"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 32",
            "scale" => "the smallest anchor of a level in strides of the level, 1 to 4",
            "p6_of" => {
                "what the two coarsest levels are made of: c5 (the paper) or p5 (torchvision)"
            }
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let (side, scale) = resnet_fpn::suited(seen, STRIDE, 4.0);
        Self { classes: seen.classes, side, scale, p6_of: Coarsest::P5, frozen: false }
    }

    fn check(&self) -> Result<(), String> {
        resnet_fpn::check(self.side, self.scale)
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> RetinaNet {
        let anchors = RATIOS.len() * 3;
        RetinaNet {
            backbone: ResNetFpn::new(1, Some(self.p6_of), self.frozen, device), // C3, C4, C5
            head: Head::new(anchors, self.classes, device),
        }
    }

    fn preprocess(&self) -> Preprocess {
        resnet_fpn::square(self.side)
    }

    fn published(classes: usize) -> Option<Published<Self>> {
        let config = Self { classes, side: 1344, scale: 4.0, p6_of: Coarsest::P5, frozen: true };
        let candidates = CANDIDATES * LEVELS;
        let nms = Nms { suppression: Suppression::Hard(0.5), score: 0.05, candidates, keep: 300 };
        Some(Published { config, preprocess: resnet_fpn::torchvision(), nms })
    }

    fn loss(&self, network: &RetinaNet, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let [_, _, rows, columns] = images.dims();
        let (logits, boxes) = network.forward(images, self);
        focal::loss(logits, boxes, &self.anchors([rows, columns]).concat(), truth)
    }

    fn detect(
        &self,
        network: &RetinaNet,
        images: Tensor<4>,
        _: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let [_, _, rows, columns] = images.dims();
        let (logits, boxes) = network.forward(images, self);
        focal::found(logits, boxes, &self.anchors([rows, columns]), [rows, columns])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::detector::values;
    use crate::parts::anchors::cell;
    use tenfold_core::device;
    use tenfold_core::weights::module_keys;

    fn config(side: usize) -> RetinaNetConfig {
        RetinaNetConfig { classes: 3, side, scale: 2.0, p6_of: Coarsest::P5, frozen: false }
    }

    #[test]
    fn as_many_anchors_as_outputs() {
        let device = device::open("cpu").unwrap();
        let config = config(64);
        // 8, 4, 2, 1 and 1 rows.
        assert_eq!(config.anchors([64; 2]).concat().len(), 9 * (64 + 16 + 4 + 1 + 1));
        let network = config.init(&device);
        let (logits, boxes) = network.forward(Tensor::zeros([1, 3, 64, 64], &device), &config);
        assert_eq!((logits.dims(), boxes.dims()), ([1, 774, 3], [1, 774, 4]));
        let first = config.anchors([64; 2])[0][0];
        assert_eq!(first, cell(&[16.0], &[0.5])[0]);
        // Names of torchvision's weights.
        let keys: Vec<String> = module_keys(&network).into_iter().map(|(key, _)| key).collect();
        for name in [
            "backbone.body.layer3.5.conv2.weight",
            "backbone.fpn.inner_blocks.2.0.weight",
            "backbone.fpn.extra_blocks.p7.bias",
            "head.classification_head.conv.3.0.bias",
            "head.regression_head.bbox_reg.weight",
        ] {
            assert!(keys.iter().any(|key| key == name), "{name}: {keys:?}");
        }
    }

    #[test]
    fn images_with_and_without_objects() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let config = config(64);
        let network = config.init(&device);
        let own =
            Object { label: 1, bounding_box: BoundingBox::new(8.0, 8.0, 30.0, 24.0), mask: None };
        for truth in [vec![vec![], vec![]], vec![vec![own], vec![]]] {
            let loss = config.loss(&network, Tensor::ones([2, 3, 64, 64], &device), &truth);
            assert!(values(loss.total)[0].is_finite());
        }
    }
}
