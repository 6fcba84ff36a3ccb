//! What stands of an input when it is decided: a person's verdicts on the slots of a proposal,
//! the annotations that follow from them, and how far two lists of annotations agree.

use crate::suggest::{Agreement, Answer, Proposal, Region, Wire};
use serde::{Deserialize, Serialize};

/// One place in an input and what is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Annotation {
    /// Where; `None` for the input as a whole.
    pub at: Option<Region>,
    /// What.
    pub answer: Answer,
}

/// What was decided of one slot of a proposal, or beside them. JSON: an annotation's, with
/// `"slot"` beside it, or `{"slot": n, "removed": true}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Verdict {
    /// Its place in the proposal; `None` where it was added.
    pub slot: Option<usize>,
    /// What stands; `None` where the slot was removed.
    pub annotation: Option<Annotation>,
}

/// What a verdict makes of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is as proposed.
    Confirmed,
    /// It has another answer.
    Corrected,
    /// It is at another place, with the proposed answer.
    Moved,
    /// There is nothing.
    Removed,
    /// It was not proposed.
    Added,
}

impl Change {
    /// As tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Corrected => "corrected",
            Self::Moved => "moved",
            Self::Removed => "removed",
            Self::Added => "added",
        }
    }
}

impl Verdict {
    /// What it makes of a proposal.
    pub fn change(&self, proposal: Option<&Proposal>) -> Change {
        let Some(annotation) = &self.annotation else { return Change::Removed };
        let slot = self.slot.zip(proposal).and_then(|(slot, all)| all.slots.get(slot));
        let Some(slot) = slot else { return Change::Added };
        let same = slot.ranked.first().is_some_and(|best| best.answer.says(&annotation.answer));
        match same {
            false => Change::Corrected,
            true if slot.at != annotation.at => Change::Moved,
            true => Change::Confirmed,
        }
    }

    /// The verdicts of who takes a proposal as it is: each slot with its best answer.
    pub fn confirming(proposal: &Proposal) -> Vec<Self> {
        let slot = |(place, slot): (usize, &crate::suggest::Slot)| {
            let answer = slot.ranked.first()?.answer.clone();
            let annotation = Annotation { at: slot.at.clone(), answer };
            Some(Self { slot: Some(place), annotation: Some(annotation) })
        };
        proposal.slots.iter().enumerate().filter_map(slot).collect()
    }
}

/// What stands by a list of verdicts.
pub fn standing(verdicts: &[Verdict]) -> Vec<Annotation> {
    verdicts.iter().filter_map(|verdict| verdict.annotation.clone()).collect()
}

/// In a few words, for a person: `cat`, `cat, 2 × dog`; empty where nothing stands.
pub fn words(annotations: &[Annotation]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for annotation in annotations {
        let text = match &annotation.at {
            Some(Region::Key(key)) => format!("{key}: {}", annotation.answer),
            _ => annotation.answer.to_string(),
        };
        match counts.iter_mut().find(|(own, _)| *own == text) {
            Some((_, count)) => *count += 1,
            None => counts.push((text, 1)),
        }
    }
    let word = |(text, count): (String, usize)| match count {
        1 => text,
        _ => format!("{count} × {text}"),
    };
    counts.into_iter().map(word).collect::<Vec<_>>().join(", ")
}

impl Answer {
    /// Whether both say the same; a number's limits aside.
    fn says(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.value == b.value,
            _ => self == other,
        }
    }
}

impl Agreement {
    /// How far two lists about the same input agree: the Dice coefficient of their annotations,
    /// each matched with one of the other list at most, those that overlap most first. 1 where
    /// both are empty; of single answers 1 or 0.
    pub fn score(&self, a: &[Annotation], b: &[Annotation]) -> f64 {
        if a.is_empty() && b.is_empty() {
            return 1.0;
        }
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for (i, own) in a.iter().enumerate() {
            let with = |(j, other)| Some((self.overlap(own, other)?, i, j));
            pairs.extend(b.iter().enumerate().filter_map(with));
        }
        pairs.sort_by(|one, other| other.0.total_cmp(&one.0));
        let (mut left, mut right) = (vec![true; a.len()], vec![true; b.len()]);
        let mut matched = 0;
        for (_, i, j) in pairs {
            if left[i] && right[j] {
                (left[i], right[j]) = (false, false);
                matched += 1;
            }
        }
        2.0 * f64::from(matched) / (a.len() + b.len()) as f64
    }

