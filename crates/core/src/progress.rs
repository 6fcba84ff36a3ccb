//! What a person who waits is told: lines and bars on stderr.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::io::{IsTerminal, Write};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(1234567), "1,234,567");
    }
}
