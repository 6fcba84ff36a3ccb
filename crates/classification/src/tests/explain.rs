//! Grad-CAM on every model, and against its definition where that is simple.

use crate::explain::grad_cam;
use crate::models::resnet_cifar::CifarResNetConfig;
use crate::models::{BackboneConfig, ModelConfig, Network};
use crate::zoo::{Zoo, with_config};
use burn::tensor::activation::relu;
use burn::tensor::{Distribution, Tensor};
use tenfold_core::data::Kind;
use tenfold_core::device;
use tenfold_core::viz::heat::Heat;
use tenfold_core::zoo::Zoo as _;

#[test]
fn every_convolutional_network_explains_itself() {
    let device = device::open("cpu").unwrap();
    let mut without = Vec::new();
    for (model, _) in Zoo::ALL {
        device.seed(3);
        let kind = Kind::Images { channels: 3, height: 32, width: 32 };
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
            let images = Tensor::random(
                [2, channels, height, width],
                Distribution::Normal(0.0, 1.0),
                &device,
            );
            let before = network.forward(images.clone());
            match grad_cam(&network, images.clone()).unwrap() {
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
            let after = network.forward(images);
            assert_eq!(before.into_data(), after.into_data(), "{}", model.name());
        });
    }
    let trees = ["random_forest", "gradient_boosting"];
    let expected = ["linear", "logistic", "knn"].into_iter().chain(trees).chain(["hog-svm", "mlp"]);
    assert_eq!(without, expected.collect::<Vec<_>>());
}

#[test]
fn where_the_head_is_linear_the_heat_is_its_weighted_sum_of_maps() {
    // Under an average and a linear layer eq. 1 gives the layer's own weights, divided by
    // the number of places.
    let device = device::open("cpu").unwrap();
    device.seed(5);
    let config = CifarResNetConfig::resnet20(3);
    let network = config.with_input([1, 28, 28]).init(&device);
    let image = Tensor::random([1, 1, 28, 28], Distribution::Normal(0.0, 1.0), &device);
    let logits = network.forward(image.clone());
    let best = logits.argmax(1).into_scalar::<i64>() as usize;
    let (_, maps) = network.backbone().unwrap().stages(image.clone()).pop().unwrap();
    let weights = network.fc.as_ref().unwrap().weight.val().slice([0..64, best..best + 1]);
    let heat = relu((maps * weights.reshape([1, 64, 1, 1])).sum_dim(1));
    let most = heat.clone().max().into_scalar::<f32>();
    let expected: Vec<f32> = (heat / most).into_data().try_to_vec().unwrap();
    let found = &grad_cam(&network, image).unwrap().unwrap()[0];
    assert_eq!((found.height, found.width), (7, 7));
    for (found, expected) in found.values.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}
