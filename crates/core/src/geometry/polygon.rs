//! Polygons.

use serde::{Deserialize, Serialize};

use super::bounding_box::BoundingBox;
use super::point::Point;
use super::rle::Rle;

/// A closed outline; the last point is joined to the first. JSON `[[x, y], ...]`.
///
/// What is inside follows the even-odd rule: an outline that crosses itself leaves holes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Polygon {
    /// The corners, one after the other, in either direction.
    pub points: Vec<Point>,
}

impl From<BoundingBox> for Polygon {
    fn from(bounds: BoundingBox) -> Self {
        Self { points: bounds.corners().into() }
    }
}

impl Polygon {
    /// Area in square pixels, of an outline that does not cross itself (the shoelace formula).
    pub fn area(&self) -> f32 {
        // About the first corner, so that far from the origin no digits are lost.
        let Some(origin) = self.points.first() else { return 0.0 };
        let from = |p: Point| (f64::from(p.x - origin.x), f64::from(p.y - origin.y));
        let twice: f64 = self
            .edges()
            .map(|(a, b)| (from(a), from(b)))
            .map(|((ax, ay), (bx, by))| ax * by - bx * ay)
            .sum();
        (twice / 2.0).abs() as f32
    }

    /// The smallest box around it; `None` without points.
    pub fn bounding_box(&self) -> Option<BoundingBox> {
        BoundingBox::around(&self.points)
    }

    /// The part inside `bounds` (Sutherland and Hodgman, 1974). Where the outline leaves it more
    /// than once, the parts hang together along the edge, which changes no area.
    pub fn clip(&self, bounds: &BoundingBox) -> Self {
        let BoundingBox { x1, y1, x2, y2 } = *bounds;
        let polygon = self.cut(|p| p.x - x1, |p| p.x = x1).cut(|p| x2 - p.x, |p| p.x = x2);
        polygon.cut(|p| p.y - y1, |p| p.y = y1).cut(|p| y2 - p.y, |p| p.y = y2)
    }

    /// The part where `depth` is not negative; `settle` puts a point onto the border.
    fn cut(&self, depth: impl Fn(Point) -> f32, settle: impl Fn(&mut Point)) -> Self {
        let mut points = Vec::with_capacity(self.points.len());
        for (from, to) in self.edges() {
            let (a, b) = (depth(from), depth(to));
            if a >= 0.0 {
                points.push(from);
            }
            if (a >= 0.0) != (b >= 0.0) {
                let part = f64::from(a) / (f64::from(a) - f64::from(b));
                let between =
                    |a: f32, b: f32| (f64::from(a) + (f64::from(b) - f64::from(a)) * part) as f32;
                let mut point = Point { x: between(from.x, to.x), y: between(from.y, to.y) };
                settle(&mut point);
                points.push(point);
            }
        }
        Self { points }
    }

    /// The pixels of an image whose centres are inside.
    pub fn rasterise(&self, height: usize, width: usize) -> Rle {
        let mut crossings = Vec::new();
        let mut column_of = usize::MAX;
        let mut inside = false;
        let mut next = 0;
        // Pixels are asked for column by column, from above.
        Rle::of(height, width, |row, column| {
            if column != column_of {
                (column_of, inside, next) = (column, false, 0);
                self.crossings(column as f64 + 0.5, &mut crossings);
            }
            while crossings.get(next).is_some_and(|&y| y <= row as f64 + 0.5) {
                (inside, next) = (!inside, next + 1);
            }
            inside
        })
    }

    /// Where the outline crosses a column of points, from above.
    fn crossings(&self, x: f64, found: &mut Vec<f64>) {
        found.clear();
        for (a, b) in self.edges() {
            let [ax, ay, bx, by] = [a.x, a.y, b.x, b.y].map(f64::from);
            // Half open, so that a corner on the column counts once.
            if (ax <= x) != (bx <= x) {
                found.push(ay + (x - ax) * (by - ay) / (bx - ax));
            }
        }
        found.sort_by(f64::total_cmp);
    }

    fn edges(&self) -> impl Iterator<Item = (Point, Point)> {
        let next = self.points.iter().cycle().skip(1);
        self.points.iter().copied().zip(next.copied())
    }
}
