//! SSD: default boxes on maps of six or seven sizes, and a class for each.
//!
//! W. Liu, D. Anguelov, D. Erhan, C. Szegedy, S. Reed, C.-Y. Fu, A. C. Berg, "SSD: Single Shot
//! MultiBox Detector", ECCV (2016). The names of the layers are torchvision's.
//!
//! Differs from the paper:
//! - SSD300's default boxes have the sizes for COCO, as torchvision's: 0.07, then 0.15 to 0.87 of
//!   the side, in place of 0.1, then 0.2 to 0.9;
//! - without weights of others the layers of VGG begin as He et al. (2015) derive it;
//! - images of fewer pixels than half of the side are doubled only (`side`): the last maps, for
//!   which they have no room, are left out, and the sizes are spread over those that remain;
//! - AdamW and the average of the weights, and this crate's augmentation.

use super::detector::{DetectorConfig, Published, Seen};
use crate::detection::Detection;
use crate::parts::anchors::{SsdMap, ssd};
use crate::parts::multibox::{self, CANDIDATES, Head, LEAST};
use crate::parts::nms::{Nms, Suppression};
use burn::module::{Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Initializer, PaddingConfig2d, Relu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_classification::models::layers::{MapLayer, he, maps, max_pool};
use tenfold_core::data::{Object, Preprocess, Resize};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;
use tenfold_kernels::nn::Conv2d;

/// VGG16's convolutions before each pool, and their channels.
const VGG: [(usize, usize); 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];
/// Channels of fc6 and fc7.
const FC: usize = 1024;
/// Inner and outer channels of the layers behind fc7.
const EXTRAS: [[usize; 2]; 5] = [[256, 512], [128, 256], [128, 256], [128, 256], [128, 256]];
/// What conv4_3 is multiplied by after its normalisation, at the start.
const SCALE: f64 = 20.0;
/// The mean of ImageNet's images, as SSD's VGG knows it; values stay in 0..255.
const MEAN: [f32; 3] = [0.48235, 0.45882, 0.40784];

/// The choices: `SIDE` is 300 or 512, the paper's two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SsdConfig<const SIDE: usize> {
    /// Classes, without the background.
    pub classes: usize,
    /// Rows and columns of the input.
    pub side: usize,
}

/// How a layer behind fc7 makes maps smaller.
struct Extra {
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl<const SIDE: usize> SsdConfig<SIDE> {
    /// Whether this is the larger of the paper's two networks.
    const LARGE: bool = SIDE == 512;

    /// The last convolution of each layer behind fc7.
    fn extra(place: usize) -> Extra {
        let (kernel, stride, padding) = match (Self::LARGE, place) {
            (true, 4) => (4, 1, 1),
            (false, 2..) => (3, 1, 0),
            _ => (3, 2, 1),
        };
        Extra { kernel, stride, padding }
    }

    /// Rows and columns of the maps that boxes are found on.
    fn sizes(&self) -> Vec<usize> {
        let conv4_3 = (self.side / 4).div_ceil(2);
        let mut sizes = vec![conv4_3, conv4_3 / 2];
        for place in 0..if Self::LARGE { 5 } else { 4 } {
            let Extra { kernel, stride, padding } = Self::extra(place);
            let last = sizes[sizes.len() - 1];
            if last + 2 * padding < kernel || last == 1 {
                break;
            }
            sizes.push((last + 2 * padding - kernel) / stride + 1);
        }
        sizes
    }

    /// The default boxes of each map.
    fn maps(&self) -> Vec<SsdMap> {
        let sizes = self.sizes();
        let (most, step) = if Self::LARGE { (0.9, 0.15) } else { (0.87, 0.18) };
        let scale = |map: usize| match map {
            0 => 0.07,
            map if map == sizes.len() => most + step,
            map => 0.15 + (most - 0.15) * (map - 1) as f64 / (sizes.len() - 2).max(1) as f64,
        };
        // Maps of few places have no long boxes: the last two, of SSD300 the first, too.
        let last = if Self::LARGE { 5 } else { 4 };
        let one = |(map, &size): (usize, &usize)| SsdMap {
            map: [size; 2],
            stride: if map < 4 { 8 << map } else { self.side / size },
            scale: scale(map) as f32,
            next: scale(map + 1) as f32,
            ratios: if map == 0 || map >= last { vec![2.0] } else { vec![2.0, 3.0] },
        };
        sizes.iter().enumerate().map(one).collect()
    }

    /// All default boxes in pixels, in the order of the network's outputs.
    pub fn anchors(&self) -> Vec<BoundingBox> {
        ssd(&self.maps(), self.side)
    }

    /// Classes and the background, which is the first output.
    fn outputs(&self) -> usize {
        self.classes + 1
    }
}

/// A layer, or a row of layers: fc6 and fc7 stand in one of their own.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a few per network")]
pub enum Step {
    /// One.
    Layer(MapLayer),
    /// Several.
    Row(Vec<MapLayer>),
}

/// VGG16 and the layers behind it.
#[derive(Module, Debug)]
pub struct Features {
    scale_weight: Param<Tensor<1>>,
    features: Vec<MapLayer>,
    extra: Vec<Vec<Step>>,
}

/// The network.
#[derive(Module, Debug)]
pub struct Ssd {
    backbone: Features,
    head: Head,
}

impl Features {
    fn forward(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = maps(&self.features, images); // [batch, 512, 38, 38]
        let length = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
        let scale = self.scale_weight.val().reshape([1, -1, 1, 1]);
        let mut out = vec![x.clone() / length * scale];
        for steps in &self.extra {
            x = steps.iter().fold(x, |x, step| match step {
                Step::Layer(layer) => layer.forward(x),
                Step::Row(layers) => maps(layers, x),
            });
            out.push(x.clone());
        }
        out
    }
}

impl Ssd {
    /// Images `[batch, 3, side, side]` to logits `[batch, boxes, outputs]` and boxes
    /// `[batch, boxes, 4]`.
    pub fn forward(&self, images: Tensor<4>, outputs: usize) -> (Tensor<3>, Tensor<3>) {
        self.head.forward(&self.backbone.forward(images), outputs)
    }
}

fn conv(
    [inputs, outputs]: [usize; 2],
    Extra { kernel, stride, padding }: Extra,
    dilation: usize,
    first: Initializer,
    device: &Device,
) -> Conv2d {
    let mut own = Conv2dConfig::new([inputs, outputs], [kernel; 2])
        .with_stride([stride; 2])
        .with_dilation([dilation; 2])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_initializer(first)
        .init(device);
    own.bias = Some(Initializer::Zeros.init([outputs], device));
    own.into()
}

impl<const SIDE: usize> DetectorConfig for SsdConfig<SIDE> {
    type Network = Ssd;

