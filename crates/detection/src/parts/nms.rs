//! Non-maximum suppression: of boxes of one class that cover the same object the best is kept.

use crate::detection::Detection;
use serde::{Deserialize, Serialize};

/// What happens to a box that overlaps a better one of its class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// It goes where the IoU is above this.
    Hard(f32),
    /// Where the IoU is above this, its score is multiplied by 1 - IoU (Bodla et al., "Soft-NMS",
    /// ICCV 2017).
    Linear(f32),
    /// Its score is multiplied by `exp(-IoU^2 / sigma)`, as there.
    Gaussian(f32),
}

/// Settings of the suppression. The caps keep the first validation of an untrained network, which
/// finds something everywhere, as quick as the last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nms {
    /// How boxes give way to each other.
    pub suppression: Suppression,
    /// Boxes with a lower score are not looked at, and one that falls below it goes.
    pub score: f32,
    /// So many of the best are looked at.
    pub candidates: usize,
    /// So many of the best are kept.
    pub keep: usize,
}

impl Default for Nms {
    fn default() -> Self {
        Self { suppression: Suppression::Hard(0.45), score: 0.01, candidates: 400, keep: 100 }
    }
}

impl Nms {
    /// What is left, best first; equal scores keep their order. Boxes of different classes do not
    /// see each other.
    pub fn apply(&self, found: Vec<Detection>) -> Vec<Detection> {
        let good = |one: &Detection| one.score >= self.score && one.bounding_box.area() > 0.0;
        let mut rest: Vec<Detection> = found.into_iter().filter(good).collect();
        rest.sort_by(|a, b| b.score.total_cmp(&a.score));
        rest.truncate(self.candidates);
        let mut kept = Vec::new();
        while let Some(best) = self.next(&mut rest) {
            rest.retain_mut(|other| {
                if other.label == best.label {
                    other.score *= self.left(best.bounding_box.iou(&other.bounding_box));
                }
                other.score >= self.score && other.score > 0.0
            });
            kept.push(best);
            if kept.len() == self.keep {
                break;
            }
        }
        kept
    }

    /// The best of the rest; it stays sorted where scores do not fall.
    fn next(&self, rest: &mut Vec<Detection>) -> Option<Detection> {
        let best =
            (0..rest.len()).rev().max_by(|&a, &b| rest[a].score.total_cmp(&rest[b].score))?;
        Some(rest.remove(best))
    }

    /// The part of its score that a box keeps beside a better one.
    fn left(&self, iou: f32) -> f32 {
        match self.suppression {
            Suppression::Hard(most) if iou > most => 0.0,
            Suppression::Linear(most) if iou > most => 1.0 - iou,
            Suppression::Gaussian(sigma) => (-iou * iou / sigma).exp(),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tenfold_core::geometry::BoundingBox;

    fn found(label: usize, score: f32, x: f32) -> Detection {
        Detection { label, score, bounding_box: BoundingBox::new(x, 0.0, x + 10.0, 10.0) }
    }

    #[test]
    fn classes_do_not_see_each_other_and_the_best_comes_first() {
        let all =
            vec![found(0, 0.5, 1.0), found(0, 0.9, 0.0), found(1, 0.6, 0.0), found(0, 0.8, 50.0)];
        let kept = Nms::default().apply(all);
        assert_eq!(kept, [found(0, 0.9, 0.0), found(0, 0.8, 50.0), found(1, 0.6, 0.0)]);
    }

    #[test]
    fn soft_suppression_lowers_scores_in_place_of_removing() {
        // Moved by 5 of 10: IoU 50 / 150.
        let all = vec![found(0, 0.9, 0.0), found(0, 0.6, 5.0)];
        let with = |suppression| Nms { suppression, ..Nms::default() }.apply(all.clone())[1].score;
        assert!((with(Suppression::Linear(0.3)) - 0.6 * (1.0 - 1.0 / 3.0)).abs() < 1e-6);
        assert_eq!(with(Suppression::Linear(0.5)), 0.6);
        let gaussian = 0.6 * (-1.0f32 / 9.0 / 0.5).exp();
        assert!((with(Suppression::Gaussian(0.5)) - gaussian).abs() < 1e-6);
        // A third box that fell behind a fourth is kept after it.
        let order = vec![found(0, 0.9, 0.0), found(0, 0.8, 1.0), found(0, 0.5, 90.0)];
        let kept = Nms { suppression: Suppression::Linear(0.3), ..Nms::default() }.apply(order);
        assert_eq!(kept[1], found(0, 0.5, 90.0));
    }

    #[test]
    fn caps_hold_and_empty_boxes_go() {
        let many: Vec<_> =
            (0..50).map(|i| found(0, 0.9 - i as f32 / 100.0, 20.0 * i as f32)).collect();
        let kept = |nms: Nms| nms.apply(many.clone()).len();
        assert_eq!(kept(Nms { keep: 7, ..Nms::default() }), 7);
        assert_eq!(kept(Nms { candidates: 5, ..Nms::default() }), 5);
        assert_eq!(kept(Nms { score: 0.85, ..Nms::default() }), 5);
        let empty =
            Detection { bounding_box: BoundingBox::new(3.0, 3.0, 3.0, 9.0), ..found(0, 1.0, 0.0) };
        assert!(Nms::default().apply(vec![empty]).is_empty());
    }

    proptest! {
        #[test]
        fn none_of_the_kept_overlap_and_each_lost_one_had_a_better_neighbour(
            places in prop::collection::vec((0usize..3, 0f32..60.0, 0.02f32..1.0), 0..40)
        ) {
            let all: Vec<_> = places.iter().map(|&(label, x, score)| found(label, score, x)).collect();
            let kept = Nms::default().apply(all.clone());
            for (place, one) in kept.iter().enumerate() {
                for other in &kept[..place] {
                    let iou = one.bounding_box.iou(&other.bounding_box);
                    prop_assert!(one.label != other.label || iou <= 0.45);
                }
            }
            for lost in all.iter().filter(|one| !kept.contains(one)) {
                let better = |one: &Detection| one.label == lost.label && one.score >= lost.score
                    && one.bounding_box.iou(&lost.bounding_box) > 0.45;
                prop_assert!(kept.iter().any(better));
            }
        }
    }
}
