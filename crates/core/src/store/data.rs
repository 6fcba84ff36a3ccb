//! What people decided, as a data set to train on: `train ... --data STORE`.

use super::{Action, Item, Store};
use crate::data::split::{hold_out, view};
use crate::data::{DataSet, Example, Examples, Input, Kind, OpenOptions, picture};
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
    let mut said = HashMap::new();
    for decision in store.decisions()? {
        if decision.action == Action::Label
            && let Some(&place) = decision.label.as_deref().and_then(|name| places.get(name))
        {
            said.insert(decision.item, place);
        }
    }
    let mut parts = [Vec::new(), Vec::new()];
    let mut skipped = Vec::new();
    let origin = store.origin();
    for item in store.items()? {
        let Some(&label) = said.get(&item.id) else { continue };
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
            "{} decisions to train on and {} of the fixed part to test with; expected two and one",
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
    Picture(PathBuf),
    Row(Vec<f32>),
}

fn source(item: Item, queue: &Path, kind: &Kind) -> Result<Source> {
    match (kind, item.row) {
        (Kind::Rows { columns }, Some(row)) if row.len() == columns.len() => Ok(Source::Row(row)),
        (Kind::Rows { columns }, _) => {
            let why = format!("item {}: expected {} numbers", item.name, columns.len());
            Err(Error::file(queue, why))
        }
        (Kind::Pictures { .. }, _) => {
            let path = Store::picture(queue, &item.name)?;
            picture::header(&path)?;
            Ok(Source::Picture(path))
        }
    }
}

/// Decided items, pictures decoded when they are asked for.
struct Decided {
    pairs: Vec<(Source, usize)>,
}

impl Dataset<Example, Error> for Decided {
    fn get(&self, index: usize) -> Result<Example> {
        let (source, label) = &self.pairs[index];
        let input = match source {
            Source::Picture(path) => Input::Picture(picture::read(path)?),
            Source::Row(row) => Input::Row(row.clone()),
        };
        Ok(Example { input, label: *label })
    }

    fn len(&self) -> usize {
        self.pairs.len()
    }
}
