//! What a model proposes to a person: ranked suggestions with confidence, ready to be
//! confirmed or corrected.

use crate::Result;
use serde::{Deserialize, Serialize};

/// One proposal for one input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// What the model proposes.
    pub label: String,
    /// How sure it is: a probability in 0..1.
    pub score: f32,
}

/// A trained model that proposes.
pub trait Suggest<Input: ?Sized> {
    /// The labels it can propose, in the order of its outputs.
    fn labels(&self) -> &[String];

    /// For each input its `top` best suggestions, best first.
    ///
    /// # Errors
    /// An input that does not suit the model.
    fn suggest(&self, inputs: &[&Input], top: usize) -> Result<Vec<Vec<Suggestion>>>;
}

/// The `top` most probable labels, best first; equal scores keep the order of `labels`.
pub fn rank(probabilities: &[f32], labels: &[String], top: usize) -> Vec<Suggestion> {
    let mut order: Vec<usize> = (0..probabilities.len().min(labels.len())).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let suggestion = |&i: &usize| Suggestion { label: labels[i].clone(), score: probabilities[i] };
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
}
