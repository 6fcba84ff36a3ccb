//! Reads `dataset.toml`, which `cargo xtask fetch` leaves beside a data set's files: how
//! they are laid out and what the classes are called. Other fields (addresses, digests,
//! licence) are not read here.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::Task;
use crate::{Error, Result};

/// The name of the file.
pub(crate) const FILE: &str = "dataset.toml";

/// How a data set's files are laid out.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layout {
    /// Pictures and labels in idx files.
    Idx,
    /// Records of a label and 32x32 pixels.
    CifarBinary,
    /// One folder a class.
    ImageFolder,
    /// Tables, each one a data set of its own.
    Csv,
}

/// What `dataset.toml` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    pub layout: Layout,
    #[serde(default)]
    pub classes: Vec<String>,
    #[serde(default)]
    pub splits: BTreeMap<String, Split>,
    #[serde(default)]
    pub tables: BTreeMap<String, TableEntry>,
}

/// The files of one split; which fields are there depends on the layout.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Split {
    pub images: Option<String>,
    pub labels: Option<String>,
    pub folder: Option<String>,
    pub files: Vec<String>,
}

/// One table of the layout `csv`.
#[derive(Debug, Deserialize)]
pub(crate) struct TableEntry {
    pub file: String,
    /// What there is to say of that column.
    #[serde(default)]
    pub task: Option<Task>,
    /// The column to predict, counted from 0.
    pub target: usize,
    #[serde(default)]
    pub has_header: bool,
    /// Column names, for a file that has no header.
    #[serde(default)]
    pub columns: Vec<String>,
}

impl Manifest {
    /// Reads `folder/dataset.toml`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        Self::parse(&path, &bytes)
    }

    /// Takes the content of a `dataset.toml`; `path` is named in errors.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::file(path, "not UTF-8; expected TOML"))?;
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::file(path, format!("line {line}: {}", error.message()))
        })?;
        let wants_classes = matches!(manifest.layout, Layout::Idx | Layout::CifarBinary);
        if wants_classes && manifest.classes.is_empty() {
            return Err(Error::file(path, "no `classes`; expected the name of each label"));
        }
        Ok(manifest)
    }

    /// The split of the first of `names` that there is.
    pub(crate) fn split(&self, names: &[&str]) -> Option<&Split> {
        names.iter().find_map(|&name| self.splits.get(name))
    }
}

/// `folder/name`, where `name` may not lead out of the folder.
pub(crate) fn inside(folder: &Path, name: &str) -> Result<PathBuf> {
    let name = Path::new(name);
    let stays = name.components().all(|part| matches!(part, Component::Normal(_)));
    if !stays || name.as_os_str().is_empty() {
        return Err(Error::file(
            folder.join(FILE),
            format!("the path `{}`; expected one inside the folder", name.display()),
        ));
    }
    Ok(folder.join(name))
}

/// A field that the layout needs.
pub(crate) fn needed<'a>(folder: &Path, field: Option<&'a String>, name: &str) -> Result<&'a str> {
    field.map(String::as_str).ok_or_else(|| {
        Error::file(folder.join(FILE), format!("a split without `{name}`, which its layout needs"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VALID: &str = r#"name = "mnist"
layout = "idx"
classes = ["0", "1"]
counts = { train = 2 }
[splits.train]
images = "a"
labels = "b"
[[files]]
urls = ["x"]
"#;

    fn why(text: &str) -> String {
        Manifest::parse(Path::new("d.toml"), text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_needed_is_read_and_the_rest_left() {
        let manifest = Manifest::parse(Path::new("d.toml"), VALID.as_bytes()).unwrap();
        assert_eq!((manifest.layout, manifest.classes.len()), (Layout::Idx, 2));
        assert_eq!(manifest.split(&["train"]).unwrap().images.as_deref(), Some("a"));
        assert!(manifest.split(&["test"]).is_none());
    }

    #[test]
    fn faults_name_the_line_and_what_was_expected() {
        let error = why(&VALID.replace("\"idx\"", "\"voc\""));
        assert!(error.starts_with("d.toml: line 2: unknown variant `voc`"), "{error}");
        assert!(error.contains("`idx`") && error.contains("`image-folder`"), "{error}");
        assert!(why("layout = \"idx\"").contains("no `classes`"));
        assert!(why("").contains("missing field `layout`"));
        assert!(why("layout = ").starts_with("d.toml: line 1: "));
        assert!(Manifest::parse(Path::new("d.toml"), b"\xFF").is_err());
    }

    #[test]
    fn paths_stay_inside_the_folder() {
        let folder = Path::new("data");
        assert_eq!(inside(folder, "a/b").unwrap(), Path::new("data/a/b"));
        for path in ["../a", "a/../../b", "/etc/passwd", ""] {
            assert!(inside(folder, path).is_err(), "{path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn damaged_manifests_never_panic(
            edits in prop::collection::vec((0usize..VALID.len(), any::<u8>()), 1..6),
            length in 0usize..VALID.len() + 1,
        ) {
            let mut bytes = VALID.as_bytes().to_vec();
            for (place, value) in edits {
                bytes[place] = value;
            }
            bytes.truncate(length);
            if let Err(error) = Manifest::parse(Path::new("x"), &bytes) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
