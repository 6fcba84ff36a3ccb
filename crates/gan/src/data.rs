//! Images to learn from: a data set of the classifiers, or any folder of images.

use burn_dataset::Dataset;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenfold_core::data::split::{stratify, view};
use tenfold_core::data::{
    DataSet, Example, Examples, Input, Kind, OpenOptions, folder, image_file, locate,
};
use tenfold_core::progress::note;
use tenfold_core::{Error, Result, data};

/// Of fewer images no part is held out.
const FEW: usize = 10;

/// Files of images.
pub struct Files(pub Vec<PathBuf>);

impl Dataset<Example, Error> for Files {
    fn get(&self, index: usize) -> Result<Example> {
        let file = &self.0[index];
        let input = Input::Image(image_file::read(file)?);
        Ok(Example { input, target: 0, file: Some(Arc::from(&**file)) })
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// Opens images: a folder with images beside each other has no classes, everything else is what
/// the classifiers open.
///
/// # Errors
/// There are none, or too few.
pub fn open(name: &str, options: &OpenOptions) -> Result<DataSet> {
    let path = Path::new(name);
    let loose = path.is_dir() && !path.join("dataset.toml").is_file();
    if loose && !folder::images_in(path)?.is_empty() {
        return open_files(path, options);
    }
    let set = data::open(name, options)?;
    match set.kind {
        Kind::Images { .. } => Ok(set),
        _ => Err(Error::argument("--data", format!("`{name}` has no images"))),
    }
}

/// The images of a folder, and those that cannot be read, one line each; the first one's size
/// with the most channels, and whether all have that size and these channels.
///
/// # Errors
/// The folder cannot be read.
pub fn readable(folder: &Path) -> Result<Readable> {
    let mut own = Readable::default();
    for file in folder::images_below(folder)? {
        match image_file::header(&file) {
            Ok(header) => {
                let [channels, height, width] = own.shape;
                if own.files.is_empty() {
                    own.shape = [header.channels, header.height, header.width];
                } else if own.shape != [header.channels, header.height, header.width] {
                    own.alike = false;
                    own.shape = [channels.max(header.channels), height, width];
                }
                own.files.push(file);
            }
            Err(why) => own.skipped.push(why.to_string()),
        }
    }
    Ok(own)
}

/// What [`readable`] found.
pub struct Readable {
    /// In the order of their names.
    pub files: Vec<PathBuf>,
    /// Why others were left out.
    pub skipped: Vec<String>,
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// Whether all have this shape.
    pub alike: bool,
}

impl Default for Readable {
    fn default() -> Self {
        Self { files: Vec::new(), skipped: Vec::new(), shape: [1; 3], alike: true }
    }
}

fn open_files(path: &Path, options: &OpenOptions) -> Result<DataSet> {
    let Readable { files, skipped, shape: [channels, height, width], alike } = readable(path)?;
    let count = files.len();
    if count < 2 {
        let why = match (count, skipped.first()) {
            (0, Some(first)) => format!("no image can be read; {first}"),
            _ => format!("{count} image; a GAN learns from 2 at least, and well from hundreds"),
        };
        return Err(Error::file(path, why));
    }
    if !alike {
        let colour = if channels == 1 { "all become grey" } else { "all become colour" };
        note(format_args!(
            "images of several sizes or channels: the shorter side of each is resized and its \
             middle cut out; {colour}"
        ));
    }
    let all: Examples = Arc::new(Files(files));
    let [train, validation, test] = if count < FEW {
        note(format_args!("{count} images are too few to hold some out: the figures are of these"));
        [(); 3].map(|()| all.clone())
    } else {
        let parts = stratify(&vec![0; count], options.seed, options.limit);
        let parts = parts.map_err(|why| Error::file(path, why))?;
        [parts.train, parts.validation, parts.test].map(|places| view(&all, places))
    };
    Ok(DataSet {
        name: locate::kept_name(&path.to_string_lossy()),
        kind: Kind::Images { channels, height, width },
        classes: Vec::new(),
        values: None,
        train,
        validation,
        test,
        skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, RgbImage};

    #[test]
    fn any_folder_of_images_and_too_few_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let options = OpenOptions { data_dir: "nowhere".into(), seed: 1, ..OpenOptions::default() };
        let open = || open(path.to_str().unwrap(), &options);
        GrayImage::new(30, 40).save(path.join("00.png")).unwrap();
        let why = open().err().unwrap().to_string();
        assert!(why.contains("1 image; a GAN learns from 2 at least"), "{why}");
        RgbImage::new(20, 20).save(path.join("01.png")).unwrap();
        let few = open().unwrap();
        assert_eq!((few.train.len(), few.test.len(), few.classes.len()), (2, 2, 0));
        assert_eq!(few.kind, Kind::Images { channels: 3, height: 40, width: 30 });
        for i in 2..30 {
            RgbImage::new(20, 20).save(path.join(format!("{i:02}.png"))).unwrap();
        }
        std::fs::write(path.join("99.png"), "no image").unwrap();
        let more = open().unwrap();
        assert_eq!([&more.train, &more.validation, &more.test].map(|s| s.len()), [24, 3, 3]);
        assert_eq!(more.skipped.len(), 1);
    }
}
