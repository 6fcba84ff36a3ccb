//! Which columns a model sees, and what stands in them.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::Cells;
use super::number::{is_missing, is_missing_number, number};
use super::schema::{BUCKETS, Column, Holds, Role};

/// The most different words of which each becomes a column of its own.
const MOST_WORDS: usize = 256;

/// A column of more different words than this, and than half of the rows, is an identifier or
/// free text.
const FEW_WORDS: usize = 20;

/// Why a column is ignored unless a person wants it: it is empty, or an identifier, or text.
pub(super) fn useless(cells: &Cells, at: usize) -> Option<String> {
    let known: Vec<&str> = cells.column(at).filter(|cell| !is_missing(cell)).collect();
    if known.is_empty() {
        return Some("no value in any row".into());
    }
    let different = known.iter().collect::<BTreeSet<_>>().len();
    if different * 2 <= known.len() {
        return None;
    }
    let whole = |cell: &&str| {
        number(cell, cells.decimal, false).is_some_and(|number| number.fract() == 0.0)
    };
    let (count, rows) = (known.len(), "`--ignore none` keeps it");
    let numbers = holds_numbers(cells, at);
    let counts = || known.iter().zip(1..).all(|(cell, row)| cell.parse() == Ok(row));
    let unnamed = !cells.headed && at == 0 && cells.names.len() > 3 && count >= 10 && counts();
    let named = is_identifier(&cells.names[at]) && (!numbers || known.iter().all(whole));
    if named || unnamed {
        return Some(format!("an identifier, {different} different values; {rows}"));
    }
    (!numbers && different > FEW_WORDS)
        .then(|| format!("{different} different words in {count} rows; {rows}"))
}

/// Whether a column is called as identifiers are.
fn is_identifier(name: &str) -> bool {
    let lower = name.to_lowercase();
    let ends = ["_id", " id", "-id", ".id"].iter().any(|end| lower.ends_with(end));
    let camel = ["Id", "ID"].iter().any(|end| {
        let before = name.strip_suffix(end).and_then(|rest| rest.chars().last());
        before.is_some_and(char::is_lowercase)
    });
    let whole = ["id", "index", "uuid", "guid", "rowid", "rownames", "unnamed: 0"];
    ends || camel || whole.contains(&&lower[..])
}

/// Whether a column holds numbers. A word or two among them are faults, not words to learn.
fn holds_numbers(cells: &Cells, at: usize) -> bool {
    let percent = cells.is_percent(at);
    let (mut count, mut known, mut odd) = (0, 0, BTreeSet::new());
    for cell in cells.column(at).filter(|cell| !is_missing_number(cell)) {
        known += 1;
        match number(cell, cells.decimal, percent) {
            Some(_) => count += 1,
            None if odd.len() < 2 => drop(odd.insert(cell)),
            None => {}
        }
    }
    count > 0 && (odd.len() < 2 || (known - count) * 20 <= known)
}

/// A column that a model sees, as the rows at `train` tell.
pub(super) fn feature(cells: &Cells, at: usize, train: &[usize], categorical: bool) -> Column {
    let name = &cells.names[at];
    let trained = || train.iter().map(|&row| &cells.rows[row].cells[at]);
    let percent = cells.is_percent(at);
    let mut column = if !categorical && holds_numbers(cells, at) {
        let number =
            |cell: &str| number(cell, cells.decimal, percent).filter(|&x| (x as f32).is_finite());
        let numbers = trained().filter_map(number).collect();
        let mut column = Column::number(name, Role::Feature, numbers);
        if let Holds::Number { percent: own, .. } = &mut column.holds {
            *own = percent;
        }
        column
    } else {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for cell in trained().filter(|cell| !is_missing(cell)) {
            *counts.entry(cell).or_default() += 1;
        }
        let different = counts.len();
        if different > MOST_WORDS {
            let holds = Holds::Hashed { buckets: BUCKETS, different };
            Column { name: name.clone(), role: Role::Feature, holds, missing: 0 }
        } else {
            // The first of the most frequent, since the last of equals is taken.
            let most = counts.values().rev().enumerate().max_by_key(|&(_, count)| count);
            let mode = most.map_or(0, |(from_end, _)| different - 1 - from_end);
            let values = counts.into_keys().map(String::from).collect();
            let holds = Holds::Words { values, mode };
            Column { name: name.clone(), role: Role::Feature, holds, missing: 0 }
        }
    };
    column.missing = cells.column(at).filter(|cell| column.lacks(cell)).count();
    column
}
