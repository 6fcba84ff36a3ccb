//! The program: the zoo on the command line.

use crate::dispatch::with_kind;
use crate::flags::{EvalFlags, PredictFlags, TrainFlags};
use crate::task::{Learnt, Sequence};
use crate::word_vectors::{Vectors, WordVectors};
use crate::zoo::Zoo;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::{PredictArgs, run_and_inputs};
use tenfold_core::cli::{NoVerbs, On, Program};
use tenfold_core::task::{Asked, Verbs};
use tenfold_core::trained::Trained;
use tenfold_core::zoo::Card;

impl Program for Zoo {
    const PROGRAM: &'static str = env!("CARGO_PKG_NAME");
    const ABOUT: &'static str = "Trains, measures and uses recurrent networks: they continue a text, classify and \
         translate texts, describe images and answer questions about them";

    type Train = TrainFlags;
    type Eval = EvalFlags;
    type Predict = PredictFlags;
    type More = NoVerbs;

    fn card(self) -> Card {
        Zoo::card(self)
    }

    fn verbs(self) -> Box<dyn Verbs<Self>> {
        with_kind!(self, kind => Box::new(Sequence { model: self, kind }))
    }

    fn data_dir(own: &TrainFlags) -> Option<&Path> {
        own.data.data_dir.as_deref()
    }

    fn on(own: &EvalFlags) -> On<'_> {
        On::from(&own.on)
    }

    fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
        let (run, paths) = run_and_inputs(&args.paths)?;
        let asked = Asked { paths, args, own };
        // Word vectors that others learnt are a text file.
        if Vectors::is_text(run) {
            own.refuse_all_but(WordVectors::FLAGS)?;
            return WordVectors::predict(Vectors::from_text(run)?, &asked, out);
        }
        let trained = Trained::open(run)?;
        trained.model::<Self>()?.verbs().answer(&trained, &asked, out)
    }
}
