//! What the embedded data looks like: a row of samples for each of the 36 glyphs.
//!
//! `cargo run --release -p tenfold-core --example glyphs -- glyphs.png`

use image::{GrayImage, imageops};
use tenfold_core::data::{Input, OpenOptions, open};
use tenfold_core::{Error, Result};

const COLUMNS: usize = 20;

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "glyphs.png".into());
    let options = OpenOptions { seed: 1, ..OpenOptions::default() };
    let glyphs = open("glyphs", &options)?;
    let mut filled = vec![0; glyphs.classes.len()];
    let mut sheet = GrayImage::new(28 * COLUMNS as u32, 28 * filled.len() as u32);
    for index in 0..glyphs.test.len() {
        let example = glyphs.test.get(index)?;
        let column = &mut filled[example.target];
        if let (Input::Image(picture), true) = (example.input, *column < COLUMNS) {
            let (x, y) = (28 * *column as i64, 28 * example.target as i64);
            imageops::replace(&mut sheet, &picture.into_luma8(), x, y);
            *column += 1;
        }
    }
    sheet.save(&path).map_err(|why| Error::file(&path, why))?;
    println!("{path}");
    Ok(())
}
