//! `curves.svg`: one panel per metric, training and validation against epochs or steps.

use crate::train::history::{History, Line};
use crate::{Error, Result, files};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::BTreeSet;
use std::path::Path;

const PANEL: (u32, u32) = (520, 340);
const SPLITS: [(&str, RGBColor); 2] =
    [("train", RGBColor(31, 119, 180)), ("validation", RGBColor(214, 88, 13))];

/// Height of the legend above the panels.
const LEGEND: u32 = 32;
const KEPT: RGBColor = RGBColor(90, 90, 90);

/// Draws the history and replaces `path` with the image; `kept` is the round whose weights are
/// kept.
///
/// # Errors
/// The file cannot be written.
pub fn write(history: &History, kept: Option<usize>, path: &Path) -> Result<()> {
    let svg = draw(history, kept);
    let svg = svg.map_err(|why| Error::file(path, format!("cannot be drawn: {why}")))?;
    files::write(path, svg.as_bytes())
}

/// The image as SVG text: the loss, or the losses where there is no one, and what was measured on the validation split.
///
/// # Errors
/// What the drawing library says.
pub fn draw(
    history: &History,
    kept: Option<usize>,
) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let unit = history.lines.first().map_or("epoch", |line| line.at.unit().name());
    let one = history.lines.iter().any(|line| line.metrics.contains_key("loss"));
    // Of networks that learn against each other each has a loss of its own.
    let loss = |name: &str| if one { name == "loss" } else { name.ends_with("_loss") };
    let names = history.lines.iter().flat_map(|line: &Line| {
        line.metrics.keys().filter(|name| line.split == "validation" || loss(name))
    });
    // The loss first, then the rest by name.
    let mut names: Vec<&String> = names.collect::<BTreeSet<_>>().into_iter().collect();
    names.sort_by_key(|name| (!loss(name), name.to_string()));
    let mut svg = String::new();
    {
        let size = (PANEL.0 * names.len().max(1) as u32, PANEL.1 + LEGEND);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        let (legend, area) = area.split_vertically(LEGEND);
        let splits = SPLITS
            .iter()
            .filter(|(split, _)| history.lines.iter().any(|line| line.split == *split));
        let mut entries: Vec<(String, RGBColor)> =
            splits.map(|(split, colour)| (split.to_string(), *colour)).collect();
        entries.extend(kept.map(|kept| (format!("weights kept: {unit} {kept}"), KEPT)));
        for (place, (text, colour)) in entries.iter().enumerate() {
            let (x, y) = (20 + 120 * place as i32, LEGEND as i32 / 2 + 4);
            legend.draw(&PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)))?;
            let style = ("sans-serif", 14).into_font().color(&BLACK);
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            legend.draw_text(text, &style, (x + 24, y))?;
        }
        for (panel, name) in area.split_evenly((1, names.len().max(1))).iter().zip(names) {
            draw_panel(panel, history, name, unit, kept)?;
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
    kept: Option<usize>,
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
        .caption(standard(metric), ("sans-serif", 18))
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
    for (_, colour, points) in series {
        let points = points.into_iter().filter(|point| point.1.is_finite());
        let points: Vec<(f64, f64)> = points.map(|(epoch, value)| (epoch as f64, value)).collect();
        let dots = points.iter().map(|&point| Circle::new(point, 3, colour.filled()));
        chart.draw_series(dots)?;
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    if let Some(kept) = kept {
        let ends = [low - margin, high + margin].map(|y| (kept as f64, y));
        chart.draw_series(DashedLineSeries::new(ends, 5, 4, KEPT.stroke_width(1)))?;
    }
    Ok(())
}

/// A metric as papers write it.
fn standard(metric: &str) -> String {
    let name = match metric {
        "map" => "mAP",
        "map50" => "mAP at IoU 0.5",
        "miou" => "mean IoU",
        "dice" => "Dice coefficient",
        "bleu" => "BLEU",
        "cider" => "CIDEr",
        "cer" => "character error rate",
        "mae" => "mean absolute error",
        "rmse" => "root mean squared error",
        "r2" => "R²",
        "top5" => "top-5 accuracy",
        "success_auc" => "success AUC",
        other => {
            let words = other.replace('_', " ");
            return match words.strip_prefix("fd ") {
                Some(features) => format!("Fréchet distance, {features}"),
                None => words,
            };
        }
    };
    name.into()
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
        let svg = draw(&History { lines }, Some(2)).unwrap();
        for word in ["loss", "accuracy", "train", "validation", "weights kept: epoch 2"] {
            assert!(svg.contains(word), "no `{word}` in the image");
        }
        assert_eq!(svg.matches("<circle").count(), 6);
        assert_eq!(
            (standard("map50"), standard("mean_return")),
            ("mAP at IoU 0.5".into(), "mean return".into())
        );
    }

    #[test]
    fn nothing_yet_and_values_off_the_scale_are_drawn_without_a_panic() {
        assert!(draw(&History::default(), None).unwrap().contains("<svg"));
        let lines = vec![line(1, "train", f64::NAN), line(2, "train", 1.0)];
        assert!(draw(&History { lines }, Some(2)).unwrap().contains("<svg"));
    }
}
