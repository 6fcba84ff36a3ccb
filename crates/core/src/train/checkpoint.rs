//! The checkpoint: all that continues a training exactly.
//!
//! Each one is a folder `checkpoint/UNIT-N` that appears by one rename after its files are on
//! disk; the one before it is removed afterwards. Whatever instant the program is killed at,
//! at least one whole checkpoint is there.

use super::history::History;
use super::learner::{Learner, Model};
use super::parts::{Parts, digest};
use super::plan::Unit;
use crate::{Error, Result, files};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const STATE: &str = "state.json";
const NEW: &str = ".new";

/// What stands beside the parts.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// SHA-256 of this file with nothing in its place; earlier programs wrote none.
    #[serde(default)]
    sha256: String,
    /// SHA-256 of every part's file.
    parts: BTreeMap<String, String>,
    /// Rounds that have ended.
    round: usize,
    /// Everything measured so far.
    history: History,
}

/// What version 0.1's first programs wrote: a network in a wrapper, and its optimiser.
#[derive(Debug, Deserialize)]
struct OldState {
    epoch: usize,
    step: usize,
    history: History,
    model_sha256: String,
    optimizer_sha256: String,
}

/// What reinforcement learning wrote before it had the parts of the others.
#[derive(Debug, Deserialize)]
struct EarlierState {
    #[serde(rename = "state")]
    _state: serde::de::IgnoredAny,
}

/// Saves the end of round `round`, at `at` in the plan's unit, under `root`; then removes what
/// was there before.
///
/// # Errors
/// The folder cannot be written or the disk is full; the earlier checkpoint is then intact.
pub(super) fn save<M: Model>(
    root: &Path,
    (unit, at): (Unit, usize),
    round: usize,
    history: &History,
    learner: &mut dyn Learner<Model = M>,
) -> Result<()> {
    // One fixed name: the run's lock keeps other writers out, and the next save reuses it.
    let new = root.join(NEW);
    let _ = std::fs::remove_dir_all(&new);
    std::fs::create_dir_all(&new).map_err(|source| Error::io(&new, source))?;
    let mut parts = Parts::into(&new);
    learner.parts(&mut parts)?;
    let digests = parts.end()?;
    if digests.is_empty() {
        // What has no parts begins anew.
        return std::fs::remove_dir_all(root).map_err(|source| Error::io(root, source));
    }
    let state = State { sha256: String::new(), parts: digests, round, history: history.clone() };
    files::write(&new.join(STATE), sealed(&new.join(STATE), &state)?.as_bytes())?;
    let width = if unit == Unit::Epoch { 4 } else { 12 };
    let target = root.join(format!("{}-{at:0width$}", unit.name()));
    let _ = std::fs::remove_dir_all(&target);
    std::fs::rename(&new, &target).map_err(|source| Error::io(&target, source))?;
    files::sync_folder(root)?;
    remove_all_but(root, &target);
    Ok(())
}

/// A state's text, its own digest in it.
fn sealed(path: &Path, state: &State) -> Result<String> {
    let text = serde_json::to_string_pretty(state).map_err(|why| Error::file(path, why))?;
    let own = digest(text.as_bytes());
    // The first field.
    Ok(text.replacen("\"\"", &format!("\"{own}\""), 1))
}

/// The folder of the newest whole checkpoint under `root`, if there is one.
pub(super) fn newest(root: &Path) -> Option<PathBuf> {
    let whole = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let (_, number) = name.split_once('-')?;
        let number: usize = number.parse().ok()?;
        path.join(STATE).is_file().then_some((number, path))
    };
    let entries = std::fs::read_dir(root).ok()?;
    entries.flatten().filter_map(|entry| whole(entry.path())).max().map(|(_, path)| path)
}

/// Reads a checkpoint into a learner made from the same configuration: the rounds that had
/// ended, and what they measured.
///
/// # Errors
/// A file that is missing, damaged, or another learner's.
pub(super) fn load<M: Model>(
    folder: &Path,
    learner: &mut dyn Learner<Model = M>,
) -> Result<(usize, History)> {
    let path = folder.join(STATE);
    let text = files::read_text(&path)?;
    let damaged = |why: serde_json::Error| Error::file(&path, format!("damaged ({why})"));
    let (digests, round, history, old) = match serde_json::from_str::<OldState>(&text) {
        Ok(old) => {
            let digests = [
                ("network", old.model_sha256.clone()),
                ("optimizer", old.optimizer_sha256.clone()),
                ("step", String::new()),
            ];
            let digests = digests.map(|(name, digest)| (name.to_string(), digest)).into();
            (digests, old.epoch, old.history, Some(old.step))
        }
        Err(_) if serde_json::from_str::<EarlierState>(&text).is_ok() => {
            let why = "a checkpoint of an earlier version, from which this one cannot go on: train \
                       anew, or from its weights with --weights";
            return Err(Error::file(&path, why));
        }
        Err(_) => {
            let state = serde_json::from_str(&text).map_err(damaged)?;
            let State { sha256, parts, round, history } = state;
            let blank = text.replacen(&sha256, "", 1);
            if !sha256.is_empty() && digest(blank.as_bytes()) != sha256 {
                let why = "damaged: its SHA-256 is not the recorded one";
                return Err(Error::file(&path, why));
            }
            (parts, round, history, None)
        }
    };
    let mut parts = Parts::from(folder, digests, old);
    learner.parts(&mut parts)?;
    parts.end()?;
    Ok((round, history))
}

