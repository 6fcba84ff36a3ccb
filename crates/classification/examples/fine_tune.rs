//! A network that knows ImageNet learns the classes of a folder: a new head over a frozen
//! backbone, in a training loop of one's own. `train --weights FILE --freeze-backbone` does the
//! same from the command line.
//!
//! `cargo run --release -p tenfold-classification --example fine_tune -- resnet18.pth flowers/`
//!
//! FOLDER has a subfolder of images for each class, or is the name of a data set.

use burn::module::Module;
use burn::nn::LinearConfig;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use tenfold_classification::batches::{Batch, plain_batches};
use tenfold_classification::models::resnet::ResNet;
use tenfold_classification::models::{BackboneConfig, Network, Pretrain, Pretrained};
use tenfold_core::data::{OpenOptions, default_data_dir, open};
use tenfold_core::train::loader::{Epoch, Loader};
use tenfold_core::{Result, device};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [weights, folder] = &args[..] else {
        println!("usage: fine_tune WEIGHTS FOLDER");
        return Ok(());
    };
    let data_dir = default_data_dir();
    let options = OpenOptions { data_dir, seed: 1, ..OpenOptions::default() };
    let data = open(folder, &options)?;
    let device = device::open("cpu")?.autodiff();
    device.seed(1);

    let Pretrained { config, network, preprocess, .. } =
        ResNet::pretrained_backbone(weights, &device)?;
    let features = config.levels().last().map_or(0, |last| last.channels);
    let mut network = network.freeze();
    network.fc = Some(LinearConfig::new(features, data.classes.len()).init(&device).into());

    let mut optimizer = AdamConfig::new().init();
    let batches = plain_batches(&data.train, &preprocess);
    let loader = Loader::new(batches, 32, device.clone()).shuffled(1, Epoch::default());
    for (step, batch) in loader.pass().enumerate() {
        let Batch { inputs, targets } = batch?;
        let logits = network.forward(inputs);
        let loss = CrossEntropyLossConfig::new().init(&device).forward(logits, targets);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(1e-3, network, gradients);
        println!("step {step:3}: loss {:.3}", loss.into_scalar::<f32>());
    }
    Ok(())
}
