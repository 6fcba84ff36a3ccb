//! The image classification data set `scenes`: one object a picture, its shape the label.

use burn_dataset::Dataset;

use super::{Part, Recipe, Scene, Shape};
use crate::data::random::SplitMix64;
use crate::data::{Example, Input};
use crate::{Error, Result};

/// Rows and columns of every picture.
pub const SIDE: usize = 64;

/// One part of the data set, with as many of every class: 16,000 pictures to learn from, 1,600
/// to choose by, 4,000 to judge by.
#[derive(Clone, Copy, Debug)]
pub struct Scenes {
    part: Part,
}

impl Scenes {
    /// A part of what `--data scenes` opens.
    pub fn new(part: Part) -> Self {
        Self { part }
    }

    /// The scene of an example: every eight are all eight shapes, in an order of their own.
    pub fn scene(&self, index: usize) -> Scene {
        let seed = self.part.seed();
        let mut order = Shape::ALL;
        let block = index / order.len();
        SplitMix64::keyed(&[seed, block as u64, u64::from_be_bytes(*b"in order")])
            .shuffle(&mut order);
        let mut scene = Scene::new(seed, index as u64, &Recipe::ONE);
        scene.objects[0].shape = order[index % order.len()];
        scene
    }
}

/// The name of each class, in label order.
pub fn classes() -> Vec<String> {
    Shape::ALL.map(|shape| shape.name().to_owned()).into()
}

impl Dataset<Example, Error> for Scenes {
    fn get(&self, index: usize) -> Result<Example> {
        let scene = self.scene(index);
        let picture = scene.draw(SIDE, SIDE).into_image();
        Ok(Example { input: Input::Picture(picture), label: scene.objects[0].shape as usize })
    }

    fn len(&self) -> usize {
        match self.part {
            Part::Train => 16_000,
            Part::Validation => 1_600,
            Part::Test => 4_000,
        }
    }
}
