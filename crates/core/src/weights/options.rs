//! How to fit a weights file to a module.

use burn::store::KeyRemapper;

use crate::{Error, Result};

/// How to fit a weights file to a module.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Regular expressions and what replaces their matches, `$1` being a group. They turn
    /// the file's keys into the module's, each working on the result of the one before.
    pub rename: Vec<(String, String)>,
    /// Regular expressions for the module's keys that keep their values, such as `^fc\.` for
    /// a new head. The same keys in the file are not used, whatever their shapes.
    pub skip: Vec<String>,
    /// Accept keys that only the module or only the file has. Shapes must agree even so.
    pub partial: bool,
    /// Refuse a file without the checksum that [`save`](super::save) puts into each.
    pub sealed: bool,
}

/// From the file's keys to the module's, as the options say.
pub(super) struct Rename(Box<dyn Fn(&str) -> String>);

impl Default for Rename {
    fn default() -> Self {
        Self(Box::new(str::to_string))
    }
}

impl Rename {
    pub fn new(options: &LoadOptions) -> Result<Self> {
        let patterns = KeyRemapper::from_patterns(options.rename.clone());
        let patterns = patterns.map_err(|e| Error::argument("key map", e))?.to_regex_pairs();
        Ok(Self(Box::new(move |key| {
            patterns.iter().fold(key.to_string(), |key, (from, to)| {
                from.replace_all(&key, to.as_str()).into_owned()
            })
        })))
    }

    pub fn apply(&self, key: &str) -> String {
        (self.0)(key)
    }
}
