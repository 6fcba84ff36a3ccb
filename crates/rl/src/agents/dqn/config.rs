//! The settings of DQN and Rainbow.

use crate::agents::require;
use crate::env::Spec;
use crate::networks::BodyConfig;
use serde::{Deserialize, Serialize};

/// DQN's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DqnConfig {
    /// The layers of the network.
    pub body: BodyConfig,
    /// Learning rate of Adam at the beginning.
    pub lr: f64,
    /// Whether it falls to zero in a straight line.
    #[serde(default)]
    pub anneal: bool,
    /// Discount of a reward one step later.
    pub gamma: f32,
    /// Steps in a batch.
    pub batch_size: usize,
    /// Steps in the replay memory.
    pub replay: usize,
    /// Steps before learning begins.
    pub learning_starts: u64,
    /// Steps of the environments from one step of the optimiser to the next.
    pub train_every: u64,
    /// Steps of the optimiser from one copy into the target network to the next.
    pub target_every: u64,
    /// Which part of the way to the network the target network then goes (Lillicrap et al.:
    /// "Continuous control with deep reinforcement learning", 2016, arXiv:1509.02971); 1 copies.
    #[serde(default = "whole")]
    pub tau: f32,
    /// Probability of a random action at the end of its decline from 1.
    pub epsilon: f32,
    /// Part of the training in which it declines.
    pub exploration: f64,
    /// The norm that gradients are cut to.
    pub clip_norm: f32,
    /// The network chooses the next action, the target network values it (van Hasselt et al.:
    /// "Deep reinforcement learning with double Q-learning", 2016, arXiv:1509.06461).
    pub double: bool,
    /// See `QHeads::dueling`.
    pub dueling: bool,
    /// Steps are drawn in proportion to their last error (arXiv:1511.05952).
    pub prioritised: bool,
    /// Rewards summed before the value of what follows (Sutton, 1988).
    pub n_step: usize,
    /// Noisy layers explore in place of random actions (arXiv:1706.10295).
    pub noisy: bool,
    /// The initial standard deviation of the noisy weights, over the root of their layer's inputs. With
    /// the 0.5 of the paper, which trains for 200 M frames, Rainbow comes to 22 in miniature
    /// Freeway after 100,000 frames at a rate of 5e-4, with 0.1 to 31, and without noise to 51;
    /// with 0.1 and a rate of 2.5e-4 to 53.
    #[serde(default = "published_sigma")]
    pub sigma: f32,
    /// Distributions of returns over [`DqnConfig::atoms`] in place of their means (Bellemare et
    /// al.: "A distributional perspective on reinforcement learning", 2017, arXiv:1707.06887).
    pub categorical: bool,
    /// Atoms of such a distribution.
    pub atoms: usize,
    /// The smallest and the largest return that it knows.
    pub support: [f32; 2],
}

fn whole() -> f32 {
    1.0
}

/// What runs from before the setting had.
fn published_sigma() -> f32 {
    0.5
}

impl DqnConfig {
    /// What `--set help` says of each field.
    pub const FIELDS: &[(&str, &str)] = &[
        ("body", "layers of the network: pool, turn, convs, orthogonal, hidden"),
        ("lr", "initial learning rate of Adam"),
        ("anneal", "decay the learning rate linearly to zero"),
        ("gamma", "discount factor"),
        ("batch_size", "transitions in a batch"),
        ("replay", "capacity of the replay memory, in steps"),
        ("learning_starts", "environment steps before the first update"),
        ("train_every", "environment steps per update"),
        ("target_every", "updates between two updates of the target network"),
        ("tau", "soft update of the target network: fraction copied, 1 for all"),
        ("epsilon", "final epsilon of epsilon-greedy exploration"),
        ("exploration", "fraction of the training in which epsilon falls from 1"),
        ("clip_norm", "largest norm of the gradients, 0 for no clipping"),
        ("double", "double Q-learning"),
        ("dueling", "dueling network: a state value and an advantage per action"),
        ("prioritised", "prioritised replay: transitions drawn by their last error"),
        ("n_step", "steps of the n-step return"),
        ("noisy", "noisy layers instead of epsilon-greedy exploration"),
        ("sigma", "initial standard deviation of the noisy weights"),
        ("categorical", "learn distributions of returns instead of means (C51)"),
        ("atoms", "atoms of the distribution"),
        ("support", "smallest and largest return of the distribution"),
    ];

