//! A terminal that gives every key at once and shows a screen of its own, and is put back as it
//! was whatever happens.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{IsTerminal, Write, stdin, stdout};
use std::sync::{Mutex, Once, PoisonError};
use tenfold_core::train::interrupt;

/// What the terminal was before.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Whether keys come from a terminal and go to one that can be drawn on.
pub fn both() -> bool {
    let drawn = std::env::var_os("TERM").is_some_and(|name| name != "dumb");
    drawn && stdin().is_terminal() && stdout().is_terminal()
}

/// As long as it lives, keys come one by one, and the screen is the alternate one.
pub struct Raw;

impl Raw {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub fn enter() -> std::io::Result<Self> {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // A message on the alternate screen would go with it.
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                hook(panic);
            }));
            // Ctrl-C is a key here; this is for `kill -INT`.
            interrupt::listen_and(|| {
                restore();
                std::process::exit(130);
            });
        });
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let entered = Self;
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        write!(stdout(), "\x1b[?1049h")?;
        Ok(entered)
    }

    /// Columns and rows; 80 and 24 where the terminal does not say.
    pub fn size(&self) -> (usize, usize) {
        let size = tcgetwinsize(stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // Nothing can be done, and nobody told, where even this fails.
        let _ = write!(stdout(), "\x1b[0m\x1b[?1049l").and_then(|()| stdout().flush());
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &before);
    }
}
