//! A2C, A3C and PPO: a policy and a value, learnt from short stretches of many games.
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
//! - PPO: A2C's loop, with several passes in minibatches over each stretch, and steps of the
//!   policy that are cut off beyond `clip`.
//!
//! All may begin as pupils of the world's scripted player, whose choices are an aim beside the
//! reward that fades (`teach`; Schmitt et al.: "Kickstarting deep reinforcement learning", 2018,
//! arXiv:1803.03835).
//!
//! Where players see less than there is, a critic with layers of its own may see all of it while
//! it learns (`asymmetric`; Pinto et al.: "Asymmetric actor critic for image-based robot
//! learning", 2018, arXiv:1710.06542): it knows why something came out as it did, and the policy
//! is not blamed for what it could not know.
//!
//! Differs from the papers: Adam throughout (A3C: a shared RMSprop), and time limits are
//! bootstrapped.

use super::stretch::{Seen, Stretch};
use super::{Agent, Log, Meaning, Parts, Player, draw, require, softmax, step};
use crate::env::{Observations, Random, Spec, Worlds};
use crate::networks::{
    ActorCritic, BodyConfig, elements, indices, matrix, seeded, small_planes, vector,
};
use crate::reader::{Reader, Shown};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tenfold_core::train::optim::{OptimizerConfig, OptimizerKind, clip_grad_norm};
use tenfold_core::{Error, Result, weights};

/// Settings of A2C, A3C and PPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorCriticConfig {
    /// The layers of the network.
    pub body: BodyConfig,
    /// Whether policy and value read the same layers.
    pub shared: bool,
    /// Whether the value is judged by what is hidden from the policy, too: needs a world that
    /// hides something, and `shared` false. Nothing that plays needs it.
    #[serde(default)]
    pub asymmetric: bool,
    /// Learning rate of Adam at the beginning.
    pub lr: f64,
    /// Whether it falls to zero in a straight line.
    pub anneal: bool,
    /// Discount of a reward one step later.
    pub gamma: f32,
    /// How far advantages look ahead: 0 one step, 1 to the end of the stretch.
    pub lambda: f32,
    /// Steps of each game in a stretch.
    pub horizon: usize,
    /// Weight of the policy's entropy.
    pub entropy: f32,
    /// Weight of the value's loss.
    pub value: f32,
    /// Weight at the beginning of the cross-entropy with what the world's scripted player would
    /// do; it falls to zero in a straight line until half of the training.
    #[serde(default)]
    pub teach: f32,
    /// Whether the advantages of a batch are brought to mean 0 and deviation 1.
    pub normalise: bool,
    /// The norm that gradients are cut to.
    pub clip_norm: f32,
    /// PPO: how far the probability of an action may move, as a part of it; 0 for A2C and A3C.
    pub clip: f32,
    /// PPO: passes over each stretch.
    pub epochs: usize,
    /// PPO: parts that a stretch is divided into.
    pub minibatches: usize,
    /// A3C: groups of games, each played by a thread of its own while the network learns.
    pub actors: usize,
    /// A3C: whether every actor learns by itself.
    pub asynchronous: bool,
}

impl ActorCriticConfig {
    /// A2C for a world.
    pub fn a2c(spec: &Spec) -> Self {
        let vectors = spec.observation.len() == 1;
        Self {
            body: BodyConfig::new(spec, &[64, 64]),
            shared: !vectors,
            asymmetric: false,
            lr: if vectors { 2e-3 } else { 1e-3 },
            anneal: true,
            // CartPole's values stay small with 0.98; all of ten seeds solve it.
            gamma: if vectors { 0.98 } else { 0.99 },
            lambda: 0.95,
            horizon: if vectors { 32 } else { 20 },
            entropy: 0.01,
            value: 0.5,
            teach: 0.0,
            normalise: vectors,
            clip_norm: 0.5,
            clip: 0.0,
            epochs: 1,
            minibatches: 1,
            actors: 0,
            asynchronous: false,
        }
    }

    /// A3C for a world.
    pub fn a3c(spec: &Spec) -> Self {
        Self { actors: 2, ..Self::a2c(spec) }
    }

