//! Objects of which an image says that they are there, and not where: labels alone.

use burn_dataset::Dataset;
use std::sync::Arc;
use tenfold_core::data::{Example, Examples, Object};
use tenfold_core::geometry::{BoundingBox, Transform};
use tenfold_core::{Error, Result};

/// Whether an object has no box: readers leave out those of no area.
pub fn is_unboxed(object: &Object) -> bool {
    object.bounding_box.area() == 0.0
}

/// An object in the image that `transform` makes of its image; a label stays.
pub fn moved(object: &Object, transform: &Transform) -> Option<Object> {
    match is_unboxed(object) {
        true => Some(object.clone()),
        false => object.moved(transform),
    }
}

/// Examples without the boxes of some classes.
struct Unboxed {
    examples: Examples<Vec<Object>>,
    labels: Vec<usize>,
}

impl Dataset<Example<Vec<Object>>, Error> for Unboxed {
    fn get(&self, index: usize) -> Result<Example<Vec<Object>>> {
        let mut example = self.examples.get(index)?;
        for object in &mut example.target {
            if self.labels.contains(&object.label) {
                object.bounding_box = BoundingBox::new(0.0, 0.0, 0.0, 0.0);
                object.mask = None;
            }
        }
        Ok(example)
    }

    fn len(&self) -> usize {
        self.examples.len()
    }
}

/// The same examples without the boxes of these classes.
pub fn hide(examples: Examples<Vec<Object>>, labels: Vec<usize>) -> Examples<Vec<Object>> {
    match labels.is_empty() {
        true => examples,
        false => Arc::new(Unboxed { examples, labels }),
    }
}
