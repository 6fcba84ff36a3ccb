//! YOLO9000: a tree of words over YOLO v2's boxes, and classes that are learnt from labels alone.
//!
//! J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR (2017), section 4: softmaxes
//! over siblings of a tree; an image that has a label and no box teaches the class of the box that
//! most believes in it, and that something is there; three priors.
//!
//! Differs from the paper:
//! - on this crate's small network ([`super::yolov2_small`]); weights of others have Darknet-19;
//! - one image may have objects with boxes and objects with a label alone (`--unboxed`): the first
//!   are learnt as always, no box of it is told that nothing is there, and a label is not looked
//!   for where an object has a box;
//! - the tree is that of the labels' slashes (`animal/dog`) or of `--tree`, not WordNet's;
//! - where all labels are ends of the tree, each has its probability; else a box has the most
//!   specific label of at least a half, as Darknet says it;
//! - what stands above [`Region`] and the small network.

use super::darknet::{self, Layer, Part};
use super::detector::{DetectorConfig, Published, Seen};
use super::region::{self, MOST_PRIORS, Region};
use super::yolov2::DARKNET;
use super::yolov2_small::{YoloV2Small, YoloV2SmallConfig};
use crate::detection::Detection;
use crate::parts::anchors::k_means;
use crate::parts::losses::table;
use crate::parts::word_tree::WordTree;
use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tenfold_classification::models::layers::max_pool;
use tenfold_core::Result;
use tenfold_core::data::{Object, Preprocess};
use tenfold_core::train::Loss;
use tenfold_kernels::nn::{Conv2d, MaxPool2d};

/// Pixels of a cell of Darknet-19, and of the small network.
const STRIDES: [usize; 2] = [32, 8];
/// The side of the input, and yolo9000.cfg's boxes in cells.
const SIDE: usize = 544;
const PRIORS: [[f32; 2]; 3] = [[0.778_71, 1.140_74], [3.005_25, 4.312_77], [9.227_25, 9.619_74]];
/// A label that is not a word's end is said from this probability on.
const HALF: f32 = 0.5;

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Yolo9000Config {
    /// Rows and columns of the input.
    pub side: usize,
    /// Channels of the small network's first layer.
    pub width: usize,
    /// How many boxes a cell has.
    pub priors: usize,
    /// Their widths and heights, in parts of the side.
    pub anchors: Vec<[f32; 2]>,
    /// The words.
    pub tree: WordTree,
    /// The word of each label.
    pub words: Vec<usize>,
    /// Whether the network is Darknet-19, as weights of others want it.
    #[serde(default)]
    pub darknet: bool,
}

/// The network.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one per detector")]
pub enum Yolo9000 {
    /// This crate's.
    Small(YoloV2Small),
    /// The paper's.
    Darknet(Darknet),
}

/// Darknet-19 and a convolution for the boxes.
#[derive(Module, Debug)]
pub struct Darknet {
    groups: Vec<Vec<Layer>>,
    head: Conv2d,
    pool: MaxPool2d,
}

impl Yolo9000 {
    /// Images `[batch, 3, side, side]` to rows `[batch * cells * priors, 5 + words]`.
    fn rows(&self, images: Tensor<4>, numbers: usize) -> Tensor<2> {
        match self {
            Self::Small(own) => own.forward(images, numbers),
            Self::Darknet(Darknet { groups, head, pool }) => {
                let mut x = images;
                for (place, layers) in groups.iter().enumerate() {
                    x = if place > 0 { pool.forward(x) } else { x };
                    x = layers.iter().fold(x, |x, layer| layer.forward(x));
                }
                head.forward(x).permute([0, 2, 3, 1]).reshape([-1, numbers as i32])
            }
        }
    }
}

