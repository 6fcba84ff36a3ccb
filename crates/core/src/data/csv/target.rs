//! The column to predict: classes or numbers.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::cells::Cells;
use super::number::{is_missing_number, number};
use super::records::Row;
use super::schema::{finite, shown};
use crate::{Error, Result};

/// A target of whole numbers holds at most this many classes; where there are more different
/// ones, they are taken for measurements unless a person says otherwise.
const MOST_NUMBERED_CLASSES: usize = 20;

/// More classes than this, and than half of the rows, are names of single rows.
const FEW_CLASSES: usize = 20;

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

/// Leaves rows out that do not say what is to be learnt.
pub(super) fn without_target(cells: &mut Cells, target: usize) -> Vec<String> {
    let known = || cells.column(target).filter(|cell| !is_missing_number(cell));
    // A class may be called `NA`, a number not.
    let numbers = known().all(|cell| number(cell, cells.decimal, true).is_some());
    let lacks = |cell: &str| if numbers { is_missing_number(cell) } else { cell.is_empty() };
    let mut skipped = Vec::new();
    cells.rows.retain(|row| {
        let lacks = lacks(&row.cells[target]);
        if lacks {
            skipped.push(format!("line {}: no value in `{}`", row.line, cells.names[target]));
        }
        !lacks
    });
    skipped
}

/// What a person most likely wants to know of column `target`.
pub(super) fn guess(cells: &Cells, target: usize) -> Task {
    let words: BTreeSet<&str> = cells.column(target).collect();
    let percent = cells.is_percent(target);
    let number = |word: &&str| number(word, cells.decimal, percent);
    let numbers: Option<Vec<f64>> = words.iter().map(number).collect();
    let measured = |numbers: &[f64]| {
        numbers.len() > MOST_NUMBERED_CLASSES || numbers.iter().any(|x| x.fract() != 0.0)
    };
    match numbers {
        Some(numbers) if measured(&numbers) => Task::Regression,
        _ => Task::Classification,
    }
}

/// The number in column `target` of each row; they must differ where they are learnt from.
pub(super) fn numbers(cells: &Cells, target: usize, differ: bool) -> Result<Vec<f64>> {
    let percent = cells.is_percent(target);
    let mut numbers = Vec::with_capacity(cells.rows.len());
    for row in &cells.rows {
        let number = finite(&row.cells[target], cells.decimal, percent);
        numbers.push(number.map_err(|why| cells.fault(row, target, why))?);
    }
    if differ && numbers.iter().all(|&number| number == numbers[0]) {
        let (only, name) = (&cells.rows[0].cells[target], &cells.names[target]);
        let only = shown(only);
        let why = format!("every row has {only} in column {name}; expected different numbers");
        return Err(Error::file(&cells.path, why));
    }
    Ok(numbers)
}

/// The class of each row, where the classes are known.
pub(super) fn known_labels(cells: &Cells, target: usize, classes: &[String]) -> Result<Vec<usize>> {
    let places: HashMap<&str, usize> =
        classes.iter().enumerate().map(|(place, class)| (&class[..], place)).collect();
    let label = |row: &Row| {
        let own = &row.cells[target];
        places.get(own).copied().ok_or_else(|| {
            let known: Vec<String> = classes.iter().take(6).map(|class| shown(class)).collect();
            let more = if classes.len() > 6 { ", ..." } else { "" };
            let known = known.join(", ");
            let why = format!("`{}`; expected one of the run's classes {known}{more}", shown(own));
            cells.fault(row, target, why)
        })
    };
    cells.rows.iter().map(label).collect()
}

/// The sorted classes in column `target`, and the class of each row.
pub(super) fn classes(cells: &Cells, target: usize) -> Result<(Vec<String>, Vec<usize>)> {
    let words: BTreeSet<&str> = cells.column(target).collect();
    let of = |word: &str| number(word, cells.decimal, false);
    let numbers: Option<Vec<f64>> = words.iter().map(|word| of(word)).collect();
    let mut words: Vec<&str> = words.into_iter().collect();
    if let Some(numbers) = numbers {
        if numbers.iter().any(|number| number.fract() != 0.0) {
            let fraction =
                |row: &&Row| of(&row.cells[target]).is_some_and(|number| number.fract() != 0.0);
            let row = cells.rows.iter().find(fraction).unwrap_or(&cells.rows[0]);
            let why = format!(
                "`{}` is a measurement; expected a class, a word or a whole number (`--target` \
                 names another column)",
                &row.cells[target]
            );
            return Err(cells.fault(row, target, why));
        }
        let value = |word: &str| of(word).unwrap_or_default();
        words.sort_by(|a, b| value(a).total_cmp(&value(b)).then(a.cmp(b)));
    }
    let (rows, name) = (cells.rows.len(), &cells.names[target]);
    if let [only] = words[..] {
        let why = format!(
            "every row has the class `{}` in column {name}; expected two or more",
            shown(only)
        );
        return Err(Error::file(&cells.path, why));
    }
    if words.len() > FEW_CLASSES && words.len() * 2 > rows {
        let why = format!(
            "{} different values in the {rows} rows of column {name}; expected classes (`--target` \
             names another column)",
            words.len()
        );
        return Err(Error::file(&cells.path, why));
    }
    let places: HashMap<&str, usize> =
        words.iter().enumerate().map(|(place, &word)| (word, place)).collect();
    let labels = cells.column(target).map(|cell| places[cell]).collect();
    Ok((words.into_iter().map(String::from).collect(), labels))
}
