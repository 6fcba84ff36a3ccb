//! Weights that others trained, `weights/MODEL`: a table for each task, of which each row becomes
//! a manifest like those of data sets.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// What the names begin with, and where such files lie in the data folder.
pub const FOLDER: &str = "weights/";

const TABLES: [(&str, &str); 2] = [
    ("torchvision.toml", include_str!("../../../datasets/weights/torchvision.toml")),
    ("torchvision-coco.toml", include_str!("../../../datasets/weights/torchvision-coco.toml")),
];

/// A table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    task: String,
    /// What the figures of the rows are, in per cent.
    measure: String,
    licence: String,
    citation: String,
    home: String,
    classes: Vec<String>,
    weights: BTreeMap<String, Row>,
}

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Ends in `NAME-DIGITS.pth`, where the file's SHA-256 begins with these digits.
    url: String,
    most_bytes: i64,
    figure: f64,
}

fn published() -> Result<Vec<Published>> {
    let read =
        |(name, text)| toml::from_str(text).with_context(|| format!("datasets/weights/{name}"));
    TABLES.into_iter().map(read).collect()
}

/// Every name.
pub fn names() -> Result<Vec<String>> {
    let tables = published()?;
    let models = tables.iter().flat_map(|table| table.weights.keys());
    Ok(models.map(|name| format!("{FOLDER}{name}")).collect())
}

/// The manifest called `name`, where the table has one.
pub fn manifest(name: &str) -> Result<Option<String>> {
    let Some(model) = name.strip_prefix(FOLDER) else { return Ok(None) };
    let mut tables = published()?.into_iter();
    let Some(table) = tables.find(|table| table.weights.contains_key(model)) else {
        return Ok(None);
    };
    let Published { task, measure, licence, citation, home, classes, weights } = table;
    let Row { url, most_bytes, figure } = &weights[model];
    let file = url.rsplit('/').next().unwrap_or_default();
    let digits = file.rsplit_once('-').and_then(|(_, end)| end.strip_suffix(".pth"));
    let digits = digits.with_context(|| format!("{url}: expected NAME-DIGITS.pth"))?;
    let table = |entries: Vec<(&str, Value)>| -> Table {
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    };
    let title = format!("{model}, {measure} {figure} % as torchvision measured, {}", classes.len());
    let manifest = table(vec![
        ("name", name.into()),
        ("title", (title + " classes").into()),
        ("task", task.into()),
        ("licence", licence.into()),
        ("citation", citation.into()),
        ("home", home.into()),
        ("layout", "weights".into()),
        ("classes", classes.into()),
        ("counts", table(vec![("weights", 1.into())]).into()),
        ("splits", table(vec![("weights", table(vec![("file", file.into())]).into())]).into()),
        (
            "files",
            vec![table(vec![
                ("urls", vec![url.clone()].into()),
                ("sha256_prefix", digits.into()),
                ("size", (*most_bytes).into()),
                ("dest", file.into()),
            ])]
            .into(),
        ),
    ]);
    Ok(Some(toml::to_string(&manifest)?))
}

#[cfg(test)]
mod tests {
    use super::super::manifest::find;
    use super::*;

    #[test]
    fn every_row_is_a_manifest_that_knows_its_digest() {
        let names = names().expect("a table");
        assert_eq!(names.len(), 22);
        for name in names {
            let manifest = find(&name).expect("a manifest");
            let classes = if manifest.task == "object detection" { 91 } else { 1000 };
            assert_eq!((&manifest.name, manifest.classes.len()), (&name, classes));
            let [file] = &manifest.files[..] else { panic!("{name}: one file") };
            let prefix = file.sha256_prefix.as_deref().expect("a digest");
            assert!(file.dest.ends_with(&format!("-{prefix}.pth")), "{name}");
            assert!(file.urls[0].starts_with("https://download.pytorch.org/models/"), "{name}");
            assert_eq!(manifest.paths(), [&file.dest]);
        }
        assert_eq!(manifest("resnet18").expect("a table"), None);
        let error = find("weights/resnet19").expect_err("unknown").to_string();
        assert!(error.contains("weights/resnet18"), "{error}");
    }
}
