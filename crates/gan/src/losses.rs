//! What the two networks of a GAN learn from.

use crate::models::config::Rule;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, softplus};

/// The discriminator's loss on its logits of real images and of made ones. `smooth` lowers the
/// target of real images (Salimans et al., 2016).
pub fn discriminator<const D: usize>(
    rule: Rule,
    real: Tensor<D>,
    made: Tensor<D>,
    smooth: f64,
) -> Tensor<1> {
    match rule {
        Rule::NonSaturating | Rule::Saturating => {
            let wrong = softplus(real.clone(), 1.0).mean().mul_scalar(smooth);
            let right = softplus(real.neg(), 1.0).mean().mul_scalar(1.0 - smooth);
            right + wrong + softplus(made, 1.0).mean()
        }
        Rule::LeastSquares => {
            let half = |x: Tensor<1>| x.mul_scalar(0.5);
            half(real.sub_scalar(1.0 - smooth).square().mean()) + half(made.square().mean())
        }
        Rule::Hinge => relu(real.neg().add_scalar(1.0)).mean() + relu(made.add_scalar(1.0)).mean(),
        Rule::Wasserstein => made.mean() - real.mean(),
    }
}

/// The generator's loss on the discriminator's logits of its images.
pub fn generator<const D: usize>(rule: Rule, made: Tensor<D>) -> Tensor<1> {
    match rule {
        Rule::NonSaturating => softplus(made.neg(), 1.0).mean(),
        Rule::Saturating => softplus(made, 1.0).mean().neg(),
        Rule::LeastSquares => made.sub_scalar(1.0).square().mean().mul_scalar(0.5),
        Rule::Hinge | Rule::Wasserstein => made.mean().neg(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn losses_are_the_papers() {
        let device = Device::flex();
        let (real, made) = ([2.0f64, -0.5], [0.5f64, -1.0]);
        let tensor = |x: [f64; 2]| Tensor::<1>::from_data(x.map(|x| x as f32), &device);
        let log1p = |x: f64| (1.0 + x.exp()).ln();
        let mean = |f: &dyn Fn(f64) -> f64, x: [f64; 2]| (f(x[0]) + f(x[1])) / 2.0;
        let cross = mean(&|x| 0.9 * log1p(-x) + 0.1 * log1p(x), real) + mean(&log1p, made);
        for (rule, first, second) in [
            (Rule::NonSaturating, cross, mean(&|x| log1p(-x), made)),
            (Rule::Saturating, cross, mean(&|x| -log1p(x), made)),
            (
                Rule::LeastSquares,
                mean(&|x| (x - 0.9).powi(2) / 2.0, real) + mean(&|x| x * x / 2.0, made),
                mean(&|x| (x - 1.0).powi(2) / 2.0, made),
            ),
            (
                Rule::Hinge,
                mean(&|x| (1.0 - x).max(0.0), real) + mean(&|x| (1.0 + x).max(0.0), made),
                mean(&|x| -x, made),
            ),
            (Rule::Wasserstein, mean(&|x| x, made) - mean(&|x| x, real), mean(&|x| -x, made)),
        ] {
            let value = |loss: Tensor<1>| f64::from(loss.into_scalar::<f32>());
            let own = value(discriminator(rule, tensor(real), tensor(made), 0.1));
            assert!((own - first).abs() < 1e-5, "{rule:?}: {own} {first}");
            let own = value(generator(rule, tensor(made)));
            assert!((own - second).abs() < 1e-5, "{rule:?}: {own} {second}");
        }
    }
}
