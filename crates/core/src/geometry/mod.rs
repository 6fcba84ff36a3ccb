//! Places in an image: points, bounding boxes, polygons and masks, in pixels.
//!
//! The origin is the upper left corner of the upper left pixel; x grows to the right and y
//! downwards. A pixel (column, row) covers `column..column + 1` and `row..row + 1`.

mod bounding_box;
mod point;
mod polygon;
mod rle;
mod transform;

pub use bounding_box::BoundingBox;
pub use point::Point;
pub use polygon::Polygon;
pub use rle::Rle;
pub use transform::Transform;
pub(crate) use transform::fitted;

#[cfg(test)]
mod tests;
