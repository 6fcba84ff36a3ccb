//! The networks that agents learn with: a body that reads observations, and heads.
//!
//! Letters: B rows of a batch, A actions, N atoms of a distribution.

mod actor_critic;
mod body;
mod dense;
mod initial;
mod q;

pub use actor_critic::ActorCritic;
pub use body::{Body, BodyConfig, small_planes};
pub use dense::Dense;
pub use initial::seeded;
pub use q::{QHeads, QNetwork};
