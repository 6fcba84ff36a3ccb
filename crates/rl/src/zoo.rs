//! The closed list of this crate's agents: help, dispatch and tests come from it.

use crate::agents::actor_critic::{ActorCriticAgent, ActorCriticConfig};
use crate::agents::dqn::{Dqn, DqnConfig};
use crate::agents::reinforce::{Reinforce, ReinforceConfig};
use crate::agents::tables::{Method, TableAgent, TableConfig};
use crate::agents::{Agent, check_spec};
use crate::env::{self, Options, Spec};
use crate::networks::small_planes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenfold_core::device::{self, Device};
use tenfold_core::set::{Field, set_fields};
use tenfold_core::zoo::{self, Card};
use tenfold_core::{Error, Result};

/// The agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zoo {
    /// Value iteration.
    ValueIteration,
    /// SARSA.
    Sarsa,
    /// Q-learning.
    QLearning,
    /// REINFORCE.
    Reinforce,
    /// Deep Q-network.
    Dqn,
    /// DQN with six improvements.
    Rainbow,
    /// Advantage actor-critic.
    A2c,
    /// Asynchronous advantage actor-critic.
    A3c,
    /// Proximal policy optimisation.
    Ppo,
}

/// Runs `$body` with `$new` as the function that makes an agent's Config for an environment, and
/// `$agent` as the one that makes the agent.
macro_rules! with_agent {
    ($zoo:expr, $seed:expr, $device:expr, $new:ident, $agent:ident => $body:expr) => {
        with_agent!(@ $zoo, $seed, $device, $new, $agent, $body,
            Zoo::ValueIteration => TableConfig::new, TableConfig,
                |c, s, seed, _| TableAgent::new(Method::ValueIteration, c, s, seed);
            Zoo::Sarsa => TableConfig::new, TableConfig,
                |c, s, seed, _| TableAgent::new(Method::Sarsa, c, s, seed);
            Zoo::QLearning => TableConfig::new, TableConfig,
                |c, s, seed, _| TableAgent::new(Method::QLearning, c, s, seed);
            Zoo::Reinforce => ReinforceConfig::new, ReinforceConfig, Reinforce::new;
            Zoo::Dqn => DqnConfig::new, DqnConfig, Dqn::new;
            Zoo::Rainbow => DqnConfig::rainbow, DqnConfig, Dqn::new;
            Zoo::A2c => ActorCriticConfig::a2c, ActorCriticConfig, ActorCriticAgent::new;
            Zoo::A3c => ActorCriticConfig::a3c, ActorCriticConfig, ActorCriticAgent::new;
            Zoo::Ppo => ActorCriticConfig::ppo, ActorCriticConfig, ActorCriticAgent::new;
        )
    };
    (@ $zoo:expr, $seed:expr, $device:expr, $new:ident, $agent:ident, $body:expr,
        $($name:pat => $make:expr, $Config:ident, $build:expr;)*) => {
        match $zoo {
            $($name => {
                let $new: (fn(&Spec) -> $Config, &[(&'static str, &'static str)]) =
                    ($make, $Config::FIELDS);
                let $agent = |config: $Config, spec: &Spec| -> Result<Box<dyn Agent>> {
                    config.check(spec).map_err(|why| Error::argument("--set", why))?;
                    let build: fn($Config, &Spec, u64, &Device) -> Result<_> = $build;
                    Ok(Box::new(build(config, spec, $seed, $device)?))
                };
                $body
            })*
        }
    };
}

impl zoo::Zoo for Zoo {
    const TASK: &'static str = "rl";
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::ValueIteration, "value-iteration"),
        (Self::Sarsa, "sarsa"),
        (Self::QLearning, "q-learning"),
        (Self::Reinforce, "reinforce"),
        (Self::Dqn, "dqn"),
        (Self::Rainbow, "rainbow"),
        (Self::A2c, "a2c"),
        (Self::A3c, "a3c"),
        (Self::Ppo, "ppo"),
    ];
}

impl Zoo {
    /// The agent's Config for an environment, with changes by `--set`.
    ///
    /// # Errors
    /// A change that cannot be made.
    pub fn config(self, spec: &Spec, changes: &[String]) -> Result<Value> {
        let device = Device::default();
        with_agent!(self, 0, &device, new, _agent => changed(&new.0(spec), changes))
    }

    /// What `--set` takes in an environment: each field with its meaning and default.
    ///
    /// # Errors
    /// A Config that is no JSON.
    pub fn fields(self, spec: &Spec) -> Result<Vec<Field>> {
        let device = Device::default();
        let (config, meanings) = with_agent!(self, 0, &device, new, _agent =>
            (changed(&new.0(spec), &[])?, new.1));
        let of = |name: &str| meanings.iter().find(|(field, _)| *field == name);
        let field = |(name, default): (&String, &Value)| Field {
            name: name.clone(),
            meaning: of(name).map_or("", |(_, meaning)| meaning),
            default: default.clone(),
        };
        Ok(config.as_object().into_iter().flatten().map(field).collect())
    }

