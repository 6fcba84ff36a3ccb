//! A program that may have no more threads says so in one line. Who starts one, in the standard
//! library, in Rayon or in Tokio, panics where the system refuses it: what limits memory
//! (`ulimit -v`) or threads then looks as a bug would.

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};

/// How the panics begin, in this order: a thread's, that of Rayon's pool, and Tokio's.
const REFUSED: [&str; 3] = [
    "failed to spawn thread",
    "The global thread pool has not been initialized",
    "OS can't spawn worker thread",
];

/// Runs a program, which gives its exit status: 1 where it could not start a thread.
pub fn guarded(program: impl FnOnce() -> u8) -> u8 {
    let (others, main) = (take_hook(), std::thread::current().id());
    set_hook(Box::new(move |panic| match refused(panic.payload()) {
        None => others(panic),
        // Told below.
        Some(_) if std::thread::current().id() == main => {}
        // A server goes on with the threads that it has.
        Some(2) => tell(),
        Some(_) => {
            tell();
            std::process::exit(1);
        }
    }));
    catch_unwind(AssertUnwindSafe(program)).unwrap_or_else(|panic| match refused(&*panic) {
        None => resume_unwind(panic),
        Some(_) => {
            tell();
            1
        }
    })
}

/// Which of [`REFUSED`] a panic is.
fn refused(payload: &(dyn Any + Send)) -> Option<usize> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied())?;
    REFUSED.iter().position(|start| text.starts_with(start))
}

fn tell() {
    let why = "error: the system gives no more threads: allow more memory and threads (see \
               `ulimit -a`), or set RAYON_NUM_THREADS=1 to need fewer";
    // Where even stderr is closed, the exit status still tells.
    let _ = writeln!(std::io::stderr(), "{why}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_threads_are_told_from_other_panics() {
        let why = std::io::Error::from(std::io::ErrorKind::WouldBlock);
        let of = |text: String| refused(&text as &(dyn Any + Send));
        assert_eq!(of(format!("failed to spawn thread: {why:?}")), Some(0));
        assert_eq!(of(format!("OS can't spawn worker thread: {why}")), Some(2));
        assert_eq!(of("index out of bounds".into()), None);
        assert_eq!(refused(&"failed to spawn thread"), Some(0));
        assert_eq!(refused(&7), None);
    }
}
