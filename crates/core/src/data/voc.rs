//! The classification splits of a year of PASCAL VOC: `ImageSets/Main/CLASS_SPLIT.txt`, a
//! line an image with 1 (an object of the class is there), -1 (none) or 0 (only difficult
//! ones), and the images in `JPEGImages`.
//!
//! M. Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 88 (2010).
//!
//! Differs from the challenge: there an image may be of several classes, each a question of
//! its own, judged by average precision. The models here give one answer: images of exactly
//! one class are taken, the others left out and counted, and the figures are not the
//! challenge's. A class of which an image has only difficult objects does not count.

use std::collections::BTreeMap;
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
    if classes.is_empty() {
        return Err(Error::file(lists, "no CLASS_train.txt; expected one for each class"));
    }
    let mut skipped = Vec::new();
    let mut split = |split: &str| {
        let any = names.iter().any(|name| name.ends_with(&format!("_{split}.txt")));
        any.then(|| pictures(folder, &classes, split, &mut skipped)).transpose()
    };
    let train = split("train")?.unwrap_or_default();
    let (validation, test) = (split("val")?, split("test")?);
    Ok(Year { classes, train, validation, test, skipped })
}

fn pictures(
    folder: &Path,
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
    let mut found = Vec::new();
    for (picture, own) in present {
        match own[..] {
            [label] => found.push((folder.join(format!("JPEGImages/{picture}.jpg")), label)),
            [] => skipped.push(format!("{picture}: of no class without doubt")),
            _ => {
                let names: Vec<&str> = own.iter().map(|&label| classes[label].as_str()).collect();
                skipped.push(format!("{picture}: of several classes, {}", names.join(", ")));
            }
        }
    }
    Ok(found)
}
