//! Learning-rate schedules as pure functions of the step number.
//!
//! Nothing but the number of steps done is ever stored, so that a resumed run takes up the
//! very same rates. The formulas are PyTorch's: `StepLR`, `CosineAnnealingLR`, `OneCycleLR`.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The schedules, by the names that `--schedule` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// The same rate throughout.
    Constant,
    /// The rate times gamma every so many steps.
    Step,
    /// Half a cosine from the rate down to the lowest one.
    Cosine,
    /// Up to the rate and down to almost nothing (Smith and Topin, 2018).
    OneCycle,
}

/// A schedule and its settings. A setting that the kind has no use for is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Which schedule.
    pub kind: ScheduleKind,
    /// The part of all steps, from 0 to 1, over which the rate first rises linearly; the
    /// schedule itself takes the rest.
    pub warmup: f64,
    /// `step`: how many steps one rate lasts; 0 for a third of the run.
    pub every: usize,
    /// `step`: what the rate is multiplied with each time.
    pub gamma: f64,
    /// `cosine`: the rate at the end.
    pub min_lr: f64,
    /// `one-cycle`: the part of the steps, from 0 to 1, in which the rate rises.
    pub rise: f64,
    /// `one-cycle`: the highest rate divided by the first.
    pub div_factor: f64,
    /// `one-cycle`: the first rate divided by the last.
    pub final_div_factor: f64,
}

impl ScheduleConfig {
    /// A schedule with PyTorch's defaults and no warm-up.
    pub fn new(kind: ScheduleKind) -> Self {
        Self {
            kind,
            warmup: 0.0,
            every: 0,
            gamma: 0.1,
            min_lr: 0.0,
            rise: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
        }
    }

    /// The schedule of a run of `total_steps` steps. `base_lr` is the highest rate it takes.
    ///
    /// # Errors
    ///
    /// A setting is out of its range.
    pub fn build(&self, base_lr: f64, total_steps: usize) -> Result<Schedule> {
        let positive = [
            ("learning rate", base_lr),
            ("gamma", self.gamma),
            ("div factor", self.div_factor),
            ("final div factor", self.final_div_factor),
        ];
        for (flag, value) in positive {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::argument(flag, format!("{value} is not a number above 0")));
            }
        }
        for (flag, value) in [("warmup", self.warmup), ("rise", self.rise)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::argument(flag, format!("{value} is not in 0..=1")));
            }
        }
        if !(0.0..=base_lr).contains(&self.min_lr) {
            let why = format!("{} is not between 0 and the learning rate {base_lr}", self.min_lr);
            return Err(Error::argument("min lr", why));
        }
        let warmup = (self.warmup * total_steps as f64).round() as usize;
        Ok(Schedule { config: self.clone(), base_lr, total: total_steps, warmup })
    }
}

/// The learning rates of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    config: ScheduleConfig,
    base_lr: f64,
    total: usize,
    warmup: usize,
}

impl Schedule {
    /// The learning rate of step `step`, counted from 0. After the last step it stays.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.base_lr * (step + 1) as f64 / self.warmup as f64;
        }
        let config = &self.config;
        let (step, total) = (step - self.warmup, self.total.saturating_sub(self.warmup));
        match config.kind {
            ScheduleKind::Constant => self.base_lr,
            ScheduleKind::Step => {
                let every = if config.every == 0 { total.div_ceil(3) } else { config.every };
                // Rates beyond any run need no exact power.
                let times = i32::try_from(step / every.max(1)).unwrap_or(i32::MAX);
                self.base_lr * config.gamma.powi(times)
            }
            ScheduleKind::Cosine => {
                let part = step as f64 / total.max(1) as f64;
                anneal(self.base_lr, config.min_lr, part)
            }
            ScheduleKind::OneCycle => {
                let first = self.base_lr / config.div_factor;
                let last = first / config.final_div_factor;
                // The highest rate falls on the step `top`, which PyTorch lets be a fraction.
                let end = total.saturating_sub(1) as f64;
                let top = (config.rise * total as f64 - 1.0).clamp(0.0, end);
                let step = step as f64;
                if step <= top && top > 0.0 {
                    anneal(first, self.base_lr, step / top)
                } else {
                    anneal(self.base_lr, last, (step - top) / (end - top).max(f64::MIN_POSITIVE))
                }
            }
        }
    }
}

/// From `start` to `end` along half a cosine, `part` of the way from 0 to 1.
fn anneal(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) * 0.5 * (1.0 + (PI * part.clamp(0.0, 1.0)).cos())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn config(name: &str) -> ScheduleConfig {
        use ScheduleKind::*;
        let step = ScheduleConfig { every: 15, ..ScheduleConfig::new(Step) };
        match name {
            "constant" => ScheduleConfig::new(Constant),
            "step" => step,
            "cosine" => ScheduleConfig::new(Cosine),
            "cosine_min" => ScheduleConfig { min_lr: 0.01, ..ScheduleConfig::new(Cosine) },
            "one_cycle" => ScheduleConfig::new(OneCycle),
            "warm_cosine" => ScheduleConfig { warmup: 0.1, ..ScheduleConfig::new(Cosine) },
            "warm_step" => ScheduleConfig { warmup: 0.1, ..step },
            _ => panic!("{name} has no settings here"),
        }
    }

    #[test]
    fn rates_equal_pytorch() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../../tests/golden/schedule/expected.json"))
                .unwrap();
        for (name, rates) in golden["cases"].as_object().unwrap() {
            let schedule = config(name).build(0.3, 40).unwrap();
            for (step, expected) in rates.as_array().unwrap().iter().enumerate() {
                let (rate, expected) = (schedule.at(step), expected.as_f64().unwrap());
                // PyTorch's closed and chained forms themselves differ by rounding.
                assert!((rate - expected).abs() < 1e-12, "{name}, {step}: {rate} for {expected}");
            }
        }
    }

    #[test]
    fn every_rate_of_any_run_is_usable() {
        for kind in <ScheduleKind as clap::ValueEnum>::value_variants() {
            for total in 0..12 {
                for (warmup, rise) in [(0.0, 0.3), (0.5, 0.0), (1.0, 1.0), (0.1, 0.01)] {
                    let config = ScheduleConfig { warmup, rise, ..ScheduleConfig::new(*kind) };
                    let schedule = config.build(0.2, total).unwrap();
                    for step in 0..total + 3 {
                        let rate = schedule.at(step);
                        assert!((0.0..=0.2 + 1e-12).contains(&rate), "{config:?} {total} {step}");
                    }
                }
            }
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let cosine = ScheduleConfig::new(ScheduleKind::Cosine);
        assert!(cosine.build(f64::NAN, 10).is_err());
        assert!(cosine.build(0.0, 10).is_err());
        assert!(ScheduleConfig { warmup: 1.5, ..cosine.clone() }.build(0.1, 10).is_err());
        assert!(ScheduleConfig { min_lr: 0.2, ..cosine.clone() }.build(0.1, 10).is_err());
        assert!(ScheduleConfig { gamma: -0.1, ..cosine }.build(0.1, 10).is_err());
    }
}
