//! What a file that defines a task names: `use tenfold_core::task::prelude::*`.

pub use super::{Answering, Data, Flags, Learning, NamedData, Purpose, Scores, Split, Task, Verbs};
pub use crate::cli::args::{DataFlags, ExampleFlags, Recipe, SplitFlags, SupervisedFlags};
pub use crate::cli::{NoVerbs, On, Program};
pub use crate::data::{DataSet, Examples, Input, Kind, Preprocess, Resize};
pub use crate::geometry::BoundingBox;
pub use crate::suggest::{Proposal, Propose, Region, Slot, Suggestion, rank};
pub use crate::train::loader::Collate;
pub use crate::train::{
    Figures, Keep, Learner, Loss, Model, Parts, Plan, Settings, Supervised, Unit, Watch, Weights,
    drawn,
};
pub use crate::zoo::{Card, Zoo};
pub use crate::{Error, Result, device};
