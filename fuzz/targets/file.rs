//! Input as a file, for readers that want one.

use std::path::PathBuf;
use std::sync::OnceLock;

/// A folder of this process's own.
pub fn folder() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder")).path().into()
}

/// The file that holds these bytes until the next call.
#[allow(dead_code, reason = "some targets want the folder alone")]
pub fn holding(bytes: &[u8]) -> PathBuf {
    let path = folder().join("input");
    std::fs::write(&path, bytes).expect("a file");
    path
}
