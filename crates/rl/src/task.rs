//! An agent in an environment as a [`Task`].

use crate::answer::Advisor;
use crate::config::{EnvChoice, RunConfig, check_fit, is_contest};
use crate::contest::{GAMES, Rate};
use crate::env::{self, Options, Random, Spec};
use crate::evaluate::{self, Choice, Statistics};
use crate::interval::{Interval, Policy};
use crate::predictor;
use crate::zoo::Zoo;
use crate::{flags, predict, published};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::kept_path;
use tenfold_core::device::Device;
use tenfold_core::progress::grouped;
use tenfold_core::set::Field;
use tenfold_core::suggest::Propose;
use tenfold_core::task::{self, Asked, Data, Flags, Purpose, Scores, Split, Task};
use tenfold_core::train::{Keep, Learner, Plan, Unit};
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result};

/// Networks of fewer parameters learn on one thread: a step of theirs takes less than a second
/// thread needs to wake up, and two learnt at half the speed of one.
const WORTH_THREADS: usize = 1 << 17;

/// Episodes by which a training is judged at its end.
const FINAL_EPISODES: usize = 100;

/// One of the zoo's agents.
pub(crate) struct Learning(pub Zoo);

impl task::Choice for EnvChoice {
    fn name(&self) -> &str {
        &self.env
    }

    fn elsewhere(&self, name: &str) -> Self {
        Self { env: name.into(), options: self.options.clone() }
    }
}

impl Data for Spec {
    /// Episodes never run out.
    fn count(&self, _split: Split) -> usize {
        FINAL_EPISODES
    }
}

impl Task for Learning {
    type Zoo = Zoo;
    type Choice = EnvChoice;
    type Data = Spec;
    type Config = RunConfig;
    type Model = Policy;

    fn zoo(&self) -> Zoo {
        self.0
    }

    fn choose(&self, flags: &Flags<Zoo>) -> Result<EnvChoice> {
        let env = flags.own.env.clone().unwrap_or_else(|| self.0.default_env().0.into());
        let published = published::of(self.0, &env, &flags.own);
        let known = published.map(|known| known.own.settings.over(&Options::default()));
        let options = flags.own.settings.over(&known.unwrap_or_default());
        Ok(EnvChoice { env, options })
    }

    fn chosen(config: &RunConfig) -> &EnvChoice {
        &config.choice
    }

    fn open(&self, choice: &EnvChoice, _data_dir: Option<&Path>) -> Result<Spec> {
        Ok(env::open(&choice.env, 1, &choice.options)?.spec().clone())
    }

    fn configure(&self, flags: &Flags<Zoo>, choice: EnvChoice, spec: &Spec) -> Result<RunConfig> {
        let (zoo, own) = (self.0, &flags.own);
        let known = published::of(zoo, &choice.env, own);
        let of = |field: fn(&flags::TrainFlags) -> Option<u32>| {
            field(own).or_else(|| field(&known.as_ref()?.own))
        };
        let games = of(|own| own.games).map_or_else(|| zoo.games(spec), |games| games as usize);
        let mut changes = known.as_ref().map_or_else(Vec::new, |known| known.set.clone());
        changes.extend(flags.run.set.iter().cloned());
        changes.extend(own.lr.map(|lr| format!("lr={lr}")));
        let config = zoo.config(spec, &changes)?;
        let groups = config["actors"].as_u64().map_or(1, |actors| actors.max(1) as usize);
        if games == 0 || !games.is_multiple_of(groups) {
            let why = format!("{games} games cannot be divided among {groups} actors");
            return Err(Error::argument("--games", why));
        }
        Ok(RunConfig {
            config,
            choice,
            spec: spec.clone(),
            games,
            groups,
            seed: flags.run.seed(),
            steps: own.steps.or_else(|| known.as_ref()?.own.steps).unwrap_or(zoo.default_env().1),
            evaluations: of(|own| own.evaluations).unwrap_or(20),
            episodes: of(|own| own.episodes).unwrap_or(20) as usize,
            sample: own.sample.or_else(|| known.as_ref()?.own.sample).unwrap_or(false),
            weights: own.weights.as_deref().map(kept_path),
        })
    }

    fn check_data(&self, config: &RunConfig, spec: &Spec) -> Result<()> {
        check_fit(&config.spec, spec)
    }

