//! Fully connected layers `x * weight + bias`, and their gradients.
//!
//! A row is an image of one pixel, so that [`conv`] does the work.

use super::View;
use super::conv::{self, Conv, Sizes};
use super::gemm::{Epilogue, Packed};
use super::simd::vectorised;
use super::sizes::some_floats;
use rayon::prelude::*;

/// Weights of so many numbers are too many to keep a packed copy of.
pub const MANY_WEIGHTS: usize = 1 << 24;
/// Up to so many rows, reading many weights takes the time, and packing them would double it.
pub const FEW_ROWS: usize = 32;
/// Columns whose sums stay near the processor.
const COLUMNS: usize = 512;

fn shape(rows: usize, inputs: usize, outputs: usize) -> Conv {
    let sizes = Sizes {
        batch: rows,
        inputs,
        outputs,
        input: [1, 1],
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        output: [1, 1],
    };
    Conv::new(sizes).expect("rows and weights that memory holds")
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
    assert_eq!(weight.len(), some_floats(&[inputs, outputs]), "weights");
    Packed::new(inputs, outputs, weight, |term| term * outputs, 1)
}

/// The gradient `[rows, inputs]` for the input.
///
/// # Panics
/// Where lengths differ from the shape.
pub fn input_gradient(gradient: &[f32], outputs: usize, weight: &[f32], inputs: usize) -> Vec<f32> {
    assert_eq!(weight.len(), some_floats(&[inputs, outputs]), "weights");
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

/// [`forward`] for a few rows and weights too many to pack: they are read where they lie, once.
///
/// # Panics
/// Where lengths differ from the shape.
pub fn few_rows(
    x: &[f32],
    inputs: usize,
    weight: &[f32],
    outputs: usize,
    bias: Option<&[f32]>,
    finish: Epilogue,
) -> Vec<f32> {
    assert_eq!(weight.len(), some_floats(&[inputs, outputs]), "weights");
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "bias");
    let rows = x.len() / inputs;
    assert_eq!(x.len(), rows * inputs, "input");
    let block = |first: usize| {
        let columns = COLUMNS.min(outputs - first);
        (first, some_columns(x, inputs, weight, outputs, first, columns))
    };
    let starts: Vec<usize> = (0..outputs).step_by(COLUMNS).collect();
    let blocks: Vec<(usize, Vec<f32>)> = starts.into_par_iter().map(block).collect();
    let mut out = vec![0.0; rows * outputs];
    for (first, sums) in blocks {
        let columns = COLUMNS.min(outputs - first);
        for (out, sums) in out.chunks_exact_mut(outputs).zip(sums.chunks_exact(columns)) {
            for (column, &sum) in (first..).zip(sums) {
                let y = sum + bias.map_or(0.0, |bias| bias[column]);
                out[column] = if finish == Epilogue::Relu { y.max(0.0) } else { y };
            }
        }
    }
    out
}

vectorised! {
    /// `[rows, columns]`: some columns of the product, from `first` on.
    fn some_columns(x: &[f32], inputs: usize, weight: &[f32], outputs: usize, first: usize, columns: usize) -> Vec<f32> {
        let mut sums = vec![0.0; x.len() / inputs * columns];
        let line = |term: usize| &weight[term * outputs + first..][..columns];
        let whole = inputs / 4 * 4;
        for term in (0..whole).step_by(4) {
            let [a, b, c, d] = std::array::from_fn(|next| line(term + next));
            for (x, sums) in x.chunks_exact(inputs).zip(sums.chunks_exact_mut(columns)) {
                let [i, j, k, l] = std::array::from_fn(|next| x[term + next]);
                for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *sum += (i * a + j * b) + (k * c + l * d);
                }
            }
        }
        for term in whole..inputs {
            for (x, sums) in x.chunks_exact(inputs).zip(sums.chunks_exact_mut(columns)) {
                for (sum, a) in sums.iter_mut().zip(line(term)) {
                    *sum += x[term] * a;
                }
            }
        }
        sums
    }
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
