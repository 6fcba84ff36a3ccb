//! A zoo on the command line, and what the command line needs of each of its models.

use super::split::Split;
use crate::Result;
use crate::cli::args::{EvalArgs, PredictArgs, RunFlags, SplitFlags, run_and_inputs};
use crate::data::Input;
use crate::suggest::{Propose, RetrainPlan};
use crate::trained::Trained;
use crate::zoo::{Card, Zoo};
use burn::tensor::Device;
use clap::{Args, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What `eval` measures on.
#[derive(Clone, Copy, Debug, Default)]
pub struct On<'a> {
    /// Other data than the run's.
    pub data: Option<&'a str>,
    /// The split.
    pub split: Split,
    /// Where fetched data is.
    pub data_dir: Option<&'a Path>,
}

impl<'a> From<&'a SplitFlags> for On<'a> {
    fn from(flags: &'a SplitFlags) -> Self {
        let (data, data_dir) = (flags.data.as_deref(), flags.data_dir.as_deref());
        Self { data, split: flags.split, data_dir }
    }
}

/// A task's program: its zoo on the command line.
pub trait Program: Zoo {
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
    /// Verbs that this task has beside those of every one; [`NoVerbs`] for none.
    type More: MoreVerbs;

    /// The line of `models`.
    fn card(self) -> Card;

    /// The one match over all models: each one's task.
    fn verbs(self) -> Box<dyn Verbs<Self>>;

    /// Where `train` finds fetched data.
    fn data_dir(own: &Self::Train) -> Option<&Path> {
        let _ = own;
        None
    }

    /// What `eval` measures on.
    fn on(own: &Self::Eval) -> On<'_> {
        let _ = own;
        On::default()
    }

    /// `predict`; the first path is the run.
    ///
    /// # Errors
    /// A run, weights or inputs that cannot be read.
    fn predict(args: &PredictArgs, own: &Self::Predict, out: &mut dyn Write) -> anyhow::Result<()> {
        let (run, paths) = run_and_inputs(&args.paths)?;
        let trained = Trained::open(run)?;
        trained.model::<Self>()?.verbs().answer(&trained, &Asked { paths, args, own }, out)
    }

    /// The model of a run or an exported file, to stand behind the page where a person
    /// confirms.
    ///
    /// # Errors
    /// A run that cannot be read, or whose model has nothing to confirm.
    fn propose(run: &Path, device: &Device) -> Result<Box<dyn Propose>> {
        let trained = Trained::open(run)?;
        trained.model::<Self>()?.verbs().ready(&trained, device)
    }

    /// Trains on what people decided, on from a run's weights; it prints nothing but progress.
    ///
    /// # Errors
    /// Whatever keeps the training from its end, such as a task that has no such training.
    fn retrain(plan: &RetrainPlan) -> anyhow::Result<()> {
        let trained = Trained::open(&plan.from)?;
        trained.model::<Self>()?.verbs().retrain(&trained, plan)
    }

    /// Up to `most` examples that a run was validated with, before any training on decisions.
    ///
    /// # Errors
    /// Data that is no longer there.
    fn own_examples(run: &Path, most: usize) -> Result<Vec<(Input, String)>> {
        let trained = Trained::open(run)?;
        trained.model::<Self>()?.verbs().own_examples(&trained, most)
    }
}

/// Verbs that a program has beside those of its [`Program`].
pub trait MoreVerbs: Subcommand {
    /// Does the verb for the models of `Z`; results go to `out`, all else to stderr.
    ///
    /// # Errors
    /// Whatever keeps it from its end.
    fn act<Z: Program>(self, out: &mut dyn Write) -> anyhow::Result<()>;
}

/// No further verbs.
#[derive(Subcommand)]
pub enum NoVerbs {}

impl MoreVerbs for NoVerbs {
    fn act<Z: Program>(self, _: &mut dyn Write) -> anyhow::Result<()> {
        match self {}
    }
}

/// What `train` was told.
pub struct Flags<Z: Program> {
    /// The flags of every task.
    pub run: RunFlags,
    /// The task's own.
    pub own: Z::Train,
    /// Whether the data, or the world, was named.
    pub named: bool,
    /// Whether any other of them says how to train, rather than where to write and what to print.
    pub steers: bool,
}

/// What `predict` was told.
pub struct Asked<'a, Z: Program> {
    /// The inputs, without the run.
    pub paths: &'a [PathBuf],
    /// The flags of every task.
    pub args: &'a PredictArgs,
    /// The task's own.
    pub own: &'a Z::Predict,
}

/// The verbs of a model, whatever its types: every [`Task`](super::Task) has them.
pub trait Verbs<Z: Program> {
    /// `train`: results go to `out`, all else to stderr.
    ///
    /// # Errors
    /// Whatever keeps the training from its end.
    fn train(&self, flags: &Flags<Z>, out: &mut dyn Write) -> anyhow::Result<()>;

    /// `eval`.
    ///
    /// # Errors
    /// Data that cannot be read or does not suit the run.
    fn eval(
        &self,
        trained: &Trained,
        args: &EvalArgs,
        own: &Z::Eval,
        out: &mut dyn Write,
    ) -> anyhow::Result<()>;

    /// `predict`.
    ///
    /// # Errors
    /// Inputs that cannot be read.
    fn answer(
        &self,
        trained: &Trained,
        asked: &Asked<'_, Z>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()>;

    /// The trained model, ready to answer.
    ///
    /// # Errors
    /// A file of it that is missing or damaged.
    fn ready(&self, trained: &Trained, device: &Device) -> Result<Box<dyn Propose>>;

    /// Trains on what people decided.
    ///
    /// # Errors
    /// A store that cannot be read, too few decisions, or whatever ends a training.
    fn retrain(&self, trained: &Trained, plan: &RetrainPlan) -> anyhow::Result<()>;

    /// Up to `most` examples that the run was validated with, before any training on decisions.
    ///
    /// # Errors
    /// Data that is no longer there.
    fn own_examples(&self, trained: &Trained, most: usize) -> Result<Vec<(Input, String)>>;

    /// `export`: weights and configuration as one file.
    ///
    /// # Errors
    /// A run that cannot be read, or a file that cannot be written.
    fn export(&self, trained: &Trained, file: &Path) -> Result<()>;
}
