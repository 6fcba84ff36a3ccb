//! `train`: an agent and its worlds into a run folder.

use crate::agents::{Agent, Log};
use crate::cli::TrainArgs;
use crate::config::{RunConfig, check_fit};
use crate::env::{self, Options, Random, Worlds};
use crate::evaluate::{self, Choice, Statistics};
use crate::zoo::Zoo;
use crate::{checkpoint, env::Spec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;
use tenfold_core::cli::print_json;
use tenfold_core::run::{Header, Run};
use tenfold_core::train::history::{self, History};
use tenfold_core::train::interrupt;
use tenfold_core::train::renderer::{bar, grouped, note};
use tenfold_core::{Error, Result, device, files, viz};

/// Episodes by which a training is judged at its end.
const FINAL_EPISODES: usize = 100;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    /// Steps of single games so far.
    step: u64,
    /// `train`, by what the agent does to learn, or `validation`, by what it thinks best.
    split: String,
    /// `mean_return`, `mean_length`, `loss` and so on, of what happened since the last line.
    #[serde(flatten)]
    metrics: BTreeMap<String, f64>,
    /// Wall time since the last line.
    seconds: f64,
}

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Course {
    log: Log,
    lines: Vec<Line>,
    /// The best mean return of an evaluation so far.
    best: Option<f64>,
    /// Wall time of acting and learning, in seconds.
    learning: f64,
    /// Wall time of everything.
    seconds: f64,
}

/// Trains `zoo`'s agent, or continues its training.
///
/// # Errors
/// Whatever keeps the training from its end.
pub fn run(zoo: Zoo, args: &TrainArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.device)?;
    let env = args.env.clone().unwrap_or_else(|| zoo.default_env().0.into());
    let default_folder = || PathBuf::from("runs").join(format!("{}-{env}", zoo.name()));
    let folder = args.out.clone().unwrap_or_else(default_folder);
    let (run, config, agent, _lock) = if args.resume {
        let run = Run::open(&folder)?;
        let lock = run.lock()?;
        let config = RunConfig::read(&run)?;
        refuse_changes(zoo, args, &config)?;
        let agent = zoo.agent(&config.config, &config.spec, config.seed, &device)?;
        (run, config, agent, lock)
    } else {
        // Everything that can be wrong with the flags comes before the folder.
        let config = new_config(zoo, env, args)?;
        let mut agent = zoo.agent(&config.config, &config.spec, config.seed, &device)?;
        // Before the folder is cleared, for they may be what it holds.
        if let Some(weights) = &args.weights {
            agent.load_weights(weights)?;
        }
        let run = Run::at(&folder)?;
        let lock = run.lock()?;
        if run.exists() {
            if !args.overwrite {
                let why = "it already holds a run: --resume continues it, --overwrite replaces it";
                return Err(Error::file(&folder, why).into());
            }
            run.clear()?;
        }
        files::write_json(&run.config_path(), &config)?;
        (run, config, agent, lock)
    };
    let worlds = config.worlds()?;
    check_fit(&config.spec, worlds[0].spec())?;
    let mut training = Training { run, config, agent, worlds, course: Course::default() };
    training.begin(args.resume)?;
    training.fit()?;
    let summary = training.summary(&args.device)?;
    if args.json {
        return print_json(&summary, out);
    }
    let (course, run) = (&training.course, &training.run);
    let number = |name: &str| summary[name].as_f64().unwrap_or(f64::NAN);
    writeln!(
        out,
        "mean return {:.2}, standard deviation {:.2}, over {FINAL_EPISODES} episodes",
        number("mean_return"),
        number("std_return"),
    )?;
    writeln!(
        out,
        "{} steps in {:.1} s, {} steps/s while learning, in {}",
        grouped(course.log.step as usize),
        course.seconds,
        grouped(number("steps_per_second") as usize),
        run.folder().display()
    )?;
    Ok(())
}

fn new_config(zoo: Zoo, env: String, args: &TrainArgs) -> Result<RunConfig> {
    let options = args.settings.over(&Options::default());
    let spec: Spec = env::open(&env, 1, &options)?.spec().clone();
    let games = args.games.map_or_else(|| zoo.games(&spec), |games| games as usize);
    let mut changes = args.set.clone();
    changes.extend(args.lr.map(|lr| format!("lr={lr}")));
    let config = zoo.config(&spec, &changes)?;
    let groups = config["actors"].as_u64().map_or(1, |actors| actors.max(1) as usize);
    if games == 0 || !games.is_multiple_of(groups) {
        let why = format!("{games} games cannot be divided among {groups} actors");
        return Err(Error::argument("--games", why));
    }
    Ok(RunConfig {
        header: Header::new(Zoo::TASK, &zoo.name()),
        config,
        env,
        options,
        spec,
        games,
        groups,
        seed: args.seed.unwrap_or(1),
        steps: args.steps.unwrap_or(zoo.default_env().1),
        evaluations: args.evaluations,
        episodes: args.episodes as usize,
        sample: args.sample,
    })
}

