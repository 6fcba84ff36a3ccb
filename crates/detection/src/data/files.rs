//! The files below a folder, and the image that an annotation means.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use tenfold_core::{Error, Result};

/// Folders inside each other, at most.
const MOST_DEPTH: usize = 12;

/// Endings of images, in the order in which they are tried.
const IMAGES: [&str; 11] =
    ["jpg", "jpeg", "png", "bmp", "webp", "gif", "ppm", "pgm", "pnm", "tif", "tiff"];

/// All files below a folder, in order of their paths; hidden ones are not looked at.
#[derive(Debug)]
pub struct Files {
    /// The folder.
    pub folder: PathBuf,
    /// The files.
    pub paths: Vec<PathBuf>,
    /// Places of the images, by their names without ending, in small letters.
    images: HashMap<String, Vec<usize>>,
}

impl Files {
    /// Looks through a folder.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn below(folder: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        walk(folder, 0, &mut paths)?;
        paths.sort();
        let mut images: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, path) in paths.iter().enumerate().filter(|(_, path)| is_image(path)) {
            images.entry(stem(path)).or_default().push(place);
        }
        Ok(Self { folder: folder.into(), paths, images })
    }

    /// The files whose names end so.
    pub fn ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a PathBuf> {
        self.paths.iter().filter(move |path| ends(path, ending))
    }

    /// All images.
    pub fn images(&self) -> impl Iterator<Item = &PathBuf> {
        self.paths.iter().filter(|path| is_image(path))
    }

    /// The image that `source` calls `name`: beside it or below the folder, and if there is none
    /// of this ending, one of another. Of several the one nearest to `source`. Where there is
    /// none, the path where it was expected.
    pub fn image(&self, name: &str, source: &Path) -> PathBuf {
        // A backslash is a letter on Unix; where no file is called so, it is Windows' separator.
        let whole = self.named(name, source);
        match name.contains('\\') && !whole.is_file() {
            true => self.named(&name.replace('\\', "/"), source),
            false => whole,
        }
    }

    fn named(&self, name: &str, source: &Path) -> PathBuf {
        // Without a folder of the machine that the annotations were made on.
        let parts = Path::new(name).components();
        let own: PathBuf = parts.filter(|part| matches!(part, Component::Normal(_))).collect();
        let beside = source.parent().unwrap_or(&self.folder).join(&own);
        if beside.is_file() && beside != source {
            return beside;
        }
        let places = self.images.get(&stem(&own)).map_or(&[][..], |places| places);
        let common = |path: &Path| {
            let pairs = path.components().zip(source.components());
            pairs.take_while(|(a, b)| a == b).count()
        };
        let rank = |path: &PathBuf| {
            (path.ends_with(&own), path.file_name() == own.file_name(), common(path))
        };
        let candidates = places.iter().map(|&place| &self.paths[place]);
        // Of equals the first.
        candidates.rev().max_by_key(|path| rank(path)).cloned().unwrap_or(beside)
    }
}

/// Whether the name ends so, in letters of any size.
pub fn ends(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|own| own.eq_ignore_ascii_case(ending))
}

/// Whether the name is an image's.
pub fn is_image(path: &Path) -> bool {
    IMAGES.iter().any(|ending| ends(path, ending))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if depth == MOST_DEPTH {
        return Ok(());
    }
    let fault = |error| Error::io(folder, error);
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        match path.is_dir() {
            true => walk(&path, depth + 1, found)?,
            false => found.push(path),
        }
    }
    Ok(())
}
