//! YOLO v2, small: for CPUs and small images.
//!
//! J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR (2017).
//!
//! As in the paper: anchors by k-means of the data, the centre of a box by a sigmoid inside its
//! cell, its sides as exponentials of a prior's, the objectness that learns the IoU, softmax over
//! classes, a passthrough from the finer map, batch normalisation; the squared errors and weights
//! of its program Darknet.
//!
//! Differs from the paper:
//! - nine convolutions of 16 to 128 channels in place of Darknet-19 with 1,024; ReLU, not leaky;
//! - maps of stride 8, not 32: cells as small as the objects of small images;
//! - what stands above [`Region`]; one size of images in a training, which follows from that of
//!   the objects: half of them have sides of seven cells at most;
//! - AdamW and the average of the weights, not SGD.

use super::detector::{DetectorConfig, Seen};
use super::region::{self, MOST_PRIORS, Region};
use crate::detection::Detection;
use crate::parts::anchors::k_means;
use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_classification::models::layers::{conv, he, max_pool, norm};
use tenfold_core::data::{Object, Preprocess, Resize};
use tenfold_core::train::Loss;
use tenfold_kernels::nn::{BatchNorm, Conv2d, MaxPool2d};
use tenfold_kernels::ops::Epilogue;

/// Pixels of a cell.
const STRIDE: usize = 8;
/// The longest side that images get when nothing is said.
const MOST_SIDE: usize = 320;
/// Images are made so small that half of the objects have no more than these sides, in cells: what
/// a box is made of does not see much farther.
const MOST_CELLS: usize = 7;

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YoloV2SmallConfig {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the input, a multiple of 8.
    pub side: usize,
    /// Channels of the first layer.
    pub width: usize,
    /// How many boxes a cell has.
    pub priors: usize,
    /// Their widths and heights, in parts of the side.
    pub anchors: Vec<[f32; 2]>,
}

