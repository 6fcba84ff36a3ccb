//! Average precision and recall as COCO and PASCAL VOC define them.
//!
//! [`evaluate`] does what pycocotools' `COCOeval` does for boxes, step by step, so that its twelve
//! numbers are the same. It takes and gives plain values: another implementation can stand behind
//! the same function. Differs from pycocotools: an object's area is its box's, and there are no
//! crowds, which the readers leave out.

use crate::detection::Detection;
use rayon::prelude::*;
use tenfold_core::geometry::BoundingBox;

/// IoU from which a box is right: .5 to .95.
const IOUS: usize = 10;
/// Recall at which precision is read: 0, 0.01, ... 1.
const RECALLS: usize = 101;
/// How many of the best boxes of an image and class are looked at.
const MOST: [usize; 3] = [1, 10, 100];
/// Areas in square pixels: all, small, medium, large.
const AREAS: [[f64; 2]; 4] = [[0.0, 1e10], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, 1e10]];

/// What is in an image, by class and box, and what was found in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// The objects.
    pub objects: Vec<(usize, BoundingBox)>,
    /// The boxes of a detector.
    pub found: Vec<Detection>,
}

/// COCO's numbers. `None` where no object of that class or size is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Average precision over IoU .5 to .95: `map`.
    pub ap: Option<f64>,
    /// At IoU .5: `map50`.
    pub ap50: Option<f64>,
    /// At IoU .75: `map75`.
    pub ap75: Option<f64>,
    /// Of small, medium and large objects.
    pub by_size: [Option<f64>; 3],
    /// Average recall with 1, 10 and 100 boxes an image and class.
    pub recall: [Option<f64>; 3],
    /// Average recall of small, medium and large objects.
    pub recall_by_size: [Option<f64>; 3],
    /// For each class the objects there are, and what was reached on them.
    pub classes: Vec<Class>,
}

/// What was reached on one class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Class {
    /// Objects.
    pub count: usize,
    /// Average precision over IoU .5 to .95.
    pub ap: Option<f64>,
    /// At IoU .5.
    pub ap50: Option<f64>,
    /// PASCAL VOC 2007's: the mean of 11 points at IoU .5.
    pub voc07: Option<f64>,
    /// PASCAL VOC 2010's: the area under the curve at IoU .5.
    pub voc10: Option<f64>,
}

/// Precision at each IoU and recall, and the highest recall at each IoU.
struct Curve {
    precision: [[f64; RECALLS]; IOUS],
    recall: [f64; IOUS],
}

/// All curves of a class: by area with 100 boxes, then of all areas with 1 and 10.
struct Curves {
    class: Class,
    areas: [Option<Curve>; 4],
    few: [Option<Curve>; 2],
}

/// Judges what was found in images against what is there.
pub fn evaluate(images: &[Judged], classes: usize) -> Summary {
    let all: Vec<Curves> =
        (0..classes).into_par_iter().map(|class| curves(images, class)).collect();
    let precision = |area: usize, iou: Option<usize>| {
        let own = all.iter().filter_map(|class| class.areas[area].as_ref());
        mean(own.flat_map(move |curve| {
            match iou {
                Some(iou) => curve.precision[iou..=iou].iter(),
                None => curve.precision.iter(),
            }
            .flatten()
            .copied()
        }))
    };
    let recall =
        |of: &dyn Fn(&Curves) -> Option<[f64; IOUS]>| mean(all.iter().filter_map(of).flatten());
    let of_area = |area: usize| recall(&|class| class.areas[area].as_ref().map(|own| own.recall));
    let of_few = |few: usize| recall(&|class| class.few[few].as_ref().map(|own| own.recall));
    Summary {
        ap: precision(0, None),
        ap50: precision(0, Some(0)),
        ap75: precision(0, Some(5)),
        by_size: [1, 2, 3].map(|area| precision(area, None)),
        recall: [of_few(0), of_few(1), of_area(0)],
        recall_by_size: [1, 2, 3].map(of_area),
        classes: all.into_iter().map(|class| class.class).collect(),
    }
}

