//! Selective search: boxes around what may be an object, without any training.
//!
//! J. Uijlings, K. van de Sande, T. Gevers, A. Smeulders, "Selective Search for Object
//! Recognition", IJCV 104 (2013).
//!
//! Segments of a graph over the pixels are joined, the two most alike first, until one is left;
//! the box of each is proposed. Differs from the paper, as OpenCV's fast mode does: two colour
//! spaces, hue-saturation-value and Lab; three scales of segments; likeness by colour, texture,
//! size and fill together, and by the last three. Textures are histograms of derivatives in eight
//! directions, of the smoothed image.

pub mod graph;
mod grouping;
pub mod planes;

use super::images;
use burn::tensor::Tensor;
use graph::Graph;
use grouping::{Described, Likeness};
use image::{RgbImage, imageops};
use planes::Planes;
use rayon::prelude::*;
use std::collections::HashSet;
use tenfold_core::data::Preprocess;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::geometry::BoundingBox;

/// How boxes are searched.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectiveSearch {
    /// The deviation of the Gaussian that images are smoothed by.
    pub sigma: f32,
    /// Segmentations: the larger the number, the larger the segments.
    pub scales: Vec<f32>,
    /// Pixels of a segment, at least.
    pub least: usize,
    /// Boxes, at most.
    pub keep: usize,
}

impl Default for SelectiveSearch {
    /// OpenCV's fast mode.
    fn default() -> Self {
        Self { sigma: 0.8, scales: vec![150.0, 300.0, 450.0], least: 100, keep: 2000 }
    }
}

impl SelectiveSearch {
    /// For images of so many pixels: the least segment is a thousandth of a small image.
    pub fn suited(width: usize, height: usize) -> Self {
        let own = Self::default();
        Self { least: (width * height / 1000).clamp(4, own.least), ..own }
    }

    /// Boxes, in about the order of their promise: those of late unions are large and few, so each
    /// union's place from the end is multiplied by a random number (section 4.2). No box is there
    /// twice.
    pub fn propose(&self, image: &RgbImage) -> Vec<BoundingBox> {
        if image.width() == 0 || image.height() == 0 {
            return Vec::new();
        }
        let spaces = [Planes::hsv, Planes::lab].into_par_iter().map(|convert| {
            let planes = convert(image);
            let graph = Graph::new(&planes.smoothed(self.sigma));
            (Described::new(&planes), graph)
        });
        let spaces: Vec<_> = spaces.collect();
        let places = spaces.len() * self.scales.len();
        let found = (0..places).into_par_iter().map(|place| {
            let (described, graph) = &spaces[place / self.scales.len()];
            let segments = graph.segments(self.scales[place % self.scales.len()], self.least);
            let regions = described.regions(&segments);
            [Likeness::WithColour, Likeness::WithoutColour]
                .map(|likeness| regions.clone().boxes(likeness))
        });
        let mut random = SplitMix64::keyed(&[u64::from_be_bytes(*b"segments")]);
        let mut ranked = Vec::new();
        for boxes in found.collect::<Vec<_>>().into_iter().flatten() {
            let count = boxes.len();
            let rank =
                |place: usize, random: &mut SplitMix64| random.unit() * (count - place) as f32;
            ranked.extend(
                boxes.into_iter().enumerate().map(|(place, own)| (rank(place, &mut random), own)),
            );
        }
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut seen = HashSet::new();
        let new = |own: &[u32; 4]| seen.insert(*own);
        let boxes = ranked.into_iter().map(|(_, own)| own).filter(new).take(self.keep);
        boxes.map(|own| BoundingBox::from(own.map(|side| side as f32))).collect()
    }
}

/// At most `keep` boxes of each image of a batch `[batch, 3, height, width]`, as `preprocess`
/// normalised it; `sizes` are height and width of each without the border beside it.
pub fn in_batch(
    batch: Tensor<4>,
    preprocess: &Preprocess,
    sizes: &[[usize; 2]],
    keep: usize,
) -> Vec<Vec<BoundingBox>> {
    let one = |(image, &[height, width]): (RgbImage, &[usize; 2])| {
        let own = imageops::crop_imm(&image, 0, 0, width as u32, height as u32).to_image();
        SelectiveSearch { keep, ..SelectiveSearch::suited(width, height) }.propose(&own)
    };
    images::of(batch, preprocess).into_par_iter().zip(sizes).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// Rectangles of even colours on grey.
    fn drawn(objects: &[([u32; 4], [u8; 3])]) -> RgbImage {
        RgbImage::from_fn(120, 80, |x, y| {
            let inside =
                |own: &[u32; 4]| (own[0]..own[2]).contains(&x) && (own[1]..own[3]).contains(&y);
            let own = objects.iter().find(|(own, _)| inside(own));
            own.map_or(Rgb([128; 3]), |(_, colour)| Rgb(*colour))
        })
    }

    #[test]
    fn each_object_and_both_together() {
        let objects = [
            ([10, 10, 40, 50], [220, 30, 30]),
            ([40, 20, 60, 60], [30, 30, 220]),
            ([90, 5, 110, 25], [20, 200, 40]),
        ];
        let search = SelectiveSearch { least: 20, ..SelectiveSearch::default() };
        let found = search.propose(&drawn(&objects));
        let best = |wanted: [f32; 4]| {
            let wanted = BoundingBox::from(wanted);
            found.iter().map(|own| own.iou(&wanted)).fold(0.0, f32::max)
        };
        for (own, _) in objects {
            assert!(best(own.map(|side| side as f32)) > 0.8, "{own:?} {found:?}");
        }
        assert!(best([0.0, 0.0, 120.0, 80.0]) > 0.999);
        let distinct: HashSet<[u32; 4]> =
            found.iter().map(|own| <[f32; 4]>::from(*own).map(|side| side as u32)).collect();
        assert_eq!(distinct.len(), found.len());
        assert_eq!(found, search.propose(&drawn(&objects)));
        assert_eq!(SelectiveSearch { keep: 2, ..search }.propose(&drawn(&objects)), found[..2]);
    }

    #[test]
    fn images_with_nothing_in_them() {
        let search = SelectiveSearch::default();
        assert_eq!(search.propose(&RgbImage::new(0, 5)), []);
        for (width, height) in [(1, 1), (1, 9), (30, 2)] {
            let found = search.propose(&RgbImage::new(width, height));
            assert_eq!(found, [BoundingBox::new(0.0, 0.0, width as f32, height as f32)]);
        }
    }
}
