//! The names of classes that others gave, and weights by name.

use std::path::Path;
use tenfold_core::data::default_data_dir;
use tenfold_core::progress::note;
use tenfold_core::weights::{self, Named};
use tenfold_core::{Error, Result, files};

/// The weights that a person named.
///
/// # Errors
/// Nothing of that name has been fetched.
pub fn find(weights: &Path, data_dir: Option<&Path>) -> Result<Named> {
    let data_dir = data_dir.map_or_else(default_data_dir, Path::to_path_buf);
    weights::find(weights, &data_dir)
}

/// The same, and their terms of use are told.
///
/// # Errors
/// As [`find`].
pub fn named(weights: &Path, data_dir: Option<&Path>) -> Result<Named> {
    let named = find(weights, data_dir)?;
    if let Some(licence) = &named.licence {
        note(format_args!("{}: licence: {licence}", weights.display()));
    }
    Ok(named)
}

/// One label a line, in the order of the outputs. Two well-known files are understood:
/// Places365's, `/a/airfield 0`, and ImageNet's, `n01440764 tench, Tinca tinca`, of which the
/// first name is taken.
///
/// # Errors
/// Another number of labels than of classes.
pub fn read(path: &Path, classes: usize) -> Result<Vec<String>> {
    let text = files::read_text(path)?;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() != classes {
        let why = format!("{} labels, expected {classes}, one a line", lines.len());
        return Err(Error::file(path, why));
    }
    let every = |label: fn(usize, &str) -> Option<&str>| {
        let labels = lines.iter().enumerate().map(|(place, line)| label(place, line));
        labels.collect::<Option<Vec<&str>>>()
    };
    let labels = every(of_places).or_else(|| every(of_imagenet)).unwrap_or_else(|| lines.clone());
    Ok(labels.into_iter().map(String::from).collect())
}

/// `/f/field/wild 140` is `field/wild`, where 140 is its place.
fn of_places(place: usize, line: &str) -> Option<&str> {
    let (name, number) = line.rsplit_once(' ')?;
    let (_letter, name) = name.strip_prefix('/')?.split_once('/')?;
    (number.parse() == Ok(place)).then_some(name)
}

/// `n01440764 tench, Tinca tinca` is `tench`.
fn of_imagenet(_place: usize, line: &str) -> Option<&str> {
    let (id, names) = line.split_once([' ', '\t'])?;
    let digits = id.strip_prefix('n')?;
    let is_id = digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_id.then(|| names.split(',').next().unwrap_or(names).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_files_are_understood_and_all_else_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.txt");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path, 2).unwrap()
        };
        assert_eq!(read("/a/airfield 0\n/f/field/wild 1\n"), ["airfield", "field/wild"]);
        assert_eq!(
            read("n01440764 tench, Tinca tinca\nn01443537\tgoldfish\n"),
            ["tench", "goldfish"]
        );
        assert_eq!(read("/a/airfield 0\nhill 1\n"), ["/a/airfield 0", "hill 1"]);
        assert_eq!(read("  route 66\n\nn2 b\n"), ["route 66", "n2 b"]);
    }
}
