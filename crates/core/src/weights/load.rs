//! Fitting a weights file to a module: names, shapes, and one line on what does not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::Module;
use burn::store::burn_pack::{Error as PackError, Tensor as PackTensor};
use burn::store::{FloatCastAdapter, KeyRemapper, ModuleAdapter, ModuleSnapshot};
use burn::tensor::DType;

use super::deferred::release_after;
use super::expected::{Expected, expected};
use super::nesting::{choose, is_counter, named};
use super::options::{LoadOptions, Rename};
use super::source::{self, Format};
use super::turned::FromPyTorch;
use crate::progress::note;
use crate::{Error, Result};

/// What [`load`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// What the file turned out to be.
    pub format: Format,
    /// Keys of the module that were set, sorted.
    pub loaded: Vec<String>,
    /// Keys of the module that kept their values, sorted.
    pub kept: Vec<String>,
    /// Keys of the file that were not used, sorted.
    pub unused: Vec<String>,
}

/// Loads weights into `module` from safetensors or a PyTorch checkpoint, told apart by
/// content.
///
/// Keys are PyTorch's, as [`save`](super::save) writes them. Dictionaries that a training
/// checkpoint wraps around the weights, whatever they are called, and the prefixes of wrapped
/// modules (`module.`, `_orig_mod.`) are left out: what lies under the prefix that fits the
/// module best is taken, which is told where another fits as well. Left out too are the counters
/// of PyTorch's batch norms, which Burn lacks. Floats of any width become 32 bits wide.
///
/// # Errors
///
/// The file cannot be read, or does not fit: then one line names the keys that are missing,
/// unused, or of another shape, with both shapes. The module is unchanged after an error.
pub fn load<M: Module>(module: &mut M, path: &Path, options: &LoadOptions) -> Result<LoadReport> {
    let rename = Rename::new(options)?;
    let skip = KeyRemapper::from_pattern_iter(options.skip.iter().map(|skip| (skip, "")))
        .map_err(|e| Error::argument("skip", e))?
        .to_regex_pairs();
    let skipped = |key: &str| skip.iter().any(|(regex, _)| regex.is_match(key));

    let expected = expected(module);
    let source = source::open(path)?;
    if options.sealed && !source.sealed {
        return Err(Error::file(path, "damaged, or not written by this program: no checksum"));
    }
    let (mut offered, taken) = unwrap(path, source.tensors, &rename, &expected)?;
    offered.retain(|key, _| expected.contains_key(key) || !is_counter(key));

    let (mut missing, mut unlike, mut extra) = (Vec::new(), Vec::new(), Vec::new());
    let (mut loaded, mut kept, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
    for (key, wanted) in &expected {
        let tensor = match offered.remove(key) {
            _ if skipped(key) => None,
            None if options.partial => None,
            None => {
                missing.push(format!("{key} {:?} is missing", wanted.shape.as_slice()));
                None
            }
            Some(tensor) => Some(tensor),
        };
        let Some(mut tensor) = tensor else {
            kept.push(key.clone());
            continue;
        };
        if tensor.shape != wanted.shape {
            unlike.push(format!(
                "{key} is {:?} in the file and {:?} in the model",
                tensor.shape.as_slice(),
                wanted.shape.as_slice()
            ));
        } else if !wanted.kind.accepts(tensor.dtype) {
            let dtype = tensor.dtype;
            unlike
                .push(format!("{key} holds {dtype:?} where the model has {}", wanted.kind.name()));
        } else {
            tensor.name = wanted.path.clone();
            chosen.push(tensor);
            loaded.push(key.clone());
        }
    }
    let unused: Vec<String> = offered.into_keys().filter(|key| !skipped(key)).collect();
    if !options.partial {
        extra.extend(unused.iter().map(|key| format!("{key} is not in the model")));
    }
    if [&missing, &unlike, &extra].into_iter().any(|problems| !problems.is_empty()) {
        return Err(misfit(path, [missing, unlike, extra]));
    }

    // What may be damaged is read once before the module changes: batch norms share their running
    // averages between clones, so that a half-loaded copy could not be thrown away. Nothing is
    // kept of it: with all of the file beside the module, large weights would need twice their
    // memory. Of safetensors the lengths, and with a seal the digest, were checked when opened.
    if source.format != Format::Safetensors {
        let read = |tensor: &PackTensor| {
            let length = tensor.to_bytes()?.len();
            release_after(length);
            Ok::<_, PackError>(())
        };
        chosen.iter().try_for_each(read).map_err(|e| Error::file(path, e))?;
    }
    let adapter = FromPyTorch.chain(FloatCastAdapter::to(DType::F32));
    let result = module.apply(chosen, None, Some(Box::new(adapter)), true);
    tenfold_kernels::release_memory();
    if !result.errors.is_empty() || result.applied.len() != loaded.len() {
        let why = result.errors.iter().map(|e| e.to_string()).collect();
        return Err(misfit(path, [why]));
    }
    if let Some(taken) = taken {
        note(format_args!("{}: {taken}", path.display()));
    }
    Ok(LoadReport { format: source.format, loaded, kept, unused })
}

fn misfit<const N: usize>(path: &Path, problems: [Vec<String>; N]) -> Error {
    Error::file(path, format!("does not fit the model: {}", named(problems)))
}

/// The file's tensors by the module's keys, without what is wrapped around them.
fn unwrap(
    path: &Path,
    tensors: Vec<PackTensor>,
    rename: &Rename,
    expected: &BTreeMap<String, Expected>,
) -> Result<(BTreeMap<String, PackTensor>, Option<String>)> {
    let keys = |tensor: &PackTensor| (tensor.name.clone(), tensor.shape.to_vec());
    let file: Vec<_> = tensors.iter().map(keys).collect();
    let wanted = expected.iter().map(|(key, expected)| (key.clone(), expected.shape.to_vec()));
    let (prefix, rivals) = choose(&file, &wanted.collect::<Vec<_>>(), rename);
    let mut offered = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for mut tensor in tensors.into_iter().filter(|tensor| tensor.name.starts_with(&prefix)) {
        tensor.name = rename.apply(&tensor.name[prefix.len()..]);
        if let Some(other) = offered.insert(tensor.name.clone(), tensor) {
            twice.insert(format!("two keys of the file become {}", other.name));
        }
    }
    match twice.is_empty() {
        true => Ok((offered, told(&prefix, &rivals))),
        false => Err(misfit(path, [twice.into_iter().collect()])),
    }
}

/// Which weights of a file were taken, where others would have fitted as well.
fn told(prefix: &str, rivals: &[String]) -> Option<String> {
    let name = |prefix: &str| match prefix.trim_end_matches('.') {
        "" => "the outermost".to_string(),
        prefix => format!("`{prefix}`"),
    };
    let [first, ..] = rivals else { return None };
    let all: Vec<String> = rivals.iter().map(|rival| name(rival)).collect();
    Some(format!(
        "weights under {} are taken; {} would fit as well: to use {}, save them alone",
        name(prefix),
        all.join(", "),
        name(first)
    ))
}
