//! A data set of images with boxes by its name, folder or file; the format is told by what the
//! files hold.

use super::check::{Checked, Item, Stored, check};
use super::files::{Files, ends};
use super::listed::Annotations;
use super::{coco, csv, cvat, labelme, voc, xml, yolo};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenfold_core::data::locate::{Fetched, Layout, Place, locate};
use tenfold_core::data::split::Published;
use tenfold_core::data::{DataSet, Examples, Kind, Object, OpenOptions, open_objects, scenes};
use tenfold_core::progress::note;
use tenfold_core::{Error, Result, files};

/// Training, validation and test, as far as there are any. Without further ones the first is
/// split.
type Splits = [Option<Annotations>; 3];

/// How a store of decisions begins.
#[cfg(feature = "serve")]
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Names of the parts.
const NAMES: [&[&str]; 3] =
    [&["train", "training"], &["val", "valid", "validation", "dev"], &["test", "testing"]];

/// Opens a data set: the drawn `scenes`, a fetched one, a folder, or a file of annotations.
///
/// # Errors
/// There is none, or its annotations cannot be read.
pub fn open(name: &str, options: &OpenOptions) -> Result<DataSet<Vec<Object>>> {
    if name == scenes::NAME {
        return open_objects(name, options);
    }
    let (path, classes, mut splits) = match locate(name, &options.data_dir)? {
        Place::Fetched(fetched) => of_fetched(name, &fetched)?,
        Place::Folder(folder) => (folder.clone(), None, of_folder(&folder)?),
        Place::File(file) => (file.clone(), None, of_file(&file)?),
    };
    if splits[0].is_none() {
        splits.rotate_left(1);
    }
    let mut parts: Vec<Annotations> = splits.iter().flatten().cloned().collect();
    if parts.iter().all(|part| part.images.is_empty()) {
        return Err(Error::file(&path, "no annotated images found"));
    }
    let listed = classes.or_else(|| parts.iter().find_map(|part| part.classes.clone()));
    let classes = listed.filter(|list| !list.is_empty()).unwrap_or_else(|| {
        let boxes = parts.iter().flat_map(|part| &part.images).flat_map(|image| &image.boxes);
        let names: BTreeSet<&String> = boxes.map(|labelled| &labelled.class).collect();
        names.into_iter().cloned().collect()
    });
    if classes.is_empty() {
        return Err(Error::file(&path, "no box in any image; expected one at least"));
    }
    let mut skipped = Vec::new();
    let mut read = |part: &mut Annotations| {
        let Checked { items, skipped: faults } = check(&part.images, &classes);
        skipped.append(&mut part.skipped);
        skipped.extend(faults);
        items
    };
    let mut checked: Vec<Vec<Item>> = parts.iter_mut().map(&mut read).collect();
    let train = if checked.is_empty() { Vec::new() } else { checked.remove(0) };
    let Some(first) = train.first().map(|item| item.header) else {
        let why = skipped.first().map_or("no images to train on", String::as_str);
        return Err(Error::file(&path, format!("no image can be used: {why}")));
    };
    let count = train.len();
    let shared = |items: Vec<Item>| Arc::new(Stored(items)) as Examples<Vec<Object>>;
    // The parts that there are, after training, in their order.
    let mut later = checked.into_iter().map(shared);
    let validation = splits[1].is_some().then(|| later.next()).flatten();
    let test = splits[2].is_some().then(|| later.next()).flatten();
    let published = Published { train: shared(train), validation, test, sorted: true };
    let OpenOptions { seed, limit, .. } = *options;
    let [train, validation, test] = published.split(&vec![0; count], seed, limit, &path)?;
    Ok(DataSet {
        name: name.to_owned(),
        kind: Kind::Images { channels: 3, height: first.height, width: first.width },
        classes,
        values: None,
        train,
        validation,
        test,
        skipped,
    })
}

