//! Instance normalisation.

use super::{Epilogue, batch_norm_train};
use burn::tensor::Tensor;

/// Normalises `x`, `[batch, channels, height, width]`, by the mean and the biased variance of each
/// channel of each image, without scale and shift; and what follows it at once. It is batch
/// normalisation of one image at a time, by the same kernels.
///
/// # Panics
/// Where the batch is empty, or what follows is a residual and the batch has several images.
pub fn instance_norm(x: Tensor<4>, epsilon: f64, follow: Epilogue) -> Tensor<4> {
    let [batch, channels, _, _] = x.dims();
    let device = x.device();
    let (one, zero) = (Tensor::ones([channels], &device), Tensor::zeros([channels], &device));
    if batch == 1 {
        return batch_norm_train(x, one, zero, epsilon, follow).0;
    }
    let image = |place: usize| {
        let image = x.clone().narrow(0, place, 1);
        batch_norm_train(image, one.clone(), zero.clone(), epsilon, follow.clone()).0
    };
    Tensor::cat((0..batch).map(image).collect(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn each_channel_of_each_image_has_mean_0_and_variance_1() {
        let device = Device::flex();
        let x = Tensor::<4>::random([3, 2, 5, 4], Distribution::Uniform(-3.0, 9.0), &device);
        let own = instance_norm(x.clone(), 1e-5, Epilogue::Relu);
        let mean = x.clone().mean_dims(&[2, 3]);
        let centred = x - mean;
        let variance = centred.clone().square().mean_dims(&[2, 3]);
        let expected = (centred / (variance + 1e-5).sqrt()).clamp_min(0.0);
        let apart = (own - expected).abs().max().into_scalar::<f32>();
        assert!(apart < 1e-5, "{apart}");
    }
}