/// For each class that has objects the points of recall and precision at IoU .5, the area under
/// which is `map50`.
pub fn precision_recall(images: &[Judged], classes: usize) -> Vec<(usize, Vec<(f64, f64)>)> {
    let of_class = |class: usize| {
        let images: Vec<OfClass> = images.iter().map(|image| OfClass::new(image, class)).collect();
        let own = curve(&images, AREAS[0], MOST[2])?;
        let points = own.precision[0].iter().enumerate();
        Some((class, points.map(|(place, y)| (recall_at(place), *y)).collect()))
    };
    (0..classes).into_par_iter().filter_map(of_class).collect()
}

fn curves(images: &[Judged], class: usize) -> Curves {
    let images: Vec<OfClass> = images.iter().map(|image| OfClass::new(image, class)).collect();
    let areas = AREAS.map(|area| curve(&images, area, MOST[2]));
    let few = [MOST[0], MOST[1]].map(|most| curve(&images, AREAS[0], most));
    let count = images.iter().map(|image| image.objects.len()).sum();
    let (voc07, voc10) = voc(&images).unzip();
    let average = |ious: std::ops::Range<usize>| {
        mean(areas[0].iter().flat_map(|own| own.precision[ious.clone()].iter().flatten().copied()))
    };
    let class = Class { count, ap: average(0..IOUS), ap50: average(0..1), voc07, voc10 };
    Curves { class, areas, few }
}

/// One class in one image: its objects' areas, its boxes best first, and how they overlap.
struct OfClass {
    objects: Vec<f64>,
    scores: Vec<f32>,
    areas: Vec<f64>,
    /// Boxes by objects.
    ious: Vec<f64>,
}

impl OfClass {
    fn new(image: &Judged, class: usize) -> Self {
        let objects: Vec<[f64; 4]> =
            image.objects.iter().filter(|one| one.0 == class).map(|one| sides(&one.1)).collect();
        let mut found: Vec<&Detection> =
            image.found.iter().filter(|one| one.label == class).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(MOST[2]);
        let boxes: Vec<[f64; 4]> = found.iter().map(|one| sides(&one.bounding_box)).collect();
        let pairs = boxes.iter().flat_map(|own| objects.iter().map(move |object| iou(own, object)));
        let area = |[_, _, w, h]: &[f64; 4]| w * h;
        Self {
            ious: pairs.collect(),
            scores: found.iter().map(|one| one.score).collect(),
            areas: boxes.iter().map(area).collect(),
            objects: objects.iter().map(area).collect(),
        }
    }

    /// For each of the `most` best boxes, at each IoU: whether it is right, and whether it is left
    /// out because it, or its object, is of another size.
    fn judge(&self, [low, high]: [f64; 2], most: usize) -> Vec<[(bool, bool); IOUS]> {
        let outside = |area: f64| area < low || area > high;
        // Those that count first.
        let mut order: Vec<usize> = (0..self.objects.len()).collect();
        order.sort_by_key(|&object| outside(self.objects[object]));
        let mut verdicts = vec![[(false, false); IOUS]; self.scores.len().min(most)];
        for step in 0..IOUS {
            let mut taken = vec![false; self.objects.len()];
            for (place, verdict) in verdicts.iter_mut().enumerate() {
                let mut least = (0.5 + 0.05 * step as f64).min(1.0 - 1e-10);
                let mut best: Option<usize> = None;
                for &object in order.iter().filter(|&&object| !taken[object]) {
                    let counted = best.is_some_and(|best| !outside(self.objects[best]));
                    if counted && outside(self.objects[object]) {
                        break;
                    }
                    let iou = self.ious[place * self.objects.len() + object];
                    if iou >= least {
                        (least, best) = (iou, Some(object));
                    }
                }
                verdict[step] = match best {
                    Some(object) => {
                        taken[object] = true;
                        (true, outside(self.objects[object]))
                    }
                    None => (false, outside(self.areas[place])),
                };
            }
        }
        verdicts
    }
}

