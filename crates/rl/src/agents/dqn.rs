//! DQN (Mnih et al.: "Human-level control through deep reinforcement learning", Nature, 2015)
//! with the six improvements that Hessel et al. put together as "Rainbow" (2018,
//! arXiv:1710.02298), each a switch of [`DqnConfig`].
//!
//! Differs from the paper:
//! - The loss is Huber's on the error of the value (the paper: the gradient cut to -1..1, which
//!   is the same), the optimiser Adam with a rate of 2.5e-4 or 1e-3 (RMSprop, 2.5e-4), as in
//!   later work.
//! - An episode that is cut off at a time limit is bootstrapped (the paper knows no limits).
//! - For vectors: a perceptron, and a memory, batches and rates that suit such worlds.

use super::{Agent, Log, Meaning, Parts, Player, best, require, softmax, step};
use crate::env::{Observations, Random, Spec, Worlds};
use crate::networks::{BodyConfig, QHeads, QNetwork, elements, matrix, seeded, vector};
use crate::reader::Reader;
use crate::replay::{Memory, Priority, Replay, frames};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::train::optim::{OptimizerConfig, OptimizerKind, clip_grad_norm};
use tenfold_core::{Result, weights};

/// DQN's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DqnConfig {
    /// The layers of the network.
    pub body: BodyConfig,
    /// Learning rate of Adam.
    pub lr: f64,
    /// Discount of a reward one step later.
    pub gamma: f32,
    /// Steps in a batch.
    pub batch_size: usize,
    /// Steps in the replay memory.
    pub replay: usize,
    /// Steps before learning begins.
    pub learning_starts: u64,
    /// Steps of the worlds from one step of the optimiser to the next.
    pub train_every: u64,
    /// Steps of the optimiser from one copy into the target network to the next.
    pub target_every: u64,
    /// Probability of a random action at the end of its decline from 1.
    pub epsilon: f32,
    /// Part of the training in which it declines.
    pub exploration: f64,
    /// The norm that gradients are cut to.
    pub clip_norm: f32,
    /// The network chooses the next action, the target network values it (van Hasselt et al.:
    /// "Deep reinforcement learning with double Q-learning", 2016, arXiv:1509.06461).
    pub double: bool,
    /// See [`QHeads::dueling`].
    pub dueling: bool,
    /// Steps are drawn in proportion to their last error (arXiv:1511.05952).
    pub prioritised: bool,
    /// Rewards summed before the value of what follows (Sutton, 1988).
    pub n_step: usize,
    /// Noisy layers explore in place of random actions (arXiv:1706.10295).
    pub noisy: bool,
    /// The deviation that noisy weights begin with, over the root of their layer's inputs. With
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

/// What runs from before the setting had.
fn published_sigma() -> f32 {
    0.5
}

