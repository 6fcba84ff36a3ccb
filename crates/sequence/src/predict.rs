//! What `predict` of several kinds of models shares: texts in, one object for each out.

use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_core::cli::args::PredictArgs;
use tenfold_core::cli::print_json;
use tenfold_core::suggest::Suggestion;
use tenfold_core::{Error, Result};

/// One input's answer, as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct Answer<M: Serialize> {
    /// The file, or the text itself.
    pub input: String,
    /// The line of the file that it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Best first.
    pub suggestions: Vec<Suggestion>,
    /// What a model says beside them.
    #[serde(flatten)]
    pub more: M,
}

/// Nothing beside the suggestions.
#[derive(Serialize)]
pub(crate) struct Nothing {}

/// One text to answer.
pub(crate) struct Input {
    /// The file, with its row where it has several, or the text itself.
    pub name: String,
    /// Its line in the file.
    pub line: Option<usize>,
    /// Empty where a row or line is: it has its place among the answers.
    pub text: String,
}

/// The texts of files and flags; `read` makes inputs of a file.
///
/// # Errors
/// A file that cannot be read, or no text at all, with an `example` of one.
pub(crate) fn texts(
    files: &[PathBuf],
    given: &[String],
    read: impl Fn(&Path) -> Result<Vec<Input>>,
    args: &PredictArgs,
    example: &str,
) -> Result<Vec<Input>> {
    if files.is_empty() && given.is_empty() {
        return Err(nothing(args, example));
    }
    let mut inputs = Vec::new();
    for file in files {
        inputs.extend(read(file)?);
    }
    let own = |text: &String| Input { name: text.clone(), line: None, text: text.clone() };
    inputs.extend(given.iter().map(own));
    Ok(inputs)
}

/// Those that are not empty.
pub(crate) fn filled(inputs: &[Input]) -> Vec<&str> {
    inputs.iter().map(|input| &input.text[..]).filter(|text| !text.trim().is_empty()).collect()
}

/// No input was named.
pub(crate) fn nothing(args: &PredictArgs, example: &str) -> Error {
    let run = args.paths.first().map_or_else(|| "RUN".into(), |run| run.display().to_string());
    Error::NoInput(format!("{run} {example}"))
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
