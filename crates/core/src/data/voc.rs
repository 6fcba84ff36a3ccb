//! The classification splits of a year of PASCAL VOC: `ImageSets/Main/CLASS_SPLIT.txt`, a
//! line an image with 1 (an object of the class is there), -1 (none) or 0 (only difficult
//! ones), and the images in `JPEGImages`, whatever their endings. Where a split is a mere list
//! of images (`ImageSets/Main/SPLIT.txt`), as labelling programs write it, the objects in
//! `Annotations/IMAGE.xml` tell the classes.
//!
//! M. Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 88 (2010).
//!
//! Differs from the challenge: there an image may be of several classes, each a question of
//! its own, judged by average precision. The models here give one answer: images of exactly
//! one class are taken, the others left out and counted, and the figures are not the
//! challenge's. A class of which an image has only difficult objects does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::folder;
use crate::{Error, Result, files};

const LISTS: &str = "ImageSets/Main";

/// What a year holds.
pub(crate) struct Year {
    pub classes: Vec<String>,
    pub train: Pictures,
    pub validation: Option<Pictures>,
    pub test: Option<Pictures>,
    /// Images of several classes or none, one line each.
    pub skipped: Vec<String>,
}

/// Files with the places of their classes.
type Pictures = Vec<(PathBuf, usize)>;

/// Whether a folder is laid out as PASCAL VOC.
pub(crate) fn is_one(folder: &Path) -> bool {
    folder.join(LISTS).is_dir()
}

/// Reads the lists of a year.
///
/// # Errors
/// No `CLASS_train.txt`, a list that is missing or a line that is wrong.
pub(crate) fn read(folder: &Path) -> Result<Year> {
    let lists = folder.join(LISTS);
    let mut names = Vec::new();
    for path in folder::entries(&lists)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        names.push(name.to_owned());
    }
    let classes = names.iter().filter_map(|name| name.strip_suffix("_train.txt"));
    let classes: Vec<String> = classes.map(String::from).collect();
    let images = Images::read(folder)?;
    if classes.is_empty() && names.iter().any(|name| name == "train.txt") {
        return by_objects(folder, &images);
    }
    if classes.is_empty() {
        let why = "no CLASS_train.txt and no train.txt; expected one for each class, or one list";
        return Err(Error::file(lists, why));
    }
    let mut skipped = Vec::new();
    let mut split = |split: &str| {
        let any = names.iter().any(|name| name.ends_with(&format!("_{split}.txt")));
        any.then(|| pictures(folder, &images, &classes, split, &mut skipped)).transpose()
    };
    let train = split("train")?.unwrap_or_default();
    let (validation, test) = (split("val")?, split("test")?);
    Ok(Year { classes, train, validation, test, skipped })
}

fn pictures(
    folder: &Path,
    images: &Images,
    classes: &[String],
    split: &str,
    skipped: &mut Vec<String>,
) -> Result<Pictures> {
    let mut present: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (label, class) in classes.iter().enumerate() {
        let path = folder.join(LISTS).join(format!("{class}_{split}.txt"));
        for (number, line) in files::read_text(&path)?.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(picture) = words.next() else { continue };
            let own = present.entry(picture.to_owned()).or_default();
            match words.next() {
                Some("1") => own.push(label),
                Some("0" | "-1") => {}
                other => {
                    let why = format!("`{}`; expected 1, 0 or -1", other.unwrap_or_default());
                    return Err(Error::field(&path, number as u64 + 1, class, why));
                }
            }
        }
    }
    Ok(of_one_class(images, classes, present, skipped))
}

/// The images of exactly one class; what is said of the others goes to `skipped`.
fn of_one_class(
    images: &Images,
    classes: &[String],
    present: BTreeMap<String, Vec<usize>>,
    skipped: &mut Vec<String>,
) -> Pictures {
    let mut found = Vec::new();
    for (picture, own) in present {
        match own[..] {
            [label] => found.push((images.path(&picture), label)),
            [] => skipped.push(format!("{picture}: of no class without doubt")),
            _ => {
                let names: Vec<&str> = own.iter().map(|&label| classes[label].as_str()).collect();
                skipped.push(format!("{picture}: of several classes, {}", names.join(", ")));
            }
        }
    }
    found
}

