//! A table to predict for, and the same table with the predictions beside its own columns.

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ByteRecord, QuoteStyle, Terminator, Trim};

use super::cells::{Cells, Names, TableOptions};
use super::number::Decimal;
use super::records::{Head, MARK, head, prepared, reader};
use super::schema::{Fault, Schema, shown};
use crate::progress::note;
use crate::{Error, Result};

/// A file of rows, as it is and as a model takes it.
pub struct Sheet {
    /// The numbers of each row.
    pub rows: Vec<Vec<f64>>,
    bytes: Vec<u8>,
    cells: Cells,
}

impl Sheet {
    /// Reads a file as [`Table::read_rows`](super::Table::read_rows) does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn read(path: &Path, columns: &[String], schema: Option<&Schema>) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        match schema {
            Some(schema) => Self::parse(path, bytes, schema),
            None => Self::parse(path, bytes, &Schema::of_names(columns, "", None)),
        }
    }

    pub(super) fn parse(path: &Path, bytes: Vec<u8>, schema: &Schema) -> Result<Self> {
        let options = TableOptions { schema: Some(schema.clone()), ..TableOptions::default() };
        let cells = Cells::parse(path, &bytes, Names::Detect, &options)?;
        let places = cells.places(schema, false)?;
        Ok(Self { rows: encoded(&cells, schema, &places)?, bytes, cells })
    }

    /// How many columns there are where they have no names.
    pub fn unnamed(&self) -> Option<usize> {
        (!self.cells.headed).then_some(self.cells.names.len())
    }

    /// A name for one more column: this one, with a number behind it where the file has it.
    pub fn free_name(&self, name: &str) -> String {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let taken =
            |own: &String| self.cells.names.iter().any(|name| name.eq_ignore_ascii_case(own));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|own| !taken(own)).unwrap_or_default()
    }

    /// A number as the file writes them.
    pub fn number(&self, number: impl std::fmt::Display) -> String {
        match self.cells.decimal {
            Decimal::Point => number.to_string(),
            Decimal::Comma => number.to_string().replace('.', ","),
        }
    }

    /// The file with more columns behind its own: a name and a cell for each row. Its own cells
    /// stay as they are, its comments and `sep=` too, and it is written with its own separator.
    ///
    /// # Errors
    ///
    /// The file cannot be read again.
    pub fn with(&self, columns: &[(String, Vec<String>)]) -> Result<Vec<u8>> {
        let Cells { path, names, delimiter, header, headed, .. } = &self.cells;
        let fault = |why: csv::Error| Error::file(path, why);
        let bytes = self.bytes.strip_prefix(MARK).unwrap_or(&self.bytes);
        let Head { length, .. } = head(bytes);
        let text = prepared(&bytes[length..], *delimiter);
        let mut reader = reader(&text, *delimiter, Trim::None);
        let records: Vec<ByteRecord> =
            reader.byte_records().collect::<Result<_, _>>().map_err(fault)?;
        let blank = |record: &ByteRecord| record.iter().all(|cell| cell.trim_ascii().is_empty());
        let comment = |record: &ByteRecord| {
            record.len() != names.len()
                && record.get(0).is_some_and(|cell| cell.trim_ascii().starts_with(b"#"))
        };
        let own = records.iter().filter(|record| !comment(record));
        // With what is cut off when it is read: separators at the end of each row.
        let width = own.map(ByteRecord::len).max().unwrap_or(names.len());

        let mut out = self.bytes[..self.bytes.len() - bytes.len() + length].to_vec();
        if *headed && header.is_none() {
            // `# a,b,kind`: the names go on behind it.
            let behind = out.split_off(out.trim_ascii_end().len());
            let mut more = ByteRecord::from(vec![""; width - names.len() + 1]);
            columns.iter().for_each(|(name, _)| more.push_field(name.as_bytes()));
            let mut writer = self.writer(Vec::new());
            writer.write_byte_record(&more).map_err(fault)?;
            let line = writer.into_inner().map_err(|why| Error::file(path, why.to_string()))?;
            out.extend(line.trim_ascii_end());
            out.extend(behind);
        }
        let mut writer = self.writer(out);
        let (mut place, mut rows) = (0, self.cells.rows.iter().enumerate().peekable());
        for mut record in records {
            let is_blank = blank(&record);
            let row = rows.next_if(|(_, row)| !is_blank && row.place == place);
            let named = !is_blank && *header == Some(place);
            place += usize::from(!is_blank);
            if row.is_some() || named || is_blank {
                (record.len()..width).for_each(|_| record.push_field(b""));
                for (name, cells) in columns {
                    record.push_field(match row {
                        Some((at, _)) => cells[at].as_bytes(),
                        None if named => name.as_bytes(),
                        None => b"",
                    });
                }
            }
            writer.write_byte_record(&record).map_err(fault)?;
        }
        writer.into_inner().map_err(|why| Error::file(path, why.to_string()))
    }

    fn writer(&self, out: Vec<u8>) -> csv::Writer<Vec<u8>> {
        let end = self.bytes.iter().position(|&byte| byte == b'\n');
        let windows = end.is_some_and(|end| end > 0 && self.bytes[end - 1] == b'\r');
        let mut builder = csv::WriterBuilder::new();
        builder.flexible(true).has_headers(false).delimiter(self.cells.delimiter as u8);
        if windows {
            builder.terminator(Terminator::CRLF);
        }
        // Between blanks an empty cell would be none.
        if self.cells.delimiter == ' ' {
            builder.quote_style(QuoteStyle::NonNumeric);
        }
        builder.from_writer(out)
    }
}

