//! What a model proposes to a person: ranked suggestions with confidence, ready to be
//! confirmed or corrected.

use crate::Result;
use crate::data::{Input, Kind};
use serde::{Deserialize, Serialize};

/// One proposal for one input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// What the model proposes.
    pub label: String,
    /// How sure it is: a probability in 0..1.
    pub score: f32,
    /// Where the model proposes a number: the label as such, and how far off it may be.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

impl Suggestion {
    /// A label and its probability.
    pub fn new(label: impl Into<String>, score: f32) -> Self {
        Self { label: label.into(), score, estimate: None }
    }
}

/// A proposed number. It lies between `low` and `high` with the suggestion's `score` as
/// probability; where nothing is known of its error, the score is 0 and there are no limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The lower limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// A trained model that proposes.
pub trait Suggest<In: ?Sized> {
    /// The labels it can propose, in the order of its outputs.
    fn labels(&self) -> &[String];

    /// For each input its `top` best suggestions, best first.
    ///
    /// # Errors
    /// An input that does not suit the model.
    fn suggest(&self, inputs: &[&In], top: usize) -> Result<Vec<Vec<Suggestion>>>;
}

/// A trained model that can stand behind the page where a person confirms.
pub trait Propose: Suggest<Input> + Send {
    /// What it takes: pictures at the size in which it looks at them, or rows of these columns.
    fn kind(&self) -> Kind;

    /// What its last layer sees of each input, one after the other, as many numbers for each:
    /// what is alike lies in like directions. `None` where the model has nothing of the kind.
    ///
    /// # Errors
    /// An input that does not suit the model.
    fn embed(&self, inputs: &[&Input]) -> Result<Option<Vec<f32>>> {
        let _ = inputs;
        Ok(None)
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
mod tests {
    use super::*;

    #[test]
    fn best_first_and_ties_in_order() {
        let labels: Vec<String> = ["a", "b", "c", "d"].map(String::from).into();
        let best = rank(&[0.1, 0.4, 0.4, 0.1], &labels, 3);
        let names: Vec<_> = best.iter().map(|s| s.label.as_str()).collect();
        assert_eq!(names, ["b", "c", "a"]);
        assert_eq!(best[0].score, 0.4);
    }

    #[test]
    fn asking_for_more_than_there_is_gives_all() {
        let labels = vec!["yes".to_string(), "no".to_string()];
        assert_eq!(rank(&[0.2, 0.8], &labels, 10).len(), 2);
    }

    #[test]
    fn a_number_has_its_limits_beside_it_and_a_class_has_none() {
        let class = Suggestion::new("cat", 0.5);
        assert_eq!(serde_json::to_string(&class).unwrap(), r#"{"label":"cat","score":0.5}"#);
        let estimate = Some(Estimate { value: 9.5, low: Some(8.0), high: Some(11.0) });
        let number = Suggestion { estimate, ..Suggestion::new("9.5", 0.75) };
        let text = serde_json::to_string(&number).unwrap();
        assert_eq!(text, r#"{"label":"9.5","score":0.75,"value":9.5,"low":8.0,"high":11.0}"#);
        for suggestion in [class, number] {
            let text = serde_json::to_string(&suggestion).unwrap();
            assert_eq!(serde_json::from_str::<Suggestion>(&text).unwrap(), suggestion);
        }
    }
}
