//! Images of different sizes as one batch.

use crate::{Error, Result};

/// Images of one batch, each padded on the right and below, so that places in it stay what they
/// are.
#[derive(Clone, Debug, PartialEq)]
pub struct Padded {
    /// Numbers in the order of [`Padded::shape`]; 0 where there is no image, which is the mean
    /// after preprocessing.
    pub values: Vec<f32>,
    /// Images, channels, rows, columns.
    pub shape: [usize; 4],
    /// The true rows and columns of each image.
    pub sizes: Vec<[usize; 2]>,
}

impl Padded {
    /// Puts images, each `[channels, height, width]`, into the smallest batch that holds them and
    /// whose sides are multiples of `stride`, as a backbone with that stride wants them.
    ///
    /// # Errors
    /// There is no image, or their channels or numbers do not fit.
    pub fn new(images: &[(Vec<f32>, [usize; 3])], stride: usize) -> Result<Self> {
        let wrong = |why| Err(Error::argument("batch", why));
        let Some(&(_, [channels, ..])) = images.first() else {
            return wrong("no image; expected one at least");
        };
        let fits = |(values, [own, height, width]): &(Vec<f32>, [usize; 3])| {
            *own == channels && values.len() == own * height * width
        };
        if !images.iter().all(fits) {
            return wrong("expected images of as many channels, and a number for each pixel");
        }
        let sizes: Vec<[usize; 2]> = images.iter().map(|&(_, [_, h, w])| [h, w]).collect();
        let side = |place: usize| {
            let most = sizes.iter().map(|size| size[place]).max().unwrap_or(0);
            most.next_multiple_of(stride.max(1))
        };
        let [height, width] = [side(0), side(1)];
        let mut values = vec![0.0; images.len() * channels * height * width];
        // Planes of the batch, with the planes that go into them.
        let mut planes = values.chunks_exact_mut((height * width).max(1));
        for (own, [_, h, w]) in images {
            for (plane, from) in
                planes.by_ref().take(channels).zip(own.chunks_exact((h * w).max(1)))
            {
                for (row, from) in plane.chunks_exact_mut(width).zip(from.chunks_exact((*w).max(1)))
                {
                    row[..*w].copy_from_slice(from);
                }
            }
        }
        Ok(Self { values, shape: [images.len(), channels, height, width], sizes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image(channels: usize, height: usize, width: usize, first: f32) -> (Vec<f32>, [usize; 3]) {
        let values = (0..channels * height * width).map(|i| first + i as f32).collect();
        (values, [channels, height, width])
    }

    proptest! {
        #[test]
        fn every_pixel_is_where_it_was(
            sizes in prop::collection::vec((1usize..9, 1usize..9), 1..5),
            channels in 1usize..4,
            stride in 1usize..8,
        ) {
            let image = |place: usize, (h, w)| image(channels, h, w, 1.0 + 1000.0 * place as f32);
            let images: Vec<_> = sizes.iter().enumerate().map(|(i, &size)| image(i, size)).collect();
            let padded = Padded::new(&images, stride).unwrap();
            let [count, depth, height, width] = padded.shape;
            prop_assert_eq!((count, depth), (sizes.len(), channels));
            let most = |side: fn(&(usize, usize)) -> usize| sizes.iter().map(side).max().unwrap();
            for (side, most) in [(height, most(|size| size.0)), (width, most(|size| size.1))] {
                prop_assert!(side % stride == 0 && (most..most + stride).contains(&side));
            }
            for (place, value) in padded.values.iter().enumerate() {
                let (x, y) = (place % width, place / width % height);
                let (channel, n) = (place / (width * height) % depth, place / (width * height * depth));
                let [h, w] = padded.sizes[n];
                prop_assert_eq!((h, w), sizes[n]);
                let expected = match y < h && x < w {
                    true => images[n].0[(channel * h + y) * w + x],
                    false => 0.0,
                };
                prop_assert_eq!(*value, expected);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Padded::new(&[], 32).is_err());
        assert!(Padded::new(&[image(1, 2, 2, 0.0), image(3, 2, 2, 0.0)], 32).is_err());
        assert!(Padded::new(&[(vec![0.0; 3], [1, 2, 2])], 32).is_err());
    }
}
