//! The numbers by which a network says where a box is.

use serde::{Deserialize, Serialize};
use tenfold_core::geometry::BoundingBox;

/// Shifts and scales relative to an anchor (R-CNN, Girshick et al. 2014): of the centre in parts
/// of the anchor's sides, of the sides as logarithms, each multiplied by a weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeltaCoder {
    /// Of x, y, width and height.
    pub weights: [f32; 4],
}

/// A side grows by at most 1000 / 16, so that no exponential overflows.
const MOST: f32 = 4.135_166_6;

impl DeltaCoder {
    /// The proposals of Faster R-CNN, and RetinaNet.
    pub const PLAIN: Self = Self { weights: [1.0; 4] };
    /// SSD, whose "variances" 0.1 and 0.2 are these weights' inverses; the second stage of Fast
    /// and Faster R-CNN.
    pub const SSD: Self = Self { weights: [10.0, 10.0, 5.0, 5.0] };

    /// The numbers that [`decode`](Self::decode) makes `own` of.
    pub fn encode(&self, own: &BoundingBox, anchor: &BoundingBox) -> [f32; 4] {
        let ([x, y, w, h], [ax, ay, aw, ah]) = (centre(own), centre(anchor));
        let [wx, wy, ww, wh] = self.weights;
        [wx * (x - ax) / aw, wy * (y - ay) / ah, ww * (w / aw).ln(), wh * (h / ah).ln()]
    }

    /// The box that the numbers stand for.
    pub fn decode(&self, numbers: [f32; 4], anchor: &BoundingBox) -> BoundingBox {
        let [ax, ay, aw, ah] = centre(anchor);
        let [wx, wy, ww, wh] = self.weights;
        let [dx, dy, dw, dh] = numbers;
        let (w, h) = (aw * (dw / ww).min(MOST).exp(), ah * (dh / wh).min(MOST).exp());
        around([ax + aw * dx / wx, ay + ah * dy / wy, w, h])
    }
}

/// YOLO v2's: the centre inside its cell as logits, sides as logarithms of a prior's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct YoloCoder {
    /// Pixels of a cell.
    pub stride: f32,
    /// Column and row of the cell.
    pub cell: [f32; 2],
    /// Width and height of the prior in pixels.
    pub prior: [f32; 2],
}

impl YoloCoder {
    /// What the sigmoids of the first two numbers should be, and the other two.
    pub fn encode(&self, own: &BoundingBox) -> [f32; 4] {
        let [x, y, w, h] = centre(own);
        let [px, py] = self.prior;
        let inside = |at: f32, cell: f32| at / self.stride - cell;
        [inside(x, self.cell[0]), inside(y, self.cell[1]), (w / px).ln(), (h / py).ln()]
    }

    /// The box of a network's four numbers.
    pub fn decode(&self, [x, y, w, h]: [f32; 4]) -> BoundingBox {
        let at = |cell: f32, logit: f32| (cell + sigmoid(logit)) * self.stride;
        let [px, py] = self.prior;
        let [w, h] = [w, h].map(|side| side.min(MOST).exp());
        around([at(self.cell[0], x), at(self.cell[1], y), px * w, py * h])
    }
}

/// The logistic function.
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Centre, width and height.
pub fn centre(own: &BoundingBox) -> [f32; 4] {
    let [_, _, w, h] = own.xywh();
    [own.x1 + w / 2.0, own.y1 + h / 2.0, w, h]
}

/// The box of a centre, width and height.
pub fn around([x, y, w, h]: [f32; 4]) -> BoundingBox {
    BoundingBox::new(x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_that_a_person_can_derive() {
        let anchor = BoundingBox::new(0.0, 0.0, 10.0, 20.0);
        // Centre (5, 10) to (10, 10), twice as wide.
        let own = BoundingBox::new(0.0, 0.0, 20.0, 20.0);
        let [x, y, w, h] = DeltaCoder::PLAIN.encode(&own, &anchor);
        assert_eq!([x, y, h], [0.5, 0.0, 0.0]);
        assert!((w - 2f32.ln()).abs() < 1e-6);
        assert_eq!(DeltaCoder::SSD.encode(&own, &anchor)[0], 5.0);
        let coder = YoloCoder { stride: 8.0, cell: [1.0, 2.0], prior: [4.0, 4.0] };
        assert_eq!(coder.decode([0.0, 0.0, 0.0, 0.0]), BoundingBox::new(10.0, 18.0, 14.0, 22.0));
        let wild = DeltaCoder::PLAIN.decode([0.0, 0.0, 1e9, 1e9], &anchor);
        assert!(wild.width().is_finite() && wild.width() > 600.0);
    }

    proptest! {
        #[test]
        fn the_way_there_and_back(
            own in (0f32..300.0, 0f32..300.0, 1f32..200.0, 1f32..200.0),
            anchor in (0f32..300.0, 0f32..300.0, 8f32..200.0, 8f32..200.0),
        ) {
            let [own, anchor] = [own, anchor].map(|(x, y, w, h)| BoundingBox::from_xywh([x, y, w, h]));
            let near = |a: BoundingBox, b: BoundingBox| {
                <[f32; 4]>::from(a).iter().zip(<[f32; 4]>::from(b)).all(|(a, b)| (a - b).abs() < 0.02)
            };
            for coder in [DeltaCoder::PLAIN, DeltaCoder::SSD] {
                prop_assert!(near(coder.decode(coder.encode(&own, &anchor), &anchor), own));
            }
            let [x, y, ..] = centre(&own);
            let cell = [(x / 16.0).floor(), (y / 16.0).floor()];
            let coder = YoloCoder { stride: 16.0, cell, prior: [20.0, 30.0] };
            let [x, y, w, h] = coder.encode(&own);
            prop_assert!((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y));
            let logit = |p: f32| (p.clamp(1e-6, 1.0 - 1e-6) / (1.0 - p.clamp(1e-6, 1.0 - 1e-6))).ln();
            prop_assert!(near(coder.decode([logit(x), logit(y), w, h]), own));
        }
    }
}
