//! `features`: what the last layer sees of each input, into a file or compared.

mod table;

use crate::flags::FeaturesFlags;
use crate::predict::choose;
use crate::predictor::Predictor;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_core::cli::{Faults, print_json};
use tenfold_core::data::{Input, image_file};
use tenfold_core::progress::{grouped, note};
use tenfold_core::task::ahead::in_batches;
use tenfold_core::task::predict::{self, Inputs};
use tenfold_core::viz::{label, sheet};
use tenfold_core::{Error, Result, device};

pub use table::Features;
use table::Format;

/// Runs the verb. Inputs that cannot be read are reported and left out.
///
/// # Errors
/// A run or weights that cannot be read, a file that cannot be written; [`Faults`] for inputs
/// that cannot be read.
pub fn run(args: &FeaturesFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    if let Some(path) = &args.out {
        Format::of(path)?;
    }
    let device = device::open(&args.device)?;
    let (predictor, inputs) = choose(&args.paths, &args.foreign, &device)?;
    if inputs.is_empty() {
        let why = "no images or tables named. Example: features runs/x photos/ --out features.npy";
        return Err(Error::argument("INPUT", why).into());
    }
    let Inputs { paths, mut faults } = Inputs::new(inputs)?;
    let features = embed(&predictor, &paths, &mut faults)?;
    if features.names.is_empty() {
        return Err(Faults(faults).into());
    }
    if let Some(path) = &args.out {
        features.write(path)?;
    }
    match (&args.neighbours, &args.out) {
        (Some(query), _) => neighbours(&predictor, &features, query, args, out)?,
        (None, Some(path)) if args.json => {
            let (count, units) = (features.names.len(), features.units);
            print_json(&json!({ "file": path, "count": count, "units": units }), out)?;
        }
        (None, Some(path)) => {
            let (count, units) = (grouped(features.names.len()), grouped(features.units));
            writeln!(out, "{count} inputs, {units} numbers each, in {}", path.display())?;
        }
        (None, None) => {}
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Faults(faults).into()),
    }
}

/// The features of every input in some files.
fn embed(
    predictor: &Predictor,
    paths: &[PathBuf],
    faults: &mut Vec<Error>,
) -> anyhow::Result<Features> {
    let mut features = Features::default();
    in_batches(predictor, paths, false, |files, batch| {
        let mut inputs = Vec::new();
        for file in files {
            match file.inputs {
                Ok(read) => {
                    let name = |row| predict::name(file.path, row, read.len());
                    features.names.extend((0..read.len()).map(name));
                    inputs.extend(read);
                }
                Err(fault) => faults.push(fault),
            }
        }
        for inputs in inputs.chunks(batch) {
            let values = predictor.embed(&inputs.iter().collect::<Vec<_>>())?;
            features.units = values.len() / inputs.len().max(1);
            features.values.extend(values);
        }
        Ok(())
    })?;
    Ok(features)
}

/// Ranks the inputs by the cosine of the angle between their features and the query's.
fn neighbours(
    predictor: &Predictor,
    features: &Features,
    query: &Path,
    args: &FeaturesFlags,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let own = predictor.embed(&[&Input::Image(image_file::read(query)?)])?;
    let same = query.canonicalize().ok();
    let is_query = |name: &str| same.is_some() && Path::new(name).canonicalize().ok() == same;
    let mut ranked: Vec<(&str, f32)> = features.likeness(&own);
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.retain(|(name, _)| !is_query(name));
    ranked.truncate(args.top_k as usize);
    if let Some(folder) = &args.draw {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        let mut tiles = vec![tile(query, "query".into(), 1.0)?];
        for (name, likeness) in &ranked {
            tiles.push(tile(Path::new(name), format!("{likeness:.3}"), *likeness)?);
        }
        let sheet = folder.join("neighbours.png");
        sheet::write(&tiles, &sheet)?;
        note(format_args!("wrote {}", sheet.display()));
    }
    if args.json {
        let one = |(name, likeness): &(&str, f32)| json!({ "input": name, "cosine": likeness });
        let ranked: Vec<_> = ranked.iter().map(one).collect();
        return print_json(&json!({ "query": query, "neighbours": ranked }), out);
    }
    for (name, likeness) in ranked {
        writeln!(out, "{likeness:.4}  {name}")?;
    }
    Ok(())
}

/// An image with its file's name and its folder's, which often is its class.
fn tile(path: &Path, number: String, bar: f32) -> Result<image::RgbImage> {
    let name = |path: Option<&std::ffi::OsStr>| path.unwrap_or_default().display().to_string();
    let folder = name(path.parent().and_then(Path::file_name));
    let text = format!("{folder}/{}", name(path.file_name()));
    let lines = [label::Line { text, number, bar }];
    Ok(label::draw_lines(&sheet::fit(&image_file::read(path)?), &lines))
}
