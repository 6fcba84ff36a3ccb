//! Multinomial logistic regression: one linear layer under a softmax.
//!
//! D. R. Cox, "The Regression Analysis of Binary Sequences", Journal of the Royal
//! Statistical Society B 20 (1958).
//!
//! Differs from the paper: several classes through the softmax, and fitted by gradient
//! descent instead of by iterated weighted least squares.

use super::{ModelConfig, Network, check_widths, flat_input, numbers, shape, square_input};
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::Result;
use tenfold_core::data::Kind;
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

    fn input(kind: &Kind) -> Result<[usize; 3]> {
        Ok(flat_input(kind))
    }

    fn input_shape(&self) -> [usize; 3] {
        self.input
    }

    fn classes(&self) -> usize {
        self.classes
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
    fn forward(&self, inputs: Tensor<4>) -> Tensor<2> {
        self.output.forward(inputs.flatten(1, 3)) // [batch, classes]
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

    #[test]
    fn large_pictures_are_brought_to_a_size_that_flattens() {
        let photo = Kind::Pictures { channels: 3, height: 480, width: 640 };
        assert_eq!(LogisticConfig::input(&photo).unwrap(), [3, 32, 32]);
        let table = Kind::Rows { columns: vec!["a".into(), "b".into()] };
        assert_eq!(LogisticConfig::input(&table).unwrap(), [1, 1, 2]);
    }
}
