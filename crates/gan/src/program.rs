//! The program: the zoo on the command line.

use crate::flags::{EvalFlags, PredictFlags, TrainFlags};
use crate::making::Making;
use crate::translating::Translating;
use crate::zoo::Zoo;
use std::path::Path;
use tenfold_core::cli::{NoVerbs, On, Program};
use tenfold_core::task::Verbs;
use tenfold_core::zoo::Card;

impl Program for Zoo {
    const PROGRAM: &'static str = env!("CARGO_PKG_NAME");
    const ABOUT: &'static str =
        "Trains, measures and uses GANs: images from noise, and images from images";

    type Train = TrainFlags;
    type Eval = EvalFlags;
    type Predict = PredictFlags;
    type More = NoVerbs;

    fn card(self) -> Card {
        Zoo::card(self)
    }

    fn verbs(self) -> Box<dyn Verbs<Self>> {
        match self.from_noise() {
            true => Box::new(Making::new(self)),
            false => Box::new(Translating::new(self)),
        }
    }

    fn data_dir(own: &TrainFlags) -> Option<&Path> {
        own.data.data_dir.as_deref()
    }

    fn on(own: &EvalFlags) -> On<'_> {
        On::from(&own.on)
    }
}