impl Yolo9000Config {
    fn region(&self) -> Region<'_> {
        let Self { side, anchors, tree, .. } = self;
        let stride = STRIDES[usize::from(!self.darknet)];
        Region { classes: tree.len(), stride, cells: side / stride, anchors }
    }

    fn small(&self) -> YoloV2SmallConfig {
        let Self { side, width, priors, ref anchors, ref tree, .. } = *self;
        YoloV2SmallConfig { classes: tree.len(), side, width, priors, anchors: anchors.clone() }
    }

    /// The probability of each label, of the logits of the words.
    fn labels(&self, logits: &[f32]) -> Vec<f32> {
        let all = self.tree.probabilities(logits);
        self.words.iter().map(|&word| all[word]).collect()
    }

    /// What is said of a box: every label with its probability, or the most specific of a half.
    fn said(&self, logits: &[f32], ends: bool) -> Vec<(usize, f32)> {
        let all = self.labels(logits).into_iter().enumerate();
        if ends {
            return all.collect();
        }
        let depth = |label: usize| self.tree.path(self.words[label]).count();
        let likely = all.filter(|(_, own)| *own > HALF);
        likely.max_by_key(|&(label, _)| depth(label)).into_iter().collect()
    }
}

impl DetectorConfig for Yolo9000Config {
    type Network = Yolo9000;

