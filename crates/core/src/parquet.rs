//! Apache Parquet, as much of it as features and decisions need: columns of text, of numbers
//! and of lists of numbers, neither compressed nor encoded, none of them missing.
//!
//! The format: <https://parquet.apache.org/docs/file-format/>; its headers are structs in
//! Thrift's compact protocol, of which the writer is below. Numbers of fields and kinds are
//! those of `parquet.thrift`.

use crate::{Error, Result};

const MAGIC: &[u8] = b"PAR1";
/// About so many bytes of lists are a page.
const PAGE: usize = 1 << 20;
/// Rows of a page where there are no lists.
const ROWS: usize = 1 << 14;

// Physical types.
const FLOAT: i64 = 4;
const DOUBLE: i64 = 5;
const BYTE_ARRAY: i64 = 6;
// Repetitions.
const REQUIRED: i64 = 0;
const REPEATED: i64 = 2;
// Annotations.
const UTF8: i64 = 0;
const LIST: i64 = 3;
// Encodings.
const PLAIN: i64 = 0;
const RLE: i64 = 3;

/// One column of a table; all of a table have as many rows.
pub enum Column<'a> {
    /// Text.
    Text(&'a str, Vec<&'a str>),
    /// Numbers.
    Numbers(&'a str, Vec<f64>),
    /// Lists of `units` numbers, one after the other.
    Lists {
        /// What the column is called.
        name: &'a str,
        /// The numbers.
        values: &'a [f32],
        /// How many of them are a list; one or more.
        units: usize,
    },
}

impl Column<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Text(name, _) | Self::Numbers(name, _) | Self::Lists { name, .. } => name,
        }
    }

    fn kind(&self) -> i64 {
        match self {
            Self::Text(..) => BYTE_ARRAY,
            Self::Numbers(..) => DOUBLE,
            Self::Lists { .. } => FLOAT,
        }
    }

    fn path(&self) -> Vec<&str> {
        match self {
            Self::Lists { name, .. } => vec![name, "list", "element"],
            other => vec![other.name()],
        }
    }

    /// Numbers or texts, not lists.
    fn values(&self) -> usize {
        match self {
            Self::Text(_, values) => values.len(),
            Self::Numbers(_, values) => values.len(),
            Self::Lists { values, .. } => values.len(),
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Lists { units, .. } => self.values() / (*units).max(1),
            other => other.values(),
        }
    }

    /// The pages, each of so many rows, with how many values each has.
    fn pages(&self, rows: usize) -> Vec<(usize, Vec<u8>)> {
        match self {
            Self::Text(_, values) => {
                let page = |values: &[&str]| {
                    let mut page = Vec::new();
                    for value in values {
                        page.extend((value.len() as u32).to_le_bytes());
                        page.extend(value.bytes());
                    }
                    (values.len(), page)
                };
                values.chunks(rows).map(page).collect()
            }
            Self::Numbers(_, values) => {
                let page = |values: &[f64]| {
                    (values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
                };
                values.chunks(rows).map(page).collect()
            }
            Self::Lists { values, units, .. } => {
                let page = |values: &[f32]| {
                    let mut page = levels(values.len() / units, *units);
                    page.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                    (values.len(), page)
                };
                values.chunks((rows * units).max(1)).map(page).collect()
            }
        }
    }

    /// How many elements of the schema it is.
    fn elements(&self) -> usize {
        if matches!(self, Self::Lists { .. }) { 3 } else { 1 }
    }

    /// One of them.
    fn element(&self, element: &mut Thrift, place: usize) {
        match (self, place) {
            (Self::Lists { name, .. }, 0) => {
                element.int32(3, REQUIRED);
                element.string(4, name);
                element.int32(5, 1);
                element.int32(6, LIST);
            }
            (Self::Lists { .. }, 1) => {
                element.int32(3, REPEATED);
                element.string(4, "list");
                element.int32(5, 1);
            }
            (Self::Lists { .. }, _) => {
                element.int32(1, FLOAT);
                element.int32(3, REQUIRED);
                element.string(4, "element");
            }
            (other, _) => {
                element.int32(1, other.kind());
                element.int32(3, REQUIRED);
                element.string(4, other.name());
                if other.kind() == BYTE_ARRAY {
                    element.int32(6, UTF8);
                }
            }
        }
    }
}

