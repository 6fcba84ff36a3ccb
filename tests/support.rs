//! What the end-to-end tests share: one command line run in-process, and small files to feed it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tenfold_core::cli::Program;
use tenfold_core::data::random::SplitMix64;

/// What one command line did.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status.
    pub status: u8,
    /// Everything on stdout.
    pub out: String,
    /// The error, or clap's message; progress goes past it to the real stderr.
    pub err: String,
}

impl Outcome {
    /// stdout as the JSON document it must be.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.status, 0, "{}", self.err);
        serde_json::from_str(&self.out).expect("one JSON document and nothing else on stdout")
    }

    /// The single line of an error with exit status 1, without its `error: `.
    pub fn error(&self) -> &str {
        assert_eq!(self.status, 1, "status of {self:?}");
        assert_eq!(self.err.lines().count(), 1, "one line expected: {:?}", self.err);
        self.err.strip_prefix("error: ").expect("an error begins with `error: `").trim_end()
    }
}

impl Outcome {
    /// Exit status 1, nothing on stdout, and one line that holds all of `expected`.
    pub fn fails(&self, expected: &[&str]) {
        let why = self.error();
        for &part in expected {
            assert!(why.contains(part), "`{part}` is not in: {why}");
        }
        assert_eq!(self.out, "", "an error has no results");
    }
}

/// Runs a command line that must end with exit status 1 and one line that holds all of
/// `expected`.
pub fn fails<S: Into<OsString>>(args: impl IntoIterator<Item = S>, expected: &[&str]) {
    classification(args).fails(expected);
}

/// Runs `tenfold-classification` with these arguments.
pub fn classification<S: Into<OsString>>(args: impl IntoIterator<Item = S>) -> Outcome {
    run::<tenfold_classification::Zoo, S>(args)
}

/// Runs `tenfold-sequence` with these arguments.
pub fn sequence<S: Into<OsString>>(args: impl IntoIterator<Item = S>) -> Outcome {
    run::<tenfold_sequence::Zoo, S>(args)
}

/// Runs the program of `Z` with these arguments.
pub fn run<Z: Program, S: Into<OsString>>(args: impl IntoIterator<Item = S>) -> Outcome {
    let program = OsString::from(Z::PROGRAM);
    let args = std::iter::once(program).chain(args.into_iter().map(Into::into));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = tenfold_core::cli::run::<Z>(args, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome { status, out: text(out), err: text(err) }
}

/// Arguments from words and paths: `args!["train", "lenet", "--out", &path]`.
#[macro_export]
macro_rules! args {
    ($($arg:expr),* $(,)?) => { [$(std::ffi::OsString::from($arg)),*] };
}

/// A folder that a test may fill; removed with the value.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Writes images `FOLDER/CLASS/N.png` of two classes that anyone can tell apart: bright
/// above, bright below. 8 x 8 pixels with noise.
pub fn write_images(folder: &Path, each: usize) {
    let mut random = SplitMix64::new(5);
    for (class, bright) in [("above", 0..4u32), ("below", 4..8)] {
        let class = folder.join(class);
        std::fs::create_dir_all(&class).expect("a class folder");
        for i in 0..each {
            let pixel = |_, y| {
                let base = if bright.contains(&y) { 180 } else { 20 };
                image::Luma([base + random.below(60) as u8])
            };
            let path = class.join(format!("{i:03}.png"));
            image::GrayImage::from_fn(8, 8, pixel).save(path).expect("an image");
        }
    }
}

/// Writes a table whose class is the sign of the first column.
pub fn write_table(path: &Path, rows: usize) {
    let mut random = SplitMix64::new(6);
    let mut text = String::from("height,width,kind\n");
    for _ in 0..rows {
        let (a, b) = (random.between(-1.0, 1.0), random.between(-1.0, 1.0));
        text += &format!("{a},{b},{}\n", if a > 0.0 { "tall" } else { "low" });
    }
    std::fs::write(path, text).expect("a table");
}

/// Writes a table whose last column is `100 + 40 area + 5 rooms`, give or take 3.
pub fn write_prices(path: &Path, rows: usize) {
    let mut random = SplitMix64::new(7);
    let mut text = String::from("area,rooms,price\n");
    for _ in 0..rows {
        let (area, rooms) = (random.between(-1.0, 1.0), 1 + random.below(5));
        let price = 100.0 + 40.0 * area + 5.0 * rooms as f32 + random.between(-3.0, 3.0);
        text += &format!("{area},{rooms},{price}\n");
    }
    std::fs::write(path, text).expect("a table");
}

/// One 8 x 8 image of [`write_images`], class `above`.
pub fn first_image(folder: &Path) -> PathBuf {
    folder.join("above/000.png")
}

/// The content of every file below a folder, to see whether anything changed.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.insert(path.clone(), std::fs::read(&path).expect("a file"));
        }
    }
    files
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    for (path, bytes) in contents(from) {
        let path = to.join(path.strip_prefix(from).expect("a path below the folder"));
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
}

/// Name and raw bytes of every tensor in a safetensors file.
pub fn tensors(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (size, rest) = file.split_first_chunk::<8>().expect("a header's size");
    let (header, data) = rest.split_at(u64::from_le_bytes(*size) as usize);
    let header: serde_json::Value = serde_json::from_slice(header).expect("a JSON header");
    let entries = header.as_object().expect("an object").iter();
    let tensor = |(name, entry): (&String, &serde_json::Value)| {
        let offset = |i: usize| entry["data_offsets"][i].as_u64().expect("an offset") as usize;
        (name.clone(), data[offset(0)..offset(1)].to_vec())
    };
    entries.filter(|(name, _)| *name != "__metadata__").map(tensor).collect()
}
