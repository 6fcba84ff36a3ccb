//! `play`: a person plays in the terminal, one line a move.

use crate::agents;
use crate::config::{check_fit, two_sided};
use crate::env::{self, Options, Random};
use crate::evaluate::{Choice, choose};
use crate::flags::PlayArgs;
use crate::predict::proposals;
use crate::predictor::Predictor;
use image::RgbImage;
use image::imageops::{FilterType, resize};
use std::io::{BufRead, IsTerminal, Write};
use tenfold_core::{Error, device};

/// Columns of the image.
const WIDTH: u32 = 60;

/// Runs the verb: moves are read from `input`.
///
/// # Errors
/// An environment or runs that cannot be opened or do not fit each other.
pub fn run(args: &PlayArgs, input: &mut dyn BufRead, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open("cpu")?;
    let open = |run: &Option<std::path::PathBuf>| {
        run.as_deref().map(|run| Predictor::from_file(run, &device)).transpose()
    };
    let (against, advisor) = (open(&args.against)?, open(&args.advisor)?);
    // The settings that a run knows, unless a flag says otherwise.
    let known = against.as_ref().or(advisor.as_ref()).map(|run| &run.config.choice.options);
    let mut options = args.settings.over(known.unwrap_or(&Options::default()));
    if against.is_some() {
        options = two_sided(&options);
    }
    let mut envs = env::open(&args.env, 1, &options)?;
    if against.is_some() && envs.spec().players != 2 {
        let why = format!("{} has one side, and nobody to play against", args.env);
        return Err(Error::argument("--against", why).into());
    }
    for run in [&against, &advisor].into_iter().flatten() {
        check_fit(&run.config.spec, envs.spec())?;
    }
    envs.reset(args.seed)?;
    let names = envs.spec().actions.clone();
    let mut random = Random::keyed(&[args.seed, 3]);
    let numbered: Vec<String> =
        names.iter().enumerate().map(|(index, name)| format!("{index} {name}")).collect();
    writeln!(out, "moves: {}; q ends", numbered.join(", "))?;
    let colour = std::io::stdout().is_terminal();
    let (mut sum, mut last) = (0.0, 0);
    for step in 1u32.. {
        if colour {
            write!(out, "{}", blocks(&envs.draw(0)))?;
        }
        if let Some(Predictor { player, .. }) = &advisor {
            let scores = player.scores(envs.observations(), envs.rows())?;
            let best = proposals(&scores[..names.len()], player.meaning(), &names, 3);
            let best = best.iter().map(|p| format!("{} {:.2}", p.label, p.score));
            writeln!(out, "proposed: {}", best.collect::<Vec<_>>().join(", "))?;
        }
        let Some(action) = ask(&names, last, input, out)? else { break };
        last = action;
        let mut actions = vec![action; envs.rows()];
        if let Some(Predictor { player, .. }) = &against {
            actions[1] = choose(&**player, &*envs, Choice::Sampled, &mut random)?[1];
        }
        agents::step(&mut *envs, &actions)?;
        sum += envs.rewards()[0];
        writeln!(out, "step {step}: {}, reward {}", names[action], envs.rewards()[0])?;
        if envs.terminated()[0] || envs.truncated()[0] {
            writeln!(out, "over after {step} steps")?;
            break;
        }
    }
    writeln!(out, "return {sum}")?;
    Ok(())
}

/// A move by number or name, the last one again for an empty line; none when there are no more.
fn ask(
    names: &[String],
    last: usize,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> anyhow::Result<Option<usize>> {
    loop {
        write!(out, "move [{}]: ", names[last])?;
        out.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim();
        let number = line.parse().ok().filter(|&number: &usize| number < names.len());
        match number.or_else(|| names.iter().position(|name| name == line)) {
            _ if line == "q" => return Ok(None),
            _ if line.is_empty() => return Ok(Some(last)),
            Some(action) => return Ok(Some(action)),
            None => writeln!(out, "`{line}` is no move; expected a number below {}", names.len())?,
        }
    }
}

/// An image as coloured half blocks, two pixels a character.
fn blocks(image: &RgbImage) -> String {
    let width = WIDTH.min(image.width());
    let height = (image.height() * width / image.width()).max(2) / 2 * 2;
    let small = resize(image, width, height, FilterType::Triangle);
    let mut text = String::new();
    for y in (0..height).step_by(2) {
        for x in 0..width {
            let ([a, b, c], [d, e, f]) = (small.get_pixel(x, y).0, small.get_pixel(x, y + 1).0);
            text += &format!("\x1b[38;2;{a};{b};{c};48;2;{d};{e};{f}m\u{2580}");
        }
        text += "\x1b[0m\n";
    }
    text
}
