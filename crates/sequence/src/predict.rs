//! What `predict` of several kinds of models shares: texts in, one object for each out.

use crate::text;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_core::cli::print_json;
use tenfold_core::suggest::Suggestion;
use tenfold_core::{Error, Result};

/// One input's answer, as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct Answer<M: Serialize> {
    /// The file, or the text itself.
    pub input: String,
    /// Best first.
    pub suggestions: Vec<Suggestion>,
    /// What a model says beside them.
    #[serde(flatten)]
    pub more: M,
}

/// Nothing beside the suggestions.
#[derive(Serialize)]
pub(crate) struct Nothing {}

/// The texts of files and flags, each with its name; `cut` makes inputs of a file's text.
///
/// # Errors
/// A file that cannot be read, or no text at all.
pub(crate) fn texts(
    files: &[PathBuf],
    given: &[String],
    cut: impl Fn(&Path, String) -> Vec<(String, String)>,
) -> Result<Vec<(String, String)>> {
    let mut inputs = Vec::new();
    for file in files {
        inputs.extend(cut(file, text::read(file)?));
    }
    inputs.extend(given.iter().map(|text| (text.clone(), text.clone())));
    match inputs.is_empty() {
        true => Err(Error::argument("INPUT", "no text: name a file, or give one with --text")),
        false => Ok(inputs),
    }
}

/// Prints answers as `--json`, or each as `line` writes it.
///
/// # Errors
/// `out` cannot be written.
pub(crate) fn print<M: Serialize>(
    answers: Vec<Answer<M>>,
    json: bool,
    out: &mut dyn Write,
    line: impl Fn(&Answer<M>, &mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    if json {
        return print_json(&answers, out);
    }
    for answer in &answers {
        line(answer, out)?;
    }
    Ok(())
}
