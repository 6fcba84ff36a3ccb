//! What a manifest says, `datasets/NAME.toml`, and the list of those that are built in.
//!
//! A manifest is data from outside as soon as a user hands one over, so nothing in it is
//! trusted before [`Manifest::parse`] has looked at it.

use super::paths::safe_parts;
use super::weights;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The name of the manifest inside a fetched data set: readers read it, and its presence
/// says that the fetch was finished.
pub const MARKER: &str = "dataset.toml";

/// Every built-in manifest: embedded, so that `fetch` works from any folder.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("bccd", include_str!("../../../datasets/bccd.toml")),
    ("cifar10", include_str!("../../../datasets/cifar10.toml")),
    ("cifar10-images", include_str!("../../../datasets/cifar10-images.toml")),
    ("coco128", include_str!("../../../datasets/coco128.toml")),
    ("dsb2018", include_str!("../../../datasets/dsb2018.toml")),
    ("easy-vqa", include_str!("../../../datasets/easy-vqa.toml")),
    ("fashion-mnist", include_str!("../../../datasets/fashion-mnist.toml")),
    ("membrane", include_str!("../../../datasets/membrane.toml")),
    ("mnist", include_str!("../../../datasets/mnist.toml")),
    ("multi30k", include_str!("../../../datasets/multi30k.toml")),
    ("otb-crossing", include_str!("../../../datasets/otb-crossing.toml")),
    ("raccoon", include_str!("../../../datasets/raccoon.toml")),
    ("review-polarity", include_str!("../../../datasets/review-polarity.toml")),
    ("schemaorg", include_str!("../../../datasets/schemaorg.toml")),
    ("tabular", include_str!("../../../datasets/tabular.toml")),
    ("tinyshakespeare", include_str!("../../../datasets/tinyshakespeare.toml")),
];

/// One data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are for readers and people; parsing checks they exist")]
pub struct Manifest {
    /// The data set's name, which is its folder's too.
    pub name: String,
    /// One line about it.
    pub title: String,
    /// What it is used to learn.
    pub task: String,
    /// The command that learns from it, such as `classification train lenet`.
    pub train: Option<String>,
    /// Under which terms it may be used.
    pub licence: String,
    /// Whom to cite.
    pub citation: String,
    /// Its home page.
    pub home: String,
    /// Which reader reads it.
    pub layout: String,
    /// Class names; a label is an index into them.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Examples in each split or table.
    pub counts: BTreeMap<String, u64>,
    /// For each split, the paths that the layout's reader needs.
    #[serde(default)]
    pub splits: BTreeMap<String, BTreeMap<String, Paths>>,
    /// For layout `csv`: the tables.
    #[serde(default)]
    pub tables: BTreeMap<String, Table>,
    /// What is downloaded.
    pub files: Vec<Source>,
    /// The manifest as it was written.
    #[serde(skip)]
    pub text: String,
}

/// One path or several, inside the data set's folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Paths {
    /// One file or folder.
    One(String),
    /// Several, in order.
    Many(Vec<String>),
}

/// One table of a `csv` data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by the readers of tables; parsing checks the types")]
pub struct Table {
    /// The CSV file.
    pub file: String,
    /// `classification` or `regression`, where a column is to be predicted.
    pub task: Option<String>,
    /// Whether the first line names the columns.
    pub has_header: bool,
    /// The column to predict, counted from 0.
    pub target: Option<usize>,
    /// Column names.
    pub columns: Vec<String>,
    /// The words of the target column, in the order of their labels.
    #[serde(default)]
    pub classes: Vec<String>,
    /// The words of each other column that holds words.
    #[serde(default)]
    pub words: BTreeMap<String, Vec<String>>,
}

/// How a download becomes content.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum Unpack {
    /// It is the content.
    #[default]
    #[serde(rename = "none")]
    Nothing,
    /// Decompress it.
    #[serde(rename = "gunzip")]
    Gunzip,
    /// A tar archive, compressed by gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// A zip archive.
    #[serde(rename = "zip")]
    Zip,
}

/// One download.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Where it is, best first. The last part of the first is its name in a mirror.
    pub urls: Vec<String>,
    /// Digest of the content: of the unpacked file, or of an archive's kept files.
    pub sha256: Option<String>,
    /// Digest of the download itself, where nobody has published one of the content.
    pub download_sha256: Option<String>,
    /// How the SHA-256 of the download begins, where its name tells no more.
    pub sha256_prefix: Option<String>,
    /// Bytes of content; the most there may be where only a prefix of the digest is known.
    pub size: u64,
    /// How to unpack it.
    #[serde(default)]
    pub unpack: Unpack,
    /// Archives: how many leading folders to drop from each entry's path.
    #[serde(default)]
    pub strip: usize,
    /// Archives: which files to keep, by path, or by folder where it ends in `/`.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Archives: how many files are kept.
    pub entries: Option<u64>,
    /// Where the content goes; an archive's default is the data set's folder itself.
    #[serde(default)]
    pub dest: String,
}

