//! What YOLO v2's maps say: boxes of each cell, their loss, and what is found.
//!
//! J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR (2017); the squared errors
//! and weights are those of its program Darknet.
//!
//! Differs from Darknet:
//! - an object whose best prior is taken in its cell gets the next best one that is free, where
//!   there it takes the place of the other;
//! - no first phase in which all boxes learn their priors.

use super::detector::values;
use crate::data::unboxed::is_unboxed;
use crate::detection::Detection;
use crate::parts::anchors::overlap;
use crate::parts::coder::{YoloCoder, centre, sigmoid};
use crate::parts::losses::{places, sum, table};
use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, sigmoid as sigmoids};
use rayon::prelude::*;
use tenfold_core::data::Object;
use tenfold_core::train::Loss;

/// Boxes of a cell, at most.
pub const MOST_PRIORS: usize = 20;
/// Weights of the loss, as in Darknet's yolo-voc.cfg.
const OBJECT: f32 = 5.0;
const NO_OBJECT: f32 = 1.0;
/// Whoever overlaps an object more is not told that nothing is there.
const OVERLAP: f32 = 0.6;
/// Where an object without a place is taken to be, the overlap is taken to be this at least (the
/// paper's section 4).
const UNBOXED: f32 = 0.3;
/// Objects without a place lie apart from others: their boxes overlap less than this.
const APART: f32 = 0.3;
/// Less is not worth a candidate.
const LEAST: f32 = 0.005;

/// The maps of images of one size.
#[derive(Clone, Copy, Debug)]
pub struct Region<'a> {
    /// Classes.
    pub classes: usize,
    /// Pixels of a cell.
    pub stride: usize,
    /// Cells along a side.
    pub cells: usize,
    /// Widths and heights of a cell's boxes, in parts of the side.
    pub anchors: &'a [[f32; 2]],
}

/// Refuses anchors that cannot work; there is one for each prior.
///
/// # Errors
/// The field, and what is expected.
pub fn check(priors: usize, anchors: &[[f32; 2]]) -> Result<(), String> {
    if !(1..=MOST_PRIORS).contains(&priors) {
        return Err(format!("priors={priors}: expected 1 to {MOST_PRIORS}"));
    }
    let count = anchors.len();
    match count == priors && anchors.as_flattened().iter().all(|side| (0.0..1e3).contains(side)) {
        true => Ok(()),
        false => Err(format!("anchors: {count}; expected {priors} widths and heights")),
    }
}

