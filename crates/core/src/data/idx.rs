//! Reads the idx files of MNIST and its relatives: a magic number, the sizes of each
//! dimension as big-endian 32-bit numbers, then one byte a value.
//! (LeCun, Cortes, Burges: "The MNIST database of handwritten digits".)

use std::path::Path;
use std::sync::Arc;

use burn_dataset::Dataset;
use image::{DynamicImage, GrayImage};

use super::example::{Example, Input};
use super::image_file;
use crate::{Error, Result};

/// An idx file of unsigned bytes, held as it was read.
#[derive(Clone, Debug)]
pub struct Idx {
    /// The size of each dimension, outermost first.
    pub sizes: Vec<usize>,
    bytes: Arc<Vec<u8>>,
}

impl Idx {
    /// Reads the idx file at `path`, which must have `dimensions` dimensions of unsigned bytes.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or as [`Idx::parse`].
    pub fn read(path: impl AsRef<Path>, dimensions: u8) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::parse(path, bytes, dimensions)
    }

    /// Takes the content of an idx file; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// When the magic number is another one, or the length is not what the header promises.
    pub fn parse(path: impl AsRef<Path>, bytes: Vec<u8>, dimensions: u8) -> Result<Self> {
        let path = path.as_ref();
        let wrong = |why: String| Err(Error::file(path, why));
        if bytes.starts_with(&[0x1F, 0x8B]) {
            return wrong("compressed by gzip; expected the idx file that is inside".into());
        }
        let header = 4 + 4 * usize::from(dimensions);
        if bytes.len() < header {
            return wrong(format!(
                "{} bytes; expected an idx file with a header of {header} bytes",
                bytes.len()
            ));
        }
        let magic = [0, 0, 0x08, dimensions];
        if bytes[..4] != magic {
            return wrong(format!(
                "begins with {:02x?}; expected {magic:02x?}, an idx file of unsigned bytes \
                 in {dimensions} dimension{}",
                &bytes[..4],
                if dimensions == 1 { "" } else { "s" }
            ));
        }
        let sizes: Vec<usize> = bytes[4..header]
            .chunks_exact(4)
            .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
            .collect();
        let promised = sizes
            .iter()
            .try_fold(1u64, |values, &size| values.checked_mul(size as u64))
            .and_then(|values| values.checked_add(header as u64));
        if promised != Some(bytes.len() as u64) {
            let by = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
            let promised = promised.map_or("too many".into(), |count| count.to_string());
            return wrong(format!(
                "its header says {by} values, which makes {promised} bytes, but it has {}",
                bytes.len()
            ));
        }
        if sizes.contains(&0) {
            return wrong("holds no values".into());
        }
        Ok(Self { sizes, bytes: Arc::new(bytes) })
    }

    /// The values, outermost dimension first.
    pub fn values(&self) -> &[u8] {
        &self.bytes[4 + 4 * self.sizes.len()..]
    }
}

/// Grey images of one idx file with the labels of another.
pub struct IdxImages {
    pictures: Idx,
    labels: Idx,
}

impl IdxImages {
    /// Reads the two files and checks that they belong together; labels count from 0 to
    /// `classes - 1`.
    ///
    /// # Errors
    ///
    /// When either is faulty, their counts differ, or a label is out of range.
    pub fn read(
        pictures: impl AsRef<Path>,
        labels: impl AsRef<Path>,
        classes: usize,
    ) -> Result<Self> {
        let (pictures_path, labels_path) = (pictures.as_ref(), labels.as_ref());
        let pictures = Idx::read(pictures_path, 3)?;
        let labels = Idx::read(labels_path, 1)?;
        let [count, height, width] = pictures.sizes[..] else {
            return Err(Error::file(pictures_path, "expected three dimensions"));
        };
        let most = image_file::MOST_SIDE as usize;
        if height > most || width > most {
            return Err(Error::file(
                pictures_path,
                format!("images of {width} x {height} pixels; expected at most {most} a side"),
            ));
        }
        if labels.sizes[0] != count {
            return Err(Error::file(
                labels_path,
                format!(
                    "{} labels; expected {count}, one for each image of {}",
                    labels.sizes[0],
                    pictures_path.display()
                ),
            ));
        }
        let out_of_range = |&label: &u8| usize::from(label) >= classes;
        if let Some(index) = labels.values().iter().position(out_of_range) {
            return Err(Error::file(
                labels_path,
                format!(
                    "label {} of example {index} (counted from 0); expected less than {classes}, \
                     the number of classes",
                    labels.values()[index]
                ),
            ));
        }
        Ok(Self { pictures, labels })
    }

