//! A table of texts: how it is laid out, which column holds the text and which one the label.

use super::sheet::Sheet;
use crate::config::{Columns, DataChoice};
use crate::text;
use std::collections::BTreeSet;
use std::path::Path;
use tenfold_core::{Error, Result};

/// Names of a column of labels, where a table has just one of that name.
const LABELS: [&str; 7] =
    ["label", "labels", "class", "category", "sentiment", "target", "\u{6807}\u{7b7e}"];
/// Names of a column of texts.
const TEXTS: [&str; 8] =
    ["text", "texts", "sentence", "review", "comment", "message", "content", "\u{6587}\u{672c}"];
/// Of fewer rows nothing can be said about how often labels occur.
const FEW: usize = 10;

/// A table's labels and texts.
pub(super) struct Labelled {
    /// Label and text of each row.
    pub rows: Vec<(String, String)>,
    /// How the table was read.
    pub columns: Columns,
    /// What was guessed, in one line.
    pub said: Option<String>,
}

/// Reads a table to learn from. What `asked` leaves open is found by content: the label is the
/// column whose values repeat, the text the one of the longest values, and the first row is a
/// header where no other row has its label.
///
/// # Errors
/// A file that cannot be read, a row of another width or with an empty cell, no such column.
pub(super) fn labelled(path: &Path, choice: &DataChoice) -> Result<Labelled> {
    let asked = &choice.columns;
    // Of other data than the run's, its columns are asked for.
    let flags = if choice.unseen { ["--data"; 2] } else { ["--text", "--target"] };
    let text = text::read(path)?;
    let sheet = Sheet::read(path, &text, asked.delimiter)?;
    let width = sheet.check_width()?;
    if width < 2 {
        let why = "one column; expected label and text, separated by a comma, `;`, `|` or a tab";
        return Err(Error::file(path, why));
    }
    let names = [&asked.text, &asked.target];
    let named = names.into_iter().flatten().any(|name| sheet.names(name));
    let (headed, [text, label]) = match asked.header.or(named.then_some(true)) {
        Some(headed) => (headed, choose(&sheet, headed, asked, flags)?),
        None if sheet.rows.len() < 2 => (false, choose(&sheet, false, asked, flags)?),
        None => {
            let [text, label] = choose(&sheet, true, asked, flags)?;
            let (first, rest) = (sheet.rows[0].cell(label), &sheet.rows[1..]);
            match rest.iter().all(|row| row.cell(label) != first) {
                true => (true, [text, label]),
                false => (false, choose(&sheet, false, asked, flags)?),
            }
        }
    };
    let body = &sheet.rows[usize::from(headed)..];
    let values: BTreeSet<&str> = body.iter().map(|row| row.cell(label)).collect();
    if asked.target.is_none() && body.len() >= FEW && values.len() * 2 > body.len() {
        let column = sheet.called(label, headed);
        let other = match width {
            2 => sheet.name(1 - label, headed),
            _ => "COLUMN".into(),
        };
        let why = format!(
            "{} rows, but column {column} was taken as the label and nearly all of its values \
             differ: name it with `--target {other}`",
            body.len()
        );
        return Err(Error::file(path, why));
    }
    if let Some(row) =
        body.iter().find(|row| row.cell(label).is_empty() || row.cell(text).is_empty())
    {
        return Err(Error::field(path, row.line, "label or text", "empty"));
    }
    let header = asked.header.is_none() && !named;
    let guessed = asked.text.is_none() || asked.target.is_none() || header;
    let said = guessed.then(|| {
        let (text, label) = (sheet.called(text, headed), sheet.called(label, headed));
        let head = if headed { "after a header" } else { "without a header" };
        format!(
            "{}: {} rows {head}, separated by {}; the text is column {text}, the label column \
             {label} (--text, --target, --delimiter, --no-header say otherwise)",
            path.display(),
            body.len(),
            sheet.separator()
        )
    });
    let own = |row: &super::sheet::Row| (row.cell(label).to_string(), row.cell(text).to_string());
    let name = |column| Some(sheet.name(column, headed));
    Ok(Labelled {
        rows: body.iter().map(own).collect(),
        columns: asked.clone().or(&Columns {
            text: name(text),
            target: name(label),
            delimiter: sheet.delimiter,
            header: Some(headed),
        }),
        said,
    })
}

