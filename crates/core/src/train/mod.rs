//! Training: one loop for every task, and the learner that most of them need.
//!
//! [`fit`] knows rounds, figures, checkpoints and files; a [`Learner`] knows how to learn for a
//! round; a [`Model`] is what it hands over. [`Supervised`] is the learner of everything that
//! learns from examples with one optimiser; a task with two optimisers, or with worlds in place
//! of examples, writes its own in some sixty lines.

mod average;
mod checkpoint;
mod fit;
pub mod history;
pub mod interrupt;
pub mod learner;
pub mod loader;
pub mod loss;
pub mod optim;
pub mod parts;
pub mod plan;
pub mod schedule;
mod settings;
mod supervised;
pub mod watch;

pub use average::Average;
pub use fit::{Progress, fit};
pub use learner::{Learner, Model, Weights, drawn, random_stream};
pub use parts::Parts;
pub use plan::{Figures, Keep, Plan, Unit};
pub use settings::Settings;
pub use supervised::{AtOnce, Loss, Supervised, descend};
pub use watch::Watch;
