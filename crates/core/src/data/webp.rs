//! What the parts of a WebP say of themselves, looked at before the decoder believes it: it makes
//! room for a frame before it compares its size with the image's, and for metadata before it
//! finds that they are not there.

use std::io::{BufRead, Error, ErrorKind, Read, Result, Seek};

/// Passes over the parts of a file of `length` bytes, if it is a WebP, and comes back to its start.
///
/// # Errors
///
/// Where a part reaches beyond the end, or a frame is larger than the image.
pub(super) fn check(source: &mut (impl BufRead + Seek), length: u64) -> Result<()> {
    let start = bytes::<12>(source)?;
    if start.starts_with(b"RIFF") && start.ends_with(b"WEBP") {
        parts(source, length)?;
    }
    source.rewind()
}

fn parts(source: &mut (impl BufRead + Seek), length: u64) -> Result<()> {
    let mut canvas = None;
    let mut at = 12; // Behind `RIFF`, the length and `WEBP`.
    while at + 8 <= length {
        let [a, b, c, d, size @ ..] = bytes::<8>(source)?;
        let (name, size) = ([a, b, c, d], u64::from(u32::from_le_bytes(size)));
        let (start, mut next) = (at + 8, at + 8 + size + size % 2);
        if [b"VP8 ", b"VP8L", b"ALPH", b"ANMF", b"EXIF"].contains(&&name) && start + size > length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        // Each reads no more than ten bytes.
        let (read, frame) = match &name {
            b"VP8X" => {
                let [_, _, _, _, w, x, y, h, i, j] = bytes::<10>(source)?;
                canvas = Some([[w, x, y], [h, i, j]].map(|[a, b, c]| number([a, b, c, 0]) + 1));
                (10, None)
            }
            b"VP8 " => {
                let [.., w, x, h, y] = bytes::<10>(source)?;
                (10, Some([[w, x], [h, y]].map(|[a, b]| number([a, b, 0, 0]) & 0x3FFF)))
            }
            b"VP8L" => {
                let [_, a, b, c, d] = bytes::<5>(source)?;
                let bits = number([a, b, c, d]);
                (5, Some([bits, bits >> 14].map(|bits| (bits & 0x3FFF) + 1)))
            }
            b"ANMF" => {
                // Its parts lie behind 16 bytes of its own, and the next frame behind them.
                next = start + 16;
                (0, None)
            }
            _ => (0, None),
        };
        if let (Some([width, height]), Some([most_width, most_height])) = (frame, canvas)
            && (width > most_width || height > most_height)
        {
            return Err(Error::new(ErrorKind::InvalidData, "a frame is larger than the image"));
        }
        source.seek_relative(next as i64 - start as i64 - read)?;
        at = next;
    }
    Ok(())
}

fn number(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes)
}

/// The next bytes, zeros behind the end.
fn bytes<const N: usize>(source: &mut impl Read) -> Result<[u8; N]> {
    let (mut bytes, mut read) = ([0; N], Vec::new());
    source.take(N as u64).read_to_end(&mut read)?;
    bytes[..read.len()].copy_from_slice(&read);
    Ok(bytes)
}