/// A year whose lists name images alone.
fn by_objects(folder: &Path, images: &Images) -> Result<Year> {
    let read = |split: &str| {
        let path = folder.join(LISTS).join(format!("{split}.txt"));
        if !path.is_file() {
            return Ok(None);
        }
        let mut present = BTreeMap::new();
        for line in files::read_text(&path)?.lines() {
            let Some(picture) = line.split_whitespace().next() else { continue };
            let own = folder.join(format!("Annotations/{}.xml", images.stem(picture)));
            present.insert(picture.to_owned(), objects(&files::read_text(&own)?));
        }
        Ok(Some(present))
    };
    let splits = [read("train")?, read("val")?, read("test")?];
    let classes: BTreeSet<&String> =
        splits.iter().flatten().flat_map(|list| list.values().flatten()).collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    let mut skipped = Vec::new();
    let label = |name: String| classes.iter().position(|class| *class == name);
    let [train, validation, test] = splits.map(|split| {
        let present = split?
            .into_iter()
            .map(|(picture, own)| (picture, own.into_iter().filter_map(label).collect()));
        Some(of_one_class(images, &classes, present.collect(), &mut skipped))
    });
    Ok(Year { train: train.unwrap_or_default(), validation, test, skipped, classes })
}

/// The names of the objects in an annotation that are not difficult, each once.
fn objects(xml: &str) -> BTreeSet<String> {
    let inside = |text: &str, tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        let (value, _) = rest.split_once(&format!("</{tag}>"))?;
        Some(value.trim().to_owned())
    };
    let mut names = BTreeSet::new();
    for object in xml.split("<object>").skip(1) {
        // The parts of an object (a person's head) have names of their own, and stand last.
        let object = object.split("</object>").next().unwrap_or_default();
        let whole = object.split("<part>").next().unwrap_or_default();
        if inside(whole, "difficult").is_some_and(|word| word == "1") {
            continue;
        }
        names.extend(inside(whole, "name").map(|name| {
            let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'")];
            let name = marks.iter().fold(name, |name, (mark, own)| name.replace(mark, own));
            name.replace("&amp;", "&")
        }));
    }
    names
}

/// The files in `JPEGImages` by their names without the ending.
struct Images {
    folder: PathBuf,
    by_stem: BTreeMap<String, PathBuf>,
}

impl Images {
    fn read(year: &Path) -> Result<Self> {
        let folder = year.join("JPEGImages");
        let mut by_stem = BTreeMap::new();
        if folder.is_dir() {
            for path in folder::images_in(&folder)? {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                by_stem.entry(stem).or_insert(path);
            }
        }
        Ok(Self { folder, by_stem })
    }

    /// The name of an image without its ending, where a list has it with one.
    fn stem<'a>(&self, picture: &'a str) -> &'a str {
        match picture.rsplit_once('.') {
            Some((stem, _)) if !self.by_stem.contains_key(picture) => stem,
            _ => picture,
        }
    }

    /// The file of an image; where there is none, the path that the format asks for.
    fn path(&self, picture: &str) -> PathBuf {
        let own = self.by_stem.get(self.stem(picture)).cloned();
        own.unwrap_or_else(|| self.folder.join(format!("{picture}.jpg")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_without_classes_take_them_from_the_objects() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (image, objects) in [
            ("a.png", "<name>R&amp;B</name><difficult>0</difficult>"),
            ("b.JPG", "<name>cat</name><part><name>head</name></part>"),
            ("c.jpeg", "<name>cat</name></object><object><name>dog</name>"),
            ("d.x.png", "<name>dog</name><difficult>1</difficult>"),
        ] {
            write(&format!("JPEGImages/{image}"), "");
            let stem = image.rsplit_once('.').unwrap().0;
            let xml = format!("<annotation><object>{objects}</object></annotation>");
            write(&format!("Annotations/{stem}.xml"), &xml);
        }
        write("ImageSets/Main/train.txt", "a\nb.JPG\n\nc\nd.x\n");
        write("ImageSets/Main/val.txt", "a\n");
        let year = read(folder.path()).unwrap();
        assert_eq!(year.classes, ["R&B", "cat", "dog"]);
        let image = |name: &str| folder.path().join("JPEGImages").join(name);
        assert_eq!(year.train, [(image("a.png"), 0), (image("b.JPG"), 1)]);
        assert_eq!(year.validation, Some(vec![(image("a.png"), 0)]));
        let skipped = ["c: of several classes, cat, dog", "d.x: of no class without doubt"];
        assert_eq!(year.skipped, skipped);
        std::fs::remove_file(folder.path().join("Annotations/b.xml")).unwrap();
        assert!(read(folder.path()).err().unwrap().to_string().contains("b.xml"));
    }
}