/// A fetched data set of the layout `voc` or `yolo`.
fn of_fetched(name: &str, own: &Fetched) -> Result<(PathBuf, Option<Vec<String>>, Splits)> {
    if ![Layout::Voc, Layout::Yolo].contains(&own.layout) {
        let why = format!("{name} is laid out as {}; expected boxes, as voc or yolo", own.layout);
        return Err(Error::argument("--data", why));
    }
    let read = |split: &str| {
        let around = Files::below(&own.path(split, "images")?)?;
        if own.layout == Layout::Yolo {
            let labels = own.path(split, "labels")?;
            return yolo::read_in(around.images(), &labels, &own.classes);
        }
        let files = match own.fields(split).contains(&"files") {
            true => own.paths(split, "files")?,
            false => {
                let ids = files::read_text(&own.path(split, "ids")?)?;
                ids_in(&ids, &own.path(split, "annotations")?)
            }
        };
        voc::read(&files, &around)
    };
    let mut splits = Splits::default();
    for (split, names) in splits.iter_mut().zip(NAMES) {
        let name = names.iter().find(|name| own.has(name));
        *split = name.map(|name| read(name)).transpose()?;
    }
    if own.layout == Layout::Voc {
        settle(&mut splits);
    }
    let classes = Some(own.classes.clone()).filter(|classes| !classes.is_empty());
    Ok((own.folder.clone(), classes, splits))
}

/// The XML files of the images that a list names.
fn ids_in(list: &str, annotations: &Path) -> Vec<PathBuf> {
    let ids = list.lines().filter_map(|line| line.split_whitespace().next());
    ids.map(|id| annotations.join(format!("{id}.xml"))).collect()
}

fn settle(splits: &mut Splits) {
    let mut parts: Vec<Annotations> = splits.iter_mut().flatten().map(std::mem::take).collect();
    voc::settle(&mut parts);
    for (split, part) in splits.iter_mut().flatten().zip(parts) {
        *split = part;
    }
}

/// A folder: a `data.yaml`, lists of VOC, folders for the splits, or everything in it.
fn of_folder(folder: &Path) -> Result<Splits> {
    let all = Files::below(folder)?;
    for path in all.ending("yaml").chain(all.ending("yml")) {
        if let Some(yaml) = yolo::Yaml::read(path)? {
            return of_yaml(&yaml);
        }
    }
    let lists = folder.join("ImageSets/Main");
    let list = |names: &[&str]| {
        names.iter().map(|name| lists.join(format!("{name}.txt"))).find(|path| path.is_file())
    };
    if list(NAMES[0]).is_some() {
        let mut splits = Splits::default();
        for (split, names) in splits.iter_mut().zip(NAMES) {
            let Some(path) = list(names) else { continue };
            let ids = ids_in(&files::read_text(&path)?, &folder.join("Annotations"));
            *split = Some(voc::read(&ids, &all)?);
        }
        settle(&mut splits);
        return Ok(splits);
    }
    let sub =
        |names: &[&str]| names.iter().map(|name| folder.join(name)).find(|path| path.is_dir());
    if let Some(train) = sub(NAMES[0])
        && let Ok((kind, part)) = of_files(&Files::below(&train)?)
    {
        let mut splits = [Some(part), None, None];
        for place in [1, 2] {
            let Some(path) = sub(NAMES[place]) else { continue };
            splits[place] = Some(of_files(&Files::below(&path)?)?.1);
        }
        if kind == "VOC XML" {
            settle(&mut splits);
        }
        return Ok(splits);
    }
    if let Some(splits) = of_coco(&all)? {
        return Ok(splits);
    }
    let (kind, part) = of_files(&all)?;
    let mut splits = [Some(part), None, None];
    if kind == "VOC XML" {
        settle(&mut splits);
    }
    Ok(splits)
}

/// COCO's files, whose names say the split.
fn of_coco(all: &Files) -> Result<Option<Splits>> {
    let mut splits = Splits::default();
    for path in all.ending("json").filter(|path| json(path).is_some_and(|json| coco::is_one(&json)))
    {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let place = NAMES.iter().position(|names| names.iter().any(|own| name.contains(own)));
        let split = &mut splits[place.unwrap_or(0)];
        if split.is_some() {
            let why = "a second COCO file of the same split; name one file with --data";
            return Err(Error::file(path, why));
        }
        *split = Some(coco::read(path, all)?);
    }
    Ok(splits.iter().any(Option::is_some).then_some(splits))
}

fn of_yaml(yaml: &yolo::Yaml) -> Result<Splits> {
    let mut splits = Splits::default();
    for (split, places) in splits.iter_mut().zip(&yaml.splits) {
        if !places.is_empty() {
            *split = Some(yolo::read_split(places, &yaml.classes)?);
        }
    }
    Ok(splits)
}

