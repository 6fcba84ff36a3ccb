//! From an image of any size to a detector's input and back, as torchvision's detectors do it:
//! the shorter side to a length, the longer one to at most another, bilinear and without
//! averaging, zeros on the right and below up to whole strides.

use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tenfold_core::geometry::BoundingBox;

/// The lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Of the shorter side ...
    pub shorter: usize,
    /// ... unless the longer one would be longer than this.
    pub longest: usize,
}

/// An image as a network sees it.
#[derive(Clone, Debug)]
pub struct Framed {
    /// `[3, height, width]` with the zeros.
    pub values: Vec<f32>,
    /// Height and width with the zeros.
    pub padded: [usize; 2],
    /// Height and width without.
    pub size: [usize; 2],
    /// Height and width of the image before.
    pub before: [usize; 2],
}

impl Frame {
    /// That of torchvision's weights for COCO.
    pub const COCO: Self = Self { shorter: 800, longest: 1333 };

    /// Height and width that an image of this height and width gets.
    pub fn size(&self, size: [usize; 2]) -> [usize; 2] {
        let [short, long] = [size[0].min(size[1]), size[0].max(size[1])].map(|side| side.max(1));
        let scale = self.shorter as f64 / short as f64;
        let scale = scale.min(self.longest as f64 / long as f64);
        size.map(|side| ((side as f64 * scale).floor() as usize).max(1))
    }

    /// The input: values in 0..1, less `mean` and divided by `std`, padded to multiples of
    /// `stride`.
    pub fn apply(&self, image: &RgbImage, mean: [f32; 3], std: [f32; 3], stride: usize) -> Framed {
        let before = [image.height() as usize, image.width() as usize];
        let size = self.size(before);
        let padded = size.map(|side| side.next_multiple_of(stride));
        let (rows, columns) = (samples(before[0], size[0]), samples(before[1], size[1]));
        let mut values = vec![0.0; 3 * padded[0] * padded[1]];
        let bytes = image.as_raw();
        values.par_chunks_mut(padded[1]).enumerate().for_each(|(at, out)| {
            let (channel, row) = (at / padded[0], at % padded[0]);
            let Some(&(y, next_y, part_y)) = rows.get(row) else { return };
            let value = |y: usize, x: usize| {
                let byte = bytes[(y * before[1] + x) * 3 + channel];
                (f32::from(byte) / 255.0 - mean[channel]) / std[channel]
            };
            for (out, &(x, next_x, part_x)) in out.iter_mut().zip(&columns) {
                let along = |y: usize| value(y, x) * (1.0 - part_x) + value(y, next_x) * part_x;
                *out = along(y) * (1.0 - part_y) + along(next_y) * part_y;
            }
        });
        Framed { values, padded, size, before }
    }
}

/// For each place of the new side two places of the old one, and the part of the second.
fn samples(old: usize, new: usize) -> Vec<(usize, usize, f32)> {
    let scale = old as f32 / new as f32;
    let one = |place: usize| {
        let at = (scale * (place as f32 + 0.5) - 0.5).max(0.0);
        let low = (at as usize).min(old - 1);
        (low, (low + 1).min(old - 1), (at - low as f32).min(1.0))
    };
    (0..new).map(one).collect()
}

impl Framed {
    /// A box of the input in pixels of the image.
    pub fn back(&self, own: &BoundingBox) -> BoundingBox {
        let [y, x] = [0, 1].map(|i| self.before[i] as f32 / self.size[i] as f32);
        BoundingBox::new(own.x1 * x, own.y1 * y, own.x2 * x, own.y2 * y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn sizes_are_torchvisions() {
        // [333, 500] * 800 / 333; the longer side decides for [300, 900].
        assert_eq!(Frame::COCO.size([333, 500]), [800, 1201]);
        assert_eq!(Frame::COCO.size([600, 900]), [800, 1200]);
        assert_eq!(Frame::COCO.size([900, 300]), [1333, 444]);
        assert_eq!(Frame::COCO.size([1, 5000]), [1, 1333]);
    }

    #[test]
    fn an_image_and_a_box_there_and_back() {
        let image = RgbImage::from_fn(4, 2, |x, _| Rgb([(x * 85) as u8, 51, 255]));
        let frame = Frame { shorter: 4, longest: 100 };
        let own = frame.apply(&image, [0.0, 0.2, 0.5], [1.0, 1.0, 0.5], 16);
        assert_eq!((own.size, own.padded, own.before), ([4, 8], [16, 16], [2, 4]));
        // Twice as wide: a quarter of the way from one pixel to the next, and three quarters.
        let row: Vec<f32> = own.values[..9].iter().map(|x| (x * 12.0).round()).collect();
        assert_eq!(row, [0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 12.0, 0.0]);
        let planes = own.values.chunks(256);
        let first: Vec<f32> = planes.map(|plane| plane[0]).collect();
        assert!(first[1].abs() < 1e-6 && first[2] == 1.0 && own.values[4 * 16] == 0.0);
        let back = own.back(&BoundingBox::new(2.0, 1.0, 8.0, 4.0));
        assert_eq!(back, BoundingBox::new(1.0, 0.5, 4.0, 2.0));
    }
}