    fn plan(&self, config: &RunConfig) -> Plan {
        Plan {
            rounds: config.evaluations as usize,
            unit: Unit::Step,
            seed: config.seed,
            // Of equals the later, which has learnt more.
            keep: Keep::Highest("mean_return"),
            patience: None,
        }
    }

    fn learner(
        &self,
        config: &RunConfig,
        _data: &Spec,
        device: &Device,
    ) -> Result<Box<dyn Learner<Model = Policy>>> {
        let mut agent = self.0.agent(&config.config, &config.spec, config.seed, device)?;
        if let Some(weights) = &config.weights {
            agent.load_weights(weights)?;
        }
        // Many games are stepped side by side, whatever the network's size.
        let small = agent.parameters() < WORTH_THREADS && config.games <= 64;
        if small && std::env::var_os("RAYON_NUM_THREADS").is_none() {
            // A pool that is at work already, such as a test's, stays as it is.
            let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
        }
        Ok(Box::new(Interval::new(config, agent)?))
    }

    fn model(&self, config: &RunConfig, device: &Device) -> Result<Policy> {
        Ok(Policy { player: predictor::player(self.0, config, device)?, evaluation: 0 })
    }

    fn measure(
        &self,
        model: &Policy,
        config: &RunConfig,
        _data: &Spec,
        _split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        let (episodes, seed) = match purpose {
            Purpose::Report(Some(flags)) => return self.evaluated(model, config, flags),
            Purpose::Choose => {
                (config.episodes, Random::keyed(&[config.seed, 6, model.evaluation]).bits())
            }
            Purpose::Report(None) => (FINAL_EPISODES, Random::keyed(&[config.seed, 7]).bits()),
        };
        let mut envs = config.evaluation_envs(episodes)?;
        let choice = Choice::new(config.sample);
        let played = evaluate::episodes(&mut *envs, &*model.player, episodes, seed, choice)?;
        let figures = played.statistics();
        let mut json = figures_json(&figures);
        if let Purpose::Report(None) = purpose {
            let solved = config.spec.solved_at.map(|at| figures.mean_return >= f64::from(at));
            json.insert("solved".into(), solved.into());
            let (mean, std) = (figures.mean_return, figures.std_return);
            let line = format!(
                "mean return {mean:.2}, standard deviation {std:.2}, over {episodes} episodes"
            );
            return Ok(Scores { json, line, ..Scores::default() });
        }
        for name in ["episodes", "min_return", "max_return"] {
            json.remove(name);
        }
        Ok(Scores { json, ..Scores::default() })
    }

    fn answerer(
        &self,
        model: Policy,
        config: RunConfig,
        _device: &Device,
    ) -> Result<Box<dyn Propose>> {
        Ok(Box::new(Advisor::new(model.player, config.spec)))
    }

    fn predict(
        &self,
        model: Policy,
        config: RunConfig,
        _device: &Device,
        asked: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        predict::run(self.0.name(), &*model.player, &config, asked, out)
    }

    fn fields(&self, flags: &Flags<Zoo>) -> Result<Vec<Field>> {
        self.0.fields(&self.open(&self.choose(flags)?, None)?)
    }

    fn introduce(&self, config: &RunConfig, spec: &Spec) -> String {
        let (games, steps) = (config.games, grouped(config.steps as usize));
        let first =
            format!("{} in {}: {games} games at once, {steps} steps", self.0.name(), spec.name);
        first + &self.known(config)
    }

    fn summary(&self, config: &RunConfig, spec: &Spec) -> Map<String, Value> {
        let facts = json!({ "env": spec.name, "seed": config.seed });
        serde_json::from_value(facts).unwrap_or_default()
    }

    fn portable(&self, config: &mut RunConfig) {
        // A path of this machine, of no use elsewhere.
        config.weights = None;
    }
}

impl Learning {
    /// Which published settings a configuration has, and how long they take.
    fn known(&self, config: &RunConfig) -> String {
        let env = &config.choice.env;
        let Some(known) = published::of(self.0, env, &flags::TrainFlags::default()) else {
            return String::new();
        };
        let changed = self.0.config(&config.spec, &known.set).ok();
        let same = changed.as_ref() == Some(&config.config)
            && known.own.steps == Some(config.steps)
            && known.own.settings.over(&Options::default()) == config.choice.options;
        match known.minutes {
            Some(minutes) if same => {
                format!(", as published, about {minutes} minutes on one core")
            }
            _ => String::new(),
        }
    }

