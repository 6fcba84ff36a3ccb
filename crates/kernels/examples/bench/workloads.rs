//! What is measured: networks with a batch of random data, and a step of each mode.

use super::networks::{
    Discriminator, Dqn, Generator, LeNet, Mlp, Recurrent, ResNet, SYMBOLS, UNet, Vgg,
};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData, activation};
use tenfold_kernels::ops;
use tenfold_kernels::optim::{Adam, Sgd};

/// The networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// 4-128-128-2, ReLU; batch 64; Adam
    Mlp,
    /// That of MinAtar's agents: 3x3 convolution of 16 channels on 4x10x10, linear 128 and 6;
    /// batch 32; Adam
    Dqn,
    /// Two 3x3 convolutions of 32 and 64 channels, pooling, linear 128 and 10, on 28x28; batch 64; Adam
    Lenet,
    /// ResNet-18 with a 3x3 stem on 32x32; batch 32; SGD with momentum
    Resnet18,
    /// VGG-11 on 32x32; batch 32; SGD with momentum
    Vgg11,
    /// U-Net of 32 to 256 channels with batch normalisation on 64x64; batch 16; Adam
    Unet,
    /// Embedding, LSTM 128 to 256 over 64 steps, linear 100; batch 32; Adam
    Lstm,
    /// The same with a GRU
    Gru,
    /// DCGAN on 32x32, discriminator and generator; batch 64; Adam
    Dcgan,
}

/// What is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forward, backward, optimiser
    Train,
    /// Forward alone
    Infer,
    /// Forward of one
    Infer1,
}

impl Mode {
    /// Every mode with its name.
    pub const ALL: [(&str, Self); 3] =
        [("train", Self::Train), ("infer", Self::Infer), ("infer1", Self::Infer1)];
}

/// Symbols of a sequence.
const STEPS: usize = 64;

/// One step, to be repeated.
pub type Step = Box<dyn FnMut()>;

impl Workload {
    /// Every network with its name.
    pub const ALL: [(&str, Self); 9] = [
        ("mlp", Self::Mlp),
        ("dqn", Self::Dqn),
        ("lenet", Self::Lenet),
        ("resnet18", Self::Resnet18),
        ("vgg11", Self::Vgg11),
        ("unet", Self::Unet),
        ("lstm", Self::Lstm),
        ("gru", Self::Gru),
        ("dcgan", Self::Dcgan),
    ];

    fn batch(self, mode: Mode) -> usize {
        match (mode, self) {
            (Mode::Infer1, _) => 1,
            (_, Self::Mlp | Self::Lenet | Self::Dcgan) => 64,
            (_, Self::Unet) => 16,
            _ => 32,
        }
    }

    /// A network with random weights and a batch of random data.
    pub fn step(self, mode: Mode) -> Step {
        let device = Device::flex().autodiff();
        let batch = self.batch(mode);
        let sgd = || Sgd { momentum: Some(0.9), ..Sgd::default() }.into();
        let adam = || Adam::new().into();
        let image = |side| input([batch, 3, side, side], &device);
        match self {
            Self::Mlp => supervised(
                mode,
                Mlp::new(&device),
                adam(),
                input([batch, 4], &device),
                Mlp::forward,
                classes(batch, 2, &device),
            ),
            Self::Dqn => {
                let x = input([batch, 4, 10, 10], &device);
                let targets = classes(batch, 6, &device);
                supervised(mode, Dqn::new(&device), adam(), x, Dqn::forward, targets)
            }
            Self::Lenet => {
                let x = input([batch, 1, 28, 28], &device);
                supervised(
                    mode,
                    LeNet::new(&device),
                    adam(),
                    x,
                    LeNet::forward,
                    classes(batch, 10, &device),
                )
            }
            Self::Resnet18 => supervised(
                mode,
                ResNet::new(&device),
                sgd(),
                image(32),
                ResNet::forward,
                classes(batch, 10, &device),
            ),
            Self::Vgg11 => supervised(
                mode,
                Vgg::new(&device),
                sgd(),
                image(32),
                Vgg::forward,
                classes(batch, 10, &device),
            ),
            Self::Unet => {
                let targets = classes(batch * 64 * 64, 2, &device);
                supervised(mode, UNet::new(&device), adam(), image(64), UNet::forward, targets)
            }
            Self::Lstm | Self::Gru => {
                let x = classes(batch * STEPS, SYMBOLS, &device).reshape([batch, STEPS]);
                let x = if mode == Mode::Train { x } else { x.inner() };
                let network = Recurrent::new(self == Self::Gru, &device);
                let targets = classes(batch * STEPS, SYMBOLS, &device);
                supervised(mode, network, adam(), x, Recurrent::forward, targets)
            }
            Self::Dcgan => dcgan(mode, batch, &device),
        }
    }
}

