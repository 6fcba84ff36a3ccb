//! Objects in an image, as targets of detection and of instance segmentation.

use crate::geometry::{BoundingBox, Rle, Transform};

/// One object of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its class: a place in [`DataSet::classes`](super::DataSet::classes).
    pub label: usize,
    /// Where it is, in pixels of the image.
    pub bounding_box: BoundingBox,
    /// The pixels that show it, where they are known; as large as the image.
    pub mask: Option<Rle>,
}

impl Object {
    /// The object in the image that `transform` makes of its image: clipped to it, with a box
    /// drawn tightly around a mask. `None` where nothing of it is left.
    pub fn moved(&self, transform: &Transform) -> Option<Self> {
        let [width, height] = transform.size();
        let mask = self.mask.as_ref().map(|mask| transform.mask(mask));
        let bounding_box = match &mask {
            Some(mask) => mask.bounding_box()?,
            None => transform.bounding_box(&self.bounding_box).clip(width, height),
        };
        let left = bounding_box.area() > 0.0;
        left.then_some(Self { label: self.label, bounding_box, mask })
    }
}
