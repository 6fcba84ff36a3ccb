//! A network in its training dress: batches in, the loss and its gradients out.

use crate::models::Network;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use std::sync::Arc;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::{Augment, Examples, Input, Preprocess};
use tenfold_core::train::Trainable;
use tenfold_core::train::loader::Collate;
use tenfold_core::train::loss::LossConfig;
use tenfold_core::{Error, Result};

/// Inputs and what they are.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[batch, channels, height, width]`.
    pub inputs: Tensor<4>,
    /// `[batch]`, places in the list of labels.
    pub targets: Tensor<1, Int>,
}

/// Makes batches of a data set's examples.
pub struct ExampleBatches {
    /// The examples, shared by all workers.
    pub examples: Examples,
    /// What the network takes.
    pub preprocess: Preprocess,
    /// What is done to pictures in training.
    pub augment: Option<Augment>,
}

impl Collate for ExampleBatches {
    type Host = (Vec<f32>, Vec<i64>);
    type Batch = Batch;

    fn len(&self) -> usize {
        self.examples.len()
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host> {
        let mut values = Vec::new();
        let mut labels = Vec::with_capacity(examples.len());
        for &index in examples {
            let example = self.examples.get(index)?;
            let input = match (example.input, &self.augment) {
                (Input::Picture(picture), Some(augment)) => {
                    let mut random = SplitMix64::keyed(&[seed, index as u64]);
                    Input::Picture(augment.apply(picture, &mut random))
                }
                (input, _) => input,
            };
            values.extend(self.preprocess.apply(&input)?);
            labels.push(example.label as i64);
        }
        Ok((values, labels))
    }

    fn upload(&self, (values, labels): Self::Host, device: &Device) -> Batch {
        let inputs = tensor(values, self.preprocess.shape(), device);
        let count = labels.len();
        let targets = Tensor::from_data(TensorData::new(labels, [count]), device);
        Batch { inputs, targets }
    }
}

/// Preprocessed inputs as one tensor `[batch, channels, height, width]`.
pub fn tensor(values: Vec<f32>, [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    let batch = values.len() / (c * h * w).max(1);
    Tensor::from_data(TensorData::new(values, [batch, c, h, w]), device)
}

/// A network and its loss.
#[derive(Module, Debug)]
pub struct Classifier<N: Module> {
    /// What is saved.
    pub network: N,
    /// What is made small.
    #[module(skip)]
    pub loss: LossConfig,
}

impl<N: Network> Classifier<N> {
    fn judge(&self, batch: Batch) -> ClassificationOutput {
        let logits = self.network.forward(batch.inputs);
        let loss = self.loss.of_classes(logits.clone(), batch.targets.clone());
        ClassificationOutput::new(loss, logits, batch.targets)
    }
}

impl<N: Network> TrainStep for Classifier<N> {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let Batch { inputs, targets } = batch;
        let (logits, auxiliaries) = self.network.train_forward(inputs);
        let mut loss = self.loss.of_classes(logits.clone(), targets.clone());
        for (auxiliary, weight) in auxiliaries {
            loss = loss + self.loss.of_classes(auxiliary, targets.clone()) * weight;
        }
        let output = ClassificationOutput::new(loss, logits, targets);
        // Curves show the loss without the penalty, so that both splits can be compared.
        let penalty = self.loss.penalty(&self.network);
        let total = penalty.map_or_else(|| output.loss.clone(), |sum| output.loss.clone() + sum);
        TrainOutput::new(self, total.backward(), output)
    }
}

impl<N: Network> InferenceStep for Classifier<N> {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.judge(batch)
    }
}

impl<N: Network> Trainable for Classifier<N> {
    type Network = N;

    fn network(&self) -> &N {
        &self.network
    }
}

/// Batches of `examples` in their own order, without augmentation.
pub fn plain_batches(examples: &Examples, preprocess: &Preprocess) -> Arc<ExampleBatches> {
    let (examples, preprocess) = (examples.clone(), preprocess.clone());
    Arc::new(ExampleBatches { examples, preprocess, augment: None })
}

/// The values that must be read back from the device.
///
/// # Errors
/// The device fails.
pub fn read_back(tensor: Tensor<2>) -> Result<Vec<f32>> {
    let data = tensor.try_into_data().map_err(|why| Error::Training(why.to_string()))?;
    data.convert::<f32>().try_to_vec().map_err(|why| Error::Training(format!("{why:?}")))
}
