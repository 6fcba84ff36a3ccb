//! Turns one input into the numbers a model takes, the same way in training and long after.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::example::{Examples, Input, Kind};
use super::resize::{Resize, Steps, shaped};
use super::{image_file, resample};
use crate::geometry::{BoundingBox, Transform};
use crate::{Error, Result};

/// How many training examples mean and deviation are measured on, at most.
const MOST_MEASURED: usize = 10_000;

/// What is done to an input before a model sees it; kept with the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Preprocess {
    /// For images: to grey or colour, to one size, from bytes to 0..1, then
    /// `(x - mean) / std`.
    #[serde(rename = "picture", alias = "image")]
    Image {
        /// 1 for grey, 3 for colour.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
        /// What is done to images of another size.
        resize: Resize,
        /// Subtracted, one number a channel, on the scale 0..1.
        mean: Vec<f32>,
        /// Divided by, one number a channel, on the scale 0..1.
        std: Vec<f32>,
    },
    /// For rows of numbers: `(x - mean) / std`.
    Row {
        /// Subtracted, one number a column.
        mean: Vec<f64>,
        /// Divided by, one number a column.
        std: Vec<f64>,
    },
}

impl Preprocess {
    /// The preprocessing that `kind` asks for, with mean and standard deviation measured on
    /// `train`: on all of it, or on 10,000 examples evenly spread. `resize` is what is done to
    /// images of other sizes. What never varies gets a deviation of 1.
    ///
    /// # Errors
    ///
    /// When an example cannot be read or is not of this kind.
    pub fn fit(kind: &Kind, train: &Examples, resize: Resize) -> Result<Self> {
        let (len, count) = (train.len(), train.len().min(MOST_MEASURED));
        let input = |place: usize| Ok::<_, Error>(train.get(place * len / count)?.input);
        match kind {
            &Kind::Images { channels, height, width } => {
                Self::unit([channels, height, width]).check()?;
                // Whole numbers add up to the same in any order, so threads may share the work.
                let sums = (0..count)
                    .into_par_iter()
                    .map(|place| {
                        let image = shaped(&input(place)?, channels, height, width, resize)?;
                        Ok::<_, Error>(byte_sums(image.as_bytes(), channels))
                    })
                    .try_reduce(Sums::default, |a, b| Ok(a.plus(b)))?;
                let pixels = (count * height * width).max(1) as f64;
                let (mean, std) = (0..channels).map(|c| sums.moments(c, pixels)).unzip();
                Ok(Self::Image { channels, height, width, resize, mean, std })
            }
            Kind::Rows { columns, .. } => {
                let rows = (0..count)
                    .map(|place| row(&input(place)?, columns.len()).map(<[f64]>::to_vec))
                    .collect::<Result<Vec<_>>>()?;
                let (mean, std) = (0..columns.len())
                    .map(|column| moments(rows.iter().map(|row| row[column])))
                    .unzip();
                Ok(Self::Row { mean, std })
            }
            Kind::Texts => Err(Error::argument("input", "texts; expected images or rows")),
        }
    }

    /// Images stretched to `[channels, height, width]`, their values in 0..1.
    pub fn unit([channels, height, width]: [usize; 3]) -> Self {
        let (mean, std) = (vec![0.0; channels], vec![1.0; channels]);
        Self::Image { channels, height, width, resize: Resize::Stretch, mean, std }
    }

    /// Inputs as one batch `[batch, channels, height, width]`; a row of a table is
    /// `[1, 1, columns]`.
    ///
    /// # Errors
    /// As [`Preprocess::apply`].
    pub fn batch(&self, inputs: &[&Input], device: &Device) -> Result<Tensor<4>> {
        let values = inputs.par_iter().map(|input| self.apply(input));
        let values = values.collect::<Result<Vec<_>>>()?;
        let Self::Image { resize: Resize::Sides { .. }, .. } = self else {
            return Ok(self.tensor(values.concat(), device));
        };
        let own = |input: &&Input| {
            let [width, height] = input.image_size().unwrap_or([1; 2]);
            self.transform(width, height).size()
        };
        let sizes: Vec<[usize; 2]> = inputs.iter().map(own).collect();
        let most = |axis: usize| sizes.iter().map(|size| size[axis]).max().unwrap_or(1);
        let ([width, height], channels) = ([most(0), most(1)], self.shape()[0]);
        let mut all = Vec::with_capacity(inputs.len() * channels * height * width);
        for (values, size) in values.iter().zip(&sizes) {
            for plane in values.chunks_exact(size[0] * size[1]) {
                let end = all.len() + height * width;
                for row in plane.chunks_exact(size[0]) {
                    all.extend(row);
                    all.extend(std::iter::repeat_n(0.0, width - size[0]));
                }
                all.resize(end, 0.0);
            }
        }
        let shape = [inputs.len(), channels, height, width];
        Ok(Tensor::from_data(TensorData::new(all, shape), device))
    }

