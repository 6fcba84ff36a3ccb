//! Finds a data set by its name or path, and joins the right reader with the right splits.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;

use super::cifar::{self, CifarPictures};
use super::csv::{Names, Table};
use super::folder::{self, FolderPictures};
use super::glyphs;
use super::idx::IdxPictures;
use super::manifest::{self, Layout, Manifest, Split};
use super::picture::Header;
use super::split::{self, view};
use super::{DataSet, Examples, Kind, Task, houses, imagenet, locate, scenes, voc};
use crate::{Error, Result};

/// Names by which a split to validate with goes, in `dataset.toml` and as a folder.
const VALIDATION: [&str; 3] = ["validation", "val", "valid"];

/// How to open a data set.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Where fetched data sets are: see [`default_data_dir`].
    pub data_dir: PathBuf,
    /// Decides which examples are held out; the same seed, the same choice.
    pub seed: u64,
    /// Only the first examples to train on, validation included; never limits the test.
    pub limit: Option<usize>,
    /// The column of a table to predict: its name, or its number counted from 1.
    pub target: Option<String>,
    /// What is to be said of that column; decided by what it holds where nothing is said.
    /// Pictures have classes, whatever stands here.
    pub task: Option<Task>,
}

/// `$TENFOLD_DATA`, else `tenfold` in the platform's cache folder.
pub fn default_data_dir() -> PathBuf {
    match std::env::var_os("TENFOLD_DATA") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("tenfold"),
    }
}

/// Opens an embedded data set (`glyphs`, `scenes`, `houses`), a folder, a `.csv` file, a store
/// of decisions, or a fetched data set.
///
/// - A folder with a `dataset.toml` is read as that says. Any other has one subfolder of
///   pictures a class, or `train`, `val` and `test` with such subfolders.
/// - Classes that are called by ImageNet's numbers get their names from the file of names
///   that lies beside them; its validation pictures may lie in one folder with their list.
/// - A year of PASCAL VOC (a folder with `ImageSets/Main`) gives its pictures of one class.
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
    if options.limit == Some(0) {
        return Err(Error::argument("--limit", "0 examples; expected 2 or more"));
    }
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
        let table = Table::read(path, Names::Detect, options.target.as_deref(), options.task)?;
        return from_table(name, path, table, options);
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
    let kind = Kind::Pictures { channels: 1, height: side, width: side };
    builder.build(kind, part(glyphs::Part::Train), &[])
}

/// Pictures of one object, labelled by its shape.
fn open_scenes(options: &OpenOptions) -> Result<DataSet> {
    let part = |part| Arc::new(scenes::Scenes::new(part)) as Examples;
    let mut builder = Builder::new(scenes::NAME, Path::new(scenes::NAME), options);
    builder.classes = scenes::classes();
    builder.validation = Some(part(scenes::Part::Validation));
    builder.test = Some(part(scenes::Part::Test));
    let kind = Kind::Pictures { channels: 3, height: scenes::SIDE, width: scenes::SIDE };
    builder.build(kind, part(scenes::Part::Train), &[])
}

/// A folder that has a `dataset.toml`.
fn open_fetched(
    name: &str,
    folder: &Path,
    table: Option<&str>,
    options: &OpenOptions,
) -> Result<DataSet> {
    let manifest = Manifest::read(folder)?;
    if manifest.layout == Layout::Csv {
        return open_fetched_table(folder, &manifest, table, options);
    }
    let mut builder = Builder::new(name, folder, options);
    builder.classes.clone_from(&manifest.classes);
    let missing = || Error::file(folder.join(manifest::FILE), "no `splits.train`");
    let train = manifest.split(&["train"]).ok_or_else(missing)?;
    let (validation, test) = (manifest.split(&VALIDATION), manifest.split(&["test"]));
    let classes = manifest.classes.len();
    match manifest.layout {
        Layout::Idx => {
            let read = |split: &Split| {
                let file =
                    |field, name| manifest::inside(folder, manifest::needed(folder, field, name)?);
                let pictures = file(split.images.as_ref(), "images")?;
                IdxPictures::read(pictures, file(split.labels.as_ref(), "labels")?, classes)
            };
            let train = read(train)?;
            builder.validation = optional(validation, read)?;
            builder.test = optional(test, read)?;
            let (height, width) = train.size();
            let labels = train.labels();
            builder.build(Kind::Pictures { channels: 1, height, width }, Arc::new(train), &labels)
        }
        Layout::CifarBinary => {
            let read = |split: &Split| {
                let files = split.files.iter().map(|file| manifest::inside(folder, file));
                CifarPictures::read(&files.collect::<Result<Vec<_>>>()?, classes)
            };
            let train = read(train)?;
            builder.validation = optional(validation, read)?;
            builder.test = optional(test, read)?;
            let kind = Kind::Pictures { channels: 3, height: cifar::SIDE, width: cifar::SIDE };
            let labels = train.labels();
            builder.build(kind, Arc::new(train), &labels)
        }
        Layout::ImageFolder | Layout::Csv => {
            let subfolder = |split: &Split| {
                manifest::inside(folder, manifest::needed(folder, split.folder.as_ref(), "folder")?)
            };
            let validation = validation.map(subfolder).transpose()?;
            let test = test.map(subfolder).transpose()?;
            builder.pictures(subfolder(train)?, validation, test)
        }
    }
}