/// The curve of a class; `None` where no object counts.
fn curve(images: &[OfClass], area: [f64; 2], most: usize) -> Option<Curve> {
    let counted = |own: &&f64| **own >= area[0] && **own <= area[1];
    let objects = images.iter().flat_map(|image| &image.objects).filter(counted).count();
    if objects == 0 {
        return None;
    }
    let mut all: Vec<(f32, [(bool, bool); IOUS])> = Vec::new();
    for image in images {
        all.extend(image.scores.iter().copied().zip(image.judge(area, most)));
    }
    // Stable, as numpy's mergesort.
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut own = Curve { precision: [[0.0; RECALLS]; IOUS], recall: [0.0; IOUS] };
    for step in 0..IOUS {
        let kept = all.iter().map(|(_, verdicts)| verdicts[step]).filter(|verdict| !verdict.1);
        let (recalls, precisions) = along(kept.map(|verdict| verdict.0), objects);
        own.recall[step] = recalls.last().copied().unwrap_or(0.0);
        for (place, precision) in own.precision[step].iter_mut().enumerate() {
            let at = recalls.partition_point(|&recall| recall < recall_at(place));
            *precision = precisions.get(at).copied().unwrap_or(0.0);
        }
    }
    Some(own)
}

/// numpy's `linspace(0, 1, 101)`, whose last bits decide at ties.
fn recall_at(place: usize) -> f64 {
    if place == RECALLS - 1 { 1.0 } else { place as f64 * 0.01 }
}

/// Recall and precision after each box, best first; precision never rises along the curve.
fn along(right: impl Iterator<Item = bool>, objects: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut recalls, mut precisions) = (Vec::new(), Vec::new());
    let (mut hits, mut misses) = (0.0, 0.0);
    for right in right {
        if right {
            hits += 1.0
        } else {
            misses += 1.0
        }
        recalls.push(hits / objects as f64);
        precisions.push(hits / (misses + hits + f64::EPSILON));
    }
    for place in (1..precisions.len()).rev() {
        precisions[place - 1] = precisions[place - 1].max(precisions[place]);
    }
    (recalls, precisions)
}

/// PASCAL VOC's two measures at IoU .5. There a box belongs to the object that it overlaps most,
/// and is wrong where a better box had that one.
fn voc(images: &[OfClass]) -> Option<(f64, f64)> {
    let objects: usize = images.iter().map(|image| image.objects.len()).sum();
    if objects == 0 {
        return None;
    }
    let mut all: Vec<(f32, bool)> = Vec::new();
    for image in images {
        let count = image.objects.len();
        let mut taken = vec![false; count];
        for (place, &score) in image.scores.iter().enumerate() {
            let row = &image.ious[place * count..(place + 1) * count];
            let best = (0..count).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]));
            let right = best
                .is_some_and(|best| row[best] >= 0.5 && !std::mem::replace(&mut taken[best], true));
            all.push((score, right));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (recalls, precisions) = along(all.into_iter().map(|one| one.1), objects);
    let at = |recall: f64| {
        precisions.get(recalls.partition_point(|&own| own < recall)).copied().unwrap_or(0.0)
    };
    let points = (0..=10).map(|tenth| at(f64::from(tenth) / 10.0)).sum::<f64>() / 11.0;
    let mut before = 0.0;
    let area = recalls
        .iter()
        .zip(&precisions)
        .map(|(&recall, &precision)| (recall - std::mem::replace(&mut before, recall)) * precision);
    Some((points, area.sum()))
}

/// Left, upper, width and height in 64 bits.
fn sides(own: &BoundingBox) -> [f64; 4] {
    let [x1, y1, x2, y2] = <[f32; 4]>::from(*own).map(f64::from);
    [x1, y1, (x2 - x1).max(0.0), (y2 - y1).max(0.0)]
}

