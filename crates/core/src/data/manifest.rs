//! Reads `dataset.toml`, which `cargo xtask fetch` leaves beside a data set's files: how
//! they are laid out and what the classes are called. Addresses and digests, which only `fetch`
//! needs, are not read here.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::csv::Task;
use crate::{Error, Result};

/// The name of the file.
pub(crate) const FILE: &str = "dataset.toml";

/// How a data set's files are laid out, and which paths each split has.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Images and labels in idx files: `images`, `labels`.
    Idx,
    /// Records of a label and 32x32 pixels: `files`.
    CifarBinary,
    /// One folder of images a class: `folder`.
    ImageFolder,
    /// Tables, each one a data set of its own.
    Csv,
    /// PASCAL VOC: `images`, and `ids` with `annotations`, or `files`.
    Voc,
    /// Boxes as YOLO has them: `images`, `labels`.
    Yolo,
    /// A folder an image, with a mask for each object: `folder`.
    InstanceMasks,
    /// Images and masks of the same file names: `images`, `masks`.
    ImageMask,
    /// Images and questions: `images`, `questions`.
    EasyVqa,
    /// The same lines in several languages: a path for each language.
    ParallelText,
    /// A video with a box for each frame: `images`, `boxes`.
    Otb,
    /// One folder of texts a class: `folder`.
    TextFolder,
    /// One text: `file`.
    Text,
    /// Weights that others trained: `file`.
    Weights,
}

impl Layout {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idx => "idx",
            Self::CifarBinary => "cifar-binary",
            Self::ImageFolder => "image-folder",
            Self::Csv => "csv",
            Self::Voc => "voc",
            Self::Yolo => "yolo",
            Self::InstanceMasks => "instance-masks",
            Self::ImageMask => "image-mask",
            Self::EasyVqa => "easy-vqa",
            Self::ParallelText => "parallel-text",
            Self::Otb => "otb",
            Self::TextFolder => "text-folder",
            Self::Text => "text",
            Self::Weights => "weights",
        }
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq<&str> for Layout {
    fn eq(&self, name: &&str) -> bool {
        self.name() == *name
    }
}

/// A folder with a `dataset.toml`, and what that says.
#[derive(Clone, Debug, Deserialize)]
pub struct Fetched {
    /// The folder.
    #[serde(skip)]
    pub folder: PathBuf,
    /// How its files are laid out.
    pub layout: Layout,
    /// The names of the labels, if it has any.
    #[serde(default)]
    pub classes: Vec<String>,
    /// What can be learnt from it, in the field's words.
    pub task: Option<String>,
    /// The command of this repository that learns from it, such as `classification train lenet`.
    pub train: Option<String>,
    /// Under which terms it may be used.
    pub licence: Option<String>,
    /// Tables by their names.
    #[serde(default)]
    pub(super) tables: BTreeMap<String, TableEntry>,
    #[serde(default)]
    splits: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

/// One table of the layout `csv`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TableEntry {
    pub file: String,
    /// What there is to say of the column to predict.
    #[serde(default)]
    pub task: Option<Task>,
    /// The column to predict, counted from 0.
    pub target: Option<usize>,
    #[serde(default)]
    pub has_header: bool,
    /// Column names, for a file that has no header.
    #[serde(default)]
    pub columns: Vec<String>,
}

