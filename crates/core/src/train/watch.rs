//! What a person sees of a round: a bar with rate and time left on a terminal, plain lines
//! elsewhere. It also adds up the round's figures.

use super::interrupt;
use super::plan::{Figures, Unit, interrupted};
use crate::progress::{bar, grouped, note};
use crate::{Error, Result};
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Without a terminal a round that takes long reports this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

/// A loss of so many times the first one has diverged. On its way down a loss may well rise
/// tenfold for a while.
const FAR: f64 = 1000.0;

/// One round of a training, watched.
pub struct Watch {
    unit: Unit,
    round: usize,
    rounds: usize,
    /// Where the last checkpoint stands, in the plan's unit; 0 without one.
    done: usize,
    bar: Option<ProgressBar>,
    position: usize,
    total: usize,
    sums: BTreeMap<String, (f64, f64)>,
    /// The first round's loss, in that round its first one, and the last one.
    losses: Option<(f64, f64)>,
    /// The optimiser's step and the highest learning rate.
    step: Option<(usize, f64)>,
    begun: Instant,
    reported: Instant,
}

impl Watch {
    pub(super) fn new(
        unit: Unit,
        (round, rounds): (usize, usize),
        done: usize,
        first_loss: Option<f64>,
    ) -> Self {
        let now = Instant::now();
        Self {
            unit,
            round,
            rounds,
            done,
            bar: None,
            position: 0,
            total: 0,
            sums: BTreeMap::new(),
            losses: first_loss.map(|first| (first, first)),
            step: None,
            begun: now,
            reported: now,
        }
    }

    /// Says how many examples or steps the round has.
    pub fn expect(&mut self, total: usize) {
        self.total = total;
        self.bar = bar(total);
        if let Some(bar) = &self.bar {
            bar.set_prefix(self.title());
        }
    }

    /// A figure's mean over `count` examples; the round's mean weighs it by that.
    pub fn add(&mut self, name: &str, mean: f64, count: usize) {
        if name == "loss" {
            let first = self.losses.map_or(mean, |(first, _)| first);
            self.losses = Some((first, mean));
        }
        let sum = self.sums.entry(name.into()).or_default();
        *sum = (sum.0 + mean * count as f64, sum.1 + count as f64);
    }

    /// The round's means so far.
    pub fn means(&self) -> Figures {
        let mean = |(name, (sum, count)): (&String, &(f64, f64))| (name.clone(), sum / count);
        self.sums.iter().map(mean).collect()
    }

    /// Moves on to `position` of the expected total.
    ///
    /// # Errors
    /// The training has diverged, which no further step can mend.
    pub fn advance(&mut self, position: usize) -> Result<()> {
        self.position = position;
        let means = self.means();
        self.check(&means)?;
        if let Some(bar) = &self.bar {
            bar.set_message(shown(&means));
            bar.set_position(position as u64);
        } else if self.reported.elapsed() > PLAIN_INTERVAL && position < self.total {
            self.reported = Instant::now();
            self.tell("train", &means, self.begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Notes the optimiser's step, and the highest learning rate, for the message of a training
    /// that has diverged.
    pub fn step(&mut self, step: usize, lr: f64) {
        self.step = Some((step, lr));
    }

    /// Refuses a loss that is no number, and one far above the first.
    ///
    /// # Errors
    /// The training has diverged.
    pub(super) fn check(&self, figures: &Figures) -> Result<()> {
        let shown = figures.get("loss").copied();
        let what = match self.losses {
            _ if shown.is_some_and(|loss| !loss.is_finite()) => {
                "the loss became NaN or infinite".to_string()
            }
            Some((first, last)) if last > first.abs().max(1.0) * FAR => {
                format!("the loss grew from {first:.4} to {last:.3e}")
            }
            _ => return Ok(()),
        };
        let (unit, name) =
            (self.unit.name(), if self.unit == Unit::Epoch { "epoch" } else { "interval" });
        let at = match self.step {
            Some((step, lr)) => format!(" at step {step}: try a lower --lr than {lr:?}"),
            None => ": try a lower --lr".to_string(),
        };
        let kept = match self.done {
            0 => "no checkpoint was made yet".to_string(),
            done => format!("the checkpoint of {unit} {done} is kept"),
        };
        let round = self.round;
        let why = format!("{what} in {name} {round}{at}; {kept}");
        Err(Error::Training(why))
    }

    /// Whether Ctrl-C was pressed.
    pub fn interrupted(&self) -> bool {
        interrupt::requested()
    }

    /// Stops a round that cannot be taken up in its middle, where Ctrl-C was pressed.
    ///
    /// # Errors
    /// It was.
    pub fn go_on(&self) -> Result<()> {
        match self.interrupted() {
            true => Err(interrupted(self.unit, self.done)),
            false => Ok(()),
        }
    }

    /// The line of a split that has ended, or is on its way.
    pub(super) fn tell(&self, split: &str, figures: &Figures, seconds: f64) {
        let part = match split == "train" && self.position < self.total {
            true => format!(" {} of {}", grouped(self.position), grouped(self.total)),
            false => String::new(),
        };
        let rate = match split {
            "train" if self.position > 0 => {
                format!(", {}/s", grouped((self.position as f64 / seconds.max(1e-9)) as usize))
            }
            _ => String::new(),
        };
        let (title, figures) = (self.title(), shown(figures));
        note(format_args!("{title} {split:<10}{part}  {figures}  ({seconds:.1} s{rate})"));
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn title(&self) -> String {
        let name = match self.unit {
            Unit::Epoch => "epoch",
            Unit::Step => "interval",
        };
        format!("{name} {}/{}", self.round, self.rounds)
    }
}

fn shown(figures: &Figures) -> String {
    let first = ["loss"].into_iter().filter_map(|name| figures.get_key_value(name));
    let rest = figures.iter().filter(|(name, _)| *name != "loss");
    first
        .chain(rest)
        .map(|(name, value)| format!("{name} {value:.4}"))
        .collect::<Vec<_>>()
        .join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(first_loss: Option<f64>) -> Watch {
        let mut watch = Watch::new(Unit::Epoch, (2, 9), 1, first_loss);
        watch.expect(100);
        watch.step(7, 1000.0);
        watch
    }

    #[test]
    fn a_loss_far_above_the_first_ends_the_training() {
        let mut own = watch(Some(3.5));
        own.add("loss", 3000.0, 8);
        own.advance(8).unwrap();
        own.add("loss", 1e25, 8);
        let why = own.advance(16).unwrap_err().to_string();
        let said = "training: the loss grew from 3.5000 to 1.000e25 in epoch 2 at step 7: try a \
                    lower --lr than 1000.0; the checkpoint of epoch 1 is kept";
        assert_eq!(why, said);
        // Without an earlier round the first batch is the measure, of small losses 1.
        let mut own = watch(None);
        for loss in [0.01, 900.0, 0.1] {
            own.add("loss", loss, 8);
            own.advance(8).unwrap();
        }
        own.add("loss", 1001.0, 8);
        assert!(own.advance(16).is_err());
        let mut own = watch(None);
        own.add("loss", f64::NAN, 8);
        assert!(own.advance(8).unwrap_err().to_string().contains("NaN or infinite in epoch 2"));
    }
}
