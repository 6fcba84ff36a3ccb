//! A network that others trained, without naming its size: torchvision's ResNets as they are
//! downloaded, an exported file or a run; images in, the five best labels out.
//!
//! `cargo run --release -p tenfold-classification --example pretrained -- resnet50.pth cat.jpg`

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use tenfold_classification::models::resnet::ResNet;
use tenfold_classification::models::{Network, Pretrain, Pretrained};
use tenfold_core::data::{Input, image_file};
use tenfold_core::{Result, device};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [weights, images @ ..] = &args[..] else {
        println!("usage: pretrained WEIGHTS IMAGE...");
        return Ok(());
    };
    let device = device::open("cpu")?;
    let Pretrained { network, labels, preprocess, .. } = ResNet::pretrained(weights, &device)?;
    for path in images {
        let values = preprocess.apply(&Input::Image(image_file::read(path)?))?;
        let [channels, height, width] = preprocess.shape();
        let image = TensorData::new(values, [1, channels, height, width]);
        let logits = network.forward(Tensor::from_data(image, &device)); // [1, classes]
        let (scores, places) = softmax(logits, 1).topk_with_indices(5.min(labels.len()), 1);
        println!("{path}");
        for (score, place) in scores.into_data().iter::<f32>().zip(places.into_data().iter::<i64>())
        {
            println!("  {:5.1} %  {}", score * 100.0, labels[place as usize]);
        }
    }
    Ok(())
}
