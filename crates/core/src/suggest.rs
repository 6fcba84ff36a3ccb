//! What a model proposes to a person: ranked suggestions with confidence, ready to be
//! confirmed or corrected.

use crate::Result;
use crate::data::{Input, Kind, Preprocess};
use crate::geometry::{BoundingBox, Point, Rle};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What a model says of one input: slots, all of which may be right at once. A class is one
/// slot without a region; detections are a slot each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proposal {
    /// In the model's order, most confident first where there is no other.
    pub slots: Vec<Slot>,
}

impl Proposal {
    /// Alternatives for the input as a whole, best first.
    pub fn alternatives(ranked: Vec<Suggestion>) -> Self {
        Self { slots: vec![Slot { at: None, ranked }] }
    }

    /// The alternatives for the input as a whole, where that is all there is.
    pub fn whole(&self) -> Option<&[Suggestion]> {
        match &self.slots[..] {
            [Slot { at: None, ranked }] => Some(ranked),
            _ => None,
        }
    }

    /// The best of each slot.
    pub fn best(&self) -> impl Iterator<Item = &Suggestion> {
        self.slots.iter().filter_map(|slot| slot.ranked.first())
    }

    /// Keeps the `top` best alternatives of each slot.
    pub fn truncate(&mut self, top: usize) {
        self.slots.iter_mut().for_each(|slot| slot.ranked.truncate(top));
    }

    /// What it has in common with those that can be confirmed on one page: the best label, of a
    /// set each of its labels once; `None` where it has free texts or numbers, which are looked
    /// at one by one, or nothing.
    pub fn group(&self) -> Option<String> {
        let labels: Option<BTreeSet<&str>> = self.best().map(|best| best.answer.label()).collect();
        let labels: Vec<&str> = labels?.into_iter().collect();
        (!labels.is_empty()).then(|| labels.join(" + "))
    }
}

/// One place in an input, and what the model takes it for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Slot {
    /// Where; `None` for the input as a whole.
    pub at: Option<Region>,
    /// Alternatives, one of which is right, best first.
    pub ranked: Vec<Suggestion>,
}

/// A part of an input.
#[derive(Clone, Debug, PartialEq)]
pub enum Region {
    /// A rectangle of an image; JSON `"box": [x1, y1, x2, y2]`.
    Box(BoundingBox),
    /// An outline in an image; JSON `"polygon": [[x, y], ...]`.
    Polygon(Vec<Point>),
    /// Pixels of an image; JSON `"mask": {"size", "counts"}`.
    Mask(Rle),
    /// Bytes of a text; JSON `"span": [start, end]`.
    Span(Range<usize>),
    /// A step of an episode; JSON `"step": n`.
    Step(u32),
    /// A named field; JSON `"key": "name"`.
    Key(String),
}

/// One alternative of a slot, and how sure the model is of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Suggestion {
    /// What the model proposes.
    pub answer: Answer,
    /// How sure it is: a probability in 0..1.
    pub score: f32,
}

impl Suggestion {
    /// A label and its probability.
    pub fn new(label: impl Into<String>, score: f32) -> Self {
        Self { answer: Answer::Label(label.into()), score }
    }

    /// A free text and its probability.
    pub fn text(text: impl Into<String>, score: f32) -> Self {
        Self { answer: Answer::Text(text.into()), score }
    }

    /// A number, and the probability that it lies between its limits.
    pub fn number(estimate: Estimate, score: f32) -> Self {
        Self { answer: Answer::Number(estimate), score }
    }
}

/// What is said of one place in an input; [`Display`](std::fmt::Display) writes it as a person
/// reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub enum Answer {
    /// One of a closed list; JSON `"label"`.
    Label(String),
    /// A number; JSON `"value"`, with `"low"` and `"high"` where its limits are known.
    Number(Estimate),
    /// Free text; JSON `"text"`.
    Text(String),
    /// That there is nothing, such as a form's field left empty; JSON `"absent": true`.
    Absent,
}

impl Answer {
    /// The label, where it is one.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Label(label) => Some(label),
            _ => None,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(text) | Self::Text(text) => f.write_str(text),
            Self::Number(estimate) => estimate.value.fmt(f),
            Self::Absent => f.write_str("absent"),
        }
    }
}

/// A number. Where a model proposes it, it lies between `low` and `high` with the suggestion's
/// `score` as probability; where nothing is known of its error, the score is 0 and there are
/// no limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The lower limit.
    pub low: Option<f64>,
    /// The upper limit.
    pub high: Option<f64>,
}

