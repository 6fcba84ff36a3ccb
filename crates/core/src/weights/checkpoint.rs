//! PyTorch checkpoints: where their pickles and the bytes of their tensors lie.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::{Bytes, DType};
use zip::read::{ArchiveOffset, Config, ZipReadOptions};
use zip::{CompressionMethod, ZipArchive};

use super::deferred::{deferred, owned};
use super::pickle::{Machine, Result, Storage, Strided, Value};

/// The most that the pickles of one checkpoint may hold: a state dict takes about 200 bytes
/// for each tensor.
const MAX_PICKLE: u64 = 32 << 20;

/// The most bytes by which a tensor may be larger than its storage.
const MAX_REPEATED: usize = 16 << 20;

/// The most bytes that the names of all tensors may take together.
const MAX_NAMES: usize = 32 << 20;

/// The number every legacy checkpoint begins with, inside its first pickle.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Whether a file that begins with `start` was written by PyTorch 0.1.10 to 1.5.
pub(super) fn is_legacy(start: &[u8]) -> bool {
    start
        .iter()
        .take(64)
        .collect::<Vec<_>>()
        .windows(LEGACY_MAGIC.len())
        .any(|window| window.iter().copied().eq(&LEGACY_MAGIC))
}

/// Why a file that begins with `start`, and is in no known format, cannot be read.
pub(super) fn why_not(start: &[u8], file: File) -> String {
    if start.get(257..262) == Some(b"ustar") {
        return "was written by a PyTorch before 0.1.10; load and save it once with a newer one"
            .to_string();
    }
    // A bare pickle holds no tensors, but what it names is worth telling.
    let protocol0 = start.starts_with(b"c")
        && start.split(|&byte| byte == b'\n').nth(2).is_some_and(|line| line.starts_with(b"("));
    if protocol0 || matches!(start, [0x80, 0..=5, ..]) {
        let mut bytes = Vec::new();
        if let Err(e) = file.take(MAX_PICKLE).read_to_end(&mut bytes) {
            return e.to_string();
        }
        return match Machine::default().run(&mut bytes.as_slice()) {
            Ok(_) => "is a pickle without tensors; expected a file of torch.save".to_string(),
            Err(why) => why,
        };
    }
    "is neither safetensors nor a checkpoint of torch.save".to_string()
}

/// The tensors of a checkpoint in a zip archive.
pub(super) fn zip(file: File, size: u64) -> Result<Vec<PackTensor>> {
    // The archive begins where the file does. Left to find that out, the reader mistakes the
    // second entry for the first where a name's length makes up for PyTorch's second directory.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let archive = ZipArchive::with_config(config, file);
    let mut archive = archive.map_err(|e| format!("damaged zip archive: {e}"))?;
    let names = archive
        .file_names()
        .map(|name| name.map(|name| name.to_string()))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|e| format!("damaged zip archive: {e}"))?;
    let root = names
        .iter()
        .filter_map(|name| name.strip_suffix("data.pkl"))
        .filter(|root| root.is_empty() || root.ends_with('/'))
        .min_by_key(|root| root.len())
        .ok_or("zip archive without data.pkl; expected a checkpoint of torch.save")?
        .to_string();
    if names.contains(&format!("{root}byteorder"))
        && entry(&mut archive, &format!("{root}byteorder"), 16)?.trim_ascii() != b"little"
    {
        return Err("was written on a big-endian machine".to_string());
    }
    let pickle = entry(&mut archive, &format!("{root}data.pkl"), MAX_PICKLE)?;
    let mut machine = Machine::default();
    let top = machine.run(&mut pickle.as_slice())?;

    let archive = Arc::new(Mutex::new(archive));
    tensors(&machine, top, |storage| {
        let (archive, name) = (archive.clone(), format!("{root}data/{}", storage.key));
        Ok(move || {
            let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
            entry(&mut archive, &name, size)
        })
    })
}

