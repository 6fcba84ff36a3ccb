//! DQN (Mnih et al.: "Human-level control through deep reinforcement learning", Nature, 2015)
//! with the six improvements that Hessel et al. put together as "Rainbow" (2018,
//! arXiv:1710.02298), each a switch of [`DqnConfig`].
//!
//! Differs from the paper:
//! - The loss is Huber's on the error of the value (the paper: the gradient cut to -1..1, which
//!   is the same), the optimiser Adam with a rate of 2.5e-4 or 2e-3 (RMSprop, 2.5e-4), as in
//!   later work.
//! - An episode that is cut off at a time limit is bootstrapped (the paper knows no limits).
//! - For vectors: a perceptron, and a memory, batches and rates that suit such environments;
//!   returns of three steps, a target network that follows slowly in place of copies, and a rate
//!   that falls to zero.

mod categorical;
mod config;
mod target;

pub use config::DqnConfig;

use super::{Agent, Log, Meaning, Player, best, softmax, step};
use crate::env::{Observations, Random, Spec, VectorEnv};
use crate::networks::{QHeads, QNetwork, seeded};
use crate::reader::Reader;
use crate::replay::{Memory, Priority, Replay, frames};
use crate::tensors::{elements, matrix, vector};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use categorical::project;
use std::collections::BTreeMap;
use std::path::Path;
use target::towards;
use tenfold_core::train::Parts;
use tenfold_core::train::optim::{OptimizerConfig, OptimizerKind, clip_grad_norm};
use tenfold_core::{Result, weights};

/// The agent.
pub struct Dqn {
    config: DqnConfig,
    spec: Spec,
    device: Device,
    network: QNetwork,
    /// The network of the last steps without gradients, to act by.
    acting: QNetwork,
    target: QNetwork,
    optimizer: ModuleOptimizer,
    replay: Option<Replay>,
    random: Random,
}

