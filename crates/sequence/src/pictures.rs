//! The pictures of captioning and visual questions: drawn, or read from files when asked for.

use crate::job::DataChoice;
use image::DynamicImage;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use tenfold_core::data::scenes::{Part, Recipe, Scene};
use tenfold_core::data::{Input, Preprocess, folder, picture};
use tenfold_core::viz::label;
use tenfold_core::{Error, Result};

/// Rows and columns of drawn scenes.
pub const SIDE: usize = 64;

/// Pictures by their number.
#[derive(Clone, Debug)]
pub enum Pictures {
    /// Scenes of one part, by this recipe.
    Drawn(Part, Recipe),
    /// Files.
    Files(Vec<PathBuf>),
}

impl Pictures {
    /// One of them.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub fn get(&self, index: usize) -> Result<DynamicImage> {
        match self {
            Self::Drawn(part, recipe) => {
                Ok(scene(*part, recipe, index).draw(SIDE, SIDE).into_image())
            }
            Self::Files(paths) => picture::read(&paths[index]),
        }
    }

    /// Some of them as a network takes them, one after the other.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn prepared(&self, indices: &[usize], preprocess: &Preprocess) -> Result<Vec<f32>> {
        let one = |&index: &usize| preprocess.apply(&Input::Picture(self.get(index)?));
        Ok(indices.par_iter().map(one).collect::<Result<Vec<_>>>()?.concat())
    }
}

/// Refuses flags about data of another kind.
///
/// # Errors
/// One of them was given.
pub fn refuse_others(choice: &DataChoice) -> Result<()> {
    let given = [("--pair", choice.pair.is_some()), ("--fold", choice.fold.is_some())];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Error::argument(flag, "pictures have no such choice")),
        None => Ok(()),
    }
}

/// The scene of a drawn picture.
pub fn scene(part: Part, recipe: &Recipe, index: usize) -> Scene {
    Scene::new(part.seed(), index as u64, recipe)
}

/// The side of square inputs that suits pictures of these files: that of small ones, a multiple
/// of 16 up to 128; else 224.
///
/// # Errors
/// The first picture cannot be read.
pub fn side(first: &Path) -> Result<usize> {
    let header = picture::header(first)?;
    let side = header.height.max(header.width);
    Ok(if side > 128 { 224 } else { side.div_ceil(16).max(2) * 16 })
}

/// The pictures of a folder by their names.
///
/// # Errors
/// The folder cannot be read or has no pictures.
pub fn by_name(pictures: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let name = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, path)
    };
    let found: BTreeMap<_, _> = folder::pictures_in(pictures)?.into_iter().map(name).collect();
    match found.is_empty() {
        true => Err(Error::file(pictures, "a folder without pictures")),
        false => Ok(found),
    }
}

/// One clear line for pictures that a file names and a folder lacks.
pub fn missing(file: &Path, names: &[String], pictures: &Path) -> Error {
    let some: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    let more = if names.len() > some.len() { ", ..." } else { "" };
    let why = format!(
        "names {} pictures that are not in {}: {}{more}",
        names.len(),
        pictures.display(),
        some.join(", ")
    );
    Error::file(file, why)
}

/// The run that a command line names first, and the inputs after it.
///
/// # Errors
/// There are no inputs.
pub fn run_and_inputs(paths: &[PathBuf]) -> Result<(&Path, &[PathBuf])> {
    match paths {
        [run, inputs @ ..] if !inputs.is_empty() => Ok((run, inputs)),
        _ => Err(Error::argument("INPUT", "no pictures or folders of pictures named")),
    }
}

/// Folders become the pictures in them.
pub fn expand(inputs: &[PathBuf], faults: &mut Vec<Error>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for input in inputs {
        match input.is_dir().then(|| folder::pictures_in(input)) {
            None => paths.push(input.clone()),
            Some(Ok(inside)) if inside.is_empty() => {
                faults.push(Error::file(input, "a folder without pictures"));
            }
            Some(Ok(inside)) => paths.extend(inside),
            Some(Err(fault)) => faults.push(fault),
        }
    }
    paths
}

/// The drawing of each input in the folder that `--draw` names, which is created.
///
/// # Errors
/// It cannot be created, or a drawing would replace an input.
pub fn drawings(folder: Option<&Path>, inputs: &[PathBuf]) -> Result<Option<Vec<PathBuf>>> {
    let Some(folder) = folder else { return Ok(None) };
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let drawings = label::paths(folder, inputs.iter().map(PathBuf::as_path));
    let real = |path: &PathBuf| path.canonicalize().ok();
    let taken: HashSet<PathBuf> = inputs.iter().filter_map(real).collect();
    match drawings.iter().find(|path| real(path).is_some_and(|path| taken.contains(&path))) {
        None => Ok(Some(drawings)),
        Some(path) => {
            let why = format!("would replace the input {}: name another folder", path.display());
            Err(Error::argument("--draw", why))
        }
    }
}
