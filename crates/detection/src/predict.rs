//! `predict`: boxes by a run, an exported file, or weights that others trained.

use crate::draw;
use crate::finder::Finder;
use crate::flags::PredictFlags;
use crate::parts::word_tree::WordTree;
use crate::tiles::Tiles;
use crate::write::Annotations;
use crate::zoo::Zoo;
use image::DynamicImage;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_classification::labels;
use tenfold_core::cli::args::PredictArgs;
use tenfold_core::data::Input;
use tenfold_core::suggest::{Proposal, Propose};
use tenfold_core::task::predict::{self, Drawing};
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result, device, files};

/// The category that torchvision's lists have for what is no object.
const BACKGROUND: &str = "__background__";

/// The finder that the flags name in place of a run.
///
/// # Errors
/// Weights or labels that cannot be read, or do not fit.
pub fn foreign(model: Zoo, own: &PredictFlags, device: &str) -> Result<Finder> {
    // Without --weights those fetched by the model's own name.
    let fetched = PathBuf::from(model.name());
    let weights = own.weights.as_ref().unwrap_or(&fetched);
    let named = labels::named(weights, own.data_dir.as_deref())?;
    let labels: Vec<String> = match &own.labels {
        Some(path) => {
            let text = files::read_text(path)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let labels: Vec<String> = lines.map(String::from).collect();
            if labels.is_empty() {
                let why = "no labels; expected one a line, in the weights' order";
                return Err(Error::file(path, why));
            }
            labels
        }
        None => outputs(model, named.classes),
    };
    if labels.is_empty() {
        let why = "these weights bring no labels: give a file of them, one a line";
        return Err(Error::argument("--labels", why));
    }
    let tree = own.tree.as_deref().map(WordTree::read).transpose()?;
    Finder::from_weights(model, &named.file, labels, tree, &device::open(device)?)
}

/// The labels of a model's classes, of torchvision's categories: of RetinaNet the background is an
/// output that never answers, of others none.
fn outputs(model: Zoo, categories: Vec<String>) -> Vec<String> {
    let counts = |label: &String| model == Zoo::RetinaNet || label != BACKGROUND;
    categories.into_iter().filter(counts).collect()
}

/// What a finder says of the inputs, as the flags ask for it.
///
/// # Errors
/// Inputs that cannot be read, files that cannot be written.
pub fn answer(
    mut finder: Finder,
    paths: &[PathBuf],
    args: &PredictArgs,
    own: &PredictFlags,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if let Some(threshold) = own.threshold {
        finder = finder.with_threshold(threshold as f32);
    }
    if let Some(side) = own.tile {
        finder = finder.with_tiles(Tiles::new(side, own.overlap.unwrap_or(0.2) as f32));
    }
    let draw =
        |path: &Path, image: &DynamicImage, proposal: &Proposal| draw::write(path, image, proposal);
    let drawing = own.draw.as_deref().map(|folder| Drawing { folder, write: &draw });
    let drawing = drawing.as_ref();
    let (Some(format), Some(folder)) = (own.format, &own.out) else {
        return predict::run(&finder, paths, args, drawing, out);
    };
    let mut annotations = Annotations::new(format, folder, paths)?;
    let mut add = |path: &Path, input: &Input, found: &Proposal| {
        annotations.add(path, input, found);
    };
    // What can be read is written, whatever is wrong with others.
    let outcome = predict::run_and(&finder, paths, args, drawing, &mut add, out);
    annotations.write(finder.labels())?;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_are_not_there_or_bring_no_labels() {
        let folder = tempfile::tempdir().unwrap();
        let own = PredictFlags { data_dir: Some(folder.path().into()), ..PredictFlags::default() };
        let why = foreign(Zoo::Ssd300, &own, "cpu").err().unwrap().to_string();
        assert!(why.contains("cargo xtask fetch weights/ssd300_vgg16"), "{why}");
        let file = folder.path().join("own.pth");
        std::fs::write(&file, "").unwrap();
        let own = PredictFlags { weights: Some(file), ..own };
        let why = foreign(Zoo::Ssd300, &own, "cpu").err().unwrap().to_string();
        assert!(why.starts_with("--labels: these weights bring no labels"), "{why}");
    }

    #[test]
    fn the_background_is_an_output_of_retinanet_alone() {
        let all = || [BACKGROUND, "person", "bicycle"].map(String::from).to_vec();
        assert_eq!(outputs(Zoo::RetinaNet, all()), all());
        assert_eq!(outputs(Zoo::FasterRcnn, all()), all()[1..]);
    }
}
