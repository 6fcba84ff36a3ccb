//! The data sets `scenes`: one object an image with its shape as label, or a crowd with a box
//! and a mask for each object.

use burn_dataset::Dataset;

use super::{Part, Recipe, Scene, Shape};
use crate::data::example::{Example, Input};
use crate::data::objects::Object;
use crate::data::random::SplitMix64;
use crate::geometry::{BoundingBox, Rle};
use crate::{Error, Result};

/// Rows and columns of every image.
pub const SIDE: usize = 64;

/// One part of the data set, with as many of every class: 16,000 images to learn from, 1,600
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
        Ok(Example {
            input: Input::Image(picture),
            target: scene.objects[0].shape as usize,
            file: None,
        })
    }

    fn len(&self) -> usize {
        self.part.len()
    }
}

/// One part of the scenes for detection and instance segmentation, [`Recipe::CROWD`]: one to
/// eight objects an image, some of which hide parts of others. As many images as in [`Scenes`].
#[derive(Clone, Copy, Debug)]
pub struct Crowds {
    part: Part,
}

impl Crowds {
    /// A part of the data set.
    pub fn new(part: Part) -> Self {
        Self { part }
    }
}

impl Dataset<Example<Vec<Object>>, Error> for Crowds {
    fn get(&self, index: usize) -> Result<Example<Vec<Object>>> {
        let scene = Scene::new(self.part.seed(), index as u64, &Recipe::CROWD);
        let drawing = scene.draw(SIDE, SIDE);
        let objects = drawing.seen().into_iter().map(|seen| Object {
            label: scene.objects[seen.object].shape as usize,
            bounding_box: BoundingBox::from(seen.bounds.xyxy()),
            mask: Some(Rle::from_pixels(SIDE, SIDE, &drawing.mask(seen.object))),
        });
        let target = objects.collect();
        Ok(Example { input: Input::Image(drawing.into_image()), target, file: None })
    }

    fn len(&self) -> usize {
        self.part.len()
    }
}
