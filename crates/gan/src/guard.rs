//! Whether a training is still worth going on with: the alarm before a collapse.

use serde::{Deserialize, Serialize};
use tenfold_core::train::Figures;

/// Below this share of the best diversity so far samples have collapsed.
const SHARE: f64 = 0.5;
/// A discriminator that is right about nearly all images for so many steps has won.
pub const WON: usize = 500;
/// From which part of right answers on a step counts as won.
pub const NEARLY: f64 = 0.99;

/// What is known so far; a part of the checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// The lowest distance so far, and at which step.
    pub best: Option<(f64, usize)>,
    /// The highest diversity so far.
    pub diversity: f64,
    /// Steps in a row in which the discriminator was nearly always right.
    pub won: usize,
    /// How often the training went back to the weights kept.
    pub rollbacks: u32,
    /// What the learning rates are multiplied with since then.
    pub rate: f64,
    /// The step whose weights are to be kept for going back, not yet taken.
    pub keep: bool,
    /// What is wrong since the last measurement.
    pub alarm: Option<String>,
    /// The step of the last measurement.
    pub step: usize,
}

impl Guard {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self { rate: 1.0, ..Self::default() }
    }

    /// Takes in what was measured after `step`, and says what is wrong.
    pub fn measured(&mut self, step: usize, figure: &str, figures: &Figures) -> Option<&str> {
        self.step = step;
        let distance = figures.get(figure).copied().filter(|x| x.is_finite());
        if let Some(distance) = distance
            && self.best.is_none_or(|(best, _)| distance < best)
        {
            self.best = Some((distance, step));
            self.keep = true;
        }
        let diversity = figures.get("diversity").copied().unwrap_or(1.0);
        self.alarm = match () {
            () if diversity < SHARE * self.diversity => Some(format!(
                "samples collapse: their diversity fell to {diversity:.3}, {:.0} % of its best",
                100.0 * diversity / self.diversity
            )),
            () if self.won >= WON => {
                Some(format!("the discriminator has been right for {} steps", self.won))
            }
            () => None,
        };
        self.diversity = self.diversity.max(diversity);
        self.alarm.as_deref()
    }

    /// Goes back: from here on half as fast.
    pub fn went_back(&mut self) {
        self.alarm = None;
        self.won = 0;
        self.rollbacks += 1;
        self.rate *= 0.5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(distance: f64, diversity: f64) -> Figures {
        Figures::from([("fd_lenet".into(), distance), ("diversity".into(), diversity)])
    }

    #[test]
    fn collapse_and_a_discriminator_that_wins_are_told() {
        let mut guard = Guard::new();
        assert_eq!(guard.measured(10, "fd_lenet", &figures(9.0, 0.3)), None);
        assert_eq!(guard.measured(20, "fd_lenet", &figures(5.0, 0.8)), None);
        assert_eq!((guard.best, guard.keep), (Some((5.0, 20)), true));
        guard.keep = false;
        let alarm = guard.measured(30, "fd_lenet", &figures(20.0, 0.3)).unwrap();
        assert!(alarm.starts_with("samples collapse: their diversity fell to 0.300, 38 %"));
        assert_eq!((guard.best, guard.keep), (Some((5.0, 20)), false));
        guard.went_back();
        assert_eq!((guard.rate, guard.rollbacks, guard.alarm.clone()), (0.5, 1, None));
        guard.won = WON;
        let alarm = guard.measured(40, "fd_lenet", &figures(5.0, 0.8)).unwrap();
        assert!(alarm.contains("right for 500 steps"), "{alarm}");
    }
}
