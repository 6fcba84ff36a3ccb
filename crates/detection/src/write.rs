//! What a model found, as annotations for other programs: what the readers read.

use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tenfold_core::data::Input;
use tenfold_core::geometry::BoundingBox;
use tenfold_core::suggest::Proposal;
use tenfold_core::task::predict::Inputs;
use tenfold_core::{Error, Result, files};

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// PASCAL VOC: an XML file an image.
    Voc,
    /// COCO: annotations.json.
    Coco,
    /// YOLO: a text file an image, and classes.txt.
    Yolo,
    /// LabelMe: a JSON file an image.
    Labelme,
}

/// An image and what was found in it.
struct Found {
    path: PathBuf,
    size: [usize; 2],
    objects: Vec<(String, f32, BoundingBox)>,
}

/// What is found, image by image, until it is written.
pub struct Annotations<'a> {
    format: Format,
    folder: &'a Path,
    found: Vec<Found>,
}

impl<'a> Annotations<'a> {
    /// None yet, for the images of `named`.
    ///
    /// # Errors
    /// The folder cannot be made, or two images have the same name.
    pub fn new(format: Format, folder: &'a Path, named: &[PathBuf]) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|why| Error::io(folder, why))?;
        names(format, &Inputs::new(named)?.paths)?;
        Ok(Self { format, folder, found: Vec::new() })
    }

    /// One image with what was found in it.
    pub fn add(&mut self, path: &Path, input: &Input, proposal: &Proposal) {
        if let Some(size) = input.image_size() {
            let (path, size) = (path.to_owned(), size.map(|side| side as usize));
            self.found.push(Found { path, size, objects: objects(proposal) });
        }
    }

    /// Writes the files.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn write(&self, labels: &[String]) -> Result<()> {
        for (name, text) in render(self.format, &self.found, labels)? {
            files::write(&self.folder.join(name), text.as_bytes())?;
        }
        Ok(())
    }
}

fn objects(proposal: &Proposal) -> Vec<(String, f32, BoundingBox)> {
    let object = |slot: &tenfold_core::suggest::Slot| {
        let best = slot.ranked.first()?;
        Some((best.answer.label()?.to_owned(), best.score, slot.at.as_ref()?.bounding_box()?))
    };
    proposal.slots.iter().filter_map(object).collect()
}

/// The file of each image; none where all have one together.
fn names<P: AsRef<Path>>(format: Format, images: &[P]) -> Result<Vec<String>> {
    let ending = match format {
        Format::Voc => "xml",
        Format::Yolo => "txt",
        Format::Labelme => "json",
        Format::Coco => return Ok(Vec::new()),
    };
    let mut names = HashSet::new();
    let name = |image: &P| {
        let path = image.as_ref();
        let name = format!("{}.{ending}", path.file_stem().unwrap_or_default().to_string_lossy());
        let why = || format!("two images would both be annotated in {name}: predict them apart");
        match names.insert(name.clone()) {
            true => Ok(name),
            false => Err(Error::file(path, why())),
        }
    };
    images.iter().map(name).collect()
}

/// The files with their contents.
fn render(format: Format, all: &[Found], labels: &[String]) -> Result<Vec<(String, String)>> {
    let paths: Vec<&Path> = all.iter().map(|own| &*own.path).collect();
    let text = |own: &Found| match format {
        Format::Voc => voc(own),
        Format::Yolo => yolo(own, labels),
        _ => labelme(own).to_string(),
    };
    let mut out: Vec<(String, String)> =
        names(format, &paths)?.into_iter().zip(all.iter().map(text)).collect();
    match format {
        Format::Coco => out.push(("annotations.json".into(), coco(all, labels).to_string())),
        Format::Yolo => out.push(("classes.txt".into(), labels.join("\n") + "\n")),
        Format::Voc | Format::Labelme => {}
    }
    Ok(out)
}