fn input<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn classes(rows: usize, count: usize, device: &Device) -> Tensor<1, Int> {
    let classes: Vec<i64> = (0..rows).map(|row| (row * 7 % count) as i64).collect();
    Tensor::from_data(TensorData::new(classes, [rows]), device)
}

/// Inputs lose what belongs to automatic differentiation.
trait Input: Clone + 'static {
    fn plain(self) -> Self;
}

impl<const D: usize> Input for Tensor<D> {
    fn plain(self) -> Self {
        if self.device().is_autodiff() { self.inner() } else { self }
    }
}

impl Input for Tensor<2, Int> {
    fn plain(self) -> Self {
        self
    }
}

fn supervised<M: Module + 'static, X: Input>(
    mode: Mode,
    network: M,
    mut optimizer: ModuleOptimizer,
    x: X,
    forward: fn(&M, X) -> Tensor<2>,
    targets: Tensor<1, Int>,
) -> Step {
    if mode != Mode::Train {
        let (network, x) = (network.valid(), x.plain());
        return Box::new(move || {
            std::hint::black_box(forward(&network, x.clone()));
        });
    }
    let loss = CrossEntropyLossConfig::new().init(&targets.device());
    let mut network = Some(network);
    Box::new(move || {
        let before = network.take().expect("put back by the step before");
        let loss = ops::cross_entropy(&loss, forward(&before, x.clone()), targets.clone());
        let grads = GradientsParams::from_grads(loss.backward(), &before);
        network = Some(optimizer.step(1e-3, before, grads));
    })
}

/// Generative adversarial networks (Radford and others, 2016): one step of the discriminator on
/// real and generated images, one of the generator; inference is the generator.
fn dcgan(mode: Mode, batch: usize, device: &Device) -> Step {
    let generator = Generator::new(device);
    if mode != Mode::Train {
        let noise = input([batch, 100, 1, 1], &device.clone().inner());
        let generator = generator.valid();
        return Box::new(move || {
            std::hint::black_box(generator.forward(noise.clone()));
        });
    }
    let noise = input([batch, 100, 1, 1], device);
    let real = input([batch, 3, 32, 32], device);
    let mut networks = Some((generator, Discriminator::new(device)));
    let adam = || ModuleOptimizer::from(Adam { beta_1: 0.5, ..Adam::new() });
    let mut optimizers = [adam(), adam()];
    // Binary cross-entropy of a logit that should be high, and of one that should be low.
    let high = |logits: Tensor<4>| activation::softplus(logits.neg(), 1.0).mean();
    let low = |logits: Tensor<4>| activation::softplus(logits, 1.0).mean();
    Box::new(move || {
        let (generator, discriminator) = networks.take().expect("put back by the step before");
        let fake = generator.forward(noise.clone());
        let loss = high(discriminator.forward(real.clone()))
            + low(discriminator.forward(fake.clone().detach()));
        let grads = GradientsParams::from_grads(loss.backward(), &discriminator);
        let discriminator = optimizers[0].step(2e-4, discriminator, grads);
        let loss = high(discriminator.forward(fake));
        let grads = GradientsParams::from_grads(loss.backward(), &generator);
        networks = Some((optimizers[1].step(2e-4, generator, grads), discriminator));
    })
}
