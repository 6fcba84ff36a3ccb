//! What people decided, as a data set to train on: `train ... --data STORE`.

use super::{Action, Content, Item, Store};
use crate::data::split::{hold_out, view};
use crate::data::{DataSet, Example, Examples, Input, Kind, OpenOptions, image_file};
use crate::{Error, Result};
use burn_dataset::Dataset;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens a store's decisions: items that people gave a label to. Those of the fixed part are
/// the test, all others are trained on and validated with; what the model accepted by itself
/// is neither.
///
/// # Errors
/// No store, a damaged one, or too few decisions.
pub fn open_data(path: &Path, options: &OpenOptions) -> Result<DataSet> {
    let store = Store::read(path)?;
    let classes = store.labels()?;
    let places: HashMap<&str, usize> =
        classes.iter().enumerate().map(|(place, name)| (&name[..], place)).collect();
    let mut parts = [Vec::new(), Vec::new()];
    let mut skipped = Vec::new();
    let origin = store.origin();
    for (item, decision) in store.decided()? {
        let label = decision.label().filter(|_| decision.action == Action::Label);
        let Some(&label) = label.and_then(|name| places.get(&name[..])) else { continue };
        let fixed = item.fixed;
        match source(item, &origin.queue, &origin.kind) {
            Ok(input) => parts[usize::from(fixed)].push((input, label)),
            Err(why) => skipped.push(why.to_string()),
        }
    }
    let [train, test] = parts.map(|pairs| Arc::new(Decided { pairs }) as Examples);
    let mut order: Vec<usize> = (0..train.len()).collect();
    order.truncate(options.limit.unwrap_or(order.len()));
    let (learn, held) = hold_out(&order, options.seed);
    if learn.is_empty() || held.is_empty() || test.is_empty() {
        let why = format!(
            "{} decisions to train on and {} held out to test with; expected at least two and one",
            train.len(),
            test.len()
        );
        return Err(Error::file(path, why));
    }
    Ok(DataSet {
        name: path.display().to_string(),
        kind: origin.kind.clone(),
        classes,
        values: None,
        train: view(&train, learn),
        validation: view(&train, held),
        test,
        skipped,
    })
}

enum Source {
    /// The queue, and its name there.
    Image(PathBuf, String),
    Row(Vec<f64>),
    Text(String),
}

fn source(item: Item, queue: &Path, kind: &Kind) -> Result<Source> {
    match (kind, item.content) {
        (Kind::Rows { columns, .. }, Content::Row(row)) if row.len() == columns.len() => {
            Ok(Source::Row(row))
        }
        (Kind::Rows { columns, .. }, _) => {
            let why = format!("item {}: expected {} numbers", item.name, columns.len());
            Err(Error::file(queue, why))
        }
        (Kind::Texts, Content::Text(text)) => Ok(Source::Text(text)),
        (Kind::Texts, _) => Err(Error::file(queue, format!("item {}: expected a text", item.name))),
        (Kind::Images { .. }, _) => {
            image_file::header(Store::file(queue, &item.name)?)?;
            Ok(Source::Image(queue.into(), item.name))
        }
    }
}

/// Decided items, images decoded when they are asked for.
struct Decided {
    pairs: Vec<(Source, usize)>,
}

impl Dataset<Example, Error> for Decided {
    fn get(&self, index: usize) -> Result<Example> {
        let (source, label) = &self.pairs[index];
        let input = match source {
            Source::Image(queue, name) => {
                let (path, file) = Store::open_file(queue, name)?;
                Input::Image(image_file::read_open(path, file)?)
            }
            Source::Row(row) => Input::Row(row.clone()),
            Source::Text(text) => Input::Text(text.clone()),
        };
        Ok(Example { input, target: *label, file: None })
    }

    fn len(&self) -> usize {
        self.pairs.len()
    }
}