fn file_name(own: &Found) -> String {
    own.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn coco(all: &[Found], labels: &[String]) -> Value {
    let mut annotations = Vec::new();
    for (image, own) in all.iter().enumerate() {
        for (label, score, at) in &own.objects {
            let category = labels.iter().position(|own| own == label).unwrap_or_default() + 1;
            annotations.push(json!({
                "id": annotations.len() + 1, "image_id": image + 1, "category_id": category,
                "bbox": at.xywh(), "area": at.area(), "iscrowd": 0, "score": score,
            }));
        }
    }
    let images = all.iter().enumerate().map(|(place, own)| {
        json!({ "id": place + 1, "file_name": file_name(own), "width": own.size[0], "height": own.size[1] })
    });
    let categories =
        labels.iter().enumerate().map(|(place, name)| json!({ "id": place + 1, "name": name }));
    json!({
        "images": images.collect::<Vec<_>>(),
        "annotations": annotations,
        "categories": categories.collect::<Vec<_>>(),
    })
}

/// Pixels count from 1, and the last one is inside.
fn voc(own: &Found) -> String {
    let mut text = String::from("<annotation>\n");
    let [width, height] = own.size;
    let _ = writeln!(text, "  <filename>{}</filename>", escaped(&file_name(own)));
    let _ = writeln!(
        text,
        "  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    );
    for (label, _, at) in &own.objects {
        let BoundingBox { x1, y1, x2, y2 } = at;
        let _ = writeln!(
            text,
            "  <object>\n    <name>{}</name>\n    <bndbox><xmin>{}</xmin><ymin>{}</ymin>\
             <xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>\n  </object>",
            escaped(label),
            x1 + 1.0,
            y1 + 1.0
        );
    }
    text + "</annotation>\n"
}

fn yolo(own: &Found, labels: &[String]) -> String {
    let mut text = String::new();
    let [width, height] = own.size.map(|side| side as f32);
    for (label, _, at) in &own.objects {
        let class = labels.iter().position(|own| own == label).unwrap_or_default();
        let [x, y, w, h] = at.xywh();
        let centre = [(x + w / 2.0) / width, (y + h / 2.0) / height];
        let _ = writeln!(text, "{class} {} {} {} {}", centre[0], centre[1], w / width, h / height);
    }
    text
}

fn labelme(own: &Found) -> Value {
    let shape = |(label, _, at): &(String, f32, BoundingBox)| {
        json!({
            "label": label, "points": [[at.x1, at.y1], [at.x2, at.y2]],
            "group_id": null, "shape_type": "rectangle", "flags": {},
        })
    };
    json!({
        "version": "5.0.0", "flags": {}, "shapes": own.objects.iter().map(shape).collect::<Vec<_>>(),
        "imagePath": file_name(own), "imageData": null,
        "imageWidth": own.size[0], "imageHeight": own.size[1],
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::data::{Object, OpenOptions};

    #[test]
    fn what_is_written_is_read_again() {
        let boxes =
            [BoundingBox::new(3.0, 4.5, 20.25, 17.0), BoundingBox::new(0.0, 1.0, 8.0, 30.0)];
        for format in [Format::Voc, Format::Coco, Format::Yolo, Format::Labelme] {
            let folder = tempfile::tempdir().unwrap();
            let found = |i: usize| {
                let path = folder.path().join(format!("{i}.png"));
                image::RgbImage::new(40, 30).save(&path).unwrap();
                let objects = [("a & <b>", boxes[0]), ("dog", boxes[1])];
                let objects = objects.map(|(label, at)| (label.to_owned(), 0.75, at)).into();
                Found { path, size: [40, 30], objects }
            };
            let all: Vec<Found> = (0..5).map(found).collect();
            let labels = ["a & <b>".to_owned(), "dog".to_owned()];
            for (name, text) in render(format, &all, &labels).unwrap() {
                std::fs::write(folder.path().join(name), text).unwrap();
            }
            let options =
                OpenOptions { data_dir: "nowhere".into(), seed: 1, ..OpenOptions::default() };
            let data = crate::data::open(folder.path().to_str().unwrap(), &options).unwrap();
            assert_eq!((&data.classes[..], data.skipped.len()), (&labels[..], 0), "{format:?}");
            let objects: Vec<Object> = data.train.get(0).unwrap().target;
            for (own, expected) in objects.iter().zip(boxes) {
                assert!(own.bounding_box.iou(&expected) > 0.9999, "{format:?} {own:?}");
            }
        }
    }

    #[test]
    fn two_images_of_one_name_are_refused() {
        let found = |path: &str| Found { path: path.into(), size: [4, 4], objects: Vec::new() };
        let all = [found("a/1.png"), found("b/1.jpg")];
        assert!(render(Format::Voc, &all, &[]).is_err());
        assert_eq!(render(Format::Coco, &all, &[]).unwrap().len(), 1);
    }
}
