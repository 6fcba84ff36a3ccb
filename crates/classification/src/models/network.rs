//! What a model is: its Config, its network, and the maps inside that serve other tasks.

use super::input::{Sizes, Takes};
use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tenfold_core::Result;
use tenfold_core::data::{Kind, Preprocess, Task};
use tenfold_core::weights::{self, LoadOptions};

/// A classifier's network.
pub trait Network: Module + ModuleDisplay + 'static {
    /// The choices that it is made from.
    type Config: ModelConfig<Network = Self>;

    /// The layers that have an output for each class, by their names in a weights file: what
    /// is replaced when the classes change, and trained alone over a frozen backbone.
    const HEADS: &'static [&'static str] = &["output"];

    /// The layers that a backbone alone is made without, by their names in a weights file:
    /// where the heads stand on hidden layers of their own, those too.
    const ABOVE: &'static [&'static str] = Self::HEADS;

    /// Regular expressions and their replacements that turn the keys of older weights files
    /// into this network's.
    const RENAMES: &'static [(&'static str, &'static str)] = &[];

    /// Features `[batch, units]` to logits `[batch, classes]`; in a regression to `[batch, 1]`
    /// numbers in standard deviations of the target. A backbone alone leaves the features as
    /// they are.
    fn head(&self, features: Tensor<2>) -> Tensor<2>;

    /// Inputs `[batch, channels, height, width]` to what [`Network::head`] gives. A row of a
    /// table is `[1, 1, columns]`.
    fn forward(&self, inputs: Tensor<4>) -> Tensor<2> {
        self.head(self.embed(inputs))
    }

    /// What a training step learns from: the logits, and those of auxiliary heads, all of them
    /// `[batch, classes]`, each of the latter with the weight of its loss.
    fn train_forward(&self, inputs: Tensor<4>) -> (Tensor<2>, Vec<(Tensor<2>, f32)>) {
        (self.forward(inputs), Vec::new())
    }

    /// What the last layer takes, `[batch, units]`: the penultimate features, by which inputs can
    /// be compared. A model of a single layer takes the inputs themselves.
    fn embed(&self, inputs: Tensor<4>) -> Tensor<2> {
        let Some(backbone) = self.backbone() else { return inputs.flatten(1, 3) };
        let (_, last) = backbone.stages(inputs).pop().expect("a backbone has stages");
        backbone.summary(last)
    }

    /// The maps inside; none in a model without convolutions.
    fn backbone(&self) -> Option<&dyn Backbone> {
        None
    }

    /// What lies below the heads, from the inputs upwards: each part by the names of its
    /// layers in a weights file. Layer-wise learning rates fall from part to part.
    fn parts(&self) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// How to load weights that others trained.
    fn load_options() -> LoadOptions {
        let rename = |&(from, to): &(&str, &str)| (from.to_string(), to.to_string());
        LoadOptions { rename: Self::RENAMES.iter().map(rename).collect(), ..LoadOptions::default() }
    }

    /// How to load weights of a whole network into a backbone alone: its heads are left out.
    fn backbone_options() -> LoadOptions {
        let above = |name: &&str| format!("^{}\\.", name.replace('.', "\\."));
        LoadOptions { skip: Self::ABOVE.iter().map(above).collect(), ..Self::load_options() }
    }
}

/// A network whose inner maps serve other tasks, such as detection.
pub trait Backbone {
    /// Inputs `[batch, channels, height, width]` to named maps of features, from fine to
    /// coarse: those that [`BackboneConfig::levels`] lists.
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)>;

    /// The maps of the last stage to features, as [`Network::embed`] gives them.
    fn summary(&self, last: Tensor<4>) -> Tensor<2>;
}

/// One of the stages of a [`Backbone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// As torchvision calls the layer; `pool1` and so on where it has numbers alone.
    pub name: &'static str,
    /// Maps.
    pub channels: usize,
    /// Pixels of the input from one place of a map to the next.
    pub stride: usize,
}

