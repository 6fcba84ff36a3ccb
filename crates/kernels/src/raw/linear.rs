//! Fully connected layers `x * weight + bias`, and their gradients.
//!
//! A row is an image of one pixel, so that [`conv`] does the work.

use super::View;
use super::conv::{self, Conv};
use super::gemm::{Epilogue, Packed};

fn shape(rows: usize, inputs: usize, outputs: usize) -> Conv {
    Conv {
        batch: rows,
        inputs,
        outputs,
        input: [1, 1],
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        output: [1, 1],
    }
}

/// `[rows, outputs]` from `x`, `[rows, inputs]`, and `weight`, `[inputs, outputs]`.
///
/// # Panics
/// Where lengths differ from the shape.
pub fn forward(
    x: &[f32],
    inputs: usize,
    weight: &[f32],
    outputs: usize,
    bias: Option<&[f32]>,
    finish: Epilogue,
) -> Vec<f32> {
    product(x, inputs, &pack(inputs, weight, outputs), bias, finish)
}

/// Weights `[inputs, outputs]` packed for [`product`].
///
/// # Panics
/// Where the length is another.
pub fn pack(inputs: usize, weight: &[f32], outputs: usize) -> Packed {
    assert_eq!(weight.len(), inputs * outputs, "weights");
    Packed::new(inputs, outputs, weight, |term| term * outputs, 1)
}

/// The gradient `[rows, inputs]` for the input.
///
/// # Panics
/// Where lengths differ from the shape.
pub fn input_gradient(gradient: &[f32], outputs: usize, weight: &[f32], inputs: usize) -> Vec<f32> {
    assert_eq!(weight.len(), inputs * outputs, "weights");
    let packed = Packed::new(outputs, inputs, weight, |term| term, outputs);
    product(gradient, outputs, &packed, None, Epilogue::Store)
}

/// `[rows, columns]` from `x`, `[rows, terms]`, and a packed matrix `[terms, columns]`.
///
/// # Panics
/// Where lengths differ from the shape.
pub fn product(
    x: &[f32],
    terms: usize,
    packed: &Packed,
    bias: Option<&[f32]>,
    finish: Epilogue,
) -> Vec<f32> {
    let rows = x.len().checked_div(terms).unwrap_or(0);
    let view = View::channels_last(x, [rows, terms, 1, 1]);
    conv::forward(&shape(rows, terms, packed.columns()), &view, packed, bias, finish)
}

/// The gradient `[inputs, outputs]` for the weights.
///
/// # Panics
/// Where lengths differ from the shape.
pub fn weight_gradient(x: &[f32], inputs: usize, gradient: &[f32], outputs: usize) -> Vec<f32> {
    let rows = x.len().checked_div(inputs).unwrap_or(0);
    // The weights of a convolution have their outputs first: so the two change places.
    let x = View::channels_last(x, [rows, inputs, 1, 1]);
    let gradient = View::channels_last(gradient, [rows, outputs, 1, 1]);
    conv::weight_gradient(&shape(rows, outputs, inputs), &gradient, &x)
}

/// The gradient `[outputs]` for the bias.
pub fn bias_gradient(gradient: &[f32], outputs: usize) -> Vec<f32> {
    let rows = gradient.len().checked_div(outputs).unwrap_or(0);
    conv::bias_gradient(&View::channels_last(gradient, [rows, outputs, 1, 1]))
}
