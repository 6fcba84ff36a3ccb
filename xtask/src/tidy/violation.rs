//! A broken rule.

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file, from the workspace's folder.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Shorthand for a violation.
pub fn at(path: &str, line: usize, message: impl Into<String>) -> Violation {
    Violation { path: path.to_owned(), line, message: message.into() }
}
