//! Tensors that are read when they are wanted.

use std::io::Read;

use burn::store::bridge;
use burn::store::burn_pack::{Error as PackError, Tensor as PackTensor};
use burn::tensor::{Bytes, DType, Shape, TensorData};

/// A tensor whose bytes, in row-major order, come from `read` when they are wanted.
pub(super) fn deferred(
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    read: impl Fn() -> Result<Bytes, String> + Send + Sync + 'static,
) -> PackTensor {
    let shape = Shape::from(shape);
    let declared = shape.clone();
    bridge::deferred(name, dtype, shape, None, move || {
        let mut bytes = read().map_err(PackError::ValidationError)?;
        if matches!(dtype, DType::Bool(_)) {
            // Any byte but 0 and 1 is no `bool` in Rust.
            bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
        }
        TensorData::try_from_bytes(bytes, declared.clone(), dtype)
            .map_err(|e| PackError::ValidationError(e.to_string()))
    })
}

/// Bytes as a tensor keeps them. Of bytes that were not allocated as numbers Burn makes a copy:
/// that of a large layer is half a gigabyte.
pub(super) fn owned(bytes: &[u8], dtype: DType) -> Bytes {
    match dtype {
        DType::F32 => Bytes::from_elems(floats(bytes).collect::<Vec<f32>>()),
        _ => Bytes::from_bytes_vec(bytes.to_vec()),
    }
}

/// The next bytes of a file, as [`owned`].
pub(super) fn read_owned(
    from: &mut impl Read,
    length: usize,
    dtype: DType,
) -> std::io::Result<Bytes> {
    const PART: usize = 1 << 20;
    if dtype != DType::F32 {
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes)?;
        return Ok(Bytes::from_bytes_vec(bytes));
    }
    let (mut numbers, mut bytes) = (Vec::with_capacity(length / 4), vec![0; PART.min(length)]);
    let mut left = length;
    while left > 0 {
        let next = left.min(PART);
        from.read_exact(&mut bytes[..next])?;
        numbers.extend(floats(&bytes[..next]));
        left -= next;
    }
    Ok(Bytes::from_elems(numbers))
}

/// Gives back what was needed to read a tensor of so many bytes, where it is worth the while: the
/// allocator keeps it, but uses it for nothing as large.
pub(super) fn release_after(bytes: usize) {
    if bytes >= 64 << 20 {
        tenfold_kernels::release_memory();
    }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four))
}
