//! Linear regression: a number as the weighted sum of the inputs.
//!
//! C. F. Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae" (1823).
//!
//! Two ways lead to the same weights, each a check of the other: gradient descent on the mean
//! squared error, from weights of zero, and the normal equations of least squares (`--set
//! solver=closed_form`). Where columns depend on each other, such as the one-hot columns of a
//! word, many weights are equally good: the normal equations are solved by the shortest, to
//! which plain gradient descent (`--optimizer sgd`) leads too, and Adam to some others.

use super::checks::check_widths;
use super::input::{Sizes, Takes};
use super::network::{Fields, Fit, Matrix, ModelConfig, Network};
use burn::module::{Module, Param};
use burn::nn::{Initializer, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use tenfold_core::data::Task;
use tenfold_kernels::nn::Linear;

/// How the weights are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// Gradient descent, as any network.
    Gradient,
    /// The normal equations.
    ClosedForm,
}

/// The choices of [`LinearRegression`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearRegressionConfig {
    /// `[1, 1, columns]`.
    pub input: [usize; 3],
    /// How many numbers are predicted: 1.
    pub classes: usize,
    /// How the weights are found.
    pub solver: Solver,
}

impl LinearRegressionConfig {
    /// The default choices for rows of shape `[1, 1, columns]`.
    pub fn new(input: [usize; 3], outputs: usize) -> Self {
        Self { input, classes: outputs, solver: Solver::Gradient }
    }
}

impl ModelConfig for LinearRegressionConfig {
    type Network = LinearRegression;

    const TASKS: &'static [Task] = &[Task::Regression];
    const TAKES: Takes = Takes::Rows;
    const FIELDS: Fields = &[(
        "solver",
        "gradient, step by step as any network, or closed_form, the normal equations",
    )];

    fn members() -> Vec<Self> {
        Vec::new()
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        match (self.input, self.classes) {
            ([1, 1, columns], 1) => check_widths("input", &[columns, 1]),
            (input, outputs) => {
                Err(format!("input: {input:?} to {outputs} numbers; expected [1, 1, columns] to 1"))
            }
        }
    }

    fn infer(&self, _keys: &[(String, Vec<usize>)]) -> Option<Self> {
        // Without its run nobody knows what a column's weight is a weight of.
        None
    }

    fn fit(&self) -> Option<Fit<Self>> {
        match self.solver {
            Solver::Gradient => None,
            Solver::ClosedForm => Some(|_, train, _, _, device| {
                let (weights, bias) = least_squares(train);
                Ok(LinearRegression::new(&weights, bias, device))
            }),
        }
    }

    fn init(&self, device: &Device) -> LinearRegression {
        let layer = LinearConfig::new(self.input[2], self.classes);
        LinearRegression { output: layer.with_initializer(Initializer::Zeros).init(device).into() }
    }
}

/// A number as a linear function of every input.
#[derive(Module, Debug)]
pub struct LinearRegression {
    /// columns to 1.
    pub output: Linear,
}

impl LinearRegression {
    fn new(weights: &[f64], bias: f64, device: &Device) -> Self {
        let weight: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let weight = TensorData::new(weight, [weights.len(), 1]); // Burn's layout: [in, out]
        let bias = TensorData::new(vec![bias as f32], [1]);
        Self {
            output: burn::nn::Linear {
                weight: Param::from_data(weight, device),
                bias: Some(Param::from_data(bias, device)),
            }
            .into(),
        }
    }
}

impl Network for LinearRegression {
    type Config = LinearRegressionConfig;

    fn head(&self, inputs: Tensor<2>) -> Tensor<2> {
        self.output.forward(inputs) // [batch, 1]
    }
}