    /// Whether two lists say the same.
    pub fn same(&self, a: &[Annotation], b: &[Annotation]) -> bool {
        self.score(a, b) == 1.0
    }

    /// How far the regions of two annotations overlap, 0 to 1; `None` where the two are not the
    /// same.
    fn overlap(&self, a: &Annotation, b: &Annotation) -> Option<f64> {
        if !self.answers(&a.answer, &b.answer) {
            return None;
        }
        let enough = |iou: f64| (iou >= f64::from(self.iou)).then_some(iou);
        match (&a.at, &b.at) {
            (Some(Region::Mask(a)), Some(Region::Mask(b))) => enough(a.iou(b)),
            (Some(a), Some(b)) => match (a.bounding_box(), b.bounding_box()) {
                (Some(a), Some(b)) => enough(a.iou(&b).into()),
                _ => (a == b).then_some(1.0),
            },
            (a, b) => (a == b).then_some(1.0),
        }
    }

    fn answers(&self, a: &Answer, b: &Answer) -> bool {
        match (a, b) {
            (Answer::Text(a), Answer::Text(b)) => {
                let longer = a.chars().count().max(b.chars().count());
                edits(a, b) as f32 <= self.edits * longer as f32
            }
            _ => a.says(b),
        }
    }
}

/// Levenshtein's distance in characters, with one row of its table.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let substituted = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = substituted.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

impl TryFrom<Wire> for Annotation {
    type Error = &'static str;

    fn try_from(mut wire: Wire) -> Result<Self, &'static str> {
        let annotation = Self { at: wire.region()?, answer: wire.answer()? };
        wire.end(annotation)
    }
}

impl From<Annotation> for Wire {
    fn from(Annotation { at, answer }: Annotation) -> Self {
        Self::default().at(at).says(answer)
    }
}

impl TryFrom<Wire> for Verdict {
    type Error = &'static str;

    fn try_from(mut wire: Wire) -> Result<Self, &'static str> {
        let slot = wire.slot.take();
        match (slot, wire.removed.take()) {
            (Some(_), Some(true)) => wire.end(Self { slot, annotation: None }),
            (None, Some(_)) => Err("`removed` without `slot`"),
            _ => Ok(Self { slot, annotation: Some(wire.try_into()?) }),
        }
    }
}