/// Older checkpoints, and what a killed program left half-written.
pub(super) fn remove_all_but(root: &Path, keep: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path != keep) {
        // Litter harms nothing: the next save tries again.
        let _ = std::fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::super::parts::Wrapped;
    use super::*;
    use crate::device::autodiff_device;
    use crate::train::optim::{OptimizerConfig, OptimizerKind};
    use crate::train::{Figures, Watch, Weights, descend, drawn};
    use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
    use burn::module::Module;
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::ModuleOptimizer;
    use burn::tensor::Tensor;

    struct Line {
        network: Linear,
        config: OptimizerConfig,
        optimizer: ModuleOptimizer,
        step: usize,
        forgets: bool,
    }

    impl Line {
        fn new(seed: u64) -> Self {
            let _stream = crate::train::random_stream();
            let device = autodiff_device(&crate::device::open("cpu").unwrap(), seed);
            let config = OptimizerConfig::new(OptimizerKind::Adam);
            let optimizer = config.build().unwrap();
            let network = drawn(LinearConfig::new(2, 1).init(&device));
            Self { network, config, optimizer, step: 0, forgets: false }
        }

        fn learn(&mut self) {
            let device = self.network.weight.val().device();
            let loss = self.network.forward(Tensor::<2>::ones([1, 2], &device)).square().sum();
            let rate = ModuleLrScheduler::new(0.1).step();
            let optimizer = (&self.config, &mut self.optimizer);
            self.network = descend(self.network.clone(), &loss, optimizer, rate);
            self.step += 1;
        }

        fn weights(&self) -> Vec<f32> {
            self.network.weight.val().into_data().iter().collect()
        }
    }

    impl Learner for Line {
        type Model = Weights<Linear>;

        fn round(&mut self, _: usize, _: &mut Watch) -> Result<Option<Figures>> {
            self.learn();
            Ok(Some(Figures::new()))
        }

        fn model(&self) -> Weights<Linear> {
            Weights(self.network.valid())
        }

        fn parts(&mut self, parts: &mut Parts) -> Result<()> {
            parts.module("network", &mut self.network)?;
            parts.optimizer("optimizer", &mut self.optimizer)?;
            if self.forgets {
                return Ok(());
            }
            parts.value("step", &mut self.step)
        }
    }

    #[test]
    fn what_was_saved_goes_on_bit_for_bit_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (mut line, mut other) = (Line::new(1), Line::new(2));
        line.learn();
        save(folder.path(), (Unit::Epoch, 1), 1, &History::default(), &mut line).unwrap();
        let found = newest(folder.path()).unwrap();
        assert_eq!(load(&found, &mut other).unwrap().0, 1);
        line.learn();
        other.learn();
        assert_eq!((line.weights(), line.step), (other.weights(), other.step));

        let path = found.join(STATE);
        let text = files::read_text(&path).unwrap();
        for round in ["0", "1152921504606846976"] {
            let changed = text.replace("\"round\": 1", &format!("\"round\": {round}"));
            assert_ne!(changed, text);
            std::fs::write(&path, changed).unwrap();
            let why = load(&found, &mut other).unwrap_err().to_string();
            assert!(why.contains("state.json: damaged: its SHA-256"), "{why}");
        }
        // Earlier programs wrote none.
        let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
        state.as_object_mut().unwrap().remove("sha256").unwrap();
        std::fs::write(&path, state.to_string()).unwrap();
        assert_eq!(load(&found, &mut other).unwrap().0, 1);
        std::fs::write(&path, text).unwrap();

        let mut forgetful = Line { forgets: true, ..Line::new(3) };
        let why = load(&found, &mut forgetful).unwrap_err().to_string();
        assert!(why.contains("`step` is not this model's"), "{why}");
        std::fs::write(found.join("network"), "other").unwrap();
        let why = load(&found, &mut other).unwrap_err().to_string();
        assert!(why.contains("damaged"), "{why}");
    }

    #[test]
    fn checkpoints_of_earlier_programs_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (mut line, mut other) = (Line::new(1), Line::new(2));
        line.learn();
        let root = folder.path().join("epoch-0007");
        std::fs::create_dir_all(&root).unwrap();
        let network = Wrapped { network: line.network.clone() }.into_record().into_bytes().unwrap();
        let optimizer = line.optimizer.to_record().into_bytes().unwrap();
        std::fs::write(root.join("model.bpk"), &network[..]).unwrap();
        std::fs::write(root.join("optimizer.bpk"), &optimizer[..]).unwrap();
        let state = serde_json::json!({
            "epoch": 7,
            "step": 1,
            "history": [{"epoch": 7, "split": "validation", "loss": 0.5, "lr": 0.1, "seconds": 1.0}],
            "model_sha256": digest(&network),
            "optimizer_sha256": digest(&optimizer),
        });
        std::fs::write(root.join(STATE), state.to_string()).unwrap();
        let (round, history) = load(&newest(folder.path()).unwrap(), &mut other).unwrap();
        assert_eq!((round, history.last(), other.step), (7, 7, 1));
        line.learn();
        other.learn();
        assert_eq!(line.weights(), other.weights());
    }
}