    /// The class of each image.
    pub fn labels(&self) -> Vec<usize> {
        self.labels.values().iter().map(|&label| usize::from(label)).collect()
    }

    /// Rows and columns of every image.
    pub fn size(&self) -> (usize, usize) {
        (self.pictures.sizes[1], self.pictures.sizes[2])
    }
}

impl Dataset<Example, Error> for IdxImages {
    fn get(&self, index: usize) -> Result<Example> {
        let (height, width) = self.size();
        let area = height * width;
        let pixels = self.pictures.values()[index * area..][..area].to_vec();
        let image = GrayImage::from_raw(width as u32, height as u32, pixels)
            .ok_or_else(|| Error::argument("idx", "an image's size does not fit its pixels"))?;
        Ok(Example {
            input: Input::Image(DynamicImage::ImageLuma8(image)),
            target: usize::from(self.labels.values()[index]),
            file: None,
        })
    }

    fn len(&self) -> usize {
        self.labels.values().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two images of two rows and three columns: 0..6, then 6..12.
    fn valid() -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend(0..12);
        bytes
    }

    fn message(bytes: Vec<u8>, dimensions: u8) -> String {
        Idx::parse("digits.idx", bytes, dimensions).unwrap_err().to_string()
    }

    /// Writes both files into a fresh folder and opens them.
    fn open(pictures: &[u8], labels: &[u8], classes: usize) -> Result<IdxImages> {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("images"), folder.path().join("labels"));
        std::fs::write(&a, pictures).unwrap();
        std::fs::write(&b, labels).unwrap();
        IdxImages::read(a, b, classes)
    }

    #[test]
    fn pictures_and_labels_come_out_row_by_row() {
        let data = open(&valid(), &[0, 0, 8, 1, 0, 0, 0, 2, 4, 9], 10).unwrap();
        assert_eq!((data.len(), data.size()), (2, (2, 3)));
        let second = data.get(1).unwrap();
        assert_eq!(second.target, 9);
        let Input::Image(DynamicImage::ImageLuma8(image)) = second.input else { panic!() };
        assert_eq!(image.dimensions(), (3, 2));
        assert_eq!(image.get_pixel(2, 1).0, [11]);
    }

    #[test]
    fn every_lie_of_a_header_is_named() {
        let mut lie = valid();
        lie[7] = 3;
        assert_eq!(
            message(lie, 3),
            "digits.idx: its header says 3 x 2 x 3 values, which makes 34 bytes, but it has 28"
        );
        let mut huge = valid();
        huge[4..16].fill(0xFF);
        assert!(message(huge, 3).contains("4294967295 x 4294967295 x 4294967295"));
        assert!(message(valid()[..27].to_vec(), 3).ends_with("but it has 27"), "cut off");
        assert!(message([valid(), vec![0]].concat(), 3).ends_with("but it has 29"), "trailing");
        assert!(message(vec![0, 0, 8], 3).contains("expected an idx file"), "no header");
        assert!(message(vec![], 1).starts_with("digits.idx: 0 bytes"));
        assert!(message(valid(), 1).contains("[00, 00, 08, 01]"), "other dimensions");
        assert!(message(vec![0, 0, 8, 1, 0, 0, 0, 0], 1).contains("no values"));
        assert!(message(vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0], 1).contains("gzip"));
    }

    #[test]
    fn files_that_do_not_belong_together_are_refused() {
        let why = |labels: &[u8]| open(&valid(), labels, 10).err().unwrap().to_string();
        assert!(why(&[0, 0, 8, 1, 0, 0, 0, 1, 4]).contains("1 labels; expected 2"));
        assert!(why(&[0, 0, 8, 1, 0, 0, 0, 2, 4, 10]).contains("label 10 of example 1"));
        assert!(IdxImages::read("/nowhere/a", "/nowhere/b", 10).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30_000))]

        #[test]
        fn damaged_files_never_panic(
            dimensions in 0u8..5,
            edits in prop::collection::vec((0usize..28, any::<u8>()), 0..4),
            length in 0usize..40,
        ) {
            let mut bytes = valid();
            for (place, value) in edits {
                bytes[place] = value;
            }
            bytes.resize(length, 7);
            if let Ok(idx) = Idx::parse("x", bytes, dimensions) {
                prop_assert_eq!(idx.values().len(), idx.sizes.iter().product::<usize>());
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Idx::parse("x", bytes.clone(), 1);
            let _ = Idx::parse("x", bytes, 3);
        }
    }
}