/// The columns of text and label.
fn choose(
    sheet: &Sheet,
    headed: bool,
    asked: &Columns,
    flags: [&'static str; 2],
) -> Result<[usize; 2]> {
    let body = &sheet.rows[usize::from(headed)..];
    let given = |flag: &'static str, name: &Option<String>| {
        name.as_ref().map(|name| sheet.find(name, headed, flag)).transpose()
    };
    let (text, label) = (given(flags[0], &asked.text)?, given(flags[1], &asked.target)?);
    if text.is_some() && text == label {
        return Err(Error::argument("--target", "names the column of --text; expected another"));
    }
    let different =
        |column: usize| body.iter().map(|row| row.cell(column)).collect::<BTreeSet<&str>>().len();
    let length =
        |column: usize| body.iter().map(|row| row.cell(column).chars().count()).sum::<usize>();
    let hinted = |names: &[&str], taken: Option<usize>| {
        let fits = |&column: &usize| {
            let name = sheet.rows[0].cell(column).to_lowercase();
            headed && Some(column) != taken && names.contains(&&name[..])
        };
        let mut all = (0..sheet.width()).filter(fits);
        all.next().filter(|_| all.next().is_none())
    };
    let label = label.or_else(|| hinted(&LABELS, text));
    let text = text.or_else(|| hinted(&TEXTS, label));
    let others = |taken: Option<usize>| (0..sheet.width()).filter(move |&c| Some(c) != taken);
    match (text, label) {
        (Some(text), Some(label)) => Ok([text, label]),
        (None, Some(label)) => {
            let text = others(Some(label)).max_by_key(|&column| length(column));
            Ok([text.unwrap_or_default(), label])
        }
        (None, None) if sheet.width() == 2 => {
            let label = usize::from((different(1), length(1)) < (different(0), length(0)));
            Ok([1 - label, label])
        }
        (text, None) => {
            let longest = || (0..sheet.width()).max_by_key(|&column| length(column));
            let text = text.or_else(longest).unwrap_or_default();
            if sheet.width() == 2 {
                return Ok([text, 1 - text]);
            }
            let repeats = |&column: &usize| (2..=body.len() / 2).contains(&different(column));
            // Of several that repeat, the last of those with the fewest values.
            let label = others(Some(text)).filter(repeats).rev().min_by_key(|&c| different(c));
            let label = label.ok_or_else(|| {
                let why = format!(
                    "line {}: {} columns; expected label and text, but none repeats its values \
                     as labels do: name them with --target and --text",
                    sheet.rows[0].line,
                    sheet.width()
                );
                Error::file(&sheet.path, why)
            })?;
            Ok([text, label])
        }
    }
}

/// The texts of a table.
pub(super) struct Texts {
    /// One a row, in order; a row without any is empty.
    pub rows: Vec<String>,
    /// Which column it was, in one line.
    pub said: Option<String>,
}

