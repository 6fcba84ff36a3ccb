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
use tenfold_core::suggest::{Proposal, Propose};
use tenfold_core::task::predict::{self, Drawing};
use tenfold_core::{Error, Result, device, files};

/// The finder that the flags name in place of a run.
///
/// # Errors
/// Weights or labels that cannot be read, or do not fit.
pub fn foreign(model: Zoo, own: &PredictFlags, device: &str) -> Result<Finder> {
    let (Some(weights), Some(path)) = (&own.weights, &own.labels) else {
        return Err(Error::argument("--model", "goes with --weights and --labels"));
    };
    let text = files::read_text(path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let labels: Vec<String> = lines.map(String::from).collect();
    if labels.is_empty() {
        return Err(Error::file(path, "no labels; expected one a line, in the weights' order"));
    }
    Finder::from_weights(model, weights, labels, &device::open(device)?)
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
