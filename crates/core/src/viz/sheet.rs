//! A contact sheet: many small images on one.

use crate::{Error, Result, files};
use image::{DynamicImage, Rgb, RgbImage, imageops};
use std::io::Cursor;
use std::path::Path;

const GAP: u32 = 8;
/// Larger tiles are brought to this width.
pub(super) const WIDEST: u32 = 256;

/// Lays the tiles out row by row, about as wide as high, and replaces `path` with them, as PNG.
///
/// # Errors
/// The file cannot be written.
pub fn write(tiles: &[RgbImage], path: &Path) -> Result<()> {
    let mut png = Cursor::new(Vec::new());
    draw(tiles)
        .write_to(&mut png, image::ImageFormat::Png)
        .map_err(|why| Error::file(path, why))?;
    files::write(path, png.get_ref())
}

/// An image that is larger than a tile, brought to a tile's size, so that what is written on it
/// afterwards can be read.
pub fn fit(image: &DynamicImage) -> DynamicImage {
    match image.width().max(image.height()) > WIDEST {
        true => image.resize(WIDEST, WIDEST, imageops::FilterType::Triangle),
        false => image.clone(),
    }
}

/// The sheet.
pub fn draw(tiles: &[RgbImage]) -> RgbImage {
    let small = |tile: &RgbImage| match tile.width() > WIDEST {
        true => {
            let height = (tile.height() * WIDEST / tile.width()).max(1);
            imageops::resize(tile, WIDEST, height, imageops::FilterType::Triangle)
        }
        false => tile.clone(),
    };
    let tiles: Vec<RgbImage> = tiles.iter().map(small).collect();
    let columns = (tiles.len() as f64).sqrt().ceil().max(1.0) as u32;
    let rows = (tiles.len() as u32).div_ceil(columns);
    let width = GAP + tiles.iter().map(RgbImage::width).max().unwrap_or(0);
    let height = GAP + tiles.iter().map(RgbImage::height).max().unwrap_or(0);
    let size = (GAP + columns * width, GAP + rows * height);
    let mut sheet = RgbImage::from_pixel(size.0, size.1, Rgb([255; 3]));
    for (i, tile) in tiles.iter().enumerate() {
        let (column, row) = (i as u32 % columns, i as u32 / columns);
        let place = (GAP + column * width, GAP + row * height);
        imageops::replace(&mut sheet, tile, place.0.into(), place.1.into());
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_stand_in_rows() {
        let tile = |value| RgbImage::from_pixel(10, 20, Rgb([value; 3]));
        let sheet = draw(&[tile(1), tile(2), tile(3)]);
        assert_eq!(sheet.dimensions(), (8 + 2 * 18, 8 + 2 * 28));
        assert_eq!(sheet.get_pixel(8, 8).0, [1; 3]);
        assert_eq!(sheet.get_pixel(8 + 18, 8).0, [2; 3]);
        assert_eq!(sheet.get_pixel(8, 8 + 28).0, [3; 3]);
    }

    #[test]
    fn no_tiles_and_wide_tiles_are_drawn() {
        assert_eq!(draw(&[]).dimensions(), (8 + 8, 8));
        assert_eq!(draw(&[RgbImage::new(512, 2)]).dimensions(), (8 + 264, 8 + 9));
    }
}
