//! YOLO v2: Darknet-19 with a passthrough, priors measured on the data.
//!
//! J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR (2017). Layers and their
//! order are those of Darknet's yolov2.cfg, so that its `.weights` fit.
//!
//! Differs from the paper:
//! - as in the file, the passthrough goes through a 1 x 1 convolution of 64 channels;
//! - what stands above [`Region`];
//! - the image is letterboxed on black, not on grey;
//! - AdamW and the average of the weights, not SGD; no training on ImageNet before.

use super::darknet::{self, Layer, Part};
use super::detector::{DetectorConfig, Published, Seen};
use super::region::{self, MOST_PRIORS, Region};
use crate::detection::Detection;
use crate::parts::anchors::k_means;
use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tenfold_classification::models::layers::max_pool;
use tenfold_core::Result;
use tenfold_core::data::{Object, Preprocess, Resize};
use tenfold_core::train::Loss;
use tenfold_kernels::nn::{Conv2d, MaxPool2d};

/// Pixels of a cell.
const STRIDE: usize = 32;
/// The side that images get when nothing is said, unless four times their own is less.
const MOST_SIDE: usize = 416;
/// Darknet-19: outputs and kernel of each convolution before each pool, and behind the last.
pub(super) const DARKNET: [&[(usize, usize)]; 6] = [
    &[(32, 3)],
    &[(64, 3)],
    &[(128, 3), (64, 1), (128, 3)],
    &[(256, 3), (128, 1), (256, 3)],
    &[(512, 3), (256, 1), (512, 3), (256, 1), (512, 3)],
    &[(1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3)],
];
/// Channels of the maps behind, and of the passthrough.
const DEEP: usize = 1024;
const PAST: usize = 64;
/// Priors of yolov2-voc.cfg (416 x 416) and of yolov2.cfg (608 x 608), in cells.
const VOC: [[f32; 2]; 5] = [
    [1.3221, 1.73145],
    [3.19275, 4.00944],
    [5.05587, 8.09892],
    [9.47112, 4.84053],
    [11.2364, 10.0071],
];
const COCO: [[f32; 2]; 5] = [
    [0.57273, 0.677385],
    [1.87446, 2.06253],
    [3.33843, 5.47434],
    [7.88282, 3.52778],
    [9.77052, 9.16828],
];

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YoloV2Config {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the input, a multiple of 32.
    pub side: usize,
    /// Whether each batch of a training has a size of its own, from 10 to 19 thirteenths of `side`.
    pub several_sizes: bool,
    /// How many boxes a cell has.
    pub priors: usize,
    /// Their widths and heights, in parts of the side.
    pub anchors: Vec<[f32; 2]>,
}

/// The network.
#[derive(Module, Debug)]
pub struct YoloV2 {
    fine: Vec<Vec<Layer>>,
    coarse: Vec<Layer>,
    passthrough: Layer,
    joint: Layer,
    head: Conv2d,
    pool: MaxPool2d,
}

impl YoloV2 {
    /// Images `[batch, 3, side, side]` to maps `[batch, priors * numbers, rows, columns]`: x, y, w,
    /// h, objectness and classes of each box, all before their functions.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let mut x = images;
        for (place, layers) in self.fine.iter().enumerate() {
            x = if place > 0 { self.pool.forward(x) } else { x };
            x = layers.iter().fold(x, |x, layer| layer.forward(x));
        } // [batch, 512, side / 16, side / 16]
        let past = reorganised(self.passthrough.forward(x.clone()));
        let x = self.coarse.iter().fold(self.pool.forward(x), |x, layer| layer.forward(x));
        self.head.forward(self.joint.forward(Tensor::cat(vec![past, x], 1)))
    }

    /// The same as rows, a box each.
    fn rows(&self, images: Tensor<4>, numbers: usize) -> Tensor<2> {
        self.forward(images).permute([0, 2, 3, 1]).reshape([-1, numbers as i32])
    }
}

/// Darknet's passthrough, `[b, c, h, w]` to `[b, 4 c, h / 2, w / 2]`. It reads its maps as if they
/// were a quarter as many of twice the sides, so what comes together are not neighbours; weights
/// have learnt that.
fn reorganised(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let x = x.reshape([batch, channels / 4, height, 2, width, 2]);
    x.permute([0, 3, 5, 1, 2, 4]).reshape([batch, 4 * channels, height / 2, width / 2])
}

impl YoloV2Config {
    fn region(&self, side: usize) -> Region<'_> {
        let Self { classes, anchors, .. } = self;
        Region { classes: *classes, stride: STRIDE, cells: side / STRIDE, anchors }
    }
}

impl DetectorConfig for YoloV2Config {
    type Network = YoloV2;

