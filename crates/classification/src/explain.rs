//! Grad-CAM: which places of an image speak for its best suggestion.
//!
//! R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, "Grad-CAM: Visual
//! Explanations from Deep Networks via Gradient-based Localization", ICCV (2017), section 3.
//!
//! Differs from the paper: the maps are the last of [`Backbone::stages`], which in AlexNet,
//! VGG and LeNet lie behind the pool that follows the last convolution.
//!
//! [`Backbone::stages`]: crate::models::Backbone::stages

use crate::models::Network;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use tenfold_core::viz::heat::Heat;
use tenfold_core::{Error, Result};

/// Inputs `[batch, channels, height, width]` on a device that records no gradients to the
/// warmth of their places for the class of the highest logit, 1 at the warmest; zero
/// everywhere where nothing speaks for that class. None for a network without maps.
///
/// # Errors
/// The device fails.
pub fn grad_cam<N: Network>(network: &N, inputs: Tensor<4>) -> Result<Option<Vec<Heat>>> {
    let failed = |why: &dyn std::fmt::Display| Error::Training(why.to_string());
    let Some((_, maps)) = network.backbone().and_then(|maps| maps.stages(inputs).pop()) else {
        return Ok(None);
    };
    // What follows the maps, as in prediction: no dropout, and running averages.
    let above = network.clone().train().freeze();
    let maps = maps.autodiff().require_grad();
    let features = above.backbone().map(|below| below.summary(maps.clone()));
    let Some(features) = features else { return Ok(None) };
    let logits = above.head(features); // [batch, classes]
    let best = logits.clone().argmax(1); // [batch, 1]
    let gradients = logits.gather(1, best).sum().backward();
    let slopes = maps.grad(&gradients).ok_or_else(|| failed(&"no gradient reaches the maps"))?;
    let weights = slopes.mean_dim(3).mean_dim(2); // eq. 1: [batch, channels, 1, 1]
    let heat = relu((maps.inner() * weights).sum_dim(1)); // eq. 2: [batch, 1, height, width]
    let [_, _, height, width] = heat.dims();
    let data = heat.try_into_data().map_err(|why| failed(&why))?;
    let values: Vec<f32> = data.convert::<f32>().iter().collect();
    let map = |values: &[f32]| {
        let most = values.iter().copied().fold(0.0, f32::max);
        let scale = if most > 0.0 { most.recip() } else { 0.0 };
        Heat { values: values.iter().map(|value| value * scale).collect(), height, width }
    };
    Ok(Some(values.chunks(height * width).map(map).collect()))
}
