//! Small images of games, for people: filled shapes on a raster.

use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};

/// A raster to draw on.
pub struct Canvas(RgbImage);

impl Canvas {
    /// A raster of one colour.
    pub fn new(width: u32, height: u32, colour: [u8; 3]) -> Self {
        Self(RgbImage::from_pixel(width, height, Rgb(colour)))
    }

    /// Paints every pixel whose centre `inside` takes, within the box from `low` to `high`.
    fn fill(
        &mut self,
        low: (f64, f64),
        high: (f64, f64),
        colour: [u8; 3],
        inside: impl Fn(f64, f64) -> bool,
    ) {
        let (width, height) = self.0.dimensions();
        let range = |low: f64, high: f64, size: u32| {
            let clamp = |v: f64| v.clamp(0.0, f64::from(size)) as u32;
            clamp(low.floor())..clamp(high.ceil())
        };
        for y in range(low.1, high.1, height) {
            for x in range(low.0, high.0, width) {
                if inside(f64::from(x) + 0.5, f64::from(y) + 0.5) {
                    self.0.put_pixel(x, y, Rgb(colour));
                }
            }
        }
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, low: (f64, f64), high: (f64, f64), colour: [u8; 3]) {
        self.fill(low, high, colour, |x, y| low.0 <= x && x <= high.0 && low.1 <= y && y <= high.1);
    }

    /// A filled circle.
    pub fn disc(&mut self, centre: (f64, f64), radius: f64, colour: [u8; 3]) {
        let (low, high) =
            ((centre.0 - radius, centre.1 - radius), (centre.0 + radius, centre.1 + radius));
        self.fill(low, high, colour, |x, y| (x - centre.0).hypot(y - centre.1) <= radius);
    }

    /// A straight line with a width.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: [u8; 3]) {
        let margin = width / 2.0;
        let low = (from.0.min(to.0) - margin, from.1.min(to.1) - margin);
        let high = (from.0.max(to.0) + margin, from.1.max(to.1) + margin);
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let squared = (dx * dx + dy * dy).max(1e-9);
        self.fill(low, high, colour, |x, y| {
            let t = (((x - from.0) * dx + (y - from.1) * dy) / squared).clamp(0.0, 1.0);
            (x - from.0 - t * dx).hypot(y - from.1 - t * dy) <= margin
        });
    }

    /// The image, every pixel `times` as large.
    pub fn scaled(self, times: u32) -> RgbImage {
        let (width, height) = self.0.dimensions();
        resize(&self.0, width * times, height * times, FilterType::Nearest)
    }
}
