//! Four-dimensional data of any strides.

use super::sizes::floats;
use super::{Out, share};

/// A tensor `[batch, channels, height, width]` somewhere in a slice.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Holds every element; the first one is at 0.
    pub(super) data: &'a [f32],
    pub(super) shape: [usize; 4],
    /// Floats from one to the next along batch, channels, height and width.
    pub(super) strides: [usize; 4],
}

impl<'a> View<'a> {
    /// A view of sizes and strides in this order: batch, channels, height and width.
    ///
    /// # Panics
    /// Where an element would lie outside of the data, or there are more than memory holds.
    pub fn new(data: &'a [f32], shape: [usize; 4], strides: [usize; 4]) -> Self {
        let last = || {
            let mut steps = shape.iter().zip(strides);
            steps.try_fold(0usize, |last, (&size, stride)| {
                last.checked_add((size - 1).checked_mul(stride)?)
            })
        };
        let inside = shape.contains(&0) || last().is_some_and(|last| last < data.len());
        assert!(
            inside && floats(&shape).is_some(),
            "a view of {shape:?} by {strides:?} in {} floats",
            data.len()
        );
        Self { data, shape, strides }
    }

    /// Sizes of batch, channels, height and width.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Data that lie channels last, without gaps.
    ///
    /// # Panics
    /// Where the length is another.
    pub fn channels_last(data: &'a [f32], shape @ [_, c, h, w]: [usize; 4]) -> Self {
        assert_eq!(Some(data.len()), floats(&shape), "floats for {shape:?}");
        Self::new(data, shape, [h * w * c, 1, w * c, c])
    }

    /// Whether the data lie channels last, without gaps.
    pub fn is_channels_last(&self) -> bool {
        let [n, c, h, w] = self.shape;
        let expected = [h * w * c, 1, w * c, c];
        let agree = |i: usize| self.shape[i] == 1 || self.strides[i] == expected[i];
        (0..4).all(agree) && self.data.len() >= n * c * h * w
    }

    /// Writes image `image` as `[height, width, channels]`, whose rows are `row` floats apart.
    pub(super) fn copy_image(&self, image: usize, row: usize, out: &mut [f32]) {
        let [_, channels, height, width] = self.shape;
        let [batch, channel, line, pixel] = self.strides;
        if channels == 0 || width == 0 {
            return;
        }
        for y in 0..height {
            let from = &self.data[image * batch + y * line..];
            let out = &mut out[y * row..][..width * channels];
            if channel == 1 && pixel == channels {
                out.copy_from_slice(&from[..width * channels]);
            } else if channel == 1 || channels == 1 {
                for (x, out) in out.chunks_exact_mut(channels).enumerate() {
                    out.copy_from_slice(&from[x * pixel..][..channels]);
                }
            } else {
                // Eight channels at a time: their lines of the source stay in the cache while
                // the pixels go by.
                for first in (0..channels).step_by(8) {
                    let last = channels.min(first + 8);
                    for (x, out) in out.chunks_exact_mut(channels).enumerate() {
                        for (c, out) in (first..).zip(&mut out[first..last]) {
                            *out = from[x * pixel + c * channel];
                        }
                    }
                }
            }
        }
    }

    /// The same channels last: `[batch, height, width, channels]`.
    pub fn to_channels_last(&self) -> Vec<f32> {
        let [n, c, h, w] = self.shape;
        let image = c * h * w;
        let mut out = vec![0.0; n * image];
        let place = Out(out.as_mut_ptr());
        share(n, n * image, |index| {
            // SAFETY: each image has its own part.
            let out = unsafe { std::slice::from_raw_parts_mut(place.at(index * image), image) };
            self.copy_image(index, w * c, out);
        });
        out
    }
}