/// The texts to classify in a table: in a file where `column` is named, whose name ends as a
/// table's does, or that has the column that the run learnt from. Another is no table.
///
/// # Errors
/// A file that cannot be read, a row of another width, no such column.
pub(super) fn texts(path: &Path, learnt: &Columns, column: Option<&str>) -> Result<Option<Texts>> {
    let text = text::read(path)?;
    let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
    let called = end.is_some_and(|end| ["csv", "tsv", "tab"].contains(&&end[..]));
    let sheet = Sheet::read(path, &text, None)?;
    let own = learnt.text.as_deref().filter(|name| sheet.names(name));
    if column.is_none() && !called && (own.is_none() || sheet.width() < 2) {
        return Ok(None);
    }
    let width = sheet.check_width()?;
    let (headed, place) = match column.or(own) {
        Some(name) => {
            let headed = sheet.names(name);
            (headed, sheet.find(name, headed, "--column")?)
        }
        None => {
            let length = |column: usize| {
                sheet.rows.iter().map(|row| row.cell(column).chars().count()).sum::<usize>()
            };
            // A table without a header was learnt by place.
            let learnt = learnt.text.as_ref().and_then(|name| name.parse::<usize>().ok());
            let learnt = learnt.filter(|number| (1..=width).contains(number) && width > 1);
            let longest = || (0..width).max_by_key(|&column| length(column)).unwrap_or_default();
            let place = learnt.map_or_else(longest, |number| number - 1);
            let first = sheet.rows[0].cell(place).to_lowercase();
            (TEXTS.contains(&&first[..]), place)
        }
    };
    let body = &sheet.rows[usize::from(headed)..];
    if body.is_empty() {
        return Err(Error::file(path, "only a header; expected rows of texts"));
    }
    let said = column.is_none().then(|| {
        let head = if headed { "after a header" } else { "without a header" };
        let (count, called) = (body.len(), sheet.called(place, headed));
        let path = path.display();
        format!(
            "{path}: {count} rows {head}; the text is column {called} (--column says otherwise)"
        )
    });
    Ok(Some(Texts { rows: body.iter().map(|row| row.cell(place).to_string()).collect(), said }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, asked: &Columns) -> Result<Labelled> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let own = DataChoice::new(path.to_str().unwrap());
        labelled(&path, &DataChoice { columns: asked.clone(), ..own })
    }

    /// Twelve rows, text first, under a header, beside a number and a column of few words.
    fn four(delimiter: &str) -> String {
        let row = |i: usize| {
            let text = format!("the film, number {i}, was a film to see");
            let label = ["good", "bad"][i % 2];
            [i.to_string(), text, ["a", "b", "c"][i % 3].into(), label.into()].join(delimiter)
        };
        let head = ["nr", "review", "shop", "verdict"].join(delimiter);
        std::iter::once(head).chain((0..12).map(row)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn text_and_label_are_found_by_what_is_in_the_columns() {
        for delimiter in [";", "\t", "|"] {
            let table = read(&four(delimiter), &Columns::default()).unwrap();
            assert_eq!(table.rows.len(), 12);
            assert_eq!(
                table.rows[1],
                ("bad".into(), "the film, number 1, was a film to see".into())
            );
            let said = table.said.unwrap();
            assert!(said.contains("the text is column 2 (`review`)"), "{said}");
            assert!(said.contains("the label column 4 (`verdict`)"), "{said}");
            let Columns { text, target, header, .. } = table.columns.clone();
            assert_eq!((text.as_deref(), target.as_deref()), (Some("review"), Some("verdict")));
            assert_eq!(header, Some(true));
            // What was found reads the same again, and there is nothing to say.
            let again = read(&four(delimiter), &table.columns).unwrap();
            assert_eq!((again.rows, again.said), (table.rows, None));
        }
    }

    #[test]
    fn flags_say_otherwise() {
        let asked = Columns { target: Some("shop".into()), ..Columns::default() };
        let table = read(&four(";"), &asked).unwrap();
        assert_eq!(table.rows[1].0, "b");
        let asked = Columns { target: Some("colour".into()), ..Columns::default() };
        let why = read(&four(";"), &asked).err().unwrap().to_string();
        assert!(why.contains("--target: no column `colour`"), "{why}");
        let numbers = Columns {
            text: Some("3".into()),
            target: Some("4".into()),
            header: Some(false),
            delimiter: Some(';'),
        };
        let table = read(&four(";"), &numbers).unwrap();
        assert_eq!((table.rows.len(), &table.rows[0].0[..]), (13, "verdict"));
    }

    #[test]
    fn both_orders_of_two_columns_with_and_without_a_header() {
        let row = |i: usize| (format!("\"text, number {i}\""), ["no", "yes"][i % 2]);
        for header in [false, true] {
            let first = |names: &str| if header { format!("{names}\n") } else { String::new() };
            let labels: String = (0..10).map(row).map(|(a, b)| format!("{b},{a}\n")).collect();
            let texts: String = (0..10).map(row).map(|(a, b)| format!("{a},{b}\n")).collect();
            for text in [first("kind,said") + &labels, first("said,kind") + &texts] {
                let table = read(&text, &Columns::default()).unwrap();
                assert_eq!(table.rows.len(), 10, "{text}");
                assert_eq!(table.rows[3], ("yes".into(), "text, number 3".into()));
            }
        }
    }

    #[test]
    fn labels_that_all_differ_are_no_labels() {
        let text: String = (0..12).map(|i| format!("text {i},other {i}\n")).collect();
        let why = read(&text, &Columns::default()).err().unwrap().to_string();
        assert!(why.contains("11 rows") || why.contains("12 rows"), "{why}");
        assert!(why.contains("nearly all of its values differ"), "{why}");
        assert!(why.contains("--target"), "{why}");
    }

    #[test]
    fn rows_to_classify_are_found_by_the_name_that_was_learnt() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let learnt = Columns { text: Some("review".into()), ..Columns::default() };
        let rows = |path: &Path, column| texts(path, &learnt, column).unwrap().unwrap().rows;
        let table = put("new.csv", "nr;review\n1;fine\n2;\n3;\"bad; really\"\n");
        assert_eq!(rows(&table, None), ["fine", "", "bad; really"]);
        assert_eq!(rows(&table, Some("nr")), ["1", "2", "3"]);
        // Its content says that it is a table.
        let named = put("new.txt", "nr;review\n1;fine\n2;bad\n");
        assert_eq!(rows(&named, None), ["fine", "bad"]);
        let prose = put("prose.txt", "One, two.\nThree, four.\n");
        assert!(texts(&prose, &learnt, None).unwrap().is_none());
        let one = put("one.csv", "text\nWell, yes\nNo\n");
        assert_eq!(rows(&one, None), ["Well, yes", "No"]);
        let bare = put("bare.csv", "Well\nNo\n");
        assert_eq!(rows(&bare, None), ["Well", "No"]);
        assert!(texts(&table, &learnt, Some("body")).is_err());
    }
}
