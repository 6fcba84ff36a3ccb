//! WGAN: a critic whose loss says how far the images are from real ones.
//!
//! M. Arjovsky, S. Chintala, L. Bottou, "Wasserstein GAN", ICML 2017: algorithm 1 with its
//! values: RMSProp at 5e-5, weights clipped to 0.01, five steps of the critic.
//!
//! Differs from the paper: the networks are `dcgan`'s; the first generator steps have no longer
//! training of the critic (the authors' code has 100 steps for each of the first 25).

use super::config::{NoiseConfig, Rule};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

/// The model's choices.
pub fn config(channels: usize, side: usize) -> NoiseConfig {
    NoiseConfig {
        rule: Rule::Wasserstein,
        critic_steps: 5,
        clip: 0.01,
        rate_ratio: 1.0,
        ..NoiseConfig::new(channels, side)
    }
}

/// A network with every weight between minus `limit` and `limit`.
pub fn clipped<N: Module>(network: N, limit: f64) -> N {
    struct Clip(f64);
    impl ModuleMapper for Clip {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            // Statistics that a normalisation keeps are no weights.
            match param.is_require_grad() {
                true => param.map(|weight| {
                    let clipped = weight.inner().clamp(-self.0, self.0);
                    Tensor::from_inner(clipped).require_grad()
                }),
                false => param,
            }
        }
    }
    network.map(&mut Clip(limit))
}
