//! Which anchor is responsible for which object.

use serde::{Deserialize, Serialize};
use tenfold_core::geometry::BoundingBox;

/// What an anchor learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// That nothing is there.
    Background,
    /// Nothing: its overlap is between the limits.
    Ignored,
    /// The object of this place.
    Object(usize),
}

/// By intersection over union, as torchvision does it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matcher {
    /// From here on an anchor takes the object that it overlaps most.
    pub object: f32,
    /// Below this one it is background.
    pub background: f32,
    /// What becomes of an object that no anchor overlaps enough.
    pub rescue: Rescue,
}

/// How an object without an anchor gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rescue {
    /// It gets none.
    No,
    /// All anchors that overlap it most take what they themselves overlap most (Faster R-CNN,
    /// RetinaNet).
    Low,
    /// The anchor that overlaps it most takes it (SSD).
    Best,
}

impl Matcher {
    /// Faster R-CNN's proposals.
    pub const PROPOSALS: Self = Self { object: 0.7, background: 0.3, rescue: Rescue::Low };
    /// RetinaNet.
    pub const RETINANET: Self = Self { object: 0.5, background: 0.4, rescue: Rescue::Low };
    /// SSD.
    pub const SSD: Self = Self { object: 0.5, background: 0.5, rescue: Rescue::Best };

    /// For each anchor what it learns. An image without objects is all background.
    pub fn apply(&self, anchors: &[BoundingBox], objects: &[BoundingBox]) -> Vec<Match> {
        // Best object of each anchor, the first of equals; best overlap of each object.
        let mut best = vec![(0f32, 0usize); anchors.len()];
        let mut most = vec![(0f32, 0usize); objects.len()];
        for (anchor, own) in anchors.iter().enumerate() {
            for (object, truth) in objects.iter().enumerate() {
                let iou = own.iou(truth);
                if iou > best[anchor].0 {
                    best[anchor] = (iou, object);
                }
                if iou > most[object].0 {
                    most[object] = (iou, anchor);
                }
            }
        }
        let judged = |&(iou, object): &(f32, usize)| match iou {
            iou if iou >= self.object => Match::Object(object),
            iou if iou < self.background => Match::Background,
            _ => Match::Ignored,
        };
        let mut all: Vec<Match> = match objects {
            [] => vec![Match::Background; anchors.len()],
            _ => best.iter().map(judged).collect(),
        };
        match self.rescue {
            Rescue::No => {}
            Rescue::Best => {
                for (object, &(iou, anchor)) in most.iter().enumerate() {
                    if iou > 0.0 {
                        all[anchor] = Match::Object(object);
                    }
                }
            }
            Rescue::Low => {
                for (anchor, own) in anchors.iter().enumerate() {
                    let best_of = |(truth, &(iou, _)): (&BoundingBox, &(f32, usize))| {
                        iou > 0.0 && own.iou(truth) == iou
                    };
                    if objects.iter().zip(&most).any(best_of) {
                        all[anchor] = Match::Object(best[anchor].1);
                    }
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, width: f32) -> BoundingBox {
        BoundingBox::new(x, 0.0, x + width, 10.0)
    }

    #[test]
    fn limits_and_what_lies_between() {
        // IoU with 0..10: 1, 9/11, 6/14, 1/19.
        let anchors = [at(0.0, 10.0), at(1.0, 10.0), at(4.0, 10.0), at(9.0, 10.0)];
        let matcher = Matcher { object: 0.5, background: 0.4, rescue: Rescue::No };
        let expected = [Match::Object(0), Match::Object(0), Match::Ignored, Match::Background];
        assert_eq!(matcher.apply(&anchors, &[at(0.0, 10.0)]), expected);
        assert_eq!(matcher.apply(&anchors, &[]), [Match::Background; 4]);
    }

    #[test]
    fn an_object_that_nobody_overlaps_enough_is_rescued() {
        let anchors = [at(0.0, 10.0), at(0.0, 10.0), at(50.0, 10.0)];
        // IoU 5 / 15 with the first two.
        let objects = [at(5.0, 10.0)];
        let with =
            |rescue| Matcher { object: 0.5, background: 0.4, rescue }.apply(&anchors, &objects);
        use Match::{Background, Object};
        assert_eq!(with(Rescue::No), [Background; 3]);
        assert_eq!(with(Rescue::Low), [Object(0), Object(0), Background]);
        assert_eq!(with(Rescue::Best), [Object(0), Background, Background]);
        // One that nothing meets stays alone.
        assert_eq!(Matcher::SSD.apply(&anchors, &[at(80.0, 5.0)]), [Background; 3]);
    }

    #[test]
    fn a_rescued_object_takes_the_anchor_of_another() {
        let anchors = [at(0.0, 10.0)];
        let objects = [at(0.0, 10.0), at(2.0, 10.0)];
        assert_eq!(Matcher::SSD.apply(&anchors, &objects), [Match::Object(1)]);
        assert_eq!(Matcher::RETINANET.apply(&anchors, &objects), [Match::Object(0)]);
    }
}
