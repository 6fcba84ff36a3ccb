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

/// A rate in at most seven characters, however short the time that it was measured in.
fn short(rate: f64) -> String {
    match rate {
        rate if rate < 1e6 => grouped(rate as usize),
        rate if rate < 1e9 => format!("{:.0}M", rate / 1e6),
        rate => format!("{:.0}G", (rate / 1e9).min(9999.0)),
    }
}

/// A bar on stderr where that is a terminal: one line, whatever its message.
pub fn bar(total: usize) -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| styled(ProgressBar::new(total as u64)))
}

fn styled(bar: ProgressBar) -> ProgressBar {
    // `wide_msg` ends where the terminal does: a line that wraps is cleared only in part, and
    // then what was printed above it goes too.
    let template = "{prefix} [{bar:16}] {percent:>3} %  {rate}/s  {eta:>4} left  {wide_msg}";
    // indicatif's own rate has nine decimals.
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:>6}", short(state.per_sec()));
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A terminal of 80 columns that keeps the lines it was sent.
    #[derive(Clone, Debug, Default)]
    struct Terminal(Arc<Mutex<Vec<String>>>);

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push(text.into());
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_stays_on_one_line_of_eighty_columns() {
        let terminal = Terminal::default();
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let bar =
            styled(ProgressBar::with_draw_target(Some(5_000_000), target)).with_position(1_234_567);
        bar.set_prefix("interval 100/100");
        bar.set_message("loss 0.1234  accuracy 0.5000  perplexity 1234.5678  entropy 0.1234");
        bar.force_draw();
        let lines = terminal.0.lock().unwrap();
        let shown = lines.iter().rfind(|line| line.contains("loss 0.1234")).expect("a bar");
        assert!(shown.contains("interval 100/100 [===>") && shown.contains(" 25 %"), "{shown}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(1234567), "1,234,567");
    }
}
