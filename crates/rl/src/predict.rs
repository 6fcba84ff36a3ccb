//! `predict`: an episode with the actions that are proposed at every step.

use crate::agents::{self, Meaning, Player};
use crate::answer::columns;
use crate::config::RunConfig;
use crate::env::{Random, Spec, VectorEnv};
use crate::evaluate::{Choice, probabilities};
use crate::flags::PredictFlags;
use crate::reader;
use crate::zoo::Zoo;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage, imageops};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::print_json;
use tenfold_core::suggest::rank;
use tenfold_core::task::Asked;
use tenfold_core::{Error, Result, files};

/// Frames of a GIF, at most; of a longer episode only every so many are in it.
const FRAMES: usize = 200;
/// Images of a strip, and how many of them are beside each other.
const STRIP: (usize, usize) = (12, 4);

/// A proposed action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// The action's name.
    pub label: String,
    /// Its probability in the agent's policy; for agents that know values, in Boltzmann's
    /// distribution over them, which ranks but is not calibrated.
    pub score: f32,
    /// The return that is expected of it, where the agent knows values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f32>,
}

/// One step of the episode.
#[derive(Clone, Debug, Serialize)]
struct Step {
    step: u32,
    /// What was seen before it.
    #[serde(skip)]
    observation: Vec<f32>,
    /// What was done.
    action: String,
    reward: f32,
    /// What was proposed, best first.
    suggestions: Vec<Proposal>,
}

/// Ranks actions by the scores that a player gave them.
pub fn proposals(scores: &[f32], meaning: Meaning, names: &[String], top: usize) -> Vec<Proposal> {
    let likely = probabilities(scores.to_vec(), meaning);
    let value = |label: &str| {
        let at = names.iter().position(|name| name == label)?;
        (meaning == Meaning::Value).then(|| scores[at])
    };
    let ranked = rank(&likely, names, top).into_iter();
    ranked
        .map(|suggestion| {
            let (label, score) = (suggestion.answer.to_string(), suggestion.score);
            Proposal { value: value(&label), label, score }
        })
        .collect()
}

