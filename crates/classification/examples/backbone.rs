//! A network as the backbone of something else: what maps it has is known from its Config, and
//! the maps are there without the layers that classify.
//!
//! `cargo run --release -p tenfold-classification --example backbone [-- resnet50.pth]`

use burn::tensor::Tensor;
use tenfold_classification::models::resnet::{ResNet, ResNetConfig};
use tenfold_classification::models::{Backbone, BackboneConfig, ModelConfig, Pretrain};
use tenfold_core::{Result, device};

fn main() -> Result<()> {
    let device = device::open("cpu")?;
    let config = ResNetConfig::resnet50(1000).without_head();
    let network = match std::env::args().nth(1) {
        // Weights of the whole network: the head in the file is left out.
        Some(weights) => ResNet::pretrained_backbone(weights, &device)?.network,
        None => config.init(&device),
    };
    // Any size that the last stride divides, not only that of ImageNet.
    let images = Tensor::zeros([1, 3, 320, 480], &device);
    let levels = config.levels();
    for (level, (name, maps)) in levels.iter().zip(network.stages(images)) {
        let [_, channels, height, width] = maps.dims();
        println!("{name}: {channels} maps of {height} x {width}, stride {}", level.stride);
    }
    Ok(())
}
