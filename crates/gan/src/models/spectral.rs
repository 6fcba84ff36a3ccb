//! Spectral normalisation.
//!
//! Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018.
//!
//! Differs from the paper: the power method starts from one fixed vector and makes five
//! iterations at each step, where the paper makes one from the vector of the step before. So
//! there is no state beside the weights.

use burn::tensor::{Tensor, TensorData};

/// Iterations of the power method.
const ITERATIONS: usize = 5;

/// Weights divided by their largest singular value, as a matrix with a row for each of
/// dimension 0. The gradient goes through the division, the singular vectors are constants.
pub fn normalised<const D: usize>(weight: Tensor<D>) -> Tensor<D> {
    let matrix: Tensor<2> = weight.clone().flatten(1, D - 1);
    weight / largest(matrix).reshape([1; D])
}

/// The same for a matrix whose every element belongs to one layer: `[inputs, outputs]`.
pub fn normalised_matrix(weight: Tensor<2>) -> Tensor<2> {
    weight.clone() / largest(weight).reshape([1, 1])
}

/// The largest singular value.
fn largest(matrix: Tensor<2>) -> Tensor<2> {
    let [rows, _] = matrix.dims();
    let constant = matrix.clone().detach();
    let start: Vec<f32> = (0..rows).map(|i| 1.0 + 0.5 * (i as f32 * 0.7).sin()).collect();
    let mut u = Tensor::<2>::from_data(TensorData::new(start, [1, rows]), &matrix.device());
    let mut v = unit(u.clone().matmul(constant.clone())); // [1, columns]
    for _ in 0..ITERATIONS {
        u = unit(v.clone().matmul(constant.clone().transpose())); // [1, rows]
        v = unit(u.clone().matmul(constant.clone()));
    }
    u.matmul(matrix).matmul(v.transpose())
}

/// A row vector of length 1.
fn unit(vector: Tensor<2>) -> Tensor<2> {
    let length = vector.clone().square().sum().sqrt().add_scalar(1e-12);
    vector / length.reshape([1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_largest_singular_value_becomes_one() {
        let device = Device::flex();
        // Singular values 3 and 1: a rotation of diag(3, 1).
        let (sin, cos) = 0.3f32.sin_cos();
        let rows = [[3.0 * cos, -sin], [3.0 * sin, cos]];
        let own = normalised(Tensor::<2>::from_data(rows, &device));
        let expected = rows.map(|row| row.map(|x| x / 3.0));
        for (own, expected) in own.into_data().iter::<f32>().zip(expected.concat()) {
            assert!((own - expected).abs() < 1e-4, "{own} {expected}");
        }
    }
}