/// The shortest weights, and the bias, for which the sum of squared errors is smallest.
///
/// In 64 bits: the matrix of the normal equations squares whatever is ill conditioned.
pub fn least_squares(examples: &Matrix) -> (Vec<f64>, f64) {
    let (width, count) = (examples.width, examples.len().max(1) as f64);
    let mut means = vec![0.0; width];
    for row in examples.rows() {
        means.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x) / count);
    }
    let target_mean = examples.targets.iter().map(|&y| f64::from(y)).sum::<f64>() / count;
    // Centred, so that the bias drops out: A = X'X / n, b = X'y / n.
    let mut a = vec![0.0; width * width];
    let mut b = vec![0.0; width];
    for (row, &y) in examples.rows().zip(&examples.targets) {
        let row: Vec<f64> = row.iter().zip(&means).map(|(&x, mean)| f64::from(x) - mean).collect();
        for (i, &x) in row.iter().enumerate() {
            b[i] += x * (f64::from(y) - target_mean) / count;
            a[i * width..][..width].iter_mut().zip(&row).for_each(|(a, z)| *a += x * z / count);
        }
    }
    let vectors = diagonalise(&mut a, width);
    let largest = (0..width).map(|i| a[i * width + i]).fold(0.0, f64::max);
    let mut weights = vec![0.0; width];
    for (i, vector) in vectors.chunks_exact(width).enumerate() {
        let value = a[i * width + i];
        // A direction in which the inputs do not vary has nothing to say.
        if value > largest * 1e-10 {
            let along = vector.iter().zip(&b).map(|(v, b)| v * b).sum::<f64>() / value;
            weights.iter_mut().zip(vector).for_each(|(weight, v)| *weight += along * v);
        }
    }
    let bias = target_mean - weights.iter().zip(&means).map(|(w, mean)| w * mean).sum::<f64>();
    (weights, bias)
}

/// Turns the symmetric matrix `a` into its eigenvalues, on the diagonal, by Jacobi's rotations;
/// returns the eigenvectors, one after the other.
fn diagonalise(a: &mut [f64], n: usize) -> Vec<f64> {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    // Convergence is quadratic: some ten sweeps are enough for any matrix.
    for _ in 0..64 {
        let diagonal: f64 = (0..n).map(|i| a[i * n + i].powi(2)).sum();
        let rest: f64 = a.iter().map(|x| x * x).sum::<f64>() - diagonal;
        if rest <= diagonal * 1e-26 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let off = a[p * n + q];
                if off == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let (c, s) = (1.0 / t.hypot(1.0), t / t.hypot(1.0));
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (vectors[p * n + k], vectors[q * n + k]);
                    (vectors[p * n + k], vectors[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[&[f32]], targets: &[f32]) -> Matrix {
        Matrix { inputs: rows.concat(), width: rows[0].len(), targets: targets.into() }
    }

    #[test]
    fn a_line_through_points_is_found_exactly() {
        // y = 3 a - 2 b + 5
        let rows: [&[f32]; 4] = [&[0.0, 0.0], &[1.0, 0.0], &[0.0, 1.0], &[2.0, 3.0]];
        let (weights, bias) = least_squares(&matrix(&rows, &[5.0, 8.0, 3.0, 5.0]));
        for (found, expected) in weights.iter().chain([&bias]).zip([3.0, -2.0, 5.0]) {
            assert!((found - expected).abs() < 1e-12, "{weights:?} {bias}");
        }
    }

    #[test]
    fn what_lies_off_the_line_is_averaged() {
        // By hand: slope 1.5, through the mean point (1, 5/3).
        let (weights, bias) = least_squares(&matrix(&[&[0.0], &[1.0], &[2.0]], &[0.0, 2.0, 3.0]));
        assert!((weights[0] - 1.5).abs() < 1e-12 && (bias - 1.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn of_equally_good_weights_the_shortest_are_taken() {
        // The same column twice, and one that never varies.
        let rows: [&[f32]; 3] = [&[1.0, 1.0, 7.0], &[2.0, 2.0, 7.0], &[3.0, 3.0, 7.0]];
        let (weights, bias) = least_squares(&matrix(&rows, &[4.0, 8.0, 12.0]));
        for (found, expected) in weights.iter().chain([&bias]).zip([2.0, 2.0, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-9, "{weights:?} {bias}");
        }
    }
}
