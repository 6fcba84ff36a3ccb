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
    /// The optimiser's step and the highest learning rate.
    step: Option<(usize, f64)>,
    begun: Instant,
    reported: Instant,
}

impl Watch {
    pub(super) fn new(unit: Unit, round: usize, rounds: usize, done: usize) -> Self {
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
            bar.set_prefix(self.title("train"));
        }
    }

    /// A figure's mean over `count` examples; the round's mean weighs it by that.
    pub fn add(&mut self, name: &str, mean: f64, count: usize) {
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
    /// The loss is no number any more, which no further step can mend.
    pub fn advance(&mut self, position: usize) -> Result<()> {
        self.position = position;
        let means = self.means();
        self.check(&means)?;
        if let Some(bar) = &self.bar {
            bar.set_message(shown(&means));
            bar.set_position(position as u64);
        } else if self.reported.elapsed() > PLAIN_INTERVAL && position < self.total {
            self.reported = Instant::now();
            self.line("train", &means, self.begun);
        }
        Ok(())
    }

    /// Notes the optimiser's step, and the highest learning rate, for the message of a loss that
    /// is no number any more.
    pub fn step(&mut self, step: usize, lr: f64) {
        self.step = Some((step, lr));
    }

    /// Refuses a loss that is no number.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn check(&self, figures: &Figures) -> Result<()> {
        if figures.get("loss").is_none_or(|loss| loss.is_finite()) {
            return Ok(());
        }
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
        let why = format!("the loss became NaN or infinite in {name} {round}{at}; {kept}");
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

    /// The line of a split that has ended.
    pub(super) fn line(&self, split: &str, figures: &Figures, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        let part = match split == "train" && self.position < self.total {
            true => format!(" {} of {}", grouped(self.position), grouped(self.total)),
            false => String::new(),
        };
        let rate = match (split, self.unit) {
            ("train", _) if self.position > 0 => {
                format!(", {}/s", grouped((self.position as f64 / seconds.max(1e-9)) as usize))
            }
            _ => String::new(),
        };
        note(format_args!(
            "{}{part}  {}  ({seconds:.1} s{rate})",
            self.title(split),
            shown(figures)
        ));
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn title(&self, split: &str) -> String {
        let name = match self.unit {
            Unit::Epoch => "epoch",
            Unit::Step => "interval",
        };
        format!("{name} {}/{} {split:<10}", self.round, self.rounds)
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
