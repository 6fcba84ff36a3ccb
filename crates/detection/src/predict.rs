//! `predict`: boxes by a run, an exported file, or weights that others trained.

use crate::draw;
use crate::finder::Finder;
use crate::flags::PredictFlags;
use crate::write::Annotations;
use crate::zoo::Zoo;
use image::DynamicImage;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_core::cli::args::PredictArgs;
use tenfold_core::data::Input;
use tenfold_core::data::default_data_dir;
use tenfold_core::progress::note;
use tenfold_core::suggest::{Proposal, Propose};
use tenfold_core::task::predict::{self, Drawing};
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result, device, files, weights};

/// The category that torchvision's lists have for what is no object.
const BACKGROUND: &str = "__background__";

/// The finder that the flags name in place of a run.
///
/// # Errors
/// Weights or labels that cannot be read, or do not fit.
pub fn foreign(model: Zoo, own: &PredictFlags, device: &str) -> Result<Finder> {
    // Without --weights those fetched by the model's own name.
    let fetched = PathBuf::from(model.name());
    let data_dir = own.data_dir.clone().unwrap_or_else(default_data_dir);
    let named = weights::find(own.weights.as_ref().unwrap_or(&fetched), &data_dir)?;
    if let Some(licence) = &named.licence {
        note(format_args!("{}: licence: {licence}", model.name()));
    }
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
        // Of RetinaNet the background is an output that never answers, of others none.
        None if model == Zoo::RetinaNet => named.classes,
        None => named.classes.into_iter().filter(|label| label != BACKGROUND).collect(),
    };
    if labels.is_empty() {
        let why = "these weights bring no labels: give a file of them, one a line";
        return Err(Error::argument("--labels", why));
    }
    Finder::from_weights(model, &named.file, labels, &device::open(device)?)
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
