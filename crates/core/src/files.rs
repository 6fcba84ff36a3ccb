//! Files that are either whole or absent: written to a temporary name, flushed, renamed.

use crate::{Error, Result};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// What temporary names begin with.
pub(crate) const TEMPORARY: &str = ".tenfold-";

/// Replaces `path` with `bytes`, atomically: a reader, or a power cut, sees the old content
/// or the new, never a part.
///
/// # Errors
/// The folder cannot be written or the disk is full; the old content is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// [`write()`] for content that is produced piece by piece.
///
/// # Errors
/// As [`write()`].
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fail = |source| Error::io(path, source);
    // A rename would put a file in the place of `/dev/stdout`, or of a folder's name.
    if std::fs::metadata(path).is_ok_and(|old| !old.is_file()) {
        return Err(Error::file(
            path,
            "there is something that is not a file; expected a file's name",
        ));
    }
    // `make_in`, not `new_in`, because a private mode 0600 would surprise who shares a run.
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .make_in(folder, |name| std::fs::File::create_new(name))
        .map_err(|source| Error::io(folder, source))?;
    content(temporary.as_file_mut()).map_err(fail)?;
    temporary.as_file().sync_all().map_err(fail)?;
    temporary.persist(path).map_err(|error| fail(error.error))?;
    sync_folder(folder)
}

/// Makes a rename inside `folder` durable.
///
/// # Errors
/// What the operating system says.
pub fn sync_folder(folder: &Path) -> Result<()> {
    // Only Unix opens a folder as a file; elsewhere the rename itself is the best there is.
    if cfg!(unix) {
        let handle = std::fs::File::open(folder).map_err(|source| Error::io(folder, source))?;
        handle.sync_all().map_err(|source| Error::io(folder, source))?;
    }
    Ok(())
}

/// [`write()`] of `value` as indented JSON.
///
/// # Errors
/// As [`write()`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|why| Error::file(path, why))?;
    text.push(b'\n');
    write(path, &text)
}

/// The whole of a text file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::io(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_content_and_leaves_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        write(&path, b"old").unwrap();
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = write_with(&path, |file| {
            file.write_all(b"half of the n")?;
            Err(full)
        })
        .unwrap_err();
        assert!(error.to_string().contains("summary.json"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(folder.path(), b"x").unwrap_err().to_string().contains("not a file"));
        assert!(folder.path().is_dir());
    }

    #[test]
    fn a_folder_that_is_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        write(&file, b"x").unwrap();
        let error = write(&file.join("inside"), b"y").unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
