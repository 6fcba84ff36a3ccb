//! The errors a user can meet. Each one prints as one line: what is wrong, where, and what was expected.

use std::path::Path;

/// Shorthand for a result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong on account of a file, a flag or the numbers themselves.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file's content is not what its format promises.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it, and what was expected.
        why: String,
    },
    /// One field of a text file is wrong.
    #[error("{path}: line {line}, field {field}: {why}")]
    Field {
        /// The file.
        path: String,
        /// Line, counted from 1.
        line: u64,
        /// The column's name, or its number counted from 1.
        field: String,
        /// What is wrong with it, and what was expected.
        why: String,
    },
    /// A flag or setting has a value that cannot work.
    #[error("{flag}: {why}")]
    Argument {
        /// The flag as typed, such as `--device`.
        flag: String,
        /// Why it cannot work, and what would.
        why: String,
    },
    /// `predict` without inputs, and what could stand behind it, such as `runs/x photo.jpg`.
    #[error("Nothing to predict. Example: predict {0}")]
    NoInput(String),
    /// Training stopped before its end.
    #[error("training: {0}")]
    Training(String),
}

impl Error {
    /// An error of the operating system about `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().display().to_string(), source }
    }

    /// Content of `path` that is not what its format promises.
    pub fn file(path: impl AsRef<Path>, why: impl std::fmt::Display) -> Self {
        Self::File { path: path.as_ref().display().to_string(), why: one_line(why) }
    }

    /// A wrong field of a text file.
    pub fn field(
        path: impl AsRef<Path>,
        line: u64,
        field: impl std::fmt::Display,
        why: impl std::fmt::Display,
    ) -> Self {
        Self::Field {
            path: path.as_ref().display().to_string(),
            line,
            field: one_line(field),
            why: one_line(why),
        }
    }

    /// A flag or setting that cannot work.
    pub fn argument(flag: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Argument { flag: flag.into(), why: one_line(why) }
    }
}

/// The message on one line, without control characters: libraries below may break theirs, and
/// a file's name may hold anything.
pub(crate) fn one_line(message: impl std::fmt::Display) -> String {
    let message = message.to_string();
    let parts = message.split(char::is_control).map(str::trim).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_and_names_stay_as_they_are() {
        let error = Error::file("two  spaces.csv", "first\r\n   second\tthird\x1B[2J\n");
        assert_eq!(one_line(error), "two  spaces.csv: first second third [2J");
    }
}
