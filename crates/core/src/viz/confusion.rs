//! A confusion matrix as an image: what is (rows) against what was suggested (columns).

use crate::{Error, Result, files};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

/// Beyond this many labels a cell is too small for a number.
const MOST_NUMBERED: usize = 40;
const MARGIN: i32 = 96;

/// Draws the matrix (row by row, `labels` x `labels`) and replaces `path` with it, as SVG.
///
/// # Errors
/// The file cannot be written.
pub fn write(labels: &[String], counts: &[usize], path: &Path) -> Result<()> {
    let svg =
        draw(labels, counts).map_err(|why| Error::file(path, format!("cannot be drawn: {why}")))?;
    files::write(path, svg.as_bytes())
}

/// The image as SVG text. A cell is as dark as its part of its row.
///
/// # Errors
/// What the drawing library says.
pub fn draw(
    labels: &[String],
    counts: &[usize],
) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let n = labels.len().max(1);
    let cell = (760 / n as i32).clamp(6, 56);
    let side = (MARGIN + cell * n as i32 + 16) as u32;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (side, side)).into_drawing_area();
        area.fill(&WHITE)?;
        let size = (f64::from(cell) * 0.42).clamp(5.0, 14.0);
        let style = |color: &RGBColor, h, v| {
            ("sans-serif", size).into_font().color(color).pos(Pos::new(h, v))
        };
        let title =
            ("sans-serif", 13).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Top));
        area.draw_text("rows: what it is; columns: what was suggested", &title, (8, 6))?;
        for (i, label) in labels.iter().enumerate() {
            let middle = MARGIN + cell * i as i32 + cell / 2;
            let text: String = label.chars().take(12).collect();
            let row = style(&BLACK, HPos::Right, VPos::Center);
            area.draw_text(&text, &row, (MARGIN - 6, middle))?;
            let column = style(&BLACK, HPos::Left, VPos::Center);
            let column = column.transform(FontTransform::Rotate270);
            area.draw_text(&text, &column, (middle, MARGIN - 6))?;
        }
        for (row, counts) in counts.chunks(n).enumerate() {
            let total = counts.iter().sum::<usize>().max(1) as f64;
            for (column, &count) in counts.iter().enumerate() {
                let part = count as f64 / total;
                let corner = (MARGIN + cell * column as i32, MARGIN + cell * row as i32);
                let opposite = (corner.0 + cell, corner.1 + cell);
                // Right ones in blue, mistakes in orange; the square root lets rare ones show.
                let hue =
                    if row == column { RGBColor(31, 119, 180) } else { RGBColor(214, 88, 13) };
                area.draw(&Rectangle::new([corner, opposite], hue.mix(part.sqrt()).filled()))?;
                let edge = BLACK.mix(0.12).stroke_width(1);
                area.draw(&Rectangle::new([corner, opposite], edge))?;
                if count > 0 && n <= MOST_NUMBERED {
                    let ink = if part > 0.3 { WHITE } else { BLACK };
                    let middle = (corner.0 + cell / 2, corner.1 + cell / 2);
                    let number = style(&ink, HPos::Center, VPos::Center);
                    area.draw_text(&count.to_string(), &number, middle)?;
                }
            }
        }
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_and_label_stands_in_the_picture() {
        let labels = ["cat", "dog"].map(String::from);
        let svg = draw(&labels, &[90, 11, 7, 93]).unwrap();
        for text in ["cat", "dog", "90", "11", "93"] {
            assert!(svg.contains(text), "no {text}");
        }
    }

    #[test]
    fn none_and_many_labels_are_drawn() {
        assert!(draw(&[], &[]).unwrap().contains("<svg"));
        let labels: Vec<String> = (0..200).map(|i| format!("label {i}")).collect();
        assert!(draw(&labels, &vec![1; 200 * 200]).unwrap().contains("<svg"));
    }
}
