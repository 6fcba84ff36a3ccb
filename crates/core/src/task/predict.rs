//! `predict`: what a model proposes for files, printed.

use super::ahead::{File, in_batches};
use crate::cli::args::PredictArgs;
use crate::cli::{Faults, print_json};
use crate::data::{Input, Kind, folder};
use crate::geometry::Point;
use crate::progress::note;
use crate::suggest::{Answer, Estimate, Proposal, Propose, Region, Slot, Suggestion};
use crate::viz::{font, label};
use crate::{Error, Result};
use image::DynamicImage;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where images go with what was proposed for them, and who draws it.
pub struct Drawing<'a> {
    /// `--draw`.
    pub folder: &'a Path,
    /// Writes an image with its proposal on it.
    pub write: &'a dyn Fn(&Path, &DynamicImage, &Proposal) -> Result<()>,
}

/// The inputs that a command line names, and what is wrong with the others.
pub struct Inputs {
    /// The files, folders of images replaced by what is in them.
    pub paths: Vec<PathBuf>,
    /// What could not be read.
    pub faults: Vec<Error>,
}

impl Inputs {
    /// Looks into folders.
    ///
    /// # Errors
    /// Nothing was named.
    pub fn new(named: &[PathBuf]) -> Result<Self> {
        if named.is_empty() {
            return Err(Error::NoInput("runs/x photo.jpg".into()));
        }
        let (mut paths, mut faults) = (Vec::new(), Vec::new());
        for input in named {
            if !input.is_dir() {
                paths.push(input.clone());
                continue;
            }
            match folder::images_below(input) {
                Ok(inside) if inside.is_empty() => {
                    faults.push(Error::file(input, "a folder without images"));
                }
                Ok(inside) => paths.extend(inside),
                Err(fault) => faults.push(fault),
            }
        }
        Ok(Self { paths, faults })
    }

    /// The faults as the verb's outcome.
    ///
    /// # Errors
    /// Where there are any.
    pub fn done(self) -> anyhow::Result<()> {
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(Faults(self.faults).into()),
        }
    }
}

/// Prints what `answerer` proposes for the files and folders in `named`. Inputs that cannot be
/// read are reported and do not keep the others from their answers.
///
/// # Errors
/// [`Faults`] for inputs that cannot be read; a drawing that cannot be written.
pub fn run(
    answerer: &dyn Propose,
    named: &[PathBuf],
    args: &PredictArgs,
    drawing: Option<&Drawing<'_>>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    run_and(answerer, named, args, drawing, &mut |_, _, _| {}, out)
}