impl Level {
    /// Levels of these names and channels, of which the first has this stride and each of the
    /// others twice that of the one before.
    pub(super) fn doubling<const N: usize>(
        first: usize,
        names: [&'static str; N],
        channels: [usize; N],
    ) -> Vec<Self> {
        let levels = names.into_iter().zip(channels).enumerate();
        levels.map(|(i, (name, channels))| Self { name, channels, stride: first << i }).collect()
    }
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

/// A tensor's numbers in ordinary memory; empty where the device fails, which whoever reads
/// the result then learns from its shape.
pub(super) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
}

/// Fits a model to the training examples at once; the validation examples are for what must not
/// be measured on those, the number is the seed of what is drawn.
pub type Fit<C> = fn(&C, &Matrix, &Matrix, u64, &Device) -> Result<<C as ModelConfig>::Network>;

/// Names of a Config's fields, and what each means.
pub type Fields = &'static [(&'static str, &'static str)];

/// The fields of Configs that the data decides, not a person.
pub const FROM_DATA: &[&str] = &["input", "classes", "examples"];

/// A model's choices; what stands under `config` in a run's `config.json`.
pub trait ModelConfig: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// The network it makes.
    type Network: Network<Config = Self>;

    /// What this model can be trained for.
    const TASKS: &'static [Task] = &[Task::Classification];

    /// The data that this model takes.
    const TAKES: Takes = Takes::Images;

    /// The fields that a person may choose: all but [`FROM_DATA`].
    const FIELDS: Fields;

    /// The networks of which there are weights in the world, one Config each; what
    /// [`ModelConfig::infer`] reads off the weights may be anything here.
    fn members() -> Vec<Self>;

    /// The shape `[channels, height, width]` in which this model takes such data.
    ///
    /// # Errors
    /// The model cannot take data of this kind.
    fn input(kind: &Kind) -> Result<[usize; 3]> {
        Self::TAKES.shape(kind)
    }

    /// What it is made for.
    fn sizes(&self) -> Sizes;

    /// The shape `[channels, height, width]` of the inputs.
    fn input_shape(&self) -> [usize; 3] {
        self.sizes().input
    }

    /// How many classes; 1 in a regression, 0 in a backbone alone.
    fn classes(&self) -> usize {
        self.sizes().classes
    }

    /// Refuses what no network can have: the values may come from a person or a damaged file.
    ///
    /// # Errors
    /// The field, and what was expected of it.
    fn check(&self) -> Result<(), String>;

    /// Refuses labels and preprocessing of another model.
    ///
    /// # Errors
    /// What does not fit, with both sizes.
    fn fits(&self, labels: &[String], preprocess: &Preprocess) -> Result<(), String> {
        let (Sizes { input, classes, .. }, given) = (self.sizes(), preprocess.shape());
        if labels.len() != classes {
            return Err(format!("{} labels for a model of {classes} classes", labels.len()));
        }
        match given == input {
            true => Ok(()),
            false => Err(format!("preprocessing to {given:?} for a model that takes {input:?}")),
        }
    }

    /// The preprocessing that comes with this network; where there is none, it is measured on
    /// the training data.
    fn preprocess(&self) -> Option<Preprocess> {
        let Sizes { input, stem, .. } = self.sizes();
        stem?.preprocess(input)
    }

    /// These choices with the sizes of the weights of such names and PyTorch shapes; none
    /// where they are another model's.
    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self>;

    /// These choices with what such weights want and do not hold, as [`ModelConfig::infer`] found
    /// out: where zeros are added, how images are normalised.
    fn like(self, _weights: &Self) -> Self {
        self
    }

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

/// The choices of a network that other tasks build on: `C: BackboneConfig` is any of them.
pub trait BackboneConfig: ModelConfig<Network: Backbone> {
    /// What [`Backbone::stages`] gives, from fine to coarse.
    fn levels(&self) -> Vec<Level>;

    /// The same for images of this shape `[channels, height, width]`, with the stem for it,
    /// and for so many classes.
    fn sized(self, input: [usize; 3], classes: usize) -> Self;

    /// The same for images of another shape `[channels, height, width]`, with the stem for it.
    fn with_input(self, input: [usize; 3]) -> Self {
        let classes = self.classes();
        self.sized(input, classes)
    }

    /// A backbone alone: as many classes as none, and none of the layers above the last stage
    /// ([`Network::ABOVE`]). Weights of the whole network are loaded into it with
    /// [`Network::backbone_options`].
    fn without_head(self) -> Self;
}

/// How many numbers a network learns; running averages are not among them. Nothing is
/// allocated for them.
pub fn parameters<M: Module>(network: &M) -> usize {
    let keys = weights::module_keys(network);
    let learnt = keys.iter().filter(|(key, _)| !key.contains(".running_"));
    learnt.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}
