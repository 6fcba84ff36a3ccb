//! From examples to batches.

use crate::augment::{Annotated, Augment};
use crate::data::unboxed::moved;
use burn::tensor::{Device, Tensor};
use image::imageops::{self, FilterType};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::{Example, Examples, Input, Object, Preprocess, Resize};
use tenfold_core::train::loader::{Collate, Epoch};
use tenfold_core::{Error, Result};

/// Images `[batch, 3, side, side]`, and the objects of each in pixels of these.
pub type Batch = (Tensor<4>, Vec<Vec<Object>>);

/// What the drawing of sizes is keyed by.
const SIZE: u64 = u64::from_be_bytes(*b"size\0\0\0\0");

/// Batches to learn from.
pub struct Batches {
    /// The examples.
    pub examples: Examples<Vec<Object>>,
    /// From an image to the network's input.
    pub preprocess: Preprocess,
    /// The sides of batches, of which each draws one; none: those of `preprocess`.
    pub sizes: Vec<usize>,
    /// What is done to the images.
    pub augment: Augment,
    /// Which epoch it is ...
    pub epoch: Epoch,
    /// ... and from which one on mosaics are closed.
    pub closed: usize,
}

impl Batches {
    fn annotated(&self, index: usize, preprocess: &Preprocess) -> Result<Annotated> {
        let Example { input, target, .. } = self.examples.get(index)?;
        let Input::Image(image) = input else {
            return Err(Error::argument("input", "expected an image"));
        };
        let bare = |object: Object| Object { mask: None, ..object };
        let (image, objects) = (image.into_rgb8(), target.into_iter().map(bare));
        match preprocess {
            // Augmentation would else keep the proportions, which images of a model's lose.
            Preprocess::Image { resize: Resize::Interpolate | Resize::Stretch, .. } => {
                let [_, height, width] = preprocess.shape();
                let transform = preprocess.transform(image.width(), image.height());
                let image =
                    imageops::resize(&image, width as u32, height as u32, FilterType::Triangle);
                Ok((image, objects.filter_map(|object| moved(&object, &transform)).collect()))
            }
            _ => Ok((image, objects.collect())),
        }
    }

    fn one(
        &self,
        index: usize,
        seed: u64,
        preprocess: &Preprocess,
    ) -> Result<(Vec<f32>, Vec<Object>)> {
        let (image, objects) = self.annotated(index, preprocess)?;
        let (image, objects) = match self.augment.is_none() {
            true => {
                let transform = preprocess.transform(image.width(), image.height());
                (image, objects.iter().filter_map(|object| moved(object, &transform)).collect())
            }
            false => {
                let mut random = SplitMix64::keyed(&[seed, index as u64]);
                let last = self.epoch.get() as usize >= self.closed;
                let [_, side, _] = preprocess.shape();
                let count = self.examples.len();
                self.augment.apply((image, objects), side, last, &mut random, |random| {
                    self.annotated(random.below(count), preprocess)
                })?
            }
        };
        Ok((preprocess.apply(&Input::Image(image.into()))?, objects))
    }
}

impl Collate for Batches {
    type Host = (Vec<f32>, Vec<Vec<Object>>, Preprocess);
    type Batch = Batch;

    fn len(&self) -> usize {
        self.examples.len()
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host> {
        let (mut images, mut truth) = (Vec::new(), Vec::new());
        let mut preprocess = self.preprocess.clone();
        if let (Some(&first), Preprocess::Image { height, width, .. }, false) =
            (examples.first(), &mut preprocess, self.sizes.is_empty())
        {
            let mut random = SplitMix64::keyed(&[seed, first as u64, SIZE]);
            let side = self.sizes[random.below(self.sizes.len())];
            (*height, *width) = (side, side);
        }
        for &index in examples {
            let (values, objects) = self.one(index, seed, &preprocess)?;
            images.extend(values);
            truth.push(objects);
        }
        Ok((images, truth, preprocess))
    }

    fn upload(&self, (images, truth, preprocess): Self::Host, device: &Device) -> Batch {
        (preprocess.tensor(images, device), truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use tenfold_core::device;
    use tenfold_core::geometry::BoundingBox;

    /// Images of 40 x 20 pixels with a box of the right half.
    struct Halves;

    impl burn_dataset::Dataset<Example<Vec<Object>>, Error> for Halves {
        fn get(&self, _: usize) -> Result<Example<Vec<Object>>> {
            let bounding_box = BoundingBox::new(20.0, 0.0, 40.0, 20.0);
            let target = vec![Object { label: 0, bounding_box, mask: None }];
            let input = Input::Image(RgbImage::new(40, 20).into());
            Ok(Example { input, target, file: None })
        }

        fn len(&self) -> usize {
            8
        }
    }

    fn batches(resize: Resize, sizes: Vec<usize>, augment: Augment) -> Batches {
        let (mean, std) = (vec![0.0; 3], vec![1.0; 3]);
        let preprocess =
            Preprocess::Image { channels: 3, height: 64, width: 64, resize, mean, std };
        let epoch = Epoch::default();
        Batches { examples: Arc::new(Halves), preprocess, sizes, augment, epoch, closed: 9 }
    }

    #[test]
    fn each_batch_has_one_of_the_sizes_and_boxes_in_its_pixels() {
        let device = device::open("cpu").unwrap();
        let own = batches(Resize::Letterbox, vec![32, 64, 96], Augment::default());
        let mut seen = BTreeSet::new();
        for first in 0..8 {
            let host = own.stack(&[first, 7 - first], 5).unwrap();
            let (images, truth) = own.upload(host, &device);
            let [count, channels, height, width] = images.dims();
            assert_eq!((count, channels, height), (2, 3, width));
            let [side, half] = [width as f32, width as f32 / 2.0];
            let expected = BoundingBox::new(half, half / 2.0, side, half * 1.5);
            assert_eq!(truth[0][0].bounding_box, expected);
            seen.insert(width);
        }
        assert!(seen.len() > 1 && seen.iter().all(|side| [32, 64, 96].contains(side)), "{seen:?}");
    }

    #[test]
    fn what_is_stretched_for_the_network_is_stretched_for_its_training() {
        for augment in [Augment::default(), Augment { colour: 0.1, ..Augment::default() }] {
            let (values, truth, _) =
                batches(Resize::Interpolate, Vec::new(), augment).stack(&[0], 1).unwrap();
            assert_eq!(values.len(), 3 * 64 * 64);
            assert_eq!(truth[0][0].bounding_box, BoundingBox::new(32.0, 0.0, 64.0, 64.0));
        }
    }
}
