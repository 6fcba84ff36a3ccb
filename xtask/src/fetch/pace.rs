//! How slow a server may be: one that sends a byte now and then is given up as one that is silent.

use std::time::{Duration, Instant};

/// The least that must come in each stretch of time.
#[derive(Clone, Copy)]
pub struct Least {
    /// Bytes.
    pub bytes: u64,
    /// In so long.
    pub time: Duration,
}

impl Default for Least {
    /// A kilobyte a second, over a minute: a hundredth of what a bad line has.
    fn default() -> Self {
        Self { bytes: 60_000, time: Duration::from_secs(60) }
    }
}

/// Bytes that came from a server, with all tries, and when.
pub struct Pace<'a> {
    least: Least,
    clock: &'a dyn Fn() -> Instant,
    /// When this stretch of time began, and what has come in it.
    began: Instant,
    came: u64,
    /// What has come in all.
    pub all: u64,
}

impl<'a> Pace<'a> {
    /// Begins now.
    pub fn new(least: Least, clock: &'a dyn Fn() -> Instant) -> Self {
        Self { least, clock, began: clock(), came: 0, all: 0 }
    }

    /// So many bytes came; whether that is fast enough.
    pub fn came(&mut self, bytes: u64) -> bool {
        (self.came, self.all) = (self.came + bytes, self.all + bytes);
        let now = (self.clock)();
        if now.duration_since(self.began) < self.least.time {
            return true;
        }
        let enough = self.came >= self.least.bytes;
        (self.began, self.came) = (now, 0);
        enough
    }

    /// What is wrong with a server that is not.
    pub fn slow(&self) -> String {
        let Least { bytes, time } = self.least;
        format!("sends less than {bytes} bytes in {} seconds", time.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_server_may_pause_but_not_dribble() {
        let seconds = Cell::new(0);
        let start = Instant::now();
        let clock = || start + Duration::from_secs(seconds.get());
        let least = Least { bytes: 60, time: Duration::from_secs(60) };
        let mut pace = Pace::new(least, &clock);
        let mut at = |second: u64, bytes: u64| {
            seconds.set(second);
            pace.came(bytes)
        };
        // All at once is enough for a minute, and the next one begins anew.
        assert!(at(1, 100) && at(59, 0) && at(61, 1));
        assert!(at(120, 30) && at(121, 30));
        assert!((122..181).all(|second| at(second, 0)) && !at(181, 1));
    }
}
