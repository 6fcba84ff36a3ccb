//! Detectors put together from parts: any backbone, a feature pyramid or none, and one of five
//! heads.
//!
//! Three names stand for a choice of them:
//! - `composed`: a pyramid on a residual network under RetinaNet's head, each of which `--set` or
//!   `--config` changes;
//! - `fasterrcnn_vgg16`: S. Ren, K. He, R. Girshick, J. Sun, "Faster R-CNN", NIPS (2015), on VGG16
//!   and one map, with RoI pooling;
//! - `fast_rcnn`: R. Girshick, "Fast R-CNN", ICCV (2015): regions by selective search, RoI pooling,
//!   a class and a box for each of them.
//!
//! Differs from the papers:
//! - `fast_rcnn` stands on a residual network, on VGG16 with `--set backbone=vgg16`; regions are
//!   searched anew for each image as it was augmented;
//! - Faster R-CNN's two stages are trained jointly, in one step (its "approximate joint training");
//! - of images below 256 pixels 64 regions are sampled, 100 (of a search 400) looked at, and hidden
//!   layers have 1,024 units; theirs are 128, 300 (2,000) and 4,096;
//! - anchors are as large as the small boxes of the data ask for;
//! - images are letterboxed to a square; no weights of ImageNet are needed or expected;
//! - AdamW and the average of the weights.

use super::detector::{DetectorConfig, Seen};
use super::region::{self, Region};
use super::resnet_fpn::{square, suited};
use crate::detection::Detection;
use crate::parts::anchors::{SsdMap, cell, k_means, ssd};
use crate::parts::backbone::{self, Backbone};
use crate::parts::focal;
use crate::parts::losses::sum;
use crate::parts::multibox::{self, CANDIDATES, LEAST};
use crate::parts::nms::{Nms, Suppression};
use crate::parts::proposals::{self, Rpn};
use crate::parts::pyramid::{CHANNELS, Coarsest, Pyramid};
use crate::parts::regions::Pooling;
use crate::parts::search;
use crate::parts::two_stage::{RoiHeads, Second, TwoStages};
use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_classification::models::Level;
use tenfold_core::data::{Object, Preprocess};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;
use tenfold_kernels::nn::Conv2d;

/// Height over width.
const RATIOS: [f32; 3] = [0.5, 1.0, 2.0];
/// Longer than high, and the other way: SSD's further boxes.
const SSD_RATIOS: [f32; 2] = [2.0, 3.0];
/// Boxes of a cell of YOLO's head.
const PRIORS: usize = 5;
/// Sides are multiples of this, so that every map halves.
const MULTIPLE: usize = 32;

/// Names that stand for choices.
const FASTER_RCNN_VGG16: &str = "fasterrcnn_vgg16";
const FAST_RCNN: &str = "fast_rcnn";

/// What stands between backbone and head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Neck {
    /// The maps as they are.
    None,
    /// A feature pyramid (Lin et al., CVPR 2017).
    Fpn,
}

/// What says classes and boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// RetinaNet's two towers and the focal loss.
    Retinanet,
    /// SSD's default boxes and hard negatives.
    Ssd,
    /// YOLO v2's cells on the finest map.
    Yolov2,
    /// A proposal network, then a second stage.
    FasterRcnn,
    /// Selective search, then a second stage.
    FastRcnn,
}

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComposedConfig {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the input, a multiple of 32.
    pub side: usize,
    /// The backbone's name.
    pub backbone: String,
    /// What stands above it.
    pub neck: Neck,
    /// What stands above that.
    pub head: HeadKind,
    /// Pixels from one place of the finest map to the next.
    pub finest: usize,
    /// The side of the smallest anchor, in strides of its map.
    pub scale: f32,
    /// Regions of an image that the second stage looks at.
    pub proposals: usize,
    /// Regions of an image that a step of the second stage learns from.
    pub samples: usize,
    /// How regions are cut out.
    pub pooling: Pooling,
    /// Units of the second stage's hidden layers.
    pub units: usize,
    /// Widths and heights of the boxes of YOLO's cells, in parts of the side.
    pub anchors: Vec<[f32; 2]>,
}

/// The parts.
#[derive(Module, Debug)]
pub struct Composed {
    backbone: Backbone,
    fpn: Option<Pyramid>,
    head: Head,
}

/// One of the heads.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one per detector")]
pub enum Head {
    /// RetinaNet's.
    Retinanet(focal::Head),
    /// SSD's.
    Ssd(multibox::Head),
    /// YOLO v2's.
    Yolov2(Conv2d),
    /// Faster R-CNN's.
    FasterRcnn(Stages),
    /// Fast R-CNN's.
    FastRcnn(RoiHeads),
}

