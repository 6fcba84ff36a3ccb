//! Finds a data set by its name or path, and joins the right reader with the right splits.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;

use super::cifar::{self, CifarImages};
use super::csv::{Draft, Names, Table};
use super::example::{DataSet, Example, Examples, Kind};
use super::folder::{self, FolderImages};
use super::glyphs;
use super::idx::IdxImages;
use super::image_file::Header;
use super::manifest::{self, Fetched, Layout};
use super::objects::Object;
use super::options::OpenOptions;
use super::split::{Published, stratify, view};
use super::{houses, imagenet, locate, scenes, voc};
use crate::{Error, Result};

/// Names by which a split to validate with goes, in `dataset.toml` and as a folder.
const VALIDATION: [&str; 3] = ["validation", "val", "valid"];

/// Opens an embedded data set (`glyphs`, `scenes`, `houses`), a folder, a `.csv` file, a store
/// of decisions, or a fetched data set.
///
/// - A folder with a `dataset.toml` is read as that says. Any other has one subfolder of
///   images a class, or `train`, `val` and `test` with such subfolders.
/// - Classes that are called by ImageNet's numbers get their names from the file of names
///   that lies beside them; its validation images may lie in one folder with their list.
/// - A year of PASCAL VOC (a folder with `ImageSets/Main`) gives its images of one class.
/// - A fetched data set of several tables is opened as `tabular/iris`.
/// - Where no split validates, a tenth of the training examples, 5,000 at most, is held out.
///   Where there is `val` and no `test`, `val` judges and validation is held out. Where there
///   is no split at all, a tenth of each class validates and a tenth judges.
/// - Examples that lie sorted by class (folders, tables) are shuffled first, so that
///   [`OpenOptions::limit`] keeps some of every class.
///
/// # Errors
///
/// When there is no such data set, or a file of it is faulty: the reader's error.
pub fn open(name_or_path: &str, options: &OpenOptions) -> Result<DataSet> {
    check_limit(options)?;
    if name_or_path == glyphs::NAME {
        return open_glyphs(options);
    }
    if name_or_path == scenes::NAME {
        return open_scenes(options);
    }
    if name_or_path == houses::NAME {
        return from_table(houses::NAME, Path::new(houses::NAME), houses::table(), options);
    }
    let path = Path::new(name_or_path);
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(name_or_path);
    if path.is_dir() {
        let full_name = path.file_name().and_then(|name| name.to_str()).unwrap_or(name);
        return if path.join(manifest::FILE).is_file() {
            open_fetched(full_name, path, None, options)
        } else {
            open_folder(full_name, path, options)
        };
    }
    if path.is_file() {
        if is_sqlite(path) {
            return open_store(path, options);
        }
        if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("csv")) {
            let why = format!("`{name_or_path}` is a file; expected a folder or a .csv file");
            return Err(Error::argument("--data", why));
        }
        let target = options.target.as_deref();
        let draft = Draft::read(path, Names::Detect, target, options.task, &options.table)?;
        return from_draft(name, path, draft, options);
    }
    let folder = options.data_dir.join(name_or_path);
    if folder.join(manifest::FILE).is_file() {
        return open_fetched(name_or_path, &folder, None, options);
    }
    if let Some((set, table)) = name_or_path.rsplit_once('/') {
        let folder = options.data_dir.join(set);
        if folder.join(manifest::FILE).is_file() {
            return open_fetched(table, &folder, Some(table), options);
        }
    }
    Err(locate::missing(name_or_path, &options.data_dir))
}

fn check_limit(options: &OpenOptions) -> Result<()> {
    match options.limit {
        Some(0) => Err(Error::argument("--limit", "0 examples; expected 2 or more")),
        _ => Ok(()),
    }
}

fn is_sqlite(path: &Path) -> bool {
    let mut start = [0; 16];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && &start == b"SQLite format 3\0"
}

#[cfg(feature = "store")]
fn open_store(path: &Path, options: &OpenOptions) -> Result<DataSet> {
    crate::store::open_data(path, options)
}

