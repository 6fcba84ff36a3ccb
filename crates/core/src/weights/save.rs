//! Writing a module as safetensors: one atomic file, the same bytes for the same weights.
//!
//! The header is written here rather than by the safetensors crate, whose metadata is a hash
//! map: its order, and with it the digest, would change from run to run.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{BurnToPyTorchAdapter, FloatCastAdapter, ModuleAdapter, ModuleSnapshot};
use burn::tensor::DType;
use serde::Serialize;
use sha2::Digest;

use super::seal;
use crate::{Error, Result, files};

/// What the header says about one tensor.
#[derive(Serialize)]
struct Entry {
    dtype: &'static str,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// Writes the weights of `module` to `path` as safetensors.
///
/// Keys and layouts are PyTorch's, floats are 32 bits wide. `metadata` goes into the header,
/// with the file's own SHA-256 beside it, by which [`load`](super::load) finds damage. The
/// file appears complete or not at all. Equal weights give equal bytes.
///
/// # Errors
///
/// The folder cannot be written to, the disk is full, or a tensor has an element type that
/// safetensors lacks, such as a quantised one.
pub fn save<M: Module>(module: &M, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
    let adapter = BurnToPyTorchAdapter.chain(FloatCastAdapter::to(DType::F32));
    // PyTorch's keys never hold the name of an enum's variant.
    let mut tensors = module.collect(None, Some(Box::new(adapter)), true);
    // Wide types first, as the safetensors crate does, so that all data is aligned.
    tensors.sort_by(|a, b| (b.dtype.size(), &a.name).cmp(&(a.dtype.size(), &b.name)));
    let mut metadata = metadata.clone();
    metadata.insert(seal::KEY.into(), seal::ZEROS.into());
    let mut header = header(path, &tensors, &metadata)?;
    let bytes = |tensor: &PackTensor| {
        let name = &tensor.name;
        tensor.clone().into_bytes().map_err(|e| Error::file(path, format!("{name}: {e}")))
    };
    // Twice over the tensors, one in memory at a time: the checksum stands before the data.
    seal::close(&mut header, |hasher| {
        tensors.iter().try_for_each(|tensor| {
            hasher.update(&bytes(tensor)?[..]);
            Ok(())
        })
    })?;
    files::write_with(path, |file| {
        let mut out = BufWriter::new(file);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for tensor in &tensors {
            out.write_all(&bytes(tensor).map_err(io::Error::other)?)?;
        }
        out.flush()
    })
}

/// The JSON header, padded so that the data begins at a multiple of eight.
fn header(
    path: &Path,
    tensors: &[PackTensor],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut entries = BTreeMap::new();
    let mut start = 0;
    for tensor in tensors {
        let dtype = dtype_name(tensor.dtype).ok_or_else(|| {
            Error::file(path, format!("{}: safetensors has no {:?}", tensor.name, tensor.dtype))
        })?;
        let end = start + tensor.byte_len();
        let entry = Entry { dtype, shape: tensor.shape.to_vec(), data_offsets: [start, end] };
        if entries.insert(tensor.name.as_str(), entry).is_some() {
            return Err(Error::file(path, format!("two parameters are named {}", tensor.name)));
        }
        start = end;
    }

    #[derive(Serialize)]
    struct Header<'a> {
        #[serde(rename = "__metadata__")]
        metadata: &'a BTreeMap<String, String>,
        #[serde(flatten)]
        entries: BTreeMap<&'a str, Entry>,
    }
    let mut header = serde_json::to_vec(&Header { metadata, entries })
        .map_err(|e| Error::file(path, format!("header: {e}")))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn dtype_name(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::F32 => "F32",
        DType::I64 => "I64",
        DType::I32 => "I32",
        DType::I16 => "I16",
        DType::I8 => "I8",
        DType::U64 => "U64",
        DType::U32 => "U32",
        DType::U16 => "U16",
        DType::U8 => "U8",
        DType::Bool(_) if dtype.size() == 1 => "BOOL",
        _ => return None,
    })
}
