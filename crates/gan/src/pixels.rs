//! Images in memory as bytes of one size, and tensors in -1..1 and back.

use crate::pairs::Pairs;
use burn::tensor::{Device, Tensor, TensorData};
use image::{DynamicImage, GrayImage, RgbImage};
use rayon::prelude::*;
use tenfold_core::Result;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::{Examples, Input, Preprocess, Resize};

/// The images of a split: bytes, channel after channel, image after image.
pub struct Pixels {
    bytes: Vec<u8>,
    /// The class of each.
    pub labels: Vec<usize>,
    shape: [usize; 3],
}

/// How an image of another size or another number of channels is made alike.
pub fn preprocess([channels, height, width]: [usize; 3]) -> Preprocess {
    let resize = Resize::ShorterSide(height.min(width));
    let (mean, std) = (vec![0.0; channels], vec![1.0; channels]);
    Preprocess::Image { channels, height, width, resize, mean, std }
}

impl Pixels {
    /// Reads the examples, up to `most`.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn read(examples: &Examples, shape: [usize; 3], most: usize) -> Result<Self> {
        let preprocess = preprocess(shape);
        let one = |place: usize| {
            let example = examples.get(place)?;
            let values = preprocess.apply(&example.input)?;
            // Multiples of 1/255, so that nothing is lost.
            let bytes = values.iter().map(|value| (value * 255.0).round() as u8);
            Ok((bytes.collect::<Vec<u8>>(), example.target))
        };
        let read = (0..examples.len().min(most)).into_par_iter().map(one);
        let read = read.collect::<Result<Vec<_>>>()?;
        let labels = read.iter().map(|(_, label)| *label).collect();
        let bytes = read.into_iter().flat_map(|(bytes, _)| bytes).collect();
        Ok(Self { bytes, labels, shape })
    }

    /// Reads the images of one kind of pairs, up to `most`.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn of_pairs(pairs: &Pairs, kind: usize, shape: [usize; 3], most: usize) -> Result<Self> {
        let preprocess = preprocess(shape);
        let one = |place: usize| {
            let pair = pairs.get(place)?;
            let values = preprocess.apply(&Input::Image(pair[kind].clone()))?;
            Ok(values.iter().map(|value| (value * 255.0).round() as u8).collect::<Vec<u8>>())
        };
        let count = pairs.len().min(most);
        let bytes = (0..count).into_par_iter().map(one).collect::<Result<Vec<_>>>()?.concat();
        Ok(Self { bytes, labels: vec![0; count], shape })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Those at `places`, `[batch, channels, height, width]` in -1..1.
    pub fn batch(&self, places: &[usize], device: &Device) -> Tensor<4> {
        let [channels, height, width] = self.shape;
        let size = channels * height * width;
        let bytes = places.iter().flat_map(|at| &self.bytes[at * size..(at + 1) * size]);
        let values: Vec<f32> = bytes.map(|&byte| f32::from(byte) / 127.5 - 1.0).collect();
        let shape = [places.len(), channels, height, width];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// One of them.
    pub fn image(&self, place: usize) -> DynamicImage {
        let size: usize = self.shape.iter().product();
        image(&self.bytes[place * size..(place + 1) * size], self.shape)
    }
}

/// Planes of bytes as an image.
fn image(planes: &[u8], [channels, height, width]: [usize; 3]) -> DynamicImage {
    let area = height * width;
    // As many bytes as the size says: `None` cannot happen.
    let size = (width as u32, height as u32);
    match channels {
        1 => {
            let image = GrayImage::from_raw(size.0, size.1, planes.to_vec());
            DynamicImage::ImageLuma8(image.unwrap_or_default())
        }
        _ => {
            let bytes = (0..area).flat_map(|i| [0, 1, 2].map(|c| planes[c * area + i]));
            let image = RgbImage::from_raw(size.0, size.1, bytes.collect());
            DynamicImage::ImageRgb8(image.unwrap_or_default())
        }
    }
}

/// Tensors in -1..1 as images.
pub fn images(tensor: Tensor<4>) -> Vec<DynamicImage> {
    let [_, channels, height, width] = tensor.dims();
    let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
    let byte = |value: &f32| ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
    let planes = values.chunks(channels * height * width);
    let one = |values: &[f32]| {
        image(&values.iter().map(byte).collect::<Vec<u8>>(), [channels, height, width])
    };
    planes.map(one).collect()
}

/// The examples of a training's batches: all of them in an order of their own, again and again.
#[derive(Debug)]
pub struct Order {
    seed: u64,
    len: usize,
    pass: u64,
    places: Vec<usize>,
}

impl Order {
    /// Of `len` examples, which follow from the seed.
    pub fn new(seed: u64, len: usize) -> Self {
        Self { seed, len, pass: u64::MAX, places: Vec::new() }
    }

    /// The places of batch `number`, counted from 0.
    pub fn batch(&mut self, number: usize, size: usize) -> Vec<usize> {
        (number * size..(number + 1) * size).map(|at| self.at(at)).collect()
    }

    fn at(&mut self, at: usize) -> usize {
        let pass = (at / self.len) as u64;
        if pass != self.pass {
            self.places = (0..self.len).collect();
            let keys = [self.seed, pass, u64::from_be_bytes(*b"in order")];
            SplitMix64::keyed(&keys).shuffle(&mut self.places);
            self.pass = pass;
        }
        self.places[at % self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::data::glyphs::{Glyphs, Part};

    #[test]
    fn bytes_come_back_as_they_were() {
        let examples: Examples = std::sync::Arc::new(Glyphs::new(Part::Validation));
        let pixels = Pixels::read(&examples, [1, 28, 28], 5).unwrap();
        assert_eq!(pixels.len(), 5);
        let back = images(pixels.batch(&[3, 1], &Device::flex()));
        assert_eq!(back[0].as_bytes(), pixels.image(3).as_bytes());
        let Input::Image(own) = examples.get(1).unwrap().input else { panic!("glyphs are images") };
        assert_eq!(back[1].as_bytes(), own.as_bytes());
        let colour = Pixels::read(&examples, [3, 32, 32], 2).unwrap();
        assert_eq!(colour.image(0).color(), image::ColorType::Rgb8);
    }

    #[test]
    fn every_example_comes_once_a_pass_and_a_batch_follows_from_its_number() {
        let mut order = Order::new(1, 10);
        let mut first: Vec<usize> = (0..5).flat_map(|i| order.batch(i, 2)).collect();
        let third = order.batch(7, 2);
        assert_eq!(third, Order::new(1, 10).batch(7, 2));
        first.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<_>>());
        // Fewer examples than a batch: some come twice.
        assert_eq!(Order::new(1, 3).batch(0, 8).len(), 8);
    }
}
