//! Reads a table of examples from a CSV file: one row an example, one column its class or the
//! number to predict.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn_dataset::Dataset;
use csv::StringRecord;
use serde::{Deserialize, Serialize};

use super::example::{Example, Input};
use crate::{Error, Result};

/// The most different words that a column may hold; one that holds more is an identifier or
/// free text, of which one number a word would make no useful input.
const MOST_WORDS: usize = 256;

/// A target of whole numbers holds at most this many classes; where there are more different
/// ones, they are taken for measurements unless a person says otherwise.
const MOST_NUMBERED_CLASSES: usize = 20;

/// What is to be said of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Which class it belongs to.
    Classification,
    /// A number.
    Regression,
}

/// Where a table's column names are from.
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

/// The examples of a CSV file.
///
/// - The separator is the one of `,`, `;` and tab that the first line has most of.
/// - With [`Names::Detect`], the first row is a header where none of its cells is a number and the second row has
///   one. Without a header the columns are called `1`, `2` and so on.
/// - The target column holds the classes: words, or whole numbers. Classes are sorted, by
///   value where all of them are numbers.
/// - In a regression it holds the numbers to predict. Unless a [`Task`] is asked for, that is
///   so where every cell is a number and one has a fraction or more than 20 are different.
/// - Any other column holds numbers; one in which no row has a number becomes one column for
///   each of its words, called `column=word`, with 1 where the row has that word, else 0.
#[derive(Clone, Debug)]
pub struct Table {
    /// The name of each number of a row.
    pub columns: Vec<String>,
    /// The classes, sorted; in a regression the target column's name.
    pub classes: Vec<String>,
    /// The class of each row; in a regression its place in `targets`.
    pub labels: Vec<usize>,
    /// In a regression the number to predict for each row.
    pub targets: Option<Vec<f32>>,
    values: Vec<f32>,
}

impl Table {
    /// Reads the table at `path`, whose columns are called as `names` says. The target column is named, or counted from 1; it is the
    /// last one unless said.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or as [`Table::parse`].
    pub fn read(
        path: impl AsRef<Path>,
        names: Names,
        target: Option<&str>,
        task: Option<Task>,
    ) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::parse(path, &bytes, names, target, task)
    }

    /// Takes the content of a CSV file; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// Names file, line and field of a row with another number of fields, an empty cell, a
    /// word among numbers, a number that is not finite, or text that is not UTF-8; and the
    /// file, when it has no rows, a target that is always the same, or no such target.
    pub fn parse(
        path: impl AsRef<Path>,
        bytes: &[u8],
        names: Names,
        target: Option<&str>,
        task: Option<Task>,
    ) -> Result<Self> {
        let cells = Cells::parse(path.as_ref(), bytes, names)?;
        let target = cells.target(target)?;
        let (classes, labels, targets) = match task.unwrap_or_else(|| cells.task(target)) {
            Task::Classification => {
                let (classes, labels) = cells.classes(target)?;
                (classes, labels, None)
            }
            Task::Regression => {
                let name = cells.names[target].clone();
                (vec![name], (0..cells.rows.len()).collect(), Some(cells.numbers(target)?))
            }
        };
        let encoders = (0..cells.names.len())
            .filter(|&column| column != target)
            .map(|column| cells.encoder(column))
            .collect::<Result<Vec<_>>>()?;
        if encoders.is_empty() {
            return Err(Error::file(&cells.path, "only the target column; expected others too"));
        }
        let mut columns = Vec::new();
        for encoder in &encoders {
            encoder.name(&cells.names, &mut columns);
        }
        let mut values = Vec::with_capacity(columns.len() * cells.rows.len());
        for row in &cells.rows {
            for encoder in &encoders {
                encoder.encode(&cells, row, &mut values)?;
            }
        }
        Ok(Self { columns, classes, labels, targets, values })
    }

    /// A table made in memory: `values` row by row, and the number to predict for each row.
    pub(super) fn of_numbers(
        columns: &[&str],
        values: Vec<f32>,
        target: &str,
        targets: Vec<f32>,
    ) -> Self {
        let columns = columns.iter().map(ToString::to_string).collect();
        let labels = (0..targets.len()).collect();
        Self { columns, classes: vec![target.into()], labels, targets: Some(targets), values }
    }
}

