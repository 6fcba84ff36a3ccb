//! The parameters of the gates, and their gradients.

/// The parameters of a gate.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// `[I, H]`
    pub input: &'a [f32],
    /// `[H, H]`
    pub hidden: &'a [f32],
    /// `[H]`, added to the product with the input.
    pub input_bias: Option<&'a [f32]>,
    /// `[H]`, added to the product with the state.
    pub hidden_bias: Option<&'a [f32]>,
}

/// The gradients of a [`Gate`]; those of the biases are there in any case.
#[derive(Clone, Debug)]
pub struct GateGradient {
    /// `[I, H]`
    pub input: Vec<f32>,
    /// `[H, H]`
    pub hidden: Vec<f32>,
    /// `[H]`
    pub input_bias: Vec<f32>,
    /// `[H]`
    pub hidden_bias: Vec<f32>,
}

/// The gradients of a layer with `G` gates.
#[derive(Clone, Debug)]
pub struct Gradients<const G: usize> {
    /// `[B, T, I]`
    pub input: Vec<f32>,
    /// `[B, H]`
    pub hidden: Vec<f32>,
    /// `[B, H]`; empty for a layer without cells.
    pub cell: Vec<f32>,
    /// In the order of the gates.
    pub gates: [GateGradient; G],
}

/// Gate matrices `[rows, H]` side by side.
pub(super) fn side_by_side<const G: usize>(matrices: [&[f32]; G], hidden: usize) -> Vec<f32> {
    let rows = matrices[0].len() / hidden;
    let mut out = Vec::with_capacity(G * matrices[0].len());
    for row in 0..rows {
        for matrix in matrices {
            out.extend_from_slice(&matrix[row * hidden..][..hidden]);
        }
    }
    out
}

/// The reverse: one matrix per gate.
pub(super) fn apart<const G: usize>(matrix: &[f32], hidden: usize) -> [Vec<f32>; G] {
    let rows = matrix.len() / (G * hidden);
    std::array::from_fn(|gate| {
        let mut out = Vec::with_capacity(rows * hidden);
        for row in matrix.chunks_exact(G * hidden) {
            out.extend_from_slice(&row[gate * hidden..][..hidden]);
        }
        out
    })
}

/// The sum of some biases, or zeros.
pub(super) fn bias_sum(biases: [Option<&[f32]>; 2], hidden: usize) -> Vec<f32> {
    let mut sum = vec![0.0; hidden];
    for bias in biases.into_iter().flatten() {
        for (sum, bias) in sum.iter_mut().zip(bias) {
            *sum += bias;
        }
    }
    sum
}
