//! What a table's columns are, and how a row of cells becomes a row of numbers: measured on the
//! rows that are trained on, kept with the model.

use serde::{Deserialize, Serialize};
use std::ops::Range;

use super::number::{Decimal, is_missing, is_missing_number, number};
use crate::progress::grouped;

/// How many numbers a column of too many words becomes.
pub(super) const BUCKETS: usize = 64;

/// A table's columns in the order of the file, and how the file is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// Whether the first row names the columns; not known of runs from before there was a schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// What separates the cells; a blank for any number of blanks.
    pub delimiter: char,
    /// What stands before the fraction of a number.
    pub decimal: Decimal,
    /// The columns.
    pub columns: Vec<Column>,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// What it is called; its number, counted from 1, where there is no header.
    pub name: String,
    /// What it is used for.
    pub role: Role,
    /// What stands in it.
    #[serde(flatten)]
    pub holds: Holds,
    /// Rows that have no value in it.
    #[serde(default)]
    pub missing: usize,
}

/// What a column is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A model sees it.
    Feature,
    /// A model predicts it.
    Target,
    /// A model sees nothing of it.
    Ignored,
}

/// What stands in a column, as the rows tell that are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Holds {
    /// Numbers.
    Number {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
        /// What stands for one that is missing.
        median: f64,
        /// Whether each has a percent sign.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        percent: bool,
    },
    /// A few words: each becomes a number that is 1 or 0. Of the target they are the classes.
    Words {
        /// All of them, sorted.
        values: Vec<String>,
        /// What stands for one that is missing: the place of the most frequent.
        mode: usize,
    },
    /// Too many words for that: each is 1 in one of a few places, which others may share.
    Hashed {
        /// How many places.
        buckets: usize,
        /// How many different words there were.
        different: usize,
    },
    /// It is not looked into.
    Other {
        /// Why it is ignored.
        why: String,
    },
}

/// A row's numbers could not be made.
pub(super) struct Fault {
    /// The place of the column in the schema.
    pub column: usize,
    pub why: String,
}

