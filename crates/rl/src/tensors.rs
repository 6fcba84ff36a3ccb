//! From numbers to tensors and back.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// `[rows, cells]` on a device.
pub fn matrix(cells: Vec<f32>, rows: usize, device: &Device) -> Tensor<2> {
    let width = cells.len().checked_div(rows).unwrap_or(0);
    Tensor::from_data(TensorData::new(cells, [rows, width]), device)
}

/// `[len]` on a device.
pub fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let len = values.len();
    Tensor::from_data(TensorData::new(values, [len]), device)
}

/// `[len]` on a device, of places in another tensor.
pub fn indices(places: &[usize], device: &Device) -> Tensor<1, Int> {
    let data: Vec<i32> = places.iter().map(|&place| place as i32).collect();
    Tensor::from_data(TensorData::new(data, [places.len()]), device)
}

/// The elements of a tensor, row by row.
pub fn elements<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    data.as_slice::<f32>().map_or_else(|_| data.iter::<f32>().collect(), <[f32]>::to_vec)
}
