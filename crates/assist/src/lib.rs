//! The page where a model preselects and a person confirms, and the JSON interface beside it.
//!
//! What can be automated is automated, what cannot is semi-automated: [`Verbs`] gives a task's
//! program `serve`, `report` and `labels`. The crate knows no model: it sees
//! [`Propose`](tenfold_core::suggest::Propose) and the command line of the task.
//!
//! ```text
//! serve     the command line, the parts put together, the end
//! state     what all parts share
//! active    the weights in place
//! entry     one item in memory: suggestions, decisions, who has it in hand
//! queue     all of them: who gets what next; fill: what there is
//! model     what others ask the model by; worker: the thread that owns it
//! writer    the thread that owns the store
//! retrain   the training on what was decided; rounds: its course
//! inputs    what the model is shown
//! memory    how much of it requests may take
//! http/     guard, page, routes
//! report    what it saved
//! export    decisions as CSV, Parquet, COCO, image folders; names: of what is exported
//! ```

mod active;
mod entry;
mod export;
mod fill;
mod http;
mod inputs;
mod memory;
mod metrics;
mod model;
mod names;
mod queue;
mod report;
mod retrain;
mod rounds;
mod serve;
mod state;
mod worker;
mod writer;

pub use entry::Order;
pub use serve::ServeArgs;

use clap::{Args, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use tenfold_core::cli;
use tenfold_core::store::Store;

/// The verbs that this crate gives a program.
#[derive(Subcommand)]
pub enum Verbs {
    /// The page and the interface.
    #[command(about = "Open the page where a person confirms what the model proposes")]
    Serve(Box<ServeArgs>),
    /// What the page saved.
    #[command(about = "Report what suggestions saved: speed, agreement, accuracy by round")]
    Report(ReportArgs),
    /// What was decided.
    #[command(about = "Export the decisions as CSV, Parquet, COCO or a folder of images")]
    Labels(LabelsArgs),
}

/// `report`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    #[arg(value_name = "STORE", help = "Store of decisions that `serve` wrote")]
    pub store: PathBuf,
    #[arg(long, help = "Print one JSON document")]
    pub json: bool,
}

/// `labels`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct LabelsArgs {
    #[arg(value_name = "STORE", help = "Store of decisions that `serve` wrote")]
    pub store: PathBuf,
    #[arg(value_name = "OUT")]
    #[arg(help = "FILE.csv, FILE.parquet, FILE.json (COCO), or a folder for images by label")]
    pub out: PathBuf,
}

impl cli::MoreVerbs for Verbs {
    fn act<Z: cli::Program>(self, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Serve(args) => serve::run::<Z>(&args, out),
            Self::Report(args) => {
                let report = report::Report::of(&Store::read(&args.store)?)?;
                match args.json {
                    true => cli::print_json(&report, out),
                    false => Ok(report.print(out)?),
                }
            }
            Self::Labels(args) => {
                let written = export::write(&Store::read(&args.store)?, &args.out)?;
                Ok(writeln!(out, "{written} labels in {}", args.out.display())?)
            }
        }
    }
}
