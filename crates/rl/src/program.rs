//! The program: the zoo on the command line.

use crate::flags::{EvalFlags, MatchArgs, PlayArgs, PredictFlags, SpeedArgs, TrainFlags};
use crate::task::Learning;
use crate::zoo::Zoo;
use crate::{contest, play};
use clap::Subcommand;
use std::io::Write;
use tenfold_core::cli::{MoreVerbs, On, Program};
use tenfold_core::task::Verbs;
use tenfold_core::zoo::Card;

impl Program for Zoo {
    const PROGRAM: &'static str = env!("CARGO_PKG_NAME");
    const ABOUT: &'static str = "Trains agents in games and control tasks, measures them, lets them \
         play against each other and against a person; every agent proposes its actions ranked, \
         for a person to confirm";

    type Train = TrainFlags;
    type Eval = EvalFlags;
    type Predict = PredictFlags;
    type More = More;

    fn card(self) -> Card {
        Zoo::card(self)
    }

    fn verbs(self) -> Box<dyn Verbs<Self>> {
        Box::new(Learning(self))
    }

    fn on(own: &EvalFlags) -> On<'_> {
        On { data: own.env.as_deref(), ..On::default() }
    }
}

/// The verbs that this task has beside those of every one.
#[derive(Subcommand)]
#[allow(missing_docs, reason = "the help texts say it")]
pub enum More {
    #[command(about = "Let two runs play a game of two players against each other")]
    Match {
        #[command(flatten)]
        args: MatchArgs,
    },
    #[command(about = "Play an environment yourself in the terminal; against a run where it has \
                       two sides")]
    Play {
        #[command(flatten)]
        args: PlayArgs,
    },
    #[command(about = "Raw speed of an environment: steps per second and core, without an agent")]
    Speed {
        #[command(flatten)]
        args: SpeedArgs,
    },
}

impl MoreVerbs for More {
    fn act<Z: Program>(self, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Match { args } => contest::run(&args, out),
            Self::Play { args } => play::run(&args, &mut std::io::stdin().lock(), out),
            Self::Speed { args } => contest::speed(&args, out),
        }
    }
}
