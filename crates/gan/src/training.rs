//! How a GAN is trained; stands in `config.json`.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tenfold_core::train::optim::OptimizerConfig;
use tenfold_core::train::{Keep, Plan, Unit};

/// How a GAN is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Steps of the generator.
    pub steps: usize,
    /// Steps between two measurements.
    pub every: usize,
    /// Real images a step.
    pub batch_size: usize,
    /// The generator's learning rate.
    pub lr: f64,
    /// The part of the steps, at the end, in which the rates fall to zero.
    pub decay: f64,
    /// The optimiser of both networks.
    pub optimizer: OptimizerConfig,
    /// Source of every random number.
    pub seed: u64,
    /// Stop after so many measurements without a better one.
    pub patience: Option<usize>,
    /// Whether an alarm goes back to the weights kept, at half the rate.
    pub rollback: bool,
    /// The classifier whose features measure; none for the program's own.
    pub features: Option<PathBuf>,
    /// Samples of a measurement.
    pub samples: usize,
}

impl Training {
    /// Rounds of `every` steps, of which the last may be shorter.
    pub fn rounds(&self) -> usize {
        self.steps.div_ceil(self.every.max(1)).max(1)
    }

    /// Steps at the end of a round.
    pub fn at(&self, round: usize) -> usize {
        (round * self.every).min(self.steps)
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let Self { steps, every, batch_size, samples, .. } = *self;
        match [steps, every, batch_size, samples].contains(&0) {
            true => Err("training: steps, every, batch_size and samples are 1 or more".into()),
            false => Ok(()),
        }
    }

    /// The plan.
    pub fn plan(&self, figure: &'static str) -> Plan {
        Plan {
            rounds: self.rounds(),
            unit: Unit::Step,
            seed: self.seed,
            keep: Keep::Lowest(figure),
            patience: self.patience,
        }
    }

    /// The learning rate of a step, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        let falls = (self.steps as f64 * self.decay).max(1.0);
        let left = (self.steps - step.min(self.steps)) as f64;
        self.lr * (left / falls).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::train::optim::OptimizerKind;

    #[test]
    fn rounds_and_rates() {
        let own = Training {
            steps: 250,
            every: 100,
            batch_size: 8,
            lr: 0.5,
            decay: 0.4,
            optimizer: OptimizerConfig::new(OptimizerKind::Adam),
            seed: 1,
            patience: None,
            rollback: false,
            features: None,
            samples: 10,
        };
        assert_eq!((own.rounds(), own.at(2), own.at(3)), (3, 200, 250));
        assert_eq!([0, 149, 150, 200, 250].map(|step| own.rate(step)), [0.5, 0.5, 0.5, 0.25, 0.0]);
    }
}
