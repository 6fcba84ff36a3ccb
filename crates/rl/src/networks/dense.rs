//! Fully connected layers, noisy ones too.

use super::initial::orthogonal;
use crate::env::Random;
use burn::module::{Initializer, Module, Param};
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor, TensorData};
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::{self, Activation};

/// A fully connected layer, whose weights may be noisy: each is a mean and a learnt deviation
/// (Fortunato et al.: "Noisy networks for exploration", 2018, arXiv:1706.10295, with noise that
/// is factorised over inputs and outputs, section 3(b)).
#[derive(Module, Debug)]
pub struct Dense {
    linear: Linear,
    deviation: Option<Deviation>,
}

#[derive(Module, Debug)]
struct Deviation {
    /// `[inputs, outputs]`
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Param<Tensor<1>>,
}

impl Dense {
    /// Weights orthogonal with this gain, biases zero; with `noisy` uniform weights, and
    /// deviations of that size over the root of the inputs.
    pub fn new(
        inputs: usize,
        outputs: usize,
        gain: f64,
        noisy: Option<f32>,
        device: &Device,
    ) -> Self {
        let config = LinearConfig::new(inputs, outputs);
        let Some(sigma) = noisy else {
            let weight = orthogonal([inputs, outputs], gain, device);
            let bias = Some(Initializer::Zeros.init([outputs], device));
            return Self { linear: burn::nn::Linear { weight, bias }.into(), deviation: None };
        };
        let bound = 1.0 / (inputs as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        let value = f64::from(sigma) * bound;
        let constant = Initializer::Constant { value };
        let deviation = Deviation {
            weight: constant.init([inputs, outputs], device),
            bias: constant.init([outputs], device),
        };
        let linear = config.with_initializer(uniform).init(device).into();
        Self { linear, deviation: Some(deviation) }
    }

    /// `[B, inputs]` to `[B, outputs]`; noisy weights are at their means without `noise`.
    pub fn forward(
        &self,
        x: Tensor<2>,
        activation: Activation,
        noise: Option<&mut Random>,
    ) -> Tensor<2> {
        let (Some(deviation), Some(random)) = (&self.deviation, noise) else {
            return self.linear.forward_with(x, activation);
        };
        let [inputs, outputs] = deviation.weight.dims();
        let device = x.device();
        let mut noise = |len: usize| {
            let draw = |_| {
                let normal = gaussian(random);
                normal.signum() * normal.abs().sqrt()
            };
            let noise: Vec<f32> = (0..len).map(draw).collect();
            Tensor::<2>::from_data(TensorData::new(noise, [1, len]), &device)
        };
        // Noise that is a product of one for each input and one for each output needs no noisy
        // weights: what comes in is scaled, and what goes out.
        let shaken = x.clone() * noise(inputs);
        let (weight, bias) = (deviation.weight.val(), Some(deviation.bias.val()));
        let shift = ops::linear(shaken, weight, bias, Activation::Identity) * noise(outputs);
        let y = self.linear.forward(x) + shift;
        if activation == Activation::Relu { ops::relu(y) } else { y }
    }
}

/// A number from the standard normal distribution (Box and Muller, 1958).
pub fn gaussian(random: &mut Random) -> f32 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::initial::seeded;
    use crate::tensors::{elements, matrix};

    /// By weights made noisy one by one (arXiv:1706.10295, equations 9 to 11).
    #[test]
    fn noise_is_that_of_each_weight() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let dense =
            seeded(3, &device, |autodiff_device| Dense::new(5, 4, 1.0, Some(0.5), autodiff_device))
                .valid();
        let x: Vec<f32> = (0..10).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = matrix(x, 2, &device);
        let said = |noise: Option<&mut Random>| {
            elements(dense.forward(x.clone(), Activation::Relu, noise))
        };
        let mut random = Random::new(9);
        let got = said(Some(&mut Random::new(9)));
        let mut factors = |len: usize| -> Vec<f32> {
            let normal = (0..len).map(|_| gaussian(&mut random));
            normal.map(|normal| normal.signum() * normal.abs().sqrt()).collect()
        };
        let (inputs, outputs) = (factors(5), factors(4));
        let deviation = dense.deviation.as_ref().unwrap();
        let bias = elements(dense.linear.bias.as_ref().unwrap().val());
        let weight = elements(dense.linear.weight.val());
        let (sigma, sigma_bias) =
            (elements(deviation.weight.val()), elements(deviation.bias.val()));
        for (row, x) in elements(x.clone()).chunks_exact(5).enumerate() {
            for out in 0..4 {
                let mut y = bias[out] + sigma_bias[out] * outputs[out];
                for (i, x) in x.iter().enumerate() {
                    let at = i * 4 + out;
                    y += x * (weight[at] + sigma[at] * inputs[i] * outputs[out]);
                }
                let got = got[row * 4 + out];
                assert!((got - y.max(0.0)).abs() < 1e-5, "{got} for {y}");
            }
        }
        // Other noise, and none.
        assert_ne!(said(Some(&mut Random::new(8))), got);
        assert_ne!(said(None), got);
    }
}
