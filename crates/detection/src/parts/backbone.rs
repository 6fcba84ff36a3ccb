//! Any of classification's networks as a backbone, by its name.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tenfold_classification::models::alexnet::{AlexNet, AlexNetConfig};
use tenfold_classification::models::densenet::{DenseNet, DenseNetConfig};
use tenfold_classification::models::googlenet::{GoogLeNet, GoogLeNetConfig};
use tenfold_classification::models::layers::MapLayer;
use tenfold_classification::models::resnet::{ResNet, ResNetConfig};
use tenfold_classification::models::resnet_cifar::{CifarResNet, CifarResNetConfig};
use tenfold_classification::models::vgg::{Vgg, VggConfig};
use tenfold_classification::models::{Backbone as _, BackboneConfig, Level, ModelConfig};
use tenfold_core::zoo::did_you_mean;

/// The names.
pub const NAMES: [&str; 17] = [
    "alexnet",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "googlenet",
    "resnet18",
    "resnet20",
    "resnet34",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet152",
    "vgg11_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
];

/// A network without its classifier.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one per detector")]
pub enum Backbone {
    /// AlexNet.
    AlexNet(AlexNet),
    /// A residual network for small images.
    CifarResNet(CifarResNet),
    /// DenseNet.
    DenseNet(DenseNet),
    /// GoogLeNet.
    GoogLeNet(GoogLeNet),
    /// A residual network.
    ResNet(ResNet),
    /// VGG, whose maps are those before its pools.
    Vgg(Vgg),
}

/// Runs `$body` with `$config` as the configuration of the backbone `$name` for images of
/// `[3, side, side]`, and `$Variant` as its place in [`Backbone`].
macro_rules! with_backbone {
    ($name:expr, $side:expr, $config:ident, $Variant:ident => $body:expr, else $none:expr) => {{
        macro_rules! of {
            ($own:expr, $Own:ident) => {{
                let $config = $own.sized([3, $side, $side], 0).without_head();
                #[allow(unused_imports, reason = "some bodies name no variant")]
                use Backbone::$Own as $Variant;
                $body
            }};
        }
        match $name {
            "alexnet" => of!(AlexNetConfig::alexnet(0), AlexNet),
            "densenet121" => of!(DenseNetConfig::densenet121(0), DenseNet),
            "densenet161" => of!(DenseNetConfig::densenet161(0), DenseNet),
            "densenet169" => of!(DenseNetConfig::densenet169(0), DenseNet),
            "densenet201" => of!(DenseNetConfig::densenet201(0), DenseNet),
            "googlenet" => of!(GoogLeNetConfig::googlenet(0), GoogLeNet),
            "resnet18" => of!(ResNetConfig::resnet18(0), ResNet),
            "resnet20" => of!(CifarResNetConfig::resnet20(0), CifarResNet),
            "resnet34" => of!(ResNetConfig::resnet34(0), ResNet),
            "resnet50" => of!(ResNetConfig::resnet50(0), ResNet),
            "resnet56" => of!(CifarResNetConfig::resnet56(0), CifarResNet),
            "resnet101" => of!(ResNetConfig::resnet101(0), ResNet),
            "resnet152" => of!(ResNetConfig::resnet152(0), ResNet),
            "vgg11_bn" => of!(VggConfig::vgg11_bn(0), Vgg),
            "vgg16" => of!(VggConfig::vgg16(0), Vgg),
            "vgg16_bn" => of!(VggConfig::vgg16_bn(0), Vgg),
            "vgg19" => of!(VggConfig::vgg19(0), Vgg),
            _ => $none,
        }
    }};
}

/// The maps of a backbone of images of `side` pixels, from fine to coarse; none of an unknown name.
pub fn levels(name: &str, side: usize) -> Vec<Level> {
    let levels = with_backbone!(name, side, config, Own => config.levels(), else Vec::new());
    match name.starts_with("vgg") {
        // Before a pool maps are twice as fine.
        true => levels.into_iter().map(|own| Level { stride: own.stride / 2, ..own }).collect(),
        false => levels,
    }
}

/// Refuses a name that is none of [`NAMES`].
///
/// # Errors
/// The name, and what is expected.
pub fn check(name: &str) -> Result<(), String> {
    if NAMES.contains(&name) {
        return Ok(());
    }
    let meant = did_you_mean(name, NAMES);
    Err(format!("backbone={name}{meant}: expected one of {}", NAMES.join(", ")))
}

impl Backbone {
    /// A backbone with first weights; none of an unknown name.
    pub fn new(name: &str, side: usize, device: &Device) -> Option<Self> {
        with_backbone!(name, side, config, Own => Some(Own(config.init(device))), else None)
    }

    /// Images `[batch, 3, side, side]` to the maps of [`levels`].
    pub fn forward(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let stages = match self {
            Self::AlexNet(own) => own.stages(images),
            Self::CifarResNet(own) => own.stages(images),
            Self::DenseNet(own) => own.stages(images),
            Self::GoogLeNet(own) => own.stages(images),
            Self::ResNet(own) => own.stages(images),
            Self::Vgg(own) => return before_pools(&own.features, images),
        };
        stages.into_iter().map(|(_, map)| map).collect()
    }
}

/// What goes into each pool.
fn before_pools(layers: &[MapLayer], images: Tensor<4>) -> Vec<Tensor<4>> {
    let (mut x, mut out) = (images, Vec::new());
    for group in layers.split_inclusive(|layer| matches!(layer, MapLayer::Pool(_))) {
        let (pool, layers) = match group.split_last() {
            Some((last @ MapLayer::Pool(_), layers)) => (Some(last), layers),
            _ => (None, group),
        };
        x = tenfold_classification::models::layers::maps(layers, x);
        out.push(x.clone());
        if let Some(pool) = pool {
            x = pool.forward(x);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn maps_have_the_channels_and_strides_that_are_said() {
        let device = device::open("cpu").unwrap();
        for name in ["resnet18", "resnet20", "vgg11_bn", "googlenet", "densenet121", "alexnet"] {
            for side in [64, 96] {
                let body = Backbone::new(name, side, &device).unwrap();
                let maps = body.forward(Tensor::zeros([1, 3, side, side], &device));
                let levels = levels(name, side);
                assert_eq!(maps.len(), levels.len(), "{name}");
                for (map, level) in maps.iter().zip(levels) {
                    let [_, channels, rows, _] = map.dims();
                    assert_eq!(channels, level.channels, "{name} {}", level.name);
                    let exact = side / level.stride;
                    assert!(rows.abs_diff(exact) <= 1, "{name} {side} {rows} {}", level.stride);
                }
            }
        }
        assert!(NAMES.iter().all(|name| !levels(name, 64).is_empty()));
        assert!(levels("lenet", 64).is_empty() && Backbone::new("lenet", 64, &device).is_none());
    }
}