impl Source {
    /// Whether it is an archive of files.
    pub fn is_archive(&self) -> bool {
        matches!(self.unpack, Unpack::TarGz | Unpack::Zip)
    }

    /// The name that the file has in a mirror.
    pub fn file_name(&self) -> &str {
        let url = self.urls.first().map_or("", String::as_str);
        let path = url.split(['?', '#']).next().unwrap_or("");
        path.rsplit('/').next().unwrap_or("")
    }

    /// Refuses what could write outside the folder, or be verified by nothing.
    fn check(&self) -> Result<()> {
        ensure!(!self.urls.is_empty(), "urls: expected at least one");
        for url in &self.urls {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            ensure!(rest.is_some_and(|r| !r.is_empty()), "urls: {url:?}: expected http(s)://");
        }
        let name = safe_parts(self.file_name().as_bytes());
        ensure!(
            name.is_ok_and(|parts| parts.len() == 1),
            "urls: {:?}: expected a file name as the last part",
            self.urls[0]
        );
        let hexadecimal =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        ensure!(
            self.sha256.is_some() || self.download_sha256.is_some() || self.sha256_prefix.is_some(),
            "expected sha256, download_sha256 or sha256_prefix"
        );
        if let Some(prefix) = &self.sha256_prefix {
            ensure!(
                (8..=64).contains(&prefix.len()) && hexadecimal(prefix),
                "{prefix:?}: expected 8 or more hexadecimal digits, lower case"
            );
            ensure!(
                self.unpack == Unpack::Nothing,
                "sha256_prefix is for files that stay as they are"
            );
        }
        for digest in self.sha256.iter().chain(&self.download_sha256) {
            ensure!(
                digest.len() == 64 && hexadecimal(digest),
                "{digest:?}: expected 64 hexadecimal digits, lower case"
            );
        }
        ensure!(self.size > 0, "size: expected the content's bytes");
        if self.is_archive() {
            ensure!(!self.keep.is_empty(), "keep: expected the files to keep");
            ensure!(self.entries.is_some_and(|n| n > 0), "entries: expected the number of files");
        } else {
            ensure!(
                self.keep.is_empty() && self.strip == 0 && self.entries.is_none(),
                "strip, keep and entries are for archives"
            );
        }
        if !(self.is_archive() && self.dest.is_empty()) {
            let parts = match safe_parts(self.dest.as_bytes()) {
                Ok(parts) => parts,
                Err(why) => bail!("dest: {:?}: {why}", self.dest),
            };
            ensure!(parts != [MARKER], "dest: {MARKER} is the manifest's own name");
        }
        Ok(())
    }
}

impl Manifest {
    /// Reads a manifest and refuses one that could do harm or not work.
    pub fn parse(text: &str) -> Result<Self> {
        let mut manifest: Self = toml::from_str(text)?;
        manifest.text = text.to_owned();
        let name = manifest.name.strip_prefix(weights::FOLDER).unwrap_or(&manifest.name);
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        ensure!(
            !name.is_empty()
                && name.len() <= 64
                && !name.starts_with('-')
                && name.bytes().all(letter),
            "name: {name:?}: expected lower-case letters, digits, hyphens and underscores"
        );
        ensure!(!manifest.files.is_empty(), "files: expected at least one");
        let (mut names, mut dests) = (BTreeSet::new(), BTreeSet::new());
        let mut bytes = 0u64;
        for source in &manifest.files {
            source.check().with_context(|| format!("file {:?}", source.file_name()))?;
            ensure!(names.insert(source.file_name()), "{:?} is there twice", source.file_name());
            // An archive owns its folder: what a failed try left there can be thrown away.
            ensure!(
                dests.insert(source.dest.as_str())
                    && !(manifest.files.len() > 1 && source.dest.is_empty()),
                "dest: {:?}: expected one place for each file",
                source.dest
            );
            bytes = bytes.checked_add(source.size).context("size: too large")?;
        }
        for path in manifest.paths() {
            if let Err(why) = safe_parts(path.as_bytes()) {
                bail!("path {path:?}: {why}");
            }
        }
        Ok(manifest)
    }

    /// Bytes of all content.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }

