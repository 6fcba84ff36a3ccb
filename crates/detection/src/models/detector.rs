//! What every model of the zoo gives: a network from its configuration, a loss, and boxes.

use crate::detection::Detection;
use crate::parts::nms::Nms;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use tenfold_core::data::{Input, Object, Preprocess};
use tenfold_core::geometry::Transform;
use tenfold_core::train::Loss;
use tenfold_core::{Error, Result};

/// What is known of the data when a model's configuration is made.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Number of classes.
    pub classes: usize,
    /// Width and height of the first image.
    pub image: [usize; 2],
    /// Widths and heights of boxes, in parts of their image's longer side.
    pub sides: Vec<[f32; 2]>,
    /// Source of random numbers.
    pub seed: u64,
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
    ///
    /// # Errors
    /// Choices that cannot work.
    fn finished(self, seen: &Seen) -> Result<Self, String> {
        let _ = seen;
        Ok(self)
    }

    /// With first weights.
    fn init(&self, device: &Device) -> Self::Network;

    /// From an image to the network's input.
    fn preprocess(&self) -> Preprocess;

    /// The loss of a batch, whose objects are in pixels of the input.
    fn loss(&self, network: &Self::Network, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss;

    /// What is found in each image, in pixels of the input, before any suppression.
    fn detect(&self, network: &Self::Network, images: Tensor<4>) -> Vec<Vec<Detection>>;

    /// Which of the boxes are kept.
    fn nms(&self) -> Nms {
        Nms::default()
    }

    /// Whether [`find`](Self::find) takes images as they are, not as `preprocess` shapes them.
    fn any_size(&self) -> bool {
        false
    }

    /// What is found in each image, in its own pixels, before any suppression.
    ///
    /// # Errors
    /// An input that is no image.
    fn find(
        &self,
        network: &Self::Network,
        preprocess: &Preprocess,
        inputs: &[&Input],
        device: &Device,
    ) -> Result<Vec<Vec<Detection>>> {
        find(self, network, preprocess, inputs, device)
    }
}

/// [`DetectorConfig::find`] by way of the network's input.
///
/// # Errors
/// An input that is no image.
pub fn find<C: DetectorConfig>(
    config: &C,
    network: &C::Network,
    preprocess: &Preprocess,
    inputs: &[&Input],
    device: &Device,
) -> Result<Vec<Vec<Detection>>> {
    let found = config.detect(network, preprocess.batch(inputs, device)?);
    let placed = |(input, found): (&&Input, Vec<Detection>)| {
        let Some([width, height]) = input.image_size() else {
            return Err(Error::argument("input", "expected an image"));
        };
        let back = preprocess.transform(width, height).inverse();
        let back = back.unwrap_or(Transform::identity(width as usize, height as usize));
        let own = |one: Detection| Detection {
            bounding_box: back.bounding_box(&one.bounding_box),
            ..one
        };
        Ok(found.into_iter().map(own).collect())
    };
    inputs.iter().zip(found).map(placed).collect()
}

/// A tensor's numbers, in the order of its shape.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
