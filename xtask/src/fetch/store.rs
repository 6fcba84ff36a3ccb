//! The data folder: what is in it, and how something new becomes visible in one step.

use super::fault::{Fault, OnDisk};
use super::manifest::{MARKER, Manifest};
use anyhow::{Context, Result};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files that are flushed to the disk at a time: it then groups them.
const SYNC_THREADS: usize = 16;

/// What lies where a data set belongs.
#[derive(Debug, PartialEq)]
pub enum State {
    /// Nothing.
    Absent,
    /// The data set, complete.
    Present,
    /// Something else, for this reason.
    Other(String),
}

/// Looks at `here`. Contents are not read again, files and bytes are counted.
pub fn state(here: &Path, manifest: &Manifest) -> State {
    // A dangling link is something as well.
    if fs::symlink_metadata(here).is_err() {
        return State::Absent;
    }
    let Ok(text) = fs::read_to_string(here.join(MARKER)) else {
        return State::Other(format!("holds no {MARKER}, so no finished fetch made it"));
    };
    match Manifest::parse(&text) {
        Ok(recorded) if recorded.files == manifest.files => {}
        Ok(_) => return State::Other("was made from another version of the manifest".to_owned()),
        Err(_) => return State::Other(format!("its {MARKER} is damaged")),
    }
    let files = match walk(here) {
        Ok(files) => files,
        Err(e) => return State::Other(format!("cannot be read: {e}")),
    };
    // The user's own notes may lie beside the data, so more is no fault.
    let (expected, bytes) = (manifest.file_count() + 1, manifest.least_bytes());
    let found: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    if (files.len() as u64) < expected || found < bytes {
        let files = files.len();
        return State::Other(format!(
            "is incomplete: {files} files of {found} bytes, expected {expected} of {bytes}"
        ));
    }
    State::Present
}

/// All files below `folder` with their sizes.
fn walk(folder: &Path) -> std::io::Result<Vec<(PathBuf, u64)>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            match meta.is_dir() {
                true => folders.push(entry.path()),
                false => files.push((entry.path(), meta.len())),
            }
        }
    }
    Ok(files)
}

/// Brings the manifest inside a data set up to date where only its description changed:
/// readers read it there.
pub fn renew_marker(here: &Path, manifest: &Manifest) -> Result<()> {
    let marker = here.join(MARKER);
    if fs::read_to_string(&marker).is_ok_and(|text| text == manifest.text) {
        return Ok(());
    }
    let renew = || {
        let mut file = tempfile::NamedTempFile::new_in(here)?;
        file.write_all(manifest.text.as_bytes())?;
        file.as_file().sync_all()?;
        #[cfg(unix)]
        {
            // A temporary file is its owner's alone; a data set is everyone's.
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.persist(&marker).map(drop).map_err(|e| e.error)
    };
    let renewed: std::io::Result<()> = renew();
    renewed.with_context(|| marker.display().to_string())
}

/// Waits until no other process fetches `name`, and keeps others waiting while the file lives.
pub fn lock(file: &Path, name: &str) -> Result<File> {
    let at = || file.display().to_string();
    let lock = File::create(file).with_context(at)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("{name}: waiting for another fetch of it");
            lock.lock().with_context(at)?;
        }
        Err(TryLockError::Error(e)) => return Err(e).with_context(at),
    }
    Ok(lock)
}

/// Makes `tree` visible as `here` by one rename, after all of it is on the disk. What is at
/// `here` goes to `old` first.
pub fn publish(tree: &Path, here: &Path, old: &Path) -> Result<(), Fault> {
    sync(tree)?;
    if fs::symlink_metadata(here).is_ok() {
        fs::rename(here, old).on_disk(here.display())?;
    }
    fs::rename(tree, here).on_disk(here.display())?;
    #[cfg(unix)]
    if let Some(data) = here.parent() {
        File::open(data).and_then(|folder| folder.sync_all()).on_disk(data.display())?;
    }
    Ok(())
}

/// Puts `old` back where a run was killed between the two renames of [`publish`].
pub fn undo(here: &Path, old: &Path) -> Result<()> {
    if fs::symlink_metadata(here).is_err() && fs::symlink_metadata(old).is_ok() {
        fs::rename(old, here).with_context(|| here.display().to_string())?;
    }
    Ok(())
}

/// Flushes every file below `tree` to the disk.
fn sync(tree: &Path) -> Result<(), Fault> {
    let files = walk(tree).on_disk(tree.display())?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), Fault> {
        while let Some((file, _)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Windows flushes only what is open for writing.
            let open = fs::OpenOptions::new().append(true).open(file);
            open.and_then(|f| f.sync_all()).on_disk(file.display())?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        // This thread works too: the system may refuse all others.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let threads: Vec<_> = (1..SYNC_THREADS.min(files.len())).map_while(start).collect();
        let own = work();
        for thread in threads {
            match thread.join() {
                Ok(done) => done?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        own
    })
}

/// Removes a folder, or the file in its place, that may be missing.
pub fn remove_folder(folder: &Path) -> Result<(), Fault> {
    let removed = match fs::symlink_metadata(folder) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(folder),
        Ok(_) => fs::remove_file(folder),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).on_disk(folder.display()),
        _ => Ok(()),
    }
}
