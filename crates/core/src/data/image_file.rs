//! Reads one image from a file, whatever its format, into grey or RGB with eight bits a
//! channel, and refuses what is broken or too large before memory is spent on it.

use std::fs::File;
use std::io::{BufRead, Cursor, Read, Seek};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{jpeg, repair, tiff};
use crate::{Error, Result};

/// The longest side an image may have, in pixels.
pub const MOST_SIDE: u32 = 16_384;
/// The most pixels an image may have.
pub const MOST_PIXELS: u64 = 64 << 20;
/// The largest image file that is read, in bytes.
pub const MOST_BYTES: u64 = 512 << 20;
/// What a decoder may allocate beside the image itself, in bytes.
const MOST_MEMORY: u64 = 1 << 30;

const CUT_OFF: &str = "it is cut off before its end";

/// What an image's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 1 for grey, 3 for colour.
    pub channels: usize,
    /// Rows, once the image is turned upright.
    pub height: usize,
    /// Columns, once the image is turned upright.
    pub width: usize,
}

/// Reads an image as `ImageLuma8` or `ImageRgb8`.
///
/// The format is told by the content, never by the file's name: PNG, JPEG, GIF (its first
/// frame), BMP, WebP, TIFF (its first page) or PNM. Sixteen bits become eight, a palette becomes
/// its colours, and transparency is dropped, as torchvision's loader does; the pixels of a JPEG
/// are Pillow's. A photograph is turned upright by its EXIF orientation.
///
/// # Errors
///
/// When the file cannot be read, is no such image, is cut off, or exceeds [`MOST_SIDE`],
/// [`MOST_PIXELS`] or [`MOST_BYTES`]; size is judged by the header, before any decoding.
pub fn read(path: impl AsRef<Path>) -> Result<DynamicImage> {
    let path = path.as_ref();
    decode(path, &bytes_of(path)?)
}

/// [`read`] for a file's content already in memory; `path` is named in errors.
///
/// # Errors
///
/// As [`read`].
pub fn decode(path: impl AsRef<Path>, bytes: &[u8]) -> Result<DynamicImage> {
    let path = path.as_ref();
    let ended = repair::png_with_end(bytes);
    let (mut decoder, format) = open(path, Cursor::new(ended.as_deref().unwrap_or(bytes)))?;
    if format == ImageFormat::Jpeg {
        check_jpeg_end(path, bytes)?;
    }
    // Damaged metadata does not make the pixels worse.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let exact = if format == ImageFormat::Jpeg { jpeg::decode(bytes) } else { None };
    let mut image = match exact {
        Some(image) => image,
        None => {
            DynamicImage::from_decoder(decoder).map_err(|error| unreadable(path, why(error)))?
        }
    };
    match format {
        ImageFormat::Gif => repair::fill_gif(&mut image, bytes),
        ImageFormat::Bmp => repair::fill_bmp(&mut image, bytes),
        ImageFormat::Tiff => tiff::tell_pages(path, bytes),
        _ => {}
    }
    image.apply_orientation(orientation);
    Ok(plain(image))
}

/// Size and colour of the image at `path`, without decoding its pixels.
///
/// # Errors
///
/// As [`read`], except for faults among the pixels; of a JPEG, a missing end is noticed.
pub fn header(path: impl AsRef<Path>) -> Result<Header> {
    use image::metadata::Orientation as O;
    let path = path.as_ref();
    let file = regular_file(path)?;
    let (mut decoder, format) = open(path, std::io::BufReader::new(file))?;
    if format == ImageFormat::Jpeg {
        // The decoder has read the whole file anyway.
        check_jpeg_end(path, &bytes_of(path)?)?;
    }
    let (width, height) = decoder.dimensions();
    let channels = if decoder.color_type().has_color() { 3 } else { 1 };
    let (width, height) = match decoder.orientation().unwrap_or(O::NoTransforms) {
        O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH => (height, width),
        _ => (width, height),
    };
    Ok(Header { channels, height: height as usize, width: width as usize })
}

