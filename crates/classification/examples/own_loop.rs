//! One model of the zoo under a training loop of one's own: a LeNet-5 learns the embedded
//! glyphs with nothing but Burn.
//!
//! `cargo run --release -p tenfold-classification --example own_loop`

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use tenfold_classification::batches::{Batch, plain_batches};
use tenfold_classification::models::lenet::LeNetConfig;
use tenfold_classification::models::{ModelConfig, Network};
use tenfold_core::data::{OpenOptions, Preprocess, Resize, open};
use tenfold_core::train::loader::{Epoch, Loader};
use tenfold_core::{Result, device};

fn main() -> Result<()> {
    let options = OpenOptions { seed: 1, ..OpenOptions::default() };
    let glyphs = open("glyphs", &options)?;
    let preprocess = Preprocess::fit(&glyphs.kind, &glyphs.train, Resize::Stretch)?;
    let device = device::open("cpu")?.autodiff();
    device.seed(1);

    let mut network = LeNetConfig::new(preprocess.shape(), glyphs.classes.len()).init(&device);
    let mut optimizer = AdamConfig::new().init();
    let batches = plain_batches(&glyphs.train, &preprocess);
    let loader = Loader::new(batches, 64, device.clone()).shuffled(1, Epoch::default());
    for (step, batch) in loader.pass().enumerate() {
        let Batch { inputs, targets } = batch?;
        let logits = network.forward(inputs);
        let loss = CrossEntropyLossConfig::new().init(&device).forward(logits, targets);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(1e-3, network, gradients);
        if step % 40 == 0 {
            println!("step {step:3}: loss {:.3}", loss.into_scalar::<f32>());
        }
    }
    Ok(())
}
