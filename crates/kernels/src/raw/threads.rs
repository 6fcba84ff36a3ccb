//! Work divided among threads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A place to write from several threads, each to its own part.
#[derive(Clone, Copy)]
pub(crate) struct Out(pub *mut f32);

// SAFETY: whoever uses one says in its SAFETY comment why no two threads write the same place.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

impl Out {
    /// The place this many floats on.
    ///
    /// # Safety
    /// As [`pointer::add`].
    pub(crate) unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: the caller vouches for it.
        unsafe { self.0.add(offset) }
    }
}

/// A vector of `len` floats that `write` fills through the pointer.
///
/// # Safety
/// `write` writes every one of the `len` floats.
pub(crate) unsafe fn filled(len: usize, write: impl FnOnce(Out)) -> Vec<f32> {
    let mut out = Vec::with_capacity(len);
    write(Out(out.as_mut_ptr()));
    // SAFETY: the capacity is `len`, and the caller vouches that all of it is written.
    unsafe { out.set_len(len) };
    out
}

/// Threads to divide work among.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Does `tasks` tasks, on all threads where the work is worth waking them: `work` counts
/// multiplications or floats moved.
pub(crate) fn share(tasks: usize, work: usize, task: impl Fn(usize) + Sync + Send) {
    if work < SMALL || tasks < 2 {
        (0..tasks).for_each(task);
    } else {
        on_threads(tasks, || (), |(), index| task(index));
    }
}

/// Does `tasks` tasks on all threads, with what `init` makes for each thread.
///
/// The calling thread begins at once, and those of the pool come when they are awake. (A
/// parallel iterator of the pool would hand all over to them and sleep: that alone takes as
/// long as a small layer.)
pub(crate) fn on_threads<S>(
    tasks: usize,
    init: impl Fn() -> S + Sync,
    task: impl Fn(&mut S, usize) + Sync,
) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut own = None;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= tasks {
                return;
            }
            task(own.get_or_insert_with(&init), index);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..threads().min(tasks) {
            scope.spawn(|_| work());
        }
        work();
    });
}

/// Waking another thread takes some 5 microseconds: less work than this is done sooner.
pub(crate) const SMALL: usize = 1 << 15;
