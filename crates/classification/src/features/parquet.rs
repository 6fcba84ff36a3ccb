//! Apache Parquet, as much of it as features need: the column `name` of strings and the column
//! `features` of lists of floats, neither compressed nor encoded.
//!
//! The format: <https://parquet.apache.org/docs/file-format/>; its headers are structs in
//! Thrift's compact protocol, of which the writer is below. Numbers of fields and kinds are
//! those of `parquet.thrift`.

use super::Features;
use tenfold_core::{Error, Result};

const MAGIC: &[u8] = b"PAR1";
/// About so many bytes of features are a page.
const PAGE: usize = 1 << 20;

// Physical types.
const FLOAT: i64 = 4;
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

/// The whole file.
///
/// # Errors
/// A page of more bytes than the format can say.
pub(super) fn write(features: &Features) -> Result<Vec<u8>> {
    let (rows, units) = (features.names.len(), features.units);
    let mut file = MAGIC.to_vec();
    let rows_of_a_page = (PAGE / (4 * units).max(1)).max(1);

    let first = file.len();
    for names in features.names.chunks(rows_of_a_page) {
        let mut page = Vec::new();
        for name in names {
            page.extend((name.len() as u32).to_le_bytes());
            page.extend(name.bytes());
        }
        add_page(&mut file, names.len(), &page)?;
    }
    let second = file.len();
    for values in features.values.chunks((rows_of_a_page * units).max(1)) {
        let mut page = levels(values.len() / units, units);
        page.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        add_page(&mut file, values.len(), &page)?;
    }
    let end = file.len();

    let columns = [
        Column { kind: BYTE_ARRAY, path: &["name"], values: rows, place: first..second },
        Column {
            kind: FLOAT,
            path: &["features", "list", "element"],
            values: rows * units,
            place: second..end,
        },
    ];
    let footer = footer(rows, &columns);
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

/// Where the pages of a column lie.
struct Column {
    kind: i64,
    path: &'static [&'static str],
    values: usize,
    place: std::ops::Range<usize>,
}

fn footer(rows: usize, columns: &[Column]) -> Vec<u8> {
    let mut footer = Thrift::default();
    footer.int32(1, 1); // the format's version
    footer.structures(2, 5, |element, place| match place {
        0 => {
            element.string(4, "schema");
            element.int32(5, 2);
        }
        1 => {
            element.int32(1, BYTE_ARRAY);
            element.int32(3, REQUIRED);
            element.string(4, "name");
            element.int32(6, UTF8);
        }
        2 => {
            element.int32(3, REQUIRED);
            element.string(4, "features");
            element.int32(5, 1);
            element.int32(6, LIST);
        }
        3 => {
            element.int32(3, REPEATED);
            element.string(4, "list");
            element.int32(5, 1);
        }
        _ => {
            element.int32(1, FLOAT);
            element.int32(3, REQUIRED);
            element.string(4, "element");
        }
    });
    footer.int64(3, rows);
    footer.structures(4, 1, |group, _| {
        group.structures(1, columns.len(), |chunk, place| {
            let Column { kind, path, values, place } = &columns[place];
            chunk.int64(2, place.start);
            chunk.structure(3, |column| {
                column.int32(1, *kind);
                column.list(2, 2, Thrift::INT32);
                column.bytes.extend([zigzag(PLAIN), zigzag(RLE)].map(|n| n as u8));
                column.list(3, path.len(), Thrift::BINARY);
                path.iter().for_each(|name| column.text(name));
                column.int32(4, 0); // not compressed
                column.int64(5, *values);
                column.int64(6, place.len());
                column.int64(7, place.len());
                column.int64(9, place.start);
            });
        });
        group.int64(2, columns.iter().map(|column| column.place.len()).sum());
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
    use crate::features::Format;

    #[test]
    fn the_bytes_are_those_that_pyarrow_reads() {
        let names = ["a.png", "b.png", "ä.png"].map(String::from).into();
        let features = Features { names, units: 2, values: vec![3.0, 4.0, -4.0, 3.0, 0.0, 0.5] };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.parquet");
        assert_eq!(Format::of(&path).unwrap(), Format::Parquet);
        features.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (head, tail) = (&bytes[..4], &bytes[bytes.len() - 4..]);
        assert_eq!((head, tail), (MAGIC, MAGIC));
        // pyarrow gives these names and numbers back from a file of this digest.
        let digest = tenfold_core::weights::digest(&path).unwrap();
        assert_eq!(digest, "e075bef8d91936e70fc08675156322aee4919bab3c00d95f92a8b78d57f210eb");
    }

    #[test]
    fn many_rows_are_many_pages() {
        let rows = 3 * PAGE / 400 + 1;
        let names = (0..rows).map(|row| row.to_string()).collect();
        let features = Features { names, units: 100, values: vec![1.0; rows * 100] };
        let file = write(&features).unwrap();
        let levels = rows * 5 + 4 * 12;
        assert!(file.len() > rows * 400 && file.len() < rows * 410 + levels);
    }
}
