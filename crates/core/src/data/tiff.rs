//! What the decoder of TIFF does not say: whether a file has pages behind the first.

use std::path::Path;
use std::sync::Once;

use crate::progress::note;

/// Tells, once in a program, that of a file's pages the first is read.
pub(super) fn tell_pages(path: &Path, bytes: &[u8]) {
    static TOLD: Once = Once::new();
    if has_more_pages(bytes) == Some(true) {
        TOLD.call_once(|| {
            let path = path.display();
            note(format_args!("{path}: has several pages; of such files the first is read"));
        });
    }
}

/// Whether the directory of the first page names another; `None` where it is cut off.
fn has_more_pages(bytes: &[u8]) -> Option<bool> {
    let little = bytes.first() == Some(&b'I');
    let number = |at: usize, length: usize| {
        let bytes = bytes.get(at..at.checked_add(length)?)?.iter();
        let add = |sum: usize, &byte: &u8| sum << 8 | usize::from(byte);
        Some(if little { bytes.rev().fold(0, add) } else { bytes.fold(0, add) })
    };
    // The large kind, of version 43, has longer numbers.
    let (start, count, entry, next) = match number(2, 2)? {
        42 => (number(4, 4)?, 2, 12, 4),
        43 => (number(8, 8)?, 8, 20, 8),
        _ => return None,
    };
    let entries = number(start, count)?.checked_mul(entry)?;
    Some(number(start.checked_add(count)?.checked_add(entries)?, next)? != 0)
}

#[cfg(test)]
mod tests {
    use super::super::image_file::decode;
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let byte = |place: usize| u8::from_str_radix(&hex[place..place + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(byte).collect()
    }

    /// The bytes and pixels are Pillow 13.0.0's: `Image.open(f).convert("RGB")`. Of CMYK it rounds
    /// where the decoder here cuts off.
    #[test]
    fn pixels_are_pillow_s() {
        let colours =
            [0, 255, 0, 40, 225, 7, 80, 195, 14, 120, 165, 21, 160, 135, 28, 200, 105, 35];
        // RGB, compressed by LZW; CMYK; one bit; grey, with a second page in colour.
        let files: [(&str, &[u8]); 4] = [
            (
                "49492a002000000080001fe00143840e5061838f0a50aa810e1c641a447010000a000001030001000000\
                 0300000001010300010000000200000002010300030000009e0000000301030001000000050000000601\
                 030001000000020000001101040001000000080000001501030001000000030000001601030001000000\
                 020000001701040001000000170000001c010300010000000100000000000000080008000800",
                &colours,
            ),
            (
                "49492a00080000000a000001040001000000020000000101040001000000010000000201030004000000\
                 860000000301030001000000010000000601030001000000050000001101040001000000\
                 8e0000001501030001000000040000001601040001000000010000001701040001000000080000001c01\
                 030001000000010000000000000008000800080008000a141e28c800ff07",
                &[207, 198, 190, 53, 248, 0],
            ),
            (
                "49492a000800000008000001040001000000030000000101040001000000020000000301030001000000\
                 0100000006010300010000000100000011010400010000006e0000001601040001000000020000001701\
                 040001000000020000001c010300010000000100000000000000a040",
                &[255, 255, 255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255, 0, 0, 0],
            ),
            (
                "49492a000800000009000001040001000000030000000101040001000000020000000201030001000000\
                 080000000301030001000000010000000601030001000000010000001101040001000000\
                 7a0000001601040001000000020000001701040001000000060000001c01030001000000010000008800\
                 000096918c87827d49492a00080000000a00000104000100000003000000010104000100000002000000\
                 0201030003000000060100000301030001000000010000000601030001000000020000001101040001\
                 0000000c0100001501030001000000030000001601040001000000020000001701040001000000120000\
                 001c01030001000000010000000000000008000800080000ff0028e10750c30e78a515a0871cc8692300\
                 00",
                &[
                    150, 150, 150, 145, 145, 145, 140, 140, 140, 135, 135, 135, 130, 130, 130, 125,
                    125, 125,
                ],
            ),
        ];
        for (place, (hex, expected)) in files.into_iter().enumerate() {
            let bytes = bytes(hex);
            let image = decode("x.tif", &bytes).unwrap().to_rgb8();
            let most = if place == 1 { 1 } else { 0 };
            assert_eq!(image.as_raw().len(), expected.len());
            let mut pairs = image.as_raw().iter().zip(expected);
            assert!(pairs.all(|(&own, &other)| own.abs_diff(other) <= most), "{place}: {image:?}");
            assert_eq!(has_more_pages(&bytes), Some(place == 3));
        }
    }

    #[test]
    fn a_directory_that_is_cut_off_has_no_answer() {
        for bytes in
            [&b""[..], b"II*\0", b"MM\0*\0\0\0\x08", b"II+\0\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert_eq!(has_more_pages(bytes), None);
        }
        assert_eq!(has_more_pages(b"MM\0*\0\0\0\x08\0\0\0\0\0\x07"), Some(true));
    }
}
