//! Weights in and out of a module: safetensors written and read, PyTorch checkpoints read.
//!
//! Keys and layouts in files are PyTorch's: `fc.weight` is `[out, in]`, a batch norm has
//! `weight`, `bias`, `running_mean` and `running_var`. So torchvision's files load as they
//! are, and files written here load in PyTorch.
//!
//! Files are not trusted. A pickle is read by a closed list of instructions that build
//! nothing but tensors, dictionaries and numbers; no size that a file declares is allocated
//! before the file is seen to hold it; and a module changes only after everything fitted.

mod checkpoint;
mod deferred;
mod expected;
mod inspect;
mod load;
mod named;
mod nesting;
mod options;
mod pickle;
mod rebuild;
mod save;
mod seal;
mod source;
#[cfg(test)]
mod tests;
mod turned;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

pub use expected::module_keys;
pub use inspect::{metadata, read};
pub use load::{LoadReport, load};
pub use named::{Named, find};
pub use nesting::{Keys, differences, keys, keys_for, nestings};
pub use options::LoadOptions;
pub use save::save;
pub use source::Format;

use crate::{Error, Result};

/// SHA-256 of a file's bytes in lower-case hexadecimal.
///
/// It tells whether a file is the one that it was; whether a file that [`save`] wrote is
/// undamaged, [`load`] finds out by itself.
pub fn digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(|e| Error::io(path, e))? {
            0 => return Ok(hex(hasher)),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
