//! The command line that every task shares: the verbs, their help, and the one place that
//! prints an error.

pub mod args;
mod set;

pub use set::set_fields;

use crate::suggest::Propose;
use args::{EvalArgs, ExportArgs, FeaturesArgs, PredictArgs, TrainArgs};
use burn::tensor::Device;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// What `models` says of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// The name on the command line.
    pub name: String,
    /// The name in the literature.
    pub title: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// When.
    pub year: u16,
    /// Parameters of the default configuration on the default data.
    pub parameters: usize,
    /// The data it trains on when none is named.
    pub data: &'static str,
}

/// The models of a task crate: a closed list, from which help, dispatch and tests come.
pub trait Zoo: ValueEnum + Copy + Send + Sync + 'static {
    /// The task's name.
    const TASK: &'static str;
    /// The program's name, `tenfold-TASK`.
    const PROGRAM: &'static str;
    /// One line on what the program does.
    const ABOUT: &'static str;

    /// Flags that `train` has in this task beside those it has in every one; `()` for none.
    type Train: Args;
    /// The same of `eval`.
    type Eval: Args;
    /// The same of `predict`.
    type Predict: Args;

    /// The line of `models`.
    fn card(self) -> Card;

    /// `train`: results go to `out`, all else to stderr.
    ///
    /// # Errors
    /// Whatever keeps the training from its end.
    fn train(self, args: &TrainArgs, own: &Self::Train, out: &mut dyn Write) -> anyhow::Result<()>;

    /// `eval`.
    ///
    /// # Errors
    /// A run or data that cannot be read.
    fn eval(args: &EvalArgs, own: &Self::Eval, out: &mut dyn Write) -> anyhow::Result<()>;

    /// `predict`; `model` where the weights are not a run's.
    ///
    /// # Errors
    /// A run, weights or inputs that cannot be read.
    fn predict(
        model: Option<Self>,
        args: &PredictArgs,
        own: &Self::Predict,
        out: &mut dyn Write,
    ) -> anyhow::Result<()>;

    /// `features`; `model` as in [`Zoo::predict`].
    ///
    /// # Errors
    /// A run, weights or inputs that cannot be read, or a file that cannot be written.
    fn features(
        model: Option<Self>,
        args: &FeaturesArgs,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let _ = (model, args, out);
        Err(crate::Error::argument("features", "the models of this task have none").into())
    }

    /// `export`.
    ///
    /// # Errors
    /// A run that cannot be read or a file that cannot be written.
    fn export(args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<()>;

    /// The model of a run, to stand behind the page where a person confirms.
    ///
    /// # Errors
    /// A run that cannot be read, or whose model has no labels to confirm.
    fn propose(run: &Path, device: &Device) -> crate::Result<Box<dyn Propose>> {
        let _ = device;
        Err(crate::Error::file(run, "the models of this task propose nothing to confirm"))
    }

    /// The name on the command line.
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
    }
}

/// Verbs that a program has beside those of its [`Zoo`].
pub trait Verbs: Subcommand {
    /// Does the verb for the models of `Z`; results go to `out`, all else to stderr.
    ///
    /// # Errors
    /// Whatever keeps it from its end.
    fn act<Z: Zoo>(self, out: &mut dyn Write) -> anyhow::Result<()>;
}

/// No further verbs.
#[derive(Subcommand)]
pub enum NoVerbs {}

impl Verbs for NoVerbs {
    fn act<Z: Zoo>(self, _: &mut dyn Write) -> anyhow::Result<()> {
        match self {}
    }
}

const MODEL_HELP: &str =
    "In place of a RUN: the model that --weights belongs to, or whose fetched weights are taken";

#[derive(Parser)]
#[command(version)]
struct Program<Z: Zoo, V: Verbs> {
    #[command(subcommand)]
    verb: Verb<Z, V>,
}

