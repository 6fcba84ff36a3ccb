//! Ctrl-C: the first asks the training to stop where that loses nothing, the second ends
//! the program at once.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Takes Ctrl-C over from the operating system, once per process.
pub fn listen() {
    listen_and(|| {});
}

/// [`listen`], and calls `also` at the first Ctrl-C.
pub fn listen_and(mut also: impl FnMut() + Send + 'static) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Where another part of the program has a handler already, that one stays.
        let _ = ctrlc::set_handler(move || {
            if REQUESTED.swap(true, Ordering::Relaxed) {
                // 128 + SIGINT, what a shell reports for a program that Ctrl-C ended.
                std::process::exit(130);
            }
            also();
        });
    });
}

/// Asks a training to stop, as Ctrl-C does.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Whether Ctrl-C was pressed since [`listen`].
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
