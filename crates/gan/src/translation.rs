//! `predict` of a model that makes images from images: at any size.

use crate::flags::PredictFlags;
use crate::models::translate::TranslateConfig;
use crate::models::translators::{Translator, Translators};
use crate::pixels::images;
use crate::sheet;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use image::DynamicImage;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_core::cli::args::PredictArgs;
use tenfold_core::cli::print_json;
use tenfold_core::data::image_file;
use tenfold_core::progress::note;
use tenfold_core::task::predict::Inputs;
use tenfold_core::viz::label;
use tenfold_core::{Error, Result};

/// Pixels of an image, at most: the maps of a network take some thousand bytes for each.
const MOST: usize = 4096 * 4096;

/// An image of the other kind, of the same size. Its sides are made multiples of `multiple` by
/// pixels like those at the edges, which are cut off again.
///
/// # Errors
/// An image that is too large.
pub fn translated(
    network: &Translator,
    image: &DynamicImage,
    channels: usize,
    multiple: usize,
    device: &Device,
) -> Result<DynamicImage> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    if width * height > MOST {
        let why = format!("{width}x{height} pixels; expected {MOST} at most");
        return Err(Error::argument("input", why));
    }
    // Two of the smallest maps at least, or nothing can be normalised.
    let padded = |side: usize| side.next_multiple_of(multiple).max(2 * multiple);
    let (wide, high) = (padded(width), padded(height));
    let (left, top) = ((wide - width) / 2, (high - height) / 2);
    let bytes: Vec<u8> = match channels {
        1 => image_file::grey(image.clone()).into_raw(),
        _ => image.to_rgb8().into_raw(),
    };
    let clamped = |at: usize, before: usize, side: usize| at.saturating_sub(before).min(side - 1);
    let mut values = Vec::with_capacity(channels * wide * high);
    for channel in 0..channels {
        for y in 0..high {
            let row = clamped(y, top, height) * width;
            values.extend((0..wide).map(|x| {
                let pixel = row + clamped(x, left, width);
                f32::from(bytes[pixel * channels + channel]) / 127.5 - 1.0
            }));
        }
    }
    let shape = [1, channels, high, wide];
    let made = network.forward(Tensor::from_data(TensorData::new(values, shape), device));
    let made = images(made.narrow(2, top, height).narrow(3, left, width));
    made.into_iter().next().ok_or_else(|| Error::argument("input", "no image"))
}

/// Translates the inputs into files of `--draw`.
///
/// # Errors
/// Flags of other models; inputs that cannot be read, files that cannot be written.
pub fn run(
    network: &Translators,
    config: &TranslateConfig,
    paths: &[PathBuf],
    args: &PredictArgs,
    own: &PredictFlags,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let asked = [
        ("--samples", own.samples.is_some()),
        ("--seed", own.seed.is_some()),
        ("--truncate", own.truncate.is_some()),
        ("--class", own.class.is_some()),
        ("--code", own.code.is_some()),
        ("--interpolate", own.interpolate.is_some()),
    ];
    if let Some((flag, _)) = asked.into_iter().find(|(_, asked)| *asked) {
        let why = "this model makes images from images: name some, such as photo.jpg";
        return Err(Error::argument(flag, why).into());
    }
    let (translator, from) = match (own.backward, &network.back) {
        (false, _) => (&network.there, config.channels[0]),
        (true, Some(back)) => (back, config.channels[1]),
        (true, None) => {
            let why = "this model has one way; cyclegan has two";
            return Err(Error::argument("--backward", why).into());
        }
    };
    let folder = own.draw.as_ref().ok_or_else(|| {
        Error::argument("--draw", "name a folder for the images: photo.jpg --draw translated")
    })?;
    let device = network.devices().into_iter().next().unwrap_or_default();
    let Inputs { paths, mut faults } = Inputs::new(paths)?;
    let files = label::paths(folder, paths.iter().map(PathBuf::as_path));
    let (mut told, mut sheet_of) = (Vec::new(), Vec::new());
    for (path, file) in paths.iter().zip(files) {
        if same(path, &file) {
            let why = format!("would replace the input {}: name another folder", file.display());
            return Err(Error::argument("--draw", why).into());
        }
        let done = image_file::read(path).and_then(|image| {
            let made = translated(translator, &image, from, config.multiple(), &device)?;
            Ok((image, made))
        });
        match done {
            Ok((image, made)) => {
                sheet::write(&made, &file)?;
                if sheet_of.len() < 32 {
                    sheet_of.extend([small(&image), small(&made)]);
                }
                if !args.json {
                    writeln!(out, "{}  {}", path.display(), file.display())?;
                }
                told.push(json!({"input": path, "file": file}));
            }
            Err(fault) => faults.push(fault),
        }
    }
    if !sheet_of.is_empty() {
        let sheet: DynamicImage = sheet::grid(&sheet_of, 2).into();
        sheet::write(&sheet, &sheet::beside(folder))?;
    }
    if args.json {
        print_json(&told, out)?;
    }
    note(format_args!("wrote {} images to {}", told.len(), folder.display()));
    Inputs { paths, faults }.done()
}

fn small(image: &DynamicImage) -> DynamicImage {
    tenfold_core::viz::sheet::fit(image)
}

fn same(input: &Path, output: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(input).is_some_and(|input| real(output) == Some(input))
}