#[cfg(not(feature = "store"))]
fn open_store(path: &Path, _: &OpenOptions) -> Result<DataSet> {
    let why = format!(
        "{} is a store of decisions, and this program was built without the feature `serve`",
        path.display()
    );
    Err(Error::argument("--data", why))
}

fn open_glyphs(options: &OpenOptions) -> Result<DataSet> {
    let part = |part| Arc::new(glyphs::Glyphs::new(part)) as Examples;
    let mut builder = Builder::new(glyphs::NAME, Path::new(glyphs::NAME), options);
    builder.classes = glyphs::classes();
    builder.validation = Some(part(glyphs::Part::Validation));
    builder.test = Some(part(glyphs::Part::Test));
    let side = glyphs::SIDE;
    let kind = Kind::Images { channels: 1, height: side, width: side };
    builder.build(kind, part(glyphs::Part::Train), &[])
}

/// Images of one object, labelled by its shape.
fn open_scenes(options: &OpenOptions) -> Result<DataSet> {
    let part = |part| Arc::new(scenes::Scenes::new(part)) as Examples;
    let mut builder = Builder::new(scenes::NAME, Path::new(scenes::NAME), options);
    builder.classes = scenes::classes();
    builder.validation = Some(part(scenes::Part::Validation));
    builder.test = Some(part(scenes::Part::Test));
    let kind = Kind::Images { channels: 3, height: scenes::SIDE, width: scenes::SIDE };
    builder.build(kind, part(scenes::Part::Train), &[])
}

/// Opens a data set of images with the objects in them: the embedded `scenes`.
///
/// # Errors
///
/// When there is no such data set.
pub fn open_objects(name: &str, options: &OpenOptions) -> Result<DataSet<Vec<Object>>> {
    check_limit(options)?;
    if name != scenes::NAME {
        return Err(locate::missing(name, &options.data_dir));
    }
    let part = |part| Arc::new(scenes::Crowds::new(part)) as Examples<Vec<Object>>;
    let published = Published {
        train: part(scenes::Part::Train),
        validation: Some(part(scenes::Part::Validation)),
        test: Some(part(scenes::Part::Test)),
        sorted: false,
    };
    let OpenOptions { seed, limit, .. } = *options;
    let [train, validation, test] = published.split(&[], seed, limit, Path::new(name))?;
    Ok(DataSet {
        name: name.to_owned(),
        kind: Kind::Images { channels: 3, height: scenes::SIDE, width: scenes::SIDE },
        classes: scenes::classes(),
        values: None,
        train,
        validation,
        test,
        skipped: Vec::new(),
    })
}

/// A folder that has a `dataset.toml`.
fn open_fetched(
    name: &str,
    folder: &Path,
    table: Option<&str>,
    options: &OpenOptions,
) -> Result<DataSet> {
    let fetched = Fetched::read(folder)?;
    if fetched.layout == Layout::Csv {
        return open_fetched_table(&fetched, table, options);
    }
    let mut builder = Builder::new(name, folder, options);
    builder.classes.clone_from(&fetched.classes);
    let first = |names: &[&'static str]| names.iter().copied().find(|name| fetched.has(name));
    let train = first(&["train"]).ok_or_else(|| fetched.fault("no `splits.train`"))?;
    let (validation, test) = (first(&VALIDATION), first(&["test"]));
    let classes = fetched.classes.len();
    match fetched.layout {
        Layout::Idx => {
            let read = |split: &str| {
                let pictures = fetched.path(split, "images")?;
                IdxImages::read(pictures, fetched.path(split, "labels")?, classes)
            };
            let train = read(train)?;
            builder.validation = optional(validation, read)?;
            builder.test = optional(test, read)?;
            let (height, width) = train.size();
            let labels = train.labels();
            builder.build(Kind::Images { channels: 1, height, width }, Arc::new(train), &labels)
        }
        Layout::CifarBinary => {
            let read = |split: &str| CifarImages::read(&fetched.paths(split, "files")?, classes);
            let train = read(train)?;
            builder.validation = optional(validation, read)?;
            builder.test = optional(test, read)?;
            let kind = Kind::Images { channels: 3, height: cifar::SIDE, width: cifar::SIDE };
            let labels = train.labels();
            builder.build(kind, Arc::new(train), &labels)
        }
        Layout::ImageFolder => {
            let subfolder = |split: &str| fetched.path(split, "folder");
            let validation = validation.map(subfolder).transpose()?;
            let test = test.map(subfolder).transpose()?;
            builder.pictures(subfolder(train)?, validation, test)
        }
        other => {
            let why = format!(
                "{name} is laid out as {other}; expected idx, cifar-binary, image-folder or csv"
            );
            Err(Error::argument("--data", why))
        }
    }
}

fn optional<D: Dataset<Example, Error> + 'static>(
    split: Option<&str>,
    read: impl Fn(&str) -> Result<D>,
) -> Result<Option<Examples>> {
    Ok(split.map(read).transpose()?.map(|data| Arc::new(data) as Examples))
}

