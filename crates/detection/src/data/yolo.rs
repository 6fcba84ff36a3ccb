//! YOLO: a text file an image, a line `class x y width height` an object, in parts of the image's
//! sides; and `data.yaml`, which names classes and splits.

use super::files::{Files, is_image};
use super::listed::{Annotations, Labelled, Listed};
use super::yaml::{self, Value};
use std::path::{Path, PathBuf};
use tenfold_core::geometry::{BoundingBox, Point};
use tenfold_core::{Error, Result, files};

/// What a `data.yaml` says.
#[derive(Debug, Default)]
pub struct Yaml {
    /// The classes in order.
    pub classes: Vec<String>,
    /// Training, validation and test: folders of images or lists of them.
    pub splits: [Vec<PathBuf>; 3],
}

impl Yaml {
    /// Reads a file; `None` where it has no `names` or no `train`, and is something else.
    ///
    /// # Errors
    /// It cannot be read, or counts other classes than it names.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let entries = yaml::parse(&files::read_text(path)?);
        let get = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let (Some(Value::List(classes)), Some(_)) = (get("names"), get("train")) else {
            return Ok(None);
        };
        if let Some(Value::Word(count)) = get("nc")
            && count.parse() != Ok(classes.len())
        {
            let why = format!("`nc` is {count}, and `names` has {}", classes.len());
            return Err(Error::file(path, why));
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let root = match get("path") {
            Some(Value::Word(root)) if folder.join(root).is_dir() => folder.join(root),
            _ => folder.into(),
        };
        // Exports of Roboflow say ../train/images, meant from a folder that is not there.
        let place = |name: &str| {
            let near = root.join(name.trim_start_matches("../"));
            if root.join(name).exists() || !near.exists() { root.join(name) } else { near }
        };
        let split = |names: &[&str]| match names.iter().find_map(|name| get(name)) {
            Some(Value::Word(name)) if !name.is_empty() => vec![place(name)],
            Some(Value::List(names)) => names.iter().map(|name| place(name)).collect(),
            _ => Vec::new(),
        };
        let splits = [split(&["train"]), split(&["val", "valid"]), split(&["test"])];
        Ok(Some(Self { classes: classes.clone(), splits }))
    }
}

/// The images in these folders, and in these text files that list images, with their labels.
///
/// # Errors
/// A folder or list that cannot be read, or a faulty line.
pub fn read_split(places: &[PathBuf], classes: &[String]) -> Result<Annotations> {
    let mut images = Vec::new();
    for place in places {
        if place.is_dir() {
            images.extend(Files::below(place)?.images().cloned());
            continue;
        }
        let folder = place.parent().unwrap_or(Path::new("."));
        let text = files::read_text(place)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        images.extend(lines.map(|line| folder.join(line)));
    }
    read(&images, classes)
}

/// Images with their labels, which stand in `labels/` for `images/`, or beside the image. One
/// without a file of labels has no objects.
///
/// # Errors
/// A faulty line.
pub fn read(images: &[PathBuf], classes: &[String]) -> Result<Annotations> {
    let images = images.iter().filter(|path| is_image(path));
    let images = images.map(|image| one(image, labels(image), classes)).collect::<Result<_>>()?;
    Ok(Annotations { classes: Some(classes.into()), images, ..Annotations::default() })
}

/// The same where all labels stand in one folder.
///
/// # Errors
/// A faulty line.
pub fn read_in<'a>(
    images: impl Iterator<Item = &'a PathBuf>,
    folder: &Path,
    classes: &[String],
) -> Result<Annotations> {
    let labels = |image: &Path| {
        let name = image.file_name().unwrap_or_default();
        folder.join(name).with_extension("txt")
    };
    let images = images.map(|image| one(image, labels(image), classes)).collect::<Result<_>>()?;
    Ok(Annotations { classes: Some(classes.into()), images, ..Annotations::default() })
}

/// The file of an image's labels.
pub fn labels(image: &Path) -> PathBuf {
    let beside = image.with_extension("txt");
    let mut parts: Vec<_> = beside.components().map(|part| part.as_os_str()).collect();
    match parts.iter().rposition(|part| *part == "images") {
        Some(place) => {
            parts[place] = "labels".as_ref();
            let apart: PathBuf = parts.iter().collect();
            if apart.is_file() || !beside.is_file() { apart } else { beside }
        }
        None => beside,
    }
}

/// Whether a text is such a file: lines of a whole number and four or more others.
pub fn is_one(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| numbers(line).is_some())
}

/// Class, and the numbers after it.
fn numbers(line: &str) -> Option<(usize, Vec<f32>)> {
    let mut words = line.split_whitespace();
    // Some programs write 0.0 for the class 0.
    let class =
        words.next()?.parse::<f32>().ok().filter(|own| *own >= 0.0 && own.fract() == 0.0)?;
    let rest: Option<Vec<f32>> = words.map(|word| word.parse().ok()).collect();
    rest.filter(|rest| rest.len() >= 4).map(|rest| (class as usize, rest))
}

fn one(image: &Path, path: PathBuf, classes: &[String]) -> Result<Listed> {
    let text = if path.is_file() { files::read_text(&path)? } else { String::new() };
    let mut boxes = Vec::new();
    for (row, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let why = || "expected a class and x, y, width, height in 0..1".to_owned();
        let fault = |why: String| Error::field(&path, row as u64 + 1, 1, why);
        let (class, sides) = numbers(line).ok_or_else(|| fault(why()))?;
        let bounding_box = match sides[..] {
            [x, y, w, h] | [x, y, w, h, _] => {
                BoundingBox::new(x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0)
            }
            // A polygon.
            _ if sides.len() % 2 == 0 => {
                let points: Vec<Point> =
                    sides.chunks(2).map(|pair| Point::from([pair[0], pair[1]])).collect();
                BoundingBox::around(&points).ok_or_else(|| fault(why()))?
            }
            _ => return Err(fault(why())),
        };
        // A class that is not listed keeps its number, by which the check names it.
        let class = classes.get(class).cloned().unwrap_or_else(|| class.to_string());
        boxes.push(Labelled { class, bounding_box });
    }
    let source = path.display().to_string();
    Ok(Listed { source, image: image.into(), size: None, relative: true, boxes })
}