/// A resumed training goes on as it was started: a flag that says otherwise is refused rather
/// than ignored.
fn refuse_changes(zoo: Zoo, args: &TrainArgs, config: &RunConfig) -> Result<()> {
    if zoo.name() != config.header.model {
        let why = format!("the run trains `{}`, not `{}`", config.header.model, zoo.name());
        return Err(Error::argument("--resume", why));
    }
    let lr = config.config["lr"].as_f64();
    let changed = [
        ("--env", args.env.as_ref().is_some_and(|env| *env != config.env)),
        ("--steps", args.steps.is_some_and(|steps| steps != config.steps)),
        ("--games", args.games.is_some_and(|games| games as usize != config.games)),
        ("--seed", args.seed.is_some_and(|seed| seed != config.seed)),
        ("--lr", args.lr.is_some() && args.lr != lr),
        ("--set", !args.set.is_empty()),
        ("--sample", args.sample && !config.sample),
        ("the world's settings", args.settings.over(&config.options) != config.options),
    ];
    match changed.into_iter().find(|(_, changed)| *changed) {
        Some((flag, _)) => Err(Error::argument(
            flag,
            "--resume continues a run exactly as it was started: leave this flag out, or start \
             another run",
        )),
        None => Ok(()),
    }
}

struct Training {
    run: Run,
    config: RunConfig,
    agent: Box<dyn Agent>,
    worlds: Vec<Box<dyn Worlds>>,
    course: Course,
}

impl Training {
    /// The first observations, or where the checkpoint was.
    fn begin(&mut self, resume: bool) -> Result<()> {
        let found = if resume { checkpoint::newest(&self.run.checkpoint_path()) } else { None };
        match found {
            Some(folder) => {
                let (course, parts) = checkpoint::load(&folder)?;
                self.course = course;
                self.agent.restore(&parts)?;
                for (group, worlds) in self.worlds.iter_mut().enumerate() {
                    worlds.restore(crate::agents::part(&parts, &format!("worlds-{group}"))?)?;
                }
                note(format_args!(
                    "continues after step {}",
                    grouped(self.course.log.step as usize)
                ));
            }
            None => {
                self.course.log.steps = self.config.steps;
                for (group, worlds) in self.worlds.iter_mut().enumerate() {
                    let seed = Random::keyed(&[self.config.seed, 5, group as u64]).bits();
                    worlds.reset(seed)?;
                }
                let (config, folder) = (&self.config, self.run.folder().display());
                note(format_args!(
                    "{} in {}: {} numbers to learn, {} games at once, {} steps; into {folder}",
                    config.header.model,
                    config.env,
                    grouped(self.agent.parameters()),
                    config.games,
                    grouped(config.steps as usize),
                ));
            }
        }
        Ok(())
    }

    /// Round by round to the last step.
    fn fit(&mut self) -> Result<()> {
        interrupt::listen();
        let steps = self.config.steps;
        let bar = bar(steps as usize);
        let mut begun = Instant::now();
        while self.course.log.step < steps {
            self.agent.turn(&mut self.worlds, &mut self.course.log)?;
            let step = self.course.log.step;
            if let Some(bar) = &bar {
                bar.set_position(step.min(steps));
            }
            if interrupt::requested() {
                self.course.learning += begun.elapsed().as_secs_f64();
                self.course.seconds += begun.elapsed().as_secs_f64();
                self.checkpoint()?;
                let why = format!("interrupted; --resume continues after step {step}");
                return Err(Error::Training(why));
            }
            let lines = self.course.lines.len() as u64 / 2 + 1;
            if step >= steps || step >= lines * steps / u64::from(self.config.evaluations) {
                self.course.learning += begun.elapsed().as_secs_f64();
                self.line(begun)?;
                if let Some(bar) = &bar {
                    bar.set_message(self.last_return());
                }
                begun = Instant::now();
            }
        }
        if let Some(bar) = &bar {
            bar.finish_and_clear();
        }
        Ok(())
    }

