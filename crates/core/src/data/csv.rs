//! Reads a table of examples from a text file of cells: one row an example, one column its class
//! or the number to predict.

mod cells;
mod columns;
mod header;
mod number;
mod records;
mod schema;
mod sheet;
mod target;

use std::collections::BTreeSet;
use std::path::Path;

use burn_dataset::Dataset;

use super::example::{Example, Input};
use crate::{Error, Result};
use cells::Cells;
use columns::{feature, useless};
use number::is_missing;
use sheet::encoded;
use target::{classes, guess, known_labels, numbers, without_target};

pub use cells::{Names, TableOptions};
pub use number::Decimal;
pub use records::separator;
pub use schema::{Column, Holds, Role, Schema};
pub use sheet::Sheet;
pub use target::Task;

/// The examples of a table.
///
/// - Separator, header and decimal sign are found by content; see [`TableOptions`].
/// - The target column holds the classes: words, or whole numbers. Classes are sorted, by
///   value where all of them are numbers. Rows without a target are left out.
/// - In a regression it holds the numbers to predict. Unless a [`Task`] is asked for, that is
///   so where every cell is a number and one has a fraction or more than 20 are different.
/// - Any other column holds numbers; or words, each of which becomes a column called
///   `column=word`, with 1 where the row has that word, else 0. Where more than 256 words differ
///   they are hashed into 64 columns. Identifiers and free text are ignored.
/// - What is missing becomes the median or the most frequent word of the rows that are trained
///   on, and 1 in one more column, called `column missing`.
#[derive(Clone, Debug)]
pub struct Table {
    /// The name of each number of a row.
    pub columns: Vec<String>,
    /// What the columns of the file are.
    pub schema: Schema,
    /// The classes, sorted; in a regression the target column's name.
    pub classes: Vec<String>,
    /// The class of each row; in a regression its place in `targets`.
    pub labels: Vec<usize>,
    /// In a regression the number to predict for each row.
    pub targets: Option<Vec<f64>>,
    /// Rows that were left out, one line each.
    pub skipped: Vec<String>,
    values: Vec<f64>,
}

impl Table {
    /// Takes the content of a file, all of whose rows are trained on; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// Names file, line and field of a row with another number of fields, a word among numbers,
    /// a number that is not finite, or text that is not UTF-8; and the file, when it has no
    /// rows, a target that is always the same, or no such target.
    pub fn parse(
        path: impl AsRef<Path>,
        bytes: &[u8],
        names: Names,
        target: Option<&str>,
        task: Option<Task>,
        options: &TableOptions,
    ) -> Result<Self> {
        let draft = Draft::parse(path.as_ref(), bytes, names, target, task, options)?;
        let all: Vec<usize> = (0..draft.labels.len()).collect();
        draft.table(&all)
    }

    /// A table made in memory: `values` row by row, and the number to predict for each row.
    pub(super) fn of_numbers(
        columns: &[&str],
        values: Vec<f64>,
        target: &str,
        targets: Vec<f64>,
    ) -> Self {
        let of = |place: usize| values[place..].iter().step_by(columns.len()).copied().collect();
        let named = columns.iter().enumerate();
        let mut own: Vec<Column> =
            named.map(|(place, name)| Column::number(name, Role::Feature, of(place))).collect();
        own.push(Column::number(target, Role::Target, targets.clone()));
        let schema =
            Schema { header: Some(true), delimiter: ',', decimal: Decimal::Point, columns: own };
        Self {
            columns: schema.names(),
            schema,
            classes: vec![target.into()],
            labels: (0..targets.len()).collect(),
            targets: Some(targets),
            skipped: Vec::new(),
            values,
        }
    }

    /// Reads rows to predict for, as numbers in the order of `columns`, which the schema makes of
    /// the file's; without one they are taken for themselves. The file's columns are found by
    /// name and others are ignored. A file without a header has all columns of the training's
    /// file, or those without the target, or the features alone, in their order. Words that the
    /// training did not have are told.
    ///
    /// # Errors
    ///
    /// As [`Table::parse`]; and a column that the table lacks.
    pub fn read_rows(
        path: impl AsRef<Path>,
        columns: &[String],
        schema: Option<&Schema>,
    ) -> Result<Vec<Vec<f64>>> {
        Ok(Sheet::read(path.as_ref(), columns, schema)?.rows)
    }

