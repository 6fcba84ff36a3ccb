//! What was decided, in formats that other programs read.

use crate::report::last;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use tenfold_core::data::{Kind, picture};
use tenfold_core::parquet::{self, Column};
use tenfold_core::store::{Decision, Item, Store};
use tenfold_core::{Error, Result, files};

/// The formats of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line a label, with who, when, how long, and what was suggested.
    Csv,
    /// Boxes, as detection data sets have them.
    Coco,
    /// The columns of [`Format::Csv`].
    Parquet,
}

const COLUMNS: [&str; 9] =
    ["item", "label", "person", "at", "seconds", "action", "suggested", "score", "weights"];

/// Writes all labels to a file of the kind that its name asks for, or below a folder. How
/// many.
///
/// # Errors
/// Another ending, a store without decisions, or a place that cannot be written to.
pub fn write(store: &Store, out: &Path) -> Result<usize> {
    let format = match out.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Format::Csv,
        Some("json") => Format::Coco,
        Some("parquet") => Format::Parquet,
        None => return folders(store, out),
        Some(_) => {
            let why = format!(
                "{}: expected FILE.csv, FILE.parquet, FILE.json or a folder",
                out.display()
            );
            return Err(Error::argument("OUT", why));
        }
    };
    files::write(out, &bytes(store, format)?)?;
    Ok(labels(store)?.len())
}

/// The content of one file.
///
/// # Errors
/// A damaged store, or one without what the format is for.
pub fn bytes(store: &Store, format: Format) -> Result<Vec<u8>> {
    let labels = labels(store)?;
    match format {
        Format::Csv => csv(store, &labels),
        Format::Parquet => table(&labels),
        Format::Coco => coco(store, &labels),
    }
}

/// Every item that has a label, with the decision that gave it.
fn labels(store: &Store) -> Result<Vec<(Item, Decision)>> {
    let decisions = store.decisions()?;
    let mut items: HashMap<i64, Item> =
        store.items()?.into_iter().map(|item| (item.id, item)).collect();
    let mut found = Vec::new();
    for (id, decision) in last(&decisions) {
        if let Some(item) = items.remove(&id) {
            found.push((item, decision.clone()));
        }
    }
    Ok(found)
}

/// The best suggestion and its score.
fn suggested(decision: &Decision) -> (String, Option<f64>) {
    match decision.best() {
        Some(best) => (best.label, Some(f64::from(best.score))),
        None => (String::new(), None),
    }
}

fn action(decision: &Decision) -> &'static str {
    match decision.person == crate::state::NOBODY {
        true => "auto",
        false if decision.confirmed() => "confirmed",
        false => "corrected",
    }
}

fn csv(store: &Store, labels: &[(Item, Decision)]) -> Result<Vec<u8>> {
    let fail = |why: csv::Error| Error::file(store.path(), why);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(fail)?;
    for (item, decision) in labels {
        let (label, score) = suggested(decision);
        let number = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let line = [
            item.name.clone(),
            decision.label.clone().unwrap_or_default(),
            decision.person.clone(),
            decision.at.to_string(),
            number(decision.seconds),
            action(decision).into(),
            label,
            number(score),
            decision.weights.clone().unwrap_or_default(),
        ];
        writer.write_record(line.map(|cell| harmless(&cell))).map_err(fail)?;
    }
    writer.into_inner().map_err(|why| Error::file(store.path(), why.error()))
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err() {
        true => format!("'{cell}"),
        false => cell.into(),
    }
}