    /// What suits an environment.
    pub fn new(spec: &Spec) -> Self {
        let vectors = Self {
            body: BodyConfig::new(spec, &[120, 84]),
            lr: 2e-3,
            anneal: true,
            gamma: 0.99,
            batch_size: 64,
            replay: 50_000,
            learning_starts: 1000,
            train_every: 2,
            // In CartPole a target that is copied every 100 or 500 steps of the optimiser leaves
            // values that rise and fall; one that follows slowly lets them settle.
            target_every: 1,
            tau: 0.01,
            epsilon: 0.04,
            exploration: 0.16,
            clip_norm: 10.0,
            double: false,
            dueling: false,
            prioritised: false,
            n_step: 3,
            noisy: false,
            sigma: 0.1,
            categorical: false,
            atoms: 51,
            support: [0.0, 100.0],
        };
        let images = Self { anneal: false, tau: 1.0, n_step: 1, ..vectors.clone() };
        match spec.observation[..] {
            [_, height, width] if height.min(width) >= 36 => Self {
                lr: 1e-4,
                batch_size: 32,
                replay: 100_000,
                learning_starts: 20_000,
                train_every: 4,
                target_every: 250,
                epsilon: 0.01,
                exploration: 0.1,
                support: [-10.0, 10.0],
                ..images
            },
            [_, _, _] => Self {
                lr: 2.5e-4,
                batch_size: 32,
                replay: 100_000,
                learning_starts: 5000,
                train_every: 1,
                target_every: 1000,
                epsilon: 0.1,
                exploration: 0.1,
                ..images
            },
            _ => vectors,
        }
    }

    /// All six improvements, as in Rainbow.
    pub fn rainbow(spec: &Spec) -> Self {
        let dqn = Self::new(spec);
        let (double, dueling, prioritised, noisy, categorical) = (true, true, true, true, true);
        Self { double, dueling, prioritised, n_step: 3, noisy, categorical, ..dqn }
    }

    /// What is wrong with the settings, if anything is.
    pub fn check(&self, spec: &Spec) -> Result<(), String> {
        self.body.check(spec)?;
        require((0.0..=1.0).contains(&self.gamma), "gamma", "0 to 1")?;
        require((1..=65_536).contains(&self.batch_size), "batch_size", "1 to 65536")?;
        if self.replay < self.batch_size {
            let (replay, batch) = (self.replay, self.batch_size);
            return Err(format!("replay: {replay} steps hold no batch of {batch}"));
        }
        let starts = usize::try_from(self.learning_starts).unwrap_or(usize::MAX);
        require(starts <= self.replay, "learning_starts", "no more than the replay memory holds")?;
        require(self.train_every > 0 && self.target_every > 0, "train_every", "1 or more")?;
        require(self.tau > 0.0 && self.tau <= 1.0, "tau", "above 0, up to 1")?;
        require((0.0..=1.0).contains(&self.epsilon), "epsilon", "0 to 1")?;
        require((0.0..=1.0).contains(&self.exploration), "exploration", "0 to 1")?;
        require((1..=100).contains(&self.n_step), "n_step", "1 to 100")?;
        require(self.sigma >= 0.0 && self.sigma.is_finite(), "sigma", "0 or above")?;
        require((2..=1000).contains(&self.atoms), "atoms", "2 to 1000")?;
        let [low, high] = self.support;
        require(low < high && low.is_finite() && high.is_finite(), "support", "[low, high]")
    }

    /// A probability that declines in a straight line.
    pub(super) fn epsilon_at(&self, part: f64) -> f32 {
        let done = (part / self.exploration.max(1e-9)).min(1.0) as f32;
        1.0 + (self.epsilon - 1.0) * done
    }
}
