//! Whose fault it is when a fetch stops: a bad copy can be had elsewhere, a full disk cannot.

use std::fmt::Display;
use std::io;

/// Why a fetch stopped.
#[derive(Debug)]
pub enum Fault {
    /// This copy is missing, unreachable or wrong: another one may do.
    Source(anyhow::Error),
    /// This machine cannot store it: no other copy would help.
    Disk(anyhow::Error),
}

impl Fault {
    /// A fault of the copy.
    pub fn source(why: impl Display) -> Self {
        Self::Source(anyhow::anyhow!("{why}"))
    }

    /// Puts the place before the reason.
    pub fn at(self, place: impl Display) -> Self {
        match self {
            Self::Source(e) => Self::Source(anyhow::anyhow!("{place}: {e:#}")),
            Self::Disk(e) => Self::Disk(e),
        }
    }

    /// The reason alone.
    pub fn into_error(self) -> anyhow::Error {
        match self {
            Self::Source(e) | Self::Disk(e) => e,
        }
    }
}

/// Turns an I/O error into a fault of the disk.
pub trait OnDisk<T> {
    /// Names what was being written or read.
    fn on_disk(self, what: impl Display) -> Result<T, Fault>;
}

impl<T> OnDisk<T> for io::Result<T> {
    fn on_disk(self, what: impl Display) -> Result<T, Fault> {
        self.map_err(|e| Fault::Disk(anyhow::anyhow!("{what}: {e}")))
    }
}
