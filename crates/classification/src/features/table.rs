//! Features with names, and the files that they are written to.

use std::io::Write;
use std::path::Path;
use tenfold_core::parquet::{self, Column};
use tenfold_core::{Error, Result, files};

/// What a model sees in some inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// The name of each input.
    pub names: Vec<String>,
    /// Numbers for each input.
    pub units: usize,
    /// `[inputs, units]`, row by row.
    pub values: Vec<f32>,
}

/// The kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The tensor `features`, with the names as a JSON list in the metadata under `names`.
    Safetensors,
    /// A table of the columns `name` and `features`, the latter of lists.
    Parquet,
    /// NumPy's array, with the names in a text file beside it, one a line.
    Npy,
}

impl Format {
    /// The format that a file's name asks for.
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("npy") => Ok(Self::Npy),
            Some("parquet") => Ok(Self::Parquet),
            _ => {
                let path = path.display();
                let why = format!("{path}: expected FILE.safetensors, FILE.npy or FILE.parquet");
                Err(Error::argument("--out", why))
            }
        }
    }
}

impl Features {
    /// Writes a file of the kind that its name asks for; an earlier one is replaced. NumPy's
    /// has no place for names: they stand one a line in `FILE.npy.txt`.
    ///
    /// # Errors
    /// Another ending, or a place that cannot be written to.
    pub fn write(&self, path: &Path) -> Result<()> {
        match Format::of(path)? {
            Format::Safetensors => files::write(path, &self.safetensors(path)?),
            Format::Parquet => files::write(path, &self.parquet()?),
            Format::Npy => {
                let names: String = self.names.iter().map(|name| one_line(name) + "\n").collect();
                files::write(&path.with_extension("npy.txt"), names.as_bytes())?;
                files::write(path, &self.npy()?)
            }
        }
    }

    /// The cosine of the angle between each input's features and `query`, with its name; 0
    /// where either is zero everywhere.
    pub fn likeness(&self, query: &[f32]) -> Vec<(&str, f32)> {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let cosine = |row: &[f32]| {
            let length = (dot(row, row) * dot(query, query)).sqrt();
            if length > 0.0 { (dot(row, query) / length) as f32 } else { 0.0 }
        };
        let rows = self.values.chunks(self.units.max(1));
        self.names.iter().map(String::as_str).zip(rows.map(cosine)).collect()
    }

    fn parquet(&self) -> Result<Vec<u8>> {
        let Self { names, units, values } = self;
        let names = Column::Text("name", names.iter().map(String::as_str).collect());
        parquet::write(&[names, Column::Lists { name: "features", values, units: *units }])
    }

    fn bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// The format: a JSON header behind its length, then the numbers.
    fn safetensors(&self, path: &Path) -> Result<Vec<u8>> {
        let names = serde_json::to_string(&self.names).map_err(|why| Error::file(path, why))?;
        let data = self.bytes();
        let header = serde_json::json!({
            "__metadata__": { "names": names },
            "features": {
                "dtype": "F32",
                "shape": [self.names.len(), self.units],
                "data_offsets": [0, data.len()],
            },
        });
        let mut header = header.to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        Ok([&(header.len() as u64).to_le_bytes()[..], &header, &data].concat())
    }

    /// Version 1.0 of the format: a header of text, padded to a multiple of 64 bytes.
    fn npy(&self) -> Result<Vec<u8>> {
        const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
        let (rows, columns) = (self.names.len(), self.units);
        let mut header =
            format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        let padded = (MAGIC.len() + 2 + header.len() + 1).next_multiple_of(64);
        header += &" ".repeat(padded - MAGIC.len() - 2 - header.len() - 1);
        header.push('\n');
        let length = u16::try_from(header.len()).map_err(|why| Error::argument("--out", why))?;
        let mut bytes = MAGIC.to_vec();
        bytes.write_all(&length.to_le_bytes()).map_err(|why| Error::io("features", why))?;
        bytes.extend(header.into_bytes());
        bytes.extend(self.bytes());
        Ok(bytes)
    }
}

/// A name may hold anything, a line's end too.
fn one_line(name: &str) -> String {
    name.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> Features {
        let names = ["a.png", "b.png", "c.png"].map(String::from).into();
        Features { names, units: 2, values: vec![3.0, 4.0, -4.0, 3.0, 0.0, 0.0] }
    }

    #[test]
    fn likeness_is_the_cosine() {
        let features = features();
        let likeness = features.likeness(&[6.0, 8.0]);
        assert_eq!(likeness, [("a.png", 1.0), ("b.png", 0.0), ("c.png", 0.0)]);
        let opposite = features.likeness(&[-3.0, -4.0]);
        assert_eq!(opposite[0].1, -1.0);
    }

    #[test]
    fn a_numpy_file_is_aligned_and_says_its_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.npy");
        features().write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + length) % 64, 0);
        let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
        assert!(header.contains("'shape': (3, 2)") && header.ends_with('\n'), "{header}");
        assert_eq!(bytes[10 + length..][..4], 3f32.to_le_bytes());
        assert_eq!(bytes.len(), 10 + length + 6 * 4);
        let names = std::fs::read_to_string(folder.path().join("f.npy.txt")).unwrap();
        assert_eq!(names, "a.png\nb.png\nc.png\n");
    }

    #[test]
    fn a_safetensors_file_is_read_by_its_own_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.safetensors");
        features().write(&path).unwrap();
        let keys = tenfold_core::weights::keys(&path).unwrap();
        assert_eq!(keys, [("features".to_string(), vec![3, 2])]);
        let metadata = tenfold_core::weights::metadata(&path).unwrap();
        assert_eq!(metadata["names"], r#"["a.png","b.png","c.png"]"#);
    }

    #[test]
    fn the_bytes_of_a_parquet_file_are_those_that_pyarrow_reads() {
        let names = ["a.png", "b.png", "ä.png"].map(String::from).into();
        let features = Features { names, units: 2, values: vec![3.0, 4.0, -4.0, 3.0, 0.0, 0.5] };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.parquet");
        assert_eq!(Format::of(&path).unwrap(), Format::Parquet);
        features.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
        // pyarrow gives these names and numbers back from a file of this digest.
        let digest = tenfold_core::weights::digest(&path).unwrap();
        assert_eq!(digest, "e075bef8d91936e70fc08675156322aee4919bab3c00d95f92a8b78d57f210eb");
    }

    #[test]
    fn other_endings_are_refused() {
        for name in ["f", "f.csv", "f.NPY", ".npy"] {
            let why = features().write(Path::new(name)).unwrap_err().to_string();
            assert!(why.starts_with("--out: ") && why.contains("FILE.parquet"), "{why}");
        }
    }
}
