//! The fonts that texts on images are drawn with: the one compiled in, and for characters that
//! it lacks those of the system, which are looked for only then.

use crate::{Error, Result};
use ab_glyph::{Font, FontArc, FontVec, PxScale};
use image::{Rgb, RgbImage};
use imageproc::drawing::{draw_text_mut, text_size};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// A larger file is no font that this is meant for.
const MOST_BYTES: u64 = 128 << 20;

#[derive(Default)]
struct Fonts {
    /// The first that has a character draws it.
    faces: Vec<FontArc>,
    /// Characters that no font has.
    missing: BTreeSet<char>,
}

static FONTS: LazyLock<Mutex<Fonts>> = LazyLock::new(|| {
    let own = FontArc::try_from_slice(epaint_default_fonts::HACK_REGULAR);
    Mutex::new(Fonts { faces: own.into_iter().collect(), ..Fonts::default() })
});

/// Draws with the font in a file (.ttf, .otf, .ttc) whatever characters it has.
///
/// # Errors
/// The file cannot be read, or is no font.
pub fn prefer(path: &Path) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|why| Error::io(path, why))?;
    let font = FontVec::try_from_vec_and_index(bytes, 0)
        .map_err(|_| Error::file(path, "not a font; expected TrueType or OpenType"))?;
    fonts().faces.insert(0, FontArc::new(font));
    Ok(())
}

/// What to tell where characters were drawn as boxes because no font has them.
pub fn warning() -> Option<String> {
    let missing: String = fonts().missing.iter().take(40).collect();
    let advice = "name a font that has them with --font FILE";
    (!missing.is_empty()).then(|| format!("no font on this machine has {missing}: {advice}"))
}

/// The width of a text of this size, in pixels.
pub(super) fn width(text: &str, size: f32) -> u32 {
    runs(text).iter().map(|(face, run)| text_size(PxScale::from(size), face, run).0).sum()
}

/// Draws a text whose upper left corner is at `(x, y)`.
pub(super) fn draw(canvas: &mut RgbImage, ink: Rgb<u8>, (x, y): (i32, i32), size: f32, text: &str) {
    let (scale, mut x) = (PxScale::from(size), x);
    for (face, run) in runs(text) {
        draw_text_mut(canvas, ink, x, y, scale, &face, &run);
        x += text_size(scale, &face, &run).0 as i32;
    }
}

fn fonts() -> MutexGuard<'static, Fonts> {
    FONTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text in pieces of one font each.
fn runs(text: &str) -> Vec<(FontArc, String)> {
    let mut fonts = fonts();
    let has = |face: &FontArc, c: char| face.glyph_id(c).0 != 0 || c.is_whitespace();
    let mut lacking: BTreeSet<char> = text.chars().filter(|c| !fonts.missing.contains(c)).collect();
    lacking.retain(|&c| !fonts.faces.iter().any(|face| has(face, c)));
    for path in if lacking.is_empty() { Vec::new() } else { installed() } {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let Ok(face) = FontVec::try_from_vec_and_index(bytes, 0).map(FontArc::new) else {
            continue;
        };
        if lacking.iter().any(|&c| has(&face, c)) {
            lacking.retain(|&c| !has(&face, c));
            fonts.faces.push(face);
        }
        if lacking.is_empty() {
            break;
        }
    }
    fonts.missing.append(&mut lacking);
    let mut runs: Vec<(usize, String)> = Vec::new();
    for c in text.chars() {
        let face = fonts.faces.iter().position(|face| has(face, c)).unwrap_or(0);
        match runs.last_mut() {
            Some((last, run)) if *last == face => run.push(c),
            _ => runs.push((face, c.into())),
        }
    }
    let face = |(face, run): (usize, String)| Some((fonts.faces.get(face)?.clone(), run));
    runs.into_iter().filter_map(face).collect()
}

/// The font files of the system, plain ones before bold, slanted and serif ones.
fn installed() -> Vec<PathBuf> {
    let home = dirs::home_dir().unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        ["/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts"]
            .map(PathBuf::from)
            .into();
    folders.extend([".local/share/fonts", ".fonts", "Library/Fonts"].map(|name| home.join(name)));
    folders.extend(std::env::var_os("WINDIR").map(|windows| Path::new(&windows).join("Fonts")));
    let own = dirs::data_local_dir().map(|data| data.join("Microsoft/Windows/Fonts"));
    folders.extend(own);
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            // Links between folders are not followed, so that there is an end.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if !["ttf", "otf", "ttc"].contains(&ending.as_str()) => {}
                _ if entry.metadata().is_ok_and(|file| file.len() <= MOST_BYTES) => {
                    files.push(path);
                }
                _ => {}
            }
        }
    }
    let odd = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let odd = ["bold", "italic", "oblique", "light", "thin", "black", "serif", "mono"];
        odd.iter().filter(|word| name.contains(*word)).count()
    };
    files.sort_by_cached_key(|path| (odd(path), path.clone()));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_no_font_has_is_named_once_and_the_others_are_drawn() {
        // The last code point for private use: a font that has it would be a strange one.
        let text = "cell \u{10FFFD}";
        assert!(width(text, 16.0) > width("cell ", 16.0));
        let mut canvas = RgbImage::new(100, 30);
        draw(&mut canvas, Rgb([255; 3]), (2, 2), 16.0, text);
        assert!(canvas.pixels().any(|pixel| pixel.0[0] > 200));
        assert!(warning().unwrap().contains('\u{10FFFD}'));
    }

    #[test]
    fn what_is_no_font_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ttf");
        std::fs::write(&path, "hello").unwrap();
        assert!(prefer(&path).unwrap_err().to_string().contains("a.ttf: not a font"));
    }
}
