//! The command line that every task shares: the verbs, their help, and the one place that
//! prints an error.

pub mod args;
mod pipeline;
mod refusal;
pub mod starved;

pub use crate::task::{MoreVerbs, NoVerbs, On, Program};

use crate::task::Flags;
use crate::trained::Trained;
use crate::zoo::{Card, Zoo};
use args::{EvalArgs, ExportArgs, PredictArgs, RunFlags};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Parses the name of one of a zoo's models; help and errors list them all.
pub fn model_parser<Z: Zoo>() -> impl TypedValueParser<Value = Z> {
    let names = PossibleValuesParser::new(Z::ALL.iter().map(|(_, name)| *name));
    names.try_map(|name| Z::named(&name).ok_or("unknown model"))
}

#[derive(Parser)]
#[command(version)]
struct CommandLine<Z: Program, V: MoreVerbs> {
    #[command(subcommand)]
    verb: Verb<Z, V>,
}

// `about` is written out: a doc comment on a flattened struct would replace it.
#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "made once per program")]
enum Verb<Z: Program, V: MoreVerbs> {
    #[command(about = "List the models: paper, year, parameters, default data")]
    Models {
        #[arg(long, help = "Print one JSON document")]
        json: bool,
    },
    #[command(about = "Train a model; without --data, on data that needs no download")]
    Train {
        #[arg(value_parser = model_parser::<Z>(), value_name = "MODEL")]
        #[arg(help = "The model, see `models`")]
        model: Z,
        #[command(flatten)]
        run: RunFlags,
        #[command(flatten)]
        own: Z::Train,
    },
    #[command(about = "Evaluate a run on a split of its data, or on other data")]
    Eval {
        #[command(flatten)]
        args: EvalArgs,
        #[command(flatten)]
        own: Z::Eval,
    },
    #[command(about = "Predict: ranked answers with their confidence for each input")]
    Predict {
        #[command(flatten)]
        args: PredictArgs,
        #[command(flatten)]
        own: Z::Predict,
    },
    #[command(about = "Export weights and configuration of a run as one portable file")]
    Export {
        #[command(flatten)]
        args: ExportArgs,
    },
    #[command(flatten)]
    Own(Z::More),
    #[command(flatten)]
    More(V),
}

/// A task program's `main`.
pub fn main<Z: Program>() -> ExitCode {
    main_with::<Z, NoVerbs>()
}

/// [`main`] of a program with further verbs.
pub fn main_with<Z: Program, V: MoreVerbs>() -> ExitCode {
    starved::tell();
    // stdout is not kept locked: a verb may have threads that print.
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    ExitCode::from(run_with::<Z, V>(std::env::args_os(), &mut out, &mut err))
}

/// Runs one command line, the program's name first, and returns the exit status: 0 done,
/// 2 for a wrong command line, 1 for everything else.
pub fn run<Z: Program>(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    run_with::<Z, NoVerbs>(args, out, err)
}

/// [`run`] of a program with further verbs.
pub fn run_with<Z: Program, V: MoreVerbs>(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let command = CommandLine::<Z, V>::command();
    let (args, pipeline) = match pipeline::expanded(args.into_iter().collect(), &command) {
        Ok(expanded) => expanded,
        Err(why) => {
            let _ = print(&described(&why.into()), err);
            return 1;
        }
    };
    let act = |line: CommandLine<Z, V>, matches: &ArgMatches, out: &mut dyn Write| match line.verb {
        Verb::Models { json } => models(&cards::<Z>(), json, out),
        Verb::Train { model, run, own } => {
            let given = given(&CommandLine::<Z, V>::command(), matches);
            let named = given.iter().any(|id| NAMES.contains(&id.as_str()));
            let neutral = |id: &&String| [&NAMES[..], &NEUTRAL].concat().contains(&id.as_str());
            let steers = !given.iter().all(|id| neutral(&id));
            let trained = model.verbs().train(&Flags { run, own, named, steers }, out);
            trained.map_err(|why| match &pipeline {
                Some(pipeline) => pipeline.located(why),
                None => why,
            })
        }
        Verb::Eval { args, own } => {
            let trained = Trained::open(&args.run)?;
            trained.model::<Z>()?.verbs().eval(&trained, &args, &own, out)
        }
        Verb::Predict { args, own } => Z::predict(&args, &own, out),
        Verb::Export { args } => {
            args.check()?;
            let trained = Trained::open(&args.run)?;
            trained.model::<Z>()?.verbs().export(&trained, &args.file)?;
            Ok(writeln!(out, "{}", args.file.display())?)
        }
        Verb::Own(verb) => verb.act::<Z>(out),
        Verb::More(verb) => verb.act::<Z>(out),
    };
    run_program((Z::PROGRAM, Z::ABOUT), args, act, out, err)
}

