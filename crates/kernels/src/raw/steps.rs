//! Work in many short steps, each divided among threads, of which each needs all of the one
//! before: no task of the thread pool is worth a step, so that threads wait by spinning.

use super::on_threads;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Turns of waiting after which a part whose thread is late is done by another.
const PATIENCE: u32 = 64;
/// Turns of waiting after which a thread gives its processor to others.
const SPINS: u32 = 4096;

/// A part of every step. Each has its cache line: one thread writes it, others look on.
#[derive(Default)]
#[repr(align(128))]
struct Part {
    /// The step that nobody has taken yet.
    next: AtomicUsize,
    /// Whether a thread has come for it.
    present: AtomicBool,
}

/// Parts of steps that are done.
struct Done(AtomicUsize);

/// Counts a part as done when it goes, also where the work panics: nobody waits for ever.
struct Counted<'a>(&'a Done);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Release);
    }
}

/// Calls `work(step, part)` once for each; a step begins when all parts of the one before have
/// ended.
///
/// Whoever waits never waits for a thread that may not run: a part that its thread has not
/// begun in time, because it is asleep or busy elsewhere, is taken by one that waits. So one
/// thread alone comes to the end too, and nested or concurrent calls cannot block each other.
pub(super) fn in_steps(steps: usize, parts: usize, work: impl Fn(usize, usize) + Sync + Send) {
    let all: Vec<Part> = (0..parts).map(|_| Part::default()).collect();
    let done = Done(AtomicUsize::new(0));
    // What the steps before wrote is seen by whoever sees that they are done.
    let ended = |step: usize| done.0.load(Ordering::Acquire) >= (step + 1) * parts;
    let take = |step: usize, part: usize| {
        let next = &all[part].next;
        if next.compare_exchange(step, step + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let _counted = Counted(&done);
            work(step, part);
        }
    };
    on_threads(
        parts,
        || (),
        |(), own| {
            all[own].present.store(true, Ordering::Relaxed);
            loop {
                let step = done.0.load(Ordering::Acquire) / parts;
                if step >= steps {
                    return;
                }
                take(step, own);
                let mut turns = 0;
                while !ended(step) {
                    for (part, other) in all.iter().enumerate() {
                        let late = turns > PATIENCE || !other.present.load(Ordering::Relaxed);
                        if late && other.next.load(Ordering::Relaxed) == step {
                            take(step, part);
                        }
                    }
                    turns += 1;
                    if turns < SPINS {
                        std::hint::spin_loop();
                    } else {
                        std::thread::yield_now();
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::sync::Mutex;

    /// Each part of a step sees all of the step before, however many threads there are for it,
    /// and where all threads are in the same need at once.
    #[test]
    fn steps_follow_each_other_on_any_number_of_threads() {
        const STEPS: usize = 300;
        for threads in [1, 2, 5] {
            let run = |parts: usize| {
                let values: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(1)).collect();
                let last: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(1)).collect();
                let calls = AtomicUsize::new(0);
                in_steps(STEPS, parts, |step, part| {
                    let (from, to) =
                        if step % 2 == 0 { (&values, &last) } else { (&last, &values) };
                    let sum: usize = from.iter().map(|value| value.load(Ordering::Relaxed)).sum();
                    to[part].store((sum + part) % 1009, Ordering::Relaxed);
                    calls.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(calls.load(Ordering::Relaxed), STEPS * parts);
                values.iter().map(|value| value.load(Ordering::Relaxed)).collect::<Vec<_>>()
            };
            let expected = |parts: usize| {
                let mut values = vec![1; parts];
                for _ in 0..STEPS {
                    let sum: usize = values.iter().sum();
                    values = (0..parts).map(|part| (sum + part) % 1009).collect();
                }
                values
            };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                for parts in [1, 2, 3, 8] {
                    assert_eq!(run(parts), expected(parts), "{parts} parts on {threads} threads");
                }
                (0..16).into_par_iter().for_each(|_| assert_eq!(run(3), expected(3)));
            });
        }
    }

    #[test]
    fn a_panic_comes_out_and_leaves_nobody_waiting() {
        let reached = Mutex::new(0);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            in_steps(10, 2, |step, part| {
                *reached.lock().unwrap() += 1;
                assert!((step, part) != (3, 1), "as meant");
            });
        }));
        assert!(result.is_err());
    }
}
