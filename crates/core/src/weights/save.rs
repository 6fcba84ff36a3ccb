//! Writing a module as safetensors: one atomic file, the same bytes for the same weights.
//!
//! The header is written here rather than by the safetensors crate, whose metadata is a hash
//! map: its order, and with it the digest, would change from run to run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{BurnToPyTorchAdapter, FloatCastAdapter, ModuleAdapter, ModuleSnapshot};
use burn::tensor::DType;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::hex;
use crate::{Error, Result};

/// What the header says about one tensor.
#[derive(Serialize)]
struct Entry {
    dtype: &'static str,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// Writes the weights of `module` to `path` as safetensors, and returns the file's SHA-256.
///
/// Keys and layouts are PyTorch's, floats are 32 bits wide, and `metadata` goes into the
/// header as it is. The file appears complete or not at all: it is written under a temporary
/// name in the same folder, flushed to the disk and renamed. Equal weights give equal bytes.
///
/// # Errors
///
/// The folder cannot be written to, the disk is full, or a tensor has an element type that
/// safetensors lacks, such as a quantised one.
pub fn save<M: Module>(
    module: &M,
    path: &Path,
    metadata: &BTreeMap<String, String>,
) -> Result<String> {
    let adapter = BurnToPyTorchAdapter.chain(FloatCastAdapter::to(DType::F32));
    // PyTorch's keys never hold the name of an enum's variant.
    let mut tensors = module.collect(None, Some(Box::new(adapter)), true);
    // Wide types first, as the safetensors crate does, so that all data is aligned.
    tensors.sort_by(|a, b| (b.dtype.size(), &a.name).cmp(&(a.dtype.size(), &b.name)));
    let header = header(path, &tensors, metadata)?;

    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let temporary = new_file(&folder).map_err(|e| Error::io(path, e))?;
    let digest = write(temporary.as_file(), path, &header, tensors)?;
    let io_error = |e| Error::io(path, e);
    temporary.as_file().sync_all().map_err(io_error)?;
    temporary.persist(path).map_err(|e| Error::io(path, e.error))?;
    // The rename itself survives a power cut only once the folder is on the disk too.
    #[cfg(unix)]
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(io_error)?;
    Ok(digest)
}

/// Writes the whole file, one tensor in memory at a time, and returns its digest.
fn write(file: &File, path: &Path, header: &[u8], tensors: Vec<PackTensor>) -> Result<String> {
    let io_error = |e| Error::io(path, e);
    let mut out = Hashing { file: BufWriter::new(file), hasher: Sha256::new() };
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(io_error)?;
    out.write_all(header).map_err(io_error)?;
    for tensor in tensors {
        let name = tensor.name.clone();
        let bytes = tensor.into_bytes().map_err(|e| Error::file(path, format!("{name}: {e}")))?;
        out.write_all(&bytes).map_err(io_error)?;
    }
    out.flush().map_err(io_error)?;
    Ok(hex(out.hasher))
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
        #[serde(rename = "__metadata__", skip_serializing_if = "BTreeMap::is_empty")]
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

/// A temporary file with the permissions of any other new file: tempfile's own default is
/// for secrets, and would make the weights unreadable to everybody else after the rename.
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".weights-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// A file whose digest grows as it is written.
struct Hashing<'a> {
    file: BufWriter<&'a File>,
    hasher: Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