/// [`run`], and shows `also` each input of a file with its proposal.
///
/// # Errors
/// As [`run`].
pub fn run_and(
    answerer: &dyn Propose,
    named: &[PathBuf],
    args: &PredictArgs,
    drawing: Option<&Drawing<'_>>,
    also: &mut dyn FnMut(&Path, &Input, &Proposal),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if drawing.is_some() && !matches!(answerer.kind(), Kind::Images { .. }) {
        let why = "draws on images, and this model reads none";
        return Err(Error::argument("--draw", why).into());
    }
    let Inputs { paths, mut faults } = Inputs::new(named)?;
    let mut drawn = 0;
    let drawings = drawing.map(|drawing| drawings(drawing.folder, &paths)).transpose()?;
    let mut answers = Vec::new();
    in_batches(answerer, &paths, drawing.is_some(), |files, batch| {
        let inputs: Vec<&Input> = files.iter().flat_map(|file| &file.inputs).flatten().collect();
        let top = args.top_k as usize;
        let mut proposals = propose_all(answerer, &inputs, batch, top)?.into_iter();
        for File { path, place, inputs, image } in files {
            let inputs = match inputs {
                Ok(inputs) => inputs,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            for (row, (input, proposal)) in inputs.iter().zip(proposals.by_ref()).enumerate() {
                if let (Some(drawing), Some(drawings), Some(image)) = (drawing, &drawings, &image) {
                    (drawing.write)(&drawings[place], image, &proposal)?;
                    drawn += 1;
                }
                also(path, input, &proposal);
                let name = name(path, row, inputs.len());
                match args.json {
                    true => answers.push(json(&name, &proposal)),
                    false => print(&name, &proposal, out)?,
                }
            }
        }
        Ok(())
    })?;
    if args.json {
        print_json(&answers, out)?;
    }
    if let Some(Drawing { folder, .. }) = drawing {
        note(format_args!("wrote {drawn} images to {}", folder.display()));
        font::warning().into_iter().for_each(note);
    }
    Inputs { paths, faults }.done()
}

/// What an input in a file of so many is called.
pub fn name(path: &Path, row: usize, rows: usize) -> String {
    match rows {
        1 => path.display().to_string(),
        _ => format!("{}:{}", path.display(), row + 1),
    }
}

/// The proposals for any number of inputs, so many at once.
///
/// # Errors
/// As [`Propose::propose`].
pub fn propose_all(
    answerer: &dyn Propose,
    inputs: &[&Input],
    batch: usize,
    top: usize,
) -> Result<Vec<Proposal>> {
    let mut all = Vec::with_capacity(inputs.len());
    for inputs in inputs.chunks(batch) {
        all.extend(answerer.propose(inputs, top)?);
    }
    Ok(all)
}

/// The name of each input's drawing. In the input's own folder it would replace the image.
fn drawings(folder: &Path, inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let drawings = label::paths(folder, inputs.iter().map(PathBuf::as_path));
    let real = |path: &PathBuf| path.canonicalize().ok();
    let inputs: HashSet<PathBuf> = inputs.iter().filter_map(real).collect();
    let over = |path: &&PathBuf| real(path).is_some_and(|path| inputs.contains(&path));
    match drawings.iter().find(over) {
        None => Ok(drawings),
        Some(path) => {
            let why = format!("would replace the input {}: name another folder", path.display());
            Err(Error::argument("--draw", why))
        }
    }
}

/// One input's answer, as `--json` prints it: `suggestions` are alternatives, `objects` a set.
pub fn json(input: &str, proposal: &Proposal) -> Value {
    match proposal.whole() {
        Some(ranked) => json!({ "input": input, "suggestions": ranked }),
        None => {
            let objects: Vec<Value> = proposal.slots.iter().map(object).collect();
            json!({ "input": input, "objects": objects })
        }
    }
}

fn object(slot: &Slot) -> Value {
    let mut object = Map::new();
    if let Some(best) = slot.ranked.first()
        && let Ok(Value::Object(best)) = serde_json::to_value(best)
    {
        object.extend(best);
    }
    let (key, value) = match &slot.at {
        // Files and JSON for others have COCO's form.
        Some(Region::Box(own)) => ("box", json!(own.xywh())),
        Some(Region::Polygon(points)) => ("polygon", json!(points)),
        Some(Region::Mask(mask)) => ("mask", json!(mask)),
        Some(Region::Span(span)) => ("span", json!([span.start, span.end])),
        Some(Region::Step(step)) => ("step", json!(step)),
        Some(Region::Key(key)) => ("key", json!(key)),
        None => return Value::Object(object),
    };
    object.insert(key.into(), value);
    if slot.ranked.len() > 1 {
        object.insert("alternatives".into(), json!(slot.ranked[1..]));
    }
    Value::Object(object)
}

/// One input's answer for a person: alternatives on its line, or a line for each object.
fn print(input: &str, proposal: &Proposal, out: &mut dyn Write) -> std::io::Result<()> {
    let write = |ranked: &[Suggestion], out: &mut dyn Write| {
        for Suggestion { answer, score } in ranked {
            let score = score * 100.0;
            match answer {
                Answer::Number(Estimate { low: Some(low), high: Some(high), .. }) => {
                    write!(out, "  {answer}  {low} to {high} {score:.1} %")?;
                }
                answer => write!(out, "  {answer} {score:.1} %")?,
            }
        }
        writeln!(out)
    };
    write!(out, "{input}")?;
    if let Some(ranked) = proposal.whole() {
        return write(ranked, out);
    }
    writeln!(out, "  {} found", proposal.slots.len())?;
    for slot in &proposal.slots {
        write!(out, "  {}", place(slot.at.as_ref()))?;
        write(&slot.ranked[..slot.ranked.len().min(1)], out)?;
    }
    Ok(())
}

/// A region in a few words.
fn place(at: Option<&Region>) -> String {
    match at {
        Some(Region::Box(own)) => {
            let [x, y, width, height] = own.xywh();
            format!("{width:.0}x{height:.0} at {x:.0},{y:.0}")
        }
        Some(Region::Polygon(points)) => match points.first() {
            Some(Point { x, y }) => format!("outline from {x:.0},{y:.0}"),
            None => "outline".into(),
        },
        Some(Region::Mask(mask)) => format!("mask of {}x{}", mask.size[1], mask.size[0]),
        Some(Region::Span(span)) => format!("bytes {} to {}", span.start, span.end),
        Some(Region::Step(step)) => format!("step {step}"),
        Some(Region::Key(key)) => key.clone(),
        None => "whole".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::BoundingBox;

    #[test]
    fn alternatives_and_objects_are_printed_as_what_they_are() {
        let one =
            Proposal::alternatives(vec![Suggestion::new("a", 0.75), Suggestion::new("b", 0.25)]);
        let expected = json!({
            "input": "x.png",
            "suggestions": [{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}],
        });
        assert_eq!(json("x.png", &one), expected);
        let at = Some(Region::Box(BoundingBox::new(1.0, 2.0, 11.0, 22.0)));
        let found =
            Proposal { slots: vec![Slot { at, ranked: vec![Suggestion::new("cat", 0.5)] }] };
        let expected = json!({
            "input": "x.png",
            "objects": [{"label": "cat", "score": 0.5, "box": [1.0, 2.0, 10.0, 20.0]}],
        });
        assert_eq!(json("x.png", &found), expected);
        let mut text = Vec::new();
        print("x.png", &one, &mut text).unwrap();
        print("x.png", &found, &mut text).unwrap();
        let expected = "x.png  a 75.0 %  b 25.0 %\nx.png  1 found\n  10x20 at 1,2  cat 50.0 %\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
