//! What was decided, in formats that other programs read.

use crate::names;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tenfold_core::annotate::{Annotation, Change, standing};
use tenfold_core::data::{Kind, image_file};
use tenfold_core::geometry::{BoundingBox, Polygon};
use tenfold_core::parquet::{self, Column};
use tenfold_core::store::{Decision, Item, Store};
use tenfold_core::suggest::{Answer, Region, Suggestion};
use tenfold_core::{Error, Result, files};

/// The formats of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line an annotation, with who, when, how long, and what was suggested.
    Csv,
    /// Places in images, as detection data sets have them.
    Coco,
    /// The columns of [`Format::Csv`].
    Parquet,
}

const COLUMNS: [&str; 9] =
    ["item", "label", "person", "at", "seconds", "action", "suggested", "score", "weights"];
/// A further column, where something was decided of a part of an item: its JSON.
const REGION: &str = "region";

/// Writes what was decided to a file of the kind that its name asks for, or below a folder.
/// About how many items.
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
    Ok(store.decided()?.len())
}

/// The content of one file.
///
/// # Errors
/// A damaged store, or one without what the format is for.
pub fn bytes(store: &Store, format: Format) -> Result<Vec<u8>> {
    let decided = store.decided()?;
    match format {
        Format::Csv => csv(store, &lines(&decided)),
        Format::Parquet => table(&lines(&decided)),
        Format::Coco => coco(store, &decided),
    }
}

/// One annotation, or that there is none, in a table.
struct Line<'a> {
    item: &'a Item,
    decision: &'a Decision,
    label: String,
    region: Option<String>,
    action: &'static str,
    suggested: Option<&'a Suggestion>,
}

fn lines(decided: &[(Item, Decision)]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for (item, decision) in decided {
        let by_nobody = decision.person == crate::state::NOBODY;
        let before = lines.len();
        for verdict in &decision.verdicts {
            let Some(annotation) = &verdict.annotation else { continue };
            let slots = decision.proposed.as_ref().map_or(&[][..], |proposed| &proposed.slots);
            let slot = verdict.slot.and_then(|slot| slots.get(slot));
            lines.push(Line {
                item,
                decision,
                label: annotation.answer.to_string(),
                region: annotation.at.as_ref().map(Region::json),
                action: match decision.change(verdict) {
                    _ if by_nobody => "auto",
                    // What is said of the whole without or against a suggestion.
                    Change::Added if annotation.at.is_none() => Change::Corrected.name(),
                    Change::Confirmed if decision.hidden => Change::Corrected.name(),
                    change => change.name(),
                },
                suggested: slot.and_then(|slot| slot.ranked.first()),
            });
        }
        if lines.len() == before {
            let (label, region, suggested) = (String::new(), None, None);
            let action = match decision.confirmed() {
                _ if by_nobody => "auto",
                true => Change::Confirmed.name(),
                false => Change::Removed.name(),
            };
            lines.push(Line { item, decision, label, region, action, suggested });
        }
    }
    lines
}

