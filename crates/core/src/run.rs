//! The run folder: everything one training leaves behind, each file whole or absent.
//!
//! ```text
//! config.json        all that predict needs, written before the first step
//! model.safetensors  weights of the best epoch so far
//! metrics.jsonl      one line per epoch and split
//! calibration.json   what the confidence of a classifier was worth on examples it had not seen
//! summary.json       final metrics; present once the training has ended
//! curves.svg         loss and metric against epochs
//! checkpoint/        the last epoch, for `--resume`
//! ```

use crate::calibrate::Calibration;
use crate::{Error, Result, files};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Version of the run folder's layout. A higher number in a `config.json` was written by a
/// newer program and is refused.
pub const FORMAT: u32 = 1;

/// What every task's `config.json` begins with.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct Header {
    /// See [`FORMAT`].
    pub format: u32,
    /// The Tenfold version that wrote it.
    pub tenfold: String,
    /// The task crate, such as `classification`.
    pub task: String,
    /// The model's name in that task's zoo.
    pub model: String,
}

impl Header {
    /// The header this program writes.
    pub fn new(task: &str, model: &str) -> Self {
        let tenfold = env!("CARGO_PKG_VERSION").to_string();
        Self { format: FORMAT, tenfold, task: task.into(), model: model.into() }
    }

    /// Reads the header of a configuration that stands in `path`, and checks that `task`
    /// of this version of the program can read the rest.
    ///
    /// # Errors
    /// Half-written JSON, a newer format, or another task's run.
    pub fn check(text: &str, path: &Path, task: &str) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Version {
            format: u32,
            tenfold: Option<String>,
        }
        let broken = |why: serde_json::Error| {
            Error::file(path, format!("not a complete run configuration ({why})"))
        };
        let version: Version = serde_json::from_str(text).map_err(broken)?;
        if version.format > FORMAT {
            let by = version.tenfold.unwrap_or_else(|| "a newer version".into());
            let why = format!(
                "written by Tenfold {by} in format {}, and this program reads formats up to {FORMAT}: update it",
                version.format
            );
            return Err(Error::file(path, why));
        }
        let header: Self = serde_json::from_str(text).map_err(broken)?;
        if header.task != task {
            let why = format!("a run of task `{}`, expected `{task}`", header.task);
            return Err(Error::file(path, why));
        }
        Ok(header)
    }
}

/// A run folder on disk.
#[derive(Clone, Debug)]
pub struct Run {
    folder: PathBuf,
}

/// Held while a training writes into a run folder; released when dropped, or by the
/// operating system when the program dies.
#[derive(Debug)]
pub struct Lock {
    _file: std::fs::File,
}

impl Run {
    /// Every file and folder a training writes, for [`Run::clear`].
    const CONTENT: [&str; 7] = [
        "config.json",
        "calibration.json",
        "model.safetensors",
        "metrics.jsonl",
        "summary.json",
        "curves.svg",
        "checkpoint",
    ];

    /// The run in `folder`, which must hold one.
    ///
    /// # Errors
    /// No `config.json` there.
    pub fn open(folder: &Path) -> Result<Self> {
        let run = Self { folder: folder.into() };
        if !run.exists() {
            return Err(Error::file(
                folder,
                "not a run folder: it has no config.json (`train` makes one)",
            ));
        }
        Ok(run)
    }

