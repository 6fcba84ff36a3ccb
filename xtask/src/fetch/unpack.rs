//! From a download to verified files, treating the download as hostile.
//!
//! Nothing is written outside the folder: an entry's path is taken apart and refused unless
//! every part is a plain name, no link is ever made, and no file is opened that exists. No
//! more is written than the manifest declares, and the tar reader's own memory is bounded.

use super::fault::{Fault, OnDisk};
use super::manifest::{Source, Unpack};
use super::paths::safe_parts;
use super::progress::Meter;
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tar::EntryType;

/// Bytes that an archive may hold beyond those that are kept: a whole repository, but not
/// an endless stream.
const SKIPPED_LIMIT: u64 = 4 << 30;

/// Bytes that the tar reader may read between two entries, for headers and long names.
const HEADER_LIMIT: u64 = 1 << 20;

/// The longest target of a symbolic link in a zip archive that is looked at.
const LINK_LIMIT: u64 = 4096;

/// Unpacks the download `from` into `root` as `source` says, and verifies its content.
pub fn unpack(from: &Path, root: &Path, source: &Source, meter: &mut Meter) -> Result<(), Fault> {
    let file = File::open(from).on_disk(from.display())?;
    let to = root.join(&source.dest);
    let found = match source.unpack {
        Unpack::Nothing => single(BufReader::new(file), &to, source, meter)?,
        Unpack::Gunzip => single(MultiGzDecoder::new(BufReader::new(file)), &to, source, meter)?,
        Unpack::TarGz => {
            let tar = MultiGzDecoder::new(BufReader::new(file));
            archive(&to, source, meter, |kept| read_tar(tar, kept))?
        }
        Unpack::Zip => archive(&to, source, meter, |kept| read_zip(BufReader::new(file), kept))?,
    };
    let prefix = source.sha256_prefix.as_deref().unwrap_or_default();
    match &source.sha256 {
        None if !found.starts_with(prefix) => Err(Fault::source(format!(
            "wrong content: expected a SHA-256 that begins with {prefix}, found {found}"
        ))),
        Some(expected) if *expected != found => {
            Err(Fault::source(format!("wrong content: expected SHA-256 {expected}, found {found}")))
        }
        _ => Ok(()),
    }
}

/// Whether a link at `folder` to `target` stays inside the archive.
fn link_stays_inside(folder: &[&str], target: &[u8]) -> bool {
    let Ok(target) = std::str::from_utf8(target) else { return false };
    if target.starts_with('/') || target.contains(['\\', ':', '\0']) {
        return false;
    }
    let mut depth = folder.len();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

/// Copies all of `from` to `to`, at most `limit` bytes, and returns the count and SHA-256.
fn pour(
    mut from: impl Read,
    mut to: impl Write,
    to_name: &Path,
    limit: u64,
    meter: &mut Meter,
) -> Result<(u64, String), Fault> {
    let (mut hash, mut done) = (Sha256::new(), 0u64);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Fault::source(reading(&e))),
        };
        done += n as u64;
        if done > limit {
            return Err(Fault::source(format!("holds more than the {limit} bytes declared")));
        }
        hash.update(&buffer[..n]);
        to.write_all(&buffer[..n]).on_disk(to_name.display())?;
        meter.add(n as u64);
    }
    to.flush().on_disk(to_name.display())?;
    Ok((done, hex(&hash.finalize())))
}

/// What a decoder's error means to a person.
fn reading(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file is cut short".to_owned(),
        _ => format!("the file is damaged: {error}"),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes a single file and returns its digest.
fn single(from: impl Read, to: &Path, source: &Source, meter: &mut Meter) -> Result<String, Fault> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).on_disk(folder.display())?;
    }
    let file = File::create(to).on_disk(to.display())?;
    let (bytes, digest) = pour(from, file, to, source.size, meter)?;
    if bytes != source.size && source.sha256_prefix.is_none() {
        let size = source.size;
        return Err(Fault::source(format!("wrong size: expected {size} bytes, found {bytes}")));
    }
    Ok(digest)
}

/// Unpacks an archive by `read` and returns the digest of what was kept.
fn archive(
    to: &Path,
    source: &Source,
    meter: &mut Meter,
    read: impl FnOnce(&mut Kept) -> Result<(), Fault>,
) -> Result<String, Fault> {
    fs::create_dir_all(to).on_disk(to.display())?;
    let mut kept = Kept { root: to, source, meter, bytes: 0, files: BTreeMap::new() };
    read(&mut kept)?;
    kept.finish()
}

/// The files of an archive that the manifest keeps.
pub struct Kept<'a> {
    root: &'a Path,
    source: &'a Source,
    meter: &'a mut Meter,
    bytes: u64,
    files: BTreeMap<String, (u64, String)>,
}

