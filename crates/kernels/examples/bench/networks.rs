//! The networks that are measured; crates/kernels/bench/torch_networks.py has the same.

use burn::module::Module;
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{
    BatchNormConfig, Embedding, EmbeddingConfig, GruConfig, LinearConfig, LstmConfig,
    PaddingConfig2d,
};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData, activation};
use tenfold_kernels::nn::{BatchNorm, Conv2d, ConvTranspose2d, Gru, Linear, Lstm};
use tenfold_kernels::ops::{self, Activation, Follow};
use tenfold_kernels::optim::{Adam, Sgd};

/// The networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// 4-128-128-2, ReLU; batch 64; Adam
    Mlp,
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

/// Classes of symbols in sequences.
const SYMBOLS: usize = 100;
const STEPS: usize = 64;

/// One step, to be repeated.
pub type Step = Box<dyn FnMut()>;

impl Workload {
    /// Every network with its name.
    pub const ALL: [(&str, Self); 8] = [
        ("mlp", Self::Mlp),
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

fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    Linear::from(LinearConfig::new(inputs, outputs).init(device))
}

fn conv(channels: [usize; 2], kernel: usize, stride: usize, bias: bool, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    let config = Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(bias);
    Conv2d::from(config.init(device))
}

fn norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNorm::from(BatchNormConfig::new(channels).init(device))
}

fn halved(x: Tensor<4>) -> Tensor<4> {
    ops::max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([2, 2]))
}

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        Self { layers: [[4, 128], [128, 128], [128, 2]].map(|[i, o]| linear(i, o, device)).into() }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.layers[0].forward_with(x, Activation::Relu);
        let x = self.layers[1].forward_with(x, Activation::Relu);
        self.layers[2].forward(x)
    }
}

#[derive(Module, Debug)]
struct LeNet {
    convs: Vec<Conv2d>,
    layers: Vec<Linear>,
}

impl LeNet {
    fn new(device: &Device) -> Self {
        // Without padding, as the first LeNets: 28, 26, 24, pooled 12.
        let conv = |channels| Conv2d::from(Conv2dConfig::new(channels, [3, 3]).init(device));
        Self {
            convs: vec![conv([1, 32]), conv([32, 64])],
            layers: vec![linear(64 * 12 * 12, 128, device), linear(128, 10, device)],
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.convs[0].forward_with(x, Activation::Relu);
        let x = self.convs[1].forward_with(x, Activation::Relu);
        let x = halved(x).flatten(1, 3);
        self.layers[1].forward(self.layers[0].forward_with(x, Activation::Relu))
    }
}

#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    shortcut: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    fn new(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
        let shortcut = (inputs != outputs)
            .then(|| (conv([inputs, outputs], 1, stride, false, device), norm(outputs, device)));
        Self {
            conv1: conv([inputs, outputs], 3, stride, false, device),
            norm1: norm(outputs, device),
            conv2: conv([outputs, outputs], 3, 1, false, device),
            norm2: norm(outputs, device),
            shortcut,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.norm1.forward_with(self.conv1.forward(x.clone()), Follow::Relu);
        let y = self.conv2.forward(y);
        let x = match &self.shortcut {
            Some((conv, norm)) => norm.forward(conv.forward(x)),
            None => x,
        };
        self.norm2.forward_with(y, Follow::AddRelu(x))
    }
}

#[derive(Module, Debug)]
struct ResNet {
    stem: Conv2d,
    norm: BatchNorm,
    blocks: Vec<Block>,
    head: Linear,
}

impl ResNet {
    fn new(device: &Device) -> Self {
        let stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)];
        let blocks = stages.into_iter().flat_map(|(inputs, outputs, stride)| {
            [Block::new(inputs, outputs, stride, device), Block::new(outputs, outputs, 1, device)]
        });
        Self {
            stem: conv([3, 64], 3, 1, false, device),
            norm: norm(64, device),
            blocks: blocks.collect(),
            head: linear(512, 10, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.norm.forward_with(self.stem.forward(x), Follow::Relu);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.head.forward(ops::global_avg_pool2d(x).flatten(1, 3))
    }
}

#[derive(Module, Debug)]
struct Vgg {
    convs: Vec<Conv2d>,
    head: Linear,
}

impl Vgg {
    /// Channels, and whether pooling follows.
    const LAYERS: [(usize, bool); 8] = [
        (64, true),
        (128, true),
        (256, false),
        (256, true),
        (512, false),
        (512, true),
        (512, false),
        (512, true),
    ];

