//! `predict`: an episode with the actions that are proposed at every step; and `export`.

use crate::agents::{self, Meaning};
use crate::cli::PredictArgs;
use crate::config::RunConfig;
use crate::env::{Random, Worlds};
use crate::evaluate::{Choice, choose, probabilities};
use crate::trained::Trained;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage, imageops};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::ExportArgs;
use tenfold_core::cli::print_json;
use tenfold_core::run::Run;
use tenfold_core::suggest::rank;
use tenfold_core::{Error, Result, device, files};

/// Frames of a GIF, at most; of a longer episode only every so many are in it.
const FRAMES: usize = 200;
/// Pictures of a strip, and how many of them are beside each other.
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
    ranked.map(|s| Proposal { value: value(&s.label), label: s.label, score: s.score }).collect()
}

/// Runs the verb.
///
/// # Errors
/// A run that cannot be opened, or pictures that cannot be written.
pub fn run(args: &PredictArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.device)?;
    let Trained { config, mut player } = Trained::open(&args.run, &device)?;
    let mut worlds = config.arena(None, 1, &args.settings.over(&config.options))?;
    let (names, rows) = (worlds.spec().actions.clone(), worlds.rows());
    let choice = if args.sample { Choice::Sampled } else { Choice::Greedy };
    let (mut random, top) = (Random::keyed(&[args.seed, 3]), args.top_k as usize);
    worlds.reset(Random::keyed(&[args.seed, 4, 0]).bits())?;
    let (mut steps, mut frames, mut sum) = (Vec::new(), Frames::default(), 0.0);
    frames.add(&*worlds, args.draw.is_some());
    let mut ended = false;
    for step in 1..=args.steps {
        let scores = player.scores(worlds.observations(), rows)?;
        let suggestions = proposals(&scores[..names.len()], player.meaning(), &names, top);
        let actions = choose(&mut *player, &*worlds, choice, &mut random)?;
        agents::step(&mut *worlds, &actions)?;
        let (action, reward) = (names[actions[0]].clone(), worlds.rewards()[0]);
        sum += reward;
        steps.push(Step { step, action, reward, suggestions });
        // A game that ended has already begun anew: its last picture is the one before.
        ended = worlds.terminated()[0] || worlds.truncated()[0];
        if ended {
            break;
        }
        frames.add(&*worlds, args.draw.is_some());
    }
    if let Some(folder) = &args.draw {
        frames.write(folder)?;
    }
    if args.json {
        return print_json(
            &serde_json::json!({
                "model": config.header.model,
                "env": config.env,
                "return": sum,
                "length": steps.len(),
                "ended": ended,
                "steps": steps,
            }),
            out,
        );
    }
    for Step { step, action, reward, suggestions } in &steps {
        let shown = suggestions.iter().map(|Proposal { label, score, value }| match value {
            Some(value) => format!("{label} {score:.2} (value {value:.2})"),
            None => format!("{label} {score:.2}"),
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        writeln!(out, "{step:>5}  {action:<16} reward {reward:>6.2}  {shown}")?;
    }
    writeln!(out, "return {sum:.2} after {} steps", steps.len())?;
    if let Some(folder) = &args.draw {
        writeln!(out, "{}", folder.join("episode.gif").display())?;
    }
    Ok(())
}

/// Pictures of an episode. Of a long one every second, fourth, ... is kept.
#[derive(Default)]
struct Frames {
    kept: Vec<RgbImage>,
    seen: usize,
    every: usize,
}

impl Frames {
    fn add(&mut self, worlds: &dyn Worlds, wanted: bool) {
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
                self.kept.push(worlds.draw(0));
            }
        }
        self.seen += 1;
    }

    /// Writes `episode.gif`, and `episode.png` with some of the pictures beside each other.
    fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        let path = folder.join("episode.gif");
        let wrong = |why: image::ImageError| Error::file(&path, why);
        let mut bytes = Vec::new();
        {
            let mut gif = GifEncoder::new_with_speed(&mut bytes, 10);
            gif.set_repeat(Repeat::Infinite).map_err(wrong)?;
            let delay = Delay::from_numer_denom_ms(50, 1);
            let frame = |picture: &RgbImage| {
                let picture = DynamicImage::ImageRgb8(picture.clone()).to_rgba8();
                Frame::from_parts(picture, 0, 0, delay)
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
            let picture = &self.kept[at * (self.kept.len() - 1) / (count - 1).max(1)];
            let (x, y) = (at % STRIP.1, at / STRIP.1);
            let place = (i64::from(width) * x as i64 + 2, i64::from(height) * y as i64 + 2);
            imageops::replace(&mut strip, picture, place.0, place.1);
        }
        let path = folder.join("episode.png");
        let mut bytes = std::io::Cursor::new(Vec::new());
        strip
            .write_to(&mut bytes, image::ImageFormat::Png)
            .map_err(|why| Error::file(&path, why))?;
        files::write(&path, bytes.get_ref())
    }
}

/// `export`: the weights with the configuration in the file's header.
///
/// # Errors
/// A run that cannot be read or a file that cannot be written.
pub fn export(args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let run = Run::open(&args.run)?;
    let config = RunConfig::read(&run)?;
    let cpu = device::open("cpu")?;
    let mut agent = config.agent()?.agent(&config.config, &config.spec, config.seed, &cpu)?;
    agent.load_weights(&run.weights_path())?;
    let metadata = BTreeMap::from([("tenfold.config".to_owned(), serde_json::to_string(&config)?)]);
    agent.save_weights(&args.file, &metadata)?;
    writeln!(out, "{}", args.file.display())?;
    Ok(())
}
