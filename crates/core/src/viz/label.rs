//! An image with what the model says of it written above.

use super::font;
use super::sheet;
use crate::suggest::Suggestion;
use crate::{Error, Result, files};
use image::{DynamicImage, Rgb, RgbImage, imageops};
use imageproc::drawing::draw_filled_rect_mut;
use imageproc::rect::Rect;
use std::io::Cursor;
use std::path::Path;

/// Smaller images are enlarged to at least this many pixels a side, so that a person sees them.
const SMALLEST: u32 = 224;
/// None is enlarged beyond this many pixels a side.
const LARGEST: u32 = 4096;
const LINE: u32 = 22;
const TEXT: f32 = 16.0;
/// On a wider image the text grows with it, since the whole is looked at on one screen.
const WIDE: f32 = 640.0;
const INK: Rgb<u8> = Rgb([240, 240, 240]);
const BAR: Rgb<u8> = Rgb([70, 130, 180]);
const PAPER: Rgb<u8> = Rgb([28, 28, 32]);

/// One line of text above an image.
#[derive(Clone, Debug)]
pub struct Line {
    /// Begins at the left; cut where it is too long.
    pub text: String,
    /// Ends at the right.
    pub number: String,
    /// The length of the bar behind both, in 0..1.
    pub bar: f32,
}

/// The image with its suggestions on a strip above it, a bar as long as each score.
pub fn draw(picture: &DynamicImage, suggestions: &[Suggestion]) -> RgbImage {
    let line = |suggestion: &Suggestion| Line {
        text: suggestion.answer.to_string(),
        number: format!("{:.1} %", suggestion.score * 100.0),
        bar: suggestion.score,
    };
    draw_lines(picture, &suggestions.iter().map(line).collect::<Vec<_>>())
}

/// The image with a strip of text above it.
pub fn draw_lines(picture: &DynamicImage, lines: &[Line]) -> RgbImage {
    let picture = enlarge(picture.to_rgb8());
    // A narrow image gets room for its text.
    let width = picture.width().max(SMALLEST);
    let scale = (width as f32 / WIDE).max(1.0);
    let scaled = |length: u32| (length as f32 * scale) as u32;
    let (line, size) = (scaled(LINE), TEXT * scale);
    let strip = line * lines.len() as u32 + scaled(6);
    let mut canvas = RgbImage::from_pixel(width, picture.height() + strip, PAPER);
    let left = (width - picture.width()) / 2;
    imageops::replace(&mut canvas, &picture, left.into(), strip.into());
    for (row, Line { text, number, bar }) in lines.iter().enumerate() {
        let y = (scaled(4) + line * row as u32) as i32;
        let length = (bar.clamp(0.0, 1.0) * width as f32) as u32;
        if length > 0 {
            let bar = Rect::at(0, y).of_size(length, line - scaled(3));
            draw_filled_rect_mut(&mut canvas, bar, BAR);
        }
        let (edge, y) = (scaled(5), y + scaled(1) as i32);
        let number_width = font::width(number, size);
        let room = width.saturating_sub(number_width + scaled(16));
        let text = fit(text, room, |text| font::width(text, size));
        font::draw(&mut canvas, INK, (edge as i32, y), size, &text);
        let x = width.saturating_sub(number_width + edge);
        font::draw(&mut canvas, INK, (x as i32, y), size, number);
    }
    canvas
}

/// A tile of a sheet: the image, brought to a tile's size, with whole sentences below it.
pub fn caption(picture: &DynamicImage, sentences: &[String]) -> RgbImage {
    let picture = enlarge(sheet::fit(picture).to_rgb8());
    let picture = sheet::fit(&DynamicImage::ImageRgb8(picture)).to_rgb8();
    let width = sheet::WIDEST;
    let lines: Vec<String> = sentences
        .iter()
        .flat_map(|sentence| wrap(sentence, width - 4, |text| font::width(text, TEXT)))
        .collect();
    let height = picture.height() + 4 + LINE * lines.len() as u32;
    let mut canvas = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let left = (width - picture.width()) / 2;
    imageops::replace(&mut canvas, &picture, left.into(), 0);
    for (row, line) in lines.iter().enumerate() {
        let y = picture.height() + 4 + LINE * row as u32;
        font::draw(&mut canvas, PAPER, (2, y as i32), TEXT, line);
    }
    canvas
}

/// The text in lines of which each fits into `room`: broken between words, or inside one that
/// is too long by itself.
fn wrap(text: &str, room: u32, measure: impl Fn(&str) -> u32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or("", |line| line);
        let joined = if line.is_empty() { word.into() } else { format!("{line} {word}") };
        if measure(&joined) <= room {
            lines.pop();
            lines.push(joined);
            continue;
        }
        let mut rest = String::new();
        for letter in word.chars() {
            if !rest.is_empty() && measure(&format!("{rest}{letter}")) > room {
                lines.push(std::mem::take(&mut rest));
            }
            rest.push(letter);
        }
        lines.push(rest);
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Writes [`draw`]'s image to `path` as PNG.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, picture: &DynamicImage, suggestions: &[Suggestion]) -> Result<()> {
    let mut png = Cursor::new(Vec::new());
    draw(picture, suggestions)
        .write_to(&mut png, image::ImageFormat::Png)
        .map_err(|why| Error::file(path, why))?;
    files::write(path, png.get_ref())
}