impl Table {
    /// Reads rows to predict for, in the order of `columns` (as [`Table::columns`] were in
    /// training). With a header, columns are found by name and others are ignored; without
    /// one, the row must have exactly the columns, or one more at the end: the target.
    ///
    /// # Errors
    ///
    /// As [`Table::read`]; and a column that the table lacks.
    pub fn read_rows(path: impl AsRef<Path>, columns: &[String]) -> Result<Vec<Vec<f32>>> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::parse_rows(path, &bytes, columns)
    }

    /// [`Table::read_rows`] for a file's content already in memory.
    ///
    /// # Errors
    ///
    /// As [`Table::read_rows`].
    pub fn parse_rows(
        path: impl AsRef<Path>,
        bytes: &[u8],
        columns: &[String],
    ) -> Result<Vec<Vec<f32>>> {
        let cells = Cells::parse(path.as_ref(), bytes, Names::Detect)?;
        // `sex=M` is a word column's part: its cells are in column `sex`.
        let source = |column: &String| match column.split_once('=') {
            Some((name, word)) if !cells.names.contains(column) => {
                (name.to_string(), Some(word.to_string()))
            }
            _ => (column.clone(), None),
        };
        let sources: Vec<(String, Option<String>)> = columns.iter().map(source).collect();
        let mut names: Vec<&String> = sources.iter().map(|(name, _)| name).collect();
        names.dedup();
        let place = |name: &String| cells.names.iter().position(|own| own == name);
        let headed = names.iter().all(|name| place(name).is_some());
        let width = cells.names.len();
        if !headed && (cells.headed || ![names.len(), names.len() + 1].contains(&width)) {
            let why = match names.iter().find(|name| place(name).is_none()) {
                Some(name) if cells.headed => format!("no column `{name}`"),
                _ => format!("{width} columns; expected {}", names.len()),
            };
            return Err(Error::file(&cells.path, why));
        }
        let mut rows = Vec::with_capacity(cells.rows.len());
        for row in &cells.rows {
            let mut values = Vec::with_capacity(sources.len());
            for (name, word) in &sources {
                let by_order = || names.iter().position(|own| *own == name);
                let column = if headed { place(name) } else { by_order() }.unwrap_or_default();
                match word {
                    Some(word) => values.push(f32::from(u8::from(&row.cells[column] == word))),
                    None => Encoder::Number(column).encode(&cells, row, &mut values)?,
                }
            }
            rows.push(values);
        }
        Ok(rows)
    }
}

impl Dataset<Example, Error> for Table {
    fn get(&self, index: usize) -> Result<Example> {
        let width = self.columns.len();
        let row = self.values[index * width..][..width].to_vec();
        Ok(Example { input: Input::Row(row), target: self.labels[index], file: None })
    }

    fn len(&self) -> usize {
        self.labels.len()
    }
}

/// The text of every cell, each row as long as the first.
struct Cells {
    path: PathBuf,
    names: Vec<String>,
    /// Whether the names stood in the file.
    headed: bool,
    rows: Vec<Row>,
}

struct Row {
    line: u64,
    cells: StringRecord,
}

impl Cells {
    fn parse(path: &Path, bytes: &[u8], names: Names) -> Result<Self> {
        let mut rows = records(path, bytes)?;
        let [first, ..] = &rows[..] else {
            return Err(Error::file(path, "empty; expected rows of numbers and a class"));
        };
        let headed = match names {
            Names::Detect => looks_like_header(&rows),
            Names::Header => true,
            Names::Given(_) | Names::Numbers => false,
        };
        let names = match names {
            Names::Given(names) => names.to_vec(),
            _ if headed => header(&mut rows),
            _ => (1..=first.cells.len()).map(|number| number.to_string()).collect(),
        };
        if rows.is_empty() {
            return Err(Error::file(path, "only a header; expected rows of numbers and a class"));
        }
        let cells = Self { path: path.into(), names, headed, rows };
        cells.check_shape()?;
        Ok(cells)
    }

