//! What the model is shown: read under the budget of memory, images brought to the model's size
//! at once where it takes them so.

use crate::memory::{self, Taken};
use crate::state::State;
use rayon::prelude::*;
use tenfold_core::data::image_file::{self, Weight};
use tenfold_core::data::{Input, Preprocess};
use tenfold_core::store::{Content, Item, Store};
use tenfold_core::{Error, Result};

/// What is read at once weighs so many bytes at most, but for one that weighs more by itself.
pub const GROUP: u64 = 128 << 20;

/// What a model holds of one image, once that has its size; none where it takes them whole.
pub fn shaped_bytes(state: &State) -> Option<u64> {
    let preprocess = state.settings.preprocess.as_ref();
    preprocess.map(|own| own.shape().iter().product::<usize>() as u64)
}

/// What it takes to read an image and bring it to the model's size.
pub fn weight(state: &State, weight: Weight) -> u64 {
    weight.memory + shaped_bytes(state).unwrap_or(0)
}

/// An image as the model takes it.
///
/// # Errors
/// As [`Preprocess::shaped`].
pub fn shaped(state: &State, image: image::DynamicImage) -> Result<Input> {
    match &state.settings.preprocess {
        Some(preprocess) => Preprocess::shaped(preprocess, Input::Image(image)),
        None => Ok(Input::Image(image)),
    }
}

fn weight_of(state: &State, item: &Item) -> Result<u64> {
    match item.content {
        Content::File => {
            let (path, file) = Store::open_file(&state.settings.queue, &item.name)?;
            Ok(weight(state, image_file::weigh_open(path, file)?))
        }
        Content::Row(_) | Content::Text(_) => Ok(0),
    }
}

fn read(state: &State, item: &Item) -> Result<Input> {
    match &item.content {
        Content::Row(row) => Ok(Input::Row(row.clone())),
        Content::Text(text) => Ok(Input::Text(text.clone())),
        Content::File => {
            let (path, file) = Store::open_file(&state.settings.queue, &item.name)?;
            shaped(state, image_file::read_open(path, file)?)
        }
    }
}

fn too_large(item: &Item, why: String) -> Error {
    Error::file(&item.name, format!("too large to be read: {why}"))
}

/// One item, on a thread that may wait for memory: not the model's, for which those wait who have
/// some.
///
/// # Errors
/// The image cannot be read.
pub fn input(state: &State, item: &Item) -> Result<Input> {
    let taken = state.memory.take_and_wait(weight_of(state, item)?);
    let _taken = taken.map_err(|why| too_large(item, why))?;
    read(state, item)
}

/// The first of some items, what became of each, and the memory that the inputs stand in.
pub struct Group {
    /// Each with what the model is shown of it.
    pub items: Vec<(Item, Result<Input>)>,
    /// Until they are dropped.
    pub taken: Taken,
}

/// Reads as many of the first items as fit; `None` where there is no memory for them now.
pub fn group(state: &State, mut items: Vec<Item>) -> Option<Group> {
    let mut weights: Vec<Result<u64>> =
        items.par_iter().map(|item| weight_of(state, item)).collect();
    let known = |weight: &Result<u64>| *weight.as_ref().unwrap_or(&0);
    items.truncate(memory::first(weights.iter().map(known), GROUP));
    weights.truncate(items.len());
    let taken = match state.memory.try_take(weights.iter().map(known).sum()) {
        Ok(taken) => taken?,
        // One that weighs more than there is stands alone.
        Err(why) => {
            let refused = |(item, _): (Item, _)| {
                let why = too_large(&item, why.clone());
                (item, Err(why))
            };
            let items = items.into_iter().zip(weights).map(refused).collect();
            return Some(Group { items, taken: state.memory.try_take(0).ok()?? });
        }
    };
    let read = |(item, weight): (Item, Result<u64>)| {
        let input = weight.and_then(|_| read(state, &item));
        (item, input)
    };
    let items: Vec<_> = items.into_iter().zip(weights).collect();
    Some(Group { items: items.into_par_iter().map(read).collect(), taken })
}
