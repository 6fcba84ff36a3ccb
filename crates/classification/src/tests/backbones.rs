//! The maps inside of every family of convolutional networks, with and without a head.

use crate::models::alexnet::AlexNetConfig;
use crate::models::densenet::DenseNetConfig;
use crate::models::googlenet::GoogLeNetConfig;
use crate::models::resnet::ResNetConfig;
use crate::models::resnet_cifar::CifarResNetConfig;
use crate::models::vgg::VggConfig;
use crate::models::{Backbone, BackboneConfig, Level, ModelConfig, Network};
use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use std::collections::BTreeMap;
use tenfold_core::{device, weights};

/// What is asked of each family.
trait Check {
    fn check<C: BackboneConfig>(&self, config: C);
}

/// Every family, under each of its stems, where they differ in the widths of their blocks.
fn each(check: &impl Check) {
    for side in [32, 224] {
        let input = [3, side, side];
        check.check(AlexNetConfig::alexnet(4).with_input(input));
        check.check(VggConfig::vgg11(4).with_input(input));
        check.check(VggConfig::vgg11_bn(4).with_input(input));
        check.check(GoogLeNetConfig::googlenet(4).with_input(input));
        check.check(ResNetConfig::resnet18(4).with_input(input));
        check.check(ResNetConfig::resnet50(4).with_input(input));
        check.check(DenseNetConfig::densenet121(4).with_input(input));
    }
    check.check(DenseNetConfig::densenet161(4).with_input([3, 32, 32]));
    check.check(CifarResNetConfig::resnet20(4));
}

/// The shapes of all stages for images of so many pixels a side.
fn shapes<N: Network>(
    network: &N,
    side: usize,
    device: &Device,
) -> Vec<(&'static str, [usize; 4])> {
    let images = Tensor::zeros([1, 3, side, side], device);
    let stages = network.backbone().unwrap().stages(images);
    stages.into_iter().map(|(name, maps)| (name, maps.dims())).collect()
}

struct Levels(Device);

impl Check for Levels {
    fn check<C: BackboneConfig>(&self, config: C) {
        let levels = config.levels();
        let network = config.without_head().init(&self.0);
        // A network whose convolutions take pixels off the edges gives maps that are smaller
        // than sides over strides: but so many more pixels are so many more places.
        let most = levels.iter().map(|level| level.stride).max().unwrap();
        let [small, large] = [64, 64 + most].map(|side| shapes(&network, side, &self.0));
        assert_eq!(levels.len(), small.len());
        for ((level, small), large) in levels.into_iter().zip(small).zip(large) {
            let ((name, small), (_, large)) = (small, large);
            let stride = most / (large[3] - small[3]);
            assert_eq!(large[2] - small[2], large[3] - small[3]);
            assert_eq!(level, Level { name, channels: small[1], stride });
        }
    }
}

#[test]
fn levels_tell_what_stages_give() {
    each(&Levels(device::open("cpu").unwrap()));
}

#[test]
fn levels_as_they_are_known() {
    let level = |name, channels, stride| Level { name, channels, stride };
    let expected = [
        level("layer1", 256, 4),
        level("layer2", 512, 8),
        level("layer3", 1024, 16),
        level("layer4", 2048, 32),
    ];
    assert_eq!(ResNetConfig::resnet50(1000).levels(), expected);
    let expected = [("denseblock1", 256), ("denseblock2", 512), ("denseblock3", 1024)];
    let found = DenseNetConfig::densenet121(1000).levels();
    for ((name, channels), found) in expected.into_iter().zip(found) {
        assert_eq!((name, channels), (found.name, found.channels));
    }
}

struct Heads(Device);

impl Check for Heads {
    /// The weights of the whole network into the backbone alone.
    fn check<C: BackboneConfig>(&self, config: C) {
        // AlexNet's and VGG's hidden layers would be half a gigabyte.
        if config.input_shape()[1] > 32 {
            return;
        }
        self.0.seed(3);
        let whole = config.init(&self.0);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.safetensors");
        weights::save(&whole, &file, &BTreeMap::new()).unwrap();

        let alone = config.without_head();
        assert_eq!(alone.classes(), 0);
        let mut network = alone.init(&self.0);
        let own = weights::module_keys(&network);
        let above = C::Network::ABOVE;
        let is_above = |key: &str| above.iter().any(|name| key.starts_with(&format!("{name}.")));
        assert!(own.iter().all(|(key, _)| !is_above(key)), "{own:?}");
        let all = weights::module_keys(&whole);
        let below: Vec<_> = all.into_iter().filter(|(key, _)| !is_above(key)).collect();
        assert_eq!(own, below);

        let report = weights::load(&mut network, &file, &C::Network::backbone_options()).unwrap();
        assert!(report.kept.is_empty() && report.unused.is_empty(), "{report:?}");
        let images = Tensor::random([2, 3, 32, 32], Distribution::Normal(0.0, 1.0), &self.0);
        let (expected, found) = (whole.stages(images.clone()), network.stages(images.clone()));
        for ((name, expected), (_, found)) in expected.into_iter().zip(found) {
            assert_eq!(expected.into_data(), found.into_data(), "{name}");
        }
        // What it gives in all are the features, as they are.
        let (features, given) = (network.embed(images.clone()), network.forward(images));
        assert_eq!(features.into_data(), given.into_data());
    }
}

#[test]
fn a_backbone_alone_is_the_network_without_its_head() {
    each(&Heads(device::open("cpu").unwrap()));
}

#[test]
fn a_backbone_alone_has_no_weights_above_its_maps() {
    let device = device::open("cpu").unwrap();
    let network = VggConfig::vgg16(1000).without_head().init(&device);
    // Table 2 of the paper has 138 million in all.
    assert_eq!(network.num_params(), 14_714_688);
    // A run is no backbone.
    assert!(VggConfig::vgg16(1000).without_head().check().is_err());
}