    /// PPO for a world.
    pub fn ppo(spec: &Spec) -> Self {
        let a2c = Self::a2c(spec);
        let ppo = Self { clip: 0.2, epochs: 4, minibatches: 4, normalise: true, lr: 1e-3, ..a2c };
        match small_planes(spec) {
            // MiniRTS; in miniature Breakout a perceptron stays at 6 after 2 M steps at 1e-3, and has
            // 23 after 1 M at 5e-3.
            true if ppo.body.convs.is_empty() => {
                Self { horizon: 128, minibatches: 8, lr: 5e-3, ..ppo }
            }
            true => Self { horizon: 128, minibatches: 16, ..ppo },
            false if spec.observation.len() == 1 => Self { horizon: 32, ..ppo },
            false => Self { horizon: 64, ..ppo },
        }
    }

    /// What is wrong with the settings, if anything is.
    pub fn check(&self, spec: &Spec) -> Result<(), String> {
        self.body.check(spec)?;
        let parts = [("gamma", self.gamma), ("lambda", self.lambda)];
        for (field, part) in parts {
            require((0.0..=1.0).contains(&part), field, "0 to 1")?;
        }
        for (field, weight) in
            [("entropy", self.entropy), ("value", self.value), ("teach", self.teach)]
        {
            require(weight >= 0.0 && weight.is_finite(), field, "0 or above")?;
        }
        let alone = format!("0, as {} has no scripted player to learn from", spec.name);
        require(self.teach == 0.0 || spec.coached, "teach", &alone)?;
        let open = format!("false, as {} hides nothing", spec.name);
        // What comes after a time limit is not kept unveiled.
        let hides = spec.veiled && spec.time_limit.is_none();
        require(!self.asymmetric || hides, "asymmetric", &open)?;
        require(!self.asymmetric || !self.shared, "asymmetric", "shared to be false")?;
        require(self.clip >= 0.0 && self.clip < 1.0, "clip", "0 up to 1")?;
        require((1..=100_000).contains(&self.horizon), "horizon", "1 to 100000")?;
        require((1..=1000).contains(&self.epochs), "epochs", "1 to 1000")?;
        require((1..=100_000).contains(&self.minibatches), "minibatches", "1 to 100000")?;
        require(self.actors <= 256, "actors", "at most 256")?;
        require(!self.asynchronous || self.actors > 0, "asynchronous", "actors above 0")
    }
}

/// Actors' games, and the random numbers they choose by.
type Group<'a> = (&'a mut Box<dyn Worlds>, &'a mut Random);

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
    waiting: Vec<Stretch>,
}

impl ActorCriticAgent {
    /// An agent that has seen nothing.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(config: ActorCriticConfig, spec: &Spec, seed: u64, device: &Device) -> Result<Self> {
        let network =
            seeded(seed, device, |tape| ActorCritic::new(&config.body, spec, config.shared, tape));
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

    /// Learns from stretches: one step of the optimiser, or PPO's passes.
    fn learn(&mut self, stretches: &[Stretch], log: &mut Log) -> Result<()> {
        let config = &self.config;
        let rate = if config.anneal { config.lr * (1.0 - log.part()) } else { config.lr };
        let teach = config.teaches(log.part());
        let joined;
        let stretch = match stretches {
            [one] => one,
            several => {
                joined = Stretch::joined(several);
                &joined
            }
        };
        log.add("explained_variance", explained_variance(&stretch.advantages, &stretch.returns));
        let size = stretch.actions.len();
        let tape = self.device.clone().autodiff();
        // What was seen goes to the device once, and minibatches are taken from it there.
        let seen = stretch.observations.on(size, &tape);
        let unveiled = config.asymmetric.then(|| stretch.unveiled.on(size, &tape));
        let mut order: Vec<usize> = (0..size).collect();
        for _ in 0..config.epochs {
            if config.minibatches > 1 {
                self.random.shuffle(&mut order);
            }
            for places in order.chunks(size.div_ceil(config.minibatches)) {
                let whole = places.len() == size;
                let taken = (!whole).then(|| stretch.take(places));
                let batch = taken.as_ref().unwrap_or(stretch);
                let some = |all: &Shown| match whole {
                    true => all.clone().scaled(self.spec.scale),
                    false => all.rows(indices(places, &tape)).scaled(self.spec.scale),
                };
                let (seen, shown) = (some(&seen), unveiled.as_ref().map(some));
                let gradients = config.gradients(&self.network, batch, seen, shown, teach, log)?;
                self.network = self.optimizer.step(rate, self.network.clone(), gradients);
            }
        }
        Ok(())
    }