/// One entry of the archive, its checksum checked.
fn entry(archive: &mut ZipArchive<File>, name: &str, limit: u64) -> Result<Vec<u8>> {
    let why = |e: &dyn std::fmt::Display| format!("{name}: {e}");
    let index = archive.index_for_name(name).ok_or_else(|| why(&"not in the archive"))?;
    let sum = archive.by_index_raw(index).map_err(|e| why(&e))?.crc32();
    // PyTorch can be told to write no checksums, and writes zeros then.
    let options = ZipReadOptions::new().ignore_crc32(sum == 0);
    let entry = archive.by_index_with_options(index, options).map_err(|e| why(&e))?;
    // torch.save never compresses. So no entry can be larger than the file is.
    if entry.compression() != CompressionMethod::Stored {
        return Err(why(&"is compressed; expected an archive as torch.save writes it"));
    }
    if entry.size() > limit {
        return Err(why(&format!("{} bytes where at most {limit} are possible", entry.size())));
    }
    // No more than the file has: a vector that grows would hold a large layer almost twice.
    let (size, mut bytes) = (entry.size(), Vec::with_capacity(entry.size() as usize));
    // One byte more than announced reaches the end, where the checksum is compared.
    entry.take(size + 1).read_to_end(&mut bytes).map_err(|e| why(&e))?;
    Ok(bytes)
}

/// The tensors of a checkpoint from before PyTorch 1.6: five pickles, then the storages.
pub(super) fn legacy(mut file: File, size: u64) -> Result<Vec<PackTensor>> {
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_PICKLE).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let mut machine = Machine::default();
    let mut rest = bytes.as_slice();
    let _magic = machine.run(&mut rest)?;
    if !matches!(machine.run(&mut rest)?, Value::Int(1001)) {
        return Err("legacy checkpoint of another version than 1001".to_string());
    }
    let system = machine.run(&mut rest)?;
    if matches!(item(&machine, system, "little_endian"), Some(Value::Bool(false))) {
        return Err("was written on a big-endian machine".to_string());
    }
    let top = machine.run(&mut rest)?;
    let Value::List(keys) = machine.run(&mut rest)? else {
        return Err("legacy checkpoint without its list of storages".to_string());
    };

    // The storages follow in the order of the list, each after its length.
    let lengths: HashMap<&str, u64> = machine
        .storages
        .iter()
        .map(|s| (s.key.as_str(), (s.length as u64).saturating_mul(s.dtype.size() as u64)))
        .collect();
    let mut places = HashMap::new();
    let mut position = (bytes.len() - rest.len()) as u64;
    for key in &machine.lists[keys] {
        let Value::Text(key) = *key else {
            return Err("a storage's key is no text".to_string());
        };
        let key = machine.texts[key].as_str();
        let length = *lengths.get(key).ok_or_else(|| format!("storage {key} is never used"))?;
        let start = position.saturating_add(8);
        position = start.saturating_add(length);
        if position > size {
            return Err(format!("ends inside storage {key}: {size} bytes of {position}"));
        }
        places.insert(key.to_string(), (start, length));
    }

    let file = Arc::new(Mutex::new(file));
    tensors(&machine, top, |storage| {
        let place = places.get(&storage.key).copied();
        let (start, length) = place.ok_or_else(|| format!("storage {} is missing", storage.key))?;
        let file = file.clone();
        let elements = storage.length as u64;
        Ok(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let mut count = [0; 8];
            let mut bytes = vec![0; length as usize];
            file.seek(SeekFrom::Start(start - 8))
                .and_then(|_| file.read_exact(&mut count))
                .and_then(|()| file.read_exact(&mut bytes))
                .map_err(|e| e.to_string())?;
            if u64::from_le_bytes(count) != elements {
                return Err("a storage has another length than its pickle says".to_string());
            }
            Ok(bytes)
        })
    })
}

/// The value of `name` in a dictionary.
fn item(machine: &Machine, dict: Value, name: &str) -> Option<Value> {
    let Value::Dict(dict) = dict else { return None };
    let is_name = |key: &Value| matches!(key, Value::Text(key) if machine.texts[*key] == name);
    machine.dicts[dict].iter().rfind(|(key, _)| is_name(key)).map(|(_, value)| *value)
}

