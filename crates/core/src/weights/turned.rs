//! Weights of fully connected layers, which PyTorch keeps the other way round.

use super::deferred::release_after;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{ModuleAdapter, ModuleContext, PyTorchToBurnAdapter, bridge};
use burn::tensor::{DType, Shape, TensorData};
use rayon::prelude::*;

/// What Burn's adapter does, but for large layers in much less time, and with one copy of them
/// fewer in memory.
#[derive(Clone)]
pub(super) struct FromPyTorch;

impl ModuleAdapter for FromPyTorch {
    fn adapt(&self, tensor: PackTensor, context: ModuleContext<'_>) -> PackTensor {
        let is_linear = context.module_type() == Some("Struct:Linear");
        let is_weight = tensor.name.rsplit('.').next() == Some("weight");
        let &[rows, columns] = tensor.shape.as_slice() else {
            return PyTorchToBurnAdapter.adapt(tensor, context);
        };
        if !(is_linear && is_weight && tensor.dtype == DType::F32) {
            return PyTorchToBurnAdapter.adapt(tensor, context);
        }
        let (name, shape) = (tensor.name.clone(), Shape::from([columns, rows]));
        bridge::map_data(tensor, name, DType::F32, shape, move |data| turned(data, rows, columns))
    }

    fn get_alternative_param_name(&self, name: &str, container: &str) -> Option<String> {
        PyTorchToBurnAdapter.get_alternative_param_name(name, container)
    }

    fn clone_box(&self) -> Box<dyn ModuleAdapter> {
        Box::new(self.clone())
    }
}

/// `[rows, columns]` to `[columns, rows]`.
fn turned(data: TensorData, rows: usize, columns: usize) -> TensorData {
    // Columns that are gathered together, each from one line of the processor's cache.
    const TOGETHER: usize = 16;
    let Ok(from) = data.as_slice::<f32>() else { return data };
    release_after(size_of_val(from));
    let mut out = vec![0.0; rows * columns];
    if rows > 0 {
        out.par_chunks_mut(rows * TOGETHER).enumerate().for_each(|(block, out)| {
            let first = block * TOGETHER;
            for row in 0..rows {
                for (place, out) in out.chunks_exact_mut(rows).enumerate() {
                    out[row] = from[row * columns + first + place];
                }
            }
        });
    }
    TensorData::new(out, [columns, rows])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (3, 2), (5, 40), (33, 16), (0, 4), (4, 0)] {
            let numbers: Vec<f32> = (0..rows * columns).map(|x| x as f32).collect();
            let turned = turned(TensorData::new(numbers, [rows, columns]), rows, columns);
            let expected: Vec<f32> = (0..columns)
                .flat_map(|column| (0..rows).map(move |row| (row * columns + column) as f32))
                .collect();
            assert_eq!(turned, TensorData::new(expected, [columns, rows]));
        }
    }
}
