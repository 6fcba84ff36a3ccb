//! An allocator that keeps pages, for programs.
//!
//! Tensors come and go by the megabyte. Where each is given back to the system at once, every
//! new one costs a page fault for each 4 kB of it; a ResNet then spends a tenth of its
//! training there.

/// The allocator; a program says
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: tenfold_kernels::allocator::Allocator = tenfold_kernels::allocator::Allocator;
///
/// fn main() {
///     tenfold_kernels::allocator::keep_pages();
/// }
/// ```
pub use mimalloc::MiMalloc as Allocator;

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
