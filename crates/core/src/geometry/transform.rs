//! Affine maps from one image to another.

use image::{DynamicImage, ImageBuffer, Pixel};

use super::bounding_box::BoundingBox;
use super::point::Point;
use super::polygon::Polygon;
use super::rle::Rle;

/// An affine map of places in one image to places in another. It knows the sizes of both, so
/// that it can be applied to the pixels too, and has an inverse.
///
/// Steps are added one after the other:
///
/// ```
/// use tenfold_core::geometry::{BoundingBox, Transform};
/// let transform = Transform::identity(100, 50).letterbox(32, 32).flip_horizontal();
/// let moved = transform.bounding_box(&BoundingBox::new(0.0, 0.0, 50.0, 50.0));
/// assert_eq!(moved, BoundingBox::new(16.0, 8.0, 32.0, 24.0));
/// assert_eq!(transform.inverse().unwrap().bounding_box(&moved).x2, 50.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    /// `[a, b, c]` for x and `[d, e, f]` for y: x becomes `a x + b y + c`.
    matrix: [[f64; 3]; 2],
    /// Width and height of the image that is read.
    from: [usize; 2],
    /// Width and height of the image that comes out.
    to: [usize; 2],
}

impl Transform {
    /// An image of this size stays as it is.
    pub fn identity(width: usize, height: usize) -> Self {
        let size = [width, height];
        Self { matrix: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], from: size, to: size }
    }

    /// Width and height of the image that comes out.
    pub fn size(&self) -> [usize; 2] {
        self.to
    }

    /// Then mirrors left and right.
    pub fn flip_horizontal(self) -> Self {
        let [width, height] = self.to;
        self.step([[-1.0, 0.0, width as f64], [0.0, 1.0, 0.0]], [width, height])
    }

    /// Then mirrors above and below.
    pub fn flip_vertical(self) -> Self {
        let [width, height] = self.to;
        self.step([[1.0, 0.0, 0.0], [0.0, -1.0, height as f64]], [width, height])
    }

    /// Then cuts out a part whose upper left corner is at (`x`, `y`), which may lie outside: what
    /// the image lacks is black.
    pub fn crop(self, x: f64, y: f64, width: usize, height: usize) -> Self {
        self.step([[1.0, 0.0, -x], [0.0, 1.0, -y]], [width, height])
    }

    /// Then stretches to this size.
    pub fn resize(self, width: usize, height: usize) -> Self {
        let part = |new: usize, old: usize| new as f64 / old.max(1) as f64;
        let (x, y) = (part(width, self.to[0]), part(height, self.to[1]));
        self.step([[x, 0.0, 0.0], [0.0, y, 0.0]], [width, height])
    }

    /// Then fits the whole image into this size: sides keep their proportion (to a whole pixel),
    /// and what is left is black, as much on both sides.
    pub fn letterbox(self, width: usize, height: usize) -> Self {
        let [w, h] = fitted(self.to.map(|side| side as u32), [width as u32, height as u32]);
        let (w, h) = (w as usize, h as usize);
        let margin = |new: usize, inner: usize| ((new - inner) / 2) as f64;
        let (x, y) = (margin(width, w), margin(height, h));
        self.resize(w, h).crop(-x, -y, width, height)
    }

    /// Then turns about the middle, clockwise by this angle in radians; the size stays.
    pub fn rotate(self, angle: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        self.about_centre([[cos, -sin], [sin, cos]], [0.0, 0.0])
    }

    /// Then applies a linear map about the middle, and then a shift; the size stays.
    pub fn about_centre(self, [[a, b], [d, e]]: [[f64; 2]; 2], shift: [f64; 2]) -> Self {
        let [x, y] = self.to.map(|side| side as f64 / 2.0);
        let (c, f) = (x + shift[0] - a * x - b * y, y + shift[1] - d * x - e * y);
        self.step([[a, b, c], [d, e, f]], self.to)
    }

    /// This one, and then `next`, which takes images of the size that this one gives.
    pub fn then(self, next: &Self) -> Self {
        self.step(next.matrix, next.to)
    }

    fn step(self, next: [[f64; 3]; 2], to: [usize; 2]) -> Self {
        let [x, y] = self.matrix;
        let matrix = next
            .map(|[a, b, c]| [a * x[0] + b * y[0], a * x[1] + b * y[1], a * x[2] + b * y[2] + c]);
        Self { matrix, from: self.from, to }
    }

    /// The way back; `None` where everything fell onto a line or a point.
    pub fn inverse(&self) -> Option<Self> {
        let [[a, b, c], [d, e, f]] = self.matrix;
        let determinant = a * e - b * d;
        let matrix = [[e, -b, b * f - c * e], [-d, a, c * d - a * f]]
            .map(|row| row.map(|value| value / determinant));
        let finite = matrix.iter().flatten().all(|value| value.is_finite());
        finite.then_some(Self { matrix, from: self.to, to: self.from })
    }

    /// Where a point goes.
    pub fn point(&self, point: Point) -> Point {
        let (x, y) = self.place(f64::from(point.x), f64::from(point.y));
        Point { x: x as f32, y: y as f32 }
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let [[a, b, c], [d, e, f]] = self.matrix;
        (a * x + b * y + c, d * x + e * y + f)
    }

    /// The box around the moved corners, not clipped to the image.
    pub fn bounding_box(&self, bounds: &BoundingBox) -> BoundingBox {
        let corners = bounds.corners().map(|corner| self.point(corner));
        BoundingBox::around(&corners).unwrap_or(*bounds)
    }

    /// The moved corners, not clipped to the image.
    pub fn polygon(&self, polygon: &Polygon) -> Polygon {
        Polygon { points: polygon.points.iter().map(|&point| self.point(point)).collect() }
    }

    /// The mask in the image that comes out: each pixel is what its centre is.
    pub fn mask(&self, mask: &Rle) -> Rle {
        let [width, height] = self.to;
        let [rows, columns] = mask.size.map(|side| side as usize);
        let pixels = mask.to_pixels();
        let back = self.inverse();
        Rle::of(height, width, |row, column| {
            let Some(back) = back else { return false };
            let (x, y) = back.place(column as f64 + 0.5, row as f64 + 0.5);
            let inside = (0.0..columns as f64).contains(&x) && (0.0..rows as f64).contains(&y);
            inside && pixels[y as usize * columns + x as usize]
        })
    }

    /// The image that comes out, of the same kind (grey or RGB, eight bits): bilinear between
    /// pixels, black where there is nothing. Where it shrinks, nothing is averaged.
    pub fn image(&self, image: &DynamicImage) -> DynamicImage {
        match image {
            DynamicImage::ImageLuma8(grey) => DynamicImage::ImageLuma8(self.sample(grey)),
            image => DynamicImage::ImageRgb8(self.sample(&image.to_rgb8())),
        }
    }

    fn sample<P: Pixel<Subpixel = u8>>(
        &self,
        image: &ImageBuffer<P, Vec<u8>>,
    ) -> ImageBuffer<P, Vec<u8>> {
        let [width, height] = self.to.map(|side| side as u32);
        let channels = usize::from(P::CHANNEL_COUNT);
        let mut out = ImageBuffer::new(width, height);
        let Some(back) = self.inverse() else { return out };
        let mut values = [0.0; 4];
        for (column, row, pixel) in out.enumerate_pixels_mut() {
            let (x, y) = back.place(f64::from(column) + 0.5, f64::from(row) + 0.5);
            let (x, y) = (x - 0.5, y - 0.5);
            values.fill(0.0);
            for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
                let (near_x, near_y) = (x.floor() + dx, y.floor() + dy);
                let inside = (0.0..f64::from(image.width())).contains(&near_x)
                    && (0.0..f64::from(image.height())).contains(&near_y);
                if inside {
                    let weight = (1.0 - (x - near_x).abs()) * (1.0 - (y - near_y).abs());
                    let own: &P = image.get_pixel(near_x as u32, near_y as u32);
                    for (value, &byte) in values.iter_mut().zip(own.channels()) {
                        *value += weight * f64::from(byte);
                    }
                }
            }
            for (byte, value) in pixel.channels_mut().iter_mut().zip(&values[..channels]) {
                *byte = value.round() as u8;
            }
        }
        out
    }
}

/// The largest size with the proportion of `size` that fits into `room`, at least a pixel.
pub(crate) fn fitted(size: [u32; 2], room: [u32; 2]) -> [u32; 2] {
    let [width, height] = size.map(|side| f64::from(side.max(1)));
    let scale = (f64::from(room[0]) / width).min(f64::from(room[1]) / height);
    let side = |side: f64, room: u32| ((side * scale).round() as u32).clamp(1, room.max(1));
    [side(width, room[0]), side(height, room[1])]
}
