//! Weights by name, as `cargo xtask fetch weights/NAME` leaves them in the data folder: the
//! file, and beside it a `dataset.toml` that says what it is and under which terms.

use std::path::{Component, Path, PathBuf};

use crate::data::manifest::{self, Fetched};
use crate::{Error, Result};

/// Where fetched weights lie in the data folder.
const FOLDER: &str = "weights";

/// Weights that a person named.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The file.
    pub file: PathBuf,
    /// The terms under which they may be used; unknown for a file that a person brought.
    pub licence: Option<String>,
    /// The label of each output; empty where the file says nothing.
    pub classes: Vec<String>,
}

/// The weights that `--weights` means: a file's path, or the name of fetched weights.
///
/// # Errors
/// A name, which is a word without a dot, of which nothing has been fetched; a damaged
/// `dataset.toml`.
pub fn find(named: &Path, data_dir: &Path) -> Result<Named> {
    let mut parts = named.components();
    let word = match (parts.next(), parts.next()) {
        (Some(Component::Normal(word)), None) => word.to_str(),
        _ => None,
    };
    let name = word.filter(|word| !word.contains('.') && !named.is_file());
    let Some(name) = name else {
        return Ok(Named { file: named.into(), licence: None, classes: Vec::new() });
    };
    let folder = data_dir.join(FOLDER).join(name);
    if !folder.join(manifest::FILE).is_file() {
        let why = format!(
            "no file `{name}`, and no weights of that name fetched under {}: `cargo xtask fetch \
             weights/{name}` gets known ones, `cargo xtask fetch --list` shows them",
            data_dir.display()
        );
        return Err(Error::argument("--weights", why));
    }
    let fetched = Fetched::read(&folder)?;
    let file = fetched.path("weights", "file")?;
    if fetched.licence.is_none() {
        return Err(fetched.fault("no `licence`; expected the terms of use"));
    }
    Ok(Named { file, licence: fetched.licence, classes: fetched.classes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_name_and_all_else_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let find = |named: &str| find(Path::new(named), folder.path());
        for path in ["toy.pth", "a/toy", "./toy", "/toy", ".."] {
            let expected = Named { file: path.into(), licence: None, classes: Vec::new() };
            assert_eq!(find(path).unwrap(), expected);
        }
        let why = find("toy").unwrap_err().to_string();
        assert!(why.starts_with("--weights: no file `toy`, and no weights"), "{why}");
        assert!(why.contains("`cargo xtask fetch weights/toy`"), "{why}");

        let weights = folder.path().join("weights/toy");
        std::fs::create_dir_all(&weights).unwrap();
        let write = |text: &str| std::fs::write(weights.join(manifest::FILE), text).unwrap();
        write(
            "layout = \"weights\"\nlicence = \"free\"\nclasses = [\"a\"]\n[splits.weights]\nfile = \"toy-00.pth\"\n",
        );
        let expected = Named {
            file: weights.join("toy-00.pth"),
            licence: Some("free".into()),
            classes: vec!["a".into()],
        };
        assert_eq!(find("toy").unwrap(), expected);
        for text in [
            "",
            "layout = \"weights\"\n[splits.weights]\nfile = \"a\"",
            "layout = \"weights\"\nlicence = \"\"\n[splits.weights]\nfile = \"../up\"",
            "layout = \"weights\"\nlicence = \"\"\n[splits.train]\nfile = \"a\"",
        ] {
            write(text);
            let why = find("toy").unwrap_err().to_string();
            assert!(why.contains("dataset.toml: ") && !why.contains('\n'), "{why}");
        }
    }
}
