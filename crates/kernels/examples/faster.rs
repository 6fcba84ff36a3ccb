//! A Burn model made faster: the same network twice, once of Burn's modules and once of ours,
//! which are made `from` Burn's and keep their weights. Prints the milliseconds of a step of
//! training of both.
//!
//! ```sh
//! cargo run --release -p tenfold-kernels --example faster
//! ```

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{BatchNormConfig, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor};
use std::time::Instant;
use tenfold_kernels::optim::Adam;

/// A network, and the same from another crate's modules of the same names.
macro_rules! network {
    ($name:ident, $conv:ty, $norm:ty, $pool:ty, $linear:ty) => {
        #[derive(Module, Debug)]
        struct $name {
            conv: $conv,
            norm: $norm,
            pool: $pool,
            linear: $linear,
        }

        impl $name {
            fn forward(&self, images: Tensor<4>) -> Tensor<2> {
                let x = self.norm.forward(self.conv.forward(images)); // [batch, 32, 26, 26]
                let x = self.pool.forward(burn::tensor::activation::relu(x)); // [batch, 32, 13, 13]
                self.linear.forward(x.flatten::<2>(1, 3)) // [batch, 10]
            }
        }
    };
}
network!(
    Plain,
    burn::nn::conv::Conv2d,
    burn::nn::BatchNorm,
    burn::nn::pool::MaxPool2d,
    burn::nn::Linear
);
use tenfold_kernels::nn;
network!(Fast, nn::Conv2d, nn::BatchNorm, nn::MaxPool2d, nn::Linear);

fn main() {
    let device = Device::flex().autodiff();
    let plain = Plain {
        conv: Conv2dConfig::new([1, 32], [3, 3]).init(&device),
        norm: BatchNormConfig::new(32).init(&device),
        pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        linear: LinearConfig::new(32 * 13 * 13, 10).init(&device),
    };
    let Plain { conv, norm, pool, linear } = plain.clone();
    let fast =
        Fast { conv: conv.into(), norm: norm.into(), pool: pool.into(), linear: linear.into() };
    let burns = train(plain, Plain::forward, AdamConfig::new().build().into(), &device);
    let ours = train(fast, Fast::forward, Adam::new().into(), &device);
    println!("Burn's modules {burns:.1} ms, ours {ours:.1} ms: {:.1} times as fast", burns / ours);
}

/// The least milliseconds of ten steps.
fn train<M: Module>(
    mut model: M,
    forward: fn(&M, Tensor<4>) -> Tensor<2>,
    mut optimizer: ModuleOptimizer,
    device: &Device,
) -> f64 {
    let images = Tensor::random([64, 1, 28, 28], Distribution::Normal(0.0, 1.0), device);
    let classes = Tensor::<1, Int>::arange(0..64, device).remainder_scalar(10);
    let loss = CrossEntropyLossConfig::new().init(device);
    let mut least = f64::INFINITY;
    for _ in 0..10 {
        let begun = Instant::now();
        let loss = loss.forward(forward(&model, images.clone()), classes.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-3, model, gradients);
        least = least.min(begun.elapsed().as_secs_f64() * 1e3);
    }
    least
}
