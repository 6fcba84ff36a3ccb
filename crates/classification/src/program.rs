//! The program: the zoo on the command line.

use crate::flags::{EvalFlags, FeaturesFlags, ImportFlags, PredictFlags, TrainFlags};
use crate::task::Classification;
use crate::zoo::{Zoo, with_config};
use crate::{features, import, predict};
use clap::Subcommand;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::PredictArgs;
use tenfold_core::cli::{MoreVerbs, On, Program};
use tenfold_core::task::Verbs;
use tenfold_core::zoo::Card;

impl Program for Zoo {
    const PROGRAM: &'static str = env!("CARGO_PKG_NAME");
    const ABOUT: &'static str = "Trains, measures and uses classifiers of images and tables, and regressions; every \
         model proposes labels with confidence for a person to confirm";

    type Train = TrainFlags;
    type Eval = EvalFlags;
    type Predict = PredictFlags;
    type More = More;

    fn card(self) -> Card {
        Zoo::card(self)
    }

    fn verbs(self) -> Box<dyn Verbs<Self>> {
        with_config!(self, Config, new => Box::new(Classification::<Config> { model: self, new }))
    }

    fn data_dir(own: &TrainFlags) -> Option<&Path> {
        own.data.data_dir.as_deref()
    }

    fn on(own: &EvalFlags) -> On<'_> {
        On::from(&own.on)
    }

    fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
        predict::run(args, own, out)
    }
}

/// The verbs that this task has beside those of every one.
#[derive(Subcommand)]
pub enum More {
    #[allow(missing_docs, reason = "the help text says it")]
    #[command(
        about = "Write feature vectors (embeddings) of the inputs, or rank them by similarity"
    )]
    Features {
        #[command(flatten)]
        flags: FeaturesFlags,
    },
    #[allow(missing_docs, reason = "the help text says it")]
    #[command(
        about = "Import weights trained elsewhere as a file that every command takes as a run"
    )]
    Import {
        #[command(flatten)]
        flags: ImportFlags,
    },
}

impl MoreVerbs for More {
    fn act<Z: Program>(self, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Features { flags } => features::run(&flags, out),
            Self::Import { flags } => import::run(&flags, out),
        }
    }
}