impl Region<'_> {
    fn side(&self) -> usize {
        self.cells * self.stride
    }

    /// Numbers of a box: x, y, w, h, objectness and classes.
    pub fn numbers(&self) -> usize {
        5 + self.classes
    }

    /// Boxes of an image.
    pub fn boxes(&self) -> usize {
        self.cells * self.cells * self.anchors.len()
    }

    /// What turns the numbers of a box into its corners.
    fn coder(&self, place: usize) -> YoloCoder {
        let (cell, prior) = (place / self.anchors.len(), place % self.anchors.len());
        let [column, row] = [cell % self.cells, cell / self.cells];
        YoloCoder {
            stride: self.stride as f32,
            cell: [column as f32, row as f32],
            prior: self.anchors[prior].map(|side| side * self.side() as f32),
        }
    }

    /// Which box is responsible for each object; `None` where all of its cell are taken.
    fn responsible(&self, objects: &[Object]) -> Vec<Option<usize>> {
        let mut taken = vec![false; self.boxes()];
        let one = |object: &Object| {
            let [x, y, w, h] = centre(&object.bounding_box);
            let cell = |at: f32| ((at / self.stride as f32) as usize).min(self.cells - 1);
            let first = (cell(y) * self.cells + cell(x)) * self.anchors.len();
            let sides = [w, h].map(|side| side / self.side() as f32);
            let mut order: Vec<usize> = (0..self.anchors.len()).collect();
            let fit = |&prior: &usize| overlap(self.anchors[prior], sides);
            order.sort_by(|a, b| fit(b).total_cmp(&fit(a)));
            let free = order.into_iter().map(|prior| first + prior).find(|&place| !taken[place])?;
            taken[free] = true;
            Some(free)
        };
        objects.iter().map(one).collect()
    }

    /// What the boxes of an image, of which `said` are the numbers, should learn; `believed` is the
    /// probability of a label, of the numbers of a box's classes.
    fn wanted(
        &self,
        said: &[f32],
        objects: &[Object],
        believed: &impl Fn(&[f32], usize) -> f32,
    ) -> Wanted {
        let (boxed, unboxed): (Vec<Object>, Vec<Object>) =
            objects.iter().cloned().partition(|object| !is_unboxed(object));
        let objects = &boxed[..];
        let decoded = |place: usize| {
            let row = &said[place * self.numbers()..];
            self.coder(place).decode([row[0], row[1], row[2], row[3]])
        };
        let mut own = Wanted { objectness: Vec::new(), weights: Vec::new(), rows: Vec::new() };
        let mut free = Vec::new();
        for place in 0..self.boxes() {
            let found = decoded(place);
            let overlaps = objects.iter().map(|object| found.iou(&object.bounding_box));
            let most = overlaps.fold(0.0, f32::max);
            own.objectness.push(0.0);
            // Where an object may be anywhere, no box is told that nothing is there.
            let told = most <= OVERLAP && unboxed.is_empty();
            own.weights.push(if told { NO_OBJECT } else { 0.0 });
            free.push(most < APART);
        }
        for (object, place) in objects.iter().zip(self.responsible(objects)) {
            let Some(place) = place else { continue };
            own.objectness[place] = decoded(place).iou(&object.bounding_box);
            own.weights[place] = OBJECT;
            let area = object.bounding_box.area() / (self.side() * self.side()) as f32;
            let numbers = self.coder(place).encode(&object.bounding_box);
            own.rows.push(Row { place, numbers, weight: 2.0 - area, label: object.label });
            free[place] = false;
        }
        // The label that a box most believes in first.
        let score = |place: usize, label: usize| {
            let row = &said[place * self.numbers()..][..self.numbers()];
            sigmoid(row[4]) * believed(&row[5..], label)
        };
        let scores = |object: &Object| {
            let all = (0..self.boxes()).map(|place| score(place, object.label));
            (object.label, all.collect::<Vec<f32>>())
        };
        let mut labels: Vec<(usize, Vec<f32>)> = unboxed.iter().map(scores).collect();
        while !labels.is_empty() {
            let best = |at: usize| {
                let all = (0..self.boxes()).filter(|&place| free[place]);
                let all = all.map(|place| (labels[at].1[place], place, at));
                all.max_by(|a, b| a.0.total_cmp(&b.0))
            };
            let best = (0..labels.len()).filter_map(best).max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((_, place, at)) = best else { break };
            let (label, _) = labels.swap_remove(at);
            let found = decoded(place);
            for (other, free) in free.iter_mut().enumerate() {
                *free &= decoded(other).iou(&found) < APART;
            }
            free[place] = false;
            let objectness = sigmoid(said[place * self.numbers() + 4]);
            own.objectness[place] = objectness.max(UNBOXED);
            own.weights[place] = OBJECT;
            own.rows.push(Row { place, numbers: [0.0; 4], weight: 0.0, label });
        }
        own
    }

    /// The loss of a batch, of which `said` are the numbers, a row a box, before their functions.
    pub fn loss(&self, said: Tensor<2>, truth: &[Vec<Object>]) -> Loss {
        let device = said.device();
        let classes = |logits: Tensor<2>, labels: &[usize]| {
            let mut one_hot = vec![0.0; labels.len() * self.classes];
            for (row, label) in labels.iter().enumerate() {
                one_hot[row * self.classes + label] = 1.0;
            }
            (log_softmax(logits, 1) * table(one_hot, self.classes, &device)).sum().neg()
        };
        self.loss_of(said, truth, |logits, label| softmax(logits)[label], classes)
    }

    /// The same for classes that are no softmax: `believed` is the probability of a label, of the
    /// numbers of a box's classes; `classes` the loss of rows of them, with their labels, a sum.
    /// Of objects without a place the box that most believes in the label learns it, and that
    /// something is there.
    pub fn loss_of(
        &self,
        said: Tensor<2>,
        truth: &[Vec<Object>],
        believed: impl Fn(&[f32], usize) -> f32 + Sync,
        classes: impl Fn(Tensor<2>, &[usize]) -> Tensor<1>,
    ) -> Loss {
        let device = said.device();
        let numbers = values(said.clone().detach());
        let rows = numbers.par_chunks(self.boxes() * self.numbers()).zip(truth);
        let wanted: Vec<Wanted> =
            rows.map(|(own, objects)| self.wanted(own, objects, &believed)).collect();
        let count = truth.len();
        let column = |of: fn(&Wanted) -> &[f32]| {
            table(wanted.iter().flat_map(|own| of(own).iter().copied()).collect(), 1, &device)
        };
        let (targets, weights) = (column(|own| &own.objectness), column(|own| &own.weights));
        let objectness = sigmoids(said.clone().narrow(1, 4, 1));
        let objectness = ((objectness - targets).square() * weights).sum() / count as f32;

        let all = || {
            wanted.iter().enumerate().flat_map(|(i, own)| own.rows.iter().map(move |row| (i, row)))
        };
        let responsible: Vec<usize> = all().map(|(i, row)| i * self.boxes() + row.place).collect();
        if responsible.is_empty() {
            return Loss::new(objectness, count);
        }
        let rows = said.select(0, places(responsible, &device));
        let table = |values, width| table(values, width, &device);
        let targets = table(all().flat_map(|(_, row)| row.numbers).collect(), 4);
        let weights = table(all().map(|(_, row)| row.weight).collect(), 1);
        let centres = sigmoids(rows.clone().narrow(1, 0, 2));
        let own = Tensor::cat(vec![centres, rows.clone().narrow(1, 2, 2)], 1);
        let boxes = ((own - targets).square() * weights).sum() / count as f32;
        let labels: Vec<usize> = all().map(|(_, row)| row.label).collect();
        let classes = classes(rows.narrow(1, 5, self.classes), &labels) / count as f32;
        let parts = [("objectness_loss", objectness), ("box_loss", boxes), ("class_loss", classes)];
        sum(parts.into(), count)
    }

    /// What is found in each image.
    pub fn found(&self, said: Tensor<2>) -> Vec<Vec<Detection>> {
        self.found_of(said, |logits| softmax(logits).into_iter().enumerate().collect())
    }

    /// The same for classes that are no softmax: `labels` are those of a box and their
    /// probabilities, of the numbers of its classes.
    pub fn found_of(
        &self,
        said: Tensor<2>,
        labels: impl Fn(&[f32]) -> Vec<(usize, f32)> + Sync,
    ) -> Vec<Vec<Detection>> {
        let said = values(said);
        let image = |rows: &[f32]| {
            let mut all = Vec::new();
            for (place, row) in rows.chunks(self.numbers()).enumerate() {
                let objectness = sigmoid(row[4]);
                if objectness < LEAST {
                    continue;
                }
                let bounding_box = self.coder(place).decode([row[0], row[1], row[2], row[3]]);
                let each = labels(&row[5..]).into_iter();
                let each = each.map(|(label, own)| (label, objectness * own));
                let each = each.filter(|(_, score)| *score >= LEAST);
                all.extend(each.map(|(label, score)| Detection { label, score, bounding_box }));
            }
            all
        };
        said.par_chunks(self.boxes() * self.numbers()).map(image).collect()
    }
}