impl Dqn {
    /// An agent that has seen nothing.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(config: DqnConfig, spec: &Spec, seed: u64, device: &Device) -> Result<Self> {
        let heads = QHeads {
            dueling: config.dueling,
            noisy: config.noisy.then_some(config.sigma),
            atoms: if config.categorical { config.atoms } else { 1 },
        };
        let network = seeded(seed, device, |autodiff_device| {
            QNetwork::new(&config.body, spec, heads, autodiff_device)
        });
        let optimizer = OptimizerConfig::new(OptimizerKind::Adam).build()?;
        Ok(Self {
            acting: network.valid(),
            target: network.valid(),
            network,
            optimizer,
            replay: None,
            random: Random::keyed(&[seed, 1]),
            config,
            spec: spec.clone(),
            device: device.clone(),
        })
    }

    /// Some actions at random, the others by the network.
    fn act(&mut self, envs: &dyn VectorEnv, epsilon: f32) -> Result<Vec<usize>> {
        let (rows, count) = (envs.rows(), self.spec.actions.len());
        let mut actions: Vec<Option<usize>> = vec![None; rows];
        if epsilon > 0.0 {
            for action in &mut actions {
                *action = (self.random.unit() < epsilon).then(|| self.random.below(count));
            }
        }
        if actions.iter().any(Option::is_none) {
            let noise = self.config.noisy.then_some(&mut self.random);
            let reader = self.config.body.reader(&self.spec);
            let x = reader.tensor(envs.observations(), rows, &self.device);
            let values = self.config.values(self.acting.forward(x, noise));
            for (action, values) in actions.iter_mut().zip(values.chunks_exact(count)) {
                action.get_or_insert_with(|| best(values));
            }
        }
        Ok(actions.into_iter().flatten().collect())
    }

    /// One step of the optimiser on a batch from memory.
    fn learn(&mut self, log: &mut Log) -> Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        let (config, size) = (&self.config, self.config.batch_size);
        let beta = 0.4 + 0.6 * log.part(); // Schaul et al., table 3
        let batch = replay.sample(size, beta, &mut self.random)?;
        let mut noise = config.noisy.then(|| Random::new(self.random.bits()));

        // The value of what comes next, by the target network.
        let reader = config.body.reader(&self.spec);
        let next = matrix(reader.rescaled(batch.next), size, &self.device);
        let valued = self.target.forward(next.clone(), noise.as_mut());
        let chosen = match config.double {
            true => config.values(self.acting.forward(next, noise.as_mut())),
            false => config.values(valued.clone()),
        };
        let count = self.spec.actions.len();
        let chosen: Vec<usize> = chosen.chunks_exact(count).map(best).collect();

        // The loss of what was done.
        let autodiff_device =
            self.network.devices().into_iter().next().unwrap_or(self.device.clone());
        let x = matrix(reader.rescaled(batch.observations), size, &autodiff_device);
        let [_, _, atoms] = valued.dims();
        let actions = TensorData::new(batch.actions, [size, 1, 1]);
        let actions = Tensor::<3, Int>::from_data(actions, &autodiff_device).repeat_dim(2, atoms);
        let done = self.network.forward(x, noise.as_mut()).gather(1, actions); // [B, 1, N]
        let weights = vector(batch.weights, &autodiff_device);
        let (errors, loss) = if config.categorical {
            let mut next = elements(valued);
            softmax(&mut next, atoms);
            let next = next.chunks_exact(atoms * count).zip(&chosen);
            let next: Vec<f32> = next
                .flat_map(|(row, &action)| row[action * atoms..(action + 1) * atoms].to_vec())
                .collect();
            let wanted = project(&next, &batch.returns, &batch.discounts, atoms, config.support);
            let entropy =
                |p: &[f32]| -p.iter().map(|p| p * p.max(f32::MIN_POSITIVE).ln()).sum::<f32>();
            let entropies = wanted.chunks_exact(atoms).map(entropy).collect();
            let wanted = matrix(wanted, size, &autodiff_device);
            let logs = log_softmax(done.reshape([size, atoms]), 1);
            // The Kullback-Leibler divergence, which is 0 where there is nothing left to learn.
            let errors = -(wanted * logs).sum_dim(1).squeeze_dim::<1>(1);
            let errors = errors - vector(entropies, &autodiff_device);
            let loss = (errors.clone() * weights).mean();
            (errors, loss)
        } else {
            let next = elements(valued);
            let values = next.chunks_exact(count).zip(&chosen).map(|(row, &action)| row[action]);
            let wanted = values.zip(&batch.returns).zip(&batch.discounts);
            let wanted = wanted.map(|((value, sum), discount)| sum + discount * value).collect();
            let errors = done.reshape([size]) - vector(wanted, &autodiff_device);
            let size = errors.clone().abs();
            let cut = size.clone().clamp_max(1.0);
            let huber = cut.clone().square() * 0.5 + size - cut;
            (errors, (huber * weights).mean())
        };
        log.loss(elements(loss.clone())[0])?;
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let gradients = match config.clip_norm > 0.0 {
            true => clip_grad_norm(&self.network, gradients, config.clip_norm),
            false => gradients,
        };
        let rate = if config.anneal { config.lr * (1.0 - log.part()) } else { config.lr };
        self.network = self.optimizer.step(rate, self.network.clone(), gradients);
        if config.prioritised {
            replay.update(&batch.places, &elements(errors.inner()));
        }
        self.acting = self.network.valid();
        if log.updates.is_multiple_of(config.target_every) {
            self.target = match config.tau {
                1.0 => self.acting.clone(),
                tau => towards(&self.target, &self.acting, tau),
            };
        }
        Ok(())
    }
}

