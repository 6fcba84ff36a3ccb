//! What files lack that Pillow reads all the same: its pixels where a PNG has no end, a GIF's
//! first frame does not cover its canvas, and a BMP's run lengths leave pixels out.

use image::{DynamicImage, ImageFormat};

/// A PNG that lacks its end, with one: its pixels are whole without. What follows the pixels
/// and is cut off is dropped. None for what needs nothing.
pub(super) fn png_with_end(bytes: &[u8]) -> Option<Vec<u8>> {
    const END: &[u8; 12] = b"\0\0\0\0IEND\xAE\x42\x60\x82";
    let mut at = 8;
    let mut pixels = false;
    if !bytes.starts_with(b"\x89PNG\r\n\x1A\n") {
        return None;
    }
    while let Some(&[a, b, c, d, ref name @ ..]) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let next = at.checked_add(length)?.checked_add(12)?;
        if name == b"IEND" && next <= bytes.len() {
            return None;
        }
        if next > bytes.len() {
            if name == b"IDAT" {
                return None;
            }
            break;
        }
        pixels |= name == b"IDAT";
        at = next;
    }
    pixels.then(|| [&bytes[..at], END].concat())
}

/// Gives the canvas around a GIF's first frame the colour that Pillow gives it: the
/// transparent one, or else the first of the palette.
pub(super) fn fill_gif(image: &mut DynamicImage, bytes: &[u8]) {
    let DynamicImage::ImageRgba8(image) = image else { return };
    let Some(([left, top, width, height], colour)) = gif_frame(bytes) else { return };
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
        if !inside {
            pixel.0[..3].copy_from_slice(&colour);
        }
    }
}

/// Where the first frame lies (left, top, width, height), and the colour around it.
fn gif_frame(bytes: &[u8]) -> Option<([u32; 4], [u8; 3])> {
    let packed = *bytes.get(10)?;
    let length = |packed: u8| if packed & 0x80 != 0 { 3 << ((packed & 7) + 1) } else { 0 };
    let mut at = 13 + length(packed);
    let mut palette = bytes.get(13..at)?;
    let mut background = 0;
    loop {
        match *bytes.get(at)? {
            0x21 => {
                // A graphic control extension whose flag says that one colour is transparent.
                if bytes.get(at + 1) == Some(&0xF9) && bytes.get(at + 3)? & 1 == 1 {
                    background = usize::from(*bytes.get(at + 6)?);
                }
                at += 2;
                while *bytes.get(at)? != 0 {
                    at += 1 + usize::from(bytes[at]);
                }
                at += 1;
            }
            0x2C => {
                let number = |place: usize| {
                    let pair = bytes.get(at + place..at + place + 2)?;
                    Some(u32::from(u16::from_le_bytes([pair[0], pair[1]])))
                };
                let frame = [number(1)?, number(3)?, number(5)?, number(7)?];
                let own = length(*bytes.get(at + 9)?);
                if own > 0 {
                    palette = bytes.get(at + 10..at + 10 + own)?;
                }
                let colour = palette.get(background * 3..background * 3 + 3)?;
                return Some((frame, colour.try_into().ok()?));
            }
            _ => return None,
        }
    }
}

/// Gives the pixels that a BMP's run lengths leave out the palette's first colour. They are
/// those which stay black under the palette and under its negative.
pub(super) fn fill_bmp(image: &mut DynamicImage, bytes: &[u8]) {
    let number = |place: usize| {
        let four = bytes.get(place..place + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(four)).ok()
    };
    let (Some(pixels), Some(header), Some(1 | 2)) = (number(10), number(14), number(30)) else {
        return;
    };
    let palette = header.saturating_add(14)..pixels;
    let mut negative = bytes.to_vec();
    let Some(colours) = negative.get_mut(palette.clone()) else { return };
    colours.iter_mut().for_each(|byte| *byte = !*byte);
    let (DynamicImage::ImageRgb8(image), Some(&[blue, green, red, ..]), Ok(negative)) = (
        image,
        bytes.get(palette),
        image::load_from_memory_with_format(&negative, ImageFormat::Bmp),
    ) else {
        return;
    };
    for (pixel, other) in image.pixels_mut().zip(negative.to_rgb8().pixels()) {
        if pixel.0 == [0; 3] && other.0 == [0; 3] {
            pixel.0 = [red, green, blue];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::image_file::decode;

    /// The bytes and pixels below are Pillow 13.0.0's: `Image.open(f).convert("RGB")`.
    fn check(hex: &str, expected: &[[u8; 3]]) {
        let byte = |place: usize| u8::from_str_radix(&hex[place..place + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let image = decode("x", &bytes).unwrap().to_rgb8();
        let pixels: Vec<[u8; 3]> = image.pixels().map(|pixel| pixel.0).collect();
        assert_eq!(pixels, expected, "{hex}");
    }

    #[test]
    fn a_png_without_its_end_has_its_pixels() {
        let png = "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f49444154\
                   789c63606060e0e460070000390019c69989020000000049454e44ae426082";
        for cut in [0, 8, 12, 24] {
            check(&png[..png.len() - cut], &[[0; 3], [9, 8, 7]]);
        }
    }

    #[test]
    fn the_canvas_around_a_gif_s_frame_has_its_colour() {
        let start = "47494638396104000300910000c80a141edc28323ce6090807";
        let transparent = "21f9040100000200";
        let local = "2c0100010002000200810102030405060708090a0b0c";
        let (global, end) = ("2c010001000200020000", "02038ca814003b");
        for (middle, [around, first, second]) in [
            (global.into(), [[200, 10, 20], [30, 220, 40], [50, 60, 230]]),
            (transparent.to_owned() + global, [[50, 60, 230], [30, 220, 40], [50, 60, 230]]),
            (local.into(), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
            (transparent.to_owned() + local, [[7, 8, 9], [4, 5, 6], [7, 8, 9]]),
        ] {
            let mut expected = [around; 12];
            (expected[5], expected[6], expected[9], expected[10]) = (first, second, second, first);
            check(&(start.to_owned() + &middle + end), &expected);
        }
    }

    #[test]
    fn pixels_that_run_lengths_leave_out_have_the_palette_s_first_colour() {
        let (paper, ink, blue, black) = ([200, 10, 20], [9, 8, 7], [50, 60, 230], [0; 3]);
        let rows = |last: [[u8; 3]; 2]| {
            [[ink, ink, ink, paper], [paper, black, black, paper], [last[0], last[1], paper, paper]]
                .concat()
        };
        check(
            "424d58000000000000004600000028000000040000000300000001000800010000001200000000000000\
             000000000400000000000000140ac80000000000e63c3200070809000202000000020100020100000303\
             00000001",
            &rows([blue, blue]),
        );
        check(
            "424d58000000000000004600000028000000040000000300000001000400020000001200000000000000\
             000000000400000000000000140ac80000000000e63c3200070809000221000000020100021100000333\
             00000001",
            &rows([blue, black]),
        );
    }
}