    /// Height and width of an image of this width and height in what comes out, without the zeros
    /// on the right and below.
    pub fn inner(&self, [width, height]: [u32; 2]) -> [usize; 2] {
        let [_, most_height, most_width] = self.shape();
        let most = [most_height, most_width];
        match self {
            Self::Image { resize, .. } => {
                resize.interpolated([height, width], most).map_or(most, |[inner, _]| inner)
            }
            _ => most,
        }
    }

    /// The numbers of any number of inputs of one size, one after the other, as a batch.
    pub fn tensor(&self, values: Vec<f32>, device: &Device) -> Tensor<4> {
        let [channels, height, width] = self.shape();
        let count = values.len() / (channels * height * width).max(1);
        Tensor::from_data(TensorData::new(values, [count, channels, height, width]), device)
    }

    /// The numbers of `input`, in the order of [`Preprocess::shape`].
    ///
    /// # Errors
    ///
    /// When the input is of another kind or has another number of columns, or these settings
    /// contradict themselves.
    pub fn apply(&self, input: &Input) -> Result<Vec<f32>> {
        self.check()?;
        match self {
            Self::Image { channels, height, width, resize, mean, std } => {
                let image = shaped(input, *channels, *height, *width, *resize)?;
                let bytes = image.as_bytes();
                let mut values = Vec::with_capacity(bytes.len());
                for channel in 0..*channels {
                    let (mean, std) = (mean[channel], std[channel]);
                    let plane = bytes[channel..].iter().step_by(*channels);
                    values.extend(plane.map(|&byte| (f32::from(byte) / 255.0 - mean) / std));
                }
                let size = [image.height(), image.width()];
                Ok(match resize.interpolated(size, [*height, *width]) {
                    Some([inner, outer]) => {
                        let size = size.map(|side| side as usize);
                        resample::interpolate(&values, size, inner, outer)
                    }
                    None => values,
                })
            }
            Self::Row { mean, std } => {
                let row = row(input, mean.len())?;
                // In 64 bits until they are near 0: 32 do not tell 1,700,000,001 from 1,700,000,002.
                let scaled = |((x, mean), std): ((&f64, &f64), &f64)| ((x - mean) / std) as f32;
                Ok(row.iter().zip(mean).zip(std).map(scaled).collect())
            }
        }
    }

    /// Whether [`Preprocess::shaped`] brings images to their size. If not they stay as large as
    /// they are until [`Preprocess::apply`].
    pub fn shapes(&self) -> bool {
        let late = |resize| matches!(resize, Resize::Interpolate | Resize::Sides { .. });
        matches!(*self, Self::Image { resize, .. } if !late(resize))
    }

    /// An image as [`Preprocess::apply`] brings it to its size, for which `apply` then gives the
    /// same numbers: the longest part of the work, which may be done before, on another thread.
    /// Other inputs stay as they are.
    ///
    /// # Errors
    ///
    /// As [`Preprocess::apply`].
    pub fn shaped(&self, input: Input) -> Result<Input> {
        self.check()?;
        match (self, &input) {
            (Self::Image { channels, height, width, resize, .. }, Input::Image(image))
                if self.shapes() =>
            {
                let size = [image.width(), image.height()];
                Ok(Input::Shaped(shaped(&input, *channels, *height, *width, *resize)?, size))
            }
            _ => Ok(input),
        }
    }

    /// `[channels, height, width]` of what [`Preprocess::apply`] gives; a row of n columns is
    /// `[1, 1, n]`.
    pub fn shape(&self) -> [usize; 3] {
        match self {
            Self::Image { channels, height, width, .. } => [*channels, *height, *width],
            Self::Row { mean, .. } => [1, 1, mean.len()],
        }
    }

    /// Where [`Preprocess::apply`] takes the places of an image of this size. What a model says
    /// of places comes back through [`Transform::inverse`]. Rows of numbers have no places:
    /// nothing is moved.
    pub fn transform(&self, width: u32, height: u32) -> Transform {
        let own = Transform::identity(width as usize, height as usize);
        let Self::Image { height: new_height, width: new_width, resize, .. } = *self else {
            return own;
        };
        match resize {
            Resize::Stretch => own.resize(new_width, new_height),
            Resize::Letterbox => own.letterbox(new_width, new_height),
            Resize::Interpolate | Resize::Sides { .. } => {
                let sizes = resize.interpolated([height, width], [new_height, new_width]);
                let [inner, outer] = sizes.unwrap_or([[new_height, new_width]; 2]);
                own.resize(inner[1], inner[0]).crop(0.0, 0.0, outer[1], outer[0])
            }
            Resize::ShorterSide(side) => {
                let steps = Steps::new([width, height], side as u32, [new_width, new_height]);
                let ([x, y], [w, h]) = steps.trim;
                let own = own.crop(x.into(), y.into(), w as usize, h as usize);
                let [w, h] = steps.scaled;
                let [x, y] = steps.crop.map(|at| at as f64);
                own.resize(w as usize, h as usize).crop(x, y, new_width, new_height)
            }
        }
    }

