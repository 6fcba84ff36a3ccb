//! Darknet's layer, and its files of weights.
//!
//! A `.weights` file has no names: three numbers of a version, how many images were seen, then
//! the numbers of each layer in turn: shifts, scales, means and variances where it is normalised,
//! and its weights.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor, TensorData};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tenfold_classification::models::layers::{conv, he, norm};
use tenfold_core::{Error, Result};
use tenfold_kernels::nn::{BatchNorm, Conv2d, Linear};
use tenfold_kernels::ops::leaky_relu;

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
        match self {
            Self::Layer(own) => count(&own.conv.weight) + 4 * count(&own.norm.beta),
            Self::Conv(own) => count(&own.weight) + own.bias.as_ref().map_or(0, count),
            Self::Linear(own) => count(&own.weight) + own.bias.as_ref().map_or(0, count),
        }
    }
}

/// Nothing is drawn for it.
fn count<const D: usize>(param: &Param<Tensor<D>>) -> usize {
    shape(param).iter().product()
}

fn shape<const D: usize>(param: &Param<Tensor<D>>) -> [usize; D] {
    param.lazy_shape().dims()
}

/// Sets the weights of `parts`, all of a network's in Darknet's order.
///
/// # Errors
/// A file that cannot be read, or of another length than the network's.
pub fn load(path: &Path, parts: Vec<Part<'_>>) -> Result<()> {
    let failed = |why| Error::io(path, why);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len() as usize;
    let mut version = [0; VERSION];
    if length < VERSION {
        let why = format!("{length} bytes; expected the version of a Darknet file first");
        return Err(Error::file(path, why));
    }
    file.read_exact(&mut version).map_err(failed)?;
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
    let found = length.saturating_sub(header);
    if found != 4 * expected {
        let why = format!(
            "{} numbers behind a header of version {major}.{minor}; expected {expected} for this \
             network and its classes",
            found as f64 / 4.0
        );
        return Err(Error::file(path, why));
    }
    let mut bytes = Vec::with_capacity(length - VERSION);
    file.read_to_end(&mut bytes).map_err(failed)?;
    let numbers = bytes[header - VERSION..]
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
        let tensor = self.tensor(shape(param), &param.lazy_device());
        *param = Param::initialized(param.id, tensor);
    }

    fn part(&mut self, part: Part<'_>) {
        match part {
            Part::Layer(Layer { conv, norm }) => {
                self.set(&mut norm.beta);
                self.set(&mut norm.gamma);
                let (shape, device) = (shape(&norm.gamma), norm.gamma.lazy_device());
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
                let [inputs, outputs] = shape(&linear.weight);
                let device = linear.weight.lazy_device();
                let tensor = self.tensor([outputs, inputs], &device).transpose();
                linear.weight = Param::initialized(linear.weight.id, tensor);
            }
        }
    }
}
