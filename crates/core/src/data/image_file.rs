//! Reads one image from a file, whatever its format, into grey or RGB with eight bits a
//! channel, and refuses what is broken or too large before memory is spent on it.

use std::fs::File;
use std::io::{BufRead, Cursor, Read, Seek};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{jpeg, repair, tiff, webp};
use crate::{Error, Result};

/// The longest side an image may have, in pixels.
pub const MOST_SIDE: u32 = 16_384;
/// The most pixels an image may have.
pub const MOST_PIXELS: u64 = 64 << 20;
/// The largest image file that is read, in bytes.
pub const MOST_BYTES: u64 = 512 << 20;
/// What a decoder may allocate beside the image itself, in bytes.
const MOST_MEMORY: u64 = 1 << 30;
/// What stands beside a PNG's pixels may take so much more than the file, unpacked; a larger
/// colour profile is left out, since nothing here reads it.
const MOST_BESIDE: u64 = 16 << 20;
/// The most pixels that a byte of a file can stand for: a blank page as it is faxed needs so few.
/// WebP has a blank image of any size in a hundred bytes, which only [`FEW_PIXELS`] may have.
const MOST_PIXELS_A_BYTE: u64 = 1 << 15;
/// Pixels that any file may have.
const FEW_PIXELS: u64 = 2 << 20;
/// How far into a JPEG its size is looked for.
const JPEG_HEADER: u64 = 1 << 20;

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

/// [`read`] for a file that is open; `path` is named in errors.
///
/// # Errors
///
/// As [`read`].
pub fn read_open(path: impl AsRef<Path>, file: File) -> Result<DynamicImage> {
    let path = path.as_ref();
    decode(path, &bytes_in(path, regular(path, file)?)?)
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

/// What it takes to read an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Columns, as the file has them.
    pub width: u32,
    /// Rows, as the file has them.
    pub height: u32,
    /// The most bytes of memory that [`decode`] takes, beside the file's content, or
    /// [`Preprocess::shaped`](super::Preprocess::shaped) after it.
    pub memory: u64,
}

