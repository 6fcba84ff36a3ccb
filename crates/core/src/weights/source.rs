//! Weights files as a list of tensors whose data is read on demand.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::{BoolStore, DType};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::deferred::{deferred, read_owned};
use super::{checkpoint, seal};
use crate::{Error, Result};

/// The largest JSON header accepted, enough for 100,000 tensors. The format allows six times
/// as much, but reading it may take 20 times its size of memory.
pub(super) const MAX_HEADER: u64 = 16 << 20;

/// How a weights file is laid out. Found from its first bytes, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// `torch.save` since PyTorch 1.6: a zip archive around a pickle.
    PyTorch,
    /// `torch.save` before PyTorch 1.6: pickles followed by the tensors' bytes.
    PyTorchLegacy,
}

/// A weights file opened, with nothing but its list of tensors read.
pub(super) struct Source {
    pub format: Format,
    /// Named as in the file, in PyTorch's layout.
    pub tensors: Vec<PackTensor>,
    /// Whether a checksum in the file vouches for them.
    pub sealed: bool,
}

/// Opens a weights file and lists its tensors, without what `torch.compile` puts into the names
/// of the modules that it compiled, wherever these stand in the model.
pub(super) fn open(path: &Path) -> Result<Source> {
    let mut source = listed(path)?;
    let mut names: HashSet<String> =
        source.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    for tensor in &mut source.tensors {
        // At the beginning it is one of the wrappers, by which the model may be told from others.
        let name = tensor.name.replace("._orig_mod.", ".");
        // Unless that is the name of another one.
        if name != tensor.name && names.insert(name.clone()) {
            tensor.name = name;
        }
    }
    Ok(source)
}

fn listed(path: &Path) -> Result<Source> {
    let io_error = |e| Error::io(path, e);
    let mut file = File::open(path).map_err(io_error)?;
    let size = file.metadata().map_err(io_error)?.len();
    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start).map_err(io_error)?;
    file.rewind().map_err(io_error)?;

    if start.is_empty() {
        return Err(Error::file(path, "is empty; expected a weights file"));
    }
    let json_length = start.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    if let Some(length) = json_length.filter(|n| *n <= MAX_HEADER)
        && start.get(8).is_none_or(|byte| *byte == b'{')
    {
        let (tensors, sealed) = safetensors(file, size, length)
            .map_err(|why| Error::file(path, format!("damaged safetensors file: {why}")))?;
        return Ok(Source { format: Format::Safetensors, tensors, sealed });
    }
    let damaged = |why: String| Error::file(path, why);
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        let tensors = checkpoint::zip(file, size).map_err(damaged)?;
        return Ok(Source { format: Format::PyTorch, tensors, sealed: false });
    }
    if checkpoint::is_legacy(&start) {
        let tensors = checkpoint::legacy(file, size).map_err(damaged)?;
        return Ok(Source { format: Format::PyTorchLegacy, tensors, sealed: false });
    }
    Err(damaged(checkpoint::why_not(&start, file)))
}

fn safetensors(mut file: File, size: u64, length: u64) -> Result<(Vec<PackTensor>, bool), String> {
    // The file must hold the header before memory for it is taken.
    let data_start = 8 + length;
    let data_length = size.checked_sub(data_start).ok_or_else(|| {
        format!("it ends inside its header: {size} bytes where {data_start} are announced")
    })?;
    let mut header = vec![0; length as usize];
    file.seek(SeekFrom::Start(8))
        .and_then(|_| file.read_exact(&mut header))
        .map_err(|e| e.to_string())?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|e| format!("header: {e}"))?;
    // Reading through serde has checked that offsets, shapes and types agree.
    let end = metadata.data_len() as u64;
    if end != data_length {
        return Err(format!("{data_length} bytes of data where its header announces {end}"));
    }

    let sealed = seal::fits(&mut file, header).map_err(|e| e.to_string())?;
    if sealed == Some(false) {
        return Err("its content does not fit the SHA-256 that it carries".into());
    }

    let file = Arc::new(Mutex::new(file));
    let mut tensors = Vec::new();
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        let (start, end) = info.data_offsets;
        let dtype = dtype(info.dtype).ok_or_else(|| {
            format!("{name} has the element type {:?}, which is not supported", info.dtype)
        })?;
        let file = file.clone();
        tensors.push(deferred(name, dtype, info.shape.clone(), move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(data_start + start as u64))
                .and_then(|_| read_owned(&mut *file, end - start, dtype))
                .map_err(|e| e.to_string())
        }));
    }
    Ok((tensors, sealed.is_some()))
}

fn dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U16 => DType::U16,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}
