//! CVAT for images 1.1: one XML file.

use super::files::Files;
use super::listed::{Annotations, Labelled, Listed};
use super::xml::{self, Element};
use std::path::Path;
use tenfold_core::geometry::{BoundingBox, Point};
use tenfold_core::{Error, Result, files};

/// Reads a file. Boxes are taken as they are, polygons and masks as the boxes around them;
/// other shapes are left out, and counted.
///
/// # Errors
/// No such XML, or a shape without a field; the line is named.
pub fn read(path: &Path, around: &Files) -> Result<Annotations> {
    let root = xml::parse(path, &files::read_text(path)?)?;
    let mut all = Annotations { classes: labels(&root), ..Annotations::default() };
    for image in root.all("image") {
        let name = text(path, image, "name")?;
        let size = image.attribute("width").zip(image.attribute("height"));
        let size = size.and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
        let mut boxes = Vec::new();
        for shape in &image.children {
            let bounding_box = match shape.name.as_str() {
                "box" => {
                    let [x1, y1, x2, y2] =
                        ["xtl", "ytl", "xbr", "ybr"].map(|side| number(path, shape, side));
                    BoundingBox::new(x1?, y1?, x2?, y2?)
                }
                "polygon" => polygon(path, shape)?,
                "mask" => {
                    let [x, y, w, h] =
                        ["left", "top", "width", "height"].map(|side| number(path, shape, side));
                    BoundingBox::from_xywh([x?, y?, w?, h?])
                }
                "tag" => continue,
                other => {
                    let why = format!("line {}: <{other}> has no box", shape.line);
                    all.skipped.push(format!("{}: {why}", path.display()));
                    continue;
                }
            };
            boxes.push(Labelled { class: text(path, shape, "label")?.into(), bounding_box });
        }
        all.images.push(Listed {
            source: format!("{}: line {}", path.display(), image.line),
            image: around.image(name, path),
            size,
            relative: false,
            boxes,
        });
    }
    Ok(all)
}

/// The labels of the task or job, where the file has its `meta`.
fn labels(root: &Element) -> Option<Vec<String>> {
    let meta = root.child("meta")?;
    let holder = ["task", "job", "project"].iter().find_map(|name| meta.child(name))?;
    let labels = holder.child("labels")?.all("label");
    Some(labels.filter_map(|label| label.text_of("name")).map(String::from).collect())
}

fn text<'a>(path: &Path, at: &'a Element, name: &str) -> Result<&'a str> {
    at.attribute(name).ok_or_else(|| {
        Error::file(path, format!("line {}: <{}> without `{name}`", at.line, at.name))
    })
}

fn number(path: &Path, at: &Element, name: &str) -> Result<f32> {
    let text = text(path, at, name)?;
    text.parse().map_err(|_| {
        Error::file(path, format!("line {}: {name} `{text}`; expected a number", at.line))
    })
}

fn polygon(path: &Path, shape: &Element) -> Result<BoundingBox> {
    let points = text(path, shape, "points")?;
    let point = |pair: &str| {
        let (x, y) = pair.split_once(',')?;
        Some(Point::from([x.trim().parse::<f32>().ok()?, y.trim().parse().ok()?]))
    };
    let points: Option<Vec<Point>> = points.split(';').map(point).collect();
    points.and_then(|points| BoundingBox::around(&points)).ok_or_else(|| {
        Error::file(path, format!("line {}: `points` that are not x,y;x,y", shape.line))
    })
}
