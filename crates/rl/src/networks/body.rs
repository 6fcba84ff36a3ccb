//! The body of a network: what reads observations.

use super::dense::Dense;
use super::initial::orthogonal;
use crate::env::{Random, Spec};
use crate::reader::Reader;
use burn::module::{Initializer, Module};
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::Conv2d;
use tenfold_kernels::ops::Activation;

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
    /// What suits an environment: a perceptron of these layers for vectors; for images of 84 x 84
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

    /// What is wrong with it for an environment, if anything is.
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
            return Err(format!("convs: {} shows numbers, not images", spec.name));
        }
        match self.hidden.iter().all(|width| (1..=65_536).contains(width)) {
            true => Ok(()),
            false => Err("hidden: expected widths from 1 to 65536".into()),
        }
    }

    /// The planes that the layers get, where the environment shows planes.
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

/// Whether an environment shows planes of cells rather than a screen: miniature Atari, MiniRTS.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Cells;
    use crate::networks::dense::gaussian;
    use crate::networks::initial::seeded;
    use crate::tensors::{elements, matrix};

    #[test]
    fn squares_and_turns_want_planes_and_a_base() {
        let spec = Spec::new("x", Cells::Bytes, &[2, 3, 3], &["a"]);
        let spec = Spec { whose: Some(1), ..spec };
        let body = BodyConfig { pool: 2, ..BodyConfig::perceptron(&[4]) };
        assert_eq!(body.init(&spec, None, &tenfold_core::device::open("cpu").unwrap()).1, 4);
        // Numbers have no squares.
        let numbers = Spec::new("y", Cells::Floats, &[4], &["a"]);
        assert!(body.check(&spec).is_ok() && body.check(&numbers).is_err());
        let turn = BodyConfig { turn: true, ..BodyConfig::perceptron(&[4]) };
        assert!(turn.check(&Spec { home: Some(0), ..spec.clone() }).is_ok());
        assert!(turn.check(&spec).is_err());
    }

    #[test]
    fn orthogonal_convolutions_keep_what_comes_in_as_large_as_it_is() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let spec = Spec::new("x", Cells::Bytes, &[4, 84, 84], &["a"]);
        let body = BodyConfig::new(&spec, &[]);
        let mut random = Random::new(1);
        let x: Vec<f32> = (0..4 * 84 * 84).map(|_| gaussian(&mut random)).collect();
        let size = |body: &BodyConfig| {
            let body =
                seeded(2, &device, |autodiff_device| body.init(&spec, None, autodiff_device).0)
                    .valid();
            let y = elements(body.forward(matrix(x.clone(), 1, &device), None));
            (y.iter().map(|y| y * y).sum::<f32>() / y.len() as f32).sqrt()
        };
        let (kept, lost) = (size(&body), size(&BodyConfig { orthogonal: false, ..body.clone() }));
        // Of the 3,136 numbers behind the convolutions 512 are left, by weights of length 1.4.
        assert!((0.3..3.0).contains(&kept), "{kept}");
        assert!(lost < kept / 5.0, "{lost} of {kept}");
    }
}
