//! A reliability diagram: how often a model is right against how sure it is.

use crate::calibrate::Bin;
use crate::{Error, Result, files};
use plotters::prelude::*;
use std::path::Path;

/// Draws the bins and replaces `path` with the image, as SVG.
///
/// # Errors
/// The file cannot be written.
pub fn write(bins: &[Bin], error: f64, path: &Path) -> Result<()> {
    let svg =
        draw(bins, error).map_err(|why| Error::file(path, format!("cannot be drawn: {why}")))?;
    files::write(path, svg.as_bytes())
}

/// The image as SVG text: a bar for each bin that has examples, as high as its accuracy and
/// as dark as its share of them; the line is perfect calibration. `error` is the expected
/// calibration error.
///
/// # Errors
/// What the drawing library says.
pub fn draw(bins: &[Bin], error: f64) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1) as f64;
    let width = 1.0 / bins.len().max(1) as f64;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (460, 420)).into_drawing_area();
        area.fill(&WHITE)?;
        let title = format!("expected calibration error {:.2} %", error * 100.0);
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 15))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart.configure_mesh().x_desc("confidence").y_desc("accuracy").max_light_lines(0).draw()?;
        let blue = RGBColor(31, 119, 180);
        let bars = bins.iter().enumerate().filter(|(_, bin)| bin.count > 0).map(|(place, bin)| {
            let left = place as f64 * width;
            let dark = 0.25 + 0.75 * (bin.count as f64 / most).sqrt();
            Rectangle::new([(left, 0.0), (left + width, bin.accuracy)], blue.mix(dark).filled())
        });
        chart.draw_series(bars)?;
        let line = RGBColor(214, 88, 13);
        chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], line.stroke_width(2)))?;
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_and_the_axes_stand_in_the_picture() {
        let mut bins = vec![Bin::default(); 15];
        bins[14] = Bin { count: 90, confidence: 0.97, accuracy: 0.95 };
        let svg = draw(&bins, 0.0234).unwrap();
        for text in ["2.34 %", "confidence", "accuracy", "<rect"] {
            assert!(svg.contains(text), "no {text}");
        }
        assert!(draw(&[], 0.0).unwrap().contains("<svg"));
    }
}
