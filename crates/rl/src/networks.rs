//! The networks that agents learn with: a body that reads observations, and heads.
//!
//! Letters: B rows of a batch, A actions, N atoms of a distribution.

use crate::env::{Random, Spec};
use crate::reader::Reader;
use burn::module::{Initializer, Module, Param, ParamId};
use burn::nn::LinearConfig;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Distribution, Int, Shape, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use tenfold_kernels::nn::{Conv2d, Linear};
use tenfold_kernels::ops::{self, Activation};

/// The layers before the heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BodyConfig {
    /// Planes are first summed over squares of so many cells a side; 1 for as they are. Where
    /// most cells are empty this keeps how much there is, and roughly where, and makes networks
    /// many times quicker. A sum counts up to this number. What is the other player's
    /// ([`Spec::whose`]) is summed in planes of its own, for a sum would not tell it apart.
    #[serde(default = "one")]
    pub pool: usize,
    /// Whether maps are mirrored so that the own base ([`Spec::home`]) lies in the upper left
    /// quarter: what is learnt in one corner holds in all four.
    #[serde(default)]
    pub turn: bool,
    /// Convolutions: channels, side of the kernel, stride.
    pub convs: Vec<[usize; 3]>,
    /// Whether the convolutions' weights are orthogonal at first, too, and as large as
    /// rectifiers want them: three layers of Burn's default make signals fifteen times smaller.
    #[serde(default)]
    pub orthogonal: bool,
    /// Widths of the fully connected layers.
    pub hidden: Vec<usize>,
}

fn one() -> usize {
    1
}

impl BodyConfig {
    /// What suits a world: a perceptron of these layers for vectors; for pictures of 84 x 84
    /// the network of Mnih et al., "Human-level control through deep reinforcement learning",
    /// Nature, 2015; for 10 x 10 cells the convolution of Young and Tian (arXiv:1903.03176),
    /// without which PPO comes to 1.9 in Asterix after 1.5 M steps, and with it to 11.3; for
    /// the few and far things of larger planes a perceptron of sums.
    pub fn new(spec: &Spec, hidden: &[usize]) -> Self {
        match spec.observation[..] {
            [_, height, width] if height.min(width) >= 36 => {
                let convs = vec![[32, 8, 4], [64, 4, 2], [64, 3, 1]];
                Self { pool: 1, turn: false, convs, orthogonal: true, hidden: vec![512] }
            }
            [_, height, width] if height.min(width) > 12 => {
                let turn = spec.home.is_some();
                Self { pool: 4, turn, hidden: vec![128, 64], ..Self::perceptron(&[]) }
            }
            [_, _, _] => Self { convs: vec![[16, 3, 1]], ..Self::perceptron(&[128]) },
            _ => Self::perceptron(hidden),
        }
    }

    /// Fully connected layers alone, of what is seen as it is.
    pub(crate) fn perceptron(hidden: &[usize]) -> Self {
        let hidden = hidden.to_vec();
        Self { pool: 1, turn: false, convs: Vec::new(), orthogonal: false, hidden }
    }

    /// What is wrong with it for a world, if anything is.
    pub fn check(&self, spec: &Spec) -> Result<(), String> {
        let pooled = self.pooled(spec);
        if self.pool == 0 || self.pool > 1 && pooled.is_none() {
            return Err(format!("pool: expected 1 or more, and planes; {} is given", self.pool));
        }
        if self.turn && spec.home.is_none() {
            return Err(format!("turn: {} has no map with a base of one's own", spec.name));
        }
        if let Some([_, mut height, mut width]) = pooled {
            for &[channels, kernel, stride] in &self.convs {
                if channels == 0 || channels > 4096 || kernel == 0 || stride == 0 {
                    return Err("convs: expected [channels, kernel, stride], all above 0".into());
                }
                if kernel > height.min(width) {
                    let why = format!("convs: a kernel of {kernel} for maps of {height}x{width}");
                    return Err(why);
                }
                (height, width) = ((height - kernel) / stride + 1, (width - kernel) / stride + 1);
            }
        } else if !self.convs.is_empty() {
            return Err(format!("convs: {} shows numbers, not pictures", spec.name));
        }
        match self.hidden.iter().all(|width| (1..=65_536).contains(width)) {
            true => Ok(()),
            false => Err("hidden: expected widths from 1 to 65536".into()),
        }
    }

