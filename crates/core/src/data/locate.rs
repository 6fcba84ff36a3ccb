//! Where a data set is, for the tasks whose examples are neither pictures in classes nor
//! rows: they read its files by themselves.

use super::manifest;
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a name leads to.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file that was named.
    File(PathBuf),
    /// A folder that was named.
    Folder(PathBuf),
    /// A fetched data set, or a folder with a `dataset.toml`.
    Fetched(Fetched),
}

/// A folder with a `dataset.toml`.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The folder.
    pub folder: PathBuf,
    /// How its files are laid out, such as `parallel-text`.
    pub layout: String,
    /// The names of the labels, if it has any.
    pub classes: Vec<String>,
    splits: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

impl Fetched {
    /// The file or folder that a split has under this name, such as `images` of `train`.
    ///
    /// # Errors
    /// The split lacks it, or it leads out of the folder.
    pub fn path(&self, split: &str, field: &str) -> Result<PathBuf> {
        let value = self.splits.get(split).and_then(|fields| fields.get(field)?.as_str());
        let value = value.ok_or_else(|| {
            let why = format!("no `splits.{split}.{field}`, which its layout needs");
            Error::file(self.folder.join(manifest::FILE), why)
        })?;
        manifest::inside(&self.folder, value)
    }

    /// Whether there is such a split.
    pub fn has(&self, split: &str) -> bool {
        self.splits.contains_key(split)
    }

    /// The names that a split has files under.
    pub fn fields(&self, split: &str) -> Vec<&str> {
        self.splits.get(split).into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }
}

/// Finds what `--data` names: a path, or a fetched data set under `data_dir`.
///
/// # Errors
/// There is none, or its `dataset.toml` is faulty.
pub fn locate(name_or_path: &str, data_dir: &Path) -> Result<Place> {
    let path = Path::new(name_or_path);
    if path.is_file() {
        return Ok(Place::File(path.into()));
    }
    let fetched = data_dir.join(name_or_path);
    for folder in [path, &fetched] {
        if folder.join(manifest::FILE).is_file() {
            return Ok(Place::Fetched(read(folder)?));
        }
    }
    if path.is_dir() {
        return Ok(Place::Folder(path.into()));
    }
    Err(missing(name_or_path, data_dir))
}

/// The error for a name that leads nowhere.
pub(super) fn missing(name_or_path: &str, data_dir: &Path) -> Error {
    let why = format!(
        "no embedded data set, folder or file `{name_or_path}`, and none fetched under {}: \
         `cargo xtask fetch {name_or_path}` gets a known one, `cargo xtask fetch --list` \
         shows them",
        data_dir.display()
    );
    Error::argument("--data", why)
}

fn read(folder: &Path) -> Result<Fetched> {
    #[derive(Deserialize)]
    struct File {
        layout: String,
        #[serde(default)]
        classes: Vec<String>,
        #[serde(default)]
        splits: BTreeMap<String, BTreeMap<String, toml::Value>>,
    }
    let path = folder.join(manifest::FILE);
    let bytes = std::fs::read(&path).map_err(|source| Error::io(&path, source))?;
    let text =
        std::str::from_utf8(&bytes).map_err(|_| Error::file(&path, "not UTF-8; expected TOML"))?;
    let File { layout, classes, splits } =
        toml::from_str(text).map_err(|why| Error::file(&path, why.message()))?;
    Ok(Fetched { folder: folder.into(), layout, classes, splits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_names_and_what_is_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("plays");
        std::fs::create_dir(&set).unwrap();
        let toml = "layout = \"text\"\n[splits.train]\nfile = \"a.txt\"\nout = \"../b\"\n";
        std::fs::write(set.join("dataset.toml"), toml).unwrap();
        std::fs::write(set.join("a.txt"), "to be").unwrap();
        let Place::Fetched(fetched) = locate("plays", folder.path()).unwrap() else { panic!() };
        assert_eq!(fetched.path("train", "file").unwrap(), set.join("a.txt"));
        assert_eq!((fetched.has("test"), fetched.fields("train")), (false, vec!["file", "out"]));
        for (split, field) in [("train", "out"), ("train", "other"), ("test", "file")] {
            assert!(fetched.path(split, field).is_err(), "{split} {field}");
        }
        let file = set.join("a.txt");
        assert!(
            matches!(locate(file.to_str().unwrap(), &set), Ok(Place::File(found)) if found == file)
        );
        let root = folder.path().to_str().unwrap();
        assert!(matches!(locate(root, &set), Ok(Place::Folder(_))));
        let why = locate("sonnets", folder.path()).unwrap_err().to_string();
        assert!(why.contains("`cargo xtask fetch sonnets`"), "{why}");
        std::fs::write(set.join("dataset.toml"), "layout = 1").unwrap();
        assert!(locate("plays", folder.path()).unwrap_err().to_string().contains("dataset.toml"));
    }
}
