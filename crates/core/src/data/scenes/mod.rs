//! The embedded world `scenes`: coloured shapes on a mild ground, for every task that looks at
//! images, without a download.
//!
//! A [`Scene`] is a list of objects and follows from a seed, an index and a [`Recipe`] alone.
//! From it comes all the rest, so that no two tasks can disagree about an image:
//!
//! - its image at any size, with boxes, instance masks and semantic masks: [`Scene::draw`];
//! - the label of an image of one object: [`Scenes`], which `--data scenes` opens;
//! - the boxes and masks of several objects as a data set: [`Crowds`];
//! - sentences about it: [`captions`], [`references`];
//! - questions with their answers: [`ask`];
//! - a short video: [`Scene::at`] with [`Recipe::MOVING`].
//!
//! ```
//! use tenfold_core::data::scenes::{Recipe, Scene, captions};
//! let scene = Scene::new(1, 7, &Recipe::TOLD);
//! let drawing = scene.draw(64, 64);
//! assert_eq!(drawing.rgb().len(), 64 * 64 * 3);
//! assert_eq!(drawing.seen().len(), scene.objects.len());
//! assert!(captions(&scene)[0].contains(scene.objects[0].shape.name()));
//! ```

mod captions;
mod draw;
mod labels;
mod questions;
mod world;

pub use captions::{captions, references};
pub use draw::{Bounds, Drawing, Seen};
pub use labels::{Crowds, SIDE, Scenes, classes};
pub use questions::{Asked, Question, ask};
pub use world::{CLEAR, Colour, Ground, Motion, Object, Placement, Recipe, Scene, Shape, Size};

use super::random::SplitMix64;

/// The name to open it by.
pub const NAME: &str = "scenes";

/// The seed of the scenes that `--data scenes` means. It is fixed, so that runs with different
/// seeds are judged by the same images.
pub const SEED: u64 = 64;

/// One part of the scenes that `--data scenes` means; parts are drawn from streams of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To learn from.
    Train,
    /// To choose by.
    Validation,
    /// To judge by.
    Test,
}

impl Part {
    /// The seed to draw this part's scenes with.
    pub fn seed(self) -> u64 {
        SplitMix64::keyed(&[SEED, self as u64]).bits()
    }

    /// How many examples its data sets have.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Train => 16_000,
            Self::Validation => 1_600,
            Self::Test => 4_000,
        }
    }
}

#[cfg(test)]
mod tests;