fn open_fetched_table(
    fetched: &Fetched,
    table: Option<&str>,
    options: &OpenOptions,
) -> Result<DataSet> {
    let Some((name, entry)) = table.and_then(|name| fetched.tables.get_key_value(name)) else {
        let set = fetched.folder.file_name().unwrap_or_default().display();
        let tables: Vec<_> = fetched.tables.keys().map(|table| format!("{set}/{table}")).collect();
        return Err(Error::argument(
            "--data",
            format!("`{set}` holds several tables; expected one of {}", tables.join(", ")),
        ));
    };
    let path = fetched.inside(&entry.file)?;
    let names = match (entry.has_header, &entry.columns[..]) {
        (true, _) => Names::Header,
        (false, []) => Names::Numbers,
        (false, columns) => Names::Given(columns),
    };
    let number = entry.target.map(|target| (target + 1).to_string());
    let Some(target) = options.target.as_deref().or(number.as_deref()) else {
        let why = format!("`{name}` names no column to predict; expected one here");
        return Err(Error::argument("--target", why));
    };
    // The manifest knows its own column; of another one its cells decide.
    let known = entry.task.filter(|_| options.target.is_none());
    let task = options.task.or(known);
    let draft = Draft::read(&path, names, Some(target), task, &options.table)?;
    from_draft(name, &path, draft, options)
}

/// A folder without `dataset.toml`: CLASS/*.png, or `train`, `val` and `test` of these.
fn open_folder(name: &str, folder: &Path, options: &OpenOptions) -> Result<DataSet> {
    let builder = Builder::new(name, folder, options);
    if voc::is_one(folder) {
        return builder.voc();
    }
    let train = folder.join("train");
    if !train.is_dir() || folder::class_names(&train)?.is_empty() {
        return builder.pictures(folder.to_owned(), None, None);
    }
    let part = |names: &[&str]| {
        names.iter().map(|name| folder.join(name)).find(|subfolder| subfolder.is_dir())
    };
    // ImageNet's own test images come without labels.
    let test = part(&["test"]).filter(|test| {
        let labelled = folder::class_names(test).map_or(true, |classes| !classes.is_empty());
        labelled || !folder::class_names(&train).is_ok_and(|all| imagenet::are_ids(&all))
    });
    builder.pictures(train, part(&VALIDATION), test)
}

/// A table that is read from a file: what its columns hold is measured on the rows that train.
fn from_draft(name: &str, path: &Path, draft: Draft, options: &OpenOptions) -> Result<DataSet> {
    let labels = draft.labels();
    let train = match options.table.whole {
        true => Vec::new(),
        false => {
            let parts = stratify(&labels, options.seed, options.limit);
            parts.map_err(|why| Error::file(path, why))?.train
        }
    };
    from_table(name, path, draft.table(&train)?, options)
}

fn from_table(name: &str, path: &Path, table: Table, options: &OpenOptions) -> Result<DataSet> {
    let mut builder = Builder::new(name, path, options);
    builder.classes.clone_from(&table.classes);
    builder.skipped.clone_from(&table.skipped);
    let kind = Kind::Rows { columns: table.columns.clone(), schema: Some(table.schema.clone()) };
    builder.values = table.targets.as_ref().map(|targets| targets[..].into());
    // Numbers are split as one class would be.
    let labels = match table.targets {
        Some(_) => vec![0; table.labels.len()],
        None => table.labels.clone(),
    };
    let rows = Arc::new(table) as Examples;
    match options.table.whole {
        true => {
            let none = view(&rows, Vec::new());
            Ok(builder.data(kind, [none.clone(), none, rows]))
        }
        false => builder.build(kind, rows, &labels),
    }
}

