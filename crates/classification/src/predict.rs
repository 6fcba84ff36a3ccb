//! `predict`: ranked suggestions by a run, an exported file, or weights that others trained.

use crate::answers;
use crate::flags::{Foreign, PredictFlags};
use crate::labels;
use crate::predictor::Predictor;
use burn::tensor::Device;
use image::DynamicImage;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_core::cli::args::{PredictArgs, run_and_inputs};
use tenfold_core::data::Input;
use tenfold_core::suggest::Proposal;
use tenfold_core::task::predict::{self, Drawing};
use tenfold_core::viz::font;
use tenfold_core::viz::heat;
use tenfold_core::viz::label;
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result, device};

/// Runs the verb.
///
/// # Errors
/// A run or weights that cannot be read; inputs that cannot.
pub fn run(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    own.font.as_deref().map(font::prefer).transpose()?;
    let device = device::open(&args.device)?;
    let (predictor, inputs) = choose(&args.paths, &own.foreign, &device)?;
    if let Some(file) = &own.out {
        return answers::write(&predictor, inputs, file, own.overwrite, args.json, out);
    }
    let write = |path: &Path, image: &DynamicImage, proposal: &Proposal| {
        let ranked = proposal.slots.first().map_or(&[][..], |slot| &slot.ranked);
        let best = &ranked[..ranked.len().min(1)];
        match own.explain {
            true => label::write(path, &warm(&predictor, image)?, best),
            false => label::write(path, image, best),
        }
    };
    let drawing = own.draw.as_deref().map(|folder| Drawing { folder, write: &write });
    predict::run(&predictor, inputs, args, drawing.as_ref(), out)
}

/// The predictor that a command line names, and the inputs that are left.
///
/// # Errors
/// A run or weights that cannot be read, or flags that contradict each other.
pub(crate) fn choose<'a>(
    paths: &'a [PathBuf],
    foreign: &Foreign,
    device: &Device,
) -> Result<(Predictor, &'a [PathBuf])> {
    let Foreign { model, weights, set, labels, data_dir } = foreign;
    let labels = labels.as_deref();
    match (weights, *model) {
        (_, None) if labels.is_some() => {
            let why = "goes with --model: a run and an exported file have labels of their own";
            Err(Error::argument("--labels", why))
        }
        (weights, Some(model)) => {
            // Without --weights those fetched by the model's own name.
            let own = PathBuf::from(model.name());
            let named = labels::named(weights.as_ref().unwrap_or(&own), data_dir.as_deref())?;
            let predictor = Predictor::from_weights(model, &named.file, labels, set, device)?;
            let known = if labels.is_none() { named.classes } else { Vec::new() };
            Ok((predictor.labelled(known), paths))
        }
        (Some(weights), None) => Ok((Predictor::from_file(weights, device)?, paths)),
        (None, None) => {
            let (run, inputs) = run_and_inputs(paths)?;
            Ok((Predictor::from_file(run, device)?, inputs))
        }
    }
}

/// The image beside itself under the heat of its best suggestion.
fn warm(predictor: &Predictor, picture: &DynamicImage) -> Result<DynamicImage> {
    let heat = predictor.explain(&[&Input::Image(picture.clone())])?;
    let heat = heat.and_then(|mut heat| heat.pop()).ok_or_else(|| {
        let why = "Grad-CAM needs feature maps: expected a convolutional network";
        Error::argument("--explain", why)
    })?;
    let window = predictor.preprocess().window(picture.width(), picture.height());
    Ok(heat::beside(picture, &heat, window))
}
