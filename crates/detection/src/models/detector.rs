//! What every model of the zoo gives: a network from its configuration, a loss, and boxes.

use crate::detection::Detection;
use crate::parts::nms::Nms;
use crate::parts::word_tree::WordTree;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::Path;
use tenfold_core::data::{Object, Preprocess, scenes};
use tenfold_core::train::Loss;
use tenfold_core::weights::{self, LoadOptions};

/// What is known of the data when a model's configuration is made.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The model's name: some stand for choices of one configuration.
    pub model: &'static str,
    /// Number of classes.
    pub classes: usize,
    /// Their names.
    pub labels: Vec<String>,
    /// The words above them, where someone gave them.
    pub tree: Option<WordTree>,
    /// Width and height of the first image.
    pub image: [usize; 2],
    /// Widths and heights of boxes, in parts of their image's longer side.
    pub sides: Vec<[f32; 2]>,
    /// Source of random numbers.
    pub seed: u64,
}

impl Seen {
    /// Data of so many classes, on images like those of `scenes`.
    pub fn example(classes: usize, seed: u64) -> Self {
        Self {
            model: "",
            classes,
            labels: (0..classes).map(|class| class.to_string()).collect(),
            tree: None,
            image: [scenes::SIDE; 2],
            sides: vec![[0.25; 2]],
            seed,
        }
    }
}

/// The choices that a detector is made from.
pub trait DetectorConfig:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The network.
    type Network: Module + ModuleDisplay + 'static;

    /// The fields that the data decides, which `--set` leaves alone.
    const FIXED: &'static [&'static str];

    /// What a field does, for `--set help`.
    fn meaning(field: &str) -> &'static str;

    /// What suits the data.
    fn new(seen: &Seen) -> Self;

    /// The same after `--set`, with what follows from a changed field.
    #[must_use]
    fn finished(self, seen: &Seen) -> Self {
        let _ = seen;
        self
    }

    /// Refuses choices that cannot work: from `--set`, or a file that someone has edited.
    ///
    /// # Errors
    /// The field, its value, and what is expected.
    fn check(&self) -> Result<(), String>;

    /// Classes.
    fn classes(&self) -> usize;

    /// The same with these words above its labels; models without a tree stay as they are.
    #[must_use]
    fn with_tree(self, tree: WordTree, labels: &[String]) -> Self {
        let _ = (tree, labels);
        self
    }

    /// With first weights.
    fn init(&self, device: &Device) -> Self::Network;

    /// From an image to the network's input.
    fn preprocess(&self) -> Preprocess;

    /// Which boxes are kept beside others.
    fn nms(&self) -> Nms {
        Nms::default()
    }

    /// What weights that others trained for so many classes want; none where none are known.
    fn published(classes: usize) -> Option<Published<Self>> {
        let _ = classes;
        None
    }

    /// Loads such weights.
    ///
    /// # Errors
    /// A file that cannot be read, or does not fit.
    fn load(network: &mut Self::Network, path: &Path) -> tenfold_core::Result<()> {
        weights::load(network, path, &first_names()).map(|_| ())
    }

    /// The sides of a training's batches, one of which each draws; none where all have the
    /// network's own.
    fn sizes(&self) -> Vec<usize> {
        Vec::new()
    }

    /// The loss of a batch, whose objects are in pixels of the input.
    fn loss(&self, network: &Self::Network, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss;

    /// What is found in each image, in pixels of the input, before any suppression; `sizes` are
    /// height and width of each image in the input, without the zeros beside it.
    fn detect(
        &self,
        network: &Self::Network,
        images: Tensor<4>,
        sizes: &[[usize; 2]],
    ) -> Vec<Vec<Detection>>;
}

/// torchvision's files for COCO have the names of its first version: layers that stand in a
/// `Sequential` of their own since then did not.
pub(crate) fn first_names() -> LoadOptions {
    let mut rename = vec![
        (
            r"(fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$".to_owned(),
            "${1}.0.${2}".to_owned(),
        ),
        (r"(rpn\.head\.conv)\.(weight|bias)$".to_owned(), "${1}.0.0.${2}".to_owned()),
    ];
    // There every second layer is a rectification.
    for layer in 0..4 {
        let from = format!(r"(_head\.conv)\.{}\.(weight|bias)$", 2 * layer);
        rename.push((from, format!("${{1}}.{layer}.0.${{2}}")));
    }
    LoadOptions { rename, ..LoadOptions::default() }
}

/// What weights that others trained want.
pub struct Published<C> {
    /// The network's choices.
    pub config: C,
    /// From an image to its input.
    pub preprocess: Preprocess,
    /// Which boxes are kept.
    pub nms: Nms,
}

/// A tensor's numbers, in the order of its shape.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