/// Both stages of Faster R-CNN.
#[derive(Module, Debug)]
pub struct Stages {
    rpn: Rpn,
    roi_heads: RoiHeads,
}

impl Composed {
    /// The backbone.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }
}

impl ComposedConfig {
    /// Whether the head looks at one map alone.
    fn one_map(&self) -> bool {
        let many = matches!(self.head, HeadKind::Retinanet | HeadKind::Ssd);
        self.neck == Neck::None && !many
    }

    /// The backbone's maps that are used.
    fn levels(&self) -> Vec<Level> {
        let all = backbone::levels(&self.backbone, self.side).into_iter();
        let wanted = |level: &Level| match self.one_map() {
            true => level.stride == self.finest,
            false => level.stride >= self.finest,
        };
        all.filter(wanted).collect()
    }

    /// The pyramid's coarser levels: by convolutions, or every second place of the coarsest.
    fn convolved(&self) -> Option<Coarsest> {
        matches!(self.head, HeadKind::Retinanet | HeadKind::Ssd).then_some(Coarsest::P5)
    }

    /// Channels of each map that the head sees.
    fn channels(&self) -> Vec<usize> {
        let levels = self.levels();
        match self.neck {
            Neck::None => levels.iter().map(|level| level.channels).collect(),
            Neck::Fpn => {
                vec![CHANNELS; levels.len() + if self.convolved().is_some() { 2 } else { 1 }]
            }
        }
    }

    /// Images to the maps that the head sees.
    fn forward(&self, network: &Composed, images: Tensor<4>) -> Vec<Tensor<4>> {
        let strides = backbone::levels(&self.backbone, self.side);
        let maps = network.backbone.forward(images);
        let used = self.levels();
        let own = strides.iter().zip(maps).filter(|(level, _)| used.contains(level));
        let maps: Vec<Tensor<4>> = own.map(|(_, map)| map).collect();
        match &network.fpn {
            Some(fpn) => fpn.forward(maps, Coarsest::P5),
            None => maps,
        }
    }

    /// Sides of a map's anchors around one place, in strides of the map.
    fn sizes(&self) -> Vec<f32> {
        match self.head {
            HeadKind::Retinanet => {
                [0.0, 1.0, 2.0].map(|third: f32| self.scale * 2f32.powf(third / 3.0)).into()
            }
            // One map has boxes of all sizes.
            _ if self.one_map() => [1.0, 2.0, 4.0].map(|times| self.scale * times).into(),
            _ => vec![self.scale],
        }
    }

    /// Anchors of each map of RetinaNet's and Faster R-CNN's heads.
    fn grids(&self, maps: &[Tensor<4>], image: [usize; 2]) -> Vec<Vec<BoundingBox>> {
        let cells: Vec<Vec<BoundingBox>> = (0..maps.len())
            .map(|level| {
                let stride = (self.finest << level) as f32;
                let sizes: Vec<f32> = self.sizes().iter().map(|size| size * stride).collect();
                cell(&sizes, &RATIOS)
            })
            .collect();
        proposals::anchors(&cells, maps, image)
    }

    /// SSD's default boxes.
    fn default_boxes(&self, maps: &[Tensor<4>]) -> Vec<BoundingBox> {
        let scale = |level: usize| self.scale * (self.finest << level) as f32 / self.side as f32;
        let one = |(level, map): (usize, &Tensor<4>)| {
            let [_, _, rows, columns] = map.dims();
            SsdMap {
                map: [rows, columns],
                stride: self.side / rows.max(1),
                scale: scale(level),
                next: scale(level + 1),
                ratios: SSD_RATIOS.into(),
            }
        };
        let maps: Vec<SsdMap> = maps.iter().enumerate().map(one).collect();
        ssd(&maps, self.side)
    }

    /// YOLO's cells.
    fn region(&self) -> Region<'_> {
        let Self { classes, finest, side, anchors, .. } = self;
        Region { classes: *classes, stride: *finest, cells: side / finest, anchors }
    }

    /// YOLO's numbers, a row a box, on the finest map.
    fn rows(&self, head: &Conv2d, maps: &[Tensor<4>]) -> Tensor<2> {
        let x = head.forward(maps[0].clone()).permute([0, 2, 3, 1]);
        x.reshape([-1, self.region().numbers() as i32])
    }

    fn second<'a>(&self, heads: &'a RoiHeads) -> Second<'a> {
        Second { heads, pooling: self.pooling, samples: self.samples }
    }

    /// Both stages, of which the second looks at `maps` levels, without the one that is only for
    /// large proposals.
    fn stages<'a>(
        &self,
        Stages { rpn, roi_heads }: &'a Stages,
        anchors: &'a [Vec<BoundingBox>],
    ) -> TwoStages<'a> {
        let levels = self.levels().len();
        let second = self.second(roi_heads);
        TwoStages { rpn, anchors, proposals: self.proposals, second, levels }
    }
}