/// Runs the verb.
///
/// # Errors
/// An environment that cannot be opened, or files that cannot be written.
pub fn run(
    model: &str,
    player: &dyn Player,
    config: &RunConfig,
    asked: &Asked<'_, Zoo>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let Asked { paths, args, own } = asked;
    if let Some(path) = paths.first() {
        let why = format!("{}: an agent plays an episode, and takes no inputs", path.display());
        return Err(Error::argument("INPUT", why).into());
    }
    let mut envs = config.other_envs(None, 1, &own.settings.over(&config.choice.options))?;
    let (steps, ended, frames) = episode(&mut *envs, player, own, args.top_k as usize)?;
    let sum: f32 = steps.iter().map(|step| step.reward).sum();
    if let Some(folder) = &own.draw {
        frames.write(folder)?;
    }
    if let Some(path) = &own.observations {
        write_observations(path, &config.spec, &steps)?;
    }
    if args.json {
        return print_json(
            &serde_json::json!({
                "model": model,
                "env": config.choice.env,
                "return": sum,
                "length": steps.len(),
                "ended": ended,
                "steps": steps,
            }),
            out,
        );
    }
    for Step { step, action, reward, suggestions, .. } in &steps {
        let shown = suggestions.iter().map(|Proposal { label, score, value }| match value {
            Some(value) => format!("{label} {score:.2} (value {value:.2})"),
            None => format!("{label} {score:.2}"),
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        writeln!(out, "{step:>5}  {action:<16} reward {reward:>6.2}  {shown}")?;
    }
    writeln!(out, "return {sum:.2} after {} steps", steps.len())?;
    if let Some(folder) = &own.draw {
        writeln!(out, "{}", folder.join("episode.gif").display())?;
    }
    Ok(())
}

/// Plays one episode, or as much of it as is wanted: its steps, whether it ended, and images of it
/// where they are to be drawn.
fn episode(
    envs: &mut dyn VectorEnv,
    player: &dyn Player,
    flags: &PredictFlags,
    top: usize,
) -> Result<(Vec<Step>, bool, Frames)> {
    let (names, rows) = (envs.spec().actions.clone(), envs.rows());
    let choice = Choice::new(flags.sample);
    let mut random = Random::keyed(&[flags.seed, 3]);
    envs.reset(Random::keyed(&[flags.seed, 4, 0]).bits())?;
    let (mut steps, mut frames) = (Vec::new(), Frames::default());
    frames.add(envs, flags.draw.is_some());
    for step in 1..=flags.steps {
        let scores = player.scores(envs.observations(), rows)?;
        let cells = envs.spec().cells_per_observation();
        let mut observation = reader::floats(envs.observations(), 1.0);
        observation.truncate(cells);
        let suggestions = proposals(&scores[..names.len()], player.meaning(), &names, top);
        let actions = choice.of(&scores, names.len(), player.meaning(), &mut random);
        agents::step(envs, &actions)?;
        let (action, reward) = (names[actions[0]].clone(), envs.rewards()[0]);
        steps.push(Step { step, observation, action, reward, suggestions });
        // A game that ended has already begun anew: its last image is the one before.
        if envs.terminated()[0] || envs.truncated()[0] {
            return Ok((steps, true, frames));
        }
        frames.add(envs, flags.draw.is_some());
    }
    Ok((steps, false, frames))
}

/// Writes what was seen before each step as a table.
fn write_observations(path: &Path, spec: &Spec, steps: &[Step]) -> Result<()> {
    let mut text = columns(spec).join(",") + "\n";
    for Step { observation, .. } in steps {
        let cells: Vec<String> = observation.iter().map(f32::to_string).collect();
        text += &(cells.join(",") + "\n");
    }
    files::write(path, text.as_bytes())
}

/// Images of an episode. Of a long one every second, fourth, ... is kept.
#[derive(Default)]
struct Frames {
    kept: Vec<RgbImage>,
    seen: usize,
    every: usize,
}

impl Frames {
    fn add(&mut self, envs: &dyn VectorEnv, wanted: bool) {
        self.every = self.every.max(1);
        if wanted && self.seen.is_multiple_of(self.every) {
            if self.kept.len() == FRAMES {
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.every *= 2;
            }
            if self.seen.is_multiple_of(self.every) {
                self.kept.push(envs.draw(0));
            }
        }
        self.seen += 1;
    }

    /// Writes `episode.gif`, and `episode.png` with some of the images beside each other.
    fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        let path = folder.join("episode.gif");
        let wrong = |why: image::ImageError| Error::file(&path, why);
        let mut bytes = Vec::new();
        {
            let mut gif = GifEncoder::new_with_speed(&mut bytes, 10);
            gif.set_repeat(Repeat::Infinite).map_err(wrong)?;
            let delay = Delay::from_numer_denom_ms(50, 1);
            let frame = |image: &RgbImage| {
                let image = DynamicImage::ImageRgb8(image.clone()).to_rgba8();
                Frame::from_parts(image, 0, 0, delay)
            };
            gif.encode_frames(self.kept.iter().map(frame)).map_err(wrong)?;
        }
        files::write(&path, &bytes)?;
        let Some(first) = self.kept.first() else { return Ok(()) };
        let count = self.kept.len().min(STRIP.0);
        let (wide, high) = (STRIP.1.min(count), count.div_ceil(STRIP.1));
        let (width, height) = (first.width() + 4, first.height() + 4);
        let white = image::Rgb([255, 255, 255]);
        let mut strip = RgbImage::from_pixel(wide as u32 * width, high as u32 * height, white);
        for at in 0..count {
            let image = &self.kept[at * (self.kept.len() - 1) / (count - 1).max(1)];
            let (x, y) = (at % STRIP.1, at / STRIP.1);
            let place = (i64::from(width) * x as i64 + 2, i64::from(height) * y as i64 + 2);
            imageops::replace(&mut strip, image, place.0, place.1);
        }
        let path = folder.join("episode.png");
        let mut bytes = std::io::Cursor::new(Vec::new());
        strip
            .write_to(&mut bytes, image::ImageFormat::Png)
            .map_err(|why| Error::file(&path, why))?;
        files::write(&path, bytes.get_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{self, Observations, Options};
    use crate::settings::Settings;
    use std::cell::Cell;
    use std::collections::BTreeMap;

    /// Prefers one action, and counts how often it is asked.
    struct Counting(Cell<u32>);

    impl Player for Counting {
        fn scores(&self, _: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
            self.0.set(self.0.get() + 1);
            Ok([0.1, 0.2, 0.6, 0.1].repeat(rows))
        }

        fn meaning(&self) -> Meaning {
            Meaning::Probability
        }

        fn save(&self, _: &Path, _: &BTreeMap<String, String>) -> Result<()> {
            Ok(())
        }

        fn load(&mut self, _: &Path) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_player_is_asked_once_a_step() {
        for sample in [false, true] {
            let flags = PredictFlags {
                draw: None,
                observations: None,
                steps: 7,
                sample,
                seed: 1,
                settings: Settings::default(),
            };
            let mut envs = env::open("identity", 1, &Options::default()).unwrap();
            let player = Counting(Cell::new(0));
            let (steps, ended, _) = episode(&mut *envs, &player, &flags, 2).unwrap();
            assert_eq!((player.0.get(), steps.len(), ended), (7, 7, false));
            let best = &envs.spec().actions[2];
            assert!(steps.iter().all(|step| step.suggestions[0].label == *best));
            assert_eq!(steps.iter().all(|step| step.action == *best), !sample);
        }
    }
}
