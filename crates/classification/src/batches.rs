//! From examples to batches, and from batches to losses.

use burn::tensor::{Device, Int, Tensor, TensorData};
use std::sync::Arc;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::{Augment, Examples, Input, Preprocess};
use tenfold_core::train::loader::Collate;
use tenfold_core::{Error, Result};

/// Examples per step where nothing is learnt.
pub const BATCH: usize = 256;

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
    /// What is done to images in training.
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
                (Input::Image(picture), Some(augment)) => {
                    let mut random = SplitMix64::keyed(&[seed, index as u64]);
                    Input::Image(augment.apply(picture, &mut random))
                }
                (input, _) => input,
            };
            values.extend(self.preprocess.apply(&input)?);
            labels.push(example.target as i64);
        }
        Ok((values, labels))
    }

    fn upload(&self, (values, labels): Self::Host, device: &Device) -> Batch {
        let inputs = self.preprocess.tensor(values, device);
        let count = labels.len();
        let targets = Tensor::from_data(TensorData::new(labels, [count]), device);
        Batch { inputs, targets }
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

/// The targets of a batch.
///
/// # Errors
/// The device fails.
pub fn read_labels(targets: Tensor<1, Int>) -> Result<Vec<usize>> {
    let data = targets.try_into_data().map_err(|why| Error::Training(why.to_string()))?;
    Ok(data.iter::<i64>().map(|label| label as usize).collect())
}
