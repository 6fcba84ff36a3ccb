//! `play`: a person plays in the terminal: on a screen that is drawn in place, or line by line
//! where there is no terminal.

mod face;
mod lines;
#[cfg(any(unix, test))]
mod screen;
#[cfg(unix)]
mod terminal;

use crate::agents;
use crate::config::{check_fit, two_sided};
use crate::env::{self, Options, Random};
use crate::evaluate::{Choice, choose};
use crate::flags::PlayArgs;
use crate::predict::proposals;
use crate::predictor::Predictor;
use face::{Face, View};
use lines::Lines;
use std::io::{BufRead, Write};
use tenfold_core::{Error, device};

/// Runs the verb: moves are read from `input`, the keyboard where it is a terminal.
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
    let (mut sum, mut last, mut steps) = (0.0, 0, 0u32);
    let mut over = false;
    let mut face = face(input, &mut *out, &names)?;
    while !over {
        let proposed = match &advisor {
            Some(Predictor { player, .. }) => {
                let scores = player.scores(envs.observations(), envs.rows())?;
                let best = proposals(&scores[..names.len()], player.meaning(), &names, 3);
                let best = best.iter().map(|p| format!("{} {:.2}", p.label, p.score));
                Some(format!("proposed: {}", best.collect::<Vec<_>>().join(", ")))
            }
            None => None,
        };
        let title = format!("{}: return {sum}", args.env);
        let view = View { title, image: envs.draw(0), proposed, names: &names, last };
        let Some(action) = face.ask(&view)? else { break };
        (last, steps) = (action, steps + 1);
        let mut actions = vec![action; envs.rows()];
        if let Some(Predictor { player, .. }) = &against {
            actions[1] = choose(&**player, &*envs, Choice::Sampled, &mut random)?[1];
        }
        agents::step(&mut *envs, &actions)?;
        let reward = envs.rewards()[0];
        sum += reward;
        face.tell(&format!("step {steps}: {}, reward {reward}", names[action]))?;
        over = envs.terminated()[0] || envs.truncated()[0];
    }
    // The terminal is again what it was: what is written now stays on it.
    drop(face);
    if over {
        writeln!(out, "over after {steps} steps")?;
    }
    writeln!(out, "return {sum}")?;
    Ok(())
}

/// A screen where keys come from a terminal and go to one, else lines.
fn face<'a>(
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    names: &[String],
) -> anyhow::Result<Box<dyn Face + 'a>> {
    #[cfg(unix)]
    if terminal::both() {
        let raw = terminal::Raw::enter()?;
        return Ok(Box::new(screen::Screen::new(input, out, move || raw.size())));
    }
    Ok(Box::new(Lines::new(input, out, names)?))
}
