//! Random changes to training images, so that a model sees each one differently in every
//! epoch. The choices mean what torchvision's transforms of the same names mean.

mod text;

use image::{DynamicImage, GrayImage, Luma, Pixel, Rgb, RgbImage, imageops};
use imageproc::geometric_transformations::{Border, Interpolation, Projection, translate, warp};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::image_file;
use super::objects::Object;
use crate::geometry::Transform;

/// What to change, in the order in which it is done: crop, flip, affine, jitter, cutout.
///
/// As text, in a command line or a file, it is a list such as
/// `crop:4,flip,affine:10:0.1:0.9-1.1:5,jitter:0.2,cutout:0.25`, or `none`; parsing tells
/// what each part means when one is wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Augment {
    /// Pads this many black pixels on every side, then crops the original size out of it at a
    /// random place (`RandomCrop(size, padding)`).
    pub crop: Option<u32>,
    /// Mirrors left and right, every second time (`RandomHorizontalFlip`).
    pub flip: bool,
    /// Turns, shifts, scales and slants.
    pub affine: Option<Affine>,
    /// Changes the colours.
    pub jitter: Option<Jitter>,
    /// Hides a square whose side is this fraction of the shorter side, its centre anywhere in
    /// the image, under the image's mean colour (DeVries and Taylor, 2017).
    pub cutout: Option<f32>,
}

/// A random affine map about the image's centre (`RandomAffine`), sampled bilinearly, black
/// where nothing was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Turns by up to this many degrees either way.
    pub degrees: f32,
    /// Shifts by up to this fraction of width and height, in whole pixels.
    pub translate: f32,
    /// Scales by a factor between these two.
    pub scale: (f32, f32),
    /// Slants by up to this many degrees either way.
    pub shear: f32,
}

/// Random colours (`ColorJitter`), each change by a factor between 1 - x and 1 + x, in random
/// order. Grey images have no saturation or hue to change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// Multiplies the pixels.
    pub brightness: f32,
    /// Draws the pixels to, or away from, the image's mean grey.
    pub contrast: f32,
    /// Draws the pixels to, or away from, their own grey.
    pub saturation: f32,
    /// Turns the hue by up to this part of the full circle either way, 0.5 at most.
    pub hue: f32,
}

impl Augment {
    /// Whether an image stays as it is.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Changes `image` by choices drawn from `rng`; its size stays, and so does its kind,
    /// `ImageLuma8` or `ImageRgb8` (other kinds become one of these first).
    pub fn apply(&self, image: DynamicImage, rng: &mut impl Rng) -> DynamicImage {
        self.apply_located(image, rng).0
    }

    /// [`Augment::apply`], and the transform that moves what is known of places in the image as
    /// its pixels have moved: boxes, polygons and masks.
    pub fn apply_located(
        &self,
        image: DynamicImage,
        rng: &mut impl Rng,
    ) -> (DynamicImage, Transform) {
        let moves = Moves::draw(self, image.width(), image.height(), rng);
        let image = match image_file::plain(image) {
            DynamicImage::ImageLuma8(grey) => {
                let grey = moves.apply(grey, Luma([0]));
                DynamicImage::ImageLuma8(self.colours(grey, jitter_grey, rng))
            }
            image => {
                let colour = moves.apply(image.into_rgb8(), Rgb([0; 3]));
                DynamicImage::ImageRgb8(self.colours(colour, jitter_rgb, rng))
            }
        };
        (image, moves.transform())
    }

    /// Changes an image and moves its objects with it; those that leave it are dropped.
    pub fn apply_objects(
        &self,
        image: DynamicImage,
        objects: Vec<Object>,
        rng: &mut impl Rng,
    ) -> (DynamicImage, Vec<Object>) {
        let (image, transform) = self.apply_located(image, rng);
        let objects = objects.iter().filter_map(|object| object.moved(&transform)).collect();
        (image, objects)
    }

    /// Jitter and cutout.
    fn colours<P: Pixel<Subpixel = u8>, R: Rng>(
        &self,
        mut image: Picture<P>,
        jitter: impl Fn(&mut Picture<P>, &Jitter, &mut R),
        rng: &mut R,
    ) -> Picture<P> {
        if let Some(settings) = &self.jitter {
            jitter(&mut image, settings, rng);
        }
        if let Some(fraction) = self.cutout {
            cut_out(&mut image, fraction, rng);
        }
        image
    }
}

