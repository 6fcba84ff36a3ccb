//! The images of captioning and visual questions: drawn, or read from files when asked for.

use image::DynamicImage;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tenfold_core::data::scenes::{Part, Recipe, Scene};
use tenfold_core::data::{Input, Preprocess, folder, image_file};
use tenfold_core::{Error, Result};

/// Rows and columns of drawn scenes.
pub const SIDE: usize = 64;

/// Images by their number.
#[derive(Clone, Debug)]
pub enum Images {
    /// Scenes of one part, by this recipe.
    Drawn(Part, Recipe),
    /// Files.
    Files(Vec<PathBuf>),
}

impl Images {
    /// One of them.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn get(&self, index: usize) -> Result<DynamicImage> {
        match self {
            Self::Drawn(part, recipe) => {
                Ok(scene(*part, recipe, index).draw(SIDE, SIDE).into_image())
            }
            Self::Files(paths) => image_file::read(&paths[index]),
        }
    }

    /// Some of them as a network takes them, one after the other.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn preprocessed(&self, indices: &[usize], preprocess: &Preprocess) -> Result<Vec<f32>> {
        let one = |&index: &usize| preprocess.apply(&Input::Image(self.get(index)?));
        Ok(indices.par_iter().map(one).collect::<Result<Vec<_>>>()?.concat())
    }
}

/// The scene of a drawn image.
pub fn scene(part: Part, recipe: &Recipe, index: usize) -> Scene {
    Scene::new(part.seed(), index as u64, recipe)
}

/// The side of square inputs that suits images of these files: that of small ones, a multiple
/// of 16 up to 128; else 224.
///
/// # Errors
/// The first image cannot be read.
pub fn side(first: &Path) -> Result<usize> {
    let header = image_file::header(first)?;
    let side = header.height.max(header.width);
    Ok(if side > 128 { 224 } else { side.div_ceil(16).max(2) * 16 })
}

/// The images of a folder by their names.
///
/// # Errors
/// The folder cannot be read or has no images.
pub fn by_name(images: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let name = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, path)
    };
    let found: BTreeMap<_, _> = folder::images_in(images)?.into_iter().map(name).collect();
    match found.is_empty() {
        true => Err(Error::file(images, "a folder without images")),
        false => Ok(found),
    }
}

/// One clear line for images that a file names and a folder lacks.
pub fn missing(file: &Path, names: &[String], images: &Path) -> Error {
    let some: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    let more = if names.len() > some.len() { ", ..." } else { "" };
    let why = format!(
        "names {} images that are not in {}: {}{more}",
        names.len(),
        images.display(),
        some.join(", ")
    );
    Error::file(file, why)
}
