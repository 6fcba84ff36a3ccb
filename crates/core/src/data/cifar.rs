//! Reads the binary files of CIFAR-10: records of one label byte, then 32 x 32 pixels of
//! red, of green and of blue. (Krizhevsky, 2009, and the data set's own page.)

use std::path::{Path, PathBuf};

use burn_dataset::Dataset;
use image::{DynamicImage, RgbImage};

use super::example::{Example, Input};
use crate::{Error, Result};

/// Rows and columns of every image.
pub const SIDE: usize = 32;
const AREA: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * AREA;

/// The images of several files, one after the other, held as they were read.
pub struct CifarImages {
    files: Vec<Vec<u8>>,
    len: usize,
}

impl CifarImages {
    /// Reads `paths` in order; labels count from 0 to `classes - 1`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, is empty or cut off, or has a label out of range.
    pub fn read(paths: &[PathBuf], classes: usize) -> Result<Self> {
        let files =
            paths.iter().map(|path| read_file(path, classes)).collect::<Result<Vec<_>>>()?;
        let len = files.iter().map(|file| file.len() / RECORD).sum();
        Ok(Self { files, len })
    }

    /// The class of each image.
    pub fn labels(&self) -> Vec<usize> {
        let records = self.files.iter().flat_map(|file| file.chunks_exact(RECORD));
        records.map(|record| usize::from(record[0])).collect()
    }
}

fn read_file(path: &Path, classes: usize) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    check(path, &bytes, classes)?;
    Ok(bytes)
}

fn check(path: &Path, bytes: &[u8], classes: usize) -> Result<()> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        return Err(Error::file(
            path,
            format!("{} bytes; expected one or more records of {RECORD} bytes", bytes.len()),
        ));
    }
    for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
        if usize::from(record[0]) >= classes {
            return Err(Error::file(
                path,
                format!(
                    "label {} of record {index} (counted from 0); expected less than {classes}, \
                     the number of classes",
                    record[0]
                ),
            ));
        }
    }
    Ok(())
}

impl Dataset<Example, Error> for CifarImages {
    fn get(&self, index: usize) -> Result<Example> {
        let mut at = index * RECORD;
        let mut files = self.files.iter();
        let record = loop {
            match files.next() {
                Some(file) if at < file.len() => break &file[at..at + RECORD],
                Some(file) => at -= file.len(),
                // The contract of `Dataset`: an index past the end is the caller's bug.
                None => panic!("index {index} of {} images", self.len),
            }
        };
        let planes = &record[1..];
        let image = RgbImage::from_fn(SIDE as u32, SIDE as u32, |x, y| {
            let at = y as usize * SIDE + x as usize;
            image::Rgb([planes[at], planes[AREA + at], planes[2 * AREA + at]])
        });
        Ok(Example {
            input: Input::Image(DynamicImage::ImageRgb8(image)),
            target: usize::from(record[0]),
            file: None,
        })
    }

    fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_pixels_across_files() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["a", "b"].iter().map(|name| folder.path().join(name)).collect();
        let mut record = vec![0; RECORD];
        record[0] = 3;
        std::fs::write(&paths[0], &record).unwrap();
        record[0] = 9;
        // Row 1, column 2 of red, green and blue.
        for (plane, value) in [10, 20, 30].into_iter().enumerate() {
            record[1 + plane * AREA + SIDE + 2] = value;
        }
        std::fs::write(&paths[1], &record).unwrap();
        let data = CifarImages::read(&paths, 10).unwrap();
        assert_eq!(data.len(), 2);
        assert_eq!(data.get(0).unwrap().target, 3);
        let second = data.get(1).unwrap();
        assert_eq!(second.target, 9);
        let Input::Image(DynamicImage::ImageRgb8(image)) = second.input else { panic!() };
        assert_eq!(image.get_pixel(2, 1).0, [10, 20, 30]);
    }

    #[test]
    fn cut_off_empty_and_mislabelled_files_are_named() {
        let why = |bytes: &[u8]| check(Path::new("a.bin"), bytes, 10).unwrap_err().to_string();
        assert_eq!(why(&[]), "a.bin: 0 bytes; expected one or more records of 3073 bytes");
        assert!(why(&[0; RECORD - 1]).contains("3072 bytes"));
        assert!(why(&[10; RECORD]).contains("label 10 of record 0"));
    }
}