impl Weight {
    /// Columns by rows.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// What it takes to [`decode`] a file's content, by its header; `path` is named in errors.
///
/// # Errors
///
/// As [`decode`], except for faults among the pixels.
pub fn weigh(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Weight> {
    let (decoder, format) = open(path.as_ref(), Cursor::new(bytes))?;
    Ok(weight(decoder, format, bytes.len() as u64))
}

/// What it takes to read an open file, its content among it, by its header; `path` is named in
/// errors.
///
/// # Errors
///
/// As [`weigh`].
pub fn weigh_open(path: impl AsRef<Path>, file: File) -> Result<Weight> {
    let path = path.as_ref();
    let io = |error| Error::io(path, error);
    let mut file = regular(path, file)?;
    let length = file.metadata().map_err(io)?.len();
    // The decoder of JPEG takes in the whole file at once, whose start is enough.
    let mut start = Vec::new();
    file.by_ref().take(JPEG_HEADER).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    let mut weight = match image::guess_format(&start) {
        Ok(ImageFormat::Jpeg) => {
            let (decoder, format) = open(path, Cursor::new(&start))?;
            weight(decoder, format, length)
        }
        _ => {
            drop(start);
            let (decoder, format) = open(path, std::io::BufReader::new(file))?;
            weight(decoder, format, length)
        }
    };
    weight.memory += length;
    Ok(weight)
}

fn weight(mut decoder: impl ImageDecoder, format: ImageFormat, length: u64) -> Weight {
    use image::ColorType::{L8, Rgb8};
    use image::metadata::Orientation::NoTransforms;
    let (width, height) = decoder.dimensions();
    let weight = Weight { width, height, memory: 0 };
    let (pixels, raw) = (weight.pixels(), decoder.total_bytes());
    // What stands beside the raw pixels, at different times.
    let working = match format {
        // Coefficients, samples, samples of the image's size, and the other decoder's own copy.
        ImageFormat::Jpeg => pixels * 12 + length,
        // The frame and the canvas of an animation.
        ImageFormat::WebP => pixels * 8,
        ImageFormat::Gif | ImageFormat::Tiff => raw,
        // A copy in other colours, where there are run lengths.
        ImageFormat::Bmp if length < raw => raw * 2 + length,
        _ => 0,
    };
    let turned = match decoder.orientation() {
        Ok(NoTransforms) | Err(_) => 0,
        Ok(_) => raw,
    };
    let plain = if matches!(decoder.color_type(), L8 | Rgb8) { 0 } else { pixels * 3 };
    // A grey copy is the last that is made at this size.
    let beside = working.max(turned).max(plain).max(pixels);
    // Deflate makes a thousand bytes of one at most.
    let profile = match format {
        ImageFormat::Png => length + MOST_BESIDE.min(length * 1032),
        _ => 0,
    };
    Weight { memory: raw + beside + profile, ..weight }
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
        image => grey_of(&image.into_rgb8()),
    }
}

/// [`grey`] of what has colours.
pub(super) fn grey_of(image: &image::RgbImage) -> image::GrayImage {
    image::GrayImage::from_fn(image.width(), image.height(), |x, y| {
        image::Luma([luma(image.get_pixel(x, y).0)])
    })
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
    regular(path, File::open(path).map_err(|error| Error::io(path, error))?)
}

/// A file that is one, and not too large.
fn regular(path: &Path, file: File) -> Result<File> {
    let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
    if !metadata.is_file() {
        return Err(unreadable(path, "it is not a file"));
    }
    if metadata.len() > MOST_BYTES {
        return Err(unreadable(
            path,
            format!("{} bytes, where at most {MOST_BYTES} are read", metadata.len()),
        ));
    }
    Ok(file)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    bytes_in(path, regular_file(path)?)
}

fn bytes_in(path: &Path, file: File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // `take`, because the file may grow while it is read.
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| Error::io(path, error))?;
    Ok(bytes)
}

/// A decoder that has read the header and found its size within bounds.
fn open<'a, R: BufRead + Seek + 'a>(
    path: &Path,
    mut source: R,
) -> Result<(impl ImageDecoder + 'a, ImageFormat)> {
    let length = source.seek(std::io::SeekFrom::End(0)).and_then(|length| {
        source.rewind()?;
        Ok(length)
    });
    let length = length.map_err(|error| Error::io(path, error))?;
    if length == 0 {
        return Err(unreadable(path, "it is empty"));
    }
    webp::check(&mut source, length).map_err(|error| unreadable(path, why(error.into())))?;
    let mut reader =
        ImageReader::new(source).with_guessed_format().map_err(|error| Error::io(path, error))?;
    let format =
        reader.format().ok_or_else(|| unreadable(path, "its content has no known format"))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(match format {
        ImageFormat::Png => MOST_BESIDE + length,
        _ => MOST_MEMORY,
    });
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| unreadable(path, why(error)))?;
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
    let pixels = u64::from(width) * u64::from(height);
    if pixels > FEW_PIXELS + length.saturating_mul(MOST_PIXELS_A_BYTE) {
        return Err(unreadable(
            path,
            format!(
                "{width} x {height} pixels in {length} bytes; a blank image may be that small as PNG"
            ),
        ));
    }
    let most = match format {
        // A frame may say that it is larger than the canvas.
        ImageFormat::Gif => Some(decoder.total_bytes()),
        // Packed strips, and lists of where they lie.
        ImageFormat::Tiff => Some(decoder.total_bytes() + MOST_BESIDE + length),
        _ => None,
    };
    if let Some(most) = most {
        let mut limits = Limits::default();
        limits.max_alloc = Some(most);
        decoder.set_limits(limits).map_err(|error| unreadable(path, why(error)))?;
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