    /// The part of an image of this size that [`Preprocess::apply`] keeps; it may reach beyond.
    pub fn window(&self, width: u32, height: u32) -> BoundingBox {
        let transform = self.transform(width, height);
        let whole =
            |[width, height]: [usize; 2]| BoundingBox::new(0.0, 0.0, width as f32, height as f32);
        match transform.inverse() {
            Some(back) => back.bounding_box(&whole(transform.size())),
            None => whole([width as usize, height as usize]),
        }
    }

    /// Settings may come from a file that someone has edited.
    fn check(&self) -> Result<()> {
        let wrong = |why: &str| Err(Error::argument("preprocessing", why));
        let (counts, valid) = match self {
            Self::Image { channels, height, width, resize, mean, std } => {
                if ![1, 3].contains(channels) {
                    return wrong("expected 1 or 3 channels");
                }
                let sides = 1..=image_file::MOST_SIDE as usize / 4;
                let also = match resize {
                    Resize::ShorterSide(side) => [side; 3],
                    Resize::Sides { shorter, longer, multiple } => [shorter, longer, multiple],
                    _ => [height; 3],
                };
                if ![height, width].into_iter().chain(also).all(|side| sides.contains(side)) {
                    return wrong("expected a height and a width from 1 to 4096 pixels");
                }
                ([mean.len(), std.len(), *channels], are_scales(mean, std))
            }
            Self::Row { mean, std } => ([mean.len(), std.len(), mean.len()], are_scales(mean, std)),
        };
        let [means, stds, expected] = counts;
        if means != expected || stds != expected || expected == 0 {
            return wrong("expected one mean and one std for each channel or column");
        }
        if !valid {
            return wrong("expected finite means, and stds above 0");
        }
        Ok(())
    }
}

/// Whether numbers can be brought to these scales.
fn are_scales<T: Copy + Into<f64>>(mean: &[T], std: &[T]) -> bool {
    let above_zero = |&std: &T| std.into().is_finite() && std.into() > 0.0;
    mean.iter().all(|&mean| mean.into().is_finite()) && std.iter().all(above_zero)
}

fn row(input: &Input, columns: usize) -> Result<&[f64]> {
    match input {
        Input::Row(row) if row.len() == columns => Ok(row),
        Input::Row(row) => Err(Error::argument(
            "input",
            format!("a row of {} numbers; expected {columns}", row.len()),
        )),
        other => {
            let why = format!("{}; expected a row of {columns} numbers", other.name());
            Err(Error::argument("input", why))
        }
    }
}

/// Sums of the bytes and of their squares, for each channel.
#[derive(Clone, Copy, Default)]
struct Sums {
    values: [u64; 3],
    squares: [u64; 3],
}

impl Sums {
    fn plus(mut self, other: Self) -> Self {
        for channel in 0..3 {
            self.values[channel] += other.values[channel];
            self.squares[channel] += other.squares[channel];
        }
        self
    }

    /// Mean and standard deviation of one channel on the scale 0..1.
    fn moments(&self, channel: usize, pixels: f64) -> (f32, f32) {
        let mean = self.values[channel] as f64 / pixels / 255.0;
        let square = self.squares[channel] as f64 / pixels / (255.0 * 255.0);
        (mean as f32, deviation(square - mean * mean))
    }
}

fn byte_sums(bytes: &[u8], channels: usize) -> Sums {
    let mut sums = Sums::default();
    for pixel in bytes.chunks_exact(channels) {
        for (channel, &byte) in pixel.iter().enumerate() {
            sums.values[channel] += u64::from(byte);
            sums.squares[channel] += u64::from(byte) * u64::from(byte);
        }
    }
    sums
}

/// Mean and standard deviation of a column's numbers. What never varies but by rounding gets a
/// deviation of 1.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    let std = variance.sqrt();
    let least = (mean.abs() * 1e-12).max(f64::MIN_POSITIVE);
    (mean, if std.is_finite() && std > least { std } else { 1.0 })
}

/// The root of a variance, or 1 where nothing varies: rounding leaves a little more than zero.
fn deviation(variance: f64) -> f32 {
    let deviation = variance.max(0.0).sqrt() as f32;
    if deviation.is_finite() && deviation > 1e-7 { deviation } else { 1.0 }
}

#[cfg(test)]
#[path = "preprocess_tests.rs"]
mod tests;
