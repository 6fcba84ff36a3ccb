//! The settings of A2C, A3C and PPO.

use crate::agents::require;
use crate::env::Spec;
use crate::networks::{BodyConfig, small_planes};
use serde::{Deserialize, Serialize};

/// Settings of A2C, A3C and PPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorCriticConfig {
    /// The layers of the network.
    pub body: BodyConfig,
    /// Whether policy and value read the same layers.
    pub shared: bool,
    /// Whether the value is judged by what is hidden from the policy, too: needs an environment
    /// that hides something, and `shared` false. Nothing that plays needs it.
    #[serde(default)]
    pub asymmetric: bool,
    /// Learning rate of Adam at the beginning.
    pub lr: f64,
    /// Whether it falls to zero in a straight line.
    pub anneal: bool,
    /// Discount of a reward one step later.
    pub gamma: f32,
    /// How far advantages look ahead: 0 one step, 1 to the end of the rollout.
    pub lambda: f32,
    /// Steps of each game in a rollout.
    pub horizon: usize,
    /// Weight of the policy's entropy.
    pub entropy: f32,
    /// Weight of the value's loss.
    pub value: f32,
    /// Weight at the beginning of the cross-entropy with what the environment's demonstrator would
    /// do; it falls to zero in a straight line until half of the training.
    #[serde(default, alias = "teach")]
    pub imitation: f32,
    /// Whether the advantages of a batch are brought to mean 0 and deviation 1.
    pub normalise: bool,
    /// The norm that gradients are cut to.
    pub clip_norm: f32,
    /// PPO: how far the probability of an action may move, as a part of it; 0 for A2C and A3C.
    pub clip: f32,
    /// PPO: epochs over each rollout.
    pub epochs: usize,
    /// PPO: minibatches of a rollout.
    pub minibatches: usize,
    /// A3C: groups of games, each played by a thread of its own while the network learns.
    pub actors: usize,
    /// A3C: actors update the network asynchronously.
    pub asynchronous: bool,
}

impl ActorCriticConfig {
    /// What `--set help` says of each field.
    pub const FIELDS: &[(&str, &str)] = &[
        ("body", "layers of the network: pool, turn, convs, orthogonal, hidden"),
        ("shared", "policy and value share layers"),
        ("asymmetric", "asymmetric critic: the value sees what is hidden from the policy"),
        ("lr", "initial learning rate of Adam"),
        ("anneal", "decay the learning rate linearly to zero"),
        ("gamma", "discount factor"),
        ("lambda", "lambda of GAE: 0 for one-step advantages, 1 for full returns"),
        ("horizon", "steps of each environment in a rollout"),
        ("entropy", "weight of the entropy bonus"),
        ("value", "weight of the value loss"),
        ("imitation", "initial weight of the imitation loss towards the demonstrator"),
        ("normalise", "normalise the advantages of a batch"),
        ("clip_norm", "largest norm of the gradients, 0 for no clipping"),
        ("clip", "PPO: clip range of the probability ratio"),
        ("epochs", "PPO: epochs over each rollout"),
        ("minibatches", "PPO: minibatches of a rollout"),
        ("actors", "A3C: number of actors, each with a thread and a part of the games"),
        ("asynchronous", "A3C: actors update the network asynchronously"),
    ];

    /// A2C for an environment.
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
            imitation: 0.0,
            normalise: vectors,
            clip_norm: 0.5,
            clip: 0.0,
            epochs: 1,
            minibatches: 1,
            actors: 0,
            asynchronous: false,
        }
    }

    /// A3C for an environment.
    pub fn a3c(spec: &Spec) -> Self {
        Self { actors: 2, ..Self::a2c(spec) }
    }

    /// PPO for an environment.
    pub fn ppo(spec: &Spec) -> Self {
        let a2c = Self::a2c(spec);
        let ppo = Self { clip: 0.2, epochs: 4, minibatches: 4, normalise: true, lr: 1e-3, ..a2c };
        match small_planes(spec) {
            // MiniRTS; in miniature Breakout a perceptron stays at 6 after 2 M steps at 1e-3, and
            // has 23 after 1 M at 5e-3.
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
            [("entropy", self.entropy), ("value", self.value), ("imitation", self.imitation)]
        {
            require(weight >= 0.0 && weight.is_finite(), field, "0 or above")?;
        }
        let alone = format!("0, as {} has no demonstrator to learn from", spec.name);
        require(self.imitation == 0.0 || spec.demonstrator, "imitation", &alone)?;
        let open = format!("false, as {} hides nothing", spec.name);
        // What comes after a time limit is not kept with what is hidden.
        let hides = spec.partially_observed && spec.time_limit.is_none();
        require(!self.asymmetric || hides, "asymmetric", &open)?;
        require(!self.asymmetric || !self.shared, "asymmetric", "shared to be false")?;
        require(self.clip >= 0.0 && self.clip < 1.0, "clip", "0 up to 1")?;
        require((1..=100_000).contains(&self.horizon), "horizon", "1 to 100000")?;
        require((1..=1000).contains(&self.epochs), "epochs", "1 to 1000")?;
        require((1..=100_000).contains(&self.minibatches), "minibatches", "1 to 100000")?;
        require(self.actors <= 256, "actors", "at most 256")?;
        require(!self.asynchronous || self.actors > 0, "asynchronous", "actors above 0")
    }

    /// What the demonstrator's choices weigh by now.
    pub(super) fn imitation_weight(&self, part: f64) -> f32 {
        self.imitation * (1.0 - 2.0 * part as f32).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Cells;

    #[test]
    fn imitation_ends_with_half_of_the_training() {
        let spec = Spec::new("x", Cells::Floats, &[1], &["a"]);
        let config = ActorCriticConfig { imitation: 3.0, ..ActorCriticConfig::a2c(&spec) };
        let weights = [0.0, 0.25, 0.5, 1.0].map(|part| config.imitation_weight(part));
        assert_eq!(weights, [3.0, 1.5, 0.0, 0.0]);
    }
}
