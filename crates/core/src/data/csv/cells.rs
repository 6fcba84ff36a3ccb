//! The text of every cell of a table, and what its columns are called.

use std::path::{Path, PathBuf};

use csv::StringRecord;
use serde::{Deserialize, Serialize};

use super::header::looks_like_header;
use super::number::{Decimal, decimal, is_missing_number};
use super::records::{Records, Row, records};
use super::schema::{Column, Role, Schema};
use crate::progress::note;
use crate::zoo::did_you_mean;
use crate::{Error, Result};

/// Rows in which the decimal sign is looked for.
const SAMPLE: usize = 1_000;

/// Names of a column that is the target wherever it stands.
const TARGETS: [&str; 3] = ["target", "label", "class"];

/// Where a table's column names are from, unless [`TableOptions::header`] says it.
#[derive(Clone, Copy, Debug)]
pub enum Names<'a> {
    /// The first row, where it looks like a header; else numbers.
    Detect,
    /// The first row.
    Header,
    /// Known beforehand; the first row is an example.
    Given(&'a [String]),
    /// Numbers counted from 1; the first row is an example.
    Numbers,
}

/// How a table is to be read. What is left open is found by content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableOptions {
    /// Whether the first row names the columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// What separates the cells, one ASCII character; a blank for any number of blanks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// What stands before the fraction of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// Columns that a model is not to see, and no others; else identifiers and free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Vec<String>>,
    /// Columns whose numbers are names of kinds, or whose many words are to be learnt from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<String>,
    /// What the columns were when a model was trained; then nothing is measured.
    #[serde(skip)]
    pub schema: Option<Schema>,
    /// Whether all rows are there to test with.
    #[serde(skip)]
    pub whole: bool,
}

/// The text of every cell, each row as long as the names.
pub(super) struct Cells {
    pub path: PathBuf,
    pub names: Vec<String>,
    /// Whether the names stood in the file ...
    pub headed: bool,
    /// ... and the place of their row, where that was no comment.
    pub header: Option<usize>,
    pub rows: Vec<Row>,
    pub delimiter: char,
    pub decimal: Decimal,
}

impl Cells {
    pub fn parse(path: &Path, bytes: &[u8], names: Names, options: &TableOptions) -> Result<Self> {
        let Records { mut rows, comment, delimiter } = records(path, bytes, options.delimiter)?;
        let [first, ..] = &rows[..] else {
            return Err(Error::file(path, "empty; expected rows of numbers and a class"));
        };
        let schema = options.schema.as_ref();
        let usual = match schema {
            Some(schema) => schema.decimal,
            None if delimiter == ';' => Decimal::Comma,
            None => Decimal::Point,
        };
        let sample = || rows.iter().take(SAMPLE).flat_map(|row| row.cells.iter());
        let decimal = options.decimal.unwrap_or_else(|| decimal(sample(), usual));
        let known = |cells: &StringRecord| schema.is_some_and(|schema| has_names(cells, schema));
        let mut named = match (names, options.header) {
            // A person who looked knows more than a manifest.
            (_, Some(header)) => header,
            // One row of words would look like a header without rows.
            (Names::Detect, None) => {
                known(&first.cells)
                    || (schema.is_none() || rows.len() > 1) && looks_like_header(&rows, decimal)
            }
            (Names::Header, None) => true,
            (Names::Given(_) | Names::Numbers, None) => false,
        };
        let header = named.then_some(first.place);
        // `# a,b,kind`, as numpy writes it.
        if let (false, Names::Detect, None, Some(comment)) = (named, names, options.header, comment)
        {
            rows.insert(0, comment);
            named = known(&rows[0].cells) || looks_like_header(&rows, decimal);
            if !named {
                rows.remove(0);
            }
        }
        let width = rows[0].cells.len();
        let names: Vec<String> = match names {
            _ if named => unique(path, &rows.remove(0).cells),
            Names::Given(names) => names.to_vec(),
            _ => (1..=width).map(|number| number.to_string()).collect(),
        };
        if rows.is_empty() {
            return Err(Error::file(path, "only a header; expected rows of numbers and a class"));
        }
        let path = path.into();
        let cells = Self { path, names, headed: named, header, rows, delimiter, decimal };
        cells.check_shape()?;
        Ok(cells)
    }

    /// Every row has as many cells as there are names.
    fn check_shape(&self) -> Result<()> {
        let width = self.names.len();
        let Some(row) = self.rows.iter().find(|row| row.cells.len() != width) else {
            return Ok(());
        };
        let found = row.cells.len();
        let field = found.min(width) + 1;
        let name = self.names.get(field - 1).cloned().unwrap_or(field.to_string());
        let why = format!("the row has {found} fields; expected {width}");
        Err(Error::field(&self.path, row.line, name, why))
    }

    pub fn fault(&self, row: &Row, column: usize, why: impl std::fmt::Display) -> Error {
        Error::field(&self.path, row.line, &self.names[column], why)
    }

