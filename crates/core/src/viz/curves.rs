//! `curves.svg`: one panel per metric, training and validation against epochs or steps.

use crate::train::history::{History, Line};
use crate::{Error, Result, files};
use plotters::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

const PANEL: (u32, u32) = (520, 340);
const SPLITS: [(&str, RGBColor); 2] =
    [("train", RGBColor(31, 119, 180)), ("validation", RGBColor(214, 88, 13))];

/// Draws the history and replaces `path` with the image.
///
/// # Errors
/// The file cannot be written.
pub fn write(history: &History, path: &Path) -> Result<()> {
    let svg = draw(history);
    let svg = svg.map_err(|why| Error::file(path, format!("cannot be drawn: {why}")))?;
    files::write(path, svg.as_bytes())
}

/// The image as SVG text: the loss, and what was measured on the validation split.
///
/// # Errors
/// What the drawing library says.
pub fn draw(history: &History) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let unit = history.lines.first().map_or("epoch", |line| line.at.unit().name());
    let shown = |line: &&Line| line.split == "validation" || line.metrics.contains_key("loss");
    let names = history.lines.iter().filter(shown).flat_map(|line| {
        line.metrics.keys().filter(|name| line.split == "validation" || *name == "loss")
    });
    // The loss first, then the rest by name.
    let mut names: Vec<&String> = names.collect::<BTreeSet<_>>().into_iter().collect();
    names.sort_by_key(|name| (*name != "loss", name.to_string()));
    let mut svg = String::new();
    {
        let size = (PANEL.0 * names.len().max(1) as u32, PANEL.1);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        for (panel, name) in area.split_evenly((1, names.len().max(1))).iter().zip(names) {
            draw_panel(panel, history, name, unit)?;
        }
        area.present()?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_panel(
    area: &Area<'_>,
    history: &History,
    metric: &str,
    unit: &str,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let series = SPLITS.map(|(split, colour)| (split, colour, history.series(split, metric)));
    let values: Vec<f64> = series
        .iter()
        .flat_map(|(_, _, points)| points.iter().map(|point| point.1))
        .filter(|value| value.is_finite())
        .collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return Ok(());
    }
    // A flat curve still needs an axis with some height.
    let margin = ((high - low) * 0.06).max(high.abs() * 0.01).max(1e-9);
    let last = history.lines.iter().map(|line| line.at.number()).max().unwrap_or(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(metric, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(56)
        .build_cartesian_2d(0.5f64..last + 0.5, low - margin..high + margin)?;
    let precision = if high - low < 0.1 { 3 } else { 2 };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .x_desc(unit)
        .x_labels((last as usize).min(10))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.precision$}"))
        .label_style(("sans-serif", 12))
        .draw()?;
    for (split, colour, points) in series {
        let points = points.into_iter().filter(|point| point.1.is_finite());
        let points: Vec<(f64, f64)> = points.map(|(epoch, value)| (epoch as f64, value)).collect();
        let dots = points.iter().map(|&point| Circle::new(point, 3, colour.filled()));
        chart.draw_series(dots)?;
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(split)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    // Losses fall and accuracies rise: the legend goes where the curves are not.
    let falls = values.first() > values.last();
    let corner = match falls {
        true => SeriesLabelPosition::UpperRight,
        false => SeriesLabelPosition::LowerRight,
    };
    chart
        .configure_series_labels()
        .position(corner)
        .border_style(BLACK.mix(0.2))
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 12))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::history::At;
    use std::collections::BTreeMap;

    fn line(epoch: usize, split: &str, loss: f64) -> Line {
        let metrics = BTreeMap::from([("loss".into(), loss), ("accuracy".into(), 0.9)]);
        let at = At::Epoch(epoch);
        Line { at, split: split.into(), metrics, lr: Some(0.1), seconds: 1.0 }
    }

    #[test]
    fn every_metric_has_a_panel_and_every_split_a_curve() {
        let lines = vec![line(1, "train", 2.0), line(1, "validation", 1.5), line(2, "train", 1.0)];
        let svg = draw(&History { lines }).unwrap();
        for word in ["loss", "accuracy", "train", "validation", "epoch"] {
            assert!(svg.contains(word), "no `{word}` in the image");
        }
        assert_eq!(svg.matches("<circle").count(), 6);
    }

    #[test]
    fn nothing_yet_and_values_off_the_scale_are_drawn_without_a_panic() {
        assert!(draw(&History::default()).unwrap().contains("<svg"));
        let lines = vec![line(1, "train", f64::NAN), line(2, "train", 1.0)];
        assert!(draw(&History { lines }).unwrap().contains("<svg"));
    }
}