/// A PNG's path in `folder` for each input, under the input's own name. Inputs of the same
/// name from different folders are numbered, so that neither overwrites the other.
pub fn paths<'a>(
    folder: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Vec<std::path::PathBuf> {
    let mut taken = std::collections::HashSet::new();
    let mut seen = std::collections::HashMap::new();
    let path = |input: &Path| {
        let stem = input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let count: &mut usize = seen.entry(stem.clone()).or_default();
        loop {
            *count += 1;
            let name = if *count == 1 { stem.clone() } else { format!("{stem}-{count}") };
            // One of the inputs may itself be called `x-2`.
            if taken.insert(name.clone()) {
                return folder.join(format!("{name}.png"));
            }
        }
    };
    inputs.into_iter().map(path).collect()
}

/// Whole-number enlargement with hard pixels, so that 28 x 28 digits stay what they are.
pub(super) fn enlarge(picture: RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    // A long thin image must not become a huge one.
    let most = LARGEST / width.max(height).max(1);
    let factor = SMALLEST.div_ceil(width.min(height).max(1)).min(most);
    if factor <= 1 {
        return picture;
    }
    imageops::resize(&picture, width * factor, height * factor, imageops::FilterType::Nearest)
}

/// The text, cut with an ellipsis until `measure` says that it fits into `room`.
fn fit(text: &str, room: u32, measure: impl Fn(&str) -> u32) -> String {
    if measure(text) <= room {
        return text.into();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let cut = kept.iter().collect::<String>() + "…";
        if measure(&cut) <= room {
            return cut;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(label: &str, score: f32) -> Suggestion {
        Suggestion::new(label, score)
    }

    #[test]
    fn small_pictures_grow_and_the_strip_is_above() {
        let picture = DynamicImage::new_luma8(28, 28);
        let drawn = draw(&picture, &[suggestion("7", 0.9), suggestion("1", 0.1)]);
        assert_eq!(drawn.dimensions(), (224, 224 + 2 * LINE + 6));
        assert_eq!(drawn.get_pixel(100, 4 + 1), &BAR);
        assert!(drawn.pixels().any(|pixel| pixel == &INK), "no text was drawn");
    }

    #[test]
    fn a_long_thin_picture_does_not_become_a_huge_one() {
        let drawn = enlarge(RgbImage::new(1, 3000));
        assert_eq!(drawn.dimensions(), (1, 3000));
        assert_eq!(enlarge(RgbImage::new(1, 9000)).dimensions(), (1, 9000));
    }

    #[test]
    fn long_labels_are_cut_and_any_score_is_drawn() {
        assert_eq!(fit("abcdef", 4, |text| text.chars().count() as u32), "abc…");
        assert_eq!(fit("abc", 0, |text| text.chars().count() as u32), "");
        for score in [f32::NAN, -1.0, 2.0] {
            draw(&DynamicImage::new_rgb8(1, 300), &[suggestion("x", score)]);
        }
    }

    #[test]
    fn captions_are_whole_and_as_large_on_every_image() {
        let sentence = ["is white cell, predicted platelet (52.6 %)".to_string()];
        let rows = |width, height| {
            let drawn = caption(&DynamicImage::new_rgb8(width, height), &sentence);
            assert_eq!(drawn.width(), sheet::WIDEST);
            // What is neither the black image nor white paper.
            drawn.rows().filter(|row| row.clone().any(|p| p.0[0] > 30 && p.0[0] < 225)).count()
        };
        assert_eq!(rows(28, 28), rows(4000, 3000));
        let of_ten = |text: &str| wrap(text, 10, |text| text.chars().count() as u32);
        assert_eq!(of_ten("is a white cell"), ["is a white", "cell"]);
        assert_eq!(of_ten("a 0123456789abc d"), ["a", "0123456789", "abc d"]);
        assert_eq!(draw(&DynamicImage::new_rgb8(2, 500), &[]).width(), SMALLEST);
    }

    #[test]
    fn inputs_of_the_same_name_both_stay() {
        let inputs = ["a/x.jpg", "a/x-2.jpg", "b/x.jpg", "b/y.jpg"].map(Path::new);
        let names = paths(Path::new("out"), inputs);
        let expected = ["out/x.png", "out/x-2.png", "out/x-3.png", "out/y.png"];
        assert_eq!(names, expected.map(std::path::PathBuf::from));
    }
}
