//! Scores that mean something: of the boxes with a score of 80 % four in five are right.
//!
//! B. Zadrozny, C. Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability
//! Estimates", KDD (2002): isotonic regression by pooling adjacent violators, on the boxes of the
//! validation images. Between two pools lies a line, so that no two boxes change places.

use crate::detection::Detection;
use crate::metrics::Judged;
use serde::{Deserialize, Serialize};

/// Fewer boxes say too little.
const LEAST: usize = 30;
/// A pool has this many boxes at least, so that a few lucky ones are no certainty.
const POOL: usize = 10;

/// From a detector's score to the part of its boxes that are right.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Calibration {
    /// Scores and probabilities, both rising; none: scores as they are.
    points: Vec<[f32; 2]>,
}

impl Calibration {
    /// Of scores, best first, and whether their boxes are right.
    pub fn fit(ranked: &[(f32, bool)]) -> Self {
        if ranked.len() < LEAST {
            return Self::default();
        }
        // Sums of scores, boxes that are right, boxes; lowest scores first.
        let mut pools: Vec<[f64; 3]> = Vec::new();
        let rising: Vec<&(f32, bool)> = ranked.iter().rev().collect();
        for part in rising.chunks(POOL) {
            let scores = part.iter().map(|one| f64::from(one.0)).sum();
            let right = part.iter().filter(|one| one.1).count() as f64;
            pools.push([scores, right, part.len() as f64]);
            while let [.., before, last] = pools[..] {
                if before[1] / before[2] < last[1] / last[2] {
                    break;
                }
                pools.truncate(pools.len() - 2);
                pools.push([0, 1, 2].map(|i| before[i] + last[i]));
            }
        }
        // Half a right and half a wrong box more: nothing is certain.
        let point = |&[scores, right, count]: &[f64; 3]| {
            [(scores / count) as f32, ((right + 0.5) / (count + 1.0)) as f32]
        };
        let mut points: Vec<[f32; 2]> = pools.iter().map(point).collect();
        points.dedup_by(|next, own| next[0] <= own[0] || next[1] <= own[1]);
        Self { points }
    }

    /// The probability that a box with this score is right.
    pub fn apply(&self, score: f32) -> f32 {
        if self.points.is_empty() {
            return score;
        }
        let (mut low, mut high) = ([0.0, 0.0], [1.0, 1.0]);
        for &point in &self.points {
            if point[0] <= score {
                low = point;
            } else {
                high = point;
                break;
            }
        }
        let width = high[0] - low[0];
        let part = if width > 0.0 { (score - low[0]) / width } else { 1.0 };
        (low[1] + part * (high[1] - low[1])).clamp(0.0, 1.0)
    }

    /// The same boxes with their probabilities as scores.
    pub fn of(&self, images: &[Judged]) -> Vec<Judged> {
        let one = |own: &Detection| Detection { score: self.apply(own.score), ..*own };
        let of_image = |image: &Judged| Judged {
            objects: image.objects.clone(),
            found: image.found.iter().map(one).collect(),
        };
        images.iter().map(of_image).collect()
    }

    /// Refuses what does not rise, for someone may have edited the file.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        let inside = self.points.as_flattened().iter().all(|x| (0.0..=1.0).contains(x));
        let rises =
            self.points.windows(2).all(|two| two[0][0] < two[1][0] && two[0][1] < two[1][1]);
        match inside && rises {
            true => Ok(()),
            false => Err("calibration: expected numbers from 0 to 1 that rise".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::data::random::SplitMix64;

    #[test]
    fn a_score_becomes_the_part_that_is_right_and_the_order_stays() {
        // Right with the square of the score.
        let mut random = SplitMix64::new(1);
        let mut ranked: Vec<(f32, bool)> = (0..20_000)
            .map(|_| {
                let score = random.unit();
                (score, random.unit() < score * score)
            })
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let own = Calibration::fit(&ranked);
        own.check().unwrap();
        for place in 1..10 {
            let score = place as f32 / 10.0;
            assert!(
                (own.apply(score) - score * score).abs() < 0.04,
                "{score}: {}",
                own.apply(score)
            );
        }
        let all: Vec<f32> = (0..=100).map(|place| own.apply(place as f32 / 100.0)).collect();
        assert!(all.windows(2).all(|two| two[0] < two[1]), "{all:?}");
        assert!(all[0] >= 0.0 && all[100] <= 1.0);
    }

    #[test]
    fn few_boxes_say_nothing_and_all_right_is_no_certainty() {
        assert_eq!(Calibration::fit(&[(0.9, true); 20]).apply(0.3), 0.3);
        let right: Vec<(f32, bool)> = (0..60).map(|i| (1.0 - i as f32 / 100.0, true)).collect();
        let own = Calibration::fit(&right);
        assert!(own.apply(0.8) > 0.9 && own.apply(0.8) < 1.0);
        let wrong = Calibration { points: vec![[0.5, 0.5], [0.4, 0.6]] };
        assert!(wrong.check().is_err());
    }
}
