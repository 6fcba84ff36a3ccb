//! What a person sees of a training: a bar with rate and time left on a terminal, plain
//! lines elsewhere. It also adds up the metrics of the running split for the training loop.

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricAttributes, MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::collections::{BTreeMap, HashMap};
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Without a terminal a split that takes long reports this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

/// The running means of one split, shared with the training loop.
#[derive(Clone, Debug, Default)]
pub struct Means(Arc<Mutex<HashMap<String, Mean>>>);

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Means {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Mean>> {
        // The map is valid after every single operation, so a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, name: &str, value: f64, count: usize) {
        let mut means = self.lock();
        let mean = means.entry(name.to_string()).or_default();
        mean.sum += value * count as f64;
        mean.count += count;
    }

    /// The means so far, by metric.
    pub fn get(&self) -> BTreeMap<String, f64> {
        let mean = |(name, mean): (&String, &Mean)| (name.clone(), mean.sum / mean.count as f64);
        self.lock().iter().map(mean).collect()
    }

    /// Forgets them: a new split begins.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Whether the loss has become NaN or infinite, which no further step can mend.
    pub fn diverged(&self) -> bool {
        self.lock().get("loss").is_some_and(|loss| !loss.sum.is_finite())
    }
}

/// Tenfold's renderer for burn-train.
pub struct Renderer {
    means: Means,
    /// burn-train's metric ids, as the JSON names and the factor that brings them to JSON's unit.
    metrics: HashMap<MetricId, (String, f64)>,
    bar: Option<ProgressBar>,
    epoch: usize,
    epochs: usize,
    split: String,
    total: usize,
    done: usize,
    started: Instant,
    reported: Instant,
}

impl Renderer {
    /// A renderer that adds the metrics up in `means`.
    pub fn new(means: Means) -> Self {
        let now = Instant::now();
        Self {
            means,
            metrics: HashMap::new(),
            bar: None,
            epoch: 1,
            epochs: 0,
            split: String::new(),
            total: 0,
            done: 0,
            started: now,
            reported: now,
        }
    }

    fn update(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else { return };
        let Some((name, factor)) = self.metrics.get(&entry.metric_id) else { return };
        match value {
            NumericEntry::Value(value) => self.means.add(name, value * factor, 1),
            NumericEntry::Aggregated { aggregated_value, count } => {
                self.means.add(name, aggregated_value * factor, count);
            }
            // The end of a split repeats what was added up above.
            NumericEntry::Final(_) => {}
        }
    }

    fn title(&self) -> String {
        format!("epoch {}/{} {:<10}", self.epoch, self.epochs, self.split)
    }

    fn plain(&self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let part = match self.done < self.total {
            true => format!(" {} of {}", grouped(self.done), grouped(self.total)),
            false => String::new(),
        };
        let rate = grouped((self.done as f64 / seconds.max(1e-9)) as usize);
        note(format_args!("{}{part}  {}  ({seconds:.1} s, {rate}/s)", self.title(), self.values()));
    }

    fn values(&self) -> String {
        let means = self.means.get();
        let values = means.iter().rev().map(|(name, value)| format!("{name} {value:.4}"));
        values.collect::<Vec<_>>().join("  ")
    }
}

/// One line on stderr for the person who waits. `eprintln!` would panic where nobody reads
/// stderr any more, as in `train ... 2>&1 | head -1`, and a training is worth more than a line.
pub fn note(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// 12345 as `12,345`.
pub fn grouped(number: usize) -> String {
    indicatif::HumanCount(number as u64).to_string()
}

/// A bar on stderr where that is a terminal.
pub fn bar(total: usize) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new(total as u64);
    let template = "{prefix} [{bar:24}] {human_pos}/{human_len}  {rate}/s  {eta:>4} left  {msg}";
    // indicatif's own rate has nine decimals.
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:>7}", grouped(state.per_sec() as usize));
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
    }
    Some(bar)
}

impl MetricsRendererTraining for Renderer {
    fn update_train(&mut self, state: MetricState) {
        self.update(state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.update(state);
    }
}

impl TrainingProgressLogger for Renderer {
    fn start(
        &mut self,
        total_epochs: usize,
        starting_epoch: usize,
        _total_items: Option<usize>,
        _label: Option<&str>,
    ) {
        self.epochs = total_epochs;
        self.epoch = starting_epoch;
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        self.split = if split == "valid" { "validation".into() } else { split.into() };
        self.total = total_items;
        self.done = 0;
        self.started = Instant::now();
        self.reported = self.started;
        self.means.clear();
        self.bar = bar(total_items);
        if let Some(bar) = &self.bar {
            bar.set_prefix(self.title());
        }
    }

    fn update_split(&mut self, items_processed: usize) {
        self.done = items_processed;
        if let Some(bar) = &self.bar {
            bar.set_message(self.values());
            bar.set_position(items_processed as u64);
        } else if self.reported.elapsed() > PLAIN_INTERVAL && self.done < self.total {
            self.reported = Instant::now();
            self.plain();
        }
    }

    fn end_split(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.plain();
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.epoch = epoch + 1;
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn log_event_training(&mut self, _event: String) {}
}

impl MetricsRenderer for Renderer {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        let percent = matches!(&definition.attributes,
            MetricAttributes::Numeric(numeric) if numeric.unit.as_deref() == Some("%"));
        let factor = if percent { 0.01 } else { 1.0 };
        self.metrics.insert(definition.metric_id, (definition.name.to_lowercase(), factor));
    }
}

// burn-train asks one type for both halves; Tenfold evaluates without its evaluator.
impl MetricsRendererEvaluation for Renderer {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for Renderer {
    fn start_global_progress(&mut self, _total_tests: usize) {}
    fn start_test(&mut self, _name: &str, _total_items: usize) {}
    fn update_test_progress(&mut self, _items_processed: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_weigh_by_count_and_notice_divergence() {
        let means = Means::default();
        means.add("loss", 1.0, 3);
        means.add("loss", 5.0, 1);
        assert_eq!(means.get()["loss"], 2.0);
        assert!(!means.diverged());
        means.add("loss", f64::NAN, 1);
        assert!(means.diverged());
        means.clear();
        assert!(!means.diverged() && means.get().is_empty());
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(1234567), "1,234,567");
    }
}
