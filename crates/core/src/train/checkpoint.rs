//! The checkpoint: all that continues a training exactly where an epoch ended.
//!
//! Each one is a folder `checkpoint/epoch-NNNN` that appears by one rename after its files
//! are on disk; the one before it is removed afterwards. Whatever instant the program is
//! killed at, at least one whole checkpoint is there.

use super::history::History;
use crate::{Error, Result, files};
use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
const NEW: &str = ".new";

/// The numbers beside the tensors. The learning-rate schedule and every random stream are
/// functions of the seed, the epoch and the step, so these say it all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// The epoch that has ended, counted from 1.
    pub epoch: usize,
    /// Optimiser steps taken.
    pub step: usize,
    /// Everything measured so far.
    pub history: History,
    /// SHA-256 of the model's file.
    model_sha256: String,
    /// SHA-256 of the optimiser's file.
    optimizer_sha256: String,
}

/// Saves the end of `epoch` under `root`, then removes what was there before.
///
/// # Errors
/// The folder cannot be written or the disk is full; the earlier checkpoint is then intact.
pub fn save<M: Module>(
    root: &Path,
    epoch: usize,
    step: usize,
    history: &History,
    model: &M,
    optimizer: &ModuleOptimizer,
) -> Result<()> {
    // One fixed name: the run's lock keeps other writers out, and the next save reuses it.
    let new = root.join(NEW);
    let _ = std::fs::remove_dir_all(&new);
    std::fs::create_dir_all(&new).map_err(|source| Error::io(&new, source))?;
    let put = |name: &str, bytes: Bytes| {
        files::write(&new.join(name), &bytes)?;
        Ok::<_, Error>(digest(&bytes))
    };
    let encode = |why| Error::Training(format!("the checkpoint cannot be encoded: {why}"));
    let model = model.clone().into_record().into_bytes().map_err(encode)?;
    let optimizer = optimizer.to_record().into_bytes().map_err(encode)?;
    let state = State {
        epoch,
        step,
        history: history.clone(),
        model_sha256: put(MODEL, model)?,
        optimizer_sha256: put(OPTIMIZER, optimizer)?,
    };
    files::write_json(&new.join(STATE), &state)?;
    let target = root.join(format!("epoch-{epoch:04}"));
    let _ = std::fs::remove_dir_all(&target);
    std::fs::rename(&new, &target).map_err(|source| Error::io(&target, source))?;
    files::sync_folder(root)?;
    remove_all_but(root, &target);
    Ok(())
}

/// The folder of the newest checkpoint under `root`, if there is one.
pub fn newest(root: &Path) -> Option<PathBuf> {
    let whole = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("epoch-") && path.join(STATE).is_file()
    };
    let entries = std::fs::read_dir(root).ok()?;
    entries.flatten().map(|entry| entry.path()).filter(whole).max()
}

/// Loads a checkpoint into a model and an optimiser made from the same configuration.
///
/// # Errors
/// A file that is missing, damaged, or of another model.
pub fn load<M: Module>(
    folder: &Path,
    model: M,
    optimizer: ModuleOptimizer,
) -> Result<(State, M, ModuleOptimizer)> {
    let path = folder.join(STATE);
    let damaged = |why: serde_json::Error| Error::file(&path, format!("damaged ({why})"));
    let state: State = serde_json::from_str(&files::read_text(&path)?).map_err(damaged)?;
    let get = |name: &str, expected: &str| {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).map_err(|source| Error::io(&path, source))?;
        match digest(&bytes) == expected {
            true => Ok(Bytes::from_bytes_vec(bytes)),
            false => Err(Error::file(&path, "damaged: its SHA-256 is not the recorded one")),
        }
    };
    let unfit = |name: &str, why: String| Error::file(folder.join(name), why);
    let record = ModuleRecord::from_bytes(get(MODEL, &state.model_sha256)?)
        .map_err(|why| unfit(MODEL, why.to_string()))?;
    let model = model.try_load_record(record).map_err(|why| unfit(MODEL, why.to_string()))?;
    let record = OptimizerRecord::from_bytes(get(OPTIMIZER, &state.optimizer_sha256)?)
        .map_err(|why| unfit(OPTIMIZER, why.to_string()))?;
    let optimizer = optimizer.load_record(record);
    Ok((state, model, optimizer))
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Older checkpoints, and what a killed program left half-written.
pub(super) fn remove_all_but(root: &Path, keep: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path != keep) {
        // Litter harms nothing: the next save tries again.
        let _ = std::fs::remove_dir_all(path);
    }
}
