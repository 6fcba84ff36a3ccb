//! A program that may have no more threads says so in one line, with status 1. Who starts one, in
//! the standard library, in Rayon or in Tokio, panics where the system refuses it: what limits
//! memory (`ulimit -v`) or threads would look as a bug does.

use std::any::Any;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the panics begin: a thread's, that of Rayon's pool, and Tokio's.
const REFUSED: [&str; 3] = [
    "failed to spawn thread",
    "The global thread pool has not been initialized",
    "OS can't spawn worker thread",
];

/// Whether the program goes on with the threads that it has.
static SERVING: AtomicBool = AtomicBool::new(false);

/// To be called once, first thing in `main`.
pub(super) fn tell() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !refused(panic.payload()) {
            return others(panic);
        }
        let why = "error: the system gives no more threads: allow more memory and threads (see \
                   `ulimit -a`), or set RAYON_NUM_THREADS=1 to need fewer";
        // Where even stderr is closed, the exit status still tells.
        let _ = writeln!(std::io::stderr(), "{why}");
        // Here, since whoever catches the panic would tell another reason.
        if !SERVING.load(Ordering::Relaxed) {
            std::process::exit(1);
        }
    }));
}

/// From now on what wants a thread that is refused fails alone: a server has all it needs for most
/// of its answers.
pub fn go_on() {
    SERVING.store(true, Ordering::Relaxed);
}

fn refused(payload: &(dyn Any + Send)) -> bool {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.is_some_and(|text| REFUSED.iter().any(|start| text.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_threads_are_told_from_other_panics() {
        let why = std::io::Error::from(std::io::ErrorKind::WouldBlock);
        let of = |text: String| refused(&text as &(dyn Any + Send));
        assert!(
            of(format!("failed to spawn thread: {why:?}")) && refused(&"failed to spawn thread")
        );
        assert!(of(format!("OS can't spawn worker thread: {why}")));
        assert!(!of("index out of bounds".into()) && !refused(&7));
    }
}