    /// The planes that the layers get, where the world shows planes.
    fn pooled(&self, spec: &Spec) -> Option<[usize; 3]> {
        let &[planes, height, width] = spec.observation.first_chunk::<3>()?;
        let side = self.pool.max(1);
        let apart = if side > 1 && spec.whose.is_some() { 2 } else { 1 };
        Some([apart * planes, height.div_ceil(side), width.div_ceil(side)])
    }

    /// What turns observations into the numbers that the body takes.
    pub fn reader(&self, spec: &Spec) -> Reader {
        Reader::new(spec, self.pool, self.turn)
    }

    /// The body, and the width of what comes out of it.
    pub fn init(&self, spec: &Spec, noisy: Option<f32>, device: &Device) -> (Body, usize) {
        let pooled = self.pooled(spec);
        let mut width =
            pooled.map_or(spec.cells_per_observation(), |pooled| pooled.iter().product());
        let mut convs = Vec::new();
        let mut shape = None;
        if let Some([mut channels, mut h, mut w]) = pooled
            && !self.convs.is_empty()
        {
            shape = Some([channels, h, w]);
            for &[outputs, kernel, stride] in &self.convs {
                let conv = Conv2dConfig::new([channels, outputs], [kernel, kernel])
                    .with_stride([stride, stride]);
                let mut conv = conv.init(device);
                if self.orthogonal {
                    let shape = [outputs, channels, kernel, kernel];
                    conv.weight = orthogonal(shape, 2f64.sqrt(), device);
                    conv.bias = Some(Initializer::Zeros.init([outputs], device));
                }
                convs.push(Conv2d::from(conv));
                (channels, h, w) = (outputs, (h - kernel) / stride + 1, (w - kernel) / stride + 1);
            }
            width = channels * h * w;
        }
        let mut hidden = Vec::new();
        for &outputs in &self.hidden {
            hidden.push(Dense::new(width, outputs, 2f64.sqrt(), noisy, device));
            width = outputs;
        }
        (Body { convs, hidden, shape }, width)
    }
}

/// Whether a world shows planes of cells rather than a screen: miniature Atari, MiniRTS.
pub fn small_planes(spec: &Spec) -> bool {
    matches!(spec.observation[..], [_, height, width] if height.min(width) < 36)
}

/// The layers before the heads, with rectifiers between them.
#[derive(Module, Debug)]
pub struct Body {
    convs: Vec<Conv2d>,
    hidden: Vec<Dense>,
    #[module(skip)]
    shape: Option<[usize; 3]>,
}

impl Body {
    /// `[B, cells]` to `[B, width]`.
    pub fn forward(&self, x: Tensor<2>, mut noise: Option<&mut Random>) -> Tensor<2> {
        let mut x = match self.shape {
            Some([channels, height, width]) => {
                let [rows, _] = x.dims();
                let mut x = x.reshape([rows, channels, height, width]);
                for conv in &self.convs {
                    x = conv.forward_with(x, Activation::Relu);
                }
                x.flatten(1, 3)
            }
            None => x,
        };
        for dense in &self.hidden {
            x = dense.forward(x, Activation::Relu, noise.as_deref_mut());
        }
        x
    }
}

/// A fully connected layer, whose weights may be noisy: each is a mean and a learnt deviation
/// (Fortunato et al.: "Noisy networks for exploration", 2018, arXiv:1706.10295, with noise that
/// is factorised over inputs and outputs, section 3(b)).
#[derive(Module, Debug)]
pub struct Dense {
    linear: Linear,
    deviation: Option<Deviation>,
}

#[derive(Module, Debug)]
struct Deviation {
    /// `[inputs, outputs]`
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Param<Tensor<1>>,
}

