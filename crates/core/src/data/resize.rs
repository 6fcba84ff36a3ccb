//! Brings images to a model's size.

use image::{DynamicImage, GrayImage, RgbImage};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::example::Input;
use super::{image_file, resample};
use crate::geometry::fitted;
use crate::{Error, Result};

/// How an image of another size is brought to the model's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Both sides at once, whatever the proportions.
    Stretch,
    /// The shorter side to this many pixels, then the middle is cut out; black is added where
    /// that is too small. As torchvision's `Resize` and `CenterCrop`.
    ShorterSide(usize),
    /// The whole image inside, with its proportions; black is added on both sides.
    Letterbox,
    /// As `Stretch`, but between the four nearest pixels alone, however much smaller the image
    /// becomes: torch's `interpolate`, by which torchvision feeds its detectors.
    Interpolate,
    /// The shorter side to this many pixels, or to fewer where the longer one would have more than
    /// `longer`, as `Interpolate` does it; then zeros on the right and below up to a multiple.
    /// Images come out in different sizes, none larger than the model's.
    Sides {
        /// Pixels of the shorter side.
        shorter: usize,
        /// Most pixels of the longer side.
        longer: usize,
        /// Of this rows and columns are multiples.
        multiple: usize,
    },
}

impl Resize {
    /// Height and width of an image inside what comes out, and of what comes out, for those of an
    /// image; none where bytes are resized before they become numbers.
    pub(super) fn interpolated(self, size: [u32; 2], most: [usize; 2]) -> Option<[[usize; 2]; 2]> {
        match self {
            Self::Interpolate => Some([most; 2]),
            Self::Sides { shorter, longer, multiple } => {
                let [short, long] = [size[0].min(size[1]), size[0].max(size[1])].map(f64::from);
                let scale = (shorter as f64 / short).min(longer as f64 / long);
                let inner = size.map(|side| ((f64::from(side) * scale) as usize).max(1));
                Some([inner, inner.map(|side| side.next_multiple_of(multiple.max(1)))])
            }
            _ => None,
        }
    }
}

/// The image with the wanted channels and size.
pub(super) fn shaped(
    input: &Input,
    channels: usize,
    height: usize,
    width: usize,
    resize: Resize,
) -> Result<DynamicImage> {
    let image = match input {
        Input::Image(image) => image,
        Input::Shaped(image, _) => {
            let fits = [image.height(), image.width(), image.color().channel_count().into()]
                == [height as u32, width as u32, channels as u32];
            let why = || Error::argument("input", "an image that was shaped for another model");
            return if fits { Ok(image.clone()) } else { Err(why()) };
        }
        Input::Row(_) | Input::Text(_) => {
            return Err(Error::argument("input", format!("{}; expected an image", input.name())));
        }
    };
    // No copy of an image that may be large, where it is made smaller.
    let image = match (image, channels) {
        (DynamicImage::ImageLuma8(_), 1) | (DynamicImage::ImageRgb8(_), 3) => Cow::Borrowed(image),
        (DynamicImage::ImageRgb8(image), 1) => {
            Cow::Owned(DynamicImage::ImageLuma8(image_file::grey_of(image)))
        }
        (image, 1) => Cow::Owned(DynamicImage::ImageLuma8(image_file::grey(image.clone()))),
        (image, _) => Cow::Owned(DynamicImage::ImageRgb8(image.to_rgb8())),
    };
    let (height, width) = (height as u32, width as u32);
    match resize {
        Resize::Stretch => resized(&image, height, width),
        // Its numbers are, later.
        Resize::Interpolate | Resize::Sides { .. } => Ok(image.into_owned()),
        Resize::Letterbox => {
            let [w, h] = fitted([image.width(), image.height()], [width, height]);
            let image = resized(&image, h, w)?;
            Ok(placed(
                &image,
                [-i64::from((width - w) / 2), -i64::from((height - h) / 2)],
                height,
                width,
            ))
        }
        Resize::ShorterSide(side) => {
            let size = [image.width(), image.height()];
            let steps = Steps::new(size, side as u32, [width as usize, height as usize]);
            let ([x, y], [w, h]) = steps.trim;
            let image = if [w, h] == size { image } else { Cow::Owned(image.crop_imm(x, y, w, h)) };
            let [w, h] = steps.scaled;
            Ok(placed(&resized(&image, h, w)?, steps.crop, height, width))
        }
    }
}

/// What [`Resize::ShorterSide`] does to an image; all pairs are columns, then rows.
pub(super) struct Steps {
    /// A part of the image, by its upper left corner and its size. The ends are cut off an image
    /// so long and thin that scaling its shorter side up would make millions of pixels that the
    /// crop throws away again.
    pub(super) trim: ([u32; 2], [u32; 2]),
    /// The size to scale that to.
    pub(super) scaled: [u32; 2],
    /// The upper left corner of the middle part; below 0 where black is added.
    pub(super) crop: [i64; 2],
}

impl Steps {
    pub(super) fn new([w, h]: [u32; 2], side: u32, new: [usize; 2]) -> Self {
        let longer = new[0].max(new[1]) as u64;
        let needed = u64::from(w.min(h)) * longer / u64::from(side);
        let keep = needed.saturating_mul(4).saturating_add(64);
        let keep = |size: u32| u32::try_from(keep).unwrap_or(u32::MAX).min(size);
        let kept = [keep(w), keep(h)];
        let trim = [(w - kept[0]) / 2, (h - kept[1]) / 2];
        let [w, h] = kept;
        let long =
            |long: u32, short: u32| (u64::from(side) * u64::from(long) / u64::from(short)) as u32;
        let scaled = if h <= w { [long(w, h), side] } else { [side, long(h, w)] };
        // Python rounds halves to the even number, and torchvision with it.
        let offset = |have: u32, want: usize| {
            ((i64::from(have) - want as i64) as f64 / 2.0).round_ties_even() as i64
        };
        let crop = [offset(scaled[0], new[0]), offset(scaled[1], new[1])];
        Self { trim: (trim, kept), scaled, crop }
    }
}

/// Bilinear with antialiasing, as Pillow resizes.
fn resized(image: &DynamicImage, height: u32, width: u32) -> Result<DynamicImage> {
    if (image.width(), image.height()) == (width, height) {
        return Ok(image.clone());
    }
    let grey = matches!(image, DynamicImage::ImageLuma8(_));
    let channels = if grey { 1 } else { 3 };
    let sides = [image.height(), image.width()].map(|side| side as usize);
    let new = [height, width].map(|side| side as usize);
    let bytes = resample::resize(image.as_bytes(), channels, sides, new);
    let image = if grey {
        GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8)
    };
    image.ok_or_else(|| Error::argument("input", "an image whose size does not fit its pixels"))
}

/// The part of an image from (`x`, `y`) on, black where that lies outside.
fn placed(image: &DynamicImage, [x, y]: [i64; 2], height: u32, width: u32) -> DynamicImage {
    let mut out = match image {
        DynamicImage::ImageLuma8(_) => DynamicImage::new_luma8(width, height),
        _ => DynamicImage::new_rgb8(width, height),
    };
    match (&mut out, image) {
        (DynamicImage::ImageLuma8(out), DynamicImage::ImageLuma8(image)) => {
            image::imageops::replace(out, image, -x, -y);
        }
        (DynamicImage::ImageRgb8(out), DynamicImage::ImageRgb8(image)) => {
            image::imageops::replace(out, image, -x, -y);
        }
        _ => {}
    }
    out
}
