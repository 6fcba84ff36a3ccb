//! A sequence run's `config.json`.

use serde::{Deserialize, Serialize};
#[cfg(feature = "cli")]
use tenfold_core::task::Choice;
use tenfold_core::train::Settings;

/// What stands beside the header: `C` is the model's Config, `L` its vocabularies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig<C, L> {
    /// The model's own Config.
    pub config: C,
    /// What turns text into numbers, and numbers into text or labels.
    pub language: L,
    /// The data it was trained on.
    pub data: DataChoice,
    /// How it was trained.
    pub training: Settings,
}

/// The data that a person chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataChoice {
    /// As given to `--data`, without a slash at its end.
    #[serde(deserialize_with = "read_tidied")]
    pub name: String,
    /// `--limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `--pair`: from one language into another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// `--fold`: the tenth of the data that tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// How a table is read.
    #[serde(default, skip_serializing_if = "Columns::is_open")]
    pub columns: Columns,
    /// Seed of the splits.
    pub seed: u64,
    /// Nothing of it was learnt from: all of a table or folder of texts tests.
    #[serde(skip)]
    pub unseen: bool,
}

/// How a table is read: what a person said of it, and in `config.json` what was found besides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// `--text`: the column of texts, by its name or counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `--target`: the column of labels, or of translations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `--delimiter`: what stands between two columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether the first row names the columns; `--no-header` says that it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
}

impl Columns {
    /// What is said here, and of what is left open what `other` says.
    pub fn or(self, other: &Self) -> Self {
        Self {
            text: self.text.or_else(|| other.text.clone()),
            target: self.target.or_else(|| other.target.clone()),
            delimiter: self.delimiter.or(other.delimiter),
            header: self.header.or(other.header),
        }
    }

    /// Whether nothing is said.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

impl DataChoice {
    /// Data of this name, whole, its splits made with seed 1.
    pub fn new(name: &str) -> Self {
        let (columns, unseen) = (Columns::default(), false);
        Self { name: tidied(name), limit: None, pair: None, fold: None, columns, seed: 1, unseen }
    }

    /// What `eval --data NAME` measures on: other data is read whole, the run's own with the
    /// limit that it was trained with. Another table's columns are found by their names.
    pub fn for_eval(&self, name: &str) -> Self {
        let name = tidied(name);
        let real = |name: &str| std::path::Path::new(name).canonicalize().ok();
        if name == self.name || real(&name).is_some_and(|own| Some(own) == real(&self.name)) {
            return self.clone();
        }
        let columns = Columns { delimiter: None, header: None, ..self.columns.clone() };
        Self { name, limit: None, columns, unseen: true, ..self.clone() }
    }
}

#[cfg(feature = "cli")]
impl Choice for DataChoice {
    fn name(&self) -> &str {
        &self.name
    }

    fn elsewhere(&self, name: &str) -> Self {
        self.for_eval(name)
    }
}

/// `data/` is `data`, so that a shell's completion makes no other data of it on `--resume`.
fn tidied(name: &str) -> String {
    match name.trim_end_matches(['/', '\\']) {
        "" => name.into(),
        trimmed => trimmed.into(),
    }
}

fn read_tidied<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|name| tidied(&name))
}

/// Whether the sizes of a network are those of its vocabularies.
///
/// # Errors
/// A sentence that names both.
pub fn same_sizes(network: &[usize], language: &[usize], names: &[&str]) -> Result<(), String> {
    if network == language {
        return Ok(());
    }
    let named: Vec<String> =
        language.iter().zip(names).map(|(count, name)| format!("{count} {name}")).collect();
    let sizes: Vec<String> = network.iter().map(usize::to_string).collect();
    let (named, sizes) = (named.join(" and "), sizes.join(" and "));
    Err(format!("a vocabulary of {named} for a network of {sizes}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_no_other_data() {
        assert_eq!(DataChoice::new("data/"), DataChoice::new("data"));
        assert_eq!(DataChoice::new("/").name, "/");
        // As an older run's `config.json` may have it.
        let stored: DataChoice = serde_json::from_str(r#"{"name": "data//", "seed": 1}"#).unwrap();
        assert_eq!(stored, DataChoice::new("data"));
    }

    #[test]
    fn other_data_is_read_whole_and_the_runs_own_with_its_limit() {
        let own = DataChoice { limit: Some(5), fold: Some(2), ..DataChoice::new("data") };
        assert_eq!(own.for_eval("data/"), own);
        let other = own.for_eval("other");
        assert_eq!((&other.name[..], other.limit, other.fold), ("other", None, Some(2)));
        assert!(other.unseen);
        // One file by two names is one.
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.csv"), folder.path().join("./a.csv"));
        std::fs::write(&path, "text").unwrap();
        let own = DataChoice { limit: Some(5), ..DataChoice::new(path.to_str().unwrap()) };
        assert_eq!(own.for_eval(other.to_str().unwrap()), own);
    }
}