/// Whether a file begins as one of the formats that the decoders know.
pub(super) fn has_known_format(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = regular_file(path).map(|file| file.take(64).read_to_end(&mut start).is_ok());
    read.unwrap_or(false) && image::guess_format(&start).is_ok()
}

/// The same image as `ImageLuma8` (grey formats) or `ImageRgb8` (all others), transparency
/// dropped.
pub fn plain(image: DynamicImage) -> DynamicImage {
    match image {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => image,
        image if image.color().has_color() => DynamicImage::ImageRgb8(image.into_rgb8()),
        image => DynamicImage::ImageLuma8(image.into_luma8()),
    }
}

/// The image in grey, by ITU-R 601 as Pillow's mode `L` has it.
pub fn grey(image: DynamicImage) -> image::GrayImage {
    match plain(image) {
        DynamicImage::ImageLuma8(grey) => grey,
        image => {
            let image = image.into_rgb8();
            image::GrayImage::from_fn(image.width(), image.height(), |x, y| {
                image::Luma([luma(image.get_pixel(x, y).0)])
            })
        }
    }
}

/// The grey of one colour: 0.299 red, 0.587 green, 0.114 blue, in Pillow's own arithmetic.
pub(crate) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}

fn regular_file(path: &Path) -> Result<File> {
    // Looked at before it is opened: to open a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if !metadata.is_file() {
        return Err(unreadable(path, "it is not a file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(unreadable(
            path,
            format!("{} bytes, where at most {MOST_BYTES} are read", metadata.len()),
        ));
    }
    File::open(path).map_err(|error| Error::io(path, error))
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // `take`, because the file may grow while it is read.
    regular_file(path)?
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io(path, error))?;
    Ok(bytes)
}

/// A decoder that has read the header and found its size within bounds.
fn open<'a, R: BufRead + Seek + 'a>(
    path: &Path,
    mut source: R,
) -> Result<(impl ImageDecoder + 'a, ImageFormat)> {
    if source.fill_buf().map_err(|error| Error::io(path, error))?.is_empty() {
        return Err(unreadable(path, "it is empty"));
    }
    let mut reader =
        ImageReader::new(source).with_guessed_format().map_err(|error| Error::io(path, error))?;
    let format =
        reader.format().ok_or_else(|| unreadable(path, "its content has no known format"))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| unreadable(path, why(error)))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(unreadable(path, "it has no pixels"));
    }
    if width > MOST_SIDE || height > MOST_SIDE || u64::from(width) * u64::from(height) > MOST_PIXELS
    {
        return Err(unreadable(
            path,
            format!(
                "{width} x {height} pixels, where at most {MOST_SIDE} a side and {MOST_PIXELS} \
                 in all are read"
            ),
        ));
    }
    Ok((decoder, format))
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::file(
        path,
        format!(
            "not an image that can be read ({why}); expected PNG, JPEG, GIF, BMP, WebP, TIFF or PNM"
        ),
    )
}

fn why(error: ImageError) -> String {
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            CUT_OFF.into()
        }
        other => other.to_string(),
    }
}

/// The JPEG decoder fills what is missing with grey instead of reporting it.
fn check_jpeg_end(path: &Path, bytes: &[u8]) -> Result<()> {
    if jpeg_is_whole(bytes) { Ok(()) } else { Err(unreadable(path, CUT_OFF)) }
}

/// Whether a JPEG reaches its end-of-image marker. Segments are skipped by their length, so
/// that a thumbnail's own marker inside EXIF does not count.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const END: u8 = 0xD9;
    let mut at = 2;
    while let Some(skip) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xFF)) {
        at += skip + 1;
        match bytes.get(at) {
            Some(&END) => return true,
            // Stuffed zeros, fill bytes, restart markers and TEM have no length.
            Some(0x00 | 0xFF | 0x01 | 0xD0..=0xD7) | None => {}
            // What follows a scan's header is searched for the next marker.
            Some(_) => {
                let Some(&[high, low]) = bytes.get(at + 1..at + 3) else { return false };
                at += 1 + usize::from(u16::from_be_bytes([high, low]));
            }
        }
    }
    false
}

#[cfg(test)]
#[path = "image_file_tests.rs"]
mod tests;
