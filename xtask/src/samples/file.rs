//! Files to write.

use anyhow::{Context, Result};
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// A file's path below the folder of samples, and its bytes.
pub type File = (String, Vec<u8>);

/// A file that is whole or absent.
pub fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let at = || path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(at)?;
    file.write_all(bytes).with_context(at)?;
    file.persist(path).with_context(at)?;
    Ok(())
}