impl Kept<'_> {
    /// Where an entry goes: `None` if the manifest does not keep it.
    fn place(&self, parts: &[&str]) -> Option<String> {
        let path = parts.get(self.source.strip..)?.join("/");
        let wanted = |k: &String| path == *k || (k.ends_with('/') && path.starts_with(k.as_str()));
        (!path.is_empty() && self.source.keep.iter().any(wanted)).then_some(path)
    }

    /// Writes one file.
    fn store(&mut self, path: String, from: impl Read) -> Result<(), Fault> {
        if self.files.len() as u64 >= self.source.entries.unwrap_or(0) {
            return Err(Fault::source("holds more files than declared"));
        }
        let to = self.root.join(&path);
        let file = create_new(&to).map_err(|e| match e.kind() {
            // These are about the names in the archive, and would be so on any disk.
            io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => Fault::source(format!("{path:?} is there twice")),
            io::ErrorKind::InvalidFilename => Fault::source(format!("{path:?}: {e}")),
            _ => Fault::Disk(anyhow::anyhow!("{}: {e}", to.display())),
        })?;
        let left = self.source.size - self.bytes;
        let (bytes, digest) = pour(from, file, &to, left, self.meter)?;
        self.bytes += bytes;
        self.files.insert(path, (bytes, digest));
        Ok(())
    }

    /// The digest of all files: SHA-256 of a line `path NUL bytes NUL SHA-256` for each, in
    /// the order of the paths' bytes.
    fn finish(self) -> Result<String, Fault> {
        let (files, expected) = (self.files.len() as u64, self.source.entries.unwrap_or(0));
        if files != expected || self.bytes != self.source.size {
            return Err(Fault::source(format!(
                "wrong content: expected {expected} files of {} bytes, found {files} of {}",
                self.source.size, self.bytes
            )));
        }
        let mut hash = Sha256::new();
        for (path, (bytes, digest)) in &self.files {
            hash.update(format!("{path}\0{bytes}\0{digest}\n"));
        }
        Ok(hex(&hash.finalize()))
    }
}

/// Creates a file that does not exist, and the folders above it.
fn create_new(to: &PathBuf) -> io::Result<File> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(to)
}

/// A reader with an allowance that its user renews.
struct Metered<R> {
    inner: R,
    allowance: Rc<Cell<u64>>,
    total: u64,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let left = self.allowance.get().checked_sub(n as u64);
        let total = self.total.checked_sub(n as u64);
        match (left, total) {
            (Some(left), Some(total)) => {
                self.allowance.set(left);
                self.total = total;
                Ok(n)
            }
            _ => Err(io::Error::other("far more data than declared")),
        }
    }
}

/// Reads a tar archive.
pub fn read_tar(from: impl Read, kept: &mut Kept) -> Result<(), Fault> {
    let damaged = |e: io::Error| Fault::source(reading(&e));
    let allowance = Rc::new(Cell::new(HEADER_LIMIT));
    let total = kept.source.size.saturating_add(SKIPPED_LIMIT);
    let mut tar = tar::Archive::new(Metered { inner: from, allowance: allowance.clone(), total });
    let mut entries = tar.entries().map_err(damaged)?;
    loop {
        // Long names are read into memory here, whatever length they claim.
        allowance.set(HEADER_LIMIT);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(damaged)?;
        allowance.set(u64::MAX);

        let raw = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            io::copy(&mut entry, &mut io::sink()).map_err(damaged)?;
            continue;
        }
        let name = String::from_utf8_lossy(&raw).into_owned();
        let refuse = |why: &str| Fault::source(format!("entry {name:?} refused: {why}"));
        let parts = safe_parts(&raw).map_err(refuse)?;
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            let target = entry.link_name_bytes().unwrap_or_default();
            // A symbolic link starts at its own folder, a hard link at the archive's top.
            let folder = match kind {
                EntryType::Symlink => &parts[..parts.len().saturating_sub(1)],
                _ => &[],
            };
            if !link_stays_inside(folder, &target) {
                return Err(refuse("a link out of the folder"));
            }
        }
        match (kind, kept.place(&parts)) {
            (EntryType::Directory, _) => {}
            (EntryType::Regular | EntryType::Continuous, Some(path)) => {
                kept.store(path, &mut entry).map_err(|f| f.at(format!("entry {name:?}")))?;
            }
            (EntryType::GNUSparse, _) => return Err(refuse("a sparse file")),
            (_, Some(_)) => return Err(refuse("not a plain file")),
            (_, None) => {}
        }
        // What is skipped is read here, so that the next header has its allowance alone.
        io::copy(&mut entry, &mut io::sink()).map_err(damaged)?;
    }
    Ok(())
}

/// Reads a zip archive.
pub fn read_zip(from: impl Read + Seek, kept: &mut Kept) -> Result<(), Fault> {
    let damaged = |e: zip::result::ZipError| Fault::source(format!("the file is damaged: {e}"));
    let mut zip = zip::ZipArchive::new(from).map_err(damaged)?;
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).map_err(damaged)?;
        let raw = entry.name_raw().to_vec();
        let name = String::from_utf8_lossy(&raw).into_owned();
        let refuse = |why: &str| Fault::source(format!("entry {name:?} refused: {why}"));
        let parts = safe_parts(&raw).map_err(refuse)?;
        let place = kept.place(&parts);
        if entry.is_symlink() {
            let mut target = Vec::new();
            (&mut entry)
                .take(LINK_LIMIT)
                .read_to_end(&mut target)
                .map_err(|e| Fault::source(reading(&e)))?;
            if !link_stays_inside(&parts[..parts.len().saturating_sub(1)], &target) {
                return Err(refuse("a link out of the folder"));
            }
            if place.is_some() {
                return Err(refuse("not a plain file"));
            }
        } else if let Some(path) = place.filter(|_| !raw.ends_with(b"/")) {
            kept.store(path, &mut entry).map_err(|f| f.at(format!("entry {name:?}")))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
