//! `predict`: samples of a model that makes images from noise.

use crate::config::RunConfig;
use crate::flags::PredictFlags;
use crate::generate::made;
use crate::learner::ROW;
use crate::models::network::Generator;
use crate::models::noise::Noise;
use crate::sheet;
use crate::zoo::Zoo;
use serde_json::{Value, json};
use std::io::Write;
use tenfold_core::cli::print_json;
use tenfold_core::progress::note;
use tenfold_core::task::{Asked, NamedData};
use tenfold_core::zoo::did_you_mean;
use tenfold_core::{Error, Result, files};

/// Samples where their number is not said.
const SAMPLES: usize = 64;
/// Images along a row on which a number of the code changes.
const ALONG: usize = 11;
/// Such rows, where their number is not said.
const ROWS: usize = 10;

/// What `--code` asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Code {
    place: usize,
    from: f32,
    to: f32,
}

impl Code {
    fn parse(text: &str, codes: usize) -> Result<Self> {
        let wrong = |why: String| Error::argument("--code", format!("`{text}`: {why}"));
        if codes == 0 {
            return Err(wrong("this model has no code; infogan has one".into()));
        }
        let expected = || wrong("expected I=X or I=A..B, such as 0=-2..2".into());
        let (place, range) = text.split_once('=').ok_or_else(expected)?;
        let place: usize = place.trim().parse().map_err(|_| expected())?;
        if place >= codes {
            let most = codes - 1;
            return Err(wrong(format!("the code has the numbers 0 to {most}")));
        }
        let number = |text: &str| {
            let value: f32 = text.trim().parse().map_err(|_| expected())?;
            if value.is_finite() { Ok(value) } else { Err(expected()) }
        };
        let (from, to) = match range.split_once("..") {
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(range)?, number(range)?),
        };
        match from > to {
            true => Err(wrong(format!("goes from {from} down to {to}: expected the lower first"))),
            false => Ok(Self { place, from, to }),
        }
    }
}

/// The class or category that `--class` names.
fn class(name: &str, config: &RunConfig<NamedData>) -> Result<usize> {
    let (classes, categories) = (config.config.classes, config.config.categories);
    if classes + categories == 0 {
        let why = "this model is asked for no class; cgan and infogan are";
        return Err(Error::argument("--class", why));
    }
    let names: Vec<String> = match classes {
        0 => (0..categories).map(|i| i.to_string()).collect(),
        _ => config.labels.clone(),
    };
    names.iter().position(|own| own == name).ok_or_else(|| {
        let meant = did_you_mean(name, names.iter().map(String::as_str));
        let why = format!("no class `{name}`{meant}; there are {}", names.join(", "));
        Error::argument("--class", why)
    })
}

/// The noise that the flags ask for, and how many images stand in a row of the sheet.
fn noise(config: &RunConfig<NamedData>, own: &PredictFlags, seed: u64) -> Result<(Noise, usize)> {
    let label = own.class.as_deref().map(|name| class(name, config)).transpose()?;
    let code =
        own.code.as_deref().map(|text| Code::parse(text, config.config.codes)).transpose()?;
    let samples = own.samples.map(|samples| samples as usize);
    let most = own.truncate.map_or(f32::INFINITY, |most| most as f32);
    let new = |count: usize| Noise::truncated(&config.config, seed, 0..count as u64, most);
    let labelled = config.config.classes + config.config.categories;
    let (mut noise, row) = match (code, own.interpolate) {
        (Some(_), Some(_)) => {
            return Err(Error::argument("--code", "not together with --interpolate"));
        }
        (Some(code), None) if code.from < code.to => {
            let rows = samples.unwrap_or(if labelled > 0 { labelled.min(ROWS) } else { ROWS });
            let mut noise = new(rows * ALONG);
            for at in (0..rows * ALONG).rev() {
                let (row, along) = (at / ALONG, at % ALONG);
                noise.copy_row(row, at);
                if labelled > 0 {
                    noise.set_label(at, row % labelled);
                }
                let part = along as f32 / (ALONG - 1) as f32;
                noise.set_code(at, code.place, code.from + (code.to - code.from) * part);
            }
            (noise, ALONG)
        }
        (None, Some(along)) => {
            let (rows, along) = (samples.unwrap_or(ROW), along as usize);
            let ends = new(rows + 1);
            let width = ends.values.len() / ends.len();
            let mut noise = new(rows * along);
            for at in 0..rows * along {
                let (row, part) = (at / along, (at % along) as f32 / (along - 1) as f32);
                let end = |row: usize| &ends.values[row * width..(row + 1) * width];
                let (from, to) = (end(row), end(row + 1));
                for (i, value) in noise.values[at * width..(at + 1) * width].iter_mut().enumerate()
                {
                    // Noise goes along the sphere on which it lies, what stands beside it along a
                    // line, classes as the row's first.
                    *value = match i < config.config.latent {
                        true => {
                            let angle = part * std::f32::consts::FRAC_PI_2;
                            from[i] * angle.cos() + to[i] * angle.sin()
                        }
                        false => from[i],
                    };
                }
                noise.labels[at] = ends.labels[row];
            }
            (noise, along)
        }
        (code, None) => {
            let mut noise = new(samples.unwrap_or(SAMPLES));
            if let Some(code) = code {
                (0..noise.len()).for_each(|row| noise.set_code(row, code.place, code.from));
            }
            (noise, ROW)
        }
    };
    if let Some(label) = label {
        (0..noise.len()).for_each(|row| noise.set_label(row, label));
    }
    Ok((noise, row))
}