/// Logits to probabilities.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let all: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let whole: f32 = all.iter().sum();
    all.into_iter().map(|own| own / whole).collect()
}

/// What the boxes of an image should learn.
struct Wanted {
    objectness: Vec<f32>,
    weights: Vec<f32>,
    rows: Vec<Row>,
}

/// What a responsible box should say.
struct Row {
    place: usize,
    numbers: [f32; 4],
    weight: f32,
    label: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::geometry::BoundingBox;

    fn region() -> Region<'static> {
        let anchors = &[[0.1, 0.1], [0.2, 0.4], [0.4, 0.2], [0.5, 0.5], [0.3, 0.3]];
        Region { classes: 3, stride: 8, cells: 8, anchors }
    }

    fn object(label: usize, corners: [f32; 4]) -> Object {
        Object { label, bounding_box: BoundingBox::from(corners), mask: None }
    }

    #[test]
    fn a_network_that_says_what_is_wanted_has_no_loss_and_finds_the_objects() {
        let config = region();
        assert_eq!((config.side(), config.boxes()), (64, 320));
        let objects = [object(1, [10.0, 10.0, 30.0, 24.0]), object(2, [40.0, 30.0, 62.0, 60.0])];
        let mut said = vec![-9.0; 320 * 8];
        for (object, place) in objects.iter().zip(config.responsible(&objects)) {
            let place = place.unwrap();
            let [x, y, w, h] = config.coder(place).encode(&object.bounding_box);
            let logit = |p: f32| (p / (1.0 - p)).ln();
            let row = &mut said[place * 8..][..8];
            row[..5].copy_from_slice(&[logit(x), logit(y), w, h, 9.0]);
            row[5 + object.label] = 9.0;
        }
        let wanted = config.wanted(&said, &objects, &|_, _| 0.0);
        assert_eq!(wanted.rows.len(), 2);
        for (row, object) in wanted.rows.iter().zip(&objects) {
            assert!(wanted.objectness[row.place] > 0.999);
            let own = &said[row.place * 8..];
            let found = config.coder(row.place).decode([own[0], own[1], own[2], own[3]]);
            assert!(found.iou(&object.bounding_box) > 0.999);
        }
        let told = wanted.weights.iter().filter(|&&weight| weight == NO_OBJECT).count();
        assert_eq!(told, 318);
    }

    #[test]
    fn objects_of_one_cell_get_different_boxes() {
        let config = region();
        let all: Vec<Object> = (0..6).map(|_| object(0, [10.0, 10.0, 20.0, 20.0])).collect();
        let mut places: Vec<usize> = config.responsible(&all).into_iter().flatten().collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 5);
    }
}
