//! A trained classifier or regression, ready to propose: from a run, an exported file, or weights
//! that others trained.

use crate::batches::read_back;
use crate::config::{self, Regression, RunConfig};
use crate::explain;
use crate::labels;
use crate::models::{ModelConfig, Network, infer};
use crate::zoo::{Zoo, with_config};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::data::csv::Schema;
use tenfold_core::data::{Input, Kind, Preprocess};
use tenfold_core::suggest::{Proposal, Propose, Suggest, Suggestion, rank};
use tenfold_core::trained::Trained;
use tenfold_core::viz::heat::Heat;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::zoo::Zoo as _;

/// A trained model, ready to propose labels; in a regression numbers, and its one label is
/// what they are called.
pub struct Predictor {
    labels: Vec<String>,
    preprocess: Preprocess,
    columns: Option<Vec<String>>,
    schema: Option<Schema>,
    regression: Option<Regression>,
    temperature: f32,
    network: Box<dyn Ask>,
    device: Device,
}

/// What is asked of a network whatever its type.
pub(crate) trait Ask: Send {
    /// As [`Network::forward`].
    fn logits(&self, inputs: Tensor<4>) -> Tensor<2>;
    /// As [`Network::embed`].
    fn embed(&self, inputs: Tensor<4>) -> Tensor<2>;
    /// As [`explain::grad_cam`].
    fn heat(&self, inputs: Tensor<4>) -> Result<Option<Vec<Heat>>>;
}

impl<N: Network> Ask for N {
    fn logits(&self, inputs: Tensor<4>) -> Tensor<2> {
        self.forward(inputs)
    }

    fn embed(&self, inputs: Tensor<4>) -> Tensor<2> {
        Network::embed(self, inputs)
    }

    fn heat(&self, inputs: Tensor<4>) -> Result<Option<Vec<Heat>>> {
        explain::grad_cam(self, inputs)
    }
}

impl Predictor {
    /// From a run folder, or a file that `export` wrote.
    ///
    /// # Errors
    /// A file that is missing, damaged, newer than this program, or carries no configuration.
    pub fn from_file(path: &Path, device: &Device) -> Result<Self> {
        let trained = Trained::open(path)?;
        let model: Zoo = trained.model()?;
        let config: RunConfig = trained.config(Zoo::TASK)?;
        let network = with_config!(model, Config => {
            let network: Config = config.network(&trained.path)?;
            loaded(&network, &trained.weights, true, device)?
        });
        Ok(Self::new(config, network, device))
    }

    /// From weights alone: the sizes of the model are read off the weights. Images get the
    /// model's own preprocessing, torchvision's for ImageNet weights; a model without one
    /// has them scaled to 0..1. `set` changes the model's choices, as `--set` does. Without
    /// `labels` the classes are numbered from 0.
    ///
    /// # Errors
    /// Weights that do not fit the model, or labels that do not fit the weights.
    pub fn from_weights(
        model: Zoo,
        path: &Path,
        labels: Option<&Path>,
        set: &[String],
        device: &Device,
    ) -> Result<Self> {
        with_config!(model, Config, new => {
            // Input and classes are placeholders: the weights tell them.
            let usual = new([3, 224, 224], 1000);
            let name = format!("`{}`", model.name());
            let network: Config = infer(path, &name, std::slice::from_ref(&usual), device)?;
            config::tell_changes(path, &usual, &network);
            let network = config::set_fields(&network, set)?;
            let (input, classes) = (network.input_shape(), network.classes());
            let labels = match labels {
                Some(file) => labels::read(file, classes)?,
                None => (0..classes).map(|class| class.to_string()).collect(),
            };
            let preprocess = network.preprocess().unwrap_or_else(|| Preprocess::unit(input));
            let network = loaded(&network, path, false, device)?;
            let (columns, schema, regression, temperature) = (None, None, None, 1.0);
            let device = device.clone();
            Ok(Self {
                labels,
                preprocess,
                columns,
                schema,
                regression,
                temperature,
                network,
                device,
            })
        })
    }

    /// Of a configuration and its trained network.
    pub(crate) fn new(config: RunConfig, network: Box<dyn Ask>, device: &Device) -> Self {
        let temperature = config.temperature.unwrap_or(1.0);
        let RunConfig { labels, preprocess, columns, regression, data, .. } = config;
        let (schema, device) = (data.schema, device.clone());
        Self { labels, preprocess, columns, schema, regression, temperature, network, device }
    }

    /// With labels of others in place of numbers.
    pub fn labelled(self, labels: Vec<String>) -> Self {
        match labels.len() == self.labels.len() {
            true => Self { labels, ..self },
            false => self,
        }
    }

    /// How an image becomes the network's input.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// What the last layer sees of each input, one after the other: as many numbers for each.
    ///
    /// # Errors
    /// An input that does not suit the model.
    pub fn embed(&self, inputs: &[&Input]) -> Result<Vec<f32>> {
        match inputs {
            [] => Ok(Vec::new()),
            _ => read_back(self.network.embed(self.prepare(inputs)?)),
        }
    }

    /// Where in each image the best suggestion comes from; none where the model does not
    /// look at images piece by piece.
    ///
    /// # Errors
    /// An input that does not suit the model.
    pub fn explain(&self, inputs: &[&Input]) -> Result<Option<Vec<Heat>>> {
        self.network.heat(self.prepare(inputs)?)
    }

    fn prepare(&self, inputs: &[&Input]) -> Result<Tensor<4>> {
        self.preprocess.batch(inputs, &self.device)
    }
}

impl Suggest<Input> for Predictor {
    fn suggest(&self, inputs: &[&Input], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let logits = self.network.logits(self.prepare(inputs)?);
        if let Some(scale) = self.regression {
            let numbers = read_back(logits)?;
            return Ok(numbers.into_iter().map(|x| vec![scale.suggestion(x)]).collect());
        }
        let probabilities = read_back(softmax(logits / self.temperature, 1))?;
        let rows = probabilities.chunks(self.labels.len().max(1));
        Ok(rows.map(|row| rank(row, &self.labels, top)).collect())
    }
}

impl Propose for Predictor {
    fn kind(&self) -> Kind {
        match &self.columns {
            Some(columns) => Kind::Rows { columns: columns.clone(), schema: self.schema.clone() },
            None => {
                let [channels, height, width] = self.preprocess.shape();
                Kind::Images { channels, height, width }
            }
        }
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn preprocess(&self) -> Option<&Preprocess> {
        Some(&self.preprocess)
    }

    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>> {
        Ok(self.suggest(inputs, top)?.into_iter().map(Proposal::alternatives).collect())
    }

    fn embed(&self, inputs: &[&Input]) -> Result<Option<Vec<f32>>> {
        self.embed(inputs).map(Some)
    }
}

/// The network with the weights in `path`; `sealed` where Tenfold wrote them.
fn loaded<C: ModelConfig>(
    config: &C,
    path: &Path,
    sealed: bool,
    device: &Device,
) -> Result<Box<dyn Ask>> {
    let mut network = config.init(device);
    weights::load(&mut network, path, &LoadOptions { sealed, ..C::Network::load_options() })?;
    Ok(Box::new(network))
}