impl Dense {
    /// Weights orthogonal with this gain, biases zero; with `noisy` uniform weights, and
    /// deviations of that size over the root of the inputs.
    pub fn new(
        inputs: usize,
        outputs: usize,
        gain: f64,
        noisy: Option<f32>,
        device: &Device,
    ) -> Self {
        let config = LinearConfig::new(inputs, outputs);
        let Some(sigma) = noisy else {
            let weight = orthogonal([inputs, outputs], gain, device);
            let bias = Some(Initializer::Zeros.init([outputs], device));
            return Self { linear: burn::nn::Linear { weight, bias }.into(), deviation: None };
        };
        let bound = 1.0 / (inputs as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        let value = f64::from(sigma) * bound;
        let constant = Initializer::Constant { value };
        let deviation = Deviation {
            weight: constant.init([inputs, outputs], device),
            bias: constant.init([outputs], device),
        };
        let linear = config.with_initializer(uniform).init(device).into();
        Self { linear, deviation: Some(deviation) }
    }

    /// `[B, inputs]` to `[B, outputs]`; noisy weights are at their means without `noise`.
    pub fn forward(
        &self,
        x: Tensor<2>,
        activation: Activation,
        noise: Option<&mut Random>,
    ) -> Tensor<2> {
        let (Some(deviation), Some(random)) = (&self.deviation, noise) else {
            return self.linear.forward_with(x, activation);
        };
        let [inputs, outputs] = deviation.weight.dims();
        let device = x.device();
        let mut noise = |len: usize| {
            let draw = |_| {
                let normal = gaussian(random);
                normal.signum() * normal.abs().sqrt()
            };
            let noise: Vec<f32> = (0..len).map(draw).collect();
            Tensor::<2>::from_data(TensorData::new(noise, [1, len]), &device)
        };
        // Noise that is a product of one for each input and one for each output needs no noisy
        // weights: what comes in is scaled, and what goes out.
        let shaken = x.clone() * noise(inputs);
        let (weight, bias) = (deviation.weight.val(), Some(deviation.bias.val()));
        let shift = ops::linear(shaken, weight, bias, Activation::Identity) * noise(outputs);
        let y = self.linear.forward(x) + shift;
        if activation == Activation::Relu { ops::relu(y) } else { y }
    }
}

/// Weights of this shape, as rows of all but its first side: the columns, or the rows where
/// these are fewer, are orthogonal and of length `gain` (Saxe et al.: "Exact solutions to the
/// nonlinear dynamics of learning in deep linear neural networks", 2014, arXiv:1312.6120).
fn orthogonal<const D: usize>(shape: [usize; D], gain: f64, device: &Device) -> Param<Tensor<D>> {
    // Burn's own decomposition takes half a minute for the layer behind Atari's convolutions.
    match shape.iter().all(|side| *side <= 2048) {
        true => Initializer::Orthogonal { gain }.init(shape, device),
        false => gram_schmidt(shape, gain, device),
    }
}

/// The same as Burn's, quicker.
fn gram_schmidt<const D: usize>(shape: [usize; D], gain: f64, device: &Device) -> Param<Tensor<D>> {
    let init = move |device: &Device, learnt: bool| {
        let normal = Distribution::Normal(0.0, 1.0);
        let (rows, columns) = (shape[0], shape[1..].iter().product());
        let drawn = Tensor::<2>::random([rows, columns], normal, device);
        let wide = rows < columns;
        let drawn = if wide { drawn } else { drawn.transpose() };
        let ([_, length], vectors) = (drawn.dims(), elements(drawn));
        let mut vectors: Vec<f64> = vectors.into_iter().map(f64::from).collect();
        orthonormalise(&mut vectors, length);
        let at = |row: usize, column: usize| match wide {
            true => row * length + column,
            false => column * length + row,
        };
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| at(row, column)));
        let weight = places.map(|place| (gain * vectors[place]) as f32).collect();
        let weight = matrix(weight, rows, device).reshape(shape);
        if learnt { weight.require_grad() } else { weight }
    };
    Param::uninitialized(ParamId::new(), init, device.clone(), true, Shape::new(shape))
}

