//! `eval --draw`: precision against recall, a confusion matrix with the background, how far scores
//! can be trusted, and the worst mistakes on a sheet.

use crate::draw::frame;
use crate::metrics::{self, Judged};
use crate::verdicts::{Verdict, Verdicts, judged};
use image::{DynamicImage, Rgb, RgbImage, imageops};
use std::path::Path;
use tenfold_core::calibrate;
use tenfold_core::data::{Example, Examples, Input, Object};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::progress::note;
use tenfold_core::viz::{confusion, font, label, lines, reliability, sheet};
use tenfold_core::{Error, Result};

/// Mistakes of each kind on the sheet.
const EACH: usize = 8;
/// A tile shows so many times the box, and this many pixels at least.
const AROUND: f32 = 2.5;
const SMALLEST: f32 = 48.0;
/// The frame of what is there, and of what was found.
const TRUTH: Rgb<u8> = Rgb([40, 180, 60]);
const FOUND: Rgb<u8> = Rgb([230, 60, 60]);

/// A mistake: in which image, how bad, what is said below it, and the frames.
struct Mistake {
    image: usize,
    weight: f32,
    text: String,
    truth: Option<BoundingBox>,
    found: Option<BoundingBox>,
}

/// Writes `precision-recall.svg`, `confusion.svg`, `reliability.svg`, and `mistakes.png` where
/// there are any. Scores are probabilities; boxes from `threshold` on are shown.
///
/// # Errors
/// A file that cannot be written, or an image that cannot be read.
pub fn draw(
    folder: &Path,
    images: &[Judged],
    labels: &[String],
    threshold: f32,
    examples: &Examples<Vec<Object>>,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|why| Error::io(folder, why))?;
    let mut written = vec!["precision-recall.svg", "confusion.svg", "reliability.svg"];
    let curves = metrics::precision_recall(images, labels.len());
    let line = |(class, points): (usize, Vec<(f64, f64)>)| (labels[class].clone(), points);
    let curves: Vec<lines::Line> = curves.into_iter().map(line).collect();
    let title = "precision and recall at IoU .5";
    lines::write(title, ["recall", "precision"], &curves, &folder.join(written[0]))?;

    let verdicts: Vec<Verdicts> =
        images.iter().map(|image| Verdicts::new(image, threshold)).collect();
    let mut names = labels.to_vec();
    names.push("background".into());
    confusion::write(&names, &counts(&verdicts, labels.len()), &folder.join(written[1]))?;
    let judged = judged(images);
    let (bins, error) = (calibrate::reliability(&judged), calibrate::expected_error(&judged));
    reliability::write(&bins, error, &folder.join(written[2]))?;

    let mut tiles = Vec::new();
    for mistake in worst(images, &verdicts, labels) {
        let Example { input, file, .. } = examples.get(mistake.image)?;
        let Input::Image(image) = input else { break };
        let name = file.as_ref().and_then(|file| file.file_name());
        let name = name.map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_else(|| format!("image {}", mistake.image + 1));
        tiles.push(tile(&image, &mistake, name));
    }
    if !tiles.is_empty() {
        sheet::write(&tiles, &folder.join("mistakes.png"))?;
        written.push("mistakes.png");
    }
    note(format_args!("wrote {} to {}", written.join(", "), folder.display()));
    font::warning().into_iter().for_each(note);
    Ok(())
}

/// What is there (rows) against what was found (columns), the background last in both.
fn counts(verdicts: &[Verdicts], classes: usize) -> Vec<usize> {
    let side = classes + 1;
    let mut counts = vec![0; side * side];
    for image in verdicts {
        for (one, verdict) in &image.boxes {
            let row = match *verdict {
                Verdict::Right => one.label,
                Verdict::WrongClass(label) => label,
                // Of an object that is counted already, or of none.
                Verdict::Doubled | Verdict::BadlyPlaced(_) | Verdict::Background => classes,
            };
            counts[row * side + one.label] += 1;
        }
        for (label, own) in &image.missed {
            let called = |(one, verdict): &(crate::detection::Detection, Verdict)| {
                *verdict == Verdict::WrongClass(*label) && one.bounding_box.iou(own) >= 0.5
            };
            if !image.boxes.iter().any(called) {
                counts[label * side + classes] += 1;
            }
        }
    }
    counts
}