impl Schema {
    /// The schema of runs that kept the names of their numbers alone, `size` or `sex=F`, and what
    /// they predict: `classes`, or without them a number.
    pub fn of_names(names: &[String], target: &str, classes: Option<&[String]>) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        for name in names {
            let (name, word) =
                name.split_once('=').map_or((&name[..], None), |(a, b)| (a, Some(b)));
            match (columns.last_mut(), word) {
                (
                    Some(Column { name: own, holds: Holds::Words { values, .. }, .. }),
                    Some(word),
                ) if own == name => {
                    values.push(word.into());
                }
                (_, Some(word)) => {
                    columns.push(Column::words(name, Role::Feature, vec![word.into()]));
                }
                (_, None) => columns.push(Column::number(name, Role::Feature, [].into())),
            }
        }
        columns.push(match classes {
            Some(classes) => Column::words(target, Role::Target, classes.to_vec()),
            None => Column::number(target, Role::Target, [].into()),
        });
        Self { header: None, delimiter: ',', decimal: Decimal::Point, columns }
    }

    /// The columns of one role, with their places.
    pub fn of(&self, role: Role) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(move |(_, column)| column.role == role)
    }

    /// The target's classes; none in a regression.
    pub fn classes(&self) -> Option<&[String]> {
        match self.of(Role::Target).next() {
            Some((_, Column { holds: Holds::Words { values, .. }, .. })) => Some(values),
            _ => None,
        }
    }

    /// The same with other classes, as a person may have added some.
    pub fn with_classes(mut self, classes: &[String]) -> Self {
        for column in &mut self.columns {
            if let (Role::Target, Holds::Words { values, .. }) = (column.role, &mut column.holds) {
                *values = classes.to_vec();
            }
        }
        self
    }

    /// The name of each number of a row.
    pub fn names(&self) -> Vec<String> {
        self.of(Role::Feature).flat_map(|(_, column)| column.names()).collect()
    }

    /// The columns that a model sees, each with its places among the numbers of a row.
    pub fn spans(&self) -> Vec<(&str, Range<usize>)> {
        let mut end = 0;
        let span = |(_, column): (usize, &'_ Column)| {
            let start = end;
            end += column.names().len();
            start..end
        };
        let spans: Vec<Range<usize>> = self.of(Role::Feature).map(span).collect();
        self.of(Role::Feature).map(|(_, column)| &column.name[..]).zip(spans).collect()
    }

    /// The numbers of one row, whose cells are found by a column's place. `unseen` is told the
    /// place of a column whose word the training rows did not have.
    pub(super) fn encode<'a>(
        &self,
        cell: impl Fn(usize) -> &'a str,
        values: &mut Vec<f64>,
        mut unseen: impl FnMut(usize),
    ) -> Result<(), Fault> {
        for (place, column) in self.of(Role::Feature) {
            let cell = cell(place);
            let absent = column.lacks(cell);
            let fault = |why: String| Fault { column: place, why };
            if absent && column.missing == 0 {
                let what = if cell.is_empty() { "empty".into() } else { format!("`{cell}`") };
                let why = "expected a value: no row that was trained on lacked it";
                return Err(fault(format!("{what}; {why}")));
            }
            match &column.holds {
                Holds::Number { median, .. } if absent => values.push(*median),
                Holds::Number { percent, .. } => {
                    values.push(finite(cell, self.decimal, *percent).map_err(fault)?);
                }
                Holds::Words { values: words, mode } => {
                    let own = match absent {
                        true => Some(*mode),
                        false => words.iter().position(|word| word == cell),
                    };
                    if own.is_none() {
                        unseen(place);
                    }
                    values.extend((0..words.len()).map(|word| f64::from(Some(word) == own)));
                }
                Holds::Hashed { buckets, .. } => {
                    let own = bucket(cell, *buckets);
                    let is_own = |at: usize| f64::from(!absent && at == own);
                    values.extend((0..*buckets).map(is_own));
                }
                Holds::Other { .. } => values.push(0.0),
            }
            if column.missing > 0 {
                values.push(f64::from(absent));
            }
        }
        Ok(())
    }

    /// The numbers of a row whose cells are found by name, as the programming interface takes
    /// one. What is not found is missing.
    ///
    /// # Errors
    /// Names the column whose value is of no use.
    pub fn row(&self, cell: impl Fn(&str) -> Option<String>) -> Result<Vec<f64>, String> {
        let cells: Vec<String> =
            self.columns.iter().map(|column| cell(&column.name).unwrap_or_default()).collect();
        let mut values = Vec::new();
        match self.encode(|place| cells[place].trim(), &mut values, |_| {}) {
            Ok(()) => Ok(values),
            Err(Fault { column, why }) => Err(format!("{}: {why}", self.columns[column].name)),
        }
    }

    /// For a person: one line on the file and one for each column.
    pub fn lines(&self) -> Vec<String> {
        let header = match self.header {
            Some(true) => "its first row is a header",
            Some(false) => "no header",
            None => "a header where one is found",
        };
        let delimiter = match self.delimiter {
            ' ' => "blanks".into(),
            '\t' => "tabs".into(),
            mark => format!("`{mark}`"),
        };
        let decimal = match self.decimal {
            Decimal::Point => "point",
            Decimal::Comma => "comma",
        };
        let mut lines =
            vec![format!("table: {header}, cells between {delimiter}, decimal {decimal}")];
        let wide = self.columns.iter().map(|column| shown(&column.name).chars().count());
        let wide = wide.max().unwrap_or(0).max("column".len());
        lines.push(format!("  {:wide$}  role     type    missing  values", "column"));
        for column in &self.columns {
            let Column { name, role, holds, missing } = column;
            let role = match role {
                Role::Feature => "feature",
                Role::Target => "target",
                Role::Ignored => "ignored",
            };
            let kind = match holds {
                Holds::Number { .. } => "number",
                Holds::Words { .. } | Holds::Hashed { .. } => "words",
                Holds::Other { .. } => "",
            };
            let (name, missing) = (shown(name), grouped(*missing));
            lines
                .push(format!("  {name:wide$}  {role:7}  {kind:6}  {missing:>7}  {}", told(holds)));
        }
        lines
    }
}

