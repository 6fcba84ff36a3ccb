//! Ctrl-C and SIGTERM: the first asks the training to stop where that loses nothing, the second
//! ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Takes Ctrl-C and SIGTERM over from the operating system, once per process.
pub fn listen() {
    listen_and(|| {});
}

/// [`listen`], and calls `also` at the first of them.
pub fn listen_and(also: impl FnMut() + Send + 'static) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let also = std::sync::Arc::new(Mutex::new(also));
        // A shell reports 128 and the signal's number for a program that a signal ended.
        let stop = move |ended: i32| {
            if REQUESTED.swap(true, Ordering::Relaxed) {
                std::process::exit(ended);
            }
            also.lock().unwrap_or_else(PoisonError::into_inner)();
        };
        let own = stop.clone();
        // Where another part of the program has a handler already, that one stays.
        let _ = ctrlc::set_handler(move || own(130));
        #[cfg(all(unix, feature = "cli"))]
        at_termination(move || stop(143));
    });
}

/// Calls `stop` at each SIGTERM. (ctrlc would take SIGHUP too, which `nohup` has ignored.)
#[cfg(all(unix, feature = "cli"))]
fn at_termination(stop: impl Fn() + Send + 'static) {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async move {
        let Ok(mut terminated) = signal(SignalKind::terminate()) else { return };
        while terminated.recv().await.is_some() {
            stop();
        }
    };
    // Without it SIGTERM ends the program as it would have.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
        return;
    };
    let _ = std::thread::Builder::new().spawn(move || runtime.block_on(wait));
}

/// Asks a training to stop, as Ctrl-C does.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Whether Ctrl-C was pressed, or SIGTERM came, since [`listen`].
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