/// Every tensor below `top`, named by the path of keys that leads to it. `read` gives the
/// bytes of a storage, which are read when a tensor is wanted.
fn tensors<R>(
    machine: &Machine,
    top: Value,
    read: impl Fn(&Storage) -> Result<R>,
) -> Result<Vec<PackTensor>>
where
    R: Fn() -> Result<Vec<u8>> + Send + Sync + 'static,
{
    let Value::Dict(_) = top else {
        return Err("holds no dictionary of weights; expected a state dict".to_string());
    };
    let mut found: BTreeMap<String, Strided> = BTreeMap::new();
    let (mut steps, mut name_bytes) = (0, 0);
    let mut open = vec![(String::new(), top, 0)];
    while let Some((name, value, depth)) = open.pop() {
        match value {
            Value::Tensor(tensor) => {
                // The last of several items with one key counts, and comes first here.
                found.entry(name).or_insert_with(|| machine.tensors[tensor].clone());
            }
            // One dictionary may stand at many places, and even in itself.
            Value::Dict(dict) if depth < 16 => {
                for (key, value) in &machine.dicts[dict] {
                    steps += 1;
                    if !matches!(value, Value::Tensor(_) | Value::Dict(_)) {
                        continue;
                    }
                    let key = match key {
                        Value::Text(text) => machine.texts[*text].clone(),
                        Value::Int(number) => number.to_string(),
                        _ => continue,
                    };
                    let path = if depth == 0 { key } else { format!("{name}.{key}") };
                    name_bytes += path.len();
                    if steps > 1_000_000 || name_bytes > MAX_NAMES {
                        return Err("holds more names than any state dict".to_string());
                    }
                    open.push((path, *value, depth + 1));
                }
            }
            _ => {}
        }
    }
    if found.is_empty() {
        return Err("holds no tensors; expected a state dict".to_string());
    }
    found
        .into_iter()
        .map(|(name, tensor)| {
            let storage = &machine.storages[tensor.storage];
            let dtype = storage.dtype;
            let (label, shape, read) = (name.clone(), tensor.shape.clone(), read(storage)?);
            Ok(deferred(name, dtype, shape, move || {
                let bytes = read().map_err(|why| format!("{label}: {why}"))?;
                gather(&bytes, &tensor, dtype).map_err(|why| format!("{label}: {why}"))
            }))
        })
        .collect()
}

/// The elements of `tensor` in row-major order.
fn gather(storage: &[u8], tensor: &Strided, dtype: DType) -> Result<Bytes> {
    let size = dtype.size();
    let count: usize = tensor.shape.iter().product();
    let end = tensor.extent().and_then(|extent| extent.checked_mul(size));
    let bytes = end.and_then(|end| storage.get(tensor.offset * size..end));
    let bytes = bytes.ok_or("its storage is shorter than announced")?;
    let mut step = 1;
    let row_major = tensor.shape.iter().zip(&tensor.stride).rev().all(|(&length, &stride)| {
        let fits = length == 1 || stride == step;
        step *= length;
        fits
    });
    if row_major || count == 0 {
        return Ok(owned(bytes, dtype));
    }
    // A stride of 0 repeats elements: a table of positions for each row of a batch, but not much.
    if count * size > storage.len() + MAX_REPEATED {
        return Err(format!(
            "a storage of {} bytes repeated to {} bytes; save what `contiguous()` gives of it",
            storage.len(),
            count * size
        ));
    }
    let mut out = Vec::with_capacity(count * size);
    for index in 0..count {
        let (mut rest, mut place) = (index, 0);
        for (&length, &stride) in tensor.shape.iter().zip(&tensor.stride).rev() {
            place += rest % length * stride;
            rest /= length;
        }
        // `extent` is the last place.
        out.extend_from_slice(&bytes[place * size..(place + 1) * size]);
    }
    Ok(owned(&out, dtype))
}
