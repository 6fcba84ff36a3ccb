//! The multilayer perceptron: hidden linear layers with a non-linearity between them.
//!
//! D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by
//! back-propagating errors", Nature 323 (1986).
//!
//! Differs from the paper: ReLU in place of the sigmoid (`--set activation=sigmoid` is the
//! paper's), dropout after each hidden layer (Srivastava et al. 2014), softmax cross-entropy in
//! place of the squared error, which a regression keeps.

use super::checks::{DROPOUT, check_dropout, check_widths, numbers};
use super::infer::{shape, square_input};
use super::input::{Sizes, Takes};
use super::network::{Fields, ModelConfig, Network};
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, LinearConfig};
use burn::tensor::activation::{elu, gelu, leaky_relu, relu, selu, sigmoid, tanh};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_core::data::Task;
use tenfold_kernels::nn::Linear;

/// The choices of [`Mlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MlpConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes; 1 where a number is predicted.
    pub classes: usize,
    /// Units of each hidden layer, first to last.
    pub hidden: Vec<usize>,
    /// Part of the hidden units that a training step leaves out.
    pub dropout: f64,
    /// What each hidden unit makes of its sum.
    #[serde(default)]
    pub activation: Activation,
}

/// What a hidden unit makes of the weighted sum of its inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `1 / (1 + exp(-x))`, the paper's.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(0, x)` (Glorot, Bordes, Bengio 2011).
    #[default]
    Relu,
    /// ReLU with a slope of 0.01 below zero (Maas et al. 2013).
    LeakyRelu,
    /// ReLU with `exp(x) - 1` below zero (Clevert et al. 2016).
    Elu,
    /// ELU, scaled so that layers normalise themselves (Klambauer et al. 2017).
    Selu,
    /// `x` times the normal distribution's probability of less than `x` (Hendrycks and Gimpel
    /// 2016).
    Gelu,
}

impl Activation {
    /// The function, number by number.
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => tanh(x),
            Self::Relu => relu(x),
            Self::LeakyRelu => leaky_relu(x, 0.01),
            Self::Elu => elu(x, 1.0),
            Self::Selu => selu(x),
            Self::Gelu => gelu(x),
        }
    }
}

impl MlpConfig {
    /// The default choices for inputs of shape `[channels, height, width]`.
    pub fn new(input: [usize; 3], classes: usize) -> Self {
        // Tables have few columns: a network sized for images would only memorise them.
        let hidden = if input[1] == 1 { vec![64, 32] } else { vec![512, 256] };
        Self { input, classes, hidden, dropout: 0.2, activation: Activation::Relu }
    }
}

impl ModelConfig for MlpConfig {
    type Network = Mlp;

    const TASKS: &'static [Task] = &[Task::Classification, Task::Regression];
    const TAKES: Takes = Takes::Anything;
    const FIELDS: Fields = &[
        ("hidden", "units of each hidden layer, first to last, as [512, 256]"),
        DROPOUT,
        ("activation", "sigmoid, tanh, relu, leaky_relu, elu, selu or gelu"),
    ];

    fn members() -> Vec<Self> {
        vec![Self::new([1, 28, 28], 10)]
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        let mut widths = vec![numbers(self.input)];
        widths.extend(&self.hidden);
        widths.push(self.classes);
        check_widths("hidden", &widths)?;
        check_dropout(self.dropout)
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let &[classes, mut inputs] = shape(keys, "output.weight")? else { return None };
        let layer = |i: usize| shape(keys, &format!("hidden.{i}.weight"));
        let mut hidden = Vec::new();
        while let Some(&[units, below]) = layer(hidden.len()) {
            inputs = if hidden.is_empty() { below } else { inputs };
            hidden.push(units);
        }
        Some(Self { hidden, ..Self::new(square_input(inputs)?, classes) })
    }

    fn init(&self, device: &Device) -> Mlp {
        let mut inputs = self.input.iter().product();
        let layer = |&units: &usize| {
            LinearConfig::new(std::mem::replace(&mut inputs, units), units).init(device).into()
        };
        let hidden = self.hidden.iter().map(layer).collect();
        Mlp {
            hidden,
            dropout: DropoutConfig::new(self.dropout).init(),
            activation: self.activation,
            output: LinearConfig::new(inputs, self.classes).init(device).into(),
        }
    }
}

/// Hidden layers, then logits.
#[derive(Module, Debug)]
pub struct Mlp {
    /// One after the other, each followed by activation and dropout.
    pub hidden: Vec<Linear>,
    dropout: Dropout,
    #[module(skip)]
    activation: Activation,
    /// Last hidden layer to classes.
    pub output: Linear,
}

impl Network for Mlp {
    type Config = MlpConfig;

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.output.forward(features) // [batch, classes]
    }

    fn embed(&self, inputs: Tensor<4>) -> Tensor<2> {
        let mut x = inputs.flatten(1, 3); // [batch, channels * height * width]
        for layer in &self.hidden {
            x = self.activation.apply(layer.forward(x)); // [batch, units]
            x = self.dropout.forward(x);
        }
        x
    }

    fn parts(&self) -> Vec<Vec<String>> {
        (0..self.hidden.len()).map(|layer| vec![format!("hidden.{layer}")]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn layers_follow_the_configuration() {
        let device = device::open("cpu").unwrap();
        let config = MlpConfig { hidden: vec![5, 4, 3], ..MlpConfig::new([1, 2, 3], 2) };
        let network = config.init(&device);
        assert_eq!(network.num_params(), (6 * 5 + 5) + (5 * 4 + 4) + (4 * 3 + 3) + (3 * 2 + 2));
        let logits = network.forward(Tensor::ones([7, 1, 2, 3], &device));
        assert_eq!(logits.dims(), [7, 2]);
    }

    #[test]
    fn activations_by_hand() {
        // The published values at -1 and 2.
        let expected = [
            (Activation::Sigmoid, [0.268_941_4, 0.880_797_1]),
            (Activation::Tanh, [-0.761_594_2, 0.964_027_6]),
            (Activation::Relu, [0.0, 2.0]),
            (Activation::LeakyRelu, [-0.01, 2.0]),
            (Activation::Elu, [-0.632_120_6, 2.0]),
            (Activation::Selu, [-1.111_330_7, 2.101_402]),
            (Activation::Gelu, [-0.158_655_3, 1.954_499_7]),
        ];
        let x = Tensor::<1>::from_data([-1.0f32, 2.0], &device::open("cpu").unwrap());
        for (activation, expected) in expected {
            let found: Vec<f32> = activation.apply(x.clone()).into_data().try_into_vec().unwrap();
            let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(close, "{activation:?}: {found:?}");
        }
    }

    #[test]
    fn a_config_from_before_there_was_a_choice_has_relu() {
        let old = r#"{"input":[1,1,4],"classes":3,"hidden":[5],"dropout":0.2}"#;
        let config: MlpConfig = serde_json::from_str(old).unwrap();
        assert_eq!(config.activation, Activation::Relu);
    }

    #[test]
    fn without_hidden_layers_it_is_logistic_regression() {
        let device = device::open("cpu").unwrap();
        let config = MlpConfig { hidden: vec![], ..MlpConfig::new([1, 1, 4], 3) };
        assert_eq!(config.init(&device).num_params(), 4 * 3 + 3);
    }
}