/// Writes samples, a file each, a sheet of all, and where they come from; prints their names.
///
/// # Errors
/// Flags that the model cannot obey; files that cannot be written.
pub fn samples(
    network: &Generator,
    config: &RunConfig<NamedData>,
    asked: &Asked<'_, Zoo>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let own = asked.own;
    if let Some(input) = asked.paths.first() {
        let why = "this model makes images from noise and takes none; pix2pix and cyclegan do";
        return Err(Error::file(input, why).into());
    }
    if own.backward {
        return Err(Error::argument("--backward", "this model translates nothing").into());
    }
    let folder = own.draw.as_ref().ok_or_else(|| {
        Error::argument("--draw", "name a folder for the images: --samples 64 --draw samples")
    })?;
    let seed = own.seed.unwrap_or(1);
    let (noise, row) = noise(config, own, seed)?;
    let images = made(network, &noise);
    let label = |place: usize| match config.config.classes {
        0 if config.config.categories > 0 => Value::from(noise.labels[place].to_string()),
        0 => Value::Null,
        _ => Value::from(config.labels[noise.labels[place]].clone()),
    };
    let run = asked.args.paths.first();
    let name = run.and_then(|run| run.file_stem()).unwrap_or_default().to_string_lossy();
    let mut told = Vec::with_capacity(images.len());
    for (place, image) in images.iter().enumerate() {
        // The name alone tells where it comes from, wherever it is copied.
        let file = folder.join(format!("{name}-seed{seed}-{place:05}.png"));
        sheet::write(image, &file)?;
        let mut one =
            json!({"input": "noise", "run": run, "seed": seed, "sample": place, "file": file});
        if let label @ Value::String(_) = label(place) {
            one["class"] = label;
        }
        told.push(one);
    }
    let path = sheet::beside(folder);
    sheet::write(&sheet::grid(&images, row).into(), &path)?;
    files::write_json(&folder.join("samples.json"), &told)?;
    match asked.args.json {
        true => print_json(&told, out)?,
        false => {
            for one in &told {
                writeln!(out, "{}", one["file"].as_str().unwrap_or_default())?;
            }
        }
    }
    note(format_args!(
        "wrote {} images to {} and a sheet of them to {}",
        images.len(),
        folder.display(),
        path.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbers_and_ranges() {
        let parse = |text| Code::parse(text, 2);
        assert_eq!(parse("0=-2..2").unwrap(), Code { place: 0, from: -2.0, to: 2.0 });
        assert_eq!(parse("1=0.5").unwrap(), Code { place: 1, from: 0.5, to: 0.5 });
        for (text, why) in [
            ("0=2..-2", "goes from 2 down to -2: expected the lower first"),
            ("2=0..1", "the code has the numbers 0 to 1"),
            ("0", "expected I=X or I=A..B"),
            ("0=a..b", "expected I=X or I=A..B"),
            ("0=0..inf", "expected I=X or I=A..B"),
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.starts_with("--code: ") && told.contains(why), "{told}");
        }
        assert!(Code::parse("0=1", 0).unwrap_err().to_string().contains("infogan has one"));
    }
}