    /// Bytes that a finished fetch has at the least.
    pub fn least_bytes(&self) -> u64 {
        self.files.iter().filter(|f| f.sha256_prefix.is_none()).map(|f| f.size).sum()
    }

    /// Number of files that a finished fetch has, the manifest not counted.
    pub fn file_count(&self) -> u64 {
        self.files.iter().map(|f| f.entries.unwrap_or(1)).sum()
    }

    /// Every path that the splits and tables name.
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = self.tables.values().map(|t| t.file.as_str()).collect();
        for value in self.splits.values().flat_map(BTreeMap::values) {
            match value {
                Paths::One(path) => paths.push(path),
                Paths::Many(many) => paths.extend(many.iter().map(String::as_str)),
            }
        }
        paths
    }
}

/// The built-in manifest called `name`, or a user's own where `name` is a path to one.
pub fn find(name: &str) -> Result<Manifest> {
    if name.ends_with(".toml") {
        let text = std::fs::read_to_string(name).with_context(|| name.to_owned())?;
        return Manifest::parse(&text).with_context(|| name.to_owned());
    }
    if let Some(text) = weights::manifest(name)? {
        return Manifest::parse(&text).with_context(|| name.to_owned());
    }
    match EMBEDDED.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Manifest::parse(text).with_context(|| format!("datasets/{name}.toml")),
        None => {
            let weights = weights::names()?;
            let known = EMBEDDED.iter().map(|(known, _)| *known);
            let known = known.chain(weights.iter().map(String::as_str));
            let mut near: Vec<_> = known.map(|known| (distance(name, known), known)).collect();
            near.sort_unstable();
            let near: Vec<_> = near.iter().take(3).map(|(_, known)| *known).collect();
            bail!(
                "{name:?}: no such data set: the nearest are {}; `cargo xtask fetch --list` shows all",
                near.join(", ")
            )
        }
    }
}

/// The number of letters to insert, delete or change to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_folder_and_each_is_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder of manifests")
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .filter_map(|n| n.strip_suffix(".toml").map(str::to_owned))
            .collect();
        there.sort();
        let listed: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        assert_eq!(there, listed);
        for (name, text) in EMBEDDED {
            let manifest = Manifest::parse(text).unwrap_or_else(|e| panic!("{name}: {e:#}"));
            assert_eq!(manifest.name, *name);
            assert!(!manifest.paths().is_empty(), "{name} tells readers nothing");
            let sections = manifest.splits.keys().chain(manifest.tables.keys());
            assert!(sections.eq(manifest.counts.keys()), "{name}: counts and splits differ");
            for file in manifest.files.iter().filter(|f| f.is_archive()) {
                for path in manifest.paths() {
                    assert!(
                        file.keep.iter().any(|k| format!("{path}/").starts_with(k) || path == k),
                        "{name}: {path} is not kept"
                    );
                }
            }
        }
    }

    #[test]
    fn a_wrong_name_gets_the_nearest() {
        let error = find("mnits").expect_err("no such name").to_string();
        assert!(error.contains("mnist"), "{error}");
        assert!(!error.contains('\n'));
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn manifests_that_could_do_harm_are_refused() {
        let good = EMBEDDED.iter().find(|(n, _)| *n == "tinyshakespeare").expect("known").1;
        assert!(Manifest::parse(good).is_ok());
        for (from, to) in [
            ("name = \"tinyshakespeare\"", "name = \"../up\""),
            ("dest = \"input.txt\"", "dest = \"../input.txt\""),
            ("dest = \"input.txt\"", "dest = \"/input.txt\""),
            ("dest = \"input.txt\"", "dest = \"dataset.toml\""),
            ("file = \"input.txt\"", "file = \"../../etc/passwd\""),
            ("size = 1115394", "size = 0"),
            ("size = 1115394", "size = -1"),
            ("sha256 = \"", "sha256 = \"0"),
            ("sha256 = ", "sha1 = "),
            ("https://", "file://"),
            ("layout", "lay_out"),
        ] {
            assert!(good.contains(from));
            assert!(Manifest::parse(&good.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(5_000))]

        /// Mutated manifests are read or refused, never a panic.
        #[test]
        fn no_manifest_panics(at in 0usize..1000, bytes in proptest::collection::vec(0u8..128, 0..8)) {
            let (_, text) = EMBEDDED[at % EMBEDDED.len()];
            let mut text = text.as_bytes().to_vec();
            let at = (at * 7919) % text.len();
            for (i, b) in bytes.iter().enumerate() {
                let slot = (at + i) % text.len();
                text[slot] = *b;
            }
            let _ = Manifest::parse(&String::from_utf8_lossy(&text));
        }
    }
}