impl Column {
    /// The name of each number that a cell becomes.
    fn names(&self) -> Vec<String> {
        let Self { name, holds, missing, .. } = self;
        let mut names: Vec<String> = match holds {
            Holds::Words { values, .. } => {
                values.iter().map(|word| format!("{name}={word}")).collect()
            }
            Holds::Hashed { buckets, .. } => {
                (1..=*buckets).map(|bucket| format!("{name}#{bucket}")).collect()
            }
            Holds::Number { .. } | Holds::Other { .. } => vec![name.clone()],
        };
        if *missing > 0 {
            names.push(format!("{name} missing"));
        }
        names
    }

    /// A column of these numbers, none of them missing.
    pub(super) fn number(name: &str, role: Role, mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let at = |place: usize| numbers.get(place).copied().unwrap_or_default();
        let (last, half) = (numbers.len().saturating_sub(1), numbers.len() / 2);
        let median = match numbers.len() % 2 {
            0 => at(half.saturating_sub(1)) / 2.0 + at(half) / 2.0,
            _ => at(half),
        };
        let holds = Holds::Number { min: at(0), max: at(last), median, percent: false };
        Self { name: name.into(), role, holds, missing: 0 }
    }

    /// A column of these words, none of them missing.
    pub(super) fn words(name: &str, role: Role, values: Vec<String>) -> Self {
        Self { name: name.into(), role, holds: Holds::Words { values, mode: 0 }, missing: 0 }
    }

    /// Whether a cell says that there is no value.
    pub(super) fn lacks(&self, cell: &str) -> bool {
        match (self.role, &self.holds) {
            // A class may be called `NA`.
            (Role::Target, Holds::Words { .. }) => cell.is_empty(),
            (_, Holds::Number { .. }) => is_missing_number(cell),
            _ => is_missing(cell),
        }
    }
}

/// A number that a model can take, which calculates in 32 bits.
pub(super) fn finite(cell: &str, decimal: Decimal, percent: bool) -> Result<f64, String> {
    // In a column of percentages one may stand without its sign.
    match number(cell, decimal, percent) {
        Some(number) if (number as f32).is_finite() => Ok(number),
        Some(_) => Err(format!("`{}`; expected a finite number", shown(cell))),
        None => Err(format!("`{}`; expected a number", shown(cell))),
    }
}

/// The place of a word among so many: FNV-1a, the same on every machine.
fn bucket(word: &str, buckets: usize) -> usize {
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % buckets.max(1) as u64) as usize
}

/// A column's range or values in a few words.
fn told(holds: &Holds) -> String {
    match holds {
        Holds::Number { min, max, median, percent } => {
            let unit = if *percent { " %" } else { "" };
            let [min, max, median] = [min, max, median].map(|&number| rounded(number));
            format!("{min} to {max}{unit}, median {median}")
        }
        Holds::Words { values, .. } => {
            let first: Vec<String> = values.iter().take(6).map(|word| shown(word)).collect();
            let more = values.len().saturating_sub(first.len());
            match more {
                0 => first.join(", "),
                _ => format!("{} and {} more", first.join(", "), grouped(more)),
            }
        }
        Holds::Hashed { buckets, different } => {
            format!("{} different, hashed into {buckets} columns", grouped(*different))
        }
        Holds::Other { why, .. } => why.clone(),
    }
}

/// Six digits of a number, or all of a whole one.
fn rounded(number: f64) -> f64 {
    let unit = 10f64.powi(5 - number.abs().log10().floor().clamp(-300.0, 5.0) as i32);
    if number.fract() == 0.0 { number } else { (number * unit).round() / unit }
}

/// The beginning of a cell, for a message of one line.
pub(super) fn shown(cell: &str) -> String {
    let mut text: String = cell.chars().take(40).collect();
    if text.len() < cell.len() {
        text.push_str("...");
    }
    text.replace(['\n', '\r'], " ")
}