impl Region {
    /// Its JSON: `{"box": [...]}`.
    pub fn json(&self) -> String {
        serde_json::to_string(&Wire::default().at(Some(self.clone()))).unwrap_or_default()
    }

    /// Where it lies in an image; `None` where it is no place in one, or is empty.
    pub fn bounding_box(&self) -> Option<BoundingBox> {
        match self {
            Self::Box(own) => Some(*own),
            Self::Polygon(points) => BoundingBox::around(points),
            Self::Mask(mask) => mask.bounding_box(),
            _ => None,
        }
    }
}

/// The JSON of everything here: each type takes its fields out and refuses what is left. A
/// flattened optional enum would take a damaged region for none.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<usize>,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    pub rectangle: Option<BoundingBox>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polygon: Option<Vec<Point>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<Rle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<[usize; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranked: Option<Vec<Suggestion>>,
}

impl Wire {
    /// Takes the region out.
    pub fn region(&mut self) -> Result<Option<Region>, &'static str> {
        let regions = [
            self.rectangle.take().map(Region::Box),
            self.polygon.take().map(Region::Polygon),
            self.mask.take().map(Region::Mask),
            self.span.take().map(|[start, end]| Region::Span(start..end)),
            self.step.take().map(Region::Step),
            self.key.take().map(Region::Key),
        ];
        let mut regions = regions.into_iter().flatten();
        match (regions.next(), regions.next()) {
            (at, None) => Ok(at),
            _ => Err("two regions; expected one at most"),
        }
    }

    /// Takes the answer out. Older programs wrote a number with its text as `label` beside it.
    pub fn answer(&mut self) -> Result<Answer, &'static str> {
        let fields = (self.label.take(), self.text.take(), self.value.take(), self.absent.take());
        match fields {
            (_, None, Some(value), None) => {
                let (low, high) = (self.low.take(), self.high.take());
                Ok(Answer::Number(Estimate { value, low, high }))
            }
            (Some(label), None, None, None) => Ok(Answer::Label(label)),
            (None, Some(text), None, None) => Ok(Answer::Text(text)),
            (None, None, None, Some(true)) => Ok(Answer::Absent),
            _ => Err("expected exactly one of label, text, value and absent"),
        }
    }

    /// Nothing may be left.
    pub fn end<T>(self, value: T) -> Result<T, &'static str> {
        match self == Self::default() {
            true => Ok(value),
            false => Err("a field that does not belong here"),
        }
    }

    /// With a region.
    pub fn at(self, region: Option<Region>) -> Self {
        match region {
            Some(Region::Box(value)) => Self { rectangle: Some(value), ..self },
            Some(Region::Polygon(value)) => Self { polygon: Some(value), ..self },
            Some(Region::Mask(value)) => Self { mask: Some(value), ..self },
            Some(Region::Span(value)) => Self { span: Some([value.start, value.end]), ..self },
            Some(Region::Step(value)) => Self { step: Some(value), ..self },
            Some(Region::Key(value)) => Self { key: Some(value), ..self },
            None => self,
        }
    }

    /// With an answer.
    pub fn says(self, answer: Answer) -> Self {
        match answer {
            Answer::Label(label) => Self { label: Some(label), ..self },
            Answer::Text(text) => Self { text: Some(text), ..self },
            Answer::Number(Estimate { value, low, high }) => {
                Self { value: Some(value), low, high, ..self }
            }
            Answer::Absent => Self { absent: Some(true), ..self },
        }
    }
}

impl TryFrom<Wire> for Slot {
    type Error = &'static str;

    fn try_from(mut wire: Wire) -> Result<Self, &'static str> {
        let at = wire.region()?;
        let ranked = wire.ranked.take().ok_or("a slot without `ranked`")?;
        wire.end(Self { at, ranked })
    }
}

impl From<Slot> for Wire {
    fn from(Slot { at, ranked }: Slot) -> Self {
        Self { ranked: Some(ranked), ..Self::default() }.at(at)
    }
}

impl TryFrom<Wire> for Answer {
    type Error = &'static str;

    fn try_from(mut wire: Wire) -> Result<Self, &'static str> {
        let answer = wire.answer()?;
        wire.end(answer)
    }
}

impl From<Answer> for Wire {
    fn from(answer: Answer) -> Self {
        Self::default().says(answer)
    }
}