    fn new(device: &Device) -> Self {
        let mut inputs = 3;
        let convs = Self::LAYERS.map(|(outputs, _)| {
            conv([std::mem::replace(&mut inputs, outputs), outputs], 3, 1, true, device)
        });
        Self { convs: convs.into(), head: linear(512, 10, device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.convs.iter().zip(Self::LAYERS).fold(x, |x, (conv, (_, pooled))| {
            let x = conv.forward_with(x, Activation::Relu);
            if pooled { halved(x) } else { x }
        });
        self.head.forward(x.flatten(1, 3))
    }
}

#[derive(Module, Debug)]
struct Double {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
}

impl Double {
    fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        let convs = [inputs, outputs].map(|inputs| conv([inputs, outputs], 3, 1, false, device));
        Self { convs: convs.into(), norms: (0..2).map(|_| norm(outputs, device)).collect() }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let layers = self.convs.iter().zip(&self.norms);
        layers.fold(x, |x, (conv, norm)| norm.forward_with(conv.forward(x), Follow::Relu))
    }
}

#[derive(Module, Debug)]
struct UNet {
    down: Vec<Double>,
    up: Vec<ConvTranspose2d>,
    merge: Vec<Double>,
    head: Conv2d,
}

impl UNet {
    fn new(device: &Device) -> Self {
        let up = |from: usize| {
            let config = ConvTranspose2dConfig::new([from, from / 2], [2, 2]).with_stride([2, 2]);
            ConvTranspose2d::from(config.init(device))
        };
        let down = [(3, 32), (32, 64), (64, 128), (128, 256)];
        Self {
            down: down.map(|(inputs, outputs)| Double::new(inputs, outputs, device)).into(),
            up: [256, 128, 64].map(up).into(),
            merge: [256, 128, 64].map(|from| Double::new(from, from / 2, device)).into(),
            head: conv([32, 2], 1, 1, true, device),
        }
    }

    /// Rows are pixels.
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x = self.down[0].forward(x);
        let mut kept = Vec::new();
        for down in &self.down[1..] {
            let smaller = down.forward(halved(x.clone()));
            kept.push(std::mem::replace(&mut x, smaller));
        }
        for (up, merge) in self.up.iter().zip(&self.merge) {
            let skipped = kept.pop().expect("as many ups as downs");
            x = merge.forward(ops::cat_channels(skipped, up.forward(x)));
        }
        self.head.forward(x).permute([0, 2, 3, 1]).flatten::<2>(0, 2)
    }
}

#[derive(Module, Debug)]
struct Recurrent {
    embedding: Embedding,
    lstm: Option<Lstm>,
    gru: Option<Gru>,
    head: Linear,
}

impl Recurrent {
    fn new(gru: bool, device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(SYMBOLS, 128).init(device),
            lstm: (!gru).then(|| Lstm::from(LstmConfig::new(128, 256, true).init(device))),
            gru: gru.then(|| Gru::from(GruConfig::new(128, 256, true).init(device))),
            head: linear(256, SYMBOLS, device),
        }
    }

    /// Rows are steps.
    fn forward(&self, x: Tensor<2, Int>) -> Tensor<2> {
        let x = self.embedding.forward(x);
        let states = match (&self.lstm, &self.gru) {
            (Some(lstm), _) => lstm.forward(x, None).0,
            (_, Some(gru)) => gru.forward(x, None),
            _ => unreachable!("one of both"),
        };
        self.head.forward(states.flatten::<2>(0, 1))
    }
}

#[derive(Module, Debug)]
struct Generator {
    ups: Vec<ConvTranspose2d>,
    norms: Vec<BatchNorm>,
}

impl Generator {
    fn new(device: &Device) -> Self {
        // 1, 4, 8, 16, 32 pixels wide.
        let up = |channels, stride, pad| {
            let config = ConvTranspose2dConfig::new(channels, [4, 4])
                .with_stride([stride; 2])
                .with_padding([pad; 2])
                .with_bias(false);
            ConvTranspose2d::from(config.init(device))
        };
        Self {
            ups: vec![
                up([100, 256], 1, 0),
                up([256, 128], 2, 1),
                up([128, 64], 2, 1),
                up([64, 3], 2, 1),
            ],
            norms: [256, 128, 64].map(|channels| norm(channels, device)).into(),
        }
    }

    fn forward(&self, noise: Tensor<4>) -> Tensor<4> {
        let layers = self.ups.iter().zip(&self.norms);
        let x = layers.fold(noise, |x, (up, norm)| norm.forward_with(up.forward(x), Follow::Relu));
        self.ups[3].forward(x).tanh()
    }
}

#[derive(Module, Debug)]
struct Discriminator {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
}

impl Discriminator {
    fn new(device: &Device) -> Self {
        let conv = |channels, stride, pad| {
            let config = Conv2dConfig::new(channels, [4, 4])
                .with_stride([stride; 2])
                .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
                .with_bias(false);
            Conv2d::from(config.init(device))
        };
        Self {
            convs: vec![
                conv([3, 64], 2, 1),
                conv([64, 128], 2, 1),
                conv([128, 256], 2, 1),
                conv([256, 1], 1, 0),
            ],
            norms: [128, 256].map(|channels| norm(channels, device)).into(),
        }
    }

    /// One number for each picture.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = ops::leaky_relu(self.convs[0].forward(x), 0.2);
        for (conv, norm) in self.convs[1..3].iter().zip(&self.norms) {
            x = ops::leaky_relu(norm.forward(conv.forward(x)), 0.2);
        }
        self.convs[3].forward(x)
    }
}

/// Generative adversarial networks (Radford and others, 2016): one step of the discriminator on
/// real and generated pictures, one of the generator; inference is the generator.
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
