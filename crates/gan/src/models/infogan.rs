//! InfoGAN: part of the noise is a code that the image must tell, so that its numbers come to
//! mean something: a digit, its slant, its width.
//!
//! X. Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing
//! Generative Adversarial Nets", NIPS 2016: section 5, appendix C.1.
//!
//! Differs from the paper: the networks are `dcgan`'s; a continuous number's deviation is fixed,
//! so that its log-likelihood is half the squared error; as in the authors' code both networks
//! learn from it.

use super::config::NoiseConfig;
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::leaky_relu;

/// Units between the features and the code.
const UNITS: usize = 128;
/// Weight of the continuous numbers beside the categories.
const CONTINUOUS: f64 = 0.5;

/// The model's choices; a data set of ten classes has ten categories.
pub fn config(channels: usize, side: usize, classes: usize) -> NoiseConfig {
    let categories = if classes > 1 { classes } else { 10 };
    NoiseConfig { categories, codes: 2, ..NoiseConfig::new(channels, side) }
}

/// From the discriminator's features to what the code may be: the network Q.
#[derive(Module, Debug)]
pub struct CodeHead {
    hidden: Linear,
    output: Linear,
}

impl CodeHead {
    pub(super) fn new(config: &NoiseConfig, features: usize, device: &Device) -> Self {
        let outputs = config.categories + config.codes;
        Self {
            hidden: LinearConfig::new(features, UNITS).init(device).into(),
            output: LinearConfig::new(UNITS, outputs).init(device).into(),
        }
    }

    /// `[batch, features]` to logits of the categories and means of the numbers.
    pub fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        self.output.forward(leaky_relu(self.hidden.forward(features), 0.1))
    }
}

/// How badly the images tell their code, in nats: the bound of equation 5, negative.
pub fn loss(
    config: &NoiseConfig,
    told: Tensor<2>,
    categories: Tensor<2>,
    codes: Tensor<2>,
) -> Tensor<1> {
    let NoiseConfig { categories: first, codes: second, .. } = *config;
    let mut all = told.clone().sum().mul_scalar(0.0);
    if first > 0 {
        let logits = told.clone().narrow(1, 0, first);
        all = all - (log_softmax(logits, 1) * categories).sum_dim(1).mean();
    }
    if second > 0 {
        let error = (told.narrow(1, first, second) - codes).square().sum_dim(1).mean();
        all = all + error.mul_scalar(CONTINUOUS);
    }
    all
}
