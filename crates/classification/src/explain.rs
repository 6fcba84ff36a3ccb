//! Grad-CAM: which places of a picture speak for its best suggestion.
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
    let Some(above) = above.backbone() else { return Ok(None) };
    let maps = maps.autodiff().require_grad();
    let logits = above.classify(maps.clone()); // [batch, classes]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelConfig;
    use crate::zoo::{Zoo, with_config};
    use clap::ValueEnum;
    use tenfold_core::cli::Zoo as _;
    use tenfold_core::device;

    #[test]
    fn every_convolutional_network_explains_itself() {
        let device = device::open("cpu").unwrap();
        let mut without = Vec::new();
        for model in Zoo::value_variants() {
            device.seed(3);
            let kind = tenfold_core::data::Kind::Pictures { channels: 3, height: 32, width: 32 };
            with_config!(*model, Config, new => {
                let Ok(shape @ [channels, height, width]) = Config::input(&kind) else {
                    without.push(model.name()); // It takes tables alone.
                    continue;
                };
                let config = new(shape, 4);
                if config.fit().is_some() {
                    without.push(model.name()); // Before it is fitted it says nothing.
                    continue;
                }
                let network = config.init(&device);
                let pictures = Tensor::random(
                    [2, channels, height, width],
                    burn::tensor::Distribution::Normal(0.0, 1.0),
                    &device,
                );
                let before = network.forward(pictures.clone());
                match grad_cam(&network, pictures.clone()).unwrap() {
                    None => without.push(model.name()),
                    Some(maps) => {
                        assert_eq!(maps.len(), 2);
                        for Heat { values, height, width } in maps {
                            assert_eq!(values.len(), height * width);
                            assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
                        }
                    }
                }
                // Neither running averages nor weights were touched.
                let after = network.forward(pictures);
                assert_eq!(before.into_data(), after.into_data(), "{}", model.name());
            });
        }
        assert_eq!(without, ["linear", "logistic", "knn", "hog-svm", "mlp"]);
    }

    #[test]
    fn where_the_head_is_linear_the_heat_is_its_weighted_sum_of_maps() {
        // Under an average and a linear layer eq. 1 gives the layer's own weights, divided by
        // the number of places.
        let device = device::open("cpu").unwrap();
        device.seed(5);
        let config = crate::models::resnet_cifar::CifarResNetConfig::resnet20(3);
        let network = config.with_input([1, 28, 28]).init(&device);
        let picture =
            Tensor::random([1, 1, 28, 28], burn::tensor::Distribution::Normal(0.0, 1.0), &device);
        let logits = network.forward(picture.clone());
        let best = logits.argmax(1).into_scalar::<i64>() as usize;
        let (_, maps) = network.backbone().unwrap().stages(picture.clone()).pop().unwrap();
        let weights = network.fc.weight.val().slice([0..64, best..best + 1]);
        let heat = relu((maps * weights.reshape([1, 64, 1, 1])).sum_dim(1));
        let most = heat.clone().max().into_scalar::<f32>();
        let expected: Vec<f32> = (heat / most).into_data().try_to_vec().unwrap();
        let found = &grad_cam(&network, picture).unwrap().unwrap()[0];
        assert_eq!((found.height, found.width), (7, 7));
        for (found, expected) in found.values.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }
}