    /// Every row has a value in every column.
    fn check_shape(&self) -> Result<()> {
        let width = self.names.len();
        for row in &self.rows {
            let found = row.cells.len();
            if found != width {
                let field = found.min(width) + 1;
                let name = self.names.get(field - 1).cloned().unwrap_or(field.to_string());
                return Err(Error::field(
                    &self.path,
                    row.line,
                    name,
                    format!("the row has {found} fields; expected {width}"),
                ));
            }
            if let Some(column) = row.cells.iter().position(str::is_empty) {
                return Err(self.fault(row, column, "empty; expected a value"));
            }
        }
        Ok(())
    }

    fn fault(&self, row: &Row, column: usize, why: impl std::fmt::Display) -> Error {
        Error::field(&self.path, row.line, &self.names[column], why)
    }

    /// The place of the column that the user means.
    fn target(&self, wanted: Option<&str>) -> Result<usize> {
        let Some(wanted) = wanted else { return Ok(self.names.len() - 1) };
        let by_number = || {
            let number = wanted.parse::<usize>().ok()?;
            (1..=self.names.len()).contains(&number).then(|| number - 1)
        };
        self.names.iter().position(|name| name == wanted).or_else(by_number).ok_or_else(|| {
            let names = self.names.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
            let more = if self.names.len() > 20 { ", ..." } else { "" };
            let path = self.path.display();
            Error::argument(
                "--target",
                format!("no column `{wanted}` in {path}: it has {names}{more}"),
            )
        })
    }

    /// What a person most likely wants to know of column `target`.
    fn task(&self, target: usize) -> Task {
        let words: BTreeSet<&str> = self.rows.iter().map(|row| &row.cells[target]).collect();
        let numbers: Option<Vec<f64>> = words.iter().map(|word| word.parse().ok()).collect();
        let measured = |numbers: &[f64]| {
            numbers.len() > MOST_NUMBERED_CLASSES || numbers.iter().any(|x| x.fract() != 0.0)
        };
        match numbers {
            Some(numbers) if measured(&numbers) => Task::Regression,
            _ => Task::Classification,
        }
    }

    /// The number in column `target` of each row.
    fn numbers(&self, target: usize) -> Result<Vec<f32>> {
        let mut numbers = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            Encoder::Number(target).encode(self, row, &mut numbers)?;
        }
        if numbers.iter().all(|&number| number == numbers[0]) {
            let (only, name) = (&self.rows[0].cells[target], &self.names[target]);
            let why = format!(
                "every row has {} in column {name}; expected different numbers",
                short(only)
            );
            return Err(Error::file(&self.path, why));
        }
        Ok(numbers)
    }

    /// The sorted classes in column `target`, and the class of each row.
    fn classes(&self, target: usize) -> Result<(Vec<String>, Vec<usize>)> {
        let words: BTreeSet<&str> = self.rows.iter().map(|row| &row.cells[target]).collect();
        let numbers: Option<Vec<f64>> = words.iter().map(|word| word.parse().ok()).collect();
        let mut words: Vec<&str> = words.into_iter().collect();
        if let Some(numbers) = numbers {
            if numbers.iter().any(|number| number.fract() != 0.0) {
                let fraction = |row: &&Row| {
                    row.cells[target].parse::<f64>().is_ok_and(|number| number.fract() != 0.0)
                };
                let row = self.rows.iter().find(fraction).unwrap_or(&self.rows[0]);
                let why = format!(
                    "`{}` is a measurement; expected a class, a word or a whole number \
                     (`--target` names another column)",
                    &row.cells[target]
                );
                return Err(self.fault(row, target, why));
            }
            let value = |word: &str| word.parse::<f64>().unwrap_or_default();
            words.sort_by(|a, b| value(a).total_cmp(&value(b)).then(a.cmp(b)));
        }
        if let [only] = words[..] {
            return Err(Error::file(
                &self.path,
                format!(
                    "every row has the class `{only}` in column {}; expected two or more",
                    self.names[target]
                ),
            ));
        }
        let places: std::collections::HashMap<&str, usize> =
            words.iter().enumerate().map(|(place, &word)| (word, place)).collect();
        let labels = self.rows.iter().map(|row| places[&row.cells[target]]).collect();
        Ok((words.into_iter().map(String::from).collect(), labels))
    }

    fn encoder(&self, column: usize) -> Result<Encoder> {
        let is_number = |row: &Row| row.cells[column].parse::<f32>().is_ok();
        if self.rows.iter().any(is_number) {
            return Ok(Encoder::Number(column));
        }
        let words: BTreeSet<&str> = self.rows.iter().map(|row| &row.cells[column]).collect();
        if words.len() > MOST_WORDS {
            return Err(self.fault(
                &self.rows[0],
                column,
                format!(
                    "a column of {} different words; expected numbers, or at most {MOST_WORDS} \
                     words",
                    words.len()
                ),
            ));
        }
        Ok(Encoder::Words(column, words.into_iter().map(String::from).collect()))
    }
}

