//! The models, one file each, and what they have in common.

pub mod alexnet;
pub mod densenet;
pub mod googlenet;
pub mod hog_svm;
pub mod knn;
pub mod layers;
pub mod lenet;
pub mod linear;
pub mod logistic;
pub mod mlp;
pub mod resnet;
pub mod resnet_cifar;
#[cfg(test)]
mod torchvision_tests;
pub mod vgg;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use layers::Stem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tenfold_core::Result;
use tenfold_core::data::{Kind, Preprocess, Task};
use tenfold_core::weights::{self, LoadOptions};

/// A classifier's network.
pub trait Network: Module + ModuleDisplay + 'static {
    /// Inputs `[batch, channels, height, width]` to logits `[batch, classes]`; in a regression
    /// to `[batch, 1]` numbers in standard deviations of the target. A row of a table is
    /// `[1, 1, columns]`.
    fn forward(&self, inputs: Tensor<4>) -> Tensor<2>;

    /// What a training step learns from: the logits, and those of auxiliary heads, all of them
    /// `[batch, classes]`, each of the latter with the weight of its loss.
    fn train_forward(&self, inputs: Tensor<4>) -> (Tensor<2>, Vec<(Tensor<2>, f32)>) {
        (self.forward(inputs), Vec::new())
    }

    /// What the last layer sees, `[batch, units]`: the features by which inputs can be
    /// compared. A model of a single layer sees the inputs themselves.
    fn embed(&self, inputs: Tensor<4>) -> Tensor<2> {
        inputs.flatten(1, 3)
    }

    /// The maps inside; none in a model that does not look at pictures piece by piece.
    fn backbone(&self) -> Option<&dyn Backbone> {
        None
    }

    /// What lies below the heads, from the inputs upwards: each part by the names of its
    /// layers in a weights file. Layer-wise learning rates fall from part to part.
    fn parts(&self) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// The layers that have an output for each class, by their names in a weights file: what
    /// is replaced when the classes change, and trained alone over a frozen backbone.
    const HEADS: &'static [&'static str] = &["output"];

    /// Regular expressions and their replacements that turn the keys of older weights files
    /// into this network's.
    const RENAMES: &'static [(&'static str, &'static str)] = &[];

    /// How to load weights that others trained.
    fn load_options() -> LoadOptions {
        let rename = |&(from, to): &(&str, &str)| (from.to_string(), to.to_string());
        LoadOptions { rename: Self::RENAMES.iter().map(rename).collect(), ..LoadOptions::default() }
    }
}

/// A network whose inner pictures serve other tasks, such as detection.
pub trait Backbone {
    /// Inputs `[batch, channels, height, width]` to named maps of features, from fine to
    /// coarse; each model documents names and strides.
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)>;

    /// The maps of the last stage to logits `[batch, classes]`.
    fn classify(&self, last: Tensor<4>) -> Tensor<2>;
}

/// Examples as one matrix, for models that are fitted to all of them at once.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Preprocessed inputs, one after the other.
    pub inputs: Vec<f32>,
    /// How many numbers one input has.
    pub width: usize,
    /// The place of each example's class; in a regression its number, standardised.
    pub targets: Vec<f32>,
}

impl Matrix {
    /// The inputs one by one.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.inputs.chunks_exact(self.width.max(1))
    }

    /// How many examples.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// Fits a model to the training examples at once; the validation examples are for what must not
/// be measured on those.
pub type Fit<C> = fn(&C, &Matrix, &Matrix, &Device) -> <C as ModelConfig>::Network;

/// A model's choices; what stands under `config` in a run's `config.json`.
pub trait ModelConfig: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// The network it makes.
    type Network: Network;

    /// What this model can be trained for.
    const TASKS: &'static [Task] = &[Task::Classification];

    /// The shape `[channels, height, width]` in which this model takes such data.
    ///
    /// # Errors
    /// The model cannot take data of this kind.
    fn input(kind: &Kind) -> Result<[usize; 3]>;

    /// The shape `[channels, height, width]` of the inputs.
    fn input_shape(&self) -> [usize; 3];

    /// How many classes; 1 in a regression.
    fn classes(&self) -> usize;

    /// Refuses what no network can have: the values may come from a person or a damaged file.
    ///
    /// # Errors
    /// The field, and what was expected of it.
    fn check(&self) -> Result<(), String>;

    /// The preprocessing that comes with this network; where there is none, it is measured on
    /// the training data.
    fn preprocess(&self) -> Option<Preprocess> {
        None
    }

    /// These choices with the sizes of the weights of such names and PyTorch shapes; none
    /// where they are another model's.
    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self>;

    /// These choices for a network that remembers so many training examples.
    fn for_examples(self, _count: usize) -> Self {
        self
    }

    /// How these choices are fitted, where that is not step by step along a gradient.
    fn fit(&self) -> Option<Fit<Self>> {
        None
    }

    /// A network with random weights from the device's seed.
    fn init(&self, device: &Device) -> Self::Network;
}

