//! The files of a queue's items: none of them lies elsewhere, whatever a store or a link says.

use super::Store;
use crate::{Error, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

impl Store {
    /// The path of a file among the items, which lies below the queue's folder.
    ///
    /// # Errors
    /// A name that leads out of the folder, a link on the way, or what is no file: a store
    /// may come from others.
    pub fn file(queue: &Path, name: &str) -> Result<PathBuf> {
        use std::path::Component;
        let refused = |why: &str| Error::file(queue.join(name), why);
        let mut path = queue.to_path_buf();
        for part in Path::new(name).components() {
            let Component::Normal(part) = part else {
                return Err(refused("leads out of the queue's folder"));
            };
            path.push(part);
            let about = fs::symlink_metadata(&path);
            if about.map_err(|source| Error::io(&path, source))?.is_symlink() {
                return Err(refused("a link: only files of the queue's folder are read"));
            }
        }
        match path.is_file() {
            true => Ok(path),
            false => Err(refused("not a file")),
        }
    }

    /// Opens the file that [`Store::file`] names, and nothing else that is put in its place
    /// between the look and the opening.
    ///
    /// # Errors
    /// As there; it cannot be opened.
    pub fn open_file(queue: &Path, name: &str) -> Result<(PathBuf, File)> {
        let path = Self::file(queue, name)?;
        let file = File::open(&path).map_err(|source| Error::io(&path, source))?;
        match lies_at(&file, queue, name) {
            true => Ok((path, file)),
            false => Err(Error::file(path, "a link, or moved, while it was opened")),
        }
    }
}

/// Whether an open file has this name below a folder, without links on the way.
pub(super) fn lies_at(file: &File, queue: &Path, name: &str) -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // The system's own word: a path may have changed meanwhile, an open file is what it is.
        let own = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        if let (Ok(own), Ok(queue)) = (own, queue.canonicalize()) {
            return own == queue.join(name);
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let number = |about: fs::Metadata| (about.dev(), about.ino());
        let named = fs::symlink_metadata(queue.join(name)).map(number).ok();
        file.metadata().map(number).ok() == named
    }
    #[cfg(not(unix))]
    {
        let _ = (file, queue, name);
        true
    }
}
