//! Reads a folder of images, one subfolder a class: `CLASS/*.png`, also in folders below.
//!
//! Whether a file is an image is told by its content, not by its name. Opening looks at every
//! file's header, in parallel; pixels are decoded when an example is asked for.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_dataset::Dataset;
use rayon::prelude::*;

use super::example::{Example, Input};
use super::image_file::{self, Header};
use crate::{Error, Result};

/// Files with these endings, in either case, are meant as images: where one cannot be read,
/// that is told. Others are images if their content is.
const EXTENSIONS: [&str; 17] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "gif", "bmp", "webp", "pnm", "pbm", "pgm", "ppm", "tif",
    "tiff", "heic", "heif", "avif",
];

/// The images of a folder, sorted by class and then by name.
pub struct FolderImages {
    /// The class of each image.
    pub labels: Vec<usize>,
    /// The first image's size, with three channels where any image has colour.
    pub header: Header,
    /// Files that are left out, one line each, with the reason.
    pub skipped: Vec<String>,
    files: Vec<PathBuf>,
}

impl FolderImages {
    /// Lists the images of `folder`, whose subfolders are named by `classes`.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read, a class's folder has no image, a subfolder is none of
    /// `classes`, or no file at all can be read.
    pub fn read(folder: impl AsRef<Path>, classes: &[String]) -> Result<Self> {
        let folder = folder.as_ref();
        let (mut found, mut loose) = (Vec::new(), images_in(folder)?);
        for class in class_names(folder)? {
            let Some(label) = classes.iter().position(|known| *known == class) else {
                return Err(Error::file(
                    folder.join(class),
                    format!("not a class of the training part; expected {}", listed(classes)),
                ));
            };
            let class = folder.join(class);
            let files = below(&class)?;
            if !files.iter().any(|file| is_image(file)) {
                return Err(Error::file(
                    class,
                    "a class without any image; expected PNG, JPEG, GIF, BMP, WebP, TIFF or PNM files",
                ));
            }
            found.extend(files.into_iter().map(|file| (file, label)));
        }
        let mut images = Self::listed(folder, found)?;
        let of_no_class = |file| Error::file(file, "in no class's folder; expected CLASS/FILE");
        images.skipped.extend(loose.drain(..).map(|file| of_no_class(file).to_string()));
        Ok(images)
    }

    /// Images with the places of their classes; `folder` is named where none can be read.
    pub(crate) fn listed(folder: &Path, found: Vec<(PathBuf, usize)>) -> Result<Self> {
        let headers: Vec<_> = found.par_iter().map(|(file, _)| image_file::header(file)).collect();
        let (mut files, mut labels, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        let mut header: Option<Header> = None;
        for ((file, label), found) in found.into_iter().zip(headers) {
            match found {
                Ok(found) => {
                    let first = header.get_or_insert(found);
                    first.channels = first.channels.max(found.channels);
                    files.push(file);
                    labels.push(label);
                }
                Err(error) => skipped.push(error.to_string()),
            }
        }
        let Some(header) = header else {
            let why = match skipped.first() {
                Some(first) => format!("none of {} images can be read; {first}", skipped.len()),
                None => "no class folders; expected CLASS/*.png".into(),
            };
            return Err(Error::file(folder, why));
        };
        Ok(Self { labels, header, skipped, files })
    }
}

impl Dataset<Example, Error> for FolderImages {
    fn get(&self, index: usize) -> Result<Example> {
        let file = &self.files[index];
        let input = Input::Image(image_file::read(file)?);
        Ok(Example { input, target: self.labels[index], file: Some(Arc::from(&**file)) })
    }

    fn len(&self) -> usize {
        self.files.len()
    }
}

/// The names of the subfolders of `folder`, sorted; hidden ones are left out.
pub(crate) fn class_names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| {
                Error::file(&path, "a folder name that is not UTF-8; expected a class name")
            })?;
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// The image files directly in `folder`, sorted: those with an image's content, whatever their
/// names, and those that are called images.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_file() && is_image(path)).collect())
}

/// [`images_in`] a folder and all folders below it.
///
/// # Errors
///
/// When a folder cannot be read.
pub fn images_below(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(below(folder)?.into_iter().filter(|path| is_image(path)).collect())
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
        || image_file::has_known_format(path)
}

/// All files of a folder and of the folders below it. A folder that a link leads to a second
/// time is entered once.
fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    fn walk(folder: &Path, seen: &mut HashSet<PathBuf>, files: &mut Vec<PathBuf>) -> Result<()> {
        let real = folder.canonicalize().map_err(|error| Error::io(folder, error))?;
        if !seen.insert(real) {
            return Ok(());
        }
        for path in entries(folder)? {
            if path.is_dir() { walk(&path, seen, files)? } else { files.push(path) }
        }
        Ok(())
    }
    let mut files = Vec::new();
    walk(folder, &mut HashSet::new(), &mut files)?;
    Ok(files)
}

