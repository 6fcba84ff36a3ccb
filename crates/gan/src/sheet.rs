//! Sheets of images, and a GIF of those that a training leaves.

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, Rgb, RgbImage, imageops};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tenfold_core::{Error, Result, files};

/// Pixels between images.
const GAP: u32 = 2;
/// Frames of a GIF, at most; of more every second one is left out, and so on.
const FRAMES: usize = 60;

/// Images in rows of `columns`.
pub fn grid(images: &[DynamicImage], columns: usize) -> RgbImage {
    let columns = columns.max(1) as u32;
    let wide = GAP + images.iter().map(DynamicImage::width).max().unwrap_or(0);
    let high = GAP + images.iter().map(DynamicImage::height).max().unwrap_or(0);
    let rows = (images.len() as u32).div_ceil(columns);
    let mut sheet = RgbImage::from_pixel(GAP + columns * wide, GAP + rows * high, Rgb([128; 3]));
    for (i, image) in images.iter().enumerate() {
        let (column, row) = (i as u32 % columns, i as u32 / columns);
        let at = (i64::from(GAP + column * wide), i64::from(GAP + row * high));
        imageops::replace(&mut sheet, &image.to_rgb8(), at.0, at.1);
    }
    sheet
}

/// Writes an image as PNG, whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write(image: &DynamicImage, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    }
    let mut png = std::io::Cursor::new(Vec::new());
    let written = image.write_to(&mut png, image::ImageFormat::Png);
    written.map_err(|why| Error::file(path, why))?;
    files::write(path, png.get_ref())
}

/// The file of the sheet of a folder's images: beside the folder, so that who reads the folder finds
/// these images alone.
pub fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_os_string();
    name.push("-sheet.png");
    folder.with_file_name(name)
}

/// The file of a training's sheet after a step.
pub fn frame(run: &Path, step: usize) -> PathBuf {
    run.join("samples").join(format!("{step:07}.png"))
}

/// Removes the sheets of an earlier training, and of steps after `last`, which come again.
pub fn clear(run: &Path, last: usize) {
    let Ok(entries) = std::fs::read_dir(run.join("samples")) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_suffix(".png")?.parse::<usize>().ok());
        if step.is_some_and(|step| step > last) {
            // Litter harms nothing: it is written over.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Joins a training's sheets into `samples.gif`.
///
/// # Errors
/// A file that cannot be read or written.
pub fn join(run: &Path) -> Result<()> {
    let folder = run.join("samples");
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(()) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "png"));
    paths.sort();
    let every = paths.len().div_ceil(FRAMES).max(1);
    let last = paths.len().saturating_sub(1);
    let mut bytes = Vec::new();
    {
        let fault = |why: image::ImageError| Error::file(run.join("samples.gif"), why);
        let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
        encoder.set_repeat(Repeat::Infinite).map_err(fault)?;
        for (i, path) in paths.iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last) {
            let image = image::open(path).map_err(|why| Error::file(path, why))?.to_rgba8();
            // The last one stands for a while.
            let time = Duration::from_millis(if i == last { 2000 } else { 200 });
            let frame = Frame::from_parts(image, 0, 0, Delay::from_saturating_duration(time));
            encoder.encode_frame(frame).map_err(fault)?;
        }
    }
    match paths.is_empty() {
        true => Ok(()),
        false => files::write(&run.join("samples.gif"), &bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::AnimationDecoder;

    #[test]
    fn sheets_are_joined_in_order_and_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let tile = |value| DynamicImage::ImageRgb8(RgbImage::from_pixel(4, 4, Rgb([value; 3])));
        for step in [5, 10, 200] {
            let sheet = grid(&[tile(step as u8), tile(0), tile(0)], 2);
            assert_eq!(sheet.dimensions(), (14, 14));
            write(&sheet.into(), &frame(run, step)).unwrap();
        }
        join(run).unwrap();
        let gif = std::io::BufReader::new(std::fs::File::open(run.join("samples.gif")).unwrap());
        let frames = image::codecs::gif::GifDecoder::new(gif).unwrap().into_frames();
        let frames = frames.collect_frames().unwrap();
        let tone = |frame: &Frame| frame.buffer().get_pixel(3, 3).0[0];
        assert_eq!(frames.iter().map(tone).collect::<Vec<_>>(), [5, 10, 200]);
        clear(run, 10);
        assert!(frame(run, 10).exists() && !frame(run, 200).exists());
    }
}
