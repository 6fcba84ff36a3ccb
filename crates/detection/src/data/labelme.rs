//! LabelMe: a JSON file an image, with shapes.

use super::files::Files;
use super::listed::{Annotations, Labelled, Listed};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use tenfold_core::geometry::{BoundingBox, Point};
use tenfold_core::{Error, Result, files};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    shapes: Vec<Shape>,
    image_path: Option<String>,
    image_width: Option<usize>,
    image_height: Option<usize>,
}

#[derive(Deserialize)]
struct Shape {
    label: String,
    points: Vec<[f32; 2]>,
    #[serde(default)]
    shape_type: Option<String>,
}

/// Whether a JSON text is such a file, told by its keys.
pub fn is_one(json: &serde_json::Value) -> bool {
    json.get("shapes").is_some_and(|shapes| shapes.is_array())
}

/// Reads some files. Rectangles, polygons, circles and masks become the boxes around them; points
/// and lines are left out, and counted.
///
/// # Errors
/// One that is no such JSON.
pub fn read(paths: &[PathBuf], around: &Files) -> Result<Annotations> {
    let mut all = Annotations::default();
    for path in paths {
        let file: File =
            serde_json::from_str(&files::read_text(path)?).map_err(|why| Error::file(path, why))?;
        let mut boxes = Vec::new();
        for (number, shape) in file.shapes.into_iter().enumerate() {
            match around_shape(&shape) {
                Some(bounding_box) => boxes.push(Labelled { class: shape.label, bounding_box }),
                None => {
                    let kind = shape.shape_type.as_deref().unwrap_or("polygon");
                    let why = format!("shape {number} is a {kind}, which has no box");
                    all.skipped.push(format!("{}: {why}", path.display()));
                }
            }
        }
        all.images.push(Listed {
            source: path.display().to_string(),
            image: image(path, file.image_path.as_deref(), around),
            size: file.image_width.zip(file.image_height).map(<[usize; 2]>::from),
            relative: false,
            boxes,
        });
    }
    Ok(all)
}

fn image(path: &Path, named: Option<&str>, around: &Files) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let image = around.image(named.unwrap_or(&stem), path);
    if image.is_file() { image } else { around.image(&stem, path) }
}

fn around_shape(shape: &Shape) -> Option<BoundingBox> {
    let points: Vec<Point> = shape.points.iter().map(|&point| Point::from(point)).collect();
    match (shape.shape_type.as_deref().unwrap_or("polygon"), &points[..]) {
        // The centre, and a point on the edge.
        ("circle", [centre, edge]) => {
            let radius = (centre.x - edge.x).hypot(centre.y - edge.y);
            let Point { x, y } = *centre;
            Some(BoundingBox::new(x - radius, y - radius, x + radius, y + radius))
        }
        ("rectangle" | "mask", [_, _]) | ("rectangle" | "polygon", [_, _, _, ..]) => {
            BoundingBox::around(&points)
        }
        _ => None,
    }
}
