//! Bars with their names, and how far each may be off.

use crate::{Error, Result, files};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

/// Beyond this many, the longest are drawn.
const MOST: usize = 40;
const NAMES: i32 = 190;
const PLOT: i32 = 380;
const NUMBERS: i32 = 130;
const ROW: i32 = 22;
const TOP: i32 = 36;

/// One bar.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Bar {
    /// What it stands for.
    pub name: String,
    /// How long it is.
    pub mean: f64,
    /// How far measurements of it vary, as their standard deviation.
    pub deviation: f64,
}

/// Draws the bars and replaces `path` with the image, as SVG.
///
/// # Errors
/// The file cannot be written.
pub fn write(title: &str, bars: &[Bar], path: &Path) -> Result<()> {
    let svg =
        draw(title, bars).map_err(|why| Error::file(path, format!("cannot be drawn: {why}")))?;
    files::write(path, svg.as_bytes())
}

/// The image as SVG text: a bar a row, from the first down.
///
/// # Errors
/// What the drawing library says.
pub fn draw(title: &str, bars: &[Bar]) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let bars = &bars[..bars.len().min(MOST)];
    let ends = bars.iter().flat_map(|bar| [bar.mean - bar.deviation, bar.mean + bar.deviation]);
    let ends = ends.filter(|end| end.is_finite());
    let (low, high) = ends.fold((0f64, 0f64), |(low, high), end| (low.min(end), high.max(end)));
    let unit = f64::from(PLOT) / (high - low).max(1e-12);
    let at = |value: f64| NAMES + ((value.clamp(low, high) - low) * unit).round() as i32;
    let side = ((NAMES + PLOT + NUMBERS) as u32, (TOP + ROW * bars.len() as i32 + 12) as u32);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, side).into_drawing_area();
        area.fill(&WHITE)?;
        let style = |size: i32, h| {
            ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(h, VPos::Center))
        };
        area.draw_text(title, &style(14, HPos::Left), (10, TOP / 2))?;
        for (row, Bar { name, mean, deviation }) in bars.iter().enumerate() {
            let middle = TOP + ROW * row as i32 + ROW / 2;
            let mut text: String = name.chars().take(26).collect();
            if text.len() < name.len() {
                text.push_str("...");
            }
            area.draw_text(&text, &style(12, HPos::Right), (NAMES - 6, middle))?;
            let (from, to) = (at(mean.min(0.0)), at(mean.max(0.0)));
            let blue = RGBColor(31, 119, 180).filled();
            area.draw(&Rectangle::new([(from, middle - 7), (to, middle + 7)], blue))?;
            let whisker = [(at(mean - deviation), middle), (at(mean + deviation), middle)];
            area.draw(&PathElement::new(whisker, BLACK.stroke_width(1)))?;
            let number = format!("{mean:.4} ± {deviation:.4}");
            area.draw_text(&number, &style(12, HPos::Left), (NAMES + PLOT + 8, middle))?;
        }
        let zero = [(at(0.0), TOP), (at(0.0), TOP + ROW * bars.len() as i32)];
        area.draw(&PathElement::new(zero, BLACK.mix(0.5).stroke_width(1)))?;
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_stand_in_the_image() {
        let bar = |name: &str, mean| Bar { name: name.into(), mean, deviation: 0.01 };
        let svg = draw("fall of accuracy", &[bar("size", 0.25), bar("noise", -0.002)]).unwrap();
        for text in ["fall of accuracy", "size", "0.2500 ± 0.0100", "noise", "-0.0020"] {
            assert!(svg.contains(text), "no {text}");
        }
        let many: Vec<Bar> = (0..90).map(|i| bar(&format!("column {i}."), f64::NAN)).collect();
        let svg = draw("", &many).unwrap();
        assert!(svg.contains("column 39.") && !svg.contains("column 40."));
        assert!(draw("", &[]).unwrap().contains("<svg"));
    }
}