impl DqnConfig {
    /// What suits a world.
    pub fn new(spec: &Spec) -> Self {
        let vectors = Self {
            body: BodyConfig::new(spec, &[120, 84]),
            lr: 1e-3,
            // CartPole never ends for who balances; nine of ten seeds solve it with this, eight
            // with 0.99.
            gamma: 0.98,
            batch_size: 64,
            replay: 50_000,
            learning_starts: 1000,
            train_every: 2,
            target_every: 100,
            epsilon: 0.04,
            exploration: 0.16,
            clip_norm: 10.0,
            double: false,
            dueling: false,
            prioritised: false,
            n_step: 1,
            noisy: false,
            sigma: 0.1,
            categorical: false,
            atoms: 51,
            support: [0.0, 100.0],
        };
        match spec.observation[..] {
            [_, height, width] if height.min(width) >= 36 => Self {
                lr: 1e-4,
                gamma: 0.99,
                batch_size: 32,
                replay: 100_000,
                learning_starts: 20_000,
                train_every: 4,
                target_every: 250,
                epsilon: 0.01,
                exploration: 0.1,
                support: [-10.0, 10.0],
                ..vectors
            },
            [_, _, _] => Self {
                lr: 2.5e-4,
                gamma: 0.99,
                batch_size: 32,
                replay: 100_000,
                learning_starts: 5000,
                train_every: 1,
                target_every: 1000,
                epsilon: 0.1,
                exploration: 0.1,
                ..vectors
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
        require((0.0..=1.0).contains(&self.epsilon), "epsilon", "0 to 1")?;
        require((0.0..=1.0).contains(&self.exploration), "exploration", "0 to 1")?;
        require((1..=100).contains(&self.n_step), "n_step", "1 to 100")?;
        require(self.sigma >= 0.0 && self.sigma.is_finite(), "sigma", "0 or above")?;
        require((2..=1000).contains(&self.atoms), "atoms", "2 to 1000")?;
        let [low, high] = self.support;
        require(low < high && low.is_finite() && high.is_finite(), "support", "[low, high]")
    }

    /// A probability that declines in a straight line.
    fn epsilon_at(&self, part: f64) -> f32 {
        let done = (part / self.exploration.max(1e-9)).min(1.0) as f32;
        1.0 + (self.epsilon - 1.0) * done
    }
}

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
        let network = seeded(seed, device, |tape| QNetwork::new(&config.body, spec, heads, tape));
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
    fn act(&mut self, worlds: &dyn Worlds, epsilon: f32) -> Result<Vec<usize>> {
        let (rows, count) = (worlds.rows(), self.spec.actions.len());
        let mut actions: Vec<Option<usize>> = vec![None; rows];
        if epsilon > 0.0 {
            for action in &mut actions {
                *action = (self.random.unit() < epsilon).then(|| self.random.below(count));
            }
        }
        if actions.iter().any(Option::is_none) {
            let noise = self.config.noisy.then_some(&mut self.random);
            let reader = self.config.body.reader(&self.spec);
            let x = reader.tensor(worlds.observations(), rows, &self.device);
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
        let tape = self.network.devices().into_iter().next().unwrap_or(self.device.clone());
        let x = matrix(reader.rescaled(batch.observations), size, &tape);
        let [_, _, atoms] = valued.dims();
        let actions = TensorData::new(batch.actions, [size, 1, 1]);
        let actions = Tensor::<3, Int>::from_data(actions, &tape).repeat_dim(2, atoms);
        let done = self.network.forward(x, noise.as_mut()).gather(1, actions); // [B, 1, N]
        let weights = vector(batch.weights, &tape);
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
            let wanted = matrix(wanted, size, &tape);
            let logs = log_softmax(done.reshape([size, atoms]), 1);
            // The Kullback-Leibler divergence, which is 0 where there is nothing left to learn.
            let errors = -(wanted * logs).sum_dim(1).squeeze_dim::<1>(1);
            let errors = errors - vector(entropies, &tape);
            let loss = (errors.clone() * weights).mean();
            (errors, loss)
        } else {
            let next = elements(valued);
            let values = next.chunks_exact(count).zip(&chosen).map(|(row, &action)| row[action]);
            let wanted = values.zip(&batch.returns).zip(&batch.discounts);
            let wanted = wanted.map(|((value, sum), discount)| sum + discount * value).collect();
            let errors = done.reshape([size]) - vector(wanted, &tape);
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
        self.network = self.optimizer.step(config.lr, self.network.clone(), gradients);
        if config.prioritised {
            replay.update(&batch.places, &elements(errors.inner()));
        }
        self.acting = self.network.valid();
        if log.updates.is_multiple_of(config.target_every) {
            self.target = self.acting.clone();
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

/// What distributions over the same atoms become when each return is scaled by a discount and
/// moved by a sum of rewards: mass that falls between two atoms is shared by nearness
/// (arXiv:1707.06887, algorithm 1). `[B, N]` from `[B, N]`, `[B]` and `[B]`.
fn project(
    next: &[f32],
    returns: &[f32],
    discounts: &[f32],
    atoms: usize,
    [low, high]: [f32; 2],
) -> Vec<f32> {
    let gap = (high - low) / (atoms - 1) as f32;
    let mut out = vec![0.0; next.len()];
    let rows = next.chunks_exact(atoms).zip(out.chunks_exact_mut(atoms));
    for ((from, into), (sum, discount)) in rows.zip(returns.iter().zip(discounts)) {
        for (atom, mass) in from.iter().enumerate() {
            let value = (sum + discount * (low + gap * atom as f32)).clamp(low, high);
            let place = ((value - low) / gap).clamp(0.0, (atoms - 1) as f32);
            let below = place.floor();
            let share = place - below;
            into[below as usize] += mass * (1.0 - share);
            into[place.ceil() as usize] += mass * share;
        }
    }
    out
}

impl Agent for Dqn {
    fn turn(&mut self, worlds: &mut [Box<dyn Worlds>], log: &mut Log) -> Result<()> {
        let worlds = &mut *worlds[0];
        let config = &self.config;
        if self.replay.is_none() {
            let mut replay = config.memory(&self.spec, worlds.rows())?;
            replay.begin(worlds);
            self.replay = Some(replay);
        }
        // Act: at random while there is nothing to go by.
        let waiting = log.step < config.learning_starts;
        let epsilon = match (waiting, config.noisy) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            (false, false) => config.epsilon_at(log.part()),
        };
        let actions = self.act(worlds, epsilon)?;
        step(worlds, &actions)?;
        // Remember.
        let replay = self.replay.iter_mut();
        replay.for_each(|replay| replay.record(&actions, worlds));
        log.ended(worlds.episodes());
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

    fn save_weights(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        weights::save(&self.acting, path, metadata)
    }

    fn load_weights(&mut self, path: &Path) -> Result<()> {
        weights::load(&mut self.acting, path, &weights::LoadOptions::default()).map(|_| ())
    }

    fn save(&self) -> Result<Parts> {
        let mut parts = Parts::new();
        super::pack_training(&mut parts, &self.network, &self.optimizer)?;
        parts.insert("target".into(), super::pack_network(&self.target)?);
        parts.insert("random".into(), super::pack(&self.random)?);
        if let Some(replay) = &self.replay {
            parts.insert("rows".into(), super::pack(&replay.rows())?);
            parts.insert("replay".into(), replay.save()?);
        }
        Ok(parts)
    }

    fn restore(&mut self, parts: &Parts) -> Result<()> {
        self.network = super::unpack_network(parts, "network", self.network.clone())?;
        self.target = super::unpack_network(parts, "target", self.target.clone())?;
        self.optimizer = super::unpack_optimizer(parts, self.optimizer.clone())?;
        self.acting = self.network.valid();
        self.random = super::unpack(parts, "random")?;
        if parts.contains_key("replay") {
            let mut replay = self.config.memory(&self.spec, super::unpack(parts, "rows")?)?;
            replay.restore(super::part(parts, "replay")?)?;
            self.replay = Some(replay);
        }
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
    fn scores(&mut self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
        let x = self.reader.tensor(observations, rows, &self.device);
        Ok(self.config.values(self.network.forward(x, None)))
    }

    fn meaning(&self) -> Meaning {
        Meaning::Value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the definition: atom `i` receives mass by a triangle around it.
        #[test]
        fn projection_is_that_of_the_definition(
            (mass, sum, discount) in
                (prop::collection::vec(0.0f32..1.0, 6), -3.0f32..3.0, 0.0f32..1.0)
        ) {
            let (support, atoms) = ([-1.0, 1.5], 6);
            let gap = 0.5;
            let got = project(&mass, &[sum], &[discount], atoms, support);
            for (i, got) in got.iter().enumerate() {
                let here = -1.0 + gap * i as f32;
                let expected: f32 = mass.iter().enumerate().map(|(j, mass)| {
                    let moved = (sum + discount * (-1.0 + gap * j as f32)).clamp(-1.0, 1.5);
                    mass * (1.0 - (moved - here).abs() / gap).clamp(0.0, 1.0)
                }).sum();
                prop_assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
            }
        }
    }
}