    /// The classic form: every actor plays, learns by itself, and changes the shared network.
    fn asynchronous(&mut self, groups: Vec<Group<'_>>, log: &mut Log) -> Result<()> {
        let (config, spec, device) = (&self.config, &self.spec, &self.device);
        let rate = if config.anneal { config.lr * (1.0 - log.part()) } else { config.lr };
        let teach = config.teaches(log.part());
        let shared = Mutex::new((self.network.clone(), self.optimizer.clone(), log));
        let results: Vec<Result<()>> = std::thread::scope(|scope| {
            let shared = &shared;
            let actor = move |(worlds, random): Group<'_>| {
                let locked = || shared.lock().unwrap_or_else(PoisonError::into_inner);
                // Leaves of its own: two threads that go back through one graph of Burn 0.22.1
                // can wait for each other for ever.
                let network = locked().0.valid().train();
                let stretch =
                    config.play(&network.valid(), spec, teach, &mut **worlds, random, device)?;
                let (size, tape) = (stretch.actions.len(), device.clone().autodiff());
                let all = |seen: &Seen| seen.on(size, &tape).scaled(spec.scale);
                let shown = config.asymmetric.then(|| all(&stretch.unveiled));
                let (seen, mut found) = (all(&stretch.observations), Log::default());
                let gradients =
                    config.gradients(&network, &stretch, seen, shown, teach, &mut found)?;
                let mut shared = locked();
                let changed = shared.0.clone();
                shared.0 = shared.1.step(rate, changed, gradients);
                shared.2.step += stretch.actions.len() as u64;
                shared.2.updates += 1;
                shared.2.ended(&stretch.episodes);
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

/// How much of what came out the values foretold: 1 for all, 0 for no more than their mean. What
/// the values missed are the advantages.
fn explained_variance(advantages: &[f32], returns: &[f32]) -> f32 {
    let variance = |values: &[f32]| {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        values.iter().map(|value| (value - mean).powi(2)).sum::<f32>()
    };
    match variance(returns) {
        0.0 => 0.0,
        all => 1.0 - variance(advantages) / all,
    }
}

fn crashed<T>() -> Result<T> {
    Err(Error::Training("an actor thread crashed".into()))
}

impl ActorCriticConfig {
    /// What the scripted player's choices weigh by now.
    fn teaches(&self, part: f64) -> f32 {
        self.teach * (1.0 - 2.0 * part as f32).max(0.0)
    }

    /// Plays one stretch by a network; the scripted player is asked while it has a weight.
    fn play(
        &self,
        network: &ActorCritic,
        spec: &Spec,
        teach: f32,
        worlds: &mut dyn Worlds,
        random: &mut Random,
        device: &Device,
    ) -> Result<Stretch> {
        let (rows, count) = (worlds.rows(), spec.actions.len());
        let reader = self.body.reader(spec);
        let value = |observations: Observations<'_>, rows| {
            elements(network.values(reader.tensor(observations, rows, device)))
        };
        // Kept as read, or as bytes where reading only scales them.
        let read = |observations: Observations<'_>, kept: &mut Seen| {
            if reader.changes() {
                let cells = reader.read(observations);
                kept.add(Observations::Floats(&cells));
                return matrix(cells, rows, device);
            }
            kept.add(observations);
            reader.tensor(observations, rows, device)
        };
        let mut stretch = Stretch::default();
        let (mut rewards, mut values, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.horizon {
            let seen = read(worlds.observations(), &mut stretch.observations);
            let shown = self.asymmetric.then(|| read(worlds.unveiled(), &mut stretch.unveiled));
            let (logits, judged) = network.forward(seen, shown);
            values.extend(elements(judged));
            let mut policy = elements(logits);
            softmax(&mut policy, count);
            let policy = policy.chunks_exact(count);
            let actions: Vec<usize> = policy.clone().map(|policy| draw(policy, random)).collect();
            stretch.logs.extend(policy.zip(&actions).map(|(policy, &action)| policy[action].ln()));
            stretch.actions.extend(actions.iter().map(|&action| action as i32));
            if teach > 0.0 {
                let Some(advice) = worlds.advice() else {
                    let why = format!("{} has no scripted player to learn from", spec.name);
                    return Err(Error::Training(why));
                };
                stretch.advice.extend(advice.into_iter().map(|action| action as i32));
            }
            step(worlds, &actions)?;
            stretch.episodes.extend_from_slice(worlds.episodes());
            let mut paid = worlds.rewards().to_vec();
            // What would have come after a time limit counts as if it had been paid.
            let cut = (0..rows).filter(|&row| worlds.truncated()[row] && !worlds.terminated()[row]);
            for row in cut {
                paid[row] += self.gamma * value(worlds.last_observation(row), 1)[0];
            }
            rewards.extend(paid);
            let ended = worlds.terminated().iter().zip(worlds.truncated());
            ends.extend(ended.map(|(&terminated, &truncated)| terminated || truncated));
        }
        let last = if self.asymmetric { worlds.unveiled() } else { worlds.observations() };
        values.extend(value(last, rows));
        stretch.advantages = self.advantages(&rewards, &values, &ends);
        let sums = stretch.advantages.iter().zip(&values);
        stretch.returns = sums.map(|(advantage, value)| advantage + value).collect();
        Ok(stretch)
    }

    /// Generalised advantages `[horizon, rows]` of `rewards` and `ends` of that shape, and of
    /// `values`, `[horizon + 1, rows]`.
    fn advantages(&self, rewards: &[f32], values: &[f32], ends: &[bool]) -> Vec<f32> {
        let rows = values.len() - rewards.len();
        let mut advantages = vec![0.0; rewards.len()];
        let mut ahead = vec![0.0; rows];
        for at in (0..rewards.len()).rev() {
            let ahead = &mut ahead[at % rows];
            let (next, goes_on) = (values[at + rows], if ends[at] { 0.0 } else { 1.0 });
            let error = rewards[at] + self.gamma * next * goes_on - values[at];
            *ahead = error + self.gamma * self.lambda * goes_on * *ahead;
            advantages[at] = *ahead;
        }
        advantages
    }

    /// The gradients of the loss of a batch, of which was `seen`, `[B, cells]`, and `shown` to
    /// the critic.
    fn gradients(
        &self,
        network: &ActorCritic,
        batch: &Stretch,
        seen: Tensor<2>,
        shown: Option<Tensor<2>>,
        teach: f32,
        log: &mut Log,
    ) -> Result<GradientsParams> {
        let (size, tape) = (batch.actions.len(), seen.device());
        let mut advantages = batch.advantages.clone();
        if self.normalise && size > 1 {
            let mean = advantages.iter().sum::<f32>() / size as f32;
            let square = advantages.iter().map(|a| (a - mean).powi(2)).sum::<f32>() / size as f32;
            advantages.iter_mut().for_each(|a| *a = (*a - mean) / (square.sqrt() + 1e-8));
        }
        let advantages = vector(advantages, &tape);
        let (logits, values) = network.forward(seen, shown);
        let logs = log_softmax(logits, 1); // [B, A]
        let actions = TensorData::new(batch.actions.clone(), [size, 1]);
        let actions = Tensor::<2, Int>::from_data(actions, &tape);
        let chosen = logs.clone().gather(1, actions).reshape([size]);
        let gain = if self.clip > 0.0 {
            let ratio = (chosen - vector(batch.logs.clone(), &tape)).exp();
            // Schulman: "Approximating KL divergence", 2020, the third estimator.
            let ratios = elements(ratio.clone().inner());
            let apart = ratios.iter().map(|ratio| ratio - 1.0 - ratio.ln()).sum::<f32>();
            log.add("approx_kl", apart / size as f32);
            let cut = ratio.clone().clamp(1.0 - self.clip, 1.0 + self.clip);
            (ratio * advantages.clone()).min_pair(cut * advantages)
        } else {
            chosen * advantages
        };
        let mut loss = -gain.mean();
        let errors = values.reshape([size]) - vector(batch.returns.clone(), &tape);
        loss = loss + errors.square().mean() * (0.5 * self.value);
        if self.entropy > 0.0 {
            let entropy = -(logs.clone().exp() * logs.clone()).sum() / size as f32;
            log.add("entropy", elements(entropy.clone())[0]);
            loss = loss - entropy * self.entropy;
        }
        if teach > 0.0 {
            let advice = TensorData::new(batch.advice.clone(), [size, 1]);
            let followed = logs.gather(1, Tensor::<2, Int>::from_data(advice, &tape)).mean();
            log.add("advice", -elements(followed.clone())[0]);
            loss = loss - followed * teach;
        }
        log.loss(elements(loss.clone())[0])?;
        let gradients = GradientsParams::from_grads(loss.backward(), network);
        Ok(match self.clip_norm > 0.0 {
            true => clip_grad_norm(network, gradients, self.clip_norm),
            false => gradients,
        })
    }
}

impl Agent for ActorCriticAgent {
    fn turn(&mut self, worlds: &mut [Box<dyn Worlds>], log: &mut Log) -> Result<()> {
        let mut randoms = std::mem::take(&mut self.randoms);
        let groups: Vec<Group<'_>> = worlds.iter_mut().zip(&mut randoms).collect();
        let outcome = if self.config.asynchronous {
            self.asynchronous(groups, log)
        } else {
            let network = self.network.valid();
            let (config, spec, device) = (self.config.clone(), self.spec.clone(), &self.device);
            let (device, teach) = (device.clone(), config.teaches(log.part()));
            let play = &|(worlds, random): Group<'_>| {
                config.play(&network, &spec, teach, &mut **worlds, random, &device)
            };
            let played: Result<Vec<Stretch>> = if config.actors == 0 {
                groups.into_iter().map(play).collect()
            } else {
                // While the actors play, the network learns from what they did before.
                let before = std::mem::take(&mut self.waiting);
                std::thread::scope(|scope| {
                    let threads: Vec<_> =
                        groups.into_iter().map(|group| scope.spawn(move || play(group))).collect();
                    let learnt = if before.is_empty() { Ok(()) } else { self.learn(&before, log) };
                    let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Stretch>>| {
                        thread.join().unwrap_or_else(|_| crashed())
                    };
                    let played: Result<Vec<Stretch>> = threads.into_iter().map(join).collect();
                    learnt.and(played)
                })
            };
            played.and_then(|played| {
                for stretch in &played {
                    log.step += stretch.actions.len() as u64;
                    log.ended(&stretch.episodes);
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

    fn save_weights(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        weights::save(&self.network.valid(), path, metadata)
    }

    fn load_weights(&mut self, path: &Path) -> Result<()> {
        weights::load(&mut self.network, path, &weights::LoadOptions::default()).map(|_| ())
    }

    fn save(&self) -> Result<Parts> {
        let mut parts = Parts::new();
        super::pack_training(&mut parts, &self.network, &self.optimizer)?;
        parts.insert("random".into(), super::pack(&(&self.randoms, &self.random))?);
        parts.insert("waiting".into(), super::pack(&self.waiting)?);
        Ok(parts)
    }

    fn restore(&mut self, parts: &Parts) -> Result<()> {
        self.network = super::unpack_network(parts, "network", self.network.clone())?;
        self.optimizer = super::unpack_optimizer(parts, self.optimizer.clone())?;
        (self.randoms, self.random) = super::unpack(parts, "random")?;
        self.waiting = super::unpack(parts, "waiting")?;
        Ok(())
    }
}

/// Plays by a policy.
pub(super) struct PolicyPlayer {
    pub network: ActorCritic,
    pub reader: Reader,
    pub count: usize,
    pub device: Device,
}

impl Player for PolicyPlayer {
    fn scores(&mut self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
        let x = self.reader.tensor(observations, rows, &self.device);
        let mut policy = elements(self.network.policy(x));
        softmax(&mut policy, self.count);
        Ok(policy)
    }

    fn meaning(&self) -> Meaning {
        Meaning::Probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Cells;

    #[test]
    fn teaching_ends_with_half_of_the_training() {
        let spec = Spec::new("x", Cells::Floats, &[1], &["a"]);
        let config = ActorCriticConfig { teach: 3.0, ..ActorCriticConfig::a2c(&spec) };
        let weights = [0.0, 0.25, 0.5, 1.0].map(|part| config.teaches(part));
        assert_eq!(weights, [3.0, 1.5, 0.0, 0.0]);
    }

    #[test]
    fn values_explain_what_they_foretold() {
        let returns = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(explained_variance(&[0.0; 4], &returns), 1.0);
        // Values that are all the same foretell nothing.
        assert_eq!(explained_variance(&[-1.5, -0.5, 0.5, 1.5], &returns), 0.0);
        assert_eq!(explained_variance(&[0.5, -0.5, -0.5, 0.5], &returns), 0.8);
        assert_eq!(explained_variance(&[1.0; 4], &[2.0; 4]), 0.0);
    }

    #[test]
    fn advantages_are_sums_of_errors_within_an_episode() {
        let spec = Spec::new("x", Cells::Floats, &[1], &["a"]);
        let config = ActorCriticConfig { gamma: 0.5, lambda: 0.5, ..ActorCriticConfig::a2c(&spec) };
        // One game; the second of three steps ends an episode.
        let got =
            config.advantages(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0, 40.0], &[false, true, false]);
        // The errors are 1 + 10 - 10, 2 - 20 and 3 + 20 - 30.
        assert_eq!(got, [1.0 + 0.25 * -18.0, -18.0, -7.0]);
    }
}