/// How many numbers a network learns; running averages are not among them. Nothing is
/// allocated for them.
pub fn parameters<M: Module>(network: &M) -> usize {
    let keys = weights::module_keys(network);
    let learnt = keys.iter().filter(|(key, _)| !key.contains(".running_"));
    learnt.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

/// Pictures keep their size up to this many pixels a side in models that flatten them.
const LARGEST_FLAT: usize = 64;
/// To this many pixels a side are larger pictures brought.
const FLAT: usize = 32;

/// Parameters beyond this many are a slip of the pen: they would fill 8 GB, and training
/// takes four times as much.
const MOST_PARAMETERS: usize = 1 << 31;

/// Refuses linear layers between these widths, inputs first and classes last, where one is
/// empty or all together are too large; `field` is named.
fn check_widths(field: &str, widths: &[usize]) -> Result<(), String> {
    if widths.contains(&0) {
        return Err(format!("{field}: a layer without units; expected 1 or more"));
    }
    let sizes = widths.windows(2).map(|pair| pair[0].checked_add(1)?.checked_mul(pair[1]));
    let all = sizes.into_iter().try_fold(0usize, |sum, size| sum.checked_add(size?));
    match all {
        Some(count) if count <= MOST_PARAMETERS => Ok(()),
        _ => Err(format!("{field}: expected at most {MOST_PARAMETERS} parameters in all")),
    }
}

/// The numbers in an input; 0 for one that no machine holds.
fn numbers(input: [usize; 3]) -> usize {
    input.into_iter().try_fold(1usize, usize::checked_mul).unwrap_or(0)
}

fn check_dropout(dropout: f64) -> Result<(), String> {
    match (0.0..1.0).contains(&dropout) {
        true => Ok(()),
        false => Err(format!("dropout: {dropout}; expected a number from 0 to below 1")),
    }
}

/// The most layers or maps that a convolutional network's Config may ask for in one place.
const MOST_LAYERS: usize = 1_024;

/// What every convolutional network needs: a picture that its pools do not use up, classes,
/// and `counts` (layers, maps) of 1 or more.
fn check_convolutional(
    input: [usize; 3],
    classes: usize,
    stem: Stem,
    counts: &[usize],
) -> Result<(), String> {
    let [channels, height, width] = input;
    // AlexNet's first layers, the greediest, leave nothing of less than 63 pixels.
    let smallest = if stem == Stem::ImageNet { 63 } else { 28 };
    let sides = smallest..=1_024;
    if ![1, 3].contains(&channels) || !sides.contains(&height) || !sides.contains(&width) {
        return Err(format!(
            "input: {input:?}; expected [1 or 3, height, width], {smallest} to 1024 pixels a side"
        ));
    }
    check_widths("classes", &[MOST_LAYERS, classes])?;
    match counts.iter().find(|&&count| !(1..=MOST_LAYERS).contains(&count)) {
        Some(count) => Err(format!("layers: {count}; expected 1 to {MOST_LAYERS}")),
        None => Ok(()),
    }
}

/// The input of a model that takes anything and flattens it.
fn flat_input(kind: &Kind) -> [usize; 3] {
    match *kind {
        Kind::Pictures { channels, height, width } if height.max(width) <= LARGEST_FLAT => {
            [channels, height, width]
        }
        Kind::Pictures { channels, .. } => [channels, FLAT, FLAT],
        Kind::Rows { ref columns } => [1, 1, columns.len()],
    }
}

/// [`Network::parts`] from a list of them.
fn parts(names: &[&[&str]]) -> Vec<Vec<String>> {
    names.iter().map(|part| part.iter().map(|name| name.to_string()).collect()).collect()
}

/// The shape of a named weight.
fn shape<'a>(keys: &'a [(String, Vec<usize>)], name: &str) -> Option<&'a [usize]> {
    keys.iter().find(|(key, _)| key == name).map(|(_, shape)| &shape[..])
}

/// The picture that flattens to so many numbers: square, grey or else in colour.
fn square_input(numbers: usize) -> Option<[usize; 3]> {
    let sides = [1, 3].map(|channels| (channels, (numbers / channels).isqrt()));
    let fits = |(channels, side): (usize, usize)| channels * side * side == numbers;
    sides.into_iter().find(|&shape| fits(shape)).map(|(channels, side)| [channels, side, side])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_square_picture() {
        assert_eq!(square_input(784), Some([1, 28, 28]));
        assert_eq!(square_input(3072), Some([3, 32, 32]));
        assert_eq!(square_input(5), None);
    }
}
