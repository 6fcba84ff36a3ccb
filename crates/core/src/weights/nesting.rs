//! Where in a file the weights stand: checkpoints of trainings wrap them in dictionaries and
//! wrappers of modules, as `{'state_dict': {'module._orig_mod.conv1.weight': ...}}`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::Module;

use super::expected::module_keys;
use super::options::{LoadOptions, Rename};
use super::source;
use crate::Result;

/// Names of tensors and their shapes.
pub type Keys = Vec<(String, Vec<usize>)>;

/// Dictionaries and wrappers around the weights, one in another, at most.
const DEPTH: usize = 8;

/// What a wrapper is called that holds the weights themselves, where another (an average of
/// them, a rival) fits as well.
const USUAL: [&str; 6] = ["state_dict", "model_state_dict", "model", "net", "network", "module"];

/// Problems of one kind that are named; more are counted.
const MOST_NAMED: usize = 4;

/// Names and shapes of the tensors in a weights file, as they are called there, sorted by name.
/// No tensor is read.
///
/// # Errors
/// The file is missing, damaged, or in no format that [`load`](super::load) reads.
pub fn keys(path: &Path) -> Result<Keys> {
    let tensors = source::open(path)?.tensors.into_iter();
    let mut keys: Keys = tensors.map(|tensor| (tensor.name, tensor.shape.to_vec())).collect();
    keys.sort();
    Ok(keys)
}

/// The tensors of a weights file as [`load`](super::load) offers them to this module: without
/// what is wrapped around them, renamed, sorted by name.
///
/// # Errors
/// As [`keys`]; a pattern that is no regular expression.
pub fn keys_for<M: Module>(module: &M, path: &Path, options: &LoadOptions) -> Result<Keys> {
    let (file, rename) = (keys(path)?, Rename::new(options)?);
    let (prefix, _) = choose(&file, &module_keys(module), &rename);
    let mut keys = inside(&file, &prefix, &rename);
    keys.sort();
    Ok(keys)
}

/// The tensors of a weights file without each of the prefixes that may be a wrapper of them,
/// from the whole file to the innermost: for whoever reads off the weights which model's they
/// are.
///
/// # Errors
/// As [`keys`].
pub fn nestings(path: &Path) -> Result<Vec<Keys>> {
    let file = keys(path)?;
    let none = Rename::default();
    Ok(prefixes(&file).iter().map(|prefix| inside(&file, prefix, &none)).collect())
}

/// By what the keys of a file differ from a model's, as one line; none where they do not.
pub fn differences(file: &[(String, Vec<usize>)], model: &[(String, Vec<usize>)]) -> String {
    let offered: BTreeMap<&str, &[usize]> =
        file.iter().map(|(key, shape)| (key.as_str(), &shape[..])).collect();
    let wanted: BTreeSet<&str> = model.iter().map(|(key, _)| key.as_str()).collect();
    let (mut missing, mut shapes) = (Vec::new(), Vec::new());
    for (key, shape) in model {
        match offered.get(key.as_str()) {
            None => missing.push(format!("{key} {shape:?} is missing")),
            Some(other) if other != shape => {
                shapes.push(format!("{key} is {other:?} in the file and {shape:?} in the model"));
            }
            Some(_) => {}
        }
    }
    let extra = file.iter().filter(|(key, _)| !wanted.contains(key.as_str()) && !is_counter(key));
    let extra = extra.map(|(key, _)| format!("{key} is not in the model")).collect();
    named([missing, shapes, extra])
}

/// Problems of several kinds as one line, a few of each by name.
pub(super) fn named<const N: usize>(kinds: [Vec<String>; N]) -> String {
    let several = kinds.into_iter().flat_map(|mut problems| {
        let more = problems.len().saturating_sub(MOST_NAMED);
        let kind = problems.first().map_or("", |problem| {
            let ends = ["is missing", "is not in the model"];
            ends.into_iter().find(|end| problem.ends_with(end)).unwrap_or("of another shape")
        });
        let count = format!("{more} more {}", kind.replacen("is ", "are ", 1));
        problems.truncate(MOST_NAMED);
        problems.extend((more > 0).then_some(count));
        problems
    });
    several.collect::<Vec<_>>().join("; ")
}

/// Whether a key counts the batches that a batch norm has seen, which Burn lacks.
pub(super) fn is_counter(key: &str) -> bool {
    key.ends_with("num_batches_tracked")
}

/// The prefix of a file's keys under which it fits the model best: by the most keys of the
/// model's names and shapes, then by its names alone, then by the fewest that are left over.
/// The outermost of those that fit alike, and one that is called as usual; the others beside it.
pub(super) fn choose(
    file: &[(String, Vec<usize>)],
    model: &[(String, Vec<usize>)],
    rename: &Rename,
) -> (String, Vec<String>) {
    let wanted: BTreeMap<&str, &[usize]> =
        model.iter().map(|(key, shape)| (key.as_str(), &shape[..])).collect();
    let fit = |prefix: &String| {
        let (mut same, mut called, mut left) = (0, 0, 0);
        for (key, shape) in inside(file, prefix, rename) {
            match wanted.get(key.as_str()) {
                Some(wanted) => {
                    called += 1;
                    same += usize::from(*wanted == shape);
                }
                None => left += 1,
            }
        }
        let parts: Vec<&str> = prefix.split_terminator('.').collect();
        let usual = parts.iter().filter(|part| USUAL.contains(part)).count();
        let outer = std::cmp::Reverse(parts.len() - usual);
        (same, called, outer, usual, std::cmp::Reverse(left))
    };
    let mut fits: Vec<_> =
        prefixes(file).into_iter().map(|prefix| (fit(&prefix), prefix)).collect();
    // The first by name comes first of equals.
    fits.sort_by(|(a, _), (b, _)| b.cmp(a));
    let mut fits = fits.into_iter();
    let Some(((same, called, ..), best)) = fits.next() else { return Default::default() };
    let rivals = fits.take_while(|((s, c, ..), _)| *s > 0 && (*s, *c) == (same, called));
    (best, rivals.map(|(_, prefix)| prefix).collect())
}

/// Whatever stands before a dot in some key, from the outermost on.
fn prefixes(file: &[(String, Vec<usize>)]) -> Vec<String> {
    let mut found = BTreeSet::from([(0, "")]);
    for (key, _) in file {
        let dots = key.match_indices('.').take(DEPTH).enumerate();
        found.extend(dots.map(|(depth, (dot, _))| (depth + 1, &key[..=dot])));
    }
    found.into_iter().map(|(_, prefix)| prefix.to_string()).collect()
}

/// The keys that begin with a prefix, without it and renamed.
fn inside(file: &[(String, Vec<usize>)], prefix: &str, rename: &Rename) -> Keys {
    let keys = file.iter().filter_map(|(key, shape)| Some((key.strip_prefix(prefix)?, shape)));
    keys.map(|(key, shape)| (rename.apply(key), shape.clone())).collect()
}