/// Convolution, batch normalisation, ReLU.
#[derive(Module, Debug)]
pub struct Layer {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Layer {
    fn new(ends: [usize; 2], kernel: usize, device: &Device) -> Self {
        Self { conv: conv(ends, kernel, 1, he(false), device), norm: norm(ends[1], device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward_with(self.conv.forward(x), Epilogue::Relu)
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct YoloV2Small {
    fine: Vec<Layer>,
    coarse: Vec<Layer>,
    passthrough: Layer,
    joint: Layer,
    head: Conv2d,
    pool: MaxPool2d,
}

impl YoloV2Small {
    /// Images `[batch, 3, side, side]` to `[batch * rows * columns * priors, 5 + classes]`: x, y,
    /// w, h, objectness and classes of each box, all before their functions.
    pub fn forward(&self, images: Tensor<4>, numbers: usize) -> Tensor<2> {
        let mut x = images;
        for (place, layer) in self.fine.iter().enumerate() {
            x = if place > 0 { self.pool.forward(x) } else { x };
            x = layer.forward(x);
        } // [batch, 4 width, side / 4, side / 4]
        let past = half(self.passthrough.forward(x.clone()));
        let x = self.coarse.iter().fold(self.pool.forward(x), |x, layer| layer.forward(x));
        let x = self.joint.forward(Tensor::cat(vec![x, past], 1));
        let maps = self.head.forward(x); // [batch, priors * numbers, rows, columns]
        maps.permute([0, 2, 3, 1]).reshape([-1, numbers as i32])
    }
}

/// The passthrough: `[b, c, h, w]` to `[b, 4 c, h / 2, w / 2]`, four neighbours on one place.
fn half(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [rows, columns] = [height / 2, width / 2];
    let x = x.reshape([batch, channels, rows, 2, columns, 2]);
    x.permute([0, 3, 5, 1, 2, 4]).reshape([batch, 4 * channels, rows, columns])
}

impl YoloV2SmallConfig {
    fn region(&self) -> Region<'_> {
        let Self { classes, anchors, .. } = self;
        Region { classes: *classes, stride: STRIDE, cells: self.side / STRIDE, anchors }
    }
}

impl DetectorConfig for YoloV2SmallConfig {
    type Network = YoloV2Small;

    const FIXED: &'static [&'static str] = &["classes", "anchors"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 8",
            "width" => "channels of the first layer",
            "priors" => "boxes of a cell; their sides are measured on the data",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let longest = seen.image[0].max(seen.image[1]);
        let mut objects: Vec<f32> = seen.sides.iter().map(|[w, h]| (w * h).sqrt()).collect();
        objects.sort_by(f32::total_cmp);
        let median = objects.get(objects.len() / 2).copied().unwrap_or(0.0).max(1e-3);
        let fits = (MOST_CELLS * STRIDE) as f32 / median;
        let side = (longest as f32).min(fits) as usize;
        let side = side.next_multiple_of(STRIDE).clamp(4 * STRIDE, MOST_SIDE);
        let (width, priors) = (16, 5);
        let anchors = k_means(&seen.sides, priors, seen.seed);
        Self { classes: seen.classes, side, width, priors, anchors }
    }

    fn finished(self, seen: &Seen) -> Self {
        let anchors = k_means(&seen.sides, self.priors.min(MOST_PRIORS), seen.seed);
        Self { anchors, ..self }
    }

    fn check(&self) -> Result<(), String> {
        let Self { side, width, priors, anchors, .. } = self;
        if *side == 0 || !side.is_multiple_of(STRIDE) || *side > 4096 {
            return Err(format!("side={side}: expected a multiple of {STRIDE}, 4096 at most"));
        }
        if !(1..=512).contains(width) {
            return Err(format!("width={width}: expected 1 to 512"));
        }
        region::check(*priors, anchors)
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> YoloV2Small {
        let w = self.width;
        let layer = |(inputs, outputs, kernel)| Layer::new([inputs, outputs], kernel, device);
        let outputs = self.priors * self.region().numbers();
        YoloV2Small {
            fine: [(3, w, 3), (w, 2 * w, 3), (2 * w, 4 * w, 3)].map(layer).into(),
            coarse: [(4 * w, 8 * w, 3), (8 * w, 4 * w, 1), (4 * w, 8 * w, 3), (8 * w, 8 * w, 3)]
                .map(layer)
                .into(),
            passthrough: layer((4 * w, w, 1)),
            joint: layer((12 * w, 8 * w, 3)),
            head: Conv2dConfig::new([8 * w, outputs], [1, 1]).init(device).into(),
            pool: max_pool(2, 2, 0, false),
        }
    }

    fn preprocess(&self) -> Preprocess {
        let (mean, std) = (vec![0.0; 3], vec![1.0; 3]);
        let resize = Resize::Letterbox;
        Preprocess::Image { channels: 3, height: self.side, width: self.side, resize, mean, std }
    }

    fn loss(&self, network: &YoloV2Small, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let region = self.region();
        region.loss(network.forward(images, region.numbers()), truth)
    }

    fn detect(
        &self,
        network: &YoloV2Small,
        images: Tensor<4>,
        _: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let region = self.region();
        region.found(network.forward(images, region.numbers()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::detector::values;
    use burn::tensor::Int;
    use tenfold_core::device;
    use tenfold_core::geometry::BoundingBox;

    fn config() -> YoloV2SmallConfig {
        let sides = vec![[0.1, 0.1], [0.2, 0.4], [0.4, 0.2], [0.5, 0.5], [0.3, 0.3]];
        YoloV2SmallConfig::new(&Seen { image: [60, 40], sides, ..Seen::example(3, 1) })
    }

    fn object(label: usize, corners: [f32; 4]) -> Object {
        Object { label, bounding_box: BoundingBox::from(corners), mask: None }
    }

    #[test]
    fn shapes_and_an_image_without_objects() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let config = config();
        let network = config.init(&device);
        let images = Tensor::zeros([2, 3, 64, 64], &device);
        assert_eq!(network.forward(images.clone(), 8).dims(), [640, 8]);
        for truth in [vec![vec![], vec![]], vec![vec![object(0, [1.0, 1.0, 9.0, 9.0])], vec![]]] {
            let loss = config.loss(&network, images.clone(), &truth);
            assert!(values(loss.total)[0].is_finite());
        }
        assert_eq!(config.detect(&network, images, &[[64; 2]; 2]).len(), 2);
    }

    #[test]
    fn large_objects_are_made_small_enough_to_be_seen_whole() {
        let side = |image: usize, object: f32| {
            let sides = vec![[object; 2]; 9];
            YoloV2SmallConfig::new(&Seen { image: [image; 2], sides, ..Seen::example(1, 1) }).side
        };
        assert_eq!([side(640, 0.15), side(64, 0.25), side(640, 0.5)], [320, 64, 112]);
        assert_eq!([side(500, 1.0), side(20, 0.5), side(300, 0.0)], [56, 32, 304]);
    }

    #[test]
    fn the_passthrough_keeps_neighbours_together() {
        let device = device::open("cpu").unwrap();
        let x = Tensor::<1, Int>::arange(0..16, &device).float().reshape([1, 1, 4, 4]);
        let y = values(half(x));
        assert_eq!(y[..4], [0.0, 2.0, 8.0, 10.0]);
        assert_eq!(y[12..], [5.0, 7.0, 13.0, 15.0]);
    }
}
