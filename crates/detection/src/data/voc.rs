//! PASCAL VOC: an XML file an image.
//!
//! VOC counts pixels from 1 and means the last one inside: a box 1..10 covers 0..10 here. Other
//! programs write the same XML with corners from 0. Which it is, is told by the whole data set: a
//! corner below 1 exists only where pixels count from 0.

use super::files::Files;
use super::listed::{Annotations, Labelled, Listed};
use super::xml::{self, Element};
use std::path::{Path, PathBuf};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::progress::note;
use tenfold_core::{Error, Result, files};

/// Reads some XML files.
///
/// # Errors
/// One that is no such XML, or lacks a field; file and line are named.
pub fn read(paths: &[PathBuf], around: &Files) -> Result<Annotations> {
    let images = paths.iter().map(|path| one(path, around)).collect::<Result<_>>()?;
    Ok(Annotations { images, ..Annotations::default() })
}

fn one(path: &Path, around: &Files) -> Result<Listed> {
    let root = xml::parse(path, &files::read_text(path)?)?;
    let fault = |at: &Element, why: String| Error::file(path, format!("line {}: {why}", at.line));
    let number = |at: &Element, name: &str| match at.text_of(name) {
        None => Err(fault(at, format!("<{}> without <{name}>", at.name))),
        Some(text) => text
            .parse::<f32>()
            .map_err(|_| fault(at, format!("<{name}> `{text}`; expected a number"))),
    };
    let size = root
        .child("size")
        .map(|size| Ok::<_, Error>([number(size, "width")?, number(size, "height")?]));
    // Some programs write 0 where they do not know.
    let size = size
        .transpose()?
        .map(|size| size.map(|side| side as usize))
        .filter(|size| !size.contains(&0));
    let mut boxes = Vec::new();
    for object in root.all("object") {
        let class = object.text_of("name").filter(|name| !name.is_empty());
        let class = class.ok_or_else(|| fault(object, "<object> without <name>".into()))?;
        let at = object.child("bndbox");
        let at = at.ok_or_else(|| fault(object, "<object> without <bndbox>".into()))?;
        let [x1, y1, x2, y2] = ["xmin", "ymin", "xmax", "ymax"].map(|side| number(at, side));
        let bounding_box = BoundingBox::new(x1?, y1?, x2?, y2?);
        boxes.push(Labelled { class: class.into(), bounding_box });
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let named = root.text_of("filename").filter(|name| !name.is_empty());
    let image = around.image(named.unwrap_or(&stem), path);
    // labelImg keeps the name of the image that was copied; the annotation's own name is right.
    let image = if image.is_file() { image } else { around.image(&stem, path) };
    Ok(Listed { source: path.display().to_string(), image, size, relative: false, boxes })
}

/// Moves corners that count from 1, and says what it found.
pub fn settle(splits: &mut [Annotations]) {
    let boxes = || splits.iter().flat_map(|split| &split.images).flat_map(|image| &image.boxes);
    let first =
        boxes().map(|own| own.bounding_box.x1.min(own.bounding_box.y1)).fold(f32::MAX, f32::min);
    if first == f32::MAX {
        return;
    }
    if first < 1.0 {
        note("VOC: corners below 1, so pixels count from 0");
        return;
    }
    note("VOC: no corner below 1, so pixels count from 1 as in the challenge");
    for image in splits.iter_mut().flat_map(|split| &mut split.images) {
        for own in &mut image.boxes {
            own.bounding_box.x1 -= 1.0;
            own.bounding_box.y1 -= 1.0;
        }
    }
}