// `about` is written out: a doc comment on a flattened struct would replace it.
#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "made once per program")]
enum Verb<Z: Zoo, V: Verbs> {
    #[command(about = "List the models: paper, year, parameters, default data")]
    Models {
        #[arg(long, help = "Print one JSON document")]
        json: bool,
    },
    #[command(about = "Train a model; without --data on data that needs no download")]
    Train {
        #[arg(value_enum, value_name = "MODEL", help = "The model, see `models`")]
        model: Z,
        #[command(flatten)]
        args: TrainArgs,
        #[command(flatten)]
        own: Z::Train,
    },
    #[command(about = "Measure a trained run on a split of its data, or of other data")]
    Eval {
        #[command(flatten)]
        args: EvalArgs,
        #[command(flatten)]
        own: Z::Eval,
    },
    #[command(about = "Propose labels with confidence for pictures or rows, best first")]
    Predict {
        #[arg(long, value_enum, value_name = "MODEL", help = MODEL_HELP)]
        model: Option<Z>,
        #[command(flatten)]
        args: PredictArgs,
        #[command(flatten)]
        own: Z::Predict,
    },
    #[command(about = "Write what the last layer sees of each input, or rank inputs by likeness")]
    Features {
        #[arg(long, value_enum, value_name = "MODEL", help = MODEL_HELP)]
        model: Option<Z>,
        #[command(flatten)]
        args: FeaturesArgs,
    },
    #[command(about = "Write weights and configuration of a run as one portable file")]
    Export {
        #[command(flatten)]
        args: ExportArgs,
    },
    #[command(flatten)]
    More(V),
}

/// A task program's `main`.
pub fn main<Z: Zoo>() -> ExitCode {
    main_with::<Z, NoVerbs>()
}

/// [`main`] of a program with further verbs.
pub fn main_with<Z: Zoo, V: Verbs>() -> ExitCode {
    // stdout is not kept locked: a verb may have threads that print.
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    ExitCode::from(run_with::<Z, V>(std::env::args_os(), &mut out, &mut err))
}

/// Runs one command line, the program's name first, and returns the exit status: 0 done,
/// 2 for a wrong command line, 1 for everything else.
pub fn run<Z: Zoo>(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    run_with::<Z, NoVerbs>(args, out, err)
}

/// [`run`] of a program with further verbs.
pub fn run_with<Z: Zoo, V: Verbs>(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let act = |program: Program<Z, V>, out: &mut dyn Write| match program.verb {
        Verb::Models { json } => models(&cards::<Z>(), json, out),
        Verb::Train { model, args, own } => model.train(&args, &own, out),
        Verb::Eval { args, own } => Z::eval(&args, &own, out),
        Verb::Predict { model, args, own } => Z::predict(model, &args, &own, out),
        Verb::Features { model, args } => Z::features(model, &args, out),
        Verb::Export { args } => Z::export(&args, out),
        Verb::More(verb) => verb.act::<Z>(out),
    };
    run_program((Z::PROGRAM, Z::ABOUT), args, act, out, err)
}

/// [`run`] for a task whose verbs are not those of a [`Zoo`]: `P` parses them, `act` does
/// them, and what goes wrong is printed in the same way.
pub fn run_program<P: CommandFactory + FromArgMatches>(
    (name, about): (&'static str, &'static str),
    args: impl IntoIterator<Item = OsString>,
    act: impl FnOnce(P, &mut dyn Write) -> anyhow::Result<()>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let matches = P::command().name(name).about(about).try_get_matches_from(args);
    let program = match matches.and_then(|matches| P::from_arg_matches(&matches)) {
        Ok(program) => program,
        // Help and version come this way too, with status 0 and on stdout.
        Err(message) => {
            let text = message.render();
            let _ =
                if message.use_stderr() { write!(err, "{text}") } else { write!(out, "{text}") };
            return u8::try_from(message.exit_code()).unwrap_or(2);
        }
    };
    match act(program, out).and_then(|()| Ok(out.flush()?)) {
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

fn cards<Z: Zoo>() -> Vec<Card> {
    Z::value_variants().iter().map(|model| model.card()).collect()
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
            crate::train::renderer::grouped(card.parameters),
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
