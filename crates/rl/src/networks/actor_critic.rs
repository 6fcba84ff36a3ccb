//! A policy and the value of what is seen.

use super::body::{Body, BodyConfig};
use super::dense::Dense;
use crate::env::Spec;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tenfold_kernels::ops::Activation;

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
