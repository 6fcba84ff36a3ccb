//! The values of all actions, as numbers or as distributions.

use super::body::{Body, BodyConfig};
use super::dense::Dense;
use crate::env::{Random, Spec};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tenfold_kernels::ops::Activation;

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