impl TryFrom<Wire> for Suggestion {
    type Error = &'static str;

    fn try_from(mut wire: Wire) -> Result<Self, &'static str> {
        let answer = wire.answer()?;
        let score = wire.score.take().ok_or("a suggestion without `score`")?;
        wire.end(Self { answer, score })
    }
}

impl From<Suggestion> for Wire {
    fn from(Suggestion { answer, score }: Suggestion) -> Self {
        Self { score: Some(score), ..Self::default() }.says(answer)
    }
}

/// A training on what people decided: it goes on with a run's weights, as that run was trained,
/// with its optimiser, learning rate, schedule, loss and augmentation, and where the task has it
/// so, with the run's own data beside the decisions.
#[derive(Clone, Debug)]
pub struct RetrainPlan {
    /// The run to go on from.
    pub from: PathBuf,
    /// The store of decisions.
    pub store: PathBuf,
    /// The run folder that it makes; a run that is there is left as it is, and refused.
    pub out: PathBuf,
    /// As `--device` names it.
    pub device: String,
    /// Seed of every random number.
    pub seed: u64,
    /// Passes over the decisions; the run's own number where it is not said.
    pub epochs: Option<u32>,
    /// Train on so many decisions at most.
    pub limit: Option<u32>,
}

/// A trained model that proposes alternatives, one of which is right.
pub trait Suggest<In: ?Sized> {
    /// For each input its `top` best suggestions, best first.
    ///
    /// # Errors
    /// An input that does not suit the model.
    fn suggest(&self, inputs: &[&In], top: usize) -> Result<Vec<Vec<Suggestion>>>;
}

/// A trained model that answers inputs, behind `predict`, the page where a person confirms, and
/// in other programs.
pub trait Propose: Send {
    /// What it takes: images at the size in which it looks at them, rows of these columns, texts.
    fn kind(&self) -> Kind;

    /// The labels it can propose, in the order of its outputs; empty where it writes free text.
    fn labels(&self) -> &[String];

    /// Whether it finds any number of places in an image, so that a person may draw some too.
    fn places(&self) -> bool {
        false
    }

    /// How far two people's answers, or a person's and the model's, are the same.
    fn agreement(&self) -> Agreement {
        Agreement::default()
    }

    /// The texts of a file that the model reads as a table, a row each, empty ones among them;
    /// `None` where each line is a text.
    ///
    /// # Errors
    /// A table that it cannot read.
    fn texts(&self, file: &Path) -> Result<Option<Vec<String>>> {
        let _ = file;
        Ok(None)
    }

    /// How an image becomes the network's input, where [`Propose::propose`] takes images that
    /// were [shaped](Preprocess::shaped) before. `None` where it wants them as they are.
    fn preprocess(&self) -> Option<&Preprocess> {
        None
    }

    /// What it says of each input, with up to `top` alternatives a slot.
    ///
    /// # Errors
    /// An input that does not suit the model.
    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>>;

    /// The penultimate features of each input, one after the other, as many numbers for each:
    /// what is alike lies in like directions. `None` where the model has nothing of the kind.
    ///
    /// # Errors
    /// An input that does not suit the model.
    fn embed(&self, inputs: &[&Input]) -> Result<Option<Vec<f32>>> {
        let _ = inputs;
        Ok(None)
    }
}

/// How much two answers about an input must have in common to be the same: labels, numbers,
/// steps, spans and keys must be equal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Agreement {
    /// Boxes, polygons (by their boxes) and masks: the least intersection over union.
    pub iou: f32,
    /// Free texts: the most edits (insertions, deletions, substitutions of a character), as a
    /// part of the longer text's characters.
    pub edits: f32,
}

impl Default for Agreement {
    /// PASCAL VOC's overlap; equal texts.
    fn default() -> Self {
        Self { iou: 0.5, edits: 0.0 }
    }
}

/// The `top` most probable labels, best first; equal scores keep the order of `labels`.
pub fn rank(probabilities: &[f32], labels: &[String], top: usize) -> Vec<Suggestion> {
    let mut order: Vec<usize> = (0..probabilities.len().min(labels.len())).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let suggestion = |&i: &usize| Suggestion::new(&labels[i], probabilities[i]);
    order.iter().take(top).map(suggestion).collect()
}

#[cfg(test)]
#[path = "suggest_tests.rs"]
mod tests;
