//! The embedded data set `glyphs`: digits and capital letters, 28x28 grey, white on black, an
//! MNIST that needs no download.
//!
//! Each image is drawn when it is asked for, from a pen's path with a hand's slant, tremor,
//! pressure and pen width. It follows from seed, part and index alone.

mod draw;
mod strokes;

pub use draw::SIDE;
pub use strokes::CLASSES;

use burn_dataset::Dataset;
use image::{DynamicImage, GrayImage};

use super::example::{Example, Input};
use super::random::SplitMix64;
use crate::{Error, Result};

/// The name to open it by.
pub const NAME: &str = "glyphs";

/// The seed of the data set that `--data glyphs` opens. It is fixed, so that runs with
/// different seeds are judged by the same images.
pub const SEED: u64 = 28;

/// One part of the data set; parts are drawn from streams of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 18,000 images.
    Train,
    /// 1,800 images.
    Validation,
    /// 3,600 images.
    Test,
}

/// The images of one part, with as many of every class.
#[derive(Clone, Copy, Debug)]
pub struct Glyphs {
    seed: u64,
    part: Part,
}

impl Glyphs {
    /// A part of the data set that `--data glyphs` opens.
    pub fn new(part: Part) -> Self {
        Self::seeded(SEED, part)
    }

    /// A part of another set, drawn with another seed.
    pub fn seeded(seed: u64, part: Part) -> Self {
        Self { seed, part }
    }

    /// Every 36 examples are all 36 classes, in an order of their own.
    fn label(&self, index: usize) -> usize {
        let (block, place) = (index / CLASSES, index % CLASSES);
        let mut order: [usize; CLASSES] = std::array::from_fn(|class| class);
        let keys = [self.seed, self.part as u64, block as u64, u64::from_be_bytes(*b"in order")];
        SplitMix64::keyed(&keys).shuffle(&mut order);
        order[place]
    }
}

/// The name of each class, in label order.
pub fn classes() -> Vec<String> {
    ('0'..='9').chain('A'..='Z').map(String::from).collect()
}

impl Dataset<Example, Error> for Glyphs {
    fn get(&self, index: usize) -> Result<Example> {
        let label = self.label(index);
        let mut random = SplitMix64::keyed(&[self.seed, self.part as u64, index as u64]);
        let pixels = draw::glyph(label, &mut random);
        let image = GrayImage::from_fn(SIDE as u32, SIDE as u32, |x, y| {
            image::Luma([pixels[y as usize * SIDE + x as usize]])
        });
        Ok(Example {
            input: Input::Image(DynamicImage::ImageLuma8(image)),
            target: label,
            file: None,
        })
    }

    fn len(&self) -> usize {
        match self.part {
            Part::Train => 18_000,
            Part::Validation => 1_800,
            Part::Test => 3_600,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(data: &Glyphs, index: usize) -> Vec<u8> {
        match data.get(index).unwrap().input {
            Input::Image(image) => image.into_luma8().into_raw(),
            _ => panic!("glyphs are images"),
        }
    }

    #[test]
    fn a_picture_follows_from_seed_part_and_index() {
        let train = Glyphs::new(Part::Train);
        assert_eq!(pixels(&train, 5), pixels(&Glyphs::new(Part::Train), 5));
        assert_ne!(pixels(&train, 5), pixels(&train, 6));
        assert_ne!(pixels(&train, 5), pixels(&Glyphs::new(Part::Test), 5));
        assert_ne!(pixels(&train, 5), pixels(&Glyphs::seeded(1, Part::Train), 5));
    }

    #[test]
    fn every_part_has_as_many_of_every_class() {
        for (part, each) in [(Part::Train, 500), (Part::Validation, 50), (Part::Test, 100)] {
            let data = Glyphs::new(part);
            let mut counts = [0; CLASSES];
            (0..data.len()).for_each(|index| counts[data.label(index)] += 1);
            assert_eq!(counts, [each; CLASSES]);
        }
        let train = Glyphs::new(Part::Train);
        let labels = |from: usize| (from..from + 36).map(|i| train.label(i)).collect::<Vec<_>>();
        assert_ne!(labels(0), labels(36), "each block in an order of its own");
    }

    #[test]
    fn every_picture_has_ink_inside_and_a_dark_ground() {
        let data = Glyphs::new(Part::Validation);
        for index in 0..data.len() {
            let pixels = pixels(&data, index);
            let bright =
                |pixels: &mut dyn Iterator<Item = &u8>| pixels.filter(|&&p| p > 100).count();
            let ink = bright(&mut pixels.iter());
            assert!((20..420).contains(&ink), "{ink} bright pixels in example {index}");
            let rim = pixels.iter().enumerate().filter(|(at, _)| {
                let (x, y) = (at % SIDE, at / SIDE);
                x == 0 || y == 0 || x == SIDE - 1 || y == SIDE - 1
            });
            let cut = bright(&mut rim.map(|(_, pixel)| pixel));
            assert!(cut <= 8, "{cut} bright pixels on the rim of example {index}");
        }
    }
}
