//! Lines over each other, one for each name: precision against recall, and the like.

use crate::{Error, Result, files};
use plotters::prelude::*;
use std::path::Path;

/// Lines that have a colour and a name of their own; further ones are grey.
const MOST: usize = 10;

/// A name, and points from left to right, both numbers from 0 to 1.
pub type Line = (String, Vec<(f64, f64)>);

/// Draws the lines and replaces `path` with the image, as SVG; `axes` are the names of x and y.
///
/// # Errors
/// The file cannot be written.
pub fn write(title: &str, axes: [&str; 2], lines: &[Line], path: &Path) -> Result<()> {
    let svg = draw(title, axes, lines);
    let svg = svg.map_err(|why| Error::file(path, format!("cannot be drawn: {why}")))?;
    files::write(path, svg.as_bytes())
}

/// The image as SVG text.
///
/// # Errors
/// What the drawing library says.
pub fn draw(
    title: &str,
    axes: [&str; 2],
    lines: &[Line],
) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (640, 460)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 15))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart.configure_mesh().x_desc(axes[0]).y_desc(axes[1]).max_light_lines(0).draw()?;
        for (place, (name, points)) in lines.iter().enumerate() {
            let named = place < MOST;
            let colour = match named {
                true => Palette99::pick(place).to_rgba(),
                false => RGBColor(180, 180, 180).to_rgba(),
            };
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            let drawn = chart.draw_series(line)?;
            if named {
                drawn.label(name).legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
                });
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.8))
            .label_font(("sans-serif", 13))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_axes_stand_in_the_image() {
        let lines = [("cat".to_owned(), vec![(0.0, 1.0), (0.5, 0.8)]), ("狗".to_owned(), vec![])];
        let svg = draw("precision and recall", ["recall", "precision"], &lines).unwrap();
        for text in ["cat", "狗", "precision and recall", "recall"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
