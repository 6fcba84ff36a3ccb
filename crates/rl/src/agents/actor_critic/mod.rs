//! A2C, A3C and PPO: a policy and a value, learnt from short rollouts of many games.
//!
//! Mnih et al.: "Asynchronous methods for deep reinforcement learning", 2016 (arXiv:1602.01783);
//! Schulman et al.: "Proximal policy optimization algorithms", 2017 (arXiv:1707.06347), with
//! advantages as in Schulman et al., 2016 (arXiv:1506.02438), equation 16.
//!
//! - A2C: all games take some steps, then the network learns from them once.
//! - A3C: actor threads play while the network learns from what they did before, in one batch,
//!   as in GA3C (Babaeizadeh et al., 2017, arXiv:1611.06256) and ELF (Tian et al., 2017,
//!   arXiv:1707.01067). The actors play by the network of one round before, which makes what
//!   is learnt independent of the threads' timing.
//! - A3C with `asynchronous`: the classic form, in which every actor computes gradients by
//!   itself and applies them to the shared network; no two runs are alike.
//! - PPO: A2C's loop, with several passes in minibatches over each rollout, and steps of the
//!   policy that are cut off beyond `clip`.
//!
//! All may begin by imitating the environment's demonstrator, whose choices are an aim beside the
//! reward that fades (`imitation`; Schmitt et al.: "Kickstarting deep reinforcement learning",
//! 2018, arXiv:1803.03835).
//!
//! Where players see less than there is, a critic with layers of its own may see all of it while
//! it learns (`asymmetric`; Pinto et al.: "Asymmetric actor critic for image-based robot
//! learning", 2018, arXiv:1710.06542): it knows why something came out as it did, and the policy
//! is not blamed for what it could not know.
//!
//! Differs from the papers: Adam throughout (A3C: a shared RMSprop), and time limits are
//! bootstrapped.

mod config;
mod loss;
mod rollout;

pub use config::ActorCriticConfig;

use super::policy::PolicyPlayer;
use super::{Agent, Log, Player};
use crate::env::{Observations, Random, Spec, VectorEnv};
use crate::networks::{ActorCritic, seeded};
use crate::reader::Shown;
use crate::tensors::{elements, indices};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use rollout::{Rollout, Seen, explained_variance};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tenfold_core::train::Parts;
use tenfold_core::train::optim::{OptimizerConfig, OptimizerKind};
use tenfold_core::{Error, Result, weights};

/// Actors' games, and the random numbers they choose by.
type Group<'a> = (&'a mut Box<dyn VectorEnv>, &'a mut Random);

/// The agent.
pub struct ActorCriticAgent {
    config: ActorCriticConfig,
    spec: Spec,
    device: Device,
    network: ActorCritic,
    optimizer: ModuleOptimizer,
    /// For the actors of each group of games.
    randoms: Vec<Random>,
    /// For the order of minibatches.
    random: Random,
    /// A3C: what the actors did in the last round, not yet learnt from.
    waiting: Vec<Rollout>,
}