    /// [`Table::read_rows`] for a file's content already in memory.
    ///
    /// # Errors
    ///
    /// As [`Table::read_rows`].
    pub fn parse_rows(
        path: impl AsRef<Path>,
        bytes: &[u8],
        schema: &Schema,
    ) -> Result<Vec<Vec<f64>>> {
        Ok(Sheet::parse(path.as_ref(), bytes.into(), schema)?.rows)
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

/// A table whose target is known, while it is open which rows are trained on.
pub(super) struct Draft {
    cells: Cells,
    options: TableOptions,
    target: usize,
    classes: Vec<String>,
    /// The class of each row; in a regression its place in `targets`.
    labels: Vec<usize>,
    targets: Option<Vec<f64>>,
    skipped: Vec<String>,
}

impl Draft {
    /// Reads the table at `path`, whose columns are called as `names` says. The target column is
    /// named, or counted from 1; unless said it is the one called `target`, `label` or `class`,
    /// or the last one.
    pub fn read(
        path: &Path,
        names: Names,
        target: Option<&str>,
        task: Option<Task>,
        options: &TableOptions,
    ) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::parse(path, &bytes, names, target, task, options)
    }

    fn parse(
        path: &Path,
        bytes: &[u8],
        names: Names,
        target: Option<&str>,
        task: Option<Task>,
        options: &TableOptions,
    ) -> Result<Self> {
        let mut cells = Cells::parse(path, bytes, names, options)?;
        let schema = options.schema.as_ref();
        let target = match schema {
            Some(schema) => cells.target_of(schema)?,
            None => cells.target(target)?,
        };
        let task = match schema {
            Some(schema) if schema.classes().is_some() => Some(Task::Classification),
            Some(_) => Some(Task::Regression),
            None => task,
        };
        let skipped = without_target(&mut cells, target);
        if cells.rows.is_empty() {
            let name = &cells.names[target];
            let why = format!("no row has a value in `{name}` (`--target` names another column)");
            return Err(Error::file(path, why));
        }
        let (classes, labels, targets) = match task.unwrap_or_else(|| guess(&cells, target)) {
            Task::Classification => {
                let (classes, labels) = match schema.and_then(Schema::classes) {
                    Some(classes) => (classes.to_vec(), known_labels(&cells, target, classes)?),
                    None => classes(&cells, target)?,
                };
                (classes, labels, None)
            }
            Task::Regression => {
                let own = schema.and_then(|schema| schema.of(Role::Target).next());
                let name = own.map_or(&cells.names[target], |(_, own)| &own.name).clone();
                let numbers = numbers(&cells, target, schema.is_none())?;
                (vec![name], (0..cells.rows.len()).collect(), Some(numbers))
            }
        };
        let options = options.clone();
        Ok(Self { cells, options, target, classes, labels, targets, skipped })
    }

    /// What the rows are split by: their classes; numbers as one class would be.
    pub fn labels(&self) -> Vec<usize> {
        match self.targets {
            Some(_) => vec![0; self.labels.len()],
            None => self.labels.clone(),
        }
    }

    /// Makes numbers of the cells, as the rows at `train` tell, or a schema that is known.
    pub fn table(self, train: &[usize]) -> Result<Table> {
        let (schema, places) = match &self.options.schema {
            Some(schema) => (schema.clone(), self.cells.places(schema, true)?),
            None => (self.schema(train)?, (0..self.cells.names.len()).map(Some).collect()),
        };
        let values = encoded(&self.cells, &schema, &places)?.concat();
        let Self { classes, labels, targets, skipped, .. } = self;
        Ok(Table { columns: schema.names(), schema, classes, labels, targets, skipped, values })
    }

    /// What the columns are.
    fn schema(&self, train: &[usize]) -> Result<Schema> {
        let cells = &self.cells;
        let place = |flag, name: &String| cells.place(flag, name);
        let ignore = self.options.ignore.as_ref().map(|names| {
            names.iter().map(|name| place("--ignore", name)).collect::<Result<BTreeSet<_>>>()
        });
        let ignore = ignore.transpose()?;
        let categorical = &self.options.categorical;
        let categorical = categorical.iter().map(|name| place("--categorical", name));
        let categorical = categorical.collect::<Result<BTreeSet<_>>>()?;
        let column = |at: usize| {
            let name = &cells.names[at];
            if at == self.target {
                return match &self.targets {
                    Some(targets) => Column::number(name, Role::Target, targets.clone()),
                    None => Column::words(name, Role::Target, self.classes.clone()),
                };
            }
            let why = match &ignore {
                Some(ignore) => ignore.contains(&at).then(|| "`--ignore`".into()),
                None if categorical.contains(&at) => None,
                None => useless(cells, at),
            };
            match why {
                Some(why) => {
                    let (role, holds) = (Role::Ignored, Holds::Other { why });
                    let missing = cells.column(at).filter(|cell| is_missing(cell)).count();
                    Column { name: name.clone(), role, holds, missing }
                }
                None => feature(cells, at, train, categorical.contains(&at)),
            }
        };
        let columns: Vec<Column> = (0..cells.names.len()).map(column).collect();
        if columns.len() == 1 {
            return Err(Error::file(&cells.path, "only the target column; expected others too"));
        }
        let ignored = |column: &Column| match &column.holds {
            Holds::Other { why } => Some(format!("`{}`: {why}", column.name)),
            _ => None,
        };
        let reasons: Vec<String> = columns.iter().filter_map(ignored).take(3).collect();
        if !columns.iter().any(|column| column.role == Role::Feature) {
            let why = format!(
                "no column is left to learn from (`--ignore none` keeps all): {}",
                reasons.join("; ")
            );
            return Err(Error::file(&cells.path, why));
        }
        let (delimiter, decimal) = (cells.delimiter, cells.decimal);
        Ok(Schema { header: Some(cells.headed), delimiter, decimal, columns })
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