/// The numbers of all rows; values that the training did not have are told.
pub(super) fn encoded(
    cells: &Cells,
    schema: &Schema,
    places: &[Option<usize>],
) -> Result<Vec<Vec<f64>>> {
    let schema = &Schema { decimal: cells.decimal, ..schema.clone() };
    // The first line and how many more, by column.
    let mut unseen: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    let mut rows = Vec::with_capacity(cells.rows.len());
    for (at, row) in cells.rows.iter().enumerate() {
        let mut values = Vec::new();
        let cell = |column: usize| places[column].map_or("", |place| &row.cells[place]);
        let new = |column| unseen.entry(column).or_insert((at, 0)).1 += 1;
        schema.encode(cell, &mut values, new).map_err(|Fault { column, why }| {
            Error::field(&cells.path, row.line, &schema.columns[column].name, why)
        })?;
        rows.push(values);
    }
    for (column, (at, count)) in unseen {
        let (path, row) = (cells.path.display(), &cells.rows[at]);
        let (name, line) = (&schema.columns[column].name, row.line);
        let word = shown(places[column].map_or("", |place| &row.cells[place]));
        let rows = if count == 1 { "1 row has".into() } else { format!("{count} rows have") };
        note(format_args!(
            "{path}: {rows} a value of `{name}` never seen in training (`{word}` in line {line}): taken as \
             none of the known values"
        ));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a file of the columns `a` and `b` with `p` and `q` behind them.
    fn with(text: &str) -> String {
        let names = ["a", "b"].map(String::from);
        let schema = Schema::of_names(&names, "", None);
        let sheet = Sheet::parse(Path::new("t.csv"), text.into(), &schema).unwrap();
        let column = |name: &str| {
            let cells = (1..=sheet.rows.len()).map(|row| format!("{name}{row}"));
            (sheet.free_name(name), cells.collect())
        };
        String::from_utf8(sheet.with(&[column("p"), column("q")]).unwrap()).unwrap()
    }

    #[test]
    fn a_file_keeps_what_it_has() {
        for (before, after) in [
            ("b,a\n1,2\n3,4\n", "b,a,p,q\n1,2,p1,q1\n3,4,p2,q2\n"),
            // Other columns, in their order, with blanks, quotes and formulas as they were.
            (
                "why,a,b\n\"x, \"\"y\"\"\",1,2\n =1+1 ,3,4\n-@z,5,6\n",
                "why,a,b,p,q\n\"x, \"\"y\"\"\",1,2,p1,q1\n =1+1 ,3,4,p2,q2\n-@z,5,6,p3,q3\n",
            ),
            ("\u{FEFF}sep=;\r\na;b\r\n1,5;2\r\n", "\u{FEFF}sep=;\r\na;b;p;q\r\n1,5;2;p1;q1\r\n"),
            ("a\tb\n1\t2\n", "a\tb\tp\tq\n1\t2\tp1\tq1\n"),
            ("1|2\n3|4\n", "1|2|p1|q1\n3|4|p2|q2\n"),
            // Separators at the end of some rows, and rows without a cell.
            ("a,b,\n1,2\n,,\n3,4,\n", "a,b,,p,q\n1,2,,p1,q1\n,,,,\n3,4,,p2,q2\n"),
            (
                "# made, by, hand\na,b\n1,2\n# so, it, is\n3,4\n",
                "# made, by, hand\na,b,p,q\n1,2,p1,q1\n# so, it, is\n3,4,p2,q2\n",
            ),
            ("# a,b\n\n1,2\n3,4\n", "# a,b,p,q\n\n1,2,p1,q1\n3,4,p2,q2\n"),
            ("a,b,p,P_2\n1,2,x,y\n", "a,b,p,P_2,p_3,q\n1,2,x,y,p1,q1\n"),
        ] {
            assert_eq!(with(before), after, "{before}");
        }
    }

    #[test]
    fn blanks_between_cells_stay_blanks() {
        let after = with("note  a b\n\"x y\" 1  2\n\"\" 3 4\n");
        let expected = [
            ["note", "a", "b", "p", "q"],
            ["x y", "1", "2", "p1", "q1"],
            ["", "3", "4", "p2", "q2"],
        ];
        let records =
            super::super::records::records(Path::new("t"), after.as_bytes(), None).unwrap();
        assert_eq!(records.delimiter, ' ');
        let rows: Vec<Vec<&str>> =
            records.rows.iter().map(|row| row.cells.iter().collect()).collect();
        assert_eq!(rows, expected, "{after}");
    }

    #[test]
    fn numbers_are_written_as_the_file_writes_them() {
        let schema = Schema::of_names(&["a".into(), "b".into()], "", None);
        let of = |text: &str| {
            let sheet = Sheet::parse(Path::new("t.csv"), text.into(), &schema).unwrap();
            (sheet.number(2.5), sheet.unnamed())
        };
        assert_eq!(of("a;b\n1,5;2,25\n"), ("2,5".into(), None));
        assert_eq!(of("1.5,2.25\n"), ("2.5".into(), Some(2)));
    }
}
