//! An allocator that keeps pages, for programs.
//!
//! Tensors come and go by the megabyte. Where each is given back to the system at once, every
//! new one costs a page fault for each 4 kB of it; a ResNet then spends a tenth of its
//! training there.
//!
//! Where the system has no more memory, the program ends with one line and status 1.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering};

/// The allocator, mimalloc; a program says
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: tenfold_kernels::allocator::Allocator = tenfold_kernels::allocator::Allocator;
///
/// fn main() {
///     tenfold_kernels::allocator::keep_pages();
/// }
/// ```
pub struct Allocator;

// SAFETY: each call is handed on to mimalloc as it came, and what it gives is not null.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches; also below.
        there(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        there(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        there(unsafe { MiMalloc.realloc(old, layout, size) }, size)
    }

    #[inline]
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(old, layout) }
    }
}

#[inline]
fn there(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() {
        refused(size);
    }
    memory
}

/// Ends the program: the standard library would abort it, with a trace and status 134.
#[cold]
fn refused(size: usize) -> ! {
    static FIRST: AtomicBool = AtomicBool::new(true);
    if !FIRST.swap(false, Ordering::Relaxed) {
        // Another thread has told, and ends the program; unless it is this one, at its end.
        (0..1 << 20).for_each(|_| std::thread::yield_now());
        std::process::abort();
    }
    tell(size);
    std::process::exit(1)
}

/// Nothing here may want memory, or a lock that a thread above may hold.
#[allow(unsafe_code)]
fn tell(size: usize) {
    use std::io::Write;
    #[cfg(unix)]
    // SAFETY: the descriptor is stderr's, and not closed here.
    let mut stderr = std::mem::ManuallyDrop::new(unsafe {
        <std::fs::File as std::os::fd::FromRawFd>::from_raw_fd(2)
    });
    #[cfg(not(unix))]
    let mut stderr = std::io::stderr();
    // In one piece: others may write beside.
    let mut line = [0; 160];
    let mut rest = &mut line[..];
    let why = "the system gives no more memory: allow more (see `ulimit -v`), or ask for less, as \
               by smaller batches";
    let _ = writeln!(rest, "error: {size} bytes wanted, and {why}");
    let left = rest.len();
    let _ = stderr.write_all(&line[..160 - left]);
}

/// The number of mimalloc's option: after so many milliseconds freed pages go back.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Has freed pages kept for ten seconds: longer than a step of any training, short enough for
/// the memory to be the system's again soon. To be called once, first thing in `main`.
#[allow(unsafe_code)]
pub fn keep_pages() {
    // SAFETY: the option exists in the version of mimalloc that is built with this crate, and
    // may be set at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 10_000) };
}

/// Gives back what [`keep_pages`] keeps.
#[allow(unsafe_code)]
pub(crate) fn release() {
    // SAFETY: it may be called at any time, also where another allocator is in use.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

#[cfg(test)]
mod tests {
    #[test]
    #[allow(unsafe_code)]
    fn the_option_is_the_one_meant() {
        // SAFETY: as above.
        assert_eq!(
            unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) },
            1000,
            "its default"
        );
        super::keep_pages();
        // SAFETY: as above.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) }, 10_000);
    }
}
