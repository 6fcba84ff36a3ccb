//! Faster R-CNN on a feature pyramid: a network proposes regions, a second one says what they are.
//!
//! S. Ren, K. He, R. Girshick, J. Sun, "Faster R-CNN: Towards Real-Time Object Detection with
//! Region Proposal Networks", NIPS (2015); T.-Y. Lin et al., "Feature Pyramid Networks for Object
//! Detection", CVPR (2017).
//!
//! Differs from the papers, as torchvision does, whose names the layers have: RoI align in place
//! of RoI pooling; both stages trained jointly, in one step; boxes by the smooth absolute error
//! with beta 1/9; a box for each class.
//!
//! Differs from both, where no weights of others are used (theirs have torchvision's way from an
//! image to its boxes):
//! - anchors are as large as the data's small boxes ask for (`scale` strides, 1 to 8), where
//!   theirs are always 8 strides, 32 pixels at the finest level;
//! - the backbone's batch normalisation learns;
//! - images are letterboxed to a square, not resized to a shorter side of 800;
//! - on squares below 256 pixels 64 regions are sampled of an image in training and 100 looked at
//!   afterwards, where theirs are 512 and 1,000;
//! - losses are means over images, not over the regions of a batch;
//! - AdamW and the average of the weights.

use super::detector::{DetectorConfig, Published, Seen};
use super::resnet_fpn::{self, ResNetFpn};
use crate::detection::Detection;
use crate::parts::anchors::cell;
use crate::parts::nms::{Nms, Suppression};
use crate::parts::proposals::{self, Rpn};
use crate::parts::pyramid::{CHANNELS, Coarsest};
use crate::parts::regions::Pooling;
use crate::parts::two_stage::{RoiHeads, Second, TwoStages};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::data::{Object, Preprocess};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;

/// P2 to P5, on which regions are looked at; anchors have P6, too.
const LEVELS: usize = 4;
/// Pixels from one place of P2 to the next; each further level doubles it.
const STRIDE: usize = 4;
/// Height over width.
const RATIOS: [f32; 3] = [0.5, 1.0, 2.0];
/// Units of the hidden layers.
const UNITS: usize = 1024;

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FasterRcnnConfig {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the input, a multiple of 32.
    pub side: usize,
    /// The side of a level's anchors, in strides of the level.
    pub scale: f32,
    /// Regions of an image that a training step learns from.
    pub samples: usize,
    /// Regions of an image that are looked at afterwards.
    pub proposals: usize,
    /// Whether the backbone's normalisation stays as it is, without an epsilon: weights of others.
    #[serde(default)]
    pub frozen: bool,
}

/// The network.
#[derive(Module, Debug)]
pub struct FasterRcnn {
    backbone: ResNetFpn,
    rpn: Rpn,
    roi_heads: RoiHeads,
}

impl FasterRcnn {
    /// Images `[batch, 3, height, width]` to P2 to P6.
    fn levels(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        self.backbone.forward(images, Coarsest::P5)
    }
}

impl FasterRcnnConfig {
    /// Anchors of each level on images of a height and width.
    fn anchors(&self, levels: &[Tensor<4>], padded: [usize; 2]) -> Vec<Vec<BoundingBox>> {
        let own = |level: usize| cell(&[self.scale * (STRIDE << level) as f32], &RATIOS);
        let cells: Vec<_> = (0..levels.len()).map(own).collect();
        proposals::anchors(&cells, levels, padded)
    }

    fn stages<'a>(
        &self,
        FasterRcnn { rpn, roi_heads: heads, .. }: &'a FasterRcnn,
        anchors: &'a [Vec<BoundingBox>],
    ) -> TwoStages<'a> {
        let second = Second { heads, pooling: Pooling::Align, samples: self.samples };
        TwoStages { rpn, anchors, proposals: self.proposals, second, levels: LEVELS }
    }
}

impl DetectorConfig for FasterRcnnConfig {
    type Network = FasterRcnn;