    /// The agent, new.
    ///
    /// # Errors
    /// A Config that is not this agent's, or that cannot work in this environment.
    pub fn agent(
        self,
        config: &Value,
        spec: &Spec,
        seed: u64,
        device: &Device,
    ) -> Result<Box<dyn Agent>> {
        check_spec(spec)?;
        let wrong = |why| Error::file("config.json", format!("the agent's config: {why}"));
        with_agent!(self, seed, device, new, agent => {
            let _ = new;
            agent(serde_json::from_value(config.clone()).map_err(wrong)?, spec)
        })
    }

    /// Games at once, unless a person says otherwise. Games on planes are quick to play, and a
    /// policy learns steadily from many.
    pub fn games(self, spec: &Spec) -> usize {
        match self {
            Self::ValueIteration | Self::Sarsa | Self::QLearning | Self::Dqn | Self::Rainbow => 1,
            Self::Reinforce => 8,
            Self::A2c | Self::A3c | Self::Ppo if small_planes(spec) => 64,
            Self::A2c | Self::A3c => 8,
            Self::Ppo => 16,
        }
    }

    /// The environment that it learns when none is named, and for how many steps.
    pub fn default_env(self) -> (&'static str, u64) {
        match self {
            Self::ValueIteration | Self::Sarsa | Self::QLearning => ("cliff", 50_000),
            Self::Dqn | Self::Rainbow => ("cartpole", 50_000),
            Self::Reinforce | Self::A2c | Self::A3c | Self::Ppo => ("cartpole", 200_000),
        }
    }

    /// The line of `models`.
    pub fn card(self) -> Card {
        let (title, paper, year) = match self {
            Self::ValueIteration => ("Value iteration", "Bellman, Dynamic Programming", 1957),
            Self::Sarsa => (
                "SARSA",
                "Rummery and Niranjan, On-Line Q-Learning Using Connectionist Systems",
                1994,
            ),
            Self::QLearning => ("Q-learning", "Watkins, Learning from Delayed Rewards", 1989),
            Self::Reinforce => (
                "REINFORCE",
                "Williams, Simple Statistical Gradient-Following Algorithms for Connectionist \
                 Reinforcement Learning",
                1992,
            ),
            Self::Dqn => (
                "DQN",
                "Mnih et al., Human-Level Control through Deep Reinforcement Learning",
                2015,
            ),
            Self::Rainbow => (
                "Rainbow",
                "Hessel et al., Rainbow: Combining Improvements in Deep Reinforcement Learning",
                2018,
            ),
            Self::A2c => ("A2C", A3C, 2016),
            Self::A3c => ("A3C", A3C, 2016),
            Self::Ppo => ("PPO", "Schulman et al., Proximal Policy Optimization Algorithms", 2017),
        };
        let (data, _) = self.default_env();
        let parameters = || {
            let envs = env::open(data, 1, &Options::default())?;
            let config = self.config(envs.spec(), &[])?;
            let device = device::open("cpu")?;
            Ok::<_, Error>(self.agent(&config, envs.spec(), 0, &device)?.parameters())
        };
        Card {
            name: zoo::Zoo::name(self),
            title,
            paper,
            year,
            parameters: parameters().unwrap_or(0),
            data,
        }
    }
}

const A3C: &str = "Mnih et al., Asynchronous Methods for Deep Reinforcement Learning";

/// Fields of `--set` by the names that they had before.
const RENAMED: [(&str, &str); 1] = [("teach=", "imitation=")];

fn changed<C: Serialize + DeserializeOwned>(config: &C, changes: &[String]) -> Result<Value> {
    let renamed = |change: &String| {
        let found = RENAMED.iter().find_map(|(old, new)| Some((new, change.strip_prefix(old)?)));
        found.map_or_else(|| change.clone(), |(new, value)| format!("{new}{value}"))
    };
    let changes: Vec<String> = changes.iter().map(renamed).collect();
    let config = set_fields(config, &changes, &[])?;
    serde_json::to_value(config).map_err(|why| Error::argument("--set", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_a_card_and_numbers_to_learn() {
        for (agent, name) in <Zoo as zoo::Zoo>::ALL {
            let card = agent.card();
            assert!(card.parameters > 0 && card.year > 1900, "{card:?}");
            assert_eq!(card.name, *name);
        }
    }

    #[test]
    fn every_field_that_can_be_set_has_a_meaning() {
        let spec = env::open("cartpole", 1, &Options::default()).unwrap().spec().clone();
        for (agent, name) in <Zoo as zoo::Zoo>::ALL {
            let fields = agent.fields(&spec).unwrap();
            let device = Device::default();
            let told = with_agent!(agent, 0, &device, new, _agent => new.1.len());
            assert_eq!(fields.len(), told, "{name}");
            for Field { name: field, meaning, .. } in fields {
                assert!(meaning.len() > 10 && !meaning.ends_with('.'), "{name}: {field}");
            }
        }
    }
}
