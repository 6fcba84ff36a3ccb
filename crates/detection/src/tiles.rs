//! Large images in tiles, for objects that would vanish where the whole is made small.
//!
//! F. C. Akyon, S. O. Altinuc, A. Temizel, "Slicing Aided Hyper Inference and Fine-Tuning for Small
//! Object Detection", ICIP (2022): tiles that overlap, and of boxes that stand for one object the
//! best. Differs from it: of an object that a tile cuts, a tile that shows it whole knows more,
//! whatever both scores are.

use crate::detection::Detection;
use image::DynamicImage;
use tenfold_core::Result;
use tenfold_core::data::Input;
use tenfold_core::geometry::BoundingBox;

/// Boxes of one class that overlap by this IoU are one object.
const SAME: f32 = 0.5;
/// So is a cut box of which this part lies in another.
const INSIDE: f32 = 0.5;
/// A box this near to a tile's inner border is cut.
const BORDER: f32 = 2.0;
/// Tiles that are in memory at once.
const PART: usize = 16;

/// How images are cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tiles {
    side: u32,
    overlap: f32,
}

impl Tiles {
    /// Tiles of `side` pixels, of which neighbours share the part `overlap`, below 1.
    pub fn new(side: u32, overlap: f32) -> Self {
        Self { side: side.max(1), overlap: overlap.clamp(0.0, 0.9) }
    }

    /// Where tiles begin along a side; the last one ends where the image does.
    fn starts(&self, length: u32) -> Vec<u32> {
        let step = ((self.side as f32 * (1.0 - self.overlap)) as u32).max(1);
        let last = length.saturating_sub(self.side);
        let mut all: Vec<u32> = (0..last).step_by(step as usize).collect();
        all.push(last);
        all
    }

    /// What `find` says of the tiles of an image, at most `keep` boxes, best first, in pixels of
    /// the image.
    ///
    /// # Errors
    /// What `find` says.
    pub fn find(
        &self,
        image: &DynamicImage,
        keep: usize,
        find: impl Fn(Vec<Input>) -> Result<Vec<Vec<Detection>>>,
    ) -> Result<Vec<Detection>> {
        let (width, height) = (image.width(), image.height());
        let rows = self.starts(height);
        let places: Vec<[u32; 2]> = rows
            .iter()
            .flat_map(|&y| self.starts(width).into_iter().map(move |x| [x, y]))
            .collect();
        let mut all = Vec::new();
        for places in places.chunks(PART) {
            let tile =
                |&[x, y]: &[u32; 2]| Input::Image(image.crop_imm(x, y, self.side, self.side));
            for (&[x, y], found) in places.iter().zip(find(places.iter().map(tile).collect())?) {
                let corners = [x, y, x + self.side, y + self.side].map(|at| at as f32);
                for one in found {
                    let own = one.bounding_box;
                    let (x, y) = (corners[0], corners[1]);
                    let moved = BoundingBox::new(own.x1 + x, own.y1 + y, own.x2 + x, own.y2 + y);
                    let cut = (moved.x1 < x + BORDER && x > 0.0)
                        || (moved.y1 < y + BORDER && y > 0.0)
                        || (moved.x2 > corners[2] - BORDER && corners[2] < width as f32)
                        || (moved.y2 > corners[3] - BORDER && corners[3] < height as f32);
                    all.push((cut, Detection { bounding_box: moved, ..one }));
                }
            }
        }
        Ok(merged(all, keep))
    }
}

/// Of boxes that stand for one object the best: one that is not cut before one that is.
fn merged(mut all: Vec<(bool, Detection)>, keep: usize) -> Vec<Detection> {
    all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.score.total_cmp(&a.1.score)));
    let mut kept: Vec<Detection> = Vec::new();
    for (cut, one) in all {
        let own = one.bounding_box;
        let same = |other: &Detection| {
            let shared = own.intersection(&other.bounding_box).area();
            other.label == one.label
                && (own.iou(&other.bounding_box) >= SAME
                    || cut && shared >= INSIDE * own.area().min(other.bounding_box.area()))
        };
        if !kept.iter().any(same) {
            kept.push(one);
        }
    }
    kept.sort_by(|a, b| b.score.total_cmp(&a.score));
    kept.truncate(keep);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    #[test]
    fn tiles_cover_the_image_and_the_last_ends_with_it() {
        let own = Tiles::new(100, 0.2);
        assert_eq!(own.starts(250), [0, 80, 150]);
        assert_eq!(own.starts(100), [0]);
        assert_eq!(own.starts(30), [0]);
        assert_eq!(own.starts(180), [0, 80]);
    }

    /// Finds the box around what is bright, if enough of it is there.
    fn bright(tiles: Vec<Input>) -> Result<Vec<Vec<Detection>>> {
        let one = |tile: &Input| {
            let Input::Image(image) = tile else { unreachable!() };
            let image = image.to_rgb8();
            let lit = image.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 100);
            let points: Vec<[f32; 2]> = lit.map(|(x, y, _)| [x as f32, y as f32]).collect();
            if points.len() < 50 {
                return Vec::new();
            }
            let of = |axis: usize, from: f32, pick: fn(f32, f32) -> f32| {
                points.iter().map(|own| own[axis]).fold(from, pick)
            };
            let bounding_box = BoundingBox::new(
                of(0, f32::MAX, f32::min),
                of(1, f32::MAX, f32::min),
                of(0, 0.0, f32::max) + 1.0,
                of(1, 0.0, f32::max) + 1.0,
            );
            // Of a cut object it is surer, as detectors at times are.
            let score = 1.0 / (1.0 + points.len() as f32 / 1000.0);
            vec![Detection { label: 0, score, bounding_box }]
        };
        Ok(tiles.iter().map(one).collect())
    }

    #[test]
    fn an_object_that_tiles_cut_is_found_once_and_whole() {
        for x in [10, 70, 85, 140, 215] {
            let inside =
                |column: u32, row: u32| (x..x + 18).contains(&column) && (60..78).contains(&row);
            let image = RgbImage::from_fn(250, 130, |column, row| {
                Rgb([if inside(column, row) { 255 } else { 0 }; 3])
            });
            let found = Tiles::new(100, 0.2).find(&image.into(), 100, bright).unwrap();
            let expected = BoundingBox::new(x as f32, 60.0, x as f32 + 18.0, 78.0);
            assert_eq!(found.len(), 1, "{x} {found:?}");
            assert_eq!(found[0].bounding_box, expected, "{x}");
        }
    }
}
