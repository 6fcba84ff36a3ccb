//! Tensors that are read when they are wanted.

use burn::store::bridge;
use burn::store::burn_pack::{Error as PackError, Tensor as PackTensor};
use burn::tensor::{Bytes, DType, Shape, TensorData};

/// A tensor whose bytes, in row-major order, come from `read` when they are wanted.
pub(super) fn deferred(
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    read: impl Fn() -> Result<Vec<u8>, String> + Send + Sync + 'static,
) -> PackTensor {
    let shape = Shape::from(shape);
    let declared = shape.clone();
    bridge::deferred(name, dtype, shape, None, move || {
        let mut bytes = read().map_err(PackError::ValidationError)?;
        if matches!(dtype, DType::Bool(_)) {
            // Any byte but 0 and 1 is no `bool` in Rust.
            bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
        }
        TensorData::try_from_bytes(Bytes::from_bytes_vec(bytes), declared.clone(), dtype)
            .map_err(|e| PackError::ValidationError(e.to_string()))
    })
}
