//! The program: the zoo on the command line.

use crate::flags::{EvalFlags, PredictFlags, TrainFlags};
use crate::making::Making;
use crate::models::translators::published;
use crate::translating::Translating;
use crate::translation;
use crate::zoo::Zoo;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::{PredictArgs, run_and_inputs};
use tenfold_core::cli::{NoVerbs, On, Program};
use tenfold_core::device;
use tenfold_core::task::{Asked, Verbs};
use tenfold_core::trained::Trained;
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

    fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
        let Some(weights) = &own.weights else {
            let (run, paths) = run_and_inputs(&args.paths)?;
            let trained = Trained::open(run)?;
            let asked = Asked { paths, args, own };
            return trained.model::<Self>()?.verbs().answer(&trained, &asked, out);
        };
        let (config, network) = published(weights, &device::open(&args.device)?)?;
        translation::run(&network, &config, &args.paths, args, own, out)
    }

    fn data_dir(own: &TrainFlags) -> Option<&Path> {
        own.data.data_dir.as_deref()
    }

    fn on(own: &EvalFlags) -> On<'_> {
        On::from(&own.on)
    }
}