impl Fetched {
    /// Reads `folder/dataset.toml`.
    ///
    /// # Errors
    /// There is none, or it is faulty.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        Self::parse(folder, &bytes)
    }

    /// Takes the content of `folder/dataset.toml`.
    fn parse(folder: &Path, bytes: &[u8]) -> Result<Self> {
        let path = folder.join(FILE);
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::file(&path, "not UTF-8; expected TOML"))?;
        let own: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::file(&path, format!("line {line}: {}", error.message()))
        })?;
        let wants_classes = matches!(own.layout, Layout::Idx | Layout::CifarBinary);
        if wants_classes && own.classes.is_empty() {
            return Err(Error::file(path, "no `classes`; expected the name of each label"));
        }
        Ok(Self { folder: folder.into(), ..own })
    }

    /// The file or folder that a split has under this name, such as `images` of `train`.
    ///
    /// # Errors
    /// The split lacks it, or it leads out of the folder.
    pub fn path(&self, split: &str, field: &str) -> Result<PathBuf> {
        match self.field(split, field).and_then(toml::Value::as_str) {
            Some(name) => self.inside(name),
            None => Err(self.lacks(split, field)),
        }
    }

    /// The files that a split has under this name, in order.
    ///
    /// # Errors
    /// As [`Fetched::path`].
    pub fn paths(&self, split: &str, field: &str) -> Result<Vec<PathBuf>> {
        let list = self.field(split, field).and_then(toml::Value::as_array);
        let path = |value: &toml::Value| match value.as_str() {
            Some(name) => self.inside(name),
            None => Err(self.lacks(split, field)),
        };
        list.ok_or_else(|| self.lacks(split, field))?.iter().map(path).collect()
    }

    /// Whether there is such a split.
    pub fn has(&self, split: &str) -> bool {
        self.splits.contains_key(split)
    }

    /// The names that a split has files under.
    pub fn fields(&self, split: &str) -> Vec<&str> {
        self.splits.get(split).into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// `folder/name`, where `name` may not lead out of the folder.
    pub(super) fn inside(&self, name: &str) -> Result<PathBuf> {
        let name = Path::new(name);
        let stays = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !stays || name.as_os_str().is_empty() {
            let why = format!("the path `{}`; expected one inside the folder", name.display());
            return Err(self.fault(why));
        }
        Ok(self.folder.join(name))
    }

    /// An error that names the file.
    pub(crate) fn fault(&self, why: impl std::fmt::Display) -> Error {
        Error::file(self.folder.join(FILE), why)
    }

    fn field(&self, split: &str, field: &str) -> Option<&toml::Value> {
        self.splits.get(split)?.get(field)
    }

    fn lacks(&self, split: &str, field: &str) -> Error {
        self.fault(format!("no `splits.{split}.{field}`, which its layout needs"))
    }
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

    fn parse(text: &str) -> Result<Fetched> {
        Fetched::parse(Path::new("d"), text.as_bytes())
    }

    fn why(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_needed_is_read_and_the_rest_left() {
        let own = parse(VALID).unwrap();
        assert_eq!((own.layout, own.classes.len()), (Layout::Idx, 2));
        assert_eq!(own.path("train", "images").unwrap(), Path::new("d/a"));
        assert_eq!((own.has("test"), own.fields("train")), (false, vec!["images", "labels"]));
        let own = parse("layout = \"text\"\n[splits.train]\nmany = [\"a\", \"b/c\"]\n").unwrap();
        assert_eq!(own.paths("train", "many").unwrap(), [Path::new("d/a"), Path::new("d/b/c")]);
        assert!(own.paths("train", "none").is_err() && own.path("train", "many").is_err());
    }

    #[test]
    fn every_manifest_of_this_repository_is_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let own = Fetched::parse(&path, &std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(serde_json::to_value(own.layout).unwrap(), own.layout.name());
            assert!(own.licence.is_some(), "{}", path.display());
            for split in own.splits.keys() {
                for field in own.fields(split) {
                    let found = own.path(split, field).is_ok() || own.paths(split, field).is_ok();
                    assert!(found, "{} {split} {field}", path.display());
                }
            }
            seen += own.splits.len() + own.tables.len();
        }
        assert!(seen > 25, "{seen} splits and tables");
    }

    #[test]
    fn faults_name_the_line_and_what_was_expected() {
        let error = why(&VALID.replace("\"idx\"", "\"idy\""));
        assert!(error.starts_with("d/dataset.toml: line 2: unknown variant `idy`"), "{error}");
        assert!(error.contains("`idx`") && error.contains("`image-folder`"), "{error}");
        assert!(why("layout = \"idx\"").contains("no `classes`"));
        assert!(why("").contains("missing field `layout`"));
        assert!(why("layout = ").starts_with("d/dataset.toml: line 1: "));
        assert!(Fetched::parse(Path::new("d"), b"\xFF").is_err());
    }

    #[test]
    fn paths_stay_inside_the_folder() {
        let own = parse(VALID).unwrap();
        assert_eq!(own.inside("a/b").unwrap(), Path::new("d/a/b"));
        for path in ["../a", "a/../../b", "/etc/passwd", ""] {
            assert!(own.inside(path).is_err(), "{path}");
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
            if let Err(error) = Fetched::parse(Path::new("x"), &bytes) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
