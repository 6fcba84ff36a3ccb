//! Where a data set is, for the tasks whose examples are neither images in classes nor
//! rows: they read its files by themselves.

use super::manifest;
pub use super::manifest::{Fetched, Layout};
use crate::zoo::did_you_mean;
use crate::{Error, Result};
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
            return Ok(Place::Fetched(Fetched::read(folder)?));
        }
    }
    if path.is_dir() {
        return Ok(Place::Folder(path.into()));
    }
    Err(missing(name_or_path, data_dir))
}

/// The data sets that are drawn or written into a program: their names win over files.
const EMBEDDED: &[&str] = &["glyphs", "houses", "scenes", "rhymes", "numbers", "opinions", "kin"];

/// A name of data as a run keeps it: the path of a file or folder in full, so that the run can
/// be used from another folder; any other name as it is.
pub fn kept_name(name: &str) -> String {
    let name = match name.trim_end_matches('/') {
        "" => name,
        // `data/` is `data`, so that a shell's completion makes no other data of it.
        trimmed => trimmed,
    };
    if EMBEDDED.contains(&name) || !Path::new(name).exists() {
        return name.into();
    }
    let whole = std::path::absolute(name).ok().and_then(|path| path.to_str().map(String::from));
    whole.unwrap_or_else(|| name.into())
}

/// What a program that cannot read fetched data says of it, where its manifest names another
/// program: that one's command.
pub fn meant_for(name: &str, data_dir: &Path, program: &str) -> Option<Error> {
    let Ok(Place::Fetched(Fetched { task: what, train, .. })) = locate(name, data_dir) else {
        return None;
    };
    let (what, train) = (what?, train?);
    let other = train.split(' ').next() != Some(program);
    let why = format!("{name} is data for {what}: cargo {train} --data {name}");
    other.then(|| Error::argument("--data", why))
}

/// The data sets that need no file, and those that `cargo xtask fetch` knows.
const KNOWN: &[&str] = &[
    "glyphs",
    "houses",
    "scenes",
    "bccd",
    "cifar10",
    "cifar10-images",
    "coco128",
    "dsb2018",
    "easy-vqa",
    "fashion-mnist",
    "membrane",
    "mnist",
    "multi30k",
    "otb-crossing",
    "raccoon",
    "review-polarity",
    "schemaorg",
    "tabular",
    "tinyshakespeare",
];

/// The error for a name that leads nowhere.
pub(super) fn missing(name_or_path: &str, data_dir: &Path) -> Error {
    let meant = match KNOWN.contains(&name_or_path) {
        true => String::new(),
        false => did_you_mean(name_or_path, KNOWN.iter().copied()),
    };
    let why = format!(
        "no embedded data set, folder or file `{name_or_path}`{meant}, and none fetched under \
         {}: `cargo xtask fetch {name_or_path}` gets a known one, `cargo xtask fetch --list` \
         shows them",
        data_dir.display()
    );
    Error::argument("--data", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_known_and_a_slip_is_understood() {
        let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        for entry in std::fs::read_dir(manifests).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if let Some(name) = name.strip_suffix(".toml") {
                assert!(KNOWN.contains(&name), "{name}");
            }
        }
        let why = missing("minst", Path::new("nowhere")).to_string();
        assert!(why.contains("(did you mean `mnist`?)"), "{why}");
    }

    #[test]
    fn paths_are_kept_whole_and_names_as_they_are() {
        let here = std::env::current_dir().unwrap().to_str().unwrap().to_owned();
        for name in [".", "./", &here, &format!("{here}/")] {
            assert_eq!(kept_name(name), here, "{name}");
        }
        for name in ["mnist", "tabular/iris", "glyphs", "/"] {
            assert_eq!(kept_name(name), name);
        }
    }

    #[test]
    fn data_of_another_task_names_who_learns_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        let set = folder.path().join("multi30k");
        std::fs::create_dir(&set).unwrap();
        std::fs::copy(manifests.join("multi30k.toml"), set.join("dataset.toml")).unwrap();
        let why = |name: &str, program| {
            meant_for(name, folder.path(), program).map(|why| why.to_string())
        };
        let right = "--data: multi30k is data for machine translation: \
                     cargo sequence train translate --data multi30k";
        assert_eq!(why("multi30k", "classification").as_deref(), Some(right));
        assert_eq!((why("multi30k", "sequence"), why("nothing", "sequence")), (None, None));
    }

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
