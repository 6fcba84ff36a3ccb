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

use super::detector::{DetectorConfig, Published, Seen, values};
use super::resnet_fpn::{self, ResNetFpn};
use crate::detection::Detection;
use crate::parts::anchors::{cell, grid};
use crate::parts::coder::{DeltaCoder, sigmoid};
use crate::parts::losses::{places, table};
use crate::parts::matcher::{Match, Matcher};
use crate::parts::nms::{Nms, Suppression};
use crate::parts::pyramid::{CHANNELS, Coarsest, Named, conv};
use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::activation::{log_sigmoid, sigmoid as sigmoids};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tenfold_core::data::{Object, Preprocess};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;
use tenfold_kernels::nn::Conv2d;
use tenfold_kernels::ops::Activation;

/// Convolutions before the last one of each head.
const DEPTH: usize = 4;
/// Pixels from one place of P3 to the next; each further level doubles it.
const STRIDE: usize = 8;
/// P3 to P7.
const LEVELS: usize = 5;
/// Height over width.
const RATIOS: [f32; 3] = [0.5, 1.0, 2.0];
/// At the start every anchor is an object with this probability.
const PRIOR: f64 = 0.01;
/// The focal loss: the weight of objects, and how little easy anchors count.
const ALPHA: f32 = 0.25;
const GAMMA: i32 = 2;
/// Less is not worth a candidate.
const LEAST: f32 = 0.01;
/// Candidates of each level.
const CANDIDATES: usize = 1000;

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

/// Both heads, the same for all levels.
#[derive(Module, Debug)]
pub struct Head {
    classification_head: Classification,
    regression_head: Regression,
}

/// The network.
#[derive(Module, Debug)]
pub struct RetinaNet {
    backbone: ResNetFpn,
    head: Head,
}

/// Four convolutions and the last one, rows of `numbers` for each anchor:
/// `[batch, anchors, numbers]`.
fn through(convs: &[Named], last: &Conv2d, map: Tensor<4>, numbers: usize) -> Tensor<3> {
    let x = convs.iter().fold(map, |x, conv| conv[0].forward_with(x, Activation::Relu));
    let x = last.forward(x); // [batch, anchors of a place * numbers, rows, columns]
    let batch = x.dims()[0];
    x.permute([0, 2, 3, 1]).reshape([batch as i32, -1, numbers as i32])
}

impl RetinaNet {
    /// Images `[batch, 3, rows, columns]` to logits `[batch, anchors, classes]` and boxes
    /// `[batch, anchors, 4]`, level by level.
    pub fn forward(
        &self,
        images: Tensor<4>,
        &RetinaNetConfig { classes, p6_of, .. }: &RetinaNetConfig,
    ) -> (Tensor<3>, Tensor<3>) {
        let levels = self.backbone.forward(images, p6_of);
        let Head { classification_head: said, regression_head: at } = &self.head;
        let logits =
            levels.iter().map(|map| through(&said.conv, &said.cls_logits, map.clone(), classes));
        let boxes = levels.iter().map(|map| through(&at.conv, &at.bbox_reg, map.clone(), 4));
        (Tensor::cat(logits.collect(), 1), Tensor::cat(boxes.collect(), 1))
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
        let tower = || (0..DEPTH).map(|_| vec![conv([CHANNELS; 2], 3, 1, 0.01, device)]).collect();
        let anchors = RATIOS.len() * 3;
        let mut cls_logits = conv([CHANNELS, anchors * self.classes], 3, 1, 0.01, device);
        let prior = Initializer::Constant { value: -((1.0 - PRIOR) / PRIOR).ln() };
        cls_logits.bias = Some(prior.init([anchors * self.classes], device));
        RetinaNet {
            backbone: ResNetFpn::new(1, Some(self.p6_of), self.frozen, device), // C3, C4, C5
            head: Head {
                classification_head: Classification { conv: tower(), cls_logits },
                regression_head: Regression {
                    conv: tower(),
                    bbox_reg: conv([CHANNELS, anchors * 4], 3, 1, 0.01, device),
                },
            },
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
        let (device, count, classes) = (images.device(), truth.len(), self.classes);
        let [_, _, rows, columns] = images.dims();
        let (logits, boxes) = network.forward(images, self);
        let anchors = self.anchors([rows, columns]).concat();
        let matched = |objects: &Vec<Object>| {
            let boxes: Vec<BoundingBox> =
                objects.iter().map(|object| object.bounding_box).collect();
            Matcher::RETINANET.apply(&anchors, &boxes)
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
                        deltas.extend(
                            DeltaCoder::PLAIN.encode(&object.bounding_box, &anchors[anchor]),
                        );
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
        let total = classification.clone() + regression.clone();
        let shown =
            vec![("loss", total.clone()), ("class_loss", classification), ("box_loss", regression)];
        Loss { total, shown, count }
    }

    fn detect(
        &self,
        network: &RetinaNet,
        images: Tensor<4>,
        _: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let [_, _, rows, columns] = images.dims();
        let (logits, boxes) = network.forward(images, self);
        let (logits, boxes) = (values(logits), values(boxes));
        let levels = self.anchors([rows, columns]);
        let count: usize = levels.iter().map(Vec::len).sum();
        let image = |(logits, boxes): (&[f32], &[f32])| {
            let (mut all, mut first) = (Vec::new(), 0);
            for anchors in &levels {
                let own = &logits[first * self.classes..][..anchors.len() * self.classes];
                let scores = own.iter().map(|&logit| sigmoid(logit)).enumerate();
                let mut good: Vec<(usize, f32)> =
                    scores.filter(|(_, score)| *score >= LEAST).collect();
                good.sort_by(|a, b| b.1.total_cmp(&a.1));
                good.truncate(CANDIDATES);
                all.extend(good.into_iter().map(|(place, score)| {
                    let (anchor, label) = (place / self.classes, place % self.classes);
                    let at = &boxes[(first + anchor) * 4..];
                    let numbers = [at[0], at[1], at[2], at[3]];
                    let own = DeltaCoder::PLAIN.decode(numbers, &anchors[anchor]);
                    Detection { label, score, bounding_box: own.clip(columns, rows) }
                }));
                first += anchors.len();
            }
            all
        };
        let logits = logits.par_chunks(count * self.classes);
        logits.zip(boxes.par_chunks(count * 4)).map(image).collect()
    }
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
    fn the_focal_loss_of_numbers_that_a_person_can_derive() {
        let device = device::open("cpu").unwrap();
        let logits = Tensor::<2>::from_data([[0.0, 0.0, 9.0]], &device);
        let wanted = Tensor::<2>::from_data([[1.0, 0.0, 1.0]], &device);
        let own = values(focal(logits, wanted));
        // -alpha (1 - p)^2 ln p at p = 1/2.
        let expected = 0.25 * 0.25 * 2f32.ln();
        assert!((own[0] - expected).abs() < 1e-6 && (own[1] - 3.0 * expected).abs() < 1e-6);
        assert!(own[2] < 1e-9);
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
