//! What a detector finds.

use tenfold_core::geometry::BoundingBox;

/// One object that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Its class, by place.
    pub label: usize,
    /// How sure the detector is, in 0..1.
    pub score: f32,
    /// Where it is, in pixels.
    pub bounding_box: BoundingBox,
}