/// Makes vectors of this length orthogonal and of length 1, by Gram and Schmidt's way in its
/// stable order (Björck: "Solving linear least squares problems by Gram-Schmidt
/// orthogonalization", 1967).
fn orthonormalise(vectors: &mut [f64], length: usize) {
    fn dot(a: &[f64], b: &[f64]) -> f64 {
        let mut sums = [0.0; 8];
        let (a, b) = (a.chunks(8), b.chunks(8));
        a.zip(b)
            .for_each(|(a, b)| sums.iter_mut().zip(a).zip(b).for_each(|((s, a), b)| *s += a * b));
        sums.iter().sum()
    }
    let mut rest = vectors;
    while rest.len() >= length.max(1) {
        let (one, others) = rest.split_at_mut(length);
        let norm = dot(one, one).sqrt();
        one.iter_mut().for_each(|value| *value /= norm);
        others.par_chunks_exact_mut(length).for_each(|other| {
            let along = dot(one, other);
            other.iter_mut().zip(&*one).for_each(|(other, one)| *other -= along * one);
        });
        rest = others;
    }
}

/// A number from the standard normal distribution (Box and Muller, 1958).
pub fn gaussian(random: &mut Random) -> f32 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.unit()).cos()
}

/// A head, with a layer of its own before it where it has one.
#[derive(Module, Debug)]
struct Stream {
    hidden: Option<Dense>,
    out: Dense,
}

impl Stream {
    fn forward(&self, mut x: Tensor<2>, mut noise: Option<&mut Random>) -> Tensor<2> {
        if let Some(hidden) = &self.hidden {
            x = hidden.forward(x, Activation::Relu, noise.as_deref_mut());
        }
        self.out.forward(x, Activation::Identity, noise)
    }
}

/// What a [`QNetwork`] is made of beside its body.
#[derive(Clone, Copy, Debug)]
pub struct QHeads {
    /// A value and an advantage for each action, which add up (Wang et al.: "Dueling network
    /// architectures for deep reinforcement learning", 2016, arXiv:1511.06581, eq. 9).
    pub dueling: bool,
    /// The deviation that noisy layers begin with.
    pub noisy: Option<f32>,
    /// How many atoms the distribution of a return has; 1 for its mean alone.
    pub atoms: usize,
}

/// The values of all actions, as numbers or as distributions.
#[derive(Module, Debug)]
pub struct QNetwork {
    body: Body,
    advantage: Stream,
    value: Option<Stream>,
    #[module(skip)]
    atoms: usize,
}

impl QNetwork {
    /// With initial weights.
    pub fn new(body: &BodyConfig, spec: &Spec, heads: QHeads, device: &Device) -> Self {
        let QHeads { dueling, noisy, atoms } = heads;
        // The two streams of a dueling network each have the last hidden layer to themselves.
        let (shared, own) = match body.hidden.split_last() {
            Some((&last, rest)) if dueling => {
                (BodyConfig { hidden: rest.to_vec(), ..body.clone() }, Some(last))
            }
            _ => (body.clone(), None),
        };
        let (body, width) = shared.init(spec, noisy, device);
        let stream = |outputs: usize| Stream {
            hidden: own.map(|own| Dense::new(width, own, 2f64.sqrt(), noisy, device)),
            out: Dense::new(own.unwrap_or(width), outputs, 0.1, noisy, device),
        };
        let advantage = stream(spec.actions.len() * atoms);
        let value = dueling.then(|| stream(atoms));
        Self { body, advantage, value, atoms }
    }

    /// `[B, cells]` to `[B, A, N]`: values where N is 1, else logits of the distributions.
    pub fn forward(&self, x: Tensor<2>, mut noise: Option<&mut Random>) -> Tensor<3> {
        let x = self.body.forward(x, noise.as_deref_mut());
        let advantage = self.advantage.forward(x.clone(), noise.as_deref_mut());
        let [rows, outputs] = advantage.dims();
        let advantage = advantage.reshape([rows, outputs / self.atoms, self.atoms]);
        match &self.value {
            Some(value) => {
                let value = value.forward(x, noise).reshape([rows, 1, self.atoms]);
                let mean = advantage.clone().mean_dim(1);
                value + advantage - mean
            }
            None => advantage,
        }
    }
}