impl From<Verdict> for Wire {
    fn from(Verdict { slot, annotation }: Verdict) -> Self {
        match annotation {
            Some(annotation) => Self { slot, ..annotation.into() },
            None => Self { slot, removed: Some(true), ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{BoundingBox, Rle};
    use crate::suggest::{Slot, Suggestion};

    fn boxed(x: f32, label: &str) -> Annotation {
        let at = Some(Region::Box(BoundingBox::new(x, 0.0, x + 10.0, 10.0)));
        Annotation { at, answer: Answer::Label(label.into()) }
    }

    fn whole(answer: Answer) -> Annotation {
        Annotation { at: None, answer }
    }

    #[test]
    fn sets_agree_by_pairs_and_single_answers_by_equality() {
        let rule = Agreement::default();
        let a = [boxed(0.0, "cat"), boxed(50.0, "dog")];
        // Shifted by a quarter: 7.5 of 12.5 columns are shared, 0.6.
        assert!(rule.same(&a, &[boxed(52.5, "dog"), boxed(0.0, "cat")]));
        // By a half: 5 of 15.
        assert_eq!(rule.score(&a, &[boxed(5.0, "cat"), boxed(50.0, "dog")]), 0.5);
        assert_eq!(rule.score(&a, &[boxed(0.0, "dog"), boxed(50.0, "cat")]), 0.0);
        // Two of the same kind at one place are not both the one that is there.
        assert_eq!(rule.score(&[boxed(0.0, "cat"), boxed(0.0, "cat")], &a[..1]), 2.0 / 3.0);
        assert_eq!((rule.score(&a, &[]), rule.score(&[], &[])), (0.0, 1.0));
        // Each overlaps its neighbour by more than half: whatever the order, each finds itself.
        let row = [0.0, 3.0, 6.0].map(|x| boxed(x, "cat"));
        let order = [2, 1, 0].map(|place: usize| row[place].clone());
        assert!(rule.same(&row, &order) && rule.same(&order, &row));
        let order = [1, 2, 0].map(|place: usize| row[place].clone());
        assert!(rule.same(&row, &order) && rule.same(&order, &row));
        let [cat, dog] = ["cat", "dog"].map(|label| [whole(Answer::Label(label.into()))]);
        assert_eq!((rule.score(&cat, &cat), rule.score(&cat, &dog)), (1.0, 0.0));
    }

    #[test]
    fn texts_agree_within_edits_and_masks_by_pixels() {
        assert_eq!([edits("kitten", "sitting"), edits("", "ab"), edits("图片", "图像")], [3, 2, 1]);
        let text = |text: &str| [whole(Answer::Text(text.into()))];
        let rule = |edits| Agreement { edits, ..Agreement::default() };
        assert!(rule(0.45).same(&text("kitten"), &text("sitting")), "3 of 7 characters");
        assert!(!rule(0.4).same(&text("kitten"), &text("sitting")));
        // 4 and 4 pixels of which 2 are shared: 2 of 6.
        let mask = |counts: &[u32]| {
            let mask = Rle { size: [4, 3], counts: counts.into() };
            [Annotation { at: Some(Region::Mask(mask)), answer: Answer::Absent }]
        };
        let rule = |iou| Agreement { iou, ..Agreement::default() };
        assert!(rule(0.33).same(&mask(&[2, 4, 6]), &mask(&[4, 4, 4])));
        assert!(!rule(0.34).same(&mask(&[2, 4, 6]), &mask(&[4, 4, 4])));
    }

    #[test]
    fn verdicts_come_back_from_json_and_say_what_they_change() {
        let slot = |x, label: &str| Slot {
            at: boxed(x, label).at,
            ranked: vec![Suggestion::new(label, 0.9), Suggestion::new("fox", 0.1)],
        };
        let proposal =
            Proposal { slots: vec![slot(0.0, "cat"), slot(20.0, "dog"), slot(40.0, "cow")] };
        let of = |slot, annotation| Verdict { slot, annotation };
        let all = [
            (of(Some(0), Some(boxed(0.0, "cat"))), Change::Confirmed),
            (of(Some(1), Some(boxed(20.0, "fox"))), Change::Corrected),
            (of(Some(2), Some(boxed(41.0, "cow"))), Change::Moved),
            (of(Some(2), None), Change::Removed),
            (of(None, Some(boxed(60.0, "cat"))), Change::Added),
        ];
        for (verdict, change) in all {
            let text = serde_json::to_string(&verdict).unwrap();
            assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict, "{text}");
            assert_eq!(verdict.change(Some(&proposal)), change, "{text}");
        }
        let text = serde_json::to_string(&of(Some(2), None)).unwrap();
        assert_eq!(text, r#"{"slot":2,"removed":true}"#);
        for wrong in [
            r#"{"slot":1}"#,
            r#"{"removed":true}"#,
            r#"{"slot":1,"removed":true,"label":"cat"}"#,
            r#"{"slot":1,"label":"cat","score":0.5}"#,
            r#"{"slot":1,"label":"cat","box":[1,2,3]}"#,
        ] {
            assert!(serde_json::from_str::<Verdict>(wrong).is_err(), "{wrong}");
        }
        let verdicts = Verdict::confirming(&proposal);
        assert!(verdicts.iter().all(|v| v.change(Some(&proposal)) == Change::Confirmed));
        assert_eq!(words(&standing(&verdicts)), "cat, dog, cow");
        assert_eq!(words(&[boxed(0.0, "cat"), boxed(9.0, "cat")]), "2 × cat");
        assert_eq!(proposal.group().as_deref(), Some("cat + cow + dog"));
    }
}
