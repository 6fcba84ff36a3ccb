//! REINFORCE (Williams: "Simple statistical gradient-following algorithms for connectionist
//! reinforcement learning", 1992), by Sutton and Barto, 2nd edition, section 13.4: whole
//! episodes, and a learnt value as the baseline.
//!
//! Differs from the book: several episodes make one step of Adam, steps are not discounted by
//! their place in the episode, and an episode that is cut off at a time limit goes on with the
//! baseline's value (without a baseline its return ends there).

use super::policy::PolicyPlayer;
use super::{Agent, Log, Player, draw, require, softmax, step};
use crate::env::{Observations, Random, Spec, VectorEnv};
use crate::networks::{ActorCritic, BodyConfig, seeded};
use crate::tensors::{elements, matrix, vector};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tenfold_core::train::Parts;
use tenfold_core::train::optim::{OptimizerConfig, OptimizerKind};
use tenfold_core::{Result, weights};

/// REINFORCE's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReinforceConfig {
    /// The layers of the network.
    pub body: BodyConfig,
    /// Learning rate of Adam.
    pub lr: f64,
    /// Discount of a reward one step later.
    pub gamma: f32,
    /// Whether a learnt value is taken from the returns.
    pub baseline: bool,
    /// Steps of whole episodes that make one step of the optimiser, at least.
    pub batch_size: usize,
}

impl ReinforceConfig {
    /// What `--set help` says of each field.
    pub const FIELDS: &[(&str, &str)] = &[
        ("body", "layers of the network: pool, turn, convs, orthogonal, hidden"),
        ("lr", "learning rate of Adam"),
        ("gamma", "discount factor"),
        ("baseline", "subtract a learnt value from the returns (baseline)"),
        ("batch_size", "least number of steps per update, in whole episodes"),
    ];

    /// What suits an environment.
    pub fn new(spec: &Spec) -> Self {
        let body = BodyConfig::new(spec, &[64, 64]);
        Self { body, lr: 3e-3, gamma: 0.99, baseline: true, batch_size: 500 }
    }

    /// What is wrong with the settings, if anything is.
    pub fn check(&self, spec: &Spec) -> Result<(), String> {
        self.body.check(spec)?;
        require((0.0..=1.0).contains(&self.gamma), "gamma", "0 to 1")?;
        require((1..=10_000_000).contains(&self.batch_size), "batch_size", "1 to 10000000")
    }
}

/// Steps of whole episodes, or of one that is under way.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Steps {
    observations: Vec<f32>,
    actions: Vec<i32>,
    /// Rewards; in whole episodes, returns.
    returns: Vec<f32>,
}

/// The agent.
pub struct Reinforce {
    config: ReinforceConfig,
    spec: Spec,
    device: Device,
    network: ActorCritic,
    acting: ActorCritic,
    optimizer: ModuleOptimizer,
    random: Random,
    /// The episode under way in each row.
    open: Vec<Steps>,
    /// Whole episodes.
    whole: Steps,
}