/// What `folder` holds, sorted by name, without hidden files: the order in which a file
/// system lists its files differs between machines.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |error| Error::io(folder, error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The first names of a list that may be long.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 10 { format!("{shown}, ... ({} in all)", names.len()) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage};

    /// `dog` has a grey 3x2 image and a text file; `cat` a colour image named wrongly, a
    /// text file named .png, and a hidden file.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("cat")).unwrap();
        std::fs::create_dir_all(at("dog")).unwrap();
        std::fs::create_dir_all(at(".cache")).unwrap();
        RgbImage::from_pixel(5, 4, Rgb([1, 2, 3])).save(at("cat/a.png")).unwrap();
        std::fs::rename(at("cat/a.png"), at("cat/a.JPG")).unwrap();
        std::fs::write(at("cat/b.png"), "hello").unwrap();
        std::fs::write(at("cat/.c.png"), "hidden").unwrap();
        GrayImage::from_pixel(3, 2, Luma([9])).save(at("dog/a.png")).unwrap();
        std::fs::write(at("dog/notes.txt"), "hello").unwrap();
        folder
    }

    #[test]
    fn classes_are_sorted_and_faulty_files_counted() {
        let folder = folder();
        let classes = class_names(folder.path()).unwrap();
        assert_eq!(classes, ["cat", "dog"]);
        let data = FolderImages::read(folder.path(), &classes).unwrap();
        assert_eq!((data.len(), &data.labels[..]), (2, &[0, 1][..]));
        assert_eq!(data.header, Header { channels: 3, height: 4, width: 5 });
        assert_eq!(data.skipped.len(), 2);
        assert!(data.skipped[0].contains("b.png: not an image that can be read"));
        assert!(data.skipped[1].contains("notes.txt: "));
        let Input::Image(image) = data.get(0).unwrap().input else { panic!() };
        assert_eq!(image.to_rgb8().get_pixel(0, 0).0, [1, 2, 3], "told by content, not name");
    }

    #[test]
    fn names_and_depth_do_not_matter_and_what_is_left_out_is_named() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("dog/2024/may")).unwrap();
        let ppm = b"P6 1 1 255\n\x01\x02\x03";
        for name in ["dog/2024/may/a.PPM", "dog/2024/b.jfif", "dog/c.tif", "dog/d", "loose.png"] {
            std::fs::write(at(name), ppm).unwrap();
        }
        let classes = class_names(folder.path()).unwrap();
        let data = FolderImages::read(folder.path(), &classes).unwrap();
        assert_eq!((data.len(), data.skipped.len()), (6, 3));
        assert!(data.skipped[2].contains("loose.png: in no class's folder"));
        let file = data.get(1).unwrap().file.unwrap();
        assert!(file.ends_with("dog/2024/b.jfif"), "{}", file.display());
        assert_eq!(images_in(&at("dog")).unwrap().len(), 3);
        assert_eq!(images_below(&at("dog")).unwrap().len(), 5);
    }

    #[test]
    fn an_empty_class_an_unknown_class_and_no_class_are_named() {
        let folder = folder();
        let why = |classes: &[String]| {
            FolderImages::read(folder.path(), classes).err().unwrap().to_string()
        };
        assert!(why(&["cat".into()]).contains("dog: not a class"));
        std::fs::create_dir(folder.path().join("emu")).unwrap();
        let classes = class_names(folder.path()).unwrap();
        assert!(why(&classes).contains("emu: a class without any image"));
        let empty = tempfile::tempdir().unwrap();
        let error = FolderImages::read(empty.path(), &[]).err().unwrap().to_string();
        assert!(error.contains("no class folders"));
    }

    #[test]
    fn a_folder_of_nothing_but_faulty_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/x.png"), "").unwrap();
        let error = FolderImages::read(folder.path(), &["a".into()]).err().unwrap().to_string();
        assert!(error.contains("none of 1 images can be read"), "{error}");
        assert!(error.contains("x.png") && !error.contains('\n'));
    }

    #[test]
    fn a_file_that_vanishes_or_breaks_after_opening_is_an_error() {
        let folder = folder();
        let data = FolderImages::read(folder.path(), &["cat".into(), "dog".into()]).unwrap();
        std::fs::write(folder.path().join("cat/a.JPG"), "broken").unwrap();
        std::fs::remove_file(folder.path().join("dog/a.png")).unwrap();
        assert!(data.get(0).err().unwrap().to_string().contains("a.JPG: not an image"));
        assert!(data.get(1).err().unwrap().to_string().contains("a.png: "));
    }
}