fn looks_like_header(rows: &[Row]) -> bool {
    let has_number = |row: &Row| row.cells.iter().any(|cell| cell.parse::<f32>().is_ok());
    match rows {
        [first, rest @ ..] => !has_number(first) && rest.first().is_none_or(has_number),
        [] => false,
    }
}

fn header(rows: &mut Vec<Row>) -> Vec<String> {
    rows.remove(0).cells.iter().map(String::from).collect()
}

/// How the text of one column becomes numbers.
enum Encoder {
    Number(usize),
    Words(usize, Vec<String>),
}

impl Encoder {
    fn name(&self, names: &[String], columns: &mut Vec<String>) {
        match self {
            Self::Number(column) => columns.push(names[*column].clone()),
            Self::Words(column, words) => {
                columns.extend(words.iter().map(|word| format!("{}={word}", names[*column])));
            }
        }
    }

    fn encode(&self, cells: &Cells, row: &Row, values: &mut Vec<f32>) -> Result<()> {
        match self {
            Self::Number(column) => {
                let cell = &row.cells[*column];
                let value: f32 = cell.parse().map_err(|_| {
                    cells.fault(row, *column, format!("`{}`; expected a number", short(cell)))
                })?;
                if !value.is_finite() {
                    let why = format!("`{}`; expected a finite number", short(cell));
                    return Err(cells.fault(row, *column, why));
                }
                values.push(value);
            }
            Self::Words(column, words) => {
                let cell = &row.cells[*column];
                values.extend(words.iter().map(|word| f32::from(u8::from(word == cell))));
            }
        }
        Ok(())
    }
}

/// The rows that are not blank, with their lines.
fn records(path: &Path, bytes: &[u8]) -> Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(separator(bytes))
        .from_reader(bytes);
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| Error::file(path, error))? {
        let start = record.position().map_or(0, csv::Position::byte) as usize;
        let line = record.position().map_or(0, csv::Position::line) + blank_lines(&bytes[start..]);
        let cells = StringRecord::from_byte_record(record.clone()).map_err(|error| {
            let field = error.utf8_error().field() + 1;
            Error::field(path, line, field, "not UTF-8; expected UTF-8 text")
        })?;
        // A line of nothing but spaces.
        if cells.len() == 1 && cells[0].is_empty() {
            continue;
        }
        rows.push(Row { line, cells });
    }
    Ok(rows)
}

/// Lines without any character, which the CSV parser skips without moving a row's position.
fn blank_lines(bytes: &[u8]) -> u64 {
    let ends = bytes.iter().take_while(|&&b| b == b'\n' || b == b'\r');
    ends.filter(|&&b| b == b'\n').count() as u64
}

fn separator(bytes: &[u8]) -> u8 {
    let first = bytes.split(|&b| b == b'\n').find(|line| !line.trim_ascii().is_empty());
    let count = |separator: u8| first.map_or(0, |l| l.iter().filter(|&&b| b == separator).count());
    // The comma last: of equals, `max_by_key` returns the last.
    *b"\t;,".iter().max_by_key(|&&separator| count(separator)).unwrap_or(&b',')
}

/// The beginning of a cell, for a message of one line.
fn short(cell: &str) -> String {
    let mut text: String = cell.chars().take(40).collect();
    if text.len() < cell.len() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