fn table(labels: &[(Item, Decision)]) -> Result<Vec<u8>> {
    let best: Vec<(String, Option<f64>)> = labels.iter().map(|(_, d)| suggested(d)).collect();
    fn text<'a>(
        labels: &'a [(Item, Decision)],
        of: impl Fn(&'a Item, &'a Decision) -> &'a str,
    ) -> Vec<&'a str> {
        labels.iter().map(|(item, decision)| of(item, decision)).collect()
    }
    // What is missing is not a number.
    let numbers = |of: &dyn Fn(&Decision) -> Option<f64>| -> Vec<f64> {
        labels.iter().map(|(_, decision)| of(decision).unwrap_or(f64::NAN)).collect()
    };
    let [item, label, person, at, seconds, what, suggestion, score, weights] = COLUMNS;
    parquet::write(&[
        Column::Text(item, text(labels, |item, _| &item.name)),
        Column::Text(label, text(labels, |_, d| d.label.as_deref().unwrap_or(""))),
        Column::Text(person, text(labels, |_, d| &d.person)),
        Column::Numbers(at, numbers(&|d| Some(d.at))),
        Column::Numbers(seconds, numbers(&|d| d.seconds)),
        Column::Text(what, text(labels, |_, d| action(d))),
        Column::Text(suggestion, best.iter().map(|(label, _)| &label[..]).collect()),
        Column::Numbers(score, best.iter().map(|(_, s)| s.unwrap_or(f64::NAN)).collect()),
        Column::Text(weights, text(labels, |_, d| d.weights.as_deref().unwrap_or(""))),
    ])
}

/// Boxes of what was confirmed: the suggestion that the person chose has one.
fn coco(store: &Store, labels: &[(Item, Decision)]) -> Result<Vec<u8>> {
    let names = store.labels()?;
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for (item, decision) in labels {
        let all: Value = decision
            .proposed
            .as_ref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let chosen = all.as_array().into_iter().flatten().find(|suggestion| {
            suggestion["label"].as_str() == decision.label.as_deref()
                && suggestion["box"].as_array().is_some_and(|numbers| numbers.len() == 4)
        });
        let Some(chosen) = chosen else { continue };
        let size = Store::picture(&store.origin().queue, &item.name).and_then(picture::header)?;
        images.push(json!({
            "id": item.id,
            "file_name": item.name,
            "width": size.width,
            "height": size.height,
        }));
        let side = |i: usize| chosen["box"][i].as_f64().unwrap_or(0.0);
        annotations.push(json!({
            "id": annotations.len() + 1,
            "image_id": item.id,
            "category_id": names.iter().position(|name| Some(name) == decision.label.as_ref()),
            "bbox": chosen["box"],
            "area": side(2) * side(3),
            "iscrowd": 0,
        }));
    }
    if annotations.is_empty() {
        let why = "no decision has a box, which COCO's format is for: export CSV or Parquet";
        return Err(Error::file(store.path(), why));
    }
    let category = |(id, name): (usize, &String)| json!({"id": id, "name": name});
    let categories: Vec<Value> = names.iter().enumerate().map(category).collect();
    let all = json!({"images": images, "annotations": annotations, "categories": categories});
    serde_json::to_vec(&all).map_err(|why| Error::file(store.path(), why))
}

/// Copies the pictures to `OUT/LABEL/NAME`, the layout that `train --data` takes.
fn folders(store: &Store, out: &Path) -> Result<usize> {
    if !matches!(store.origin().kind, Kind::Pictures { .. }) {
        let why = "rows are no pictures: expected FILE.csv or FILE.parquet";
        return Err(Error::argument("OUT", why));
    }
    if std::fs::read_dir(out).is_ok_and(|mut inside| inside.next().is_some()) {
        return Err(Error::argument("OUT", format!("{} is not empty", out.display())));
    }
    let labels = labels(store)?;
    for (item, decision) in &labels {
        let label = decision.label.as_deref().unwrap_or("");
        // A label is no path.
        let label = label.replace(['/', '\\'], "_");
        if label.starts_with('.') {
            return Err(Error::argument("OUT", format!("the label `{label}` is no folder's name")));
        }
        let folder = out.join(&label);
        std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, source))?;
        let from = Store::picture(&store.origin().queue, &item.name)?;
        let to = folder.join(item.name.replace('/', "_"));
        std::fs::copy(&from, &to).map_err(|source| Error::io(&to, source))?;
    }
    Ok(labels.len())
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
