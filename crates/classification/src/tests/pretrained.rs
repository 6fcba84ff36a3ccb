//! Opening weights without naming a network: of others, of runs, of exported files.

use crate::models::densenet::{DenseNet, DenseNetConfig};
use crate::models::lenet::{LeNet, LeNetConfig};
use crate::models::resnet::{ResNet, ResNetConfig};
use crate::models::resnet_cifar::{CifarResNet, CifarResNetConfig};
use crate::models::vgg::{Vgg, VggConfig};
use crate::models::{
    BackboneConfig, CONFIG_KEY, ModelConfig, Network, Pretrain, Pretrained, parameters,
};
use burn::tensor::{Distribution, Tensor};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::data::{Preprocess, Resize};
use tenfold_core::run::Header;
use tenfold_core::{device, weights};

/// Saves a network made from these choices and opens it again: as which one?
fn reopened<C: ModelConfig>(config: &C, file: &Path) -> Pretrained<C::Network> {
    let device = device::open("cpu").unwrap();
    device.seed(7);
    let network = config.init(&device);
    weights::save(&network, file, &BTreeMap::new()).unwrap();
    let found = C::Network::pretrained(file, &device).unwrap();
    let [channels, height, width] = config.input_shape();
    let input = [2, channels, height, width];
    let images = Tensor::random(input, Distribution::Normal(0.0, 1.0), &device);
    let expected = network.forward(images.clone()).into_data();
    assert_eq!(found.network.forward(images).into_data(), expected);
    assert_eq!(found.preprocess.shape(), config.input_shape());
    found
}

#[test]
fn weights_tell_which_network_of_the_family_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let small = [3, 32, 32];
    let found: Pretrained<ResNet> = reopened(&ResNetConfig::resnet34(5).with_input(small), &file);
    assert_eq!(found.labels, ["0", "1", "2", "3", "4"]);
    assert_eq!(found.network.layer3.len(), 6);
    let found: Pretrained<Vgg> = reopened(&VggConfig::vgg13_bn(5).with_input(small), &file);
    assert_eq!(found.network.features.len(), 35);
    let found: Pretrained<DenseNet> =
        reopened(&DenseNetConfig::densenet169(5).with_input(small), &file);
    assert_eq!(found.network.features.denseblock3.0.len(), 32);
    let found: Pretrained<CifarResNet> = reopened(&CifarResNetConfig::resnet44(5), &file);
    assert_eq!(found.network.layer1.len(), 7);
    let _: Pretrained<LeNet> = reopened(&LeNetConfig::new([3, 28, 28], 5), &file);
}

#[test]
fn imagenets_weights_bring_their_preprocessing_and_lose_their_head() {
    let device = device::open("cpu").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let config = ResNetConfig::resnet18(3);
    weights::save(&config.init(&device), &file, &BTreeMap::new()).unwrap();
    let whole = ResNet::pretrained(&file, &device).unwrap();
    assert_eq!(Some(&whole.preprocess), config.preprocess().as_ref());
    let alone = ResNet::pretrained_backbone(&file, &device).unwrap();
    assert!(alone.labels.is_empty() && alone.network.fc.is_none());
    assert_eq!(parameters(&whole.network) - parameters(&alone.network), 512 * 3 + 3);
}

#[test]
fn an_exported_file_brings_all_that_its_run_knows() {
    let device = device::open("cpu").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exported.safetensors");
    // Not in the paper's table: nothing but the configuration tells what it is.
    let config = ResNetConfig { blocks: [1; 4], ..ResNetConfig::resnet18(2) };
    let config = config.with_input([1, 28, 28]);
    let preprocess = Preprocess::Image {
        channels: 1,
        height: 28,
        width: 28,
        resize: Resize::Stretch,
        mean: vec![0.1],
        std: vec![0.3],
    };
    let export = |task: &str, labels: &[&str]| {
        let mut run = serde_json::to_value(Header::new(task, "resnet18")).unwrap();
        run["config"] = serde_json::to_value(&config).unwrap();
        run["labels"] = json!(labels);
        run["preprocess"] = serde_json::to_value(&preprocess).unwrap();
        let metadata = BTreeMap::from([(CONFIG_KEY.to_string(), run.to_string())]);
        weights::save(&config.init(&device), &file, &metadata).unwrap();
        ResNet::pretrained(&file, &device)
    };
    let found = export("classification", &["cat", "dog"]).unwrap();
    assert_eq!(
        (found.labels, found.preprocess),
        (vec!["cat".into(), "dog".into()], preprocess.clone())
    );
    assert_eq!(found.network.layer1.len(), 1);
    let why = export("classification", &["cat"]).unwrap_err().to_string();
    assert!(why.ends_with("1 labels for a model of 2 classes"), "{why}");
    let why = export("sequence", &["cat", "dog"]).unwrap_err().to_string();
    assert!(why.contains("expected `classification`"), "{why}");
}

#[test]
fn what_is_not_of_this_family_is_refused() {
    let device = device::open("cpu").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let lenet = LeNetConfig::new([1, 28, 28], 10).init(&device);
    weights::save(&lenet, &file, &BTreeMap::new()).unwrap();
    let why = ResNet::pretrained(&file, &device).unwrap_err().to_string();
    assert!(why.contains("not the weights of such a network: "), "{why}");
    assert!(why.contains("conv1.bias is not in the model"), "{why}");
    // No ResNet has a second stage without blocks: the error says what is missing.
    let config = ResNetConfig { blocks: [2, 0, 2, 2], ..ResNetConfig::resnet18(3) };
    weights::save(&config.init(&device), &file, &BTreeMap::new()).unwrap();
    let why = ResNet::pretrained(&file, &device).unwrap_err().to_string();
    assert!(why.contains("does not fit the model: ") && why.contains("layer2.0."), "{why}");
}
