//! Multinomial logistic regression: one linear layer under a softmax.
//!
//! D. R. Cox, "The Regression Analysis of Binary Sequences", Journal of the Royal
//! Statistical Society B 20 (1958).
//!
//! Differs from the paper: several classes through the softmax, and fitted by gradient
//! descent instead of by iterated weighted least squares.

use super::checks::{check_widths, numbers};
use super::infer::{shape, square_input};
use super::input::{Sizes, Takes};
use super::network::{Fields, ModelConfig, Network};
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::Linear;

/// The choices of [`Logistic`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
}

impl LogisticConfig {
    /// The default choices for inputs of shape `[channels, height, width]`.
    pub fn new(input: [usize; 3], classes: usize) -> Self {
        Self { input, classes }
    }
}

impl ModelConfig for LogisticConfig {
    type Network = Logistic;

    const TAKES: Takes = Takes::Anything;
    const FIELDS: Fields = &[];

    fn members() -> Vec<Self> {
        vec![Self::new([1, 28, 28], 10)]
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        check_widths("input", &[numbers(self.input), self.classes])
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let &[classes, inputs] = shape(keys, "output.weight")? else { return None };
        Some(Self::new(square_input(inputs)?, classes))
    }

    fn init(&self, device: &Device) -> Logistic {
        let inputs = self.input.iter().product();
        Logistic { output: LinearConfig::new(inputs, self.classes).init(device).into() }
    }
}

/// Logits as a linear function of every input.
#[derive(Module, Debug)]
pub struct Logistic {
    /// inputs to classes.
    pub output: Linear,
}

impl Network for Logistic {
    type Config = LogisticConfig;

    fn head(&self, inputs: Tensor<2>) -> Tensor<2> {
        self.output.forward(inputs) // [batch, classes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn a_digit_model_has_one_weight_per_pixel_and_class() {
        let device = device::open("cpu").unwrap();
        let network = LogisticConfig::new([1, 28, 28], 10).init(&device);
        assert_eq!(network.num_params(), 28 * 28 * 10 + 10);
        let logits = network.forward(Tensor::zeros([3, 1, 28, 28], &device));
        assert_eq!(logits.dims(), [3, 10]);
    }
}
