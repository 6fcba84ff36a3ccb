//! Files read beside the network that answers them, and how many go through it at once.

use crate::data::csv::Table;
use crate::data::{Input, Kind, Preprocess, image_file};
use crate::suggest::Propose;
use crate::{Result, files};
use image::DynamicImage;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use tenfold_kernels::largest_result;

/// Inputs that go through a network at once, at most.
pub const MOST: usize = 64;
/// What the maps of a batch may take, in bytes.
const MAPS: usize = 96 << 20;
/// So many maps of the largest size are in memory at once: what an operator reads and writes, and
/// what it needs for itself.
const AT_ONCE: usize = 3;
/// Images in full size that wait for a batch to be complete, in bytes.
const WAITING: usize = 64 << 20;

/// A file, read.
pub struct File<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// Its place among the files.
    pub place: usize,
    /// What is in it; images as the network takes them, where it lets that be done before.
    pub inputs: Result<Vec<Input>>,
    /// The image as it is, where it was asked for.
    pub image: Option<DynamicImage>,
}

impl File<'_> {
    fn count(&self) -> usize {
        self.inputs.as_ref().map_or(0, Vec::len)
    }

    /// The bytes of its images in full size.
    fn bytes(&self) -> usize {
        let size = |image: &DynamicImage| image.as_bytes().len();
        let raw = self.inputs.iter().flatten().map(|input| match input {
            Input::Image(image) => size(image),
            _ => 0,
        });
        raw.sum::<usize>() + self.image.as_ref().map_or(0, size)
    }
}

/// Hands the files to `each` in their order, so many at once as the network's maps allow, which
/// the first image tells, and with how many inputs are to go through the network together. Files
/// are read, and images brought to the network's size, on other threads meanwhile, a bounded
/// number ahead. With `whole`, images are kept beside as they are.
///
/// # Errors
/// The first that `each` returns.
pub fn in_batches(
    answerer: &dyn Propose,
    paths: &[PathBuf],
    whole: bool,
    mut each: impl FnMut(Vec<File<'_>>, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (kind, preprocess) = (answerer.kind(), answerer.preprocess().cloned());
    let large = whole || preprocess.is_none();
    let ahead = if large { rayon::current_num_threads() } else { MOST };
    let (to, from) = sync_channel(ahead);
    std::thread::scope(|scope| {
        scope.spawn(|| read_ahead(paths, &kind, preprocess.as_ref(), whole, to));
        // Owned here, so that the reader ends when this does, for whatever reason.
        let from = from;
        let mut batch = if matches!(kind, Kind::Images { .. }) { None } else { Some(MOST) };
        let (mut files, mut inputs, mut bytes) = (Vec::new(), 0, 0);
        for file in &from {
            inputs += file.count();
            bytes += file.bytes();
            files.push(file);
            let most = batch.unwrap_or(1);
            if inputs < most && bytes < WAITING {
                continue;
            }
            let (done, largest) = largest_result(|| each(std::mem::take(&mut files), most));
            done?;
            batch = batch.or(Some(batch_of(largest)));
            (inputs, bytes) = (0, 0);
        }
        each(files, batch.unwrap_or(1))
    })
}

/// How many inputs go through a network at once whose largest map for one has so many numbers.
fn batch_of(largest: usize) -> usize {
    let each = AT_ONCE * largest * size_of::<f32>();
    MAPS.checked_div(each).map_or(MOST, |batch| batch.clamp(1, MOST))
}

fn read_ahead<'a>(
    paths: &'a [PathBuf],
    kind: &Kind,
    preprocess: Option<&Preprocess>,
    whole: bool,
    to: SyncSender<File<'a>>,
) {
    let one = |(place, path): (usize, &'a PathBuf)| {
        let mut image = None;
        let shaped = |input: Input| {
            if let (true, Input::Image(own)) = (whole, &input) {
                image = Some(own.clone());
            }
            match preprocess {
                Some(preprocess) => preprocess.shaped(input),
                None => Ok(input),
            }
        };
        let inputs = read(path, kind).and_then(|all| all.into_iter().map(shaped).collect());
        File { path, place, inputs, image }
    };
    let threads = rayon::current_num_threads();
    for (group, some) in paths.chunks(threads).enumerate() {
        let place = group * threads;
        let read: Vec<File<'a>> =
            some.par_iter().enumerate().map(|(next, path)| one((place + next, path))).collect();
        for file in read {
            if to.send(file).is_err() {
                return;
            }
        }
    }
}

/// The inputs in a file: rows of a table, lines of a text, or one image.
///
/// # Errors
/// The file cannot be read, or is of another kind.
pub fn read(path: &Path, kind: &Kind) -> Result<Vec<Input>> {
    match kind {
        Kind::Images { .. } => Ok(vec![Input::Image(image_file::read(path)?)]),
        Kind::Rows { columns, schema } => {
            let rows = Table::read_rows(path, columns, schema.as_ref())?;
            Ok(rows.into_iter().map(Input::Row).collect())
        }
        Kind::Texts => {
            let text = files::read_text(path)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Ok(lines.map(|line| Input::Text(line.into())).collect())
        }
    }
}

#[cfg(test)]
#[path = "ahead_tests.rs"]
mod tests;