    const FIXED: &'static [&'static str] = &["classes", "anchors"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 32",
            "several_sizes" => "each batch of a training has a size of its own, around `side`",
            "priors" => "boxes of a cell; their sides are measured on the data",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let longest = seen.image[0].max(seen.image[1]);
        let side = (4 * longest).next_multiple_of(STRIDE).clamp(4 * STRIDE, MOST_SIDE);
        let priors = 5;
        let anchors = k_means(&seen.sides, priors, seen.seed);
        Self { classes: seen.classes, side, several_sizes: true, priors, anchors }
    }

    fn finished(self, seen: &Seen) -> Self {
        let anchors = k_means(&seen.sides, self.priors.min(MOST_PRIORS), seen.seed);
        Self { anchors, ..self }
    }

    fn check(&self) -> Result<(), String> {
        let Self { side, priors, anchors, .. } = self;
        if *side == 0 || !side.is_multiple_of(STRIDE) || *side > 4096 {
            return Err(format!("side={side}: expected a multiple of {STRIDE}, 4096 at most"));
        }
        region::check(*priors, anchors)
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> YoloV2 {
        let mut inputs = 3;
        let mut layer = |&(outputs, kernel): &(usize, usize)| {
            let own = Layer::new([inputs, outputs], kernel, device);
            inputs = outputs;
            own
        };
        let mut groups: Vec<Vec<Layer>> =
            DARKNET.iter().map(|group| group.iter().map(&mut layer).collect()).collect();
        let mut coarse = groups.pop().unwrap_or_default();
        coarse.extend([(DEEP, 3); 2].iter().map(layer));
        let outputs = self.priors * self.region(self.side).numbers();
        YoloV2 {
            fine: groups,
            coarse,
            passthrough: Layer::new([512, PAST], 1, device),
            joint: Layer::new([DEEP + 4 * PAST, DEEP], 3, device),
            head: Conv2dConfig::new([DEEP, outputs], [1, 1]).init(device).into(),
            pool: max_pool(2, 2, 0, false),
        }
    }

    fn preprocess(&self) -> Preprocess {
        let (mean, std) = (vec![0.0; 3], vec![1.0; 3]);
        let resize = Resize::Letterbox;
        Preprocess::Image { channels: 3, height: self.side, width: self.side, resize, mean, std }
    }

    fn sizes(&self) -> Vec<usize> {
        let ends = [10, 19].map(|part| self.side * part / 13 / STRIDE);
        let sizes = (ends[0].max(1)..=ends[1].max(1)).map(|cells| cells * STRIDE);
        if self.several_sizes { sizes.collect() } else { Vec::new() }
    }

    fn published(classes: usize) -> Option<Published<Self>> {
        let (side, cells) = if classes == 20 { (416, VOC) } else { (608, COCO) };
        let anchors = cells.map(|own| own.map(|cells| cells * STRIDE as f32 / side as f32)).into();
        let own = Self { classes, side, several_sizes: true, priors: cells.len(), anchors };
        Some(Published { preprocess: own.preprocess(), nms: own.nms(), config: own })
    }

    fn load(network: &mut YoloV2, path: &Path) -> Result<()> {
        let YoloV2 { fine, coarse, passthrough, joint, head, .. } = network;
        let before = fine.iter_mut().flatten().chain(coarse);
        let mut parts: Vec<Part<'_>> =
            before.chain([passthrough, joint]).map(Part::Layer).collect();
        parts.push(Part::Conv(head));
        darknet::load(path, parts)
    }

    fn loss(&self, network: &YoloV2, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let region = self.region(images.dims()[2]);
        region.loss(network.rows(images, region.numbers()), truth)
    }

    fn detect(&self, network: &YoloV2, images: Tensor<4>, _: &[[usize; 2]]) -> Vec<Vec<Detection>> {
        let region = self.region(images.dims()[2]);
        region.found(network.rows(images, region.numbers()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::detector::values;
    use burn::tensor::Int;
    use tenfold_core::device;

    #[test]
    fn the_passthrough_is_darknets() {
        let device = device::open("cpu").unwrap();
        // reorg_cpu: the map j, i of channel k is that at 2 j + k / 2 / c, 2 i + k / c % 2 of
        // channel k % c, the input read as c = 1 map of 4 x 4.
        let x = Tensor::<1, Int>::arange(0..16, &device).float().reshape([1, 4, 2, 2]);
        let y = reorganised(x);
        assert_eq!(y.dims(), [1, 16, 1, 1]);
        let expected = [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15];
        assert_eq!(values(y), expected.map(|x| x as f32));
    }

    #[test]
    fn sizes_are_the_papers() {
        let config = YoloV2Config::published(20).unwrap().config;
        let expected: Vec<usize> = (320..=608).step_by(32).collect();
        assert_eq!(config.sizes(), expected);
        assert!(YoloV2Config { several_sizes: false, ..config }.sizes().is_empty());
    }
}
