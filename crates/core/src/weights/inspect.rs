//! Looking at weights without loading them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::store::bridge;
use burn::tensor::{DType, TensorData};

use super::source::{self, MAX_HEADER};
use crate::{Error, Result};

/// One tensor of a weights file, by its name in the file, as 32-bit numbers in the file's own
/// layout.
///
/// # Errors
///
/// The file is damaged or holds no such tensor.
pub fn read(path: &Path, name: &str) -> Result<TensorData> {
    let tensors = source::open(path)?.tensors;
    let tensor = tensors.iter().find(|tensor| tensor.name == name);
    let tensor =
        tensor.ok_or_else(|| Error::file(path, format!("holds no tensor named `{name}`")))?;
    let data = bridge::to_data(tensor).map_err(|why| Error::file(path, why))?;
    Ok(data.convert_dtype(DType::F32))
}

/// The text that a safetensors file carries beside its tensors.
///
/// # Errors
///
/// The file cannot be read, or is no safetensors file.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__", default)]
        metadata: BTreeMap<String, String>,
        #[serde(flatten)]
        _tensors: HashMap<String, serde::de::IgnoredAny>,
    }
    let io = |source| Error::io(path, source);
    let wrong = || Error::file(path, "no safetensors file; expected one that `export` wrote");
    let mut file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| wrong())?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER.min(size) {
        return Err(wrong());
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(|_| wrong())?;
    serde_json::from_slice::<Header>(&header).map(|header| header.metadata).map_err(|_| wrong())
}
