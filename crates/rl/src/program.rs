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
    const ABOUT: &'static str = "Trains and evaluates reinforcement-learning agents in games and \
         control tasks; lets them play against each other and against you; ranks their actions \
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
    #[command(
        about = "Let two runs play a two-player game against each other: win rate and Elo difference"
    )]
    Match {
        #[command(flatten)]
        args: MatchArgs,
    },
    #[command(about = "Play an environment yourself in the terminal, alone or against a run")]
    Play {
        #[command(flatten)]
        args: PlayArgs,
    },
    #[command(
        about = "Measure the raw speed of an environment: steps per second, without an agent"
    )]
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
