//! Rectangles along the axes.

use serde::{Deserialize, Serialize};

use super::point::Point;

/// A bounding box by two corners, in pixels.
///
/// JSON here, as in the store of decisions, is `[x1, y1, x2, y2]`: COCO's x, y, width and
/// height do not bring the corners back to the last bit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
pub struct BoundingBox {
    /// Left edge.
    pub x1: f32,
    /// Upper edge.
    pub y1: f32,
    /// Right edge.
    pub x2: f32,
    /// Lower edge.
    pub y2: f32,
}

impl From<[f32; 4]> for BoundingBox {
    fn from([x1, y1, x2, y2]: [f32; 4]) -> Self {
        Self { x1, y1, x2, y2 }
    }
}

impl From<BoundingBox> for [f32; 4] {
    fn from(own: BoundingBox) -> Self {
        [own.x1, own.y1, own.x2, own.y2]
    }
}

impl BoundingBox {
    /// From its corners.
    pub fn new(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self { x1, y1, x2, y2 }
    }

    /// From COCO's upper left corner, width and height.
    pub fn from_xywh([x, y, width, height]: [f32; 4]) -> Self {
        Self { x1: x, y1: y, x2: x + width, y2: y + height }
    }

    /// The smallest box around some points; `None` where there are none.
    pub fn around(points: &[Point]) -> Option<Self> {
        let &Point { x, y } = points.first()?;
        let grow = |own: Self, point: &Point| Self {
            x1: own.x1.min(point.x),
            y1: own.y1.min(point.y),
            x2: own.x2.max(point.x),
            y2: own.y2.max(point.y),
        };
        Some(points.iter().fold(Self::new(x, y, x, y), grow))
    }

    /// The part inside an image of this size; empty where it lies outside.
    pub fn clip(&self, width: usize, height: usize) -> Self {
        let within = |at: f32, most: usize| at.clamp(0.0, most as f32);
        Self {
            x1: within(self.x1, width),
            y1: within(self.y1, height),
            x2: within(self.x2, width),
            y2: within(self.y2, height),
        }
    }

    /// Upper left, upper right, lower right, lower left.
    pub fn corners(&self) -> [Point; 4] {
        let Self { x1, y1, x2, y2 } = *self;
        [[x1, y1], [x2, y1], [x2, y2], [x1, y2]].map(Point::from)
    }

    /// COCO's upper left corner, width and height.
    pub fn xywh(&self) -> [f32; 4] {
        [self.x1, self.y1, self.width(), self.height()]
    }

    /// Width; 0 where the corners are swapped.
    pub fn width(&self) -> f32 {
        (self.x2 - self.x1).max(0.0)
    }

    /// Height; 0 where the corners are swapped.
    pub fn height(&self) -> f32 {
        (self.y2 - self.y1).max(0.0)
    }

    /// Area in square pixels.
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// What both cover; empty where they do not meet.
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            x2: self.x2.min(other.x2),
            y2: self.y2.min(other.y2),
        }
    }

    /// Intersection over union, 0..=1; 0 where either is empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other).area();
        match shared > 0.0 {
            true => shared / (self.area() + other.area() - shared),
            false => 0.0,
        }
    }

    /// Generalised intersection over union (Rezatofighi et al., CVPR 2019), -1..=1: of boxes that
    /// do not meet it says how far they are apart.
    pub fn giou(&self, other: &Self) -> f32 {
        let hull = Self {
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
            x2: self.x2.max(other.x2),
            y2: self.y2.max(other.y2),
        };
        let shared = self.intersection(other).area();
        let union = self.area() + other.area() - shared;
        match hull.area() > 0.0 {
            true => self.iou(other) - (hull.area() - union) / hull.area(),
            false => 0.0,
        }
    }
}