/// Gathers what a reader found, then splits it.
struct Builder<'a> {
    name: &'a str,
    path: &'a Path,
    options: &'a OpenOptions,
    classes: Vec<String>,
    values: Option<Arc<[f64]>>,
    validation: Option<Examples>,
    test: Option<Examples>,
    skipped: Vec<String>,
    /// Whether training examples lie sorted by class.
    sorted: bool,
}

impl<'a> Builder<'a> {
    fn new(name: &'a str, path: &'a Path, options: &'a OpenOptions) -> Self {
        Self {
            name,
            path,
            options,
            classes: Vec::new(),
            values: None,
            validation: None,
            test: None,
            skipped: Vec::new(),
            sorted: false,
        }
    }

    /// Images in class folders.
    fn pictures(
        mut self,
        train: PathBuf,
        validation: Option<PathBuf>,
        test: Option<PathBuf>,
    ) -> Result<DataSet> {
        let folders = match self.classes.is_empty() {
            true => folder::class_names(&train)?,
            false => std::mem::take(&mut self.classes),
        };
        self.classes = imagenet::named(self.path, &folders)?;
        let mut read = |folder: PathBuf| {
            let mut data = match imagenet::solution(self.path, &folder, &folders)? {
                Some(pictures) => FolderImages::listed(&folder, pictures)?,
                None => FolderImages::read(folder, &folders)?,
            };
            self.skipped.append(&mut data.skipped);
            Ok(data)
        };
        let train = read(train)?;
        let mut shared = |folder| Ok(Arc::new(read(folder)?) as Examples);
        let validation = validation.map(&mut shared).transpose()?;
        let test = test.map(&mut shared).transpose()?;
        (self.validation, self.test, self.sorted) = (validation, test, true);
        let Header { channels, height, width } = train.header;
        let labels = train.labels.clone();
        self.build(Kind::Images { channels, height, width }, Arc::new(train), &labels)
    }

    /// A year of PASCAL VOC.
    fn voc(mut self) -> Result<DataSet> {
        let voc::Year { classes, train, validation, test, skipped } = voc::read(self.path)?;
        (self.classes, self.skipped) = (classes, skipped);
        let mut read = |pictures| {
            let mut data = FolderImages::listed(self.path, pictures)?;
            self.skipped.append(&mut data.skipped);
            Ok(data)
        };
        let train = read(train)?;
        let mut shared = |pictures| Ok(Arc::new(read(pictures)?) as Examples);
        let validation = validation.map(&mut shared).transpose()?;
        let test = test.map(&mut shared).transpose()?;
        (self.validation, self.test, self.sorted) = (validation, test, true);
        let Header { channels, height, width } = train.header;
        let labels = train.labels.clone();
        self.build(Kind::Images { channels, height, width }, Arc::new(train), &labels)
    }

    /// The data set, with every split that the files lack taken from `train`. The labels are
    /// only looked at where there is nothing to test with.
    fn build(mut self, kind: Kind, train: Examples, labels: &[usize]) -> Result<DataSet> {
        if self.classes.len() < 2 && self.values.is_none() {
            return Err(Error::file(self.path, "only one class; expected two or more"));
        }
        let OpenOptions { seed, limit, .. } = *self.options;
        let (validation, test) = (self.validation.take(), self.test.take());
        let published = Published { train, validation, test, sorted: self.sorted };
        let parts = published.split(labels, seed, limit, self.path)?;
        Ok(self.data(kind, parts))
    }

    /// The data set of these parts.
    fn data(self, kind: Kind, [train, validation, test]: [Examples; 3]) -> DataSet {
        let Self { classes, values, skipped, .. } = self;
        let name = self.name.to_owned();
        DataSet { name, kind, classes, values, train, validation, test, skipped }
    }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
