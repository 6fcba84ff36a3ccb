//! Darknet's layer, and its files of weights.
//!
//! A `.weights` file has no names: three numbers of a version, how many images were seen, then
//! the numbers of each layer in turn: shifts, scales, means and variances where it is normalised,
//! and its weights.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{Tensor, TensorData};
use std::path::Path;
use tenfold_classification::models::layers::{conv, he, norm};
use tenfold_core::{Error, Result};
use tenfold_kernels::nn::{BatchNorm, Conv2d, Linear};
use tenfold_kernels::ops::leaky_relu;

use burn::tensor::Device;

/// The slope of its rectification below 0.
const SLOPE: f32 = 0.1;
/// Darknet adds this to the deviation, where others add theirs to the variance.
const EPSILON: f32 = 1e-6;
/// Bytes of the version.
const VERSION: usize = 12;

/// Convolution, batch normalisation, leaky rectification.
#[derive(Module, Debug)]
pub struct Layer {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Layer {
    /// With first weights, for `[inputs, outputs]` channels.
    pub fn new(ends: [usize; 2], kernel: usize, device: &Device) -> Self {
        Self { conv: conv(ends, kernel, 1, he(false), device), norm: norm(ends[1], device) }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        leaky_relu(self.norm.forward(self.conv.forward(x)), SLOPE)
    }
}

/// A layer that has weights.
#[derive(Debug)]
pub enum Part<'a> {
    /// A convolution with its normalisation.
    Layer(&'a mut Layer),
    /// One with a bias.
    Conv(&'a mut Conv2d),
    /// A fully connected one.
    Linear(&'a mut Linear),
}

impl Part<'_> {
    fn count(&self) -> usize {
        let size = |weight: [usize; 4]| weight.iter().product::<usize>();
        match self {
            Self::Layer(own) => size(own.conv.weight.dims()) + 4 * own.conv.weight.dims()[0],
            Self::Conv(own) => size(own.weight.dims()) + own.weight.dims()[0],
            Self::Linear(own) => {
                let [inputs, outputs] = own.weight.dims();
                (inputs + 1) * outputs
            }
        }
    }
}

/// Sets the weights of `parts`, all of a network's in Darknet's order.
///
/// # Errors
/// A file that cannot be read, or of another length than the network's.
pub fn load(path: &Path, parts: Vec<Part<'_>>) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|why| Error::io(path, why))?;
    let Some(version) = bytes.get(..VERSION) else {
        let why = format!("{} bytes; expected the version of a Darknet file first", bytes.len());
        return Err(Error::file(path, why));
    };
    let number =
        |place: usize| i32::from_le_bytes([0, 1, 2, 3].map(|byte| version[4 * place + byte]));
    let [major, minor] = [number(0), number(1)];
    if !(0..=2000).contains(&major) || !(0..=2000).contains(&minor) {
        return Err(Error::file(path, "no version first; expected a .weights file of Darknet"));
    }
    // From 0.2 on the images seen are counted in 64 bits; above 1000 matrices lie turned.
    let turned = major > 1000 || minor > 1000;
    let wide = !turned && 10 * major + minor >= 2;
    let header = VERSION + if wide { 8 } else { 4 };
    let expected: usize = parts.iter().map(Part::count).sum();
    let found = bytes.len().saturating_sub(header);
    if found != 4 * expected {
        let why = format!(
            "{} numbers behind a header of version {major}.{minor}; expected {expected} for this \
             network and its classes",
            found as f64 / 4.0
        );
        return Err(Error::file(path, why));
    }
    let numbers = bytes[header..]
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let mut reader = Reader { numbers: numbers.collect::<Vec<_>>().into_iter(), turned };
    parts.into_iter().for_each(|part| reader.part(part));
    Ok(())
}

struct Reader {
    numbers: std::vec::IntoIter<f32>,
    turned: bool,
}

impl Reader {
    fn tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values: Vec<f32> = self.numbers.by_ref().take(shape.iter().product()).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn set<const D: usize>(&mut self, param: &mut Param<Tensor<D>>) {
        let tensor = self.tensor(param.dims(), &param.device());
        *param = param.clone().map(|_| tensor);
    }

    fn part(&mut self, part: Part<'_>) {
        match part {
            Part::Layer(Layer { conv, norm }) => {
                self.set(&mut norm.beta);
                self.set(&mut norm.gamma);
                let (shape, device) = (norm.gamma.dims(), norm.gamma.device());
                norm.running_mean = RunningState::new(self.tensor(shape, &device));
                // So that the root of it and of the layer's own epsilon is what Darknet divides by.
                let deviation = self.tensor(shape, &device).sqrt() + EPSILON;
                norm.running_var = RunningState::new(deviation.square() - norm.epsilon);
                self.set(&mut conv.weight);
            }
            Part::Conv(conv) => {
                conv.bias.iter_mut().for_each(|bias| self.set(bias));
                self.set(&mut conv.weight);
            }
            Part::Linear(linear) => {
                linear.bias.iter_mut().for_each(|bias| self.set(bias));
                if self.turned {
                    return self.set(&mut linear.weight);
                }
                let [inputs, outputs] = linear.weight.dims();
                let tensor = self.tensor([outputs, inputs], &linear.weight.device()).transpose();
                linear.weight = linear.weight.clone().map(|_| tensor);
            }
        }
    }
}
