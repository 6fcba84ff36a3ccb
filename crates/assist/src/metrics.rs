//! What is counted, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper limits of the buckets of times, in seconds.
const LIMITS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Counters; each is exact by itself.
#[derive(Default)]
pub struct Metrics {
    /// Answers by the hundred of their status, 100 to 500.
    answers: [AtomicU64; 5],
    within: [AtomicU64; LIMITS.len()],
    microseconds: AtomicU64,
    batches: AtomicU64,
    inputs: AtomicU64,
    decisions: AtomicU64,
}

impl Metrics {
    /// An answer with this status, after this time.
    pub fn answered(&self, status: u16, time: Duration) {
        if let Some(count) = self.answers.get(usize::from(status / 100).wrapping_sub(1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let seconds = time.as_secs_f64();
        if let Some(place) = LIMITS.iter().position(|&limit| seconds <= limit) {
            self.within[place].fetch_add(1, Ordering::Relaxed);
        }
        self.microseconds.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// The model has answered so many inputs at once.
    pub fn batch(&self, inputs: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.inputs.fetch_add(inputs as u64, Ordering::Relaxed);
    }

    /// So many decisions were saved.
    pub fn decided(&self, count: usize) {
        self.decisions.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// The text; `gauges` are names with what stands there now.
    pub fn text(&self, gauges: &[(&str, f64)]) -> String {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut text = String::new();
        let mut line = |name: &str, kind: &str, values: &[(String, f64)]| {
            let _ = writeln!(text, "# TYPE tenfold_{name} {kind}");
            for (label, value) in values {
                let _ = writeln!(text, "tenfold_{name}{label} {value}");
            }
        };
        let answers = self.answers.iter().enumerate();
        let answers: Vec<(String, f64)> = answers
            .map(|(i, count)| (format!("{{status=\"{}xx\"}}", i + 1), load(count) as f64))
            .collect();
        let total: f64 = answers.iter().map(|(_, count)| count).sum();
        line("http_requests_total", "counter", &answers);
        let mut sum = 0;
        let mut buckets = Vec::new();
        for (limit, count) in LIMITS.iter().zip(&self.within) {
            sum += load(count);
            buckets.push((format!("_bucket{{le=\"{limit}\"}}"), sum as f64));
        }
        buckets.push(("_bucket{le=\"+Inf\"}".into(), total));
        buckets.push(("_sum".into(), load(&self.microseconds) as f64 / 1e6));
        buckets.push(("_count".into(), total));
        line("http_request_duration_seconds", "histogram", &buckets);
        for (name, count) in [
            ("model_batches_total", &self.batches),
            ("model_inputs_total", &self.inputs),
            ("decisions_total", &self.decisions),
        ] {
            line(name, "counter", &[(String::new(), load(count) as f64)]);
        }
        for &(name, value) in gauges {
            line(name, "gauge", &[(String::new(), value)]);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_hold_what_is_slower_than_all() {
        let metrics = Metrics::default();
        metrics.answered(200, Duration::from_millis(2));
        metrics.answered(404, Duration::from_millis(7));
        metrics.answered(200, Duration::from_secs(60));
        metrics.batch(64);
        let text = metrics.text(&[("queue_open", 3.0)]);
        for line in [
            "tenfold_http_requests_total{status=\"2xx\"} 2",
            "tenfold_http_requests_total{status=\"4xx\"} 1",
            "tenfold_http_request_duration_seconds_bucket{le=\"0.0025\"} 1",
            "tenfold_http_request_duration_seconds_bucket{le=\"5\"} 2",
            "tenfold_http_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "tenfold_model_inputs_total 64",
            "tenfold_queue_open 3",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is not in\n{text}");
        }
    }
}