impl Reinforce {
    /// An agent that has seen nothing.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(config: ReinforceConfig, spec: &Spec, seed: u64, device: &Device) -> Result<Self> {
        let network = seeded(seed, device, |autodiff_device| {
            ActorCritic::new(&config.body, spec, false, autodiff_device)
        });
        Ok(Self {
            acting: network.valid(),
            network,
            optimizer: OptimizerConfig::new(OptimizerKind::Adam).build()?,
            random: Random::keyed(&[seed, 1]),
            open: Vec::new(),
            whole: Steps::default(),
            config,
            spec: spec.clone(),
            device: device.clone(),
        })
    }

    /// One step of the optimiser on whole episodes.
    fn learn(&mut self, log: &mut Log) -> Result<()> {
        let Steps { observations, actions, returns } = std::mem::take(&mut self.whole);
        let size = actions.len();
        let autodiff_device =
            self.network.devices().into_iter().next().unwrap_or(self.device.clone());
        let (logits, values) =
            self.network.forward(matrix(observations, size, &autodiff_device), None);
        let actions =
            Tensor::<2, Int>::from_data(TensorData::new(actions, [size, 1]), &autodiff_device);
        let chosen = log_softmax(logits, 1).gather(1, actions).reshape([size]);
        let returns = vector(returns, &autodiff_device);
        let errors = returns.clone() - values.reshape([size]);
        let loss = if self.config.baseline {
            let advantages = errors.clone().detach();
            let scale = advantages.clone().square().mean().sqrt() + 1e-8;
            -(chosen * (advantages / scale)).mean() + errors.square().mean() * 0.5
        } else {
            -(chosen * returns).mean()
        };
        log.loss(elements(loss.clone())[0])?;
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        self.network = self.optimizer.step(self.config.lr, self.network.clone(), gradients);
        self.acting = self.network.valid();
        Ok(())
    }
}

impl Agent for Reinforce {
    fn turn(&mut self, envs: &mut [Box<dyn VectorEnv>], log: &mut Log) -> Result<()> {
        let envs = &mut *envs[0];
        let (rows, count) = (envs.rows(), self.spec.actions.len());
        let reader = self.config.body.reader(&self.spec);
        self.open.resize_with(rows, Steps::default);
        // Act by the policy.
        let cells = reader.read(envs.observations());
        let mut policy = elements(self.acting.policy(matrix(cells.clone(), rows, &self.device)));
        softmax(&mut policy, count);
        let policy = policy.chunks_exact(count);
        let actions: Vec<usize> = policy.map(|policy| draw(policy, &mut self.random)).collect();
        step(envs, &actions)?;
        log.step += rows as u64;
        log.ended(envs.episodes());
        let per_row = cells.len() / rows;
        for (row, open) in self.open.iter_mut().enumerate() {
            open.observations.extend_from_slice(&cells[row * per_row..][..per_row]);
            open.actions.push(actions[row] as i32);
            open.returns.push(envs.rewards()[row]);
            // A whole episode: its rewards become returns, from the last to the first.
            let (terminated, truncated) = (envs.terminated()[row], envs.truncated()[row]);
            if !terminated && !truncated {
                continue;
            }
            let mut sum = 0.0;
            if !terminated && self.config.baseline {
                let last = reader.read(envs.last_observation(row));
                sum = elements(self.acting.values(matrix(last, 1, &self.device)))[0];
            }
            for reward in open.returns.iter_mut().rev() {
                sum = *reward + self.config.gamma * sum;
                *reward = sum;
            }
            self.whole.observations.append(&mut open.observations);
            self.whole.actions.append(&mut open.actions);
            self.whole.returns.append(&mut open.returns);
        }
        if self.whole.actions.len() >= self.config.batch_size {
            self.learn(log)?;
        }
        Ok(())
    }

    fn parameters(&self) -> usize {
        self.network.num_params()
    }

    fn player(&self) -> Box<dyn Player> {
        let (reader, device) = (self.config.body.reader(&self.spec), self.device.clone());
        let count = self.spec.actions.len();
        Box::new(PolicyPlayer { network: self.acting.clone(), reader, count, device })
    }

    fn value(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
        let reader = self.config.body.reader(&self.spec);
        let x = reader.tensor(observations, rows, &self.device);
        Ok(elements(self.acting.values(x)))
    }

    fn load_weights(&mut self, path: &Path) -> Result<()> {
        weights::load(&mut self.acting, path, &weights::LoadOptions::default()).map(|_| ())
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        parts.module("network", &mut self.network)?;
        parts.optimizer("optimizer", &mut self.optimizer)?;
        parts.value("random", &mut self.random)?;
        parts.value("open", &mut self.open)?;
        parts.value("whole", &mut self.whole)?;
        self.acting = self.network.valid();
        Ok(())
    }
}
