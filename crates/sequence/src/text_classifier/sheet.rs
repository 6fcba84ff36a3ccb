//! The cells of a table of texts, whatever separates them.

use csv::{ReaderBuilder, StringRecord};
use std::path::{Path, PathBuf};
use tenfold_core::data::csv::separator;
use tenfold_core::{Error, Result};

/// A row and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Counted from 1.
    pub line: u64,
    cells: StringRecord,
}

impl Row {
    /// Without white space around it.
    pub fn cell(&self, column: usize) -> &str {
        self.cells.get(column).unwrap_or_default().trim()
    }
}

/// A table, its header, if it has one, among the rows.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// For errors.
    pub path: PathBuf,
    /// `None` where there is one column.
    pub delimiter: Option<char>,
    /// At least one.
    pub rows: Vec<Row>,
}

impl Sheet {
    /// Splits a text into rows and cells. Unless it is given, or a line `sep=;` at the top names
    /// it, the delimiter is found as in every table.
    ///
    /// # Errors
    /// No rows.
    pub fn read(path: &Path, text: &str, delimiter: Option<char>) -> Result<Self> {
        let first = text.lines().next().unwrap_or_default();
        let named = first.strip_prefix("sep=").and_then(|own| own.chars().next());
        let above = u64::from(named.is_some());
        let text = if named.is_some() { &text[first.len()..] } else { text };
        let found = || separator(text.as_bytes()).filter(|&mark| mark != ' ');
        let delimiter = delimiter.or(named).or_else(found);
        let split = |quoted| rows(text, delimiter.unwrap_or(NONE), quoted, above);
        let (quoted, plain) = (split(true), split(false));
        // A quotation mark that nothing closes swallows rows.
        let rows = if even(&plain) && plain.len() > quoted.len() { plain } else { quoted };
        let delimiter = delimiter.filter(|_| width(&rows) > 1);
        match rows.is_empty() {
            true => Err(Error::file(path, "no rows in it; expected a table of texts")),
            false => Ok(Self { path: path.into(), delimiter, rows }),
        }
    }

    /// Cells of the first row.
    pub fn width(&self) -> usize {
        width(&self.rows)
    }

    /// The cells of every row.
    ///
    /// # Errors
    /// A row of another width.
    pub fn check_width(&self) -> Result<usize> {
        let width = self.width();
        match self.rows.iter().find(|row| row.cells.len() != width) {
            None => Ok(width),
            Some(row) => {
                let (own, separator) = (row.cells.len(), self.separator());
                let why = format!(
                    "line {}: {own} columns, separated by {separator}; expected {width}, as in \
                     the first row",
                    row.line
                );
                Err(Error::file(&self.path, why))
            }
        }
    }

    /// Whether the first row names a column so. A number in it may be a value.
    pub fn names(&self, name: &str) -> bool {
        name.parse::<usize>().is_err()
            && (0..self.width()).any(|column| self.rows[0].cell(column) == name)
    }

    /// A column by its name, or counted from 1.
    ///
    /// # Errors
    /// There is none; `flag` named it.
    pub fn find(&self, name: &str, headed: bool, flag: &'static str) -> Result<usize> {
        let width = self.width();
        let named = || (0..width).find(|&column| self.rows[0].cell(column) == name);
        let counted = || name.parse::<usize>().ok().filter(|n| (1..=width).contains(n));
        if let Some(column) = headed.then(named).flatten().or_else(|| counted().map(|n| n - 1)) {
            return Ok(column);
        }
        let path = self.path.display();
        let has: Vec<&str> = (0..width).map(|column| self.rows[0].cell(column)).collect();
        let why = match headed {
            true => format!("no column `{name}` in {path}; it has {}", has.join(", ")),
            false => format!("no column `{name}` in {path}; expected a number up to {width}"),
        };
        Err(Error::argument(flag, why))
    }