fn optional<D: Dataset<super::Example, Error> + 'static>(
    split: Option<&Split>,
    read: impl Fn(&Split) -> Result<D>,
) -> Result<Option<Examples>> {
    Ok(split.map(read).transpose()?.map(|data| Arc::new(data) as Examples))
}

fn open_fetched_table(
    folder: &Path,
    manifest: &Manifest,
    table: Option<&str>,
    options: &OpenOptions,
) -> Result<DataSet> {
    let Some((name, entry)) = table.and_then(|name| manifest.tables.get_key_value(name)) else {
        let set = folder.file_name().unwrap_or_default().display();
        let tables: Vec<_> = manifest.tables.keys().map(|table| format!("{set}/{table}")).collect();
        return Err(Error::argument(
            "--data",
            format!("`{set}` holds several tables; expected one of {}", tables.join(", ")),
        ));
    };
    let path = manifest::inside(folder, &entry.file)?;
    let names = match (entry.has_header, &entry.columns[..]) {
        (true, _) => Names::Header,
        (false, []) => Names::Numbers,
        (false, columns) => Names::Given(columns),
    };
    let number = (entry.target + 1).to_string();
    let target = options.target.as_deref().unwrap_or(&number);
    // The manifest knows its own column; of another one its cells decide.
    let known = entry.task.filter(|_| options.target.is_none());
    let table = Table::read(&path, names, Some(target), options.task.or(known))?;
    from_table(name, &path, table, options)
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
    // ImageNet's own test pictures come without labels.
    let test = part(&["test"]).filter(|test| {
        let labelled = folder::class_names(test).map_or(true, |classes| !classes.is_empty());
        labelled || !folder::class_names(&train).is_ok_and(|all| imagenet::are_ids(&all))
    });
    builder.pictures(train, part(&VALIDATION), test)
}

fn from_table(name: &str, path: &Path, table: Table, options: &OpenOptions) -> Result<DataSet> {
    let mut builder = Builder::new(name, path, options);
    builder.classes.clone_from(&table.classes);
    let kind = Kind::Rows { columns: table.columns.clone() };
    builder.values = table.targets.as_ref().map(|targets| targets[..].into());
    // Numbers are split as one class would be.
    let labels = match table.targets {
        Some(_) => vec![0; table.labels.len()],
        None => table.labels.clone(),
    };
    builder.build(kind, Arc::new(table), &labels)
}

/// Gathers what a reader found, then splits it.
struct Builder<'a> {
    name: &'a str,
    path: &'a Path,
    options: &'a OpenOptions,
    classes: Vec<String>,
    values: Option<Arc<[f32]>>,
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

    /// Pictures in class folders.
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
                Some(pictures) => FolderPictures::listed(&folder, pictures)?,
                None => FolderPictures::read(folder, &folders)?,
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
        self.build(Kind::Pictures { channels, height, width }, Arc::new(train), &labels)
    }

    /// A year of PASCAL VOC.
    fn voc(mut self) -> Result<DataSet> {
        let voc::Year { classes, train, validation, test, skipped } = voc::read(self.path)?;
        (self.classes, self.skipped) = (classes, skipped);
        let mut read = |pictures| {
            let mut data = FolderPictures::listed(self.path, pictures)?;
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
        self.build(Kind::Pictures { channels, height, width }, Arc::new(train), &labels)
    }

    /// The data set, with every split that the files lack taken from `train`. The labels are
    /// only looked at where there is nothing to test with.
    fn build(mut self, kind: Kind, train: Examples, labels: &[usize]) -> Result<DataSet> {
        if self.classes.len() < 2 && self.values.is_none() {
            return Err(Error::file(self.path, "only one class; expected two or more"));
        }
        let OpenOptions { seed, limit, .. } = *self.options;
        // A lone `val` is what its publisher reports results on.
        let test = self.test.take().or_else(|| self.validation.take());
        let (train, validation, test) = if let Some(test) = test {
            let order = split::first(train.len(), limit, self.sorted.then_some(seed));
            match self.validation.take() {
                Some(validation) => (view(&train, order), validation, test),
                None => {
                    let (learn, held) = split::hold_out(&order, seed);
                    (view(&train, learn), view(&train, held), test)
                }
            }
        } else {
            let parts = split::stratify(labels, seed, limit);
            let parts = parts.map_err(|why| Error::file(self.path, why))?;
            let test = view(&train, parts.test);
            (view(&train, parts.train), view(&train, parts.validation), test)
        };
        if train.is_empty() || validation.is_empty() {
            let why = "too few examples to train on one and validate with another";
            return Err(match limit {
                Some(_) => Error::argument("--limit", why),
                None => Error::file(self.path, why),
            });
        }
        Ok(DataSet {
            name: self.name.to_owned(),
            kind,
            classes: self.classes,
            values: self.values,
            train,
            validation,
            test,
            skipped: self.skipped,
        })
    }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