fn iou(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let along = |i: usize| (a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i]);
    let (w, h) = (along(0), along(1));
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    w * h / (a[2] * a[3] + b[2] * b[3] - w * h)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Fixture {
        classes: usize,
        images: Vec<FixtureImage>,
        stats: [f64; 12],
        class_ap: Vec<f64>,
    }

    #[derive(Deserialize)]
    struct FixtureImage {
        objects: Vec<(usize, [f32; 4])>,
        found: Vec<(usize, f32, [f32; 4])>,
    }

    #[test]
    fn equal_to_pycocotools() {
        let cases: Vec<Fixture> =
            serde_json::from_str(include_str!("../golden/coco.json")).unwrap();
        for (number, case) in cases.into_iter().enumerate() {
            let images: Vec<Judged> = case
                .images
                .iter()
                .map(|image| Judged {
                    objects: image
                        .objects
                        .iter()
                        .map(|&(class, own)| (class, BoundingBox::from_xywh(own)))
                        .collect(),
                    found: image
                        .found
                        .iter()
                        .map(|&(label, score, own)| Detection {
                            label,
                            score,
                            bounding_box: BoundingBox::from_xywh(own),
                        })
                        .collect(),
                })
                .collect();
            let own = evaluate(&images, case.classes);
            let mut stats = vec![own.ap, own.ap50, own.ap75];
            stats.extend(own.by_size);
            stats.extend(own.recall);
            stats.extend(own.recall_by_size);
            for (place, (own, expected)) in stats.iter().zip(case.stats).enumerate() {
                let own = own.unwrap_or(-1.0);
                assert!((own - expected).abs() < 1e-9, "case {number}, {place}: {own}, {expected}");
            }
            for (own, expected) in own.classes.iter().zip(case.class_ap) {
                assert!((own.ap.unwrap_or(-1.0) - expected).abs() < 1e-9);
            }
        }
    }

    fn found(score: f32, x: f32) -> Detection {
        Detection { label: 0, score, bounding_box: BoundingBox::new(x, 0.0, x + 10.0, 10.0) }
    }

    #[test]
    fn numbers_that_a_person_can_derive() {
        let object = |x: f32| (0, BoundingBox::new(x, 0.0, x + 10.0, 10.0));
        // Right, wrong, right of two objects: precision 1 up to recall .5, then 2/3.
        let images = [Judged {
            objects: vec![object(0.0), object(50.0)],
            found: vec![found(0.9, 0.0), found(0.8, 100.0), found(0.7, 50.0)],
        }];
        let own = evaluate(&images, 2);
        let class = &own.classes[0];
        let near = |own: Option<f64>, expected: f64| (own.unwrap() - expected).abs() < 1e-9;
        assert!(near(class.voc07, (6.0 + 5.0 * 2.0 / 3.0) / 11.0));
        assert!(near(class.voc10, 0.5 + 0.5 * 2.0 / 3.0));
        assert!(near(own.ap50, (51.0 + 50.0 * 2.0 / 3.0) / 101.0));
        assert_eq!((class.count, own.classes[1].ap, own.by_size[2]), (2, None, None));
        assert!(near(own.recall[0], 0.5) && near(own.recall[2], 1.0));
    }

    #[test]
    fn nothing_found_is_zero_and_nothing_there_is_none() {
        let object = (0, BoundingBox::new(0.0, 0.0, 10.0, 10.0));
        let none = Judged { objects: vec![object], found: Vec::new() };
        assert_eq!(evaluate(&[none], 1).ap50, Some(0.0));
        let empty = Judged { objects: Vec::new(), found: vec![found(0.9, 0.0)] };
        assert_eq!(evaluate(&[empty], 1).ap50, None);
        assert_eq!(evaluate(&[], 3).ap, None);
    }
}