    /// The cells of a column.
    pub fn column(&self, at: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| &row.cells[at])
    }

    /// Whether each number of a column has a percent sign.
    pub fn is_percent(&self, at: usize) -> bool {
        let mut known = self.column(at).filter(|cell| !is_missing_number(cell)).peekable();
        known.peek().is_some() && known.all(|cell| cell.ends_with('%'))
    }

    /// The place of the column that a flag names, or counts from 1.
    pub fn place(&self, flag: &str, wanted: &str) -> Result<usize> {
        let by_name = self.names.iter().position(|name| name == wanted);
        by_name.or_else(|| self.numbered(wanted)).ok_or_else(|| {
            let meant = did_you_mean(wanted, self.names.iter().map(String::as_str));
            let (path, names) = (self.path.display(), self.listed());
            Error::argument(flag, format!("no column `{wanted}`{meant} in {path}: it has {names}"))
        })
    }

    fn numbered(&self, wanted: &str) -> Option<usize> {
        let number = wanted.parse::<usize>().ok()?;
        (1..=self.names.len()).contains(&number).then(|| number - 1)
    }

    fn listed(&self) -> String {
        let names = self.names.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
        if self.names.len() > 20 { format!("{names}, ...") } else { names }
    }

    /// The column to predict: the one that is named, or the one that is called so, or the last.
    pub fn target(&self, wanted: Option<&str>) -> Result<usize> {
        if let Some(wanted) = wanted {
            return self.place("--target", wanted);
        }
        let called =
            |wanted: &&str| self.names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let called = TARGETS.iter().find_map(called);
        Ok(called.filter(|_| self.headed).unwrap_or(self.names.len() - 1))
    }

    /// The column that a trained model predicts.
    pub fn target_of(&self, schema: &Schema) -> Result<usize> {
        let places = self.places(schema, true)?;
        let target = schema.of(Role::Target).next().and_then(|(at, _)| places[at]);
        target.ok_or_else(|| Error::file(&self.path, "no column to compare predictions with"))
    }

    /// For each column of a schema its place here: by name; by order where there are no names.
    pub fn places(&self, schema: &Schema, target: bool) -> Result<Vec<Option<usize>>> {
        let by_name = |column: &Column| {
            let own = self.names.iter().position(|name| *name == column.name);
            match column.role {
                // A run from before there was a schema names it by number, or not at all.
                Role::Target if schema.header.is_none() && own.is_none() => {
                    self.numbered(&column.name).or(self.names.len().checked_sub(1))
                }
                _ => own,
            }
        };
        let needed = |column: &Column| match column.role {
            Role::Feature => true,
            Role::Target => target,
            Role::Ignored => false,
        };
        let places: Vec<Option<usize>> = schema.columns.iter().map(by_name).collect();
        let lacking = schema.columns.iter().zip(&places);
        let mut lacking = lacking.filter(|(column, at)| needed(column) && at.is_none());
        let Some((lacking, _)) = lacking.next() else { return Ok(places) };
        if self.headed && schema.header != Some(false) {
            let why = format!("no column `{}`; it has {}", lacking.name, self.listed());
            return Err(Error::file(&self.path, why));
        }
        let (width, whole) = (self.names.len(), schema.columns.len());
        let features = schema.of(Role::Feature).count();
        // All columns of the training's file, or all but the target, or the features alone and
        // perhaps the target after them.
        let (ignored, own_target, last) = match width {
            _ if width == whole => (true, true, false),
            _ if width + 1 == whole && !target => (true, false, false),
            _ if width == features && !target => (false, false, false),
            _ if width == features + 1 => (false, false, true),
            _ => {
                let why =
                    format!("{width} columns; expected {features}, or {whole} as in training");
                return Err(Error::file(&self.path, why));
            }
        };
        let mut order = 0..width;
        let by_order = schema.columns.iter().map(|column| match column.role {
            Role::Target if last => Some(features),
            Role::Target => own_target.then(|| order.next()).flatten(),
            Role::Ignored => ignored.then(|| order.next()).flatten(),
            Role::Feature => order.next(),
        });
        Ok(by_order.collect())
    }
}

/// Whether a row names all columns that a model sees.
fn has_names(cells: &StringRecord, schema: &Schema) -> bool {
    let named = |column: &Column| cells.iter().any(|cell| cell == column.name);
    schema.header != Some(false) && schema.of(Role::Feature).all(|(_, column)| named(column))
}

/// The names in a header. Where one comes again it gets a number, and where there is none too,
/// as in pandas.
fn unique(path: &Path, cells: &StringRecord) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(cells.len());
    for (place, cell) in cells.iter().enumerate() {
        let own = match cell {
            "" => format!("Unnamed: {place}"),
            cell => cell.into(),
        };
        let taken = |name: &String| names.contains(name);
        // A later column may be called so in the file.
        let in_file = |name: &String| cells.iter().any(|cell| cell == name);
        let mut name = own.clone();
        let mut number = 0;
        while taken(&name) || number > 0 && in_file(&name) {
            number += 1;
            name = format!("{own}.{number}");
        }
        if name != own {
            note(format_args!("{}: two columns `{own}`: the later is `{name}`", path.display()));
        }
        names.push(name);
    }
    names
}
