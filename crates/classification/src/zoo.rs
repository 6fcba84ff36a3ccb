//! The closed list of this crate's models: help, dispatch and tests come from it.

use crate::models::ModelConfig;
use crate::{evaluate, export, predict, train};
use burn::module::Module;
use clap::ValueEnum;
use std::io::Write;
use tenfold_core::cli::args::{EvalArgs, ExportArgs, PredictArgs, TrainArgs};
use tenfold_core::cli::{self, Card};
use tenfold_core::data::Kind;
use tenfold_core::device;

/// The models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Zoo {
    /// Multinomial logistic regression.
    Logistic,
    /// Multilayer perceptron.
    Mlp,
    /// LeNet-5.
    #[value(name = "lenet")]
    LeNet,
}

/// Runs `$body` with `$Config` as the Config type of a model.
macro_rules! with_config {
    ($zoo:expr, $Config:ident => $body:expr) => {
        match $zoo {
            $crate::zoo::Zoo::Logistic => {
                type $Config = $crate::models::logistic::LogisticConfig;
                $body
            }
            $crate::zoo::Zoo::Mlp => {
                type $Config = $crate::models::mlp::MlpConfig;
                $body
            }
            $crate::zoo::Zoo::LeNet => {
                type $Config = $crate::models::lenet::LeNetConfig;
                $body
            }
        }
    };
}
pub(crate) use with_config;

/// The embedded data that every model trains on when none is named.
pub const DEFAULT_DATA: &str = "glyphs";

impl cli::Zoo for Zoo {
    const TASK: &'static str = "classification";
    const PROGRAM: &'static str = env!("CARGO_PKG_NAME");
    const ABOUT: &'static str = "Trains, measures and uses classifiers of pictures and tables; every model proposes \
         labels with confidence for a person to confirm";

    fn card(self) -> Card {
        let (title, paper, year) = match self {
            Self::Logistic => {
                ("Logistic regression", "Cox, The Regression Analysis of Binary Sequences", 1958)
            }
            Self::Mlp => (
                "Multilayer perceptron",
                "Rumelhart et al., Learning representations by back-propagating errors",
                1986,
            ),
            Self::LeNet => (
                "LeNet-5",
                "LeCun et al., Gradient-Based Learning Applied to Document Recognition",
                1998,
            ),
        };
        // Glyphs: 28 x 28 grey, 36 classes.
        let kind = Kind::Pictures { channels: 1, height: 28, width: 28 };
        let parameters = with_config!(self, Config => {
            let input = Config::input(&kind).unwrap_or([1, 28, 28]);
            device::open("cpu").map_or(0, |cpu| Config::new(input, 36).init(&cpu).num_params())
        });
        Card { name: self.name(), title, paper, year, parameters, data: DEFAULT_DATA }
    }

    fn train(self, args: &TrainArgs, out: &mut dyn Write) -> anyhow::Result<()> {
        with_config!(self, Config => train::run::<Config>(self, args, out))
    }

    fn eval(args: &EvalArgs, out: &mut dyn Write) -> anyhow::Result<()> {
        evaluate::run(args, out)
    }

    fn predict(model: Option<Self>, args: &PredictArgs, out: &mut dyn Write) -> anyhow::Result<()> {
        predict::run(model, args, out)
    }

    fn export(args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
        export::run(args, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cli::Zoo as _;

    #[test]
    fn every_model_has_a_card_and_a_network() {
        for model in Zoo::value_variants() {
            let card = model.card();
            assert!(card.parameters > 0 && card.year > 1900, "{card:?}");
            assert_eq!(Zoo::from_str(&card.name, false).unwrap(), *model);
        }
    }
}