/// The whole file of a table of fewer than 15 columns.
///
/// # Errors
/// A page of more bytes than the format can say.
pub fn write(columns: &[Column<'_>]) -> Result<Vec<u8>> {
    let rows_of_a_page = columns
        .iter()
        .map(|column| match column {
            Column::Lists { units, .. } => (PAGE / (4 * units).max(1)).max(1),
            _ => ROWS,
        })
        .min()
        .unwrap_or(ROWS);
    let mut file = MAGIC.to_vec();
    let mut places = Vec::with_capacity(columns.len());
    for column in columns {
        let start = file.len();
        for (values, page) in column.pages(rows_of_a_page) {
            add_page(&mut file, values, &page)?;
        }
        places.push(start..file.len());
    }
    let footer = footer(columns, &places);
    file.extend(&footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(MAGIC);
    Ok(file)
}

/// How each number of so many lists of `units` continues its list, and that none is missing:
/// repetition and definition levels, in runs.
fn levels(lists: usize, units: usize) -> Vec<u8> {
    let run = |runs: &mut Vec<u8>, count: usize, level: u8| {
        if count > 0 {
            varint(runs, (count as u64) << 1);
            runs.push(level);
        }
    };
    let (mut repetition, mut definition) = (Vec::new(), Vec::new());
    for _ in 0..lists {
        run(&mut repetition, 1, 0);
        run(&mut repetition, units - 1, 1);
    }
    run(&mut definition, lists * units, 1);
    let sized = |runs: Vec<u8>| [&(runs.len() as u32).to_le_bytes()[..], &runs].concat();
    [sized(repetition), sized(definition)].concat()
}

fn add_page(file: &mut Vec<u8>, values: usize, page: &[u8]) -> Result<()> {
    let too_much = |why| Error::argument("--out", format!("a page of Parquet: {why}"));
    let size = i64::from(i32::try_from(page.len()).map_err(too_much)?);
    let mut header = Thrift::default();
    header.int32(1, 0); // a data page
    header.int32(2, size);
    header.int32(3, size);
    header.structure(5, |page| {
        page.int32(1, values as i64);
        page.int32(2, PLAIN);
        page.int32(3, RLE);
        page.int32(4, RLE);
    });
    file.extend(header.end());
    file.extend(page);
    Ok(())
}

fn footer(columns: &[Column<'_>], places: &[std::ops::Range<usize>]) -> Vec<u8> {
    let rows = columns.first().map_or(0, Column::rows);
    let mut footer = Thrift::default();
    footer.int32(1, 1); // the format's version
    let elements: Vec<(&Column<'_>, usize)> = columns
        .iter()
        .flat_map(|column| (0..column.elements()).map(move |place| (column, place)))
        .collect();
    footer.structures(2, elements.len() + 1, |element, place| match place {
        0 => {
            element.string(4, "schema");
            element.int32(5, columns.len() as i64);
        }
        _ => {
            let (column, part) = elements[place - 1];
            column.element(element, part);
        }
    });
    footer.int64(3, rows);
    footer.structures(4, 1, |group, _| {
        group.structures(1, columns.len(), |chunk, i| {
            let (column, place, path) = (&columns[i], &places[i], columns[i].path());
            chunk.int64(2, place.start);
            chunk.structure(3, |about| {
                about.int32(1, column.kind());
                about.list(2, 2, Thrift::INT32);
                about.bytes.extend([zigzag(PLAIN), zigzag(RLE)].map(|n| n as u8));
                about.list(3, path.len(), Thrift::BINARY);
                path.iter().for_each(|name| about.text(name));
                about.int32(4, 0); // not compressed
                about.int64(5, column.values());
                about.int64(6, place.len());
                about.int64(7, place.len());
                about.int64(9, place.start);
            });
        });
        group.int64(2, places.iter().map(std::ops::Range::len).sum());
        group.int64(3, rows);
    });
    footer.string(6, "tenfold");
    footer.end()
}

/// A struct in Thrift's compact protocol: fields by rising numbers.
#[derive(Default)]
struct Thrift {
    bytes: Vec<u8>,
    last: u8,
}

impl Thrift {
    const INT32: u8 = 5;
    const INT64: u8 = 6;
    const BINARY: u8 = 8;
    const LIST: u8 = 9;
    const STRUCT: u8 = 12;

    fn field(&mut self, number: u8, kind: u8) {
        self.bytes.push(((number - self.last) << 4) | kind);
        self.last = number;
    }

    fn int32(&mut self, number: u8, value: i64) {
        self.field(number, Self::INT32);
        varint(&mut self.bytes, zigzag(value));
    }

    fn int64(&mut self, number: u8, value: usize) {
        self.field(number, Self::INT64);
        varint(&mut self.bytes, zigzag(value as i64));
    }

    fn text(&mut self, text: &str) {
        varint(&mut self.bytes, text.len() as u64);
        self.bytes.extend(text.bytes());
    }

    fn string(&mut self, number: u8, text: &str) {
        self.field(number, Self::BINARY);
        self.text(text);
    }

    /// The head of a list of fewer than 15.
    fn list(&mut self, number: u8, count: usize, kind: u8) {
        self.field(number, Self::LIST);
        self.bytes.push(((count as u8) << 4) | kind);
    }

    fn structure(&mut self, number: u8, fill: impl FnOnce(&mut Self)) {
        self.field(number, Self::STRUCT);
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes.extend(inner.end());
    }

    fn structures(&mut self, number: u8, count: usize, fill: impl Fn(&mut Self, usize)) {
        self.list(number, count, Self::STRUCT);
        for place in 0..count {
            let mut inner = Self::default();
            fill(&mut inner, place);
            self.bytes.extend(inner.end());
        }
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Seven bits a byte, the lowest first.
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_many_pages() {
        let rows = 3 * PAGE / 400 + 1;
        let names: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
        let values = vec![1.0; rows * 100];
        let names = Column::Text("name", names.iter().map(String::as_str).collect());
        let lists = Column::Lists { name: "features", values: &values, units: 100 };
        let file = write(&[names, lists]).unwrap();
        let levels = rows * 5 + 4 * 12;
        assert!(file.len() > rows * 400 && file.len() < rows * 410 + levels);
    }
}