    const FIXED: &'static [&'static str] = &["anchors", "tree", "words", "darknet"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 8",
            "width" => "channels of the first layer",
            "priors" => "boxes of a cell; their sides are measured on the data",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let YoloV2SmallConfig { side, width, .. } = YoloV2SmallConfig::new(seen);
        let tree = seen.tree.clone().unwrap_or_else(|| WordTree::of_labels(&seen.labels));
        let own = Self {
            side,
            width,
            priors: PRIORS.len(),
            anchors: Vec::new(),
            words: Vec::new(),
            tree: WordTree::default(),
            darknet: false,
        };
        own.with_tree(tree, &seen.labels).finished(seen)
    }

    fn finished(self, seen: &Seen) -> Self {
        let anchors = k_means(&seen.sides, self.priors.min(MOST_PRIORS), seen.seed);
        Self { anchors, ..self }
    }

    fn check(&self) -> std::result::Result<(), String> {
        self.tree.check().map_err(|why| format!("tree: {why}"))?;
        if let Some(word) = self.words.iter().find(|&&word| word >= self.tree.len()) {
            return Err(format!("words: {word} of {} words", self.tree.len()));
        }
        match self.darknet {
            true if self.side.is_multiple_of(STRIDES[0]) && (1..=4096).contains(&self.side) => {
                region::check(self.priors, &self.anchors)
            }
            true => Err(format!("side={}: expected a multiple of 32, 4096 at most", self.side)),
            false => self.small().check(),
        }
    }

    fn classes(&self) -> usize {
        self.words.len()
    }

    /// A label that the tree does not have gets a place beyond its words, which `check` refuses.
    fn with_tree(self, tree: WordTree, labels: &[String]) -> Self {
        let words = labels.iter().map(|label| tree.place(label).unwrap_or(usize::MAX)).collect();
        Self { tree, words, ..self }
    }

    fn init(&self, device: &Device) -> Yolo9000 {
        if !self.darknet {
            return Yolo9000::Small(self.small().init(device));
        }
        let mut inputs = 3;
        let mut layer = |&(outputs, kernel): &(usize, usize)| {
            let own = Layer::new([inputs, outputs], kernel, device);
            inputs = outputs;
            own
        };
        let groups: Vec<Vec<Layer>> =
            DARKNET.iter().map(|group| group.iter().map(&mut layer).collect()).collect();
        let outputs = self.priors * self.region().numbers();
        Yolo9000::Darknet(Darknet {
            groups,
            head: Conv2dConfig::new([inputs, outputs], [1, 1]).init(device).into(),
            pool: max_pool(2, 2, 0, false),
        })
    }

    fn preprocess(&self) -> Preprocess {
        self.small().preprocess()
    }

    fn published(classes: usize) -> Option<Published<Self>> {
        let cells = (SIDE / STRIDES[0]) as f32;
        let own = Self {
            side: SIDE,
            width: 1,
            priors: PRIORS.len(),
            anchors: PRIORS.map(|own| own.map(|side| side / cells)).into(),
            tree: WordTree::default(),
            words: (0..classes).collect(),
            darknet: true,
        };
        Some(Published { preprocess: own.preprocess(), nms: own.nms(), config: own })
    }

    fn load(network: &mut Yolo9000, path: &Path) -> Result<()> {
        let Yolo9000::Darknet(Darknet { groups, head, .. }) = network else { return Ok(()) };
        let mut parts: Vec<Part<'_>> = groups.iter_mut().flatten().map(Part::Layer).collect();
        parts.push(Part::Conv(head));
        darknet::load(path, parts)
    }

    fn loss(&self, network: &Yolo9000, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let region = self.region();
        let device = images.device();
        let said = network.rows(images, region.numbers());
        let believed = |logits: &[f32], label: usize| self.labels(logits)[label];
        let classes = |logits: Tensor<2>, labels: &[usize]| {
            let words = self.tree.len();
            let mut paths = vec![0.0; labels.len() * words];
            for (row, &label) in labels.iter().enumerate() {
                for word in self.tree.path(self.words[label]) {
                    paths[row * words + word] = 1.0;
                }
            }
            (self.tree.log_softmax(logits) * table(paths, words, &device)).sum().neg()
        };
        region.loss_of(said, truth, believed, classes)
    }

    fn detect(
        &self,
        network: &Yolo9000,
        images: Tensor<4>,
        _: &[[usize; 2]],
    ) -> Vec<Vec<Detection>> {
        let region = self.region();
        let ends = self.words.iter().all(|&word| self.tree.is_leaf(word));
        region.found_of(network.rows(images, region.numbers()), |logits| self.said(logits, ends))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;
    use tenfold_core::geometry::BoundingBox;

    fn config(labels: &[&str]) -> Yolo9000Config {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let sides = vec![[0.2, 0.2], [0.3, 0.5], [0.4, 0.4], [0.5, 0.3]];
        Yolo9000Config::new(&Seen { labels, sides, ..Seen::example(3, 1) })
    }

    #[test]
    fn objects_with_boxes_and_with_labels_alone() {
        let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
        let config = config(&["round/circle", "round/ring", "angular/square"]);
        config.check().unwrap();
        assert_eq!((config.tree.len(), &config.words[..]), (5, &[2, 3, 4][..]));
        let network = config.init(&device);
        let object = |label, corners: [f32; 4]| Object {
            label,
            bounding_box: BoundingBox::from(corners),
            mask: None,
        };
        let boxed = object(0, [10.0, 10.0, 30.0, 30.0]);
        let hidden = object(1, [0.0; 4]);
        let images = || Tensor::ones([1, 3, 64, 64], &device);
        for truth in [vec![], vec![boxed.clone()], vec![hidden.clone()], vec![boxed, hidden]] {
            let loss = config.loss(&network, images(), &[truth]);
            let value = loss.total.clone().into_scalar::<f32>();
            assert!(value.is_finite(), "{value}");
            let _ = loss.total.backward();
        }
        assert_eq!(config.detect(&network, images(), &[[64; 2]]).len(), 1);
    }

    #[test]
    fn a_box_is_called_by_what_is_likely_enough() {
        let tree =
            WordTree::of_labels(&["round/circle".into(), "round/ring".into(), "star".into()]);
        let own = config(&["round", "round/circle", "round/ring", "star"]);
        let own =
            own.with_tree(tree, &["round", "round/circle", "round/ring", "star"].map(String::from));
        // Round for sure; which of both nobody knows, then one of them.
        assert_eq!(own.said(&[9.0, 0.0, 0.0, 0.0], false)[0].0, 0);
        assert_eq!(own.said(&[9.0, 0.0, 0.0, 4.0], false)[0].0, 2);
        assert!(own.said(&[0.0, 0.0, 1.0, 1.0], false).is_empty());
        let missing = config(&["a", "b"])
            .with_tree(WordTree::of_labels(&["a".into()]), &["a".into(), "b".into()]);
        assert!(missing.check().unwrap_err().starts_with("words:"));
    }

    #[test]
    fn yolo9000_cfg() {
        let config = Yolo9000Config::published(9418).unwrap().config;
        assert!(config.darknet && config.side == 544 && config.classes() == 9418);
        assert!((config.anchors[2][1] * 17.0 - 9.619_74).abs() < 1e-5);
    }
}
