//! What each box of a detector is, judged one by one at IoU .5: for thresholds, for calibrated
//! scores and for a person who looks at the mistakes.

use crate::detection::Detection;
use crate::metrics::Judged;
#[cfg(feature = "cli")]
use tenfold_core::calibrate;
use tenfold_core::geometry::BoundingBox;

/// From this IoU on a box is where the object is ...
const THERE: f32 = 0.5;
/// ... and below this one it has nothing to do with it.
const NEAR: f32 = 0.1;

/// What a box is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// An object of its class, which no better box has.
    Right,
    /// An object that a better box has.
    Doubled,
    /// An object of this other class.
    WrongClass(usize),
    /// Near an object of its class, by this IoU.
    BadlyPlaced(f32),
    /// Where nothing is.
    Background,
}

/// The boxes of an image with their verdicts, and what no right box has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// Best first.
    pub boxes: Vec<(Detection, Verdict)>,
    /// Objects that were missed.
    pub missed: Vec<(usize, BoundingBox)>,
}

impl Verdicts {
    /// Of the boxes of an image from this score on.
    pub fn new(Judged { objects, found }: &Judged, least: f32) -> Self {
        let mut found: Vec<Detection> =
            found.iter().filter(|one| one.score >= least).copied().collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut taken = vec![false; objects.len()];
        let verdict = |one: Detection| {
            // Of the objects that pass, the one that overlaps most.
            let best = |passes: &dyn Fn(usize, usize, f32) -> bool| {
                let overlaps = objects.iter().enumerate().filter_map(|(place, &(label, own))| {
                    let iou = own.iou(&one.bounding_box);
                    passes(place, label, iou).then_some((place, iou))
                });
                overlaps.max_by(|a, b| a.1.total_cmp(&b.1))
            };
            let own = one.label;
            let right = best(&|place, label, iou| !taken[place] && label == own && iou >= THERE);
            let verdict = if let Some((place, _)) = right {
                taken[place] = true;
                Verdict::Right
            } else if best(&|_, label, iou| label == own && iou >= THERE).is_some() {
                Verdict::Doubled
            } else if let Some((place, _)) = best(&|_, _, iou| iou >= THERE) {
                Verdict::WrongClass(objects[place].0)
            } else if let Some((_, iou)) = best(&|_, label, iou| label == own && iou >= NEAR) {
                Verdict::BadlyPlaced(iou)
            } else {
                Verdict::Background
            };
            (one, verdict)
        };
        let boxes = found.into_iter().map(verdict).collect();
        let missed = objects.iter().zip(&taken).filter(|(_, taken)| !**taken);
        Self { boxes, missed: missed.map(|(own, _)| *own).collect() }
    }
}

/// All scores of a split, and whether their boxes are right; best first.
pub fn ranked(images: &[Judged]) -> Vec<(f32, bool)> {
    let of_image = |image: &Judged| {
        let own = Verdicts::new(image, 0.0).boxes.into_iter();
        own.map(|(one, verdict)| (one.score, verdict == Verdict::Right)).collect::<Vec<_>>()
    };
    let mut all: Vec<(f32, bool)> = images.iter().flat_map(of_image).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all
}

/// The same for diagrams of reliability.
#[cfg(feature = "cli")]
pub fn judged(images: &[Judged]) -> Vec<calibrate::Judged> {
    let one = |(confidence, right)| calibrate::Judged { confidence, right };
    ranked(images).into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_mistake() {
        let at = |x: f32| BoundingBox::new(x, 0.0, x + 10.0, 10.0);
        let found = |label, score, x| Detection { label, score, bounding_box: at(x) };
        let judged = Judged {
            objects: vec![(0, at(0.0)), (0, at(30.0)), (1, at(60.0)), (0, at(200.0))],
            found: vec![
                found(0, 0.7, 1.0),
                found(0, 0.9, 0.0),
                found(0, 0.8, 37.0),
                found(0, 0.6, 61.0),
                found(1, 0.5, 90.0),
                found(1, 0.1, 60.0),
            ],
        };
        let own = Verdicts::new(&judged, 0.2);
        let expected = [
            Verdict::Right,
            Verdict::BadlyPlaced(3.0 / 17.0),
            Verdict::Doubled,
            Verdict::WrongClass(1),
            Verdict::Background,
        ];
        let verdicts: Vec<Verdict> = own.boxes.iter().map(|(_, verdict)| *verdict).collect();
        assert_eq!(verdicts, expected);
        assert_eq!(own.missed, [(0, at(30.0)), (1, at(60.0)), (0, at(200.0))]);
        let ranked = ranked(&[judged]);
        assert_eq!((ranked[0], ranked[5]), ((0.9, true), (0.1, true)));
    }
}