    const FIXED: &'static [&'static str] = &["classes", "frozen"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 32",
            "scale" => "the side of a level's anchors in strides of the level, 1 to 8",
            "samples" => "regions of an image that a training step learns from",
            "proposals" => "regions of an image that are looked at afterwards",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let (side, scale) = resnet_fpn::suited(seen, STRIDE, 8.0);
        let (samples, proposals) = if side < 256 { (64, 100) } else { (512, 1000) };
        Self { classes: seen.classes, side, scale, samples, proposals, frozen: false }
    }

    fn check(&self) -> Result<(), String> {
        resnet_fpn::check(self.side, self.scale)?;
        let counts = [("samples", self.samples, 4), ("proposals", self.proposals, 1)];
        match counts.into_iter().find(|(_, count, least)| !(*least..=5000).contains(count)) {
            Some((name, count, least)) => Err(format!("{name}={count}: expected {least} to 5000")),
            None => Ok(()),
        }
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> FasterRcnn {
        FasterRcnn {
            backbone: ResNetFpn::new(0, None, self.frozen, device),
            rpn: Rpn::new(CHANNELS, RATIOS.len(), device),
            roi_heads: RoiHeads::new(CHANNELS, UNITS, self.classes, device),
        }
    }

    fn preprocess(&self) -> Preprocess {
        resnet_fpn::square(self.side)
    }

    fn nms(&self) -> Nms {
        // Of a region at most 19 classes have a score above 0.05.
        let candidates = 19 * self.proposals;
        Nms { suppression: Suppression::Hard(0.5), score: 0.05, candidates, keep: 100 }
    }

    fn published(classes: usize) -> Option<Published<Self>> {
        let (side, scale, samples, proposals) = (1344, 8.0, 512, 1000);
        let config = Self { classes, side, scale, samples, proposals, frozen: true };
        Some(Published { nms: config.nms(), config, preprocess: resnet_fpn::torchvision() })
    }

    fn loss(&self, network: &FasterRcnn, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let [_, _, height, width] = images.dims();
        let levels = network.levels(images);
        let anchors = self.anchors(&levels, [height, width]);
        self.stages(network, &anchors).loss(&levels, [height, width], truth)
    }

    fn detect(
        &self,
        network: &FasterRcnn,
        images: Tensor<4>,
        sizes: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let [_, _, height, width] = images.dims();
        let levels = network.levels(images);
        let anchors = self.anchors(&levels, [height, width]);
        self.stages(network, &anchors).detect(&levels, height, sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::detector::values;
    use tenfold_core::device;
    use tenfold_core::train::random_stream;
    use tenfold_kernels::nn::Linear;

    fn config() -> FasterRcnnConfig {
        let seen = Seen { image: [64, 50], sides: vec![[0.2, 0.25]; 9], ..Seen::example(3, 1) };
        FasterRcnnConfig::new(&seen)
    }

    #[test]
    fn anchors_and_choices_of_small_images() {
        let config = config();
        assert_eq!(
            (config.side, config.scale, config.samples, config.proposals),
            (64, 4.0, 64, 100)
        );
        let device = device::open("cpu").unwrap();
        let network = config.init(&device);
        let levels = network.levels(Tensor::zeros([1, 3, 64, 64], &device));
        let anchors = config.anchors(&levels, [64, 64]);
        let counts: Vec<usize> = anchors.iter().map(Vec::len).collect();
        assert_eq!(counts, [768, 192, 48, 12, 3]);
        assert_eq!(anchors[0][1], BoundingBox::new(-8.0, -8.0, 8.0, 8.0));
        let (logits, numbers) = network.rpn.forward(&levels);
        assert_eq!((logits.dims(), numbers.dims()), ([1, 1023], [1, 1023, 4]));
        for wrong in [
            FasterRcnnConfig { side: 40, ..config.clone() },
            FasterRcnnConfig { samples: 2, ..config.clone() },
            FasterRcnnConfig { proposals: 0, ..config.clone() },
            FasterRcnnConfig { scale: f32::NAN, ..config },
        ] {
            assert!(wrong.check().is_err());
        }
    }

    #[test]
    fn images_with_and_without_objects_and_gradients_for_both_stages() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let _stream = random_stream();
        let config = config();
        let network = config.init(&device);
        let own =
            Object { label: 1, bounding_box: BoundingBox::new(8.0, 8.0, 30.0, 24.0), mask: None };
        for truth in [vec![vec![], vec![]], vec![vec![own], vec![]]] {
            let loss = config.loss(&network, Tensor::ones([2, 3, 64, 64], &device), &truth);
            assert!(values(loss.total.clone())[0].is_finite());
            let shown: Vec<f32> = loss.shown.iter().map(|(_, x)| values(x.clone())[0]).collect();
            assert!((shown[0] - shown[1..].iter().sum::<f32>()).abs() < 1e-4, "{shown:?}");
            let gradients = loss.total.backward();
            let RoiHeads { box_head, box_predictor } = &network.roi_heads;
            let none = |layer: &Linear| {
                let own = layer.weight.grad(&gradients);
                own.is_none_or(|own| values(own.abs().sum())[0] == 0.0)
            };
            assert!(!none(&box_head.fc6) && !none(&box_predictor.cls_score));
            assert_eq!(none(&box_predictor.bbox_pred), truth[0].is_empty());
            assert!(network.backbone.body().conv1.weight.grad(&gradients).is_some());
        }
    }

    #[test]
    fn frozen_normalisation_stays() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let _stream = random_stream();
        let config = FasterRcnnConfig { frozen: true, ..config() };
        let network = config.init(&device);
        let norm = &network.backbone.body().layer3[2].bn2;
        assert!(norm.epsilon == 0.0 && !norm.gamma.is_require_grad());
        let loss = config.loss(&network, Tensor::ones([1, 3, 64, 64], &device), &[vec![]]);
        let gradients = loss.total.backward();
        let body = network.backbone.body();
        assert!(body.bn1.gamma.grad(&gradients).is_none());
        assert!(body.conv1.weight.grad(&gradients).is_some());
        assert_eq!(values(body.bn1.running_mean.value())[0], 0.0);
    }
}
