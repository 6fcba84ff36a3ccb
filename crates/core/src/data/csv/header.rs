//! Whether the first row of a table names its columns.

use std::collections::HashMap;

use super::number::{Decimal, is_missing_number, number};
use super::records::Row;

/// Rows that the first is compared with.
const SAMPLE: usize = 1_000;

/// What a word above numbers is worth, and a number above numbers with the other sign.
const NUMBERS: f64 = 4.0;

/// What a word is worth that stands in the rows too, as a name rarely does.
const KNOWN: f64 = -4.0;

/// A header is unlike the rows below it: words stand above numbers, or words that no row has
/// where the rows say the same few again and again.
pub(super) fn looks_like_header(rows: &[Row], decimal: Decimal) -> bool {
    let [first, rest @ ..] = rows else { return false };
    let is_number = |cell: &str| number(cell, decimal, true).is_some();
    if rest.is_empty() {
        return !first.cells.iter().any(is_number);
    }
    let rest = &rest[..rest.len().min(SAMPLE)];
    let counted = is_count(first);
    let column = |place: usize| {
        let name = &first.cells[place];
        let cells = || rest.iter().filter_map(|row| row.cells.get(place));
        let known = || cells().filter(|cell| !is_missing_number(cell));
        let numbers = known().filter(|cell| is_number(cell)).count();
        let few_words = numbers > 0 && numbers * 20 >= known().count() * 19;
        match (few_words, is_number(name)) {
            // `0`, `1`, `2` name the columns of a table that has no other names.
            (_, true) if counted => 0.0,
            (true, true) => -NUMBERS,
            (true, false) if is_missing_number(name) => 0.0,
            (true, false) => NUMBERS,
            (false, true) => -NUMBERS / 2.0,
            (false, false) => surprise(name, cells()),
        }
    };
    (0..first.cells.len()).map(column).sum::<f64>() > 2.0
}

/// How surprising a word would be as one more of a column's: the part of values that are new is
/// that of values seen once (Good 1953), and the logarithm adds up over columns.
fn surprise<'a>(name: &str, cells: impl Iterator<Item = &'a str>) -> f64 {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut all = 0.0;
    for cell in cells {
        *counts.entry(cell).or_default() += 1;
        all += 1.0;
    }
    if counts.contains_key(name) {
        return KNOWN;
    }
    let once = counts.values().filter(|&&count| count == 1).count() as f64;
    ((all + 1.0) / (once + 1.0)).ln()
}

/// Whether all numbers of a row, two or more, count its columns from 0 or 1, or years.
fn is_count(row: &Row) -> bool {
    let cells = row.cells.iter().enumerate();
    let numbers: Vec<(f64, f64)> =
        cells.filter_map(|(place, cell)| Some((place as f64, cell.parse().ok()?))).collect();
    let [(place, first), _, ..] = numbers[..] else { return false };
    let starts = first == place || first == place + 1.0 || (1900.0..2100.0).contains(&first);
    starts && numbers.iter().all(|&(at, number)| number - first == at - place)
}