type Picture<P> = image::ImageBuffer<P, Vec<u8>>;

/// What was drawn for one image: crop, flip and affine.
struct Moves {
    size: (u32, u32),
    shift: (i32, i32),
    flip: bool,
    affine: Option<Turn>,
}

impl Moves {
    fn draw(settings: &Augment, width: u32, height: u32, rng: &mut impl Rng) -> Self {
        let mut shift = (0, 0);
        if let Some(padding) = settings.crop.map(i64::from).filter(|&padding| padding > 0) {
            // Padding beyond the image's size would only add more black.
            let mut along = |size: u32| whole(padding.min(i64::from(size)), rng);
            shift = (along(width), along(height));
        }
        let flip = settings.flip && rng.random::<bool>();
        let affine = settings.affine.and_then(|affine| affine.draw(width, height, rng));
        Self { size: (width, height), shift, flip, affine }
    }

    fn apply<P>(&self, mut image: Picture<P>, black: P) -> Picture<P>
    where
        P: Pixel<Subpixel = u8> + Send + Sync + 'static,
    {
        if self.shift != (0, 0) {
            image = translate(&image, self.shift, Border::Constant(black));
        }
        if self.flip {
            imageops::flip_horizontal_in_place(&mut image);
        }
        let (width, height) = self.size;
        if let Some(map) = self.affine.and_then(|turn| turn.projection(width, height)) {
            image = warp(&image, map, Interpolation::Bilinear, Border::Constant(black));
        }
        image
    }

    fn transform(&self) -> Transform {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let (x, y) = self.shift;
        let mut own =
            Transform::identity(width, height).crop(-f64::from(x), -f64::from(y), width, height);
        if self.flip {
            own = own.flip_horizontal();
        }
        match self.affine.filter(|turn| turn.projection(self.size.0, self.size.1).is_some()) {
            Some(turn) => turn.step(own),
            None => own,
        }
    }
}

/// A whole number between `-most` and `most`.
fn whole(most: i64, rng: &mut impl Rng) -> i32 {
    i32::try_from(rng.random_range(-most..=most)).unwrap_or_default()
}

/// A number between `low` and `high`; settings that are no numbers count as zero.
fn between(low: f32, high: f32, rng: &mut impl Rng) -> f32 {
    let value = low + (high - low) * rng.random::<f32>();
    if value.is_finite() { value } else { 0.0 }
}

impl Affine {
    /// One choice; none where it would change nothing.
    fn draw(&self, width: u32, height: u32, rng: &mut impl Rng) -> Option<Turn> {
        let angle = between(-self.degrees, self.degrees, rng).to_radians();
        let fraction = self.translate.clamp(0.0, 1.0);
        let mut shift = |size: u32| between(-fraction, fraction, rng) * size as f32;
        let shift = (shift(width).round(), shift(height).round());
        let scale = between(self.scale.0, self.scale.1, rng);
        let slant = -between(-self.shear, self.shear, rng).to_radians().tan();
        let turn = Turn { angle, shift, scale, slant };
        (turn != Turn { angle: 0.0, shift: (0.0, 0.0), scale: 1.0, slant: 0.0 }).then_some(turn)
    }
}

/// A scaling, a shear and a rotation about an image's centre, then a shift.
#[derive(Clone, Copy, PartialEq)]
struct Turn {
    angle: f32,
    shift: (f32, f32),
    scale: f32,
    slant: f32,
}

