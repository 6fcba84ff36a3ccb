//! A checksum inside the file: safetensors has none, so a flipped byte would go unnoticed.
//!
//! The header's metadata holds, under [`KEY`], the SHA-256 of the whole file as it would be
//! with zeros in that place. Other readers see one more line of metadata.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use sha2::{Digest, Sha256};

/// The metadata key of the checksum.
pub(super) const KEY: &str = "tenfold.sha256";
/// What stands there while the checksum is computed.
pub(super) const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the checksum's 64 digits are in a header.
fn place(header: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = format!("\"{KEY}\":\"");
    let at = header.windows(start.len()).position(|window| window == start.as_bytes())?;
    let digits = at + start.len()..at + start.len() + ZEROS.len();
    (digits.end <= header.len()).then_some(digits)
}

/// Puts the checksum into a header that was written with [`ZEROS`]. `hash` adds the data.
pub(super) fn close<E>(
    header: &mut [u8],
    hash: impl FnOnce(&mut Sha256) -> Result<(), E>,
) -> Result<(), E> {
    let mut hasher = Sha256::new();
    hasher.update((header.len() as u64).to_le_bytes());
    hasher.update(&*header);
    hash(&mut hasher)?;
    if let Some(digits) = place(header) {
        header[digits].copy_from_slice(super::hex(hasher).as_bytes());
    }
    Ok(())
}

/// Whether the checksum of an open file fits its content; `None` where it carries none.
pub(super) fn fits(file: &mut File, mut header: Vec<u8>) -> io::Result<Option<bool>> {
    let Some(digits) = place(&header) else { return Ok(None) };
    let found = header[digits.clone()].to_vec();
    header[digits].copy_from_slice(ZEROS.as_bytes());
    let mut hasher = Sha256::new();
    hasher.update((header.len() as u64).to_le_bytes());
    hasher.update(&header);
    file.seek(SeekFrom::Start(8 + header.len() as u64))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Some(super::hex(hasher).as_bytes() == found)),
            count => hasher.update(&buffer[..count]),
        }
    }
}