/// A policy and the value of what is seen.
#[derive(Module, Debug)]
pub struct ActorCritic {
    actor: Body,
    /// Its own body, or the actor's.
    critic: Option<Body>,
    policy: Dense,
    value: Dense,
}

impl ActorCritic {
    /// With initial weights; `shared` where policy and value read the same body.
    pub fn new(body: &BodyConfig, spec: &Spec, shared: bool, device: &Device) -> Self {
        let (actor, width) = body.init(spec, None, device);
        let critic = (!shared).then(|| body.init(spec, None, device).0);
        // A policy near uniform at first, as Andrychowicz et al. advise (arXiv:2006.05990).
        let policy = Dense::new(width, spec.actions.len(), 0.01, None, device);
        let value = Dense::new(width, 1, 1.0, None, device);
        Self { actor, critic, policy, value }
    }

    /// `[B, cells]` to logits `[B, A]` and values `[B, 1]`. A critic with a body of its own may
    /// be shown something else, `[B, cells]` too.
    pub fn forward(&self, x: Tensor<2>, shown: Option<Tensor<2>>) -> (Tensor<2>, Tensor<2>) {
        let seen = self.actor.forward(x.clone(), None);
        let judged = match &self.critic {
            Some(critic) => critic.forward(shown.unwrap_or(x), None),
            None => seen.clone(),
        };
        let policy = self.policy.forward(seen, Activation::Identity, None);
        (policy, self.value.forward(judged, Activation::Identity, None))
    }

    /// Logits alone, `[B, A]`.
    pub fn policy(&self, x: Tensor<2>) -> Tensor<2> {
        self.policy.forward(self.actor.forward(x, None), Activation::Identity, None)
    }

    /// Values alone, `[B, 1]`, by what the critic is shown.
    pub fn values(&self, x: Tensor<2>) -> Tensor<2> {
        let body = self.critic.as_ref().unwrap_or(&self.actor);
        self.value.forward(body.forward(x, None), Activation::Identity, None)
    }
}

/// Makes a network on a device that records gradients, with initial weights that depend on the
/// seed alone: the device has one generator for all threads.
pub fn seeded<M: Module>(seed: u64, device: &Device, make: impl FnOnce(&Device) -> M) -> M {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let tape = device.clone().autodiff();
    tape.seed(seed);
    // Burn draws initial weights when they are first looked at: that is now, before others draw.
    let network = make(&tape);
    drop(network.valid());
    network
}

/// `[rows, cells]` on a device.
pub fn matrix(cells: Vec<f32>, rows: usize, device: &Device) -> Tensor<2> {
    let width = cells.len().checked_div(rows).unwrap_or(0);
    Tensor::from_data(TensorData::new(cells, [rows, width]), device)
}

/// `[len]` on a device.
pub fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let len = values.len();
    Tensor::from_data(TensorData::new(values, [len]), device)
}

/// `[len]` on a device, of places in another tensor.
pub fn indices(places: &[usize], device: &Device) -> Tensor<1, Int> {
    let data: Vec<i32> = places.iter().map(|&place| place as i32).collect();
    Tensor::from_data(TensorData::new(data, [places.len()]), device)
}

