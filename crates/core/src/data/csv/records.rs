//! The rows of a text file of cells, whatever separates them.

use std::borrow::Cow;
use std::path::Path;

use csv::StringRecord;

use crate::{Error, Result};

/// Rows that are looked at to find the separator.
const SAMPLE: usize = 200;

/// What some programs write before UTF-8 text.
pub(super) const MARK: &[u8] = b"\xEF\xBB\xBF";

/// One row and the line that it begins in.
pub(super) struct Row {
    pub line: u64,
    /// Its place among the rows of the file that are not blank, comments too.
    pub place: usize,
    pub cells: StringRecord,
}

/// The rows of a file.
pub(super) struct Records {
    pub rows: Vec<Row>,
    /// What stood in the last comment line before the first row, where it has as many fields.
    pub comment: Option<Row>,
    /// What separates the cells; a blank for any number of blanks.
    pub delimiter: char,
}

/// Reads all rows that are not blank.
pub(super) fn records(path: &Path, bytes: &[u8], delimiter: Option<char>) -> Result<Records> {
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let Head { text, separator, comment, .. } = head(bytes);
    let delimiter = delimiter.or(separator).or_else(|| self::separator(&text)).unwrap_or(',');
    let mut rows = parse(path, &text, delimiter)?;
    let comment = match comment {
        // Its line begins where the others do.
        Some((line, own)) => parse(path, own, delimiter)?.pop().map(|row| Row { line, ..row }),
        None => None,
    };
    let width = rows.first().map_or(0, |row| row.cells.len());
    // A comment between rows, which no row of cells can be.
    rows.retain(|row| row.cells.len() == width || !row.cells[0].starts_with('#'));
    cut_trailing(&mut rows);
    let width = rows.first().map_or(0, |row| row.cells.len());
    let comment = comment.filter(|row| row.cells.len() == width && width > 1);
    Ok(Records { rows, comment, delimiter })
}

/// What stands before the first row.
pub(super) struct Head<'a> {
    /// How many bytes, where there is more than blank lines.
    pub length: usize,
    /// The file, with blanks in place of the lines before the first row.
    text: Cow<'a, [u8]>,
    /// What `sep=;` says, as Excel writes and reads it.
    separator: Option<char>,
    /// The last comment with its line, without its mark.
    comment: Option<(u64, &'a [u8])>,
}

pub(super) fn head(bytes: &[u8]) -> Head<'_> {
    let (mut separator, mut comment, mut at) = (None, None, 0);
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    for (number, line) in (1..).zip(lines) {
        match line.trim_ascii() {
            [] => {}
            [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', mark] if separator.is_none() => {
                separator = Some(char::from(*mark));
            }
            // Excel's `sep=` and a tab, which trimming takes away.
            [b's' | b'S', b'e' | b'E', b'p' | b'P', b'='] if separator.is_none() => {
                separator = Some('\t');
            }
            [b'#', own @ ..] => comment = Some((number, own)),
            _ => break,
        }
        at += line.len();
    }
    // Rows that all begin with a `#`, such as colours.
    if at == bytes.len() || (separator.is_none() && comment.is_none()) {
        return Head { length: 0, text: bytes.into(), separator: None, comment: None };
    }
    let keep = |&byte: &u8| if byte == b'\n' { byte } else { b' ' };
    let blank = bytes[..at].iter().map(keep);
    let text = blank.chain(bytes[at..].iter().copied()).collect::<Vec<u8>>();
    Head { length: at, text: text.into(), separator, comment }
}

/// Drops fields at the end that no row has anything in: each row ends with a separator.
fn cut_trailing(rows: &mut [Row]) {
    loop {
        let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let full = |row: &&mut Row| row.cells.len() == width;
        let ends = |row: &Row| row.cells.len() < width || row.cells[width - 1].is_empty();
        if width < 2 || !rows.iter().all(ends) {
            return;
        }
        rows.iter_mut().filter(full).for_each(|row| row.cells.truncate(width - 1));
    }
}

/// How well a separator suits a text, the better the greater.
#[derive(PartialEq, PartialOrd)]
enum Fit {
    /// So many rows have as many cells as the first.
    Uneven { alike: usize },
    /// All have; `whole` where no cell is a part of a quotation.
    Even { whole: bool },
}

/// The separator that gives every row as many cells, or most rows; none where the first line has
/// nothing that could be one. One that is rarely found in text comes first, and the comma after
/// the semicolon, which separates where decimals have commas.
pub fn separator(text: &[u8]) -> Option<char> {
    const MARKS: [char; 5] = ['\t', ';', '|', ',', ' '];
    let first = text.split(|&b| b == b'\n').find(|line| !line.trim_ascii().is_empty());
    let first = first.unwrap_or_default().trim_ascii();
    let count = |mark: char| first.iter().filter(|&&byte| char::from(byte) == mark).count();
    let fit = |mark: char| {
        let prepared = prepared(text, mark);
        let mut reader = reader(&prepared, mark, csv::Trim::All);
        let mut record = csv::ByteRecord::new();
        let (mut widths, mut whole) = (Vec::new(), true);
        while widths.len() < SAMPLE && reader.read_byte_record(&mut record).is_ok_and(|more| more) {
            // Separators alone are no row.
            if record.iter().any(|cell| !cell.is_empty()) {
                let quotes = |cell: &[u8]| cell.iter().filter(|&&byte| byte == b'"').count();
                whole &= record.iter().all(|cell| quotes(cell).is_multiple_of(2));
                widths.push(record.len());
            }
        }
        let first = *widths.first().filter(|&&first| first > 1)?;
        let alike = widths.iter().filter(|&&own| own == first).count();
        Some(if alike == widths.len() { Fit::Even { whole } } else { Fit::Uneven { alike } })
    };
    let mut best: Option<(Fit, char)> = None;
    for mark in MARKS {
        // Blanks are within cells too.
        let only = || MARKS[..4].iter().all(|&mark| count(mark) == 0);
        if count(mark) == 0 || (mark == ' ' && !only()) {
            continue;
        }
        if let Some(fit) = fit(mark)
            && best.as_ref().is_none_or(|(most, _)| fit > *most)
        {
            best = Some((fit, mark));
        }
    }
    // Words between blanks in lines of any length are a text, not a table.
    let table = |(fit, mark): &(Fit, char)| *mark != ' ' || matches!(fit, Fit::Even { .. });
    best.filter(table).map(|(_, mark)| mark)
}