    const FIXED: &'static [&'static str] = &["classes"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, 64 at least; fewer have fewer maps",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let longest = seen.image[0].max(seen.image[1]);
        Self { classes: seen.classes, side: (2 * longest).clamp(128, SIDE) }
    }

    fn check(&self) -> Result<(), String> {
        match (64..=4096).contains(&self.side) {
            true => Ok(()),
            false => Err(format!("side={}: expected 64 to 4096", self.side)),
        }
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> Ssd {
        let same = |kernel| Extra { kernel, stride: 1, padding: kernel / 2 };
        let relu = |conv: Conv2d| [MapLayer::Conv(conv), MapLayer::Relu(Relu)];
        let mut groups = Vec::new();
        let mut inputs = 3;
        for (count, outputs) in VGG {
            let mut group = Vec::new();
            for _ in 0..count {
                group.extend(relu(conv([inputs, outputs], same(3), 1, he(true), device)));
                inputs = outputs;
            }
            groups.push(group);
        }
        // The third pool rounds up, so that SSD300's maps have 38 rows.
        let pool = |place: usize| MapLayer::Pool(max_pool(2, 2, 0, place == 2));
        let last = groups.pop().unwrap_or_default();
        let mut features = Vec::new();
        for (place, group) in groups.into_iter().enumerate() {
            features.extend((place > 0).then(|| pool(place - 1)));
            features.extend(group);
        }
        let glorot = || Initializer::XavierUniform { gain: 1.0 };
        let wide = Extra { kernel: 3, stride: 1, padding: 6 };
        let mut fc = vec![MapLayer::Pool(max_pool(3, 1, 1, false))];
        fc.extend(relu(conv([inputs, FC], wide, 6, glorot(), device)));
        fc.extend(relu(conv([FC, FC], same(1), 1, glorot(), device)));
        let mut first = vec![Step::Layer(pool(3))];
        first.extend(last.into_iter().map(Step::Layer));
        first.push(Step::Row(fc));
        let (mut extra, mut channels) = (vec![first], vec![VGG[3].1, FC]);
        for (place, [inner, outer]) in EXTRAS.into_iter().take(self.sizes().len() - 2).enumerate() {
            let inputs = channels[channels.len() - 1];
            let narrow = relu(conv([inputs, inner], same(1), 1, glorot(), device));
            let small = relu(conv([inner, outer], Self::extra(place), 1, glorot(), device));
            extra.push(narrow.into_iter().chain(small).map(Step::Layer).collect());
            channels.push(outer);
        }
        let boxes = self.maps().into_iter().map(|map| 2 + 2 * map.ratios.len());
        let places: Vec<[usize; 2]> =
            channels.iter().zip(boxes).map(|(&inputs, boxes)| [inputs, boxes]).collect();
        let scale = Initializer::Constant { value: SCALE };
        Ssd {
            backbone: Features { scale_weight: scale.init([VGG[3].1], device), features, extra },
            head: Head::new(&places, self.outputs(), device),
        }
    }

    fn preprocess(&self) -> Preprocess {
        let (mean, std) = (MEAN.to_vec(), vec![1.0 / 255.0; 3]);
        let resize = Resize::Interpolate;
        Preprocess::Image { channels: 3, height: self.side, width: self.side, resize, mean, std }
    }

    fn nms(&self) -> Nms {
        // The cap is that of each class.
        let candidates = CANDIDATES * self.classes;
        Nms { suppression: Suppression::Hard(0.45), score: LEAST, candidates, keep: 200 }
    }

    fn published(classes: usize) -> Option<Published<Self>> {
        let own = Self { classes, side: SIDE };
        Some(Published { preprocess: own.preprocess(), nms: own.nms(), config: own })
    }

    fn loss(&self, network: &Ssd, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let (logits, boxes) = network.forward(images, self.outputs());
        multibox::loss(logits, boxes, &self.anchors(), truth)
    }

    fn detect(&self, network: &Ssd, images: Tensor<4>, _: &[[usize; 2]]) -> Vec<Vec<Detection>> {
        let (logits, boxes) = network.forward(images, self.outputs());
        multibox::found(logits, boxes, &self.anchors(), self.side)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::detector::values;
    use tenfold_core::device;

    #[test]
    fn as_many_default_boxes_as_in_the_paper() {
        let anchors = |own: &[usize], boxes: usize| (own.to_vec(), boxes);
        let small = SsdConfig::<300> { classes: 20, side: 300 };
        let large = SsdConfig::<512> { classes: 20, side: 512 };
        let of = (small.sizes(), small.anchors().len());
        assert_eq!(of, anchors(&[38, 19, 10, 5, 3, 1], 8732));
        let of = (large.sizes(), large.anchors().len());
        assert_eq!(of, anchors(&[64, 32, 16, 8, 4, 2, 1], 24564));
        // torchvision: DefaultBoxGenerator of ssd300_vgg16.
        let scales: Vec<f32> = small.maps().iter().map(|map| map.scale).collect();
        assert_eq!(scales, [0.07, 0.15, 0.33, 0.51, 0.69, 0.87]);
        let strides: Vec<usize> = small.maps().iter().map(|map| map.stride).collect();
        assert_eq!(strides, [8, 16, 32, 64, 100, 300]);
        let strides: Vec<usize> = large.maps().iter().map(|map| map.stride).collect();
        assert_eq!(strides, [8, 16, 32, 64, 128, 256, 512]);
    }

    #[test]
    fn as_many_outputs_as_boxes_whatever_the_side() {
        let device = device::open("cpu").unwrap();
        for side in [64, 100, 128] {
            let config = SsdConfig::<300> { classes: 2, side };
            let network = config.init(&device);
            let (logits, boxes) = network.forward(Tensor::zeros([1, 3, side, side], &device), 3);
            let count = config.anchors().len();
            assert_eq!((logits.dims(), boxes.dims()), ([1, count, 3], [1, count, 4]), "{side}");
        }
    }

    #[test]
    fn the_loss_of_what_is_said_right_is_small() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let config = SsdConfig::<300> { classes: 2, side: 64 };
        let network = config.init(&device);
        let images = || Tensor::ones([2, 3, 64, 64], &device);
        let own =
            Object { label: 1, bounding_box: BoundingBox::new(8.0, 8.0, 30.0, 24.0), mask: None };
        let loss = |truth: &[Vec<Object>]| values(config.loss(&network, images(), truth).total)[0];
        assert_eq!(loss(&[vec![], vec![]]), 0.0);
        let both = loss(&[vec![own.clone()], vec![own.clone()]]);
        let once = loss(&[vec![own], vec![]]);
        // Divided by the objects of the batch, which are the same in both images.
        assert!(both > 0.0 && (both - once).abs() < 1e-3 * both, "{both} {once}");
    }
}