/// The elements of a tensor, row by row.
pub fn elements<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    data.as_slice::<f32>().map_or_else(|_| data.iter::<f32>().collect(), <[f32]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orthogonal_weights_are_burns() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let burns = Initializer::Orthogonal { gain: 2.0 };
        let shape = [8, 3, 2, 2];
        let kernels = seeded(5, &device, |tape| gram_schmidt(shape, 2.0, tape));
        let theirs = seeded(5, &device, |tape| burns.init::<4, _>(shape, tape));
        let apart = (kernels.val() - theirs.val()).abs().max();
        assert!(elements(apart)[0] < 1e-3);
        for shape in [[3, 3], [20, 7], [7, 20], [130, 1], [64, 64]] {
            let weight = seeded(5, &device, |tape| gram_schmidt(shape, 2.0, tape));
            let burns = seeded(5, &device, |tape| burns.init::<2, _>(shape, tape));
            assert!(weight.is_require_grad());
            for (ours, theirs) in elements(weight.val()).iter().zip(elements(burns.val())) {
                assert!((ours - theirs).abs() < 1e-3, "{shape:?}: {ours} for {theirs}");
            }
            // The products of all vectors with each other.
            let weight = weight.val().inner();
            let turned = weight.clone().transpose();
            let products =
                if shape[0] < shape[1] { weight.matmul(turned) } else { turned.matmul(weight) };
            let side = shape[0].min(shape[1]);
            for (at, product) in elements(products).into_iter().enumerate() {
                let wanted = if at / side == at % side { 4.0 } else { 0.0 };
                assert!((product - wanted).abs() < 1e-5, "{shape:?}: {product}");
            }
        }
    }

    #[test]
    fn orthogonal_convolutions_keep_what_comes_in_as_large_as_it_is() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let spec = Spec::new("x", crate::env::Cells::Bytes, &[4, 84, 84], &["a"]);
        let body = BodyConfig::new(&spec, &[]);
        let mut random = Random::new(1);
        let x: Vec<f32> = (0..4 * 84 * 84).map(|_| gaussian(&mut random)).collect();
        let size = |body: &BodyConfig| {
            let body = seeded(2, &device, |tape| body.init(&spec, None, tape).0).valid();
            let y = elements(body.forward(matrix(x.clone(), 1, &device), None));
            (y.iter().map(|y| y * y).sum::<f32>() / y.len() as f32).sqrt()
        };
        let (kept, lost) = (size(&body), size(&BodyConfig { orthogonal: false, ..body.clone() }));
        // Of the 3,136 numbers behind the convolutions 512 are left, by weights of length 1.4.
        assert!((0.3..3.0).contains(&kept), "{kept}");
        assert!(lost < kept / 5.0, "{lost} of {kept}");
    }

    /// By weights made noisy one by one (arXiv:1706.10295, equations 9 to 11).
    #[test]
    fn noise_is_that_of_each_weight() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let dense = seeded(3, &device, |tape| Dense::new(5, 4, 1.0, Some(0.5), tape)).valid();
        let x: Vec<f32> = (0..10).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = matrix(x, 2, &device);
        let said = |noise: Option<&mut Random>| {
            elements(dense.forward(x.clone(), Activation::Relu, noise))
        };
        let mut random = Random::new(9);
        let got = said(Some(&mut Random::new(9)));
        let mut factors = |len: usize| -> Vec<f32> {
            let normal = (0..len).map(|_| gaussian(&mut random));
            normal.map(|normal| normal.signum() * normal.abs().sqrt()).collect()
        };
        let (inputs, outputs) = (factors(5), factors(4));
        let deviation = dense.deviation.as_ref().unwrap();
        let bias = elements(dense.linear.bias.as_ref().unwrap().val());
        let weight = elements(dense.linear.weight.val());
        let (sigma, sigma_bias) =
            (elements(deviation.weight.val()), elements(deviation.bias.val()));
        for (row, x) in elements(x.clone()).chunks_exact(5).enumerate() {
            for out in 0..4 {
                let mut y = bias[out] + sigma_bias[out] * outputs[out];
                for (i, x) in x.iter().enumerate() {
                    let at = i * 4 + out;
                    y += x * (weight[at] + sigma[at] * inputs[i] * outputs[out]);
                }
                let got = got[row * 4 + out];
                assert!((got - y.max(0.0)).abs() < 1e-5, "{got} for {y}");
            }
        }
        // Other noise, and none.
        assert_ne!(said(Some(&mut Random::new(8))), got);
        assert_ne!(said(None), got);
    }
}
