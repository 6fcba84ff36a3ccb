//! A task's road from the command line to the run folder and back: `train`, `eval`, `predict`,
//! `export`, `serve` for everything that can say what its data, its learner, its model and its
//! metrics are.
//!
//! A [`Task`] is one model of a [zoo](Program), or several alike. [`Verbs`] is what
//! the command line needs of it, whatever its types are: the zoo's one `match` returns it.

pub mod ahead;
mod contract;
mod data;
mod eval;
mod export;
mod opened;
pub mod predict;
pub mod prelude;
mod program;
mod resume;
mod split;
mod train;
mod verbs;

pub use contract::{Answering, Learning, Purpose, Scores, Task, introduction, nothing_to_confirm};
pub use data::{Choice, Data, NamedData};
pub use program::{Asked, Flags, MoreVerbs, NoVerbs, On, Program, Verbs};
pub use split::Split;
pub use train::folder;