/// Whether a file is a store of decisions.
#[cfg(feature = "serve")]
fn is_store(file: &Path) -> bool {
    use std::io::Read;
    let mut first = [0; SQLITE.len()];
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == SQLITE
}

/// One file of annotations, with the images around it.
fn of_file(file: &Path) -> Result<Splits> {
    #[cfg(feature = "serve")]
    if is_store(file) {
        let [learnt, fixed] = super::decisions::read(file)?;
        if learnt.images.len() < 2 || fixed.images.is_empty() {
            let why = format!(
                "{} decisions to train on and {} held out to test with; expected at least two and one",
                learnt.images.len(),
                fixed.images.len()
            );
            return Err(Error::file(file, why));
        }
        return Ok([Some(learnt), None, Some(fixed)]);
    }
    if ends(file, "yaml") || ends(file, "yml") {
        return match yolo::Yaml::read(file)? {
            Some(yaml) => of_yaml(&yaml),
            None => Err(Error::file(file, "no `train` and `names`; expected YOLO's data.yaml")),
        };
    }
    let around = Files::below(
        file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    )?;
    let text = files::read_text(file)?;
    let part = match text.trim_start_matches('\u{feff}').trim_start().chars().next() {
        Some('<') => match xml::parse(file, &text)?.name.as_str() {
            "annotations" => cvat::read(file, &around)?,
            _ => {
                let mut splits = [Some(voc::read(&[file.into()], &around)?), None, None];
                settle(&mut splits);
                return Ok(splits);
            }
        },
        Some('{') => match json(file) {
            Some(json) if coco::is_one(&json) => coco::read(file, &around)?,
            Some(json) if labelme::is_one(&json) => labelme::read(&[file.into()], &around)?,
            _ => return Err(Error::file(file, "neither COCO's nor LabelMe's JSON")),
        },
        _ => csv::read(file, &around)?,
    };
    Ok([Some(part), None, None])
}

fn json(path: &Path) -> Option<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// All annotations below a folder: of one format, which is said. The first file of each ending
/// tells it.
fn of_files(all: &Files) -> Result<(&'static str, Annotations)> {
    let (mut voc_files, mut labelme_files) = (Vec::new(), Vec::new());
    let mut found: Option<(&'static str, Annotations)> = None;
    for path in all.ending("xml") {
        match xml::parse(path, &files::read_text(path)?)?.name.as_str() {
            "annotation" => voc_files.push(path.clone()),
            "annotations" => found = Some(("CVAT XML", cvat::read(path, all)?)),
            _ => {}
        }
    }
    for path in all.ending("json") {
        match json(path) {
            Some(json) if coco::is_one(&json) => {
                found = Some(("COCO JSON", coco::read(path, all)?))
            }
            Some(json) if labelme::is_one(&json) => labelme_files.push(path.clone()),
            _ => {}
        }
    }
    if !voc_files.is_empty() {
        found = Some(("VOC XML", voc::read(&voc_files, all)?));
    } else if !labelme_files.is_empty() {
        found = Some(("LabelMe JSON", labelme::read(&labelme_files, all)?));
    }
    if found.is_none()
        && let Some(path) = all.ending("csv").next()
    {
        found = Some(("CSV", csv::read(path, all)?));
    }
    if found.is_none() {
        let images: Vec<PathBuf> = all.images().cloned().collect();
        let is_yolo = |image: &PathBuf| {
            std::fs::read_to_string(yolo::labels(image)).is_ok_and(|text| yolo::is_one(&text))
        };
        if images.iter().any(is_yolo) {
            found = Some(("YOLO text", yolo::read(&images, &yolo_names(all)?)?));
        }
    }
    let Some((kind, part)) = found else {
        let why = "no annotations of a known format; expected VOC XML, COCO JSON, YOLO text, \
                   LabelMe JSON, CVAT XML or CSV";
        return Err(Error::file(&all.folder, why));
    };
    note(format_args!("{}: read as {kind}, {} images", all.folder.display(), part.images.len()));
    Ok((kind, part))
}

/// The names in `classes.txt` or `obj.names`; else the numbers stand for themselves.
fn yolo_names(all: &Files) -> Result<Vec<String>> {
    let named = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| name == "classes.txt" || name == "obj.names")
    };
    let Some(path) = all.paths.iter().find(named) else { return Ok(Vec::new()) };
    let text = files::read_text(path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect())
}