/// The worst of each kind: the surest mistakes, and the largest objects that were missed.
fn worst(images: &[Judged], verdicts: &[Verdicts], labels: &[String]) -> Vec<Mistake> {
    let mut kinds: [Vec<Mistake>; 5] = Default::default();
    for (image, own) in verdicts.iter().enumerate() {
        for (one, verdict) in &own.boxes {
            let sure = 100.0 * one.score;
            let said = format!("{} {sure:.0} %", labels[one.label]);
            let near = images[image].objects.iter().map(|(_, own)| *own);
            let near =
                near.max_by(|a, b| a.iou(&one.bounding_box).total_cmp(&b.iou(&one.bounding_box)));
            let (kind, text, truth) = match *verdict {
                Verdict::Right => continue,
                Verdict::WrongClass(label) => {
                    (0, format!("wrong class: {said}, is {}", labels[label]), near)
                }
                Verdict::BadlyPlaced(iou) => {
                    (1, format!("badly placed: {said}, IoU {iou:.2}"), near)
                }
                Verdict::Doubled => (2, format!("doubled: {said}"), near),
                Verdict::Background => (3, format!("nothing there: {said}"), None),
            };
            let found = Some(one.bounding_box);
            kinds[kind].push(Mistake { image, weight: one.score, text, truth, found });
        }
        for &(label, own) in &own.missed {
            let text = format!("missed: {}", labels[label]);
            kinds[4].push(Mistake {
                image,
                weight: own.area(),
                text,
                truth: Some(own),
                found: None,
            });
        }
    }
    for kind in &mut kinds {
        kind.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        kind.truncate(EACH);
    }
    kinds.into_iter().flatten().collect()
}

/// The surroundings of a mistake, its frames, and what it is.
fn tile(image: &DynamicImage, mistake: &Mistake, name: String) -> RgbImage {
    let (width, height) = (image.width() as f32, image.height() as f32);
    let boxes = [mistake.truth, mistake.found].into_iter().flatten();
    let union = boxes.reduce(|a, b| {
        BoundingBox::new(a.x1.min(b.x1), a.y1.min(b.y1), a.x2.max(b.x2), a.y2.max(b.y2))
    });
    let Some(own) = union else { return image.to_rgb8() };
    let side = (own.width().max(own.height()) * AROUND).max(SMALLEST);
    let first =
        |a: f32, b: f32, most: f32| ((a + b - side) / 2.0).clamp(0.0, (most - side).max(0.0));
    let (x, y) = (first(own.x1, own.x2, width), first(own.y1, own.y2, height));
    let (w, h) = (side.min(width - x), side.min(height - y));
    let part = image.crop_imm(x as u32, y as u32, w.max(1.0) as u32, h.max(1.0) as u32);
    let times = (256.0 / w.max(h)).max(1.0);
    let sides = [part.width(), part.height()].map(|side| (side as f32 * times) as u32);
    let mut canvas = imageops::resize(
        &part.to_rgb8(),
        sides[0].max(1),
        sides[1].max(1),
        imageops::FilterType::Triangle,
    );
    for (own, colour) in [(mistake.truth, TRUTH), (mistake.found, FOUND)] {
        let Some(own) = own else { continue };
        let corners = [own.x1 - x, own.y1 - y, own.x2 - x, own.y2 - y];
        frame(&mut canvas, corners.map(|at| (at * times).round() as i64), colour);
    }
    label::caption(&DynamicImage::ImageRgb8(canvas), &[name, mistake.text.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::Detection;

    #[test]
    fn objects_and_boxes_are_counted_once() {
        let at = |x: f32| BoundingBox::new(x, 0.0, x + 10.0, 10.0);
        let found = |label, x| Detection { label, score: 0.9, bounding_box: at(x) };
        let judged = Judged {
            objects: vec![(0, at(0.0)), (1, at(30.0)), (1, at(60.0))],
            found: vec![found(0, 0.0), found(0, 30.0), found(1, 90.0)],
        };
        let verdicts = [Verdicts::new(&judged, 0.5)];
        // Found as itself; taken for the other; missed; and one box where nothing is.
        assert_eq!(counts(&verdicts, 2), [1, 0, 0, 1, 0, 1, 0, 1, 0]);
        let labels = ["a", "b"].map(String::from);
        let worst = worst(&[judged], &verdicts, &labels);
        let texts: Vec<&str> = worst.iter().map(|own| &own.text[..]).collect();
        let expected =
            ["wrong class: a 90 %, is b", "nothing there: b 90 %", "missed: b", "missed: b"];
        assert_eq!(texts, expected);
        let image = DynamicImage::new_rgb8(100, 20);
        for mistake in &worst {
            assert!(tile(&image, mistake, "x.png".into()).width() >= 100);
        }
    }
}