impl DetectorConfig for ComposedConfig {
    type Network = Composed;

    const FIXED: &'static [&'static str] = &["classes", "anchors"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 32",
            "backbone" => {
                "a convolutional network of `cargo classification models`, such as resnet18"
            }
            "neck" => "fpn, or none: the backbone's maps as they are",
            "head" => "retinanet, ssd, yolov2, faster_rcnn or fast_rcnn",
            "finest" => "pixels from one place of the finest map to the next: 4, 8, 16",
            "scale" => "the side of a map's smallest anchor in strides of the map, 0.5 to 16",
            "proposals" => "regions of an image that faster_rcnn and fast_rcnn look at",
            "samples" => "regions of an image that a step of theirs learns from",
            "pooling" => "how their regions are cut out: align or max",
            "units" => "units of their hidden layers",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let longest = seen.image[0].max(seen.image[1]);
        let small = longest <= 96;
        let vgg = seen.model == FASTER_RCNN_VGG16;
        let (side, _) = suited(seen, 4, 16.0);
        // VGG's map of stride 16 has four places along a side of 64 pixels.
        let side = if vgg && small { 2 * side } else { side };
        let (backbone, finest) = match (vgg, small) {
            (true, _) => ("vgg16", 16),
            (false, true) => ("resnet20", 4),
            (false, false) => ("resnet18", 8),
        };
        let (neck, head, pooling) = match seen.model {
            FASTER_RCNN_VGG16 => (Neck::None, HeadKind::FasterRcnn, Pooling::Max),
            FAST_RCNN => (Neck::None, HeadKind::FastRcnn, Pooling::Max),
            _ => (Neck::Fpn, HeadKind::Retinanet, Pooling::Align),
        };
        let few = side < 256;
        let (samples, proposals, units) = match (head, few) {
            (HeadKind::FastRcnn, true) => (64, 400, 1024),
            (HeadKind::FastRcnn, false) => (128, 2000, 4096),
            (_, true) => (64, 100, 1024),
            (_, false) => (128, 300, 4096),
        };
        let own = Self {
            classes: seen.classes,
            side,
            backbone: backbone.into(),
            neck,
            head,
            finest,
            scale: 0.0,
            proposals,
            samples,
            pooling,
            units,
            anchors: Vec::new(),
        };
        own.finished(seen)
    }

    fn finished(self, seen: &Seen) -> Self {
        let (_, scale) = suited(seen, self.finest.max(1), 8.0);
        // The boxes of the data are measured on images of another side.
        let scale = if self.scale == 0.0 { scale } else { self.scale };
        Self { scale, anchors: k_means(&seen.sides, PRIORS, seen.seed), ..self }
    }

    fn check(&self) -> Result<(), String> {
        let Self { side, backbone, neck, finest, scale, .. } = self;
        backbone::check(backbone)?;
        if *side == 0 || !side.is_multiple_of(MULTIPLE) || *side > 4096 {
            return Err(format!("side={side}: expected a multiple of {MULTIPLE}, 4096 at most"));
        }
        let strides: Vec<String> = backbone::levels(backbone, *side)
            .iter()
            .map(|level| level.stride.to_string())
            .collect();
        if !strides.contains(&finest.to_string()) {
            let strides = strides.join(", ");
            return Err(format!("finest={finest}: {backbone} has maps of {strides} pixels"));
        }
        if *neck == Neck::Fpn && backbone == "alexnet" {
            return Err(
                "neck=fpn: alexnet's maps do not halve; expected none, or another backbone".into(),
            );
        }
        if *neck == Neck::None && self.head == HeadKind::Retinanet {
            return Err(
                "head=retinanet: its towers want maps of one width; expected neck=fpn".into()
            );
        }
        if !(0.5..=16.0).contains(scale) {
            return Err(format!("scale={scale}: expected 0.5 to 16"));
        }
        let counts = [
            ("samples", self.samples, 4, 5000),
            ("proposals", self.proposals, 1, 5000),
            ("units", self.units, 1, 16384),
        ];
        for (name, value, least, most) in counts {
            if !(least..=most).contains(&value) {
                return Err(format!("{name}={value}: expected {least} to {most}"));
            }
        }
        region::check(PRIORS, &self.anchors)
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> Composed {
        let levels: Vec<usize> = self.levels().iter().map(|level| level.channels).collect();
        let channels = self.channels();
        let first = channels.first().copied().unwrap_or(CHANNELS);
        let places = self.sizes().len() * RATIOS.len();
        let roi_heads = || RoiHeads::new(first, self.units, self.classes, device);
        let backbone = Backbone::new(&self.backbone, self.side, device);
        Composed {
            #[allow(clippy::expect_used, reason = "`check` refuses other names")]
            backbone: backbone.expect("a name of the list"),
            fpn: (self.neck == Neck::Fpn).then(|| Pyramid::new(&levels, self.convolved(), device)),
            head: match self.head {
                HeadKind::Retinanet => {
                    Head::Retinanet(focal::Head::new(places, self.classes, device))
                }
                HeadKind::Ssd => {
                    let boxes = 2 + 2 * SSD_RATIOS.len();
                    let maps: Vec<[usize; 2]> =
                        channels.iter().map(|&channels| [channels, boxes]).collect();
                    Head::Ssd(multibox::Head::new(&maps, 1 + self.classes, device))
                }
                HeadKind::Yolov2 => {
                    let outputs = PRIORS * self.region().numbers();
                    Head::Yolov2(Conv2dConfig::new([first, outputs], [1, 1]).init(device).into())
                }
                HeadKind::FasterRcnn => Head::FasterRcnn(Stages {
                    rpn: Rpn::new(first, places, device),
                    roi_heads: roi_heads(),
                }),
                HeadKind::FastRcnn => Head::FastRcnn(roi_heads()),
            },
        }
    }

    fn preprocess(&self) -> Preprocess {
        square(self.side)
    }

    fn nms(&self) -> Nms {
        match self.head {
            HeadKind::Ssd => {
                let candidates = CANDIDATES * self.classes;
                Nms { suppression: Suppression::Hard(0.45), score: LEAST, candidates, keep: 200 }
            }
            HeadKind::FasterRcnn | HeadKind::FastRcnn => {
                // Of a region at most 19 classes have a score above 0.05.
                let candidates = 19 * self.proposals;
                Nms { suppression: Suppression::Hard(0.5), score: 0.05, candidates, keep: 100 }
            }
            HeadKind::Retinanet | HeadKind::Yolov2 => Nms::default(),
        }
    }

    fn loss(&self, network: &Composed, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let [count, _, height, width] = images.dims();
        let maps = self.forward(network, images.clone());
        match &network.head {
            Head::Retinanet(head) => {
                let (logits, boxes) = head.forward(&maps, self.classes);
                focal::loss(logits, boxes, &self.grids(&maps, [height, width]).concat(), truth)
            }
            Head::Ssd(head) => {
                let (logits, boxes) = head.forward(&maps, 1 + self.classes);
                multibox::loss(logits, boxes, &self.default_boxes(&maps), truth)
            }
            Head::Yolov2(head) => self.region().loss(self.rows(head, &maps), truth),
            Head::FasterRcnn(head) => {
                let anchors = self.grids(&maps, [height, width]);
                self.stages(head, &anchors).loss(&maps, [height, width], truth)
            }
            Head::FastRcnn(head) => {
                let sizes = vec![[height, width]; count];
                let own = self.preprocess();
                let proposals = search::in_batch(images.detach(), &own, &sizes, self.proposals);
                let maps = &maps[..self.levels().len()];
                match self.second(head).loss(maps, height, proposals, truth) {
                    Some([classes, boxes]) => {
                        sum(vec![("class_loss", classes), ("box_loss", boxes)], count)
                    }
                    None => Loss::new(maps[0].clone().sum() * 0.0, count),
                }
            }
        }
    }

    fn detect(
        &self,
        network: &Composed,
        images: Tensor<4>,
        sizes: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let [_, _, height, width] = images.dims();
        let maps = self.forward(network, images.clone());
        match &network.head {
            Head::Retinanet(head) => {
                let (logits, boxes) = head.forward(&maps, self.classes);
                let anchors = self.grids(&maps, [height, width]);
                focal::found(logits, boxes, &anchors, [height, width])
            }
            Head::Ssd(head) => {
                let (logits, boxes) = head.forward(&maps, 1 + self.classes);
                multibox::found(logits, boxes, &self.default_boxes(&maps), self.side)
            }
            Head::Yolov2(head) => self.region().found(self.rows(head, &maps)),
            Head::FasterRcnn(head) => {
                let anchors = self.grids(&maps, [height, width]);
                self.stages(head, &anchors).detect(&maps, height, sizes)
            }
            Head::FastRcnn(head) => {
                let own = self.preprocess();
                let proposals = search::in_batch(images, &own, sizes, self.proposals);
                let maps = &maps[..self.levels().len()];
                self.second(head).detect(maps, height, &proposals, sizes)
            }
        }
    }
}

#[cfg(test)]
mod tests;
