//! Published settings as defaults: what an agent reached its figure with in an environment.

use crate::env::Options;
use crate::flags::TrainFlags;
use crate::zoo::Zoo;
use clap::Parser;
use tenfold_core::zoo::Zoo as _;

/// Environment, agents, the flags of the published command beside them, and the minutes that it
/// took on one core with AVX-512, where they were measured. The figures stand beside the commands in BENCHMARKS.md. A2C and
/// A3C take MiniRTS as PPO's command sets it up; no figure of theirs is published.
#[rustfmt::skip]
const TABLE: &[(&str, &[&str], &str, Option<u32>)] = &[
    ("breakout", &["ppo"], "--steps 3000000", None),
    ("breakout", &["dqn"], DQN, None),
    ("breakout", &["rainbow"], RAINBOW, None),
    ("asterix", &["ppo"], "--steps 2500000", None),
    ("asterix", &["dqn"], DQN, None),
    ("asterix", &["rainbow"], RAINBOW, None),
    ("freeway", &["ppo"], "--steps 2500000", None),
    ("freeway", &["dqn"], DQN, None),
    ("freeway", &["rainbow"], RAINBOW, None),
    ("seaquest", &["ppo"],
     "--steps 5000000 --evaluations 10 --set entropy=0.03 --set gamma=0.995", Some(8)),
    ("seaquest", &["dqn"], DQN, None),
    ("seaquest", &["rainbow"], RAINBOW, None),
    ("space-invaders", &["ppo"], "--steps 3000000 --evaluations 6", Some(5)),
    ("space-invaders", &["dqn"], DQN, None),
    ("space-invaders", &["rainbow"], RAINBOW, None),
    ("minirts", &["ppo"],
     "--opponent simple --observation numbers --frame-skip 10 --games 1024 --steps 30000000 \
      --set gamma=1 --set lambda=0.98 --set horizon=64 --set minibatches=16 --set epochs=2 \
      --set entropy=0.005 --set asymmetric=true --sample --episodes 1000 --evaluations 10",
     // 8 minutes for the half of it that was trained.
     Some(16)),
    ("minirts", &["ppo"],
     "--opponent hit-and-run --observation numbers --frame-skip 10 --games 1024 --steps 60000000 \
      --set gamma=1 --set lambda=0.98 --set horizon=64 --set minibatches=16 --set epochs=2 \
      --set entropy=0.005 --set asymmetric=true --sample --episodes 1000 --evaluations 12",
     None),
    ("minirts", &["a2c", "a3c"],
     "--opponent simple --observation numbers --frame-skip 10 --games 1024 --steps 30000000 \
      --set gamma=1 --set lambda=0.98 --set horizon=64 --set entropy=0.005 \
      --set asymmetric=true --sample --episodes 1000 --evaluations 10", None),
];

const DQN: &str = "--steps 100000 --evaluations 2 --set train_every=4 --set target_every=250 \
                   --lr 0.0005";
const RAINBOW: &str = "--steps 100000 --evaluations 2 --set train_every=4 --set target_every=250 \
                       --set support=[0,25]";

/// The flags of a command of the table.
#[derive(Clone, Debug, Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    own: TrainFlags,
    #[arg(long)]
    set: Vec<String>,
}

/// The flags of a published command, beneath those that were given.
#[derive(Clone, Debug)]
pub struct Published {
    /// The flags of `train`.
    pub own: TrainFlags,
    /// `--set`, and the learning rate.
    pub set: Vec<String>,
    /// How many minutes it took on one core.
    pub minutes: Option<u32>,
}

/// The published command of an agent in an environment whose settings the given ones do not
/// contradict: in a world with other rules its figures say nothing.
pub fn of(agent: Zoo, env: &str, given: &TrainFlags) -> Option<Published> {
    let rows = TABLE.iter().filter(|row| row.0 == env && row.1.contains(&agent.name()));
    rows.filter_map(|(_, _, flags, minutes)| {
        let Line { own, mut set } = Line::try_parse_from(flags.split_whitespace()).ok()?;
        set.extend(own.lr.map(|lr| format!("lr={lr}")));
        let options = own.settings.over(&Options::default());
        let fits = given.settings.over(&options) == options;
        fits.then_some(Published { own, set, minutes: *minutes })
    })
    .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_parsed_and_names_an_agent_and_an_environment() {
        for (env, agents, flags, _) in TABLE {
            assert!(crate::env::open(env, 1, &Options::default()).is_ok(), "{env}");
            for agent in *agents {
                assert!(Zoo::named(agent).is_some(), "{agent}");
            }
            if let Err(why) = Line::try_parse_from(flags.split_whitespace()) {
                panic!("{flags}: {why}");
            }
        }
    }
}
