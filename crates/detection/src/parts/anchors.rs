//! Boxes that a network starts from, in the order of its outputs: rows, columns, then the boxes
//! of one place.

use serde::{Deserialize, Serialize};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::geometry::BoundingBox;

/// Faster R-CNN's anchors around the origin: each ratio (height over width) with each size, with
/// whole-number corners as in torchvision.
pub fn cell(sizes: &[f32], ratios: &[f32]) -> Vec<BoundingBox> {
    let one = |ratio: f32, size: f32| {
        let height = ratio.sqrt();
        let [x, y] = [size / height, size * height].map(|side| (side / 2.0).round_ties_even());
        BoundingBox::new(-x, -y, x, y)
    };
    ratios.iter().flat_map(|&ratio| sizes.iter().map(move |&size| one(ratio, size))).collect()
}

/// `cell` moved to each place of a map of `[rows, columns]`, whose places lie `stride` pixels
/// (down, to the right) from each other.
pub fn grid(
    cell: &[BoundingBox],
    [rows, columns]: [usize; 2],
    stride: [usize; 2],
) -> Vec<BoundingBox> {
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let at = |(row, column): (usize, usize)| {
        let (x, y) = ((column * stride[1]) as f32, (row * stride[0]) as f32);
        cell.iter().map(move |own| BoundingBox::new(own.x1 + x, own.y1 + y, own.x2 + x, own.y2 + y))
    };
    places.flat_map(at).collect()
}

/// One map of SSD: how large its default boxes are, and how far they lie apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SsdMap {
    /// Rows and columns.
    pub map: [usize; 2],
    /// Pixels of the image from one place to the next.
    pub stride: usize,
    /// The side of its square, as a part of the image.
    pub scale: f32,
    /// The same of the next map; a second square lies between both.
    pub next: f32,
    /// Ratios of the other boxes, each one lying and standing.
    pub ratios: Vec<f32>,
}

/// SSD's default boxes on images of `side` pixels: for each map in turn, for each of its places a
/// small square, a larger one, and each ratio lying and standing; sides are cut to the image's.
pub fn ssd(maps: &[SsdMap], side: usize) -> Vec<BoundingBox> {
    let mut all = Vec::new();
    for SsdMap { map: [rows, columns], stride, scale, next, ratios } in maps {
        let larger = (scale * next).sqrt();
        let mut shapes = vec![[*scale; 2], [larger; 2]];
        for ratio in ratios.iter().map(|ratio| ratio.sqrt()) {
            shapes.extend([[scale * ratio, scale / ratio], [scale / ratio, scale * ratio]]);
        }
        for place in 0..rows * columns {
            let centre =
                [place % columns, place / columns].map(|at| (at as f32 + 0.5) * *stride as f32);
            all.extend(shapes.iter().map(|shape| {
                let [x, y] = shape.map(|part| part.min(1.0) * side as f32 / 2.0);
                BoundingBox::new(centre[0] - x, centre[1] - y, centre[0] + x, centre[1] + y)
            }));
        }
    }
    all
}

/// `count` widths and heights that stand for the boxes of a data set: k-means with 1 - IoU as
/// distance (Redmon and Farhadi, "YOLO9000", 2017), boxes laid onto each other by a corner.
/// Smallest area first.
pub fn k_means(sides: &[[f32; 2]], count: usize, seed: u64) -> Vec<[f32; 2]> {
    let mut random = SplitMix64::keyed(&[seed, u64::from_be_bytes(*b"k-means\0")]);
    let Some(&first) = sides.get(random.below(sides.len())) else { return Vec::new() };
    let near = |side: [f32; 2], means: &[[f32; 2]]| {
        let best = (0..means.len()).max_by(|&a, &b| {
            // Of equals the first.
            overlap(side, means[a]).total_cmp(&overlap(side, means[b])).then(b.cmp(&a))
        });
        best.unwrap_or(0)
    };
    let mut means = vec![first];
    // As k-means++ begins: each next mean is likely far from those before.
    while means.len() < count {
        let far: Vec<f32> = sides
            .iter()
            .map(|&side| (1.0 - overlap(side, means[near(side, &means)])).powi(2))
            .collect();
        let mut at = random.unit() * far.iter().sum::<f32>();
        let chosen = far.iter().position(|&one| {
            at -= one;
            at < 0.0
        });
        // Where every box is a mean already, one more of some size.
        means.push(sides[chosen.unwrap_or(random.below(sides.len()))]);
    }
    for _ in 0..100 {
        let mut sums = vec![[0f64; 3]; count];
        for &side in sides {
            let sum = &mut sums[near(side, &means)];
            *sum = [sum[0] + f64::from(side[0]), sum[1] + f64::from(side[1]), sum[2] + 1.0];
        }
        let before = means.clone();
        for (mean, [width, height, count]) in means.iter_mut().zip(sums) {
            if count > 0.0 {
                *mean = [(width / count) as f32, (height / count) as f32];
            }
        }
        if means == before {
            break;
        }
    }
    means.sort_by(|a, b| (a[0] * a[1]).total_cmp(&(b[0] * b[1])));
    means
}