    /// What a column is called: by the header, or its number.
    pub fn name(&self, column: usize, headed: bool) -> String {
        match headed && !self.rows[0].cell(column).is_empty() {
            true => self.rows[0].cell(column).into(),
            false => (column + 1).to_string(),
        }
    }

    /// A column's number, and its name where there is one.
    pub fn called(&self, column: usize, headed: bool) -> String {
        let number = column + 1;
        if headed {
            format!("{number} (`{}`)", self.rows[0].cell(column))
        } else {
            number.to_string()
        }
    }

    /// The delimiter in words.
    pub fn separator(&self) -> String {
        match self.delimiter {
            None => "nothing".into(),
            Some('\t') => "tabs".into(),
            Some(own) => format!("`{own}`"),
        }
    }
}

/// Stands in no text.
const NONE: char = '\u{1f}';

/// The rows of a text; csv leaves out empty lines.
fn rows(text: &str, delimiter: char, quoted: bool, above: u64) -> Vec<Row> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .quoting(quoted)
        .delimiter(u8::try_from(delimiter).unwrap_or(b','))
        .from_reader(text.as_bytes());
    // Text that is UTF-8 has no other fault where rows may differ in width.
    let records = reader.records().filter_map(std::result::Result::ok);
    let row = |cells: StringRecord| Row {
        line: cells.position().map_or(0, csv::Position::line) + above,
        cells,
    };
    records.map(row).collect()
}

fn width(rows: &[Row]) -> usize {
    rows.first().map_or(0, |row| row.cells.len())
}

/// Rows that are as wide as the first.
fn alike(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.cells.len() == width(rows)).count()
}

/// Whether all rows have the same columns, two or more.
fn even(rows: &[Row]) -> bool {
    width(rows) > 1 && alike(rows) == rows.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Sheet {
        Sheet::read(Path::new("a.csv"), text, None).unwrap()
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_rows_equally_wide() {
        for (text, delimiter) in [
            ("good;Well, nice, really\nbad;No, sorry\n", ';'),
            ("good\tWell; nice, really\nbad\tNo, sorry\n", '\t'),
            ("good,\"Well; nice, really\"\nbad,No; sorry\n", ','),
            ("good|Well, nice; really\nbad|No, sorry\n", '|'),
            ("sep=;\ngood;fine\n", ';'),
        ] {
            let sheet = read(text);
            assert_eq!((sheet.delimiter, sheet.check_width().unwrap()), (Some(delimiter), 2));
        }
        assert_eq!(read("sep=;\ngood;fine\n").rows[0].line, 2);
        let one = read("text\nWell, nice, really\n\"No, never\"\n");
        assert_eq!((one.delimiter, one.width()), (None, 1));
        assert_eq!(one.rows[2].cell(0), "No, never");
    }

    #[test]
    fn a_quotation_mark_that_nothing_closes_swallows_no_rows() {
        let sheet = read("good\t\"Well, nice\nbad\tNo\ngood\tYes\n");
        assert_eq!((sheet.rows.len(), sheet.rows[0].cell(1)), (3, "\"Well, nice"));
        // A text of two lines is one row.
        assert_eq!(read("good,\"Well,\nnice\"\nbad,No\n").rows.len(), 2);
    }

    #[test]
    fn rows_and_columns_that_do_not_fit_are_named() {
        let uneven = read("good,fine\nbad,no,never\ngood,yes\n");
        let why = uneven.check_width().unwrap_err().to_string();
        assert!(why.contains("line 2: 3 columns, separated by `,`; expected 2"), "{why}");
        let sheet = read("label,text\ngood,fine\n");
        assert_eq!(sheet.find("text", true, "--text").unwrap(), 1);
        assert_eq!(sheet.find("1", false, "--text").unwrap(), 0);
        let why = sheet.find("body", true, "--text").unwrap_err().to_string();
        assert!(why.contains("no column `body`") && why.contains("it has label, text"), "{why}");
    }
}