/// Whether tables have a column of regions.
fn has_regions(lines: &[Line<'_>]) -> bool {
    lines.iter().any(|line| line.region.is_some())
}

fn csv(store: &Store, lines: &[Line<'_>]) -> Result<Vec<u8>> {
    let fail = |why: csv::Error| Error::file(store.path(), why);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let regions = has_regions(lines);
    writer.write_record(COLUMNS.into_iter().chain(regions.then_some(REGION))).map_err(fail)?;
    for Line { item, decision, label, region, action, suggested } in lines {
        let number = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let mut cells = vec![
            item.name.clone(),
            label.clone(),
            decision.person.clone(),
            decision.at.to_string(),
            number(decision.seconds),
            (*action).into(),
            suggested.map_or(String::new(), |best| best.answer.to_string()),
            number(suggested.map(|best| f64::from(best.score))),
            decision.weights.clone().unwrap_or_default(),
        ];
        if regions {
            cells.push(region.clone().unwrap_or_default());
        }
        // The first names a file: with another name it would name another, or none.
        let cell = |(column, cell): (usize, &String)| match column {
            0 => cell.clone(),
            _ => harmless(cell),
        };
        writer.write_record(cells.iter().enumerate().map(cell)).map_err(fail)?;
    }
    writer.into_inner().map_err(|why| Error::file(store.path(), why.error()))
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && cell.parse::<f64>().is_err() {
        true => format!("'{cell}"),
        false => cell.into(),
    }
}

fn table(lines: &[Line<'_>]) -> Result<Vec<u8>> {
    fn text<'a>(lines: &'a [Line<'_>], of: impl Fn(&'a Line<'_>) -> &'a str) -> Vec<&'a str> {
        lines.iter().map(of).collect()
    }
    // What is missing is not a number.
    let numbers = |of: &dyn Fn(&Line<'_>) -> Option<f64>| -> Vec<f64> {
        lines.iter().map(|line| of(line).unwrap_or(f64::NAN)).collect()
    };
    let suggested = |line: &Line<'_>| line.suggested.map(|best| best.answer.to_string());
    let suggested: Vec<String> = lines.iter().map(|l| suggested(l).unwrap_or_default()).collect();
    let [item, label, person, at, seconds, what, suggestion, score, weights] = COLUMNS;
    let mut columns = vec![
        Column::Text(item, text(lines, |l| &l.item.name)),
        Column::Text(label, text(lines, |l| &l.label)),
        Column::Text(person, text(lines, |l| &l.decision.person)),
        Column::Numbers(at, numbers(&|l| Some(l.decision.at))),
        Column::Numbers(seconds, numbers(&|l| l.decision.seconds)),
        Column::Text(what, text(lines, |l| l.action)),
        Column::Text(suggestion, suggested.iter().map(String::as_str).collect()),
        Column::Numbers(score, numbers(&|l| l.suggested.map(|best| f64::from(best.score)))),
        Column::Text(weights, text(lines, |l| l.decision.weights.as_deref().unwrap_or(""))),
    ];
    if has_regions(lines) {
        columns.push(Column::Text(REGION, text(lines, |l| l.region.as_deref().unwrap_or(""))));
    }
    parquet::write(&columns)
}

/// Places in images, as detection data sets have them: boxes, polygons and masks. An image in
/// which nothing stands is one of the images.
fn coco(store: &Store, decided: &[(Item, Decision)]) -> Result<Vec<u8>> {
    let mut names = store.labels()?;
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for (item, decision) in decided {
        let all = standing(&decision.verdicts);
        let placed: Vec<_> = all.iter().filter_map(|one| Some((place(one)?, one))).collect();
        if placed.is_empty() && !all.is_empty() {
            continue;
        }
        let size = Store::file(&store.origin().queue, &item.name).and_then(image_file::header)?;
        images.push(json!({
            "id": item.id,
            "file_name": item.name,
            "width": size.width,
            "height": size.height,
        }));
        for (mut place, annotation) in placed {
            // What is written somewhere is a text, whatever it says.
            let name = annotation.answer.label().unwrap_or("text");
            let category = names.iter().position(|own| own == name).unwrap_or_else(|| {
                names.push(name.into());
                names.len() - 1
            });
            place["id"] = (annotations.len() + 1).into();
            place["image_id"] = item.id.into();
            place["category_id"] = category.into();
            place["iscrowd"] = 0.into();
            if let Answer::Text(text) = &annotation.answer {
                place["text"] = text.as_str().into();
            }
            annotations.push(place);
        }
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

/// COCO's fields about a place in an image; `None` where it is none.
fn place(annotation: &Annotation) -> Option<Value> {
    let region = annotation.at.as_ref()?;
    let BoundingBox { x1, y1, x2, y2 } = region.bounding_box()?;
    // Width and height of corners in f32 differ in the last bit from those that the corners
    // came from: to a hundredth of a pixel, in COCO's own files, they come back.
    let hundredth = |x: f64| (x * 100.0).round() / 100.0;
    let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(f64::from);
    let bbox = [x1, y1, x2 - x1, y2 - y1].map(hundredth);
    let mut place = json!({"bbox": bbox});
    place["area"] = match region {
        Region::Polygon(points) => {
            let flat = points.iter().flat_map(|p| [p.x, p.y].map(|x| hundredth(x.into())));
            place["segmentation"] = json!([flat.collect::<Vec<_>>()]);
            hundredth(Polygon { points: points.clone() }.area().into()).into()
        }
        Region::Mask(mask) => {
            place["segmentation"] = json!(mask);
            mask.area().into()
        }
        _ => hundredth(bbox[2] * bbox[3]).into(),
    };
    Some(place)
}

/// Copies the images to `OUT/LABEL/NAME`, the layout that `train --data` takes: all of them, or
/// there is no such folder.
fn folders(store: &Store, out: &Path) -> Result<usize> {
    if !matches!(store.origin().kind, Kind::Images { .. }) {
        let why = "only images go into folders: expected FILE.csv or FILE.parquet";
        return Err(Error::argument("OUT", why));
    }
    if std::fs::read_dir(out).is_ok_and(|mut inside| inside.next().is_some()) {
        return Err(Error::argument("OUT", format!("{} is not empty", out.display())));
    }
    let decided = store.decided()?;
    // Everything that may be wrong is found before the first copy.
    let queue = &store.origin().queue;
    let mut by_label: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (item, decision) in &decided {
        let label = decision.label().ok_or_else(|| {
            let why = "has places or several answers, no one label: expected FILE.json";
            Error::argument("OUT", format!("{} {why}", item.name))
        })?;
        Store::file(queue, &item.name)?;
        by_label.entry(label).or_default().push(&item.name);
    }
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
    let aside = tempfile::Builder::new().prefix(".labels-").tempdir_in(parent);
    let aside = aside.map_err(|source| Error::io(parent, source))?;
    let whole = aside.path().join("labels");
    std::fs::create_dir(&whole).map_err(|source| Error::io(&whole, source))?;
    let labels = names::apart(by_label.keys().map(String::as_str));
    for (images, folder) in by_label.values().zip(labels) {
        let folder = whole.join(folder);
        std::fs::create_dir(&folder).map_err(|source| Error::io(&folder, source))?;
        for (name, file) in images.iter().zip(names::apart(images.iter().copied())) {
            copy(Store::open_file(queue, name)?, &folder.join(file))?;
        }
    }
    // An empty folder may be there, which not every system renames over.
    let _ = std::fs::remove_dir(out);
    std::fs::rename(&whole, out).map_err(|source| Error::io(out, source))?;
    Ok(decided.len())
}

/// Copies a file to where none is.
fn copy((from, mut source): (PathBuf, std::fs::File), to: &Path) -> Result<()> {
    let mut target = std::fs::File::create_new(to).map_err(|source| Error::io(to, source))?;
    std::io::copy(&mut source, &mut target).map_err(|why| {
        Error::file(&from, format!("cannot be copied to {}: {why}", to.display()))
    })?;
    Ok(())
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