/// IoU of two boxes with a corner in common.
pub fn overlap([w1, h1]: [f32; 2], [w2, h2]: [f32; 2]) -> f32 {
    let shared = w1.min(w2) * h1.min(h2);
    let union = w1 * h1 + w2 * h2 - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_detectron_s_numbers() {
        // torchvision: AnchorGenerator(((32, 64),), ((0.5, 1.0, 2.0),)).cell_anchors[0]
        let expected: [[f32; 4]; 6] = [
            [-23., -11., 23., 11.],
            [-45., -23., 45., 23.],
            [-16., -16., 16., 16.],
            [-32., -32., 32., 32.],
            [-11., -23., 11., 23.],
            [-23., -45., 23., 45.],
        ];
        assert_eq!(cell(&[32.0, 64.0], &[0.5, 1.0, 2.0]), expected.map(BoundingBox::from));
    }

    #[test]
    fn the_grid_goes_along_rows() {
        let own = [BoundingBox::new(-1.0, -1.0, 1.0, 1.0), BoundingBox::new(-2.0, -1.0, 2.0, 1.0)];
        let all = grid(&own, [2, 3], [8, 16]);
        assert_eq!(all.len(), 12);
        assert_eq!(all[3], BoundingBox::new(14.0, -1.0, 18.0, 1.0));
        assert_eq!(all[6], BoundingBox::new(-1.0, 7.0, 1.0, 9.0));
    }

    #[test]
    fn ssd_s_boxes_of_a_map() {
        let map = SsdMap { map: [1, 2], stride: 50, scale: 0.2, next: 0.8, ratios: vec![4.0] };
        let all = ssd(&[map], 100);
        assert_eq!(all.len(), 8);
        let sides: Vec<_> = all[..4].iter().map(|own| [own.width(), own.height()]).collect();
        for (own, expected) in
            sides.iter().zip([[20.0, 20.0], [40.0, 40.0], [40.0, 10.0], [10.0, 40.0]])
        {
            assert!((own[0] - expected[0]).abs() < 1e-4 && (own[1] - expected[1]).abs() < 1e-4);
        }
        assert_eq!((all[4].x1 + all[4].x2) / 2.0, 75.0);
    }

    #[test]
    fn means_are_the_groups_of_the_data() {
        let mut random = SplitMix64::new(3);
        let groups = [[4.0, 4.0], [10.0, 30.0], [40.0, 12.0]];
        let near = |at: f32, random: &mut SplitMix64| at + random.between(-1.0, 1.0);
        let sides: Vec<_> =
            (0..300).map(|i| groups[i % 3].map(|side| near(side, &mut random))).collect();
        let means = k_means(&sides, 3, 1);
        for ([w, h], [x, y]) in means.iter().zip([[4.0, 4.0], [10.0, 30.0], [40.0, 12.0]]) {
            assert!((w - x).abs() < 0.3 && (h - y).abs() < 0.3, "{means:?}");
        }
        assert_eq!(means, k_means(&sides, 3, 1));
        // Fewer boxes than means, and none.
        assert_eq!(k_means(&[[2.0, 2.0]], 3, 1), [[2.0, 2.0]; 3]);
        assert!(k_means(&[], 3, 1).is_empty());
    }
}