    /// Measures the agent, keeps the best weights, and writes metrics and a checkpoint.
    fn line(&mut self, begun: Instant) -> Result<()> {
        let step = self.course.log.step;
        let seconds = begun.elapsed().as_secs_f64();
        let log = &mut self.course.log;
        let mut metrics = BTreeMap::from([("updates".to_owned(), log.updates as f64)]);
        for (name, (sum, count)) in std::mem::take(&mut log.sums) {
            metrics.insert(name, sum / count as f64);
        }
        let ended = std::mem::take(&mut log.episodes);
        metrics.insert("episodes".into(), ended.len() as f64);
        if !ended.is_empty() {
            let count = ended.len() as f64;
            let sum = |of: &dyn Fn(&(f32, u32)) -> f64| ended.iter().map(of).sum::<f64>();
            metrics.insert("mean_return".into(), sum(&|e| e.0.into()) / count);
            metrics.insert("mean_length".into(), sum(&|e| e.1.into()) / count);
        }
        self.course.lines.push(Line { step, split: "train".into(), metrics, seconds });

        let again = Instant::now();
        let round = self.course.lines.len() as u64;
        let found =
            self.measure(self.config.episodes, Random::keyed(&[self.config.seed, 6, round]))?;
        // Of equals the later, which has learnt more.
        if self.course.best.is_none_or(|best| found.mean_return >= best) {
            self.course.best = Some(found.mean_return);
            self.agent.save_weights(&self.run.weights_path(), &self.metadata())?;
        }
        let metrics = BTreeMap::from([
            ("episodes".to_owned(), found.episodes as f64),
            ("mean_return".to_owned(), found.mean_return),
            ("std_return".to_owned(), found.std_return),
            ("mean_length".to_owned(), found.mean_length),
        ]);
        let spent = again.elapsed().as_secs_f64();
        let split = "validation".into();
        self.course.lines.push(Line { step, split, metrics, seconds: spent });
        self.course.seconds += begun.elapsed().as_secs_f64();
        note(format_args!(
            "step {:>11}  {}  ({seconds:.1} s)",
            grouped(step as usize),
            self.last_return()
        ));
        self.write_metrics()?;
        self.checkpoint()
    }

    /// The last line's figures for a person.
    fn last_return(&self) -> String {
        let of = |split: &str, name: &str| {
            let line = self.course.lines.iter().rev().find(|line| line.split == split)?;
            line.metrics.get(name).copied()
        };
        let show = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
        format!(
            "return {} in training, {} in evaluation",
            show(of("train", "mean_return")),
            show(of("validation", "mean_return"))
        )
    }

    /// Plays some episodes by what the agent thinks best, or as it is told to.
    fn measure(&self, episodes: usize, mut random: Random) -> Result<Statistics> {
        let config = &self.config;
        let mut worlds = config.judges(episodes)?;
        let mut player = self.agent.player();
        let seed = random.bits();
        let choice = if config.sample { Choice::Sampled } else { Choice::Greedy };
        let played = evaluate::episodes(&mut *worlds, &mut *player, episodes, seed, choice)?;
        Ok(played.statistics())
    }

    fn checkpoint(&mut self) -> Result<()> {
        let mut parts = self.agent.save()?;
        for (group, worlds) in self.worlds.iter_mut().enumerate() {
            parts.insert(format!("worlds-{group}"), worlds.save()?);
        }
        let root = self.run.checkpoint_path();
        checkpoint::save(&root, self.course.log.step, &self.course, &parts)
    }

    /// `metrics.jsonl` and `curves.svg`.
    fn write_metrics(&self) -> Result<()> {
        let path = self.run.metrics_path();
        let mut text = String::new();
        for line in &self.course.lines {
            text += &serde_json::to_string(line).map_err(|why| Error::file(&path, why))?;
            text.push('\n');
        }
        files::write(&path, text.as_bytes())?;
        let shown = ["loss", "mean_return", "mean_length"];
        let line = |line: &Line| history::Line {
            epoch: line.step as usize,
            split: line.split.clone(),
            metrics: line
                .metrics
                .iter()
                .filter(|(name, _)| shown.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), *value))
                .collect(),
            lr: 0.0,
            seconds: line.seconds,
        };
        let history = History { lines: self.course.lines.iter().map(line).collect() };
        viz::curves::write_over("step", &history, &self.run.curves_path())
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("model".into(), self.config.header.model.clone())])
    }

    /// The best weights, played for more episodes than before.
    fn summary(&mut self, device: &str) -> Result<serde_json::Value> {
        self.agent.load_weights(&self.run.weights_path())?;
        let random = Random::keyed(&[self.config.seed, 7]);
        let measured = self.measure(FINAL_EPISODES, random)?;
        let (config, course) = (&self.config, &self.course);
        let summary = serde_json::json!({
            "model": config.header.model,
            "env": config.env,
            "mean_return": measured.mean_return,
            "std_return": measured.std_return,
            "min_return": measured.min_return,
            "max_return": measured.max_return,
            "mean_length": measured.mean_length,
            "episodes": measured.episodes,
            "solved": config.spec.solved_at.map(|at| measured.mean_return >= f64::from(at)),
            "steps": course.log.step,
            "updates": course.log.updates,
            "seconds": course.seconds,
            "steps_per_second": course.log.step as f64 / course.learning.max(1e-9),
            "seed": config.seed,
            "device": device,
        });
        files::write_json(&self.run.summary_path(), &summary)?;
        Ok(summary)
    }
}