impl DqnConfig {
    /// The values of actions `[rows * actions]` from what the network says, `[rows, A, N]`.
    fn values(&self, said: Tensor<3>) -> Vec<f32> {
        let [.., atoms] = said.dims();
        let mut said = elements(said);
        if atoms == 1 {
            return said;
        }
        softmax(&mut said, atoms);
        let [low, high] = self.support;
        let gap = (high - low) / (atoms - 1) as f32;
        let mean = |p: &[f32]| p.iter().enumerate().map(|(i, p)| p * (low + gap * i as f32)).sum();
        said.chunks_exact(atoms).map(mean).collect()
    }
}

impl Agent for Dqn {
    fn turn(&mut self, envs: &mut [Box<dyn VectorEnv>], log: &mut Log) -> Result<()> {
        let envs = &mut *envs[0];
        let config = &self.config;
        if self.replay.is_none() {
            let mut replay = config.memory(&self.spec, envs.rows())?;
            replay.begin(envs);
            self.replay = Some(replay);
        }
        // Act: at random while there is nothing to go by.
        let waiting = log.step < config.learning_starts;
        let epsilon = match (waiting, config.noisy) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            (false, false) => config.epsilon_at(log.part()),
        };
        let actions = self.act(envs, epsilon)?;
        step(envs, &actions)?;
        // Remember.
        let replay = self.replay.iter_mut();
        replay.for_each(|replay| replay.record(&actions, envs));
        log.ended(envs.episodes());
        // Learn, once for every so many steps.
        let before = log.step;
        log.step += actions.len() as u64;
        let held = self.replay.as_ref().map_or(0, Replay::len);
        if log.step >= self.config.learning_starts && held >= 2 * self.config.batch_size {
            for _ in before / self.config.train_every..log.step / self.config.train_every {
                self.learn(log)?;
            }
        }
        Ok(())
    }

    fn parameters(&self) -> usize {
        self.network.num_params()
    }

    fn player(&self) -> Box<dyn Player> {
        Box::new(QPlayer {
            network: self.acting.clone(),
            config: self.config.clone(),
            reader: self.config.body.reader(&self.spec),
            device: self.device.clone(),
        })
    }

    fn value(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
        let scores = self.player().scores(observations, rows)?;
        let rows = scores.chunks_exact(self.spec.actions.len());
        Ok(rows.map(|row| row[best(row)]).collect())
    }

    fn load_weights(&mut self, path: &Path) -> Result<()> {
        weights::load(&mut self.acting, path, &weights::LoadOptions::default()).map(|_| ())
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        parts.module("network", &mut self.network)?;
        parts.optimizer("optimizer", &mut self.optimizer)?;
        parts.module("target", &mut self.target)?;
        parts.value("random", &mut self.random)?;
        let mut rows = self.replay.as_ref().map_or(0, Replay::rows);
        parts.value("rows", &mut rows)?;
        if rows > 0 {
            let mut replay = match self.replay.take() {
                Some(replay) => replay,
                None => self.config.memory(&self.spec, rows)?,
            };
            let saved = replay.save();
            parts.raw("replay", || saved, |bytes| replay.restore(&bytes))?;
            self.replay = Some(replay);
        }
        self.acting = self.network.valid();
        Ok(())
    }
}

impl DqnConfig {
    fn memory(&self, spec: &Spec, rows: usize) -> Result<Replay> {
        let priority = self.prioritised.then_some(Priority { alpha: 0.5 }); // Hessel et al.
        let Self { replay: capacity, n_step, gamma, .. } = *self;
        let stack = frames(spec);
        Replay::new(spec, Memory { rows, capacity, stack, n_step, gamma, priority })
    }
}

struct QPlayer {
    network: QNetwork,
    config: DqnConfig,
    reader: Reader,
    device: Device,
}

impl Player for QPlayer {
    fn scores(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
        let x = self.reader.tensor(observations, rows, &self.device);
        Ok(self.config.values(self.network.forward(x, None)))
    }

    fn meaning(&self) -> Meaning {
        Meaning::Value
    }

    fn save(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        weights::save(&self.network, path, metadata)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        weights::load(&mut self.network, path, &weights::LoadOptions::default()).map(|_| ())
    }
}