/// The text as the CSV parser takes it: runs of blanks become one tab each.
pub(super) fn prepared(text: &[u8], delimiter: char) -> Cow<'_, [u8]> {
    if delimiter != ' ' {
        return text.into();
    }
    let (mut out, mut quoted, mut gap) = (Vec::with_capacity(text.len()), false, false);
    for &byte in text {
        quoted ^= byte == b'"';
        if !quoted && (byte == b' ' || byte == b'\t') {
            gap = true;
            continue;
        }
        let begins = out.last().is_none_or(|&last| last == b'\n');
        if gap && !begins && byte != b'\n' && byte != b'\r' {
            out.push(b'\t');
        }
        gap = false;
        out.push(byte);
    }
    out.into()
}

pub(super) fn reader(bytes: &[u8], delimiter: char, trim: csv::Trim) -> csv::Reader<&[u8]> {
    let delimiter = if delimiter == ' ' { b'\t' } else { delimiter as u8 };
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).trim(trim).delimiter(delimiter);
    builder.from_reader(bytes)
}

fn parse(path: &Path, text: &[u8], delimiter: char) -> Result<Vec<Row>> {
    let bytes = prepared(text, delimiter);
    let mut reader = reader(&bytes, delimiter, csv::Trim::All);
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| Error::file(path, error))? {
        let start = record.position().map_or(0, csv::Position::byte) as usize;
        let line = record.position().map_or(0, csv::Position::line) + blank_lines(&bytes[start..]);
        let cells = StringRecord::from_byte_record(record.clone()).map_err(|error| {
            let field = error.utf8_error().field() + 1;
            Error::field(path, line, field, "not UTF-8; expected UTF-8 text")
        })?;
        // A line of nothing but blanks and separators.
        if cells.iter().all(str::is_empty) {
            continue;
        }
        rows.push(Row { line, place: rows.len(), cells });
    }
    Ok(rows)
}

/// Lines without any character, which the CSV parser skips without moving a row's position.
fn blank_lines(bytes: &[u8]) -> u64 {
    let ends = bytes.iter().take_while(|&&b| b == b'\n' || b == b'\r');
    ends.filter(|&&b| b == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> (char, Vec<Vec<String>>) {
        let records = records(Path::new("t.csv"), text.as_bytes(), None).unwrap();
        let row = |row: &Row| row.cells.iter().map(String::from).collect();
        (records.delimiter, records.rows.iter().map(row).collect())
    }

    #[test]
    fn separators_are_found_by_what_gives_every_row_as_many_cells() {
        let expected = [["a", "b", "kind"], ["3,5", "1,25", "x"]];
        for (text, mark) in [
            ("a;b;kind\n3,5;1,25;x\n", ';'),
            ("a\tb\tkind\n3,5\t1,25\tx\n", '\t'),
            ("a|b|kind\n3,5|1,25|x\n", '|'),
            ("a,b,kind\n\"3,5\",\"1,25\",x\n", ','),
            ("  a  b   kind\n3,5  1,25 x  \n", ' '),
            ("sep=;\na;b;kind\n3,5;1,25;x\n", ';'),
            ("\u{FEFF}SEP=|\r\na|b|kind\r\n3,5|1,25|x\r\n", '|'),
        ] {
            let (found, rows) = cells(text);
            assert_eq!((found, &rows[0][..]), (mark, &expected[0].map(String::from)[..]), "{text}");
            assert_eq!(rows[1], expected[1], "{text}");
        }
        // Text with semicolons, not the same number in each row, or within quotation marks.
        assert_eq!(cells("what,kind\na;b,x\nc,y\n").0, ',');
        assert_eq!(cells("good,\"Well; nice, really\"\nbad,No; sorry\n").0, ',');
        // One row is broken: most rows tell.
        assert_eq!(cells("a;b,c;kind\n1;2;x\n1;y\n").0, ';');
        assert_eq!(separator(b"text\nWell, nice, really\n"), None);
        assert_eq!(cells("1  \"a b\"\n2 c\n").1, [["1", "a b"], ["2", "c"]]);
    }

    #[test]
    fn comments_and_separators_at_the_end_are_no_cells() {
        let rows = [["a", "b"], ["1", "2"], ["3", "4"]];
        for text in [
            "# made by hand\na,b\n1,2\n# half, of, it\n3,4\n",
            "a,b,\n1,2,\n3,4,\n",
            "a,b\n1,2,\n3,4,\n",
            "a,b,,\n1,2\n3,4\n,,\n",
        ] {
            assert_eq!(cells(text).1, rows, "{text}");
        }
        // A target that one row lacks is no such end, and colours are no comments.
        assert_eq!(cells("a,b\n1,\n").1[1], ["1", ""]);
        assert_eq!(cells("#f00,red\n#00f,blue\n").1.len(), 2);
        let path = Path::new("t");
        let own = records(path, b"# made today\n# a,b\n1,2\n", None).unwrap();
        let comment = own.comment.unwrap();
        assert_eq!((comment.line, &comment.cells[1], own.rows[0].line), (2, "b", 3));
    }
}
