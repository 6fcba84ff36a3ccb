//! A progress bar on a terminal, plain lines elsewhere, always on stderr.

use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// Without a terminal, a line at most this often.
const EVERY: Duration = Duration::from_secs(5);

/// Progress of one stretch of work that is counted in bytes.
pub struct Meter {
    label: String,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
    last: Instant,
}

impl Meter {
    /// Starts a stretch of `total` bytes; 0 where nobody knows how many.
    pub fn new(label: impl Into<String>, total: u64) -> Self {
        let label = label.into();
        let bar = stderr().is_terminal().then(|| {
            let bar = if total > 0 { ProgressBar::new(total) } else { ProgressBar::no_length() };
            let line = "{msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(line) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(label.clone());
            bar
        });
        if bar.is_none() {
            eprintln!("{label}");
        }
        Self { label, total, done: 0, bar, last: Instant::now() }
    }

    /// A meter that shows nothing.
    #[cfg(test)]
    pub fn silent() -> Self {
        let bar = Some(ProgressBar::hidden());
        Self { label: String::new(), total: 0, done: 0, bar, last: Instant::now() }
    }

    /// Learns the total.
    pub fn set_total(&mut self, total: u64) {
        self.total = total;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    /// Stands at `done` bytes, as after a resumed or restarted download.
    pub fn set(&mut self, done: u64) {
        self.done = done;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// `bytes` more are done.
    pub fn add(&mut self, bytes: u64) {
        self.set(self.done + bytes);
        if self.bar.is_none() && self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            let percent = (self.done * 100).checked_div(self.total);
            let percent = percent.map_or(String::new(), |p| format!(" ({p} %)"));
            eprintln!("{}: {}{percent}", self.label, DecimalBytes(self.done));
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
