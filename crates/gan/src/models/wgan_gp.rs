//! WGAN-GP: the critic's slope is held near 1 by a penalty, not by clipping its weights.
//!
//! I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017: algorithm 1 with its
//! values: Adam at 1e-4 with beta 0 and 0.9, weight 10, five steps of the critic, no batch
//! normalisation in the critic.
//!
//! Differs from the paper: the networks are `dcgan`'s. The penalty's gradient is a second
//! derivative, which Burn's autodiff does not give; here it is exact all the same, see
//! [`image_gradient`](super::dcgan::Discriminator::image_gradient).

use super::config::{NoiseConfig, Rule};
use super::dcgan::Discriminator;
use burn::tensor::Tensor;

/// The model's choices.
pub fn config(channels: usize, side: usize) -> NoiseConfig {
    NoiseConfig {
        rule: Rule::Wasserstein,
        critic_steps: 5,
        critic_norm: false,
        penalty: 10.0,
        rate_ratio: 1.0,
        ..NoiseConfig::new(channels, side)
    }
}

/// How far the critic's slope is from 1 between real images and made ones; `mix` is a number in
/// 0..1 for each, `[batch, 1, 1, 1]`.
pub fn penalty(
    critic: &Discriminator,
    real: Tensor<4>,
    made: Tensor<4>,
    mix: Tensor<4>,
) -> Tensor<1> {
    let between = made.clone() + (real - made) * mix;
    let gradient: Tensor<2> = critic.image_gradient(between).flatten(1, 3);
    // The root has no slope at 0.
    let slope = gradient.square().sum_dim(1).add_scalar(1e-12).sqrt();
    slope.sub_scalar(1.0).square().mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Distribution};
    use tenfold_core::device::autodiff_device;
    use tenfold_core::train::{drawn, random_stream};

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    fn network(spectral: bool, device: &Device) -> Discriminator {
        let config = NoiseConfig { width: 4, spectral, ..config(1, 28) };
        drawn(Discriminator::new(&config, device))
    }

    #[test]
    fn the_image_gradient_is_autodiffs() {
        let _stream = random_stream();
        for spectral in [false, true] {
            let device = autodiff_device(&Device::flex(), 3);
            let critic = network(spectral, &device);
            let images = Tensor::<4>::random([2, 1, 28, 28], Distribution::Default, &device);
            let own = values(critic.image_gradient(images.clone()));
            let images = images.require_grad();
            let logit = critic.judge(critic.features(images.clone(), None)).sum();
            let expected = values(images.grad(&logit.backward()).unwrap());
            let largest = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
            for (own, expected) in own.iter().zip(&expected) {
                assert!((own - expected).abs() < 1e-4 * largest, "{own} {expected}");
            }
        }
    }

    #[test]
    fn the_penaltys_gradient_is_its_change() {
        let _stream = random_stream();
        let device = autodiff_device(&Device::flex(), 4);
        let mut critic = network(false, &device);
        // Weights large enough for a slope of about 1.
        let images = |critic: &Discriminator| {
            let device = critic.devices()[0].clone();
            let one = |seed: u64| {
                let at = |i: u64| ((i * 7919 + seed) % 1009) as f32 / 504.5 - 1.0;
                let values: Vec<f32> = (0..2 * 784).map(at).collect();
                let data = burn::tensor::TensorData::new(values, [2, 1, 28, 28]);
                Tensor::<4>::from_data(data, &device)
            };
            let mix = Tensor::<4>::from_data([[[[0.3f32]]], [[[0.8]]]], &device);
            penalty(critic, one(1), one(500), mix)
        };
        let scale = |critic: Discriminator, by: f32| {
            struct Scale(f32);
            impl burn::module::ModuleMapper for Scale {
                fn map_float<const D: usize>(
                    &mut self,
                    param: burn::module::Param<Tensor<D>>,
                ) -> burn::module::Param<Tensor<D>> {
                    param.map(|weight| {
                        Tensor::from_inner(weight.inner().mul_scalar(self.0)).require_grad()
                    })
                }
            }
            critic.map(&mut Scale(by))
        };
        critic = scale(critic, 8.0);
        let gradients = GradientsParams::from_grads(images(&critic).backward(), &critic);
        // Along the weights themselves, the change is the sum of gradient times weight.
        struct Dot<'a>(&'a GradientsParams, f64);
        impl burn::module::ModuleVisitor for Dot<'_> {
            fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
                if let Some(gradient) = self.0.get::<D>(param.id) {
                    let weight = param.val().inner();
                    let sum = values((gradient * weight).sum())[0];
                    self.1 += f64::from(sum);
                }
            }
        }
        let mut dot = Dot(&gradients, 0.0);
        critic.visit(&mut dot);
        let step = 1e-3;
        let at = |by: f32| f64::from(values(images(&scale(critic.clone(), by)))[0]);
        let change = (at(1.0 + step) - at(1.0 - step)) / (2.0 * f64::from(step));
        assert!(change.abs() > 1e-3, "{change}");
        assert!((dot.1 - change).abs() < 0.02 * change.abs(), "{} {change}", dot.1);
    }
}