    /// `eval`: in the run's environment, or another of its shape, with the settings of the flags.
    fn evaluated(
        &self,
        model: &Policy,
        config: &RunConfig,
        flags: &flags::EvalFlags,
    ) -> Result<Scores> {
        let count = flags.episodes as usize;
        let options = flags.settings.over(&config.choice.options);
        let mut envs = config.other_envs(flags.env.as_deref(), count.min(GAMES), &options)?;
        let choice = Choice::new(flags.sample);
        let played = evaluate::episodes(&mut *envs, &*model.player, count, flags.seed, choice)?;
        let figures = played.statistics();
        let mut json = figures_json(&figures);
        let name = &envs.spec().name;
        json.insert("model".into(), self.0.name().into());
        json.insert("env".into(), name.as_str().into());
        json.insert("returns".into(), json!(played.returns));
        let line = format!(
            "mean return {:.2}, standard deviation {:.2}, from {:.2} to {:.2}, over {} episodes of \
             {:.0} steps on average",
            figures.mean_return,
            figures.std_return,
            figures.min_return,
            figures.max_return,
            figures.episodes,
            figures.mean_length,
        );
        let mut details = String::new();
        if is_contest(name, &options) {
            let rate = Rate::of(&played.returns);
            details = format!("{rate}\n");
            if let Ok(Value::Object(rate)) = serde_json::to_value(rate) {
                json.extend(rate);
            }
        }
        Ok(Scores { json, line, details, ..Scores::default() })
    }
}

/// The figures, and how many episodes they are of.
fn figures_json(figures: &Statistics) -> Map<String, Value> {
    let mut json: Map<String, Value> = serde_json::from_value(json!(figures)).unwrap_or_default();
    json.insert("count".into(), figures.episodes.into());
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use tenfold_core::cli::args::RunFlags;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        run: RunFlags,
        #[command(flatten)]
        own: flags::TrainFlags,
    }

    fn config(agent: Zoo, line: &str) -> RunConfig {
        let Line { run, own } = Line::parse_from(line.split_whitespace());
        let (task, flags) = (Learning(agent), Flags { run, own, named: true, steers: true });
        let choice = task.choose(&flags).unwrap();
        let spec = task.open(&choice, None).unwrap();
        task.configure(&flags, choice, &spec).unwrap()
    }

    #[test]
    fn without_flags_the_published_command_is_what_is_trained() {
        let rts = "--env minirts --opponent simple --observation numbers --frame-skip 10 \
                   --games 1024 --steps 30000000 --set gamma=1 --set lambda=0.98 \
                   --set horizon=64 --set entropy=0.005 --set asymmetric=true --sample \
                   --episodes 1000 --evaluations 10";
        let ppo = format!("{rts} --set minibatches=16 --set epochs=2");
        let seaquest = "--env seaquest --steps 5000000 --evaluations 10 --set entropy=0.03 \
                        --set gamma=0.995";
        for (agent, bare, whole) in [
            (Zoo::Ppo, "--env minirts", &*ppo),
            (Zoo::A3c, "--env minirts", rts),
            (Zoo::Ppo, "--env seaquest", seaquest),
        ] {
            assert_eq!(config(agent, bare), config(agent, whole), "{agent:?} {bare}");
        }
        let line = Learning(Zoo::Ppo);
        let said = |flags: &str| line.known(&config(Zoo::Ppo, flags));
        assert_eq!(said("--env seaquest"), ", as published, about 8 minutes on one core");
        assert_eq!(said("--env seaquest --steps 7"), "");
    }

    #[test]
    fn flags_stand_above_what_is_published_and_other_rules_leave_it() {
        let own = config(Zoo::Ppo, "--env minirts --steps 7 --sample=false --set gamma=0.9");
        assert_eq!((own.steps, own.sample, own.games), (7, false, 1024));
        assert_eq!((&own.config["gamma"], &own.config["horizon"]), (&json!(0.9_f32), &json!(64)));
        // The command of another figure, which names all that matters.
        let own = config(Zoo::Ppo, "--env minirts --opponent simple --frame-skip 20");
        assert_eq!((own.games, own.steps, own.sample), (64, 200_000, false));
        assert_eq!(own.choice.options.rts.observation, env::minirts::Observation::Map);
        // An opponent chooses the command.
        let own = config(Zoo::Ppo, "--env minirts --opponent hit-and-run");
        assert_eq!((own.steps, own.evaluations), (60_000_000, 12));
    }
}