impl ActorCriticAgent {
    /// An agent that has seen nothing.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(config: ActorCriticConfig, spec: &Spec, seed: u64, device: &Device) -> Result<Self> {
        let network = seeded(seed, device, |autodiff_device| {
            ActorCritic::new(&config.body, spec, config.shared, autodiff_device)
        });
        let optimizer = OptimizerConfig { eps: 1e-5, ..OptimizerConfig::new(OptimizerKind::Adam) };
        let groups = config.actors.max(1) as u64;
        Ok(Self {
            optimizer: optimizer.build()?,
            randoms: (0..groups).map(|group| Random::keyed(&[seed, 2, group])).collect(),
            random: Random::keyed(&[seed, 1]),
            waiting: Vec::new(),
            network,
            config,
            spec: spec.clone(),
            device: device.clone(),
        })
    }

    /// Learns from rollouts: one step of the optimiser, or PPO's passes.
    fn learn(&mut self, rollouts: &[Rollout], log: &mut Log) -> Result<()> {
        let config = &self.config;
        let rate = if config.anneal { config.lr * (1.0 - log.part()) } else { config.lr };
        let imitation = config.imitation_weight(log.part());
        let joined;
        let rollout = match rollouts {
            [one] => one,
            several => {
                joined = Rollout::joined(several);
                &joined
            }
        };
        log.add("explained_variance", explained_variance(&rollout.advantages, &rollout.returns));
        let size = rollout.actions.len();
        let autodiff_device = self.device.clone().autodiff();
        // What was seen goes to the device once, and minibatches are taken from it there.
        let seen = rollout.observations.on(size, &autodiff_device);
        let full_observations =
            config.asymmetric.then(|| rollout.full_observations.on(size, &autodiff_device));
        let mut order: Vec<usize> = (0..size).collect();
        for _ in 0..config.epochs {
            if config.minibatches > 1 {
                self.random.shuffle(&mut order);
            }
            for places in order.chunks(size.div_ceil(config.minibatches)) {
                let whole = places.len() == size;
                let taken = (!whole).then(|| rollout.take(places));
                let batch = taken.as_ref().unwrap_or(rollout);
                let some = |all: &Shown| match whole {
                    true => all.clone().scaled(self.spec.scale),
                    false => all.rows(indices(places, &autodiff_device)).scaled(self.spec.scale),
                };
                let (seen, shown) = (some(&seen), full_observations.as_ref().map(some));
                let gradients =
                    config.gradients(&self.network, batch, seen, shown, imitation, log)?;
                self.network = self.optimizer.step(rate, self.network.clone(), gradients);
            }
        }
        Ok(())
    }

    /// The classic form: every actor plays, learns by itself, and changes the shared network.
    fn asynchronous(&mut self, groups: Vec<Group<'_>>, log: &mut Log) -> Result<()> {
        let (config, spec, device) = (&self.config, &self.spec, &self.device);
        let rate = if config.anneal { config.lr * (1.0 - log.part()) } else { config.lr };
        let imitation = config.imitation_weight(log.part());
        let shared = Mutex::new((self.network.clone(), self.optimizer.clone(), log));
        let results: Vec<Result<()>> = std::thread::scope(|scope| {
            let shared = &shared;
            let actor = move |(envs, random): Group<'_>| {
                let locked = || shared.lock().unwrap_or_else(PoisonError::into_inner);
                // Leaves of its own: two threads that go back through one graph of Burn 0.22.1
                // can wait for each other for ever.
                let network = locked().0.valid().train();
                let rollout =
                    config.play(&network.valid(), spec, imitation, &mut **envs, random, device)?;
                let (size, autodiff_device) = (rollout.actions.len(), device.clone().autodiff());
                let all = |seen: &Seen| seen.on(size, &autodiff_device).scaled(spec.scale);
                let shown = config.asymmetric.then(|| all(&rollout.full_observations));
                let (seen, mut found) = (all(&rollout.observations), Log::default());
                let gradients =
                    config.gradients(&network, &rollout, seen, shown, imitation, &mut found)?;
                let mut shared = locked();
                let changed = shared.0.clone();
                shared.0 = shared.1.step(rate, changed, gradients);
                shared.2.step += rollout.actions.len() as u64;
                shared.2.updates += 1;
                shared.2.ended(&rollout.episodes);
                found.sums.iter().for_each(|(name, sum)| shared.2.add(name, sum.0 as f32));
                Ok(())
            };
            let threads: Vec<_> =
                groups.into_iter().map(|group| scope.spawn(move || actor(group))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| crashed())).collect()
        });
        let (network, optimizer, _) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.network, self.optimizer) = (network, optimizer);
        results.into_iter().collect()
    }
}

fn crashed<T>() -> Result<T> {
    Err(Error::Training("an actor thread crashed".into()))
}

impl Agent for ActorCriticAgent {
    fn turn(&mut self, envs: &mut [Box<dyn VectorEnv>], log: &mut Log) -> Result<()> {
        let mut randoms = std::mem::take(&mut self.randoms);
        let groups: Vec<Group<'_>> = envs.iter_mut().zip(&mut randoms).collect();
        let outcome = if self.config.asynchronous {
            self.asynchronous(groups, log)
        } else {
            let network = self.network.valid();
            let (config, spec, device) = (self.config.clone(), self.spec.clone(), &self.device);
            let (device, imitation) = (device.clone(), config.imitation_weight(log.part()));
            let play = &|(envs, random): Group<'_>| {
                config.play(&network, &spec, imitation, &mut **envs, random, &device)
            };
            let played: Result<Vec<Rollout>> = if config.actors == 0 {
                groups.into_iter().map(play).collect()
            } else {
                // While the actors play, the network learns from what they did before.
                let before = std::mem::take(&mut self.waiting);
                std::thread::scope(|scope| {
                    let threads: Vec<_> =
                        groups.into_iter().map(|group| scope.spawn(move || play(group))).collect();
                    let learnt = if before.is_empty() { Ok(()) } else { self.learn(&before, log) };
                    let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Rollout>>| {
                        thread.join().unwrap_or_else(|_| crashed())
                    };
                    let played: Result<Vec<Rollout>> = threads.into_iter().map(join).collect();
                    learnt.and(played)
                })
            };
            played.and_then(|played| {
                for rollout in &played {
                    log.step += rollout.actions.len() as u64;
                    log.ended(&rollout.episodes);
                }
                if self.config.actors > 0 {
                    self.waiting = played;
                    return Ok(());
                }
                self.learn(&played, log)
            })
        };
        self.randoms = randoms;
        outcome
    }

    fn parameters(&self) -> usize {
        self.network.num_params()
    }

    fn player(&self) -> Box<dyn Player> {
        let (reader, device) = (self.config.body.reader(&self.spec), self.device.clone());
        let count = self.spec.actions.len();
        Box::new(PolicyPlayer { network: self.network.valid(), reader, count, device })
    }

    fn value(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
        let reader = self.config.body.reader(&self.spec);
        let x = reader.tensor(observations, rows, &self.device);
        Ok(elements(self.network.valid().values(x)))
    }

    fn load_weights(&mut self, path: &Path) -> Result<()> {
        weights::load(&mut self.network, path, &weights::LoadOptions::default()).map(|_| ())
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        parts.module("network", &mut self.network)?;
        parts.optimizer("optimizer", &mut self.optimizer)?;
        parts.value("random", &mut self.random)?;
        parts.value("randoms", &mut self.randoms)?;
        parts.value("waiting", &mut self.waiting)
    }
}
