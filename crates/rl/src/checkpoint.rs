//! The checkpoint: all that continues a training exactly, replay memory and games included.
//!
//! Each one is a folder `checkpoint/step-N` that appears by one rename after its files are on
//! disk; the one before it is removed afterwards.

use crate::agents::Parts;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tenfold_core::{Error, Result, files};

const STATE: &str = "state.json";
const NEW: &str = ".new";

#[derive(Serialize, Deserialize)]
struct State<T> {
    /// SHA-256 of every part's file.
    parts: BTreeMap<String, String>,
    state: T,
}

/// Saves `state` and `parts` under `root` as of `step`, then removes what was there before.
///
/// # Errors
/// The folder cannot be written or the disk is full; the earlier checkpoint is then intact.
pub fn save<T: Serialize>(root: &Path, step: u64, state: &T, parts: &Parts) -> Result<()> {
    let new = root.join(NEW);
    let _ = std::fs::remove_dir_all(&new);
    std::fs::create_dir_all(&new).map_err(|source| Error::io(&new, source))?;
    let mut digests = BTreeMap::new();
    for (name, bytes) in parts {
        files::write(&new.join(name), bytes)?;
        digests.insert(name.clone(), format!("{:x}", Sha256::digest(bytes)));
    }
    files::write_json(&new.join(STATE), &State { parts: digests, state })?;
    let target = root.join(format!("step-{step:012}"));
    let _ = std::fs::remove_dir_all(&target);
    std::fs::rename(&new, &target).map_err(|source| Error::io(&target, source))?;
    files::sync_folder(root)?;
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.path() != target {
            // Litter harms nothing: the next save tries again.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// The newest checkpoint's folder, where there is one.
pub fn newest(root: &Path) -> Option<PathBuf> {
    let whole = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("step-") && path.join(STATE).is_file()
    };
    let entries = std::fs::read_dir(root).ok()?;
    entries.flatten().map(|entry| entry.path()).filter(whole).max()
}

/// What a checkpoint holds.
///
/// # Errors
/// A file that is missing or damaged.
pub fn load<T: for<'a> Deserialize<'a>>(folder: &Path) -> Result<(T, Parts)> {
    let path = folder.join(STATE);
    let damaged = |why: serde_json::Error| Error::file(&path, format!("damaged ({why})"));
    let state: State<T> = serde_json::from_str(&files::read_text(&path)?).map_err(damaged)?;
    let mut parts = Parts::new();
    for (name, digest) in state.parts {
        // Names are file names of ours: nothing outside of the folder is read.
        if name.contains(['/', '\\', '.']) {
            return Err(Error::file(&path, format!("damaged (a part named `{name}`)")));
        }
        let path = folder.join(&name);
        let bytes = std::fs::read(&path).map_err(|source| Error::io(&path, source))?;
        if format!("{:x}", Sha256::digest(&bytes)) != digest {
            return Err(Error::file(&path, "damaged: its SHA-256 is not the recorded one"));
        }
        parts.insert(name, bytes);
    }
    Ok((state.state, parts))
}
