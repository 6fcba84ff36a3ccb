//! Boxes on an image.

use image::{DynamicImage, Rgb, RgbImage, imageops};
use std::io::Cursor;
use std::path::Path;
use tenfold_core::suggest::Proposal;
use tenfold_core::viz::label;
use tenfold_core::{Error, Result, files};

/// Smaller images are enlarged by a whole number up to this many pixels.
const SMALLEST: u32 = 320;
/// Colours that are easily told apart, one after the other.
const COLOURS: [[u8; 3]; 8] = [
    [230, 60, 60],
    [60, 160, 230],
    [60, 200, 90],
    [240, 180, 40],
    [190, 90, 220],
    [60, 210, 210],
    [240, 120, 40],
    [240, 110, 180],
];

/// The image with a frame around each object, and the labels with their scores above it, in the
/// order of the frames' colours.
pub fn draw(image: &DynamicImage, proposal: &Proposal) -> RgbImage {
    let least = image.width().min(image.height()).max(1);
    let times = SMALLEST.div_ceil(least).max(1);
    let (width, height) = (image.width() * times, image.height() * times);
    let mut canvas =
        imageops::resize(&image.to_rgb8(), width, height, imageops::FilterType::Nearest);
    for (place, slot) in proposal.slots.iter().enumerate() {
        let Some(own) = slot.at.as_ref().and_then(|at| at.bounding_box()) else { continue };
        let corners = <[f32; 4]>::from(own).map(|at| (at * times as f32).round() as i64);
        frame(&mut canvas, corners, Rgb(COLOURS[place % COLOURS.len()]));
    }
    let best: Vec<_> = proposal.best().take(8).cloned().collect();
    label::draw(&DynamicImage::ImageRgb8(canvas), &best)
}

/// A frame of two pixels along the inside of the corners.
pub fn frame(canvas: &mut RgbImage, [x1, y1, x2, y2]: [i64; 4], colour: Rgb<u8>) {
    let mut dot = |x: i64, y: i64| {
        let inside = (0..i64::from(canvas.width())).contains(&x)
            && (0..i64::from(canvas.height())).contains(&y);
        if inside {
            canvas.put_pixel(x as u32, y as u32, colour);
        }
    };
    for depth in 0..2 {
        for x in x1..x2 {
            dot(x, y1 + depth);
            dot(x, y2 - 1 - depth);
        }
        for y in y1..y2 {
            dot(x1 + depth, y);
            dot(x2 - 1 - depth, y);
        }
    }
}

/// Writes [`draw`]'s image to `path` as PNG.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, image: &DynamicImage, proposal: &Proposal) -> Result<()> {
    let mut png = Cursor::new(Vec::new());
    let drawn = draw(image, proposal);
    drawn.write_to(&mut png, image::ImageFormat::Png).map_err(|why| Error::file(path, why))?;
    files::write(path, png.get_ref())
}