    /// The folder for a new run, or for one to be resumed; it is created where missing.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn at(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        Ok(Self { folder: folder.into() })
    }

    /// Whether the folder already holds a run.
    pub fn exists(&self) -> bool {
        self.config_path().is_file()
    }

    /// Removes an earlier run's files, and nothing else that a person may keep beside them.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn clear(&self) -> Result<()> {
        // config.json first: without it the rest is no run, whatever happens next.
        for name in Self::CONTENT {
            let path = self.folder.join(name);
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            match removed {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&path, source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps a second training out of this folder, and removes what one that was killed
    /// left half-written.
    ///
    /// # Errors
    /// Another training holds it.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.folder.join(".lock");
        let open = || std::fs::File::options().create(true).append(true).open(&path);
        let file = open().map_err(|source| Error::io(&path, source))?;
        match file.try_lock() {
            Ok(()) => {
                self.sweep();
                Ok(Lock { _file: file })
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(Error::file(&self.folder, "another training is writing into this run folder"))
            }
            Err(std::fs::TryLockError::Error(source)) => Err(Error::io(&path, source)),
        }
    }

    /// Removes temporary files: none of them is in use while the lock is held.
    fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(files::TEMPORARY) {
                // Litter harms nothing: the next training tries again.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `config.json`.
    pub fn config_path(&self) -> PathBuf {
        self.folder.join("config.json")
    }

    /// `model.safetensors`.
    pub fn weights_path(&self) -> PathBuf {
        self.folder.join("model.safetensors")
    }

    /// `metrics.jsonl`.
    pub fn metrics_path(&self) -> PathBuf {
        self.folder.join("metrics.jsonl")
    }

    /// `calibration.json`.
    pub fn calibration_path(&self) -> PathBuf {
        self.folder.join("calibration.json")
    }

    /// What the model's confidence was worth on held-out examples; none where nothing was
    /// measured, as in a regression or in a run that was cut off.
    ///
    /// # Errors
    /// The file cannot be read, or is not what it should be.
    pub fn calibration(&self) -> Result<Option<Calibration>> {
        let path = self.calibration_path();
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read_text(&path)?;
        serde_json::from_str(&text).map(Some).map_err(|why| Error::file(&path, why))
    }

    /// `summary.json`.
    pub fn summary_path(&self) -> PathBuf {
        self.folder.join("summary.json")
    }

    /// `curves.svg`.
    pub fn curves_path(&self) -> PathBuf {
        self.folder.join("curves.svg")
    }

    /// `checkpoint/`.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.folder.join("checkpoint")
    }

    /// The model's name, once `config.json` is known to be a run of `task`.
    ///
    /// # Errors
    /// As [`Header::check`].
    pub fn model(&self, task: &str) -> Result<String> {
        let path = self.config_path();
        Ok(Header::check(&files::read_text(&path)?, &path, task)?.model)
    }

    /// The whole `config.json` of a run of `task`.
    ///
    /// # Errors
    /// As [`Header::check`], and a field that is missing or of another type.
    pub fn config<C: DeserializeOwned>(&self, task: &str) -> Result<C> {
        let path = self.config_path();
        let text = files::read_text(&path)?;
        Header::check(&text, &path, task)?;
        serde_json::from_str(&text).map_err(|why| Error::file(&path, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, Run) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), text).unwrap();
        let run = Run::open(folder.path()).unwrap();
        (folder, run)
    }

    #[test]
    fn a_folder_without_a_run_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let message = Run::open(folder.path()).unwrap_err().to_string();
        assert!(message.contains("no config.json"), "{message}");
    }

    #[test]
    fn half_written_newer_and_foreign_configurations_are_refused() {
        let header = serde_json::to_string(&Header::new("classification", "m")).unwrap();
        let (_folder, run) = written(&header[..header.len() / 2]);
        let message = run.model("classification").unwrap_err().to_string();
        assert!(message.contains("not a complete run configuration"), "{message}");

        let (_folder, run) = written(r#"{"format": 9, "tenfold": "7.0.0", "new": true}"#);
        let message = run.model("classification").unwrap_err().to_string();
        assert!(message.contains("Tenfold 7.0.0 in format 9"), "{message}");

        let (_folder, run) = written(&header);
        let message = run.model("tracking").unwrap_err().to_string();
        assert!(
            message.contains("a run of task `classification`, expected `tracking`"),
            "{message}"
        );
        assert_eq!(run.model("classification").unwrap(), "m");
    }

    #[test]
    fn one_training_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::at(folder.path()).unwrap();
        std::fs::write(folder.path().join(".tenfold-1a2b3c"), "half of the w").unwrap();
        let held = run.lock().unwrap();
        assert!(!folder.path().join(".tenfold-1a2b3c").exists());
        assert!(run.lock().unwrap_err().to_string().contains("another training"));
        drop(held);
        run.lock().unwrap();
    }

    #[test]
    fn clearing_keeps_what_is_not_the_runs() {
        let (folder, run) = written("{}");
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        std::fs::create_dir_all(run.checkpoint_path().join("epoch-0001")).unwrap();
        run.clear().unwrap();
        assert!(!run.exists() && !run.checkpoint_path().exists());
        assert!(folder.path().join("notes.txt").exists());
    }
}
