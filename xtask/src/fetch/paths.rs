//! Paths that others wrote: in a manifest, in an archive.

/// The parts of an entry's path, or why it is refused.
pub fn safe_parts(path: &[u8]) -> Result<Vec<&str>, &'static str> {
    let path = std::str::from_utf8(path).map_err(|_| "the path is not UTF-8")?;
    if path.starts_with('/') {
        return Err("the path is absolute");
    }
    // Separators and drives elsewhere, and the terminator of C.
    if path.contains(['\\', ':', '\0']) {
        return Err("the path holds a backslash, a colon or a NUL");
    }
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.contains(&"..") {
        return Err("the path leaves the folder by `..`");
    }
    Ok(parts)
}