/// Flags of `train` that say what is learnt, by which a run folder is found.
const NAMES: [&str; 2] = ["data", "env"];

/// Flags of `train` that say where to write and what to print, not how to train.
const NEUTRAL: [&str; 8] =
    ["model", "config", "out", "resume", "overwrite", "json", "device", "data_dir"];

/// What the command line of a verb gave.
fn given(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let Some((verb, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(command) = command.find_subcommand(verb) else { return Vec::new() };
    let flags = command.get_arguments().map(|arg| arg.get_id().to_string());
    flags.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine)).collect()
}

/// [`run`] for a task whose verbs are not those of a [`Program`]: `P` parses them, `act` does
/// them, and what goes wrong is printed in the same way.
pub fn run_program<P: CommandFactory + FromArgMatches>(
    (name, about): (&'static str, &'static str),
    args: impl IntoIterator<Item = OsString>,
    act: impl FnOnce(P, &ArgMatches, &mut dyn Write) -> anyhow::Result<()>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let command = P::command().mut_subcommands(|verb| verb.mut_args(taking_negatives));
    let matches = command.name(name).about(about).try_get_matches_from(args);
    let parsed = matches.and_then(|matches| Ok((P::from_arg_matches(&matches)?, matches)));
    let (program, matches) = match parsed {
        Ok(parsed) => parsed,
        // Help and version come this way too, with status 0 and on stdout.
        Err(message) => {
            let status = u8::try_from(message.exit_code()).unwrap_or(2);
            let to: &mut dyn Write = if message.use_stderr() { err } else { out };
            let _ = write!(to, "{}", refusal::worded(message));
            return status;
        }
    };
    match act(program, &matches, out).and_then(|()| Ok(out.flush()?)) {
        Ok(()) => 0,
        // `... | head` closes the pipe when it has seen enough: no failure of ours.
        Err(error) if is_broken_pipe(&error) => 0,
        Err(error) => {
            // Where even stderr is closed, the exit status still tells.
            let _ = match error.downcast_ref::<Faults>() {
                Some(Faults(faults)) => faults.iter().try_for_each(|fault| print(fault, err)),
                None => print(&described(&error), err),
            };
            1
        }
    }
}

/// A flag that takes a value takes `-1` as one, and says by itself what is wrong with it: clap
/// would take it for a flag, and advise `--`.
fn taking_negatives(arg: Arg) -> Arg {
    let valued = arg.get_long().is_some() && arg.get_action().takes_values();
    if valued { arg.allow_negative_numbers(true) } else { arg }
}

/// The whole message. Ours says its cause and its file by itself; a bare error of the
/// operating system is about where results go.
fn described(error: &anyhow::Error) -> String {
    if let Some(error) = error.downcast_ref::<crate::Error>() {
        return error.to_string();
    }
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => format!("stdout: {error}"),
        None => format!("{error:#}"),
    }
}

fn print(error: &dyn std::fmt::Display, err: &mut dyn Write) -> std::io::Result<()> {
    writeln!(err, "error: {}", crate::error::one_line(error))
}

/// Inputs that failed while others were answered; each is printed on a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("{} inputs could not be read", .0.len())]
pub struct Faults(pub Vec<crate::Error>);

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
    };
    error.chain().any(|cause| io(cause) == Some(std::io::ErrorKind::BrokenPipe))
}

fn cards<Z: Program>() -> Vec<Card> {
    Z::ALL.iter().map(|(model, _)| model.card()).collect()
}

/// `models`: one line for each.
///
/// # Errors
/// `out` cannot be written.
pub fn models(cards: &[Card], json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        return print_json(&cards, out);
    }
    let wide = |text: &dyn Fn(&Card) -> usize| cards.iter().map(text).max().unwrap_or(0);
    let (name, title) = (wide(&|card| card.name.len()), wide(&|card| card.title.len()));
    for card in cards {
        writeln!(
            out,
            "{:<name$}  {:<title$}  {:>11} parameters  {:<8}  {} ({})",
            card.name,
            card.title,
            crate::progress::grouped(card.parameters),
            card.data,
            card.paper,
            card.year,
        )?;
    }
    Ok(())
}

/// Prints one JSON document.
///
/// # Errors
/// `out` cannot be written.
pub fn print_json(value: &impl Serialize, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(value)?)?;
    Ok(())
}
