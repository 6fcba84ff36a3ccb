//! The networks that are measured; crates/kernels/bench/torch_networks.py has the same.

use burn::module::Module;
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::{
    BatchNormConfig, Embedding, EmbeddingConfig, GruConfig, LinearConfig, LstmConfig,
    PaddingConfig2d,
};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Int, Tensor};
use tenfold_kernels::nn::{BatchNorm, Conv2d, ConvTranspose2d, Gru, Linear, Lstm};
use tenfold_kernels::ops::{self, Activation, Epilogue};

/// Classes of symbols in sequences.
pub const SYMBOLS: usize = 100;

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
pub struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    pub fn new(device: &Device) -> Self {
        Self { layers: [[4, 128], [128, 128], [128, 2]].map(|[i, o]| linear(i, o, device)).into() }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.layers[0].forward_with(x, Activation::Relu);
        let x = self.layers[1].forward_with(x, Activation::Relu);
        self.layers[2].forward(x)
    }
}

#[derive(Module, Debug)]
pub struct Dqn {
    conv: Conv2d,
    layers: Vec<Linear>,
}

impl Dqn {
    pub fn new(device: &Device) -> Self {
        Self {
            conv: Conv2d::from(Conv2dConfig::new([4, 16], [3, 3]).init(device)),
            layers: vec![linear(16 * 8 * 8, 128, device), linear(128, 6, device)],
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.conv.forward_with(x, Activation::Relu).flatten(1, 3);
        self.layers[1].forward(self.layers[0].forward_with(x, Activation::Relu))
    }
}

#[derive(Module, Debug)]
pub struct LeNet {
    convs: Vec<Conv2d>,
    layers: Vec<Linear>,
}

impl LeNet {
    pub fn new(device: &Device) -> Self {
        // Without padding, as the first LeNets: 28, 26, 24, pooled 12.
        let conv = |channels| Conv2d::from(Conv2dConfig::new(channels, [3, 3]).init(device));
        Self {
            convs: vec![conv([1, 32]), conv([32, 64])],
            layers: vec![linear(64 * 12 * 12, 128, device), linear(128, 10, device)],
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.convs[0].forward_with(x, Activation::Relu);
        let x = self.convs[1].forward_with(x, Activation::Relu);
        let x = halved(x).flatten(1, 3);
        self.layers[1].forward(self.layers[0].forward_with(x, Activation::Relu))
    }
}

#[derive(Module, Debug)]
pub struct Block {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    shortcut: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    pub fn new(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
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

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.norm1.forward_with(self.conv1.forward(x.clone()), Epilogue::Relu);
        let y = self.conv2.forward(y);
        let x = match &self.shortcut {
            Some((conv, norm)) => norm.forward(conv.forward(x)),
            None => x,
        };
        self.norm2.forward_with(y, Epilogue::AddRelu(x))
    }
}

#[derive(Module, Debug)]
pub struct ResNet {
    stem: Conv2d,
    norm: BatchNorm,
    blocks: Vec<Block>,
    head: Linear,
}

impl ResNet {
    pub fn new(device: &Device) -> Self {
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

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.norm.forward_with(self.stem.forward(x), Epilogue::Relu);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.head.forward(ops::global_avg_pool2d(x).flatten(1, 3))
    }
}

#[derive(Module, Debug)]
pub struct Vgg {
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

    pub fn new(device: &Device) -> Self {
        let mut inputs = 3;
        let convs = Self::LAYERS.map(|(outputs, _)| {
            conv([std::mem::replace(&mut inputs, outputs), outputs], 3, 1, true, device)
        });
        Self { convs: convs.into(), head: linear(512, 10, device) }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.convs.iter().zip(Self::LAYERS).fold(x, |x, (conv, (_, pooled))| {
            let x = conv.forward_with(x, Activation::Relu);
            if pooled { halved(x) } else { x }
        });
        self.head.forward(x.flatten(1, 3))
    }
}

#[derive(Module, Debug)]
pub struct Double {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
}

impl Double {
    pub fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        let convs = [inputs, outputs].map(|inputs| conv([inputs, outputs], 3, 1, false, device));
        Self { convs: convs.into(), norms: (0..2).map(|_| norm(outputs, device)).collect() }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let layers = self.convs.iter().zip(&self.norms);
        layers.fold(x, |x, (conv, norm)| norm.forward_with(conv.forward(x), Epilogue::Relu))
    }
}

#[derive(Module, Debug)]
pub struct UNet {
    down: Vec<Double>,
    up: Vec<ConvTranspose2d>,
    merge: Vec<Double>,
    head: Conv2d,
}

impl UNet {
    pub fn new(device: &Device) -> Self {
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
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
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
pub struct Recurrent {
    embedding: Embedding,
    lstm: Option<Lstm>,
    gru: Option<Gru>,
    head: Linear,
}

impl Recurrent {
    pub fn new(gru: bool, device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(SYMBOLS, 128).init(device),
            lstm: (!gru).then(|| Lstm::from(LstmConfig::new(128, 256, true).init(device))),
            gru: gru.then(|| Gru::from(GruConfig::new(128, 256, true).init(device))),
            head: linear(256, SYMBOLS, device),
        }
    }

    /// Rows are steps.
    pub fn forward(&self, x: Tensor<2, Int>) -> Tensor<2> {
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
pub struct Generator {
    ups: Vec<ConvTranspose2d>,
    norms: Vec<BatchNorm>,
}

impl Generator {
    pub fn new(device: &Device) -> Self {
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

    pub fn forward(&self, noise: Tensor<4>) -> Tensor<4> {
        let layers = self.ups.iter().zip(&self.norms);
        let x =
            layers.fold(noise, |x, (up, norm)| norm.forward_with(up.forward(x), Epilogue::Relu));
        self.ups[3].forward(x).tanh()
    }
}

#[derive(Module, Debug)]
pub struct Discriminator {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
}

impl Discriminator {
    pub fn new(device: &Device) -> Self {
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

    /// One number for each image.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = ops::leaky_relu(self.convs[0].forward(x), 0.2);
        for (conv, norm) in self.convs[1..3].iter().zip(&self.norms) {
            x = ops::leaky_relu(norm.forward(conv.forward(x)), 0.2);
        }
        self.convs[3].forward(x)
    }
}