impl Turn {
    /// The map for places of pixels, whose centres are whole numbers there. A scale of almost
    /// nothing has no inverse, and no map.
    fn projection(&self, width: u32, height: u32) -> Option<Projection> {
        let Self { angle, shift: (tx, ty), scale, slant } = *self;
        let (cx, cy) = ((width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0);
        let shear = Projection::from_matrix([1.0, slant, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0])?;
        let scale = Projection::from_matrix([scale, 0.0, 0.0, 0.0, scale, 0.0, 0.0, 0.0, 1.0])?;
        // A product applies its right-hand map first.
        Some(
            Projection::translate(cx + tx, cy + ty)
                * Projection::rotate(angle)
                * shear
                * scale
                * Projection::translate(-cx, -cy),
        )
    }

    /// The same map as a step of a transform.
    fn step(&self, before: Transform) -> Transform {
        let [scale, slant] = [self.scale, self.slant].map(f64::from);
        let (sin, cos) = f64::from(self.angle).sin_cos();
        // The rotation's matrix times the shear's, times the scale.
        let linear = [[cos, cos * slant - sin], [sin, sin * slant + cos]];
        let linear = linear.map(|row| row.map(|value| value * scale));
        before.about_centre(linear, [self.shift.0.into(), self.shift.1.into()])
    }
}

/// A factor for each change, drawn whether it is used or not, and the order to make them in.
fn draw_jitter(jitter: &Jitter, rng: &mut impl Rng) -> ([f32; 4], [usize; 4]) {
    let mut factor = |amount: f32| between((1.0 - amount).max(0.0), 1.0 + amount, rng);
    let mut factors =
        [factor(jitter.brightness), factor(jitter.contrast), factor(jitter.saturation), 0.0];
    let hue = jitter.hue.clamp(-0.5, 0.5);
    factors[3] = between(-hue, hue, rng);
    let mut order = [0, 1, 2, 3];
    for last in (1..order.len()).rev() {
        order.swap(last, rng.random_range(0..=last));
    }
    (factors, order)
}

fn jitter_grey(image: &mut GrayImage, jitter: &Jitter, rng: &mut impl Rng) {
    let (factors, order) = draw_jitter(jitter, rng);
    for change in order {
        let factor = factors[change];
        let base = match change {
            0 => 0.0,
            1 => image.iter().map(|&value| f64::from(value)).sum::<f64>() / image.len() as f64,
            _ => continue,
        };
        blend(image, |_| base.round() as f32, factor);
    }
}

fn jitter_rgb(image: &mut RgbImage, jitter: &Jitter, rng: &mut impl Rng) {
    let (factors, order) = draw_jitter(jitter, rng);
    for change in order {
        let factor = factors[change];
        match change {
            0 => blend(image, |_| 0.0, factor),
            1 => {
                let sum: u64 =
                    image.pixels().map(|pixel| u64::from(image_file::luma(pixel.0))).sum();
                let count = u64::from(image.width()) * u64::from(image.height());
                let mean = (sum as f64 / count as f64).round() as f32;
                blend(image, |_| mean, factor);
            }
            2 => blend(image, |pixel| f32::from(image_file::luma(pixel.0)), factor),
            _ => {
                let degrees = (factor * 360.0).round() as i32;
                if degrees != 0 {
                    imageops::colorops::huerotate_in_place(image, degrees);
                }
            }
        }
    }
}

/// Moves every pixel to (below 1) or away from (above 1) a grey of its own.
fn blend<P: Pixel<Subpixel = u8>>(image: &mut Picture<P>, grey: impl Fn(&P) -> f32, factor: f32) {
    if factor == 1.0 {
        return;
    }
    for pixel in image.pixels_mut() {
        let grey = grey(pixel);
        // A float becomes the byte in range below it, as in Pillow.
        pixel.apply(|value| (grey + factor * (f32::from(value) - grey)) as u8);
    }
}

fn cut_out<P: Pixel<Subpixel = u8>>(image: &mut Picture<P>, fraction: f32, rng: &mut impl Rng) {
    let (width, height) = image.dimensions();
    if width == 0 || height == 0 {
        return;
    }
    let (x, y) = (rng.random_range(0..width), rng.random_range(0..height));
    let side = (fraction.clamp(0.0, 1.0) * width.min(height) as f32).round() as u32;
    if side == 0 {
        return;
    }
    let mean = mean_pixel(image);
    let span = |centre: u32, size: u32| {
        centre.saturating_sub(side / 2)..(centre + side - side / 2).min(size)
    };
    for row in span(y, height) {
        for column in span(x, width) {
            image.put_pixel(column, row, mean);
        }
    }
}

fn mean_pixel<P: Pixel<Subpixel = u8>>(image: &Picture<P>) -> P {
    let mut sums = [0u64; 4];
    for pixel in image.pixels() {
        for (sum, &value) in sums.iter_mut().zip(pixel.channels()) {
            *sum += u64::from(value);
        }
    }
    let count = u64::from(image.width()) * u64::from(image.height());
    let bytes = sums.map(|sum| ((sum + count / 2) / count) as u8);
    *P::from_slice(&bytes[..usize::from(P::CHANNEL_COUNT)])
}

#[cfg(test)]
#[path = "augment_tests.rs"]
mod tests;
