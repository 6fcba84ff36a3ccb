//! Recurrent layers over whole sequences, and their gradients by back-propagation through
//! time: the long short-term memory (Hochreiter and Schmidhuber, "Long Short-Term Memory",
//! 1997, with the forget gate of Gers and others, 2000) and the gated recurrent unit (Cho and
//! others, 2014, arXiv:1406.1078v1: the reset gate acts after the product).
//!
//! B: rows of the batch, T: steps, I: inputs, H: hidden units. Sequences are `[B, T, ...]`,
//! states `[B, H]`. The products with the input are made for all steps at once, as are the
//! gradients for weights and input; only `h * weight` goes step by step. No row of the batch
//! needs another one, so that each thread takes some rows through all steps.

use super::gemm::{Finish, Packed, Rows, multiply, panel_width};
use super::math::{sigmoid, tanh};
use super::simd::vectorised;
use super::steps::in_steps;
use super::{Out, filled, share, threads};

/// Multiplications that take as long as moving one float.
const WORK: usize = 8;
/// Multiplications of a step that several threads do sooner than one.
const STEP: usize = 1 << 16;
/// Rows of a product that one thread takes at a time.
const BLOCK: usize = 96;

/// The sizes of a sequence and its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Rows.
    pub batch: usize,
    /// Steps of each row.
    pub steps: usize,
    /// Features of each step.
    pub inputs: usize,
    /// Units of the layer.
    pub hidden: usize,
}

impl Sequence {
    /// Floats of a state, `[B, H]`.
    pub fn state(&self) -> usize {
        self.batch * self.hidden
    }

    /// Floats of all hidden states, `[B, T, H]`.
    pub fn states(&self) -> usize {
        self.steps * self.state()
    }

    /// Parts of the batch that threads take: they depend on the sizes and the number of
    /// threads alone, and so do the sums over the batch.
    fn parts(&self) -> usize {
        threads().min(self.batch).max(1)
    }

    fn part(&self, index: usize) -> std::ops::Range<usize> {
        let parts = self.parts();
        self.batch * index / parts..self.batch * (index + 1) / parts
    }

    /// Parts of the units that threads take, all in step, where there are too few rows to divide;
    /// none where they are not worth it. `width` is that of all gates.
    fn unit_parts(&self, width: usize) -> Option<usize> {
        let parts = threads().min(self.hidden / panel_width());
        let whole = self.hidden.is_multiple_of(panel_width());
        let work = self.state() * width;
        (self.batch < 2 * threads() && parts > 1 && whole && work >= STEP).then_some(parts)
    }

    fn check(&self, x: &[f32], gates: &[Gate<'_>]) {
        self.check_input(x);
        self.check_gates(gates);
    }

    fn check_input(&self, x: &[f32]) {
        assert_eq!(x.len(), self.batch * self.steps * self.inputs, "input");
        assert!(self.steps > 0 && self.hidden > 0 && self.inputs > 0, "an empty sequence or layer");
    }

    fn check_gates(&self, gates: &[Gate<'_>]) {
        for gate in gates {
            assert_eq!(gate.input.len(), self.inputs * self.hidden, "weights of the input");
            assert_eq!(gate.hidden.len(), self.hidden * self.hidden, "weights of the state");
            for bias in [gate.input_bias, gate.hidden_bias].into_iter().flatten() {
                assert_eq!(bias.len(), self.hidden, "bias");
            }
        }
    }
}

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
fn side_by_side<const G: usize>(matrices: [&[f32]; G], hidden: usize) -> Vec<f32> {
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
fn apart<const G: usize>(matrix: &[f32], hidden: usize) -> [Vec<f32>; G] {
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
fn bias_sum(biases: [Option<&[f32]>; 2], hidden: usize) -> Vec<f32> {
    let mut sum = vec![0.0; hidden];
    for bias in biases.into_iter().flatten() {
        for (sum, bias) in sum.iter_mut().zip(bias) {
            *sum += bias;
        }
    }
    sum
}

fn pack(matrix: &[f32], rows: usize, columns: usize) -> Packed {
    Packed::new(rows, columns, matrix, |term| term * columns, 1)
}

fn pack_transposed(matrix: &[f32], rows: usize, columns: usize) -> Packed {
    Packed::new(columns, rows, matrix, |term| term, columns)
}

/// The weights of a layer as [`lstm_with`] or [`gru_with`] want them.
#[derive(Clone, Debug)]
pub struct Weights {
    input: Packed,
    hidden: Packed,
    /// Added to the product with the input.
    bias: Vec<f32>,
    /// Added to that with the state, where the other cannot be added at once.
    hidden_bias: Option<Vec<f32>>,
}

impl Weights {
    /// Those of [`lstm`].
    ///
    /// # Panics
    /// Where lengths differ from the sizes.
    pub fn of_lstm(sequence: &Sequence, gates: &[Gate<'_>; 4]) -> Self {
        let &Sequence { inputs, hidden: size, .. } = sequence;
        sequence.check_gates(gates);
        Self {
            input: pack(&side_by_side(gates.map(|gate| gate.input), size), inputs, 4 * size),
            hidden: pack(&side_by_side(gates.map(|gate| gate.hidden), size), size, 4 * size),
            bias: gates.map(|gate| bias_sum([gate.input_bias, gate.hidden_bias], size)).concat(),
            hidden_bias: None,
        }
    }

    /// Those of [`gru`].
    ///
    /// # Panics
    /// Where lengths differ from the sizes.
    pub fn of_gru(sequence: &Sequence, gates: &[Gate<'_>; 3]) -> Self {
        let &Sequence { inputs, hidden: size, .. } = sequence;
        sequence.check_gates(gates);
        let &[update, reset, candidate] = gates;
        let for_input = [candidate, update, reset];
        let bias = |bias: Option<&[f32]>| bias_sum([bias, None], size);
        Self {
            input: pack(&side_by_side(for_input.map(|gate| gate.input), size), inputs, 3 * size),
            hidden: pack(&side_by_side(gates.map(|gate| gate.hidden), size), size, 3 * size),
            bias: for_input.map(|gate| bias(gate.input_bias)).concat(),
            hidden_bias: Some(gates.map(|gate| bias(gate.hidden_bias)).concat()),
        }
    }

    fn check(&self, sequence: &Sequence, width: usize) {
        let sizes = [&self.input, &self.hidden].map(|packed| [packed.terms(), packed.columns()]);
        let &Sequence { inputs, hidden, .. } = sequence;
        assert_eq!(sizes, [[inputs, width], [hidden, width]], "packed weights");
    }
}

/// Offsets of rows that lie `stride` floats apart.
fn offsets(rows: usize, stride: usize) -> Vec<u32> {
    let offset = |row| u32::try_from(row * stride).expect("fewer than 2^32 floats");
    (0..rows).map(offset).collect()
}

/// A matrix within floats: its rows lie `stride` apart.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> Matrix<'a> {
    fn new(data: &'a [f32], columns: usize) -> Self {
        Self { data, rows: data.len() / columns, columns, stride: columns }
    }

    /// The columns `from..from + columns` of rows of `stride` floats.
    fn columns(data: &'a [f32], from: usize, columns: usize, stride: usize) -> Self {
        Self { data: &data[from.min(data.len())..], rows: data.len() / stride, columns, stride }
    }
}

/// Writes `left * right + bias` in rows `out_stride` apart.
///
/// # Safety
/// `out` has room for that, which nothing else touches meanwhile.
unsafe fn product(
    left: Matrix<'_>,
    right: &Packed,
    bias: Option<&[f32]>,
    out: Out,
    out_stride: usize,
) {
    let blocks = left.rows.div_ceil(BLOCK);
    let parts = if blocks < threads() { threads().min(right.panels()) } else { 1 };
    let (rows, out_rows) = (offsets(BLOCK, left.stride), offsets(BLOCK, out_stride));
    let work = left.rows * left.columns * right.columns() / WORK;
    share(blocks * parts, work, |task| {
        let (first, part) = (task / parts * BLOCK, task % parts);
        let count = BLOCK.min(left.rows - first);
        let panels = right.panels() * part / parts..right.panels() * (part + 1) / parts;
        assert!(left.data.len() >= (first + count - 1) * left.stride + left.columns, "left matrix");
        // SAFETY: the rows of the left matrix lie in its floats, as just seen; tasks differ in
        // their rows of the result or in their panels.
        unsafe {
            let rows = Rows {
                left: left.data[first * left.stride..].as_ptr(),
                rows: &rows[..count],
                taps: &[0],
                depth: left.columns,
                out: out.at(first * out_stride),
                out_rows: &out_rows[..count],
            };
            multiply(&rows, right, panels, bias, Finish::Write);
        }
    });
}

/// A small matrix that stays in the cache from step to step. Its rows lie apart by a few floats
/// more than they have: rows a power of two apart would push each other out.
struct Dense {
    data: Vec<f32>,
    columns: usize,
    rows: usize,
}

impl Dense {
    const GAP: usize = 16;

    fn new(rows: usize, columns: usize) -> Self {
        Self { data: vec![0.0; rows * (columns + Self::GAP)], columns, rows }
    }

    fn stride(&self) -> usize {
        self.columns + Self::GAP
    }

    fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (columns, stride) = (self.columns, self.stride());
        self.data.chunks_exact_mut(stride).map(move |row| &mut row[..columns])
    }

    /// `self * right + bias`, written or added to `out`.
    fn product(&self, right: &Packed, bias: Option<&[f32]>, finish: Finish, out: &mut Self) {
        assert_eq!(
            [self.columns, right.columns(), self.rows],
            [right.terms(), out.columns, out.rows],
            "sizes"
        );
        let rows = Rows {
            left: self.data.as_ptr(),
            rows: &offsets(self.rows, self.stride()),
            taps: &[0],
            depth: self.columns,
            out: out.data.as_mut_ptr(),
            out_rows: &offsets(out.rows, out.stride()),
        };
        // SAFETY: both have these rows of these lengths, as just seen.
        unsafe { multiply(&rows, right, 0..right.panels(), bias, finish) };
    }
}

/// `left * right`, in order.
fn product_of(left: Matrix<'_>, right: &Packed) -> Vec<f32> {
    let columns = right.columns();
    // SAFETY: every row and column is written.
    unsafe { filled(left.rows * columns, |out| product(left, right, None, out, columns)) }
}

/// `left^T * right`, where both have as many rows: how weights get their gradients. The left
/// matrix may be several side by side.
fn transposed_product<const N: usize>(left: [Matrix<'_>; N], right: Matrix<'_>) -> [Vec<f32>; N] {
    let packed = Packed::new(right.rows, right.columns, right.data, |term| term * right.stride, 1);
    let columns = right.columns;
    left.map(|left| {
        assert_eq!(left.rows, right.rows, "rows");
        // A few floats more, lest rows lie a power of two apart, where they would push each
        // other out of the cache.
        let stride = left.rows + 16;
        let turned = transposed(left, stride);
        let turned = Matrix { data: &turned, rows: left.columns, columns: left.rows, stride };
        let (rows, out_rows) = (offsets(turned.rows, stride), offsets(turned.rows, columns));
        let work = left.rows * left.columns * columns / WORK;
        let write = |out: Out| {
            share(packed.panels(), work, |panel| {
                // SAFETY: the rows lie in the transposed matrix; each task has its own panel.
                unsafe {
                    let rows = Rows {
                        left: turned.data.as_ptr(),
                        rows: &rows,
                        taps: &[0],
                        depth: turned.columns,
                        out: out.at(0),
                        out_rows: &out_rows,
                    };
                    multiply(&rows, &packed, panel..panel + 1, None, Finish::Write);
                }
            });
        };
        // SAFETY: every row and column is written.
        unsafe { filled(turned.rows * columns, write) }
    })
}

/// The transposed matrix, in rows `stride` floats apart, which begin with its own floats.
fn transposed(matrix: Matrix<'_>, stride: usize) -> Vec<f32> {
    let mut out = vec![0.0; matrix.columns * stride];
    let place = Out(out.as_mut_ptr());
    let bands = matrix.columns.div_ceil(16);
    share(bands, matrix.rows * matrix.columns, |band| {
        let first = band * 16;
        let count = 16.min(matrix.columns - first);
        // SAFETY: each task has its own columns of the matrix, which are rows of the result.
        let out =
            unsafe { std::slice::from_raw_parts_mut(place.at(first * stride), count * stride) };
        for row in (0..matrix.rows).step_by(16) {
            let rows = 16.min(matrix.rows - row);
            let mut tile = [[0.0f32; 16]; 16];
            for (i, tile) in tile.iter_mut().enumerate().take(rows) {
                let from = &matrix.data[(row + i) * matrix.stride + first..][..count];
                tile[..count].copy_from_slice(from);
            }
            for j in 0..count {
                let to = &mut out[j * stride + row..][..rows];
                for (to, tile) in to.iter_mut().zip(&tile) {
                    *to = tile[j];
                }
            }
        }
    });
    out
}

/// The state before each step, `[B, T, H]`.
fn earlier(sequence: &Sequence, states: &[f32], first: &[f32]) -> Vec<f32> {
    let (steps, hidden) = (sequence.steps, sequence.hidden);
    let mut out = Vec::with_capacity(sequence.states());
    let rows = states.chunks_exact(steps * hidden);
    for (states, first) in rows.zip(first.chunks_exact(hidden)) {
        out.extend_from_slice(first);
        out.extend_from_slice(&states[..(steps - 1) * hidden]);
    }
    out
}

/// What [`lstm_backward`] needs of [`lstm`].
#[derive(Clone, Debug)]
pub struct LstmKept {
    /// The gates after their functions, `[B, T, 4, H]`.
    gates: Vec<f32>,
    /// The cells after each step, `[B, T, H]`.
    cells: Vec<f32>,
}

vectorised! {
    /// One step of one row: `gates` `[4, H]` are sums over the input before and values after,
    /// `sums` `[4, H]` those over the state.
    fn lstm_cell(gates: &mut [f32], sums: &[f32], earlier: &[f32], cell: &mut [f32], hidden: &mut [f32]) {
        let size = hidden.len();
        let (input, rest) = gates.split_at_mut(size);
        let (forget, rest) = rest.split_at_mut(size);
        let (candidate, output) = rest.split_at_mut(size);
        let (output, earlier, cell) = (&mut output[..size], &earlier[..size], &mut cell[..size]);
        let (input_sum, rest) = sums.split_at(size);
        let (forget_sum, rest) = rest.split_at(size);
        let (candidate_sum, output_sum) = rest.split_at(size);
        let output_sum = &output_sum[..size];
        for j in 0..size {
            let i = sigmoid(input[j] + input_sum[j]);
            let f = sigmoid(forget[j] + forget_sum[j]);
            let g = tanh(candidate[j] + candidate_sum[j]);
            let o = sigmoid(output[j] + output_sum[j]);
            let c = f * earlier[j] + i * g;
            (input[j], forget[j], candidate[j], output[j]) = (i, f, g, o);
            cell[j] = c;
            hidden[j] = o * tanh(c);
        }
    }
}

vectorised! {
    /// The gradient of [`lstm_cell`]: `gates` are values before and gradients of the sums after,
    /// `from_cell` is that for the cell before and that for the earlier cell after; `from_hidden`
    /// is that for the hidden state, of which `from_output` is another part.
    fn lstm_cell_backward(
        gates: &mut [f32],
        earlier: &[f32],
        cell: &[f32],
        from_output: &[f32],
        from_hidden: &[f32],
        from_cell: &mut [f32],
        bias: &mut [f32],
    ) {
        let size = cell.len();
        let (input, rest) = gates.split_at_mut(size);
        let (forget, rest) = rest.split_at_mut(size);
        let (candidate, output) = rest.split_at_mut(size);
        let (output, earlier) = (&mut output[..size], &earlier[..size]);
        let (from_output, from_hidden) = (&from_output[..size], &from_hidden[..size]);
        let from_cell = &mut from_cell[..size];
        for j in 0..size {
            let (i, f, g, o) = (input[j], forget[j], candidate[j], output[j]);
            let squashed = tanh(cell[j]);
            let dh = from_output[j] + from_hidden[j];
            let dc = from_cell[j] + dh * o * (1.0 - squashed * squashed);
            from_cell[j] = dc * f;
            input[j] = dc * g * i * (1.0 - i);
            forget[j] = dc * earlier[j] * f * (1.0 - f);
            candidate[j] = dc * i * (1.0 - g * g);
            output[j] = dh * squashed * o * (1.0 - o);
        }
        for (bias, gate) in bias.iter_mut().zip(gates) {
            *bias += *gate;
        }
    }
}

/// A long short-term memory with the gates input, forget, candidate, output: the hidden states
/// of all steps, `[B, T, H]`, followed by the last cells, `[B, H]`.
///
/// ```text
/// i, f, o = sigmoid(x * Wx + h * Wh + b), g = tanh(x * Wx + h * Wh + b)
/// c' = f c + i g,  h' = o tanh(c')
/// ```
///
/// # Panics
/// Where lengths differ from the sizes, or there is no step.
pub fn lstm(
    sequence: &Sequence,
    x: &[f32],
    gates: &[Gate<'_>; 4],
    hidden: &[f32],
    cell: &[f32],
) -> (Vec<f32>, LstmKept) {
    lstm_with(sequence, x, &Weights::of_lstm(sequence, gates), hidden, cell)
}

/// The same with weights that are packed already.
///
/// # Panics
/// Where lengths differ from the sizes, or there is no step.
pub fn lstm_with(
    sequence: &Sequence,
    x: &[f32],
    weights: &Weights,
    hidden: &[f32],
    cell: &[f32],
) -> (Vec<f32>, LstmKept) {
    let &Sequence { batch, steps, inputs, hidden: size } = sequence;
    let width = 4 * size;
    sequence.check_input(x);
    weights.check(sequence, width);
    assert_eq!([hidden.len(), cell.len()], [sequence.state(); 2], "states");

    let rows = Matrix::new(x, inputs);
    let write = |out| {
        // SAFETY: there is room for all rows and columns.
        unsafe { product(rows, &weights.input, Some(&weights.bias), out, width) };
    };
    // SAFETY: every row and column is written.
    let mut sums = unsafe { filled(rows.rows * width, write) };
    let sums_out = Out(sums.as_mut_ptr());
    let mut cells = vec![0.0; sequence.states()];
    let cells_out = Out(cells.as_mut_ptr());
    let mut states = vec![0.0; sequence.states() + sequence.state()];
    let states_out = Out(states.as_mut_ptr());

    let run = |part: usize| {
        let part = sequence.part(part);
        let mut state = Dense::new(part.len(), size);
        for (row, state) in part.clone().zip(state.rows_mut()) {
            state.copy_from_slice(&hidden[row * size..][..size]);
        }
        let mut products = Dense::new(part.len(), width);
        for step in 0..steps {
            state.product(&weights.hidden, None, Finish::Write, &mut products);
            let rows = products.rows_mut().zip(state.rows_mut());
            for (row, (products, state)) in part.clone().zip(rows) {
                let at = (row * steps + step) * size;
                // SAFETY: the rows are those of this part, which no other task touches; the
                // cells that are read were written by the step before.
                unsafe {
                    let earlier = match step {
                        0 => &cell[row * size..][..size],
                        _ => std::slice::from_raw_parts(cells_out.at(at - size), size),
                    };
                    let cell = std::slice::from_raw_parts_mut(cells_out.at(at), size);
                    let sums = std::slice::from_raw_parts_mut(sums_out.at(at * 4), width);
                    lstm_cell(sums, products, earlier, cell, state);
                    std::slice::from_raw_parts_mut(states_out.at(at), size).copy_from_slice(state);
                }
            }
        }
    };
    let mut products = vec![0.0; batch * width];
    let products_out = Out(products.as_mut_ptr());
    let panels = size / panel_width();
    let some_units = |parts: usize, step: usize, part: usize| {
        let panels_here = panels * part / parts..panels * (part + 1) / parts;
        let first = panels_here.start * panel_width();
        let count = panels_here.len() * panel_width();
        // SAFETY: the rows are all those of the state before, which is whole when a step begins;
        // what is written are these units of this step, which no other task touches.
        unsafe {
            let (left, stride) = match step {
                0 => (hidden.as_ptr(), size),
                _ => (states_out.at((step - 1) * size).cast_const(), steps * size),
            };
            let rows = Rows {
                left,
                rows: &offsets(batch, stride),
                taps: &[0],
                depth: size,
                out: products_out.at(0),
                out_rows: &offsets(batch, width),
            };
            for gate in 0..4 {
                let panels = gate * panels + panels_here.start..gate * panels + panels_here.end;
                multiply(&rows, &weights.hidden, panels, None, Finish::Write);
            }
            for row in 0..batch {
                let at = (row * steps + step) * size + first;
                let here = |out: Out, at: usize| std::slice::from_raw_parts_mut(out.at(at), count);
                let of_gates = |out: Out, at: usize| -> [_; 4] {
                    std::array::from_fn(|gate| here(out, at + first + gate * size))
                };
                let parts = of_gates(sums_out, (row * steps + step) * width);
                let mut gates = parts.concat();
                let sums = of_gates(products_out, row * width).concat();
                let earlier = match step {
                    0 => &cell[row * size + first..][..count],
                    _ => here(cells_out, at - size),
                };
                lstm_cell(&mut gates, &sums, earlier, here(cells_out, at), here(states_out, at));
                for (part, gates) in parts.into_iter().zip(gates.chunks_exact(count)) {
                    part.copy_from_slice(gates);
                }
            }
        }
    };
    match sequence.unit_parts(width) {
        Some(parts) => in_steps(steps, parts, |step, part| some_units(parts, step, part)),
        None => share(sequence.parts(), batch * steps * size * width / WORK, run),
    }
    let (_, last) = states.split_at_mut(sequence.states());
    for (last, cells) in last.chunks_exact_mut(size).zip(cells.chunks_exact(steps * size)) {
        last.copy_from_slice(&cells[(steps - 1) * size..]);
    }
    (states, LstmKept { gates: sums, cells })
}

/// The gradients of [`lstm`], from `states`, its result, and `gradient`, that for its result.
///
/// # Panics
/// Where lengths differ from the sizes.
pub fn lstm_backward(
    sequence: &Sequence,
    x: &[f32],
    gates: &[Gate<'_>; 4],
    [hidden, cell]: [&[f32]; 2],
    states: &[f32],
    LstmKept { gates: mut sums, cells }: LstmKept,
    gradient: &[f32],
) -> Gradients<4> {
    let &Sequence { batch, steps, inputs, hidden: size } = sequence;
    sequence.check(x, gates);
    let width = 4 * size;
    assert_eq!([hidden.len(), cell.len()], [sequence.state(); 2], "states");
    assert_eq!([sums.len(), cells.len()], [sequence.states() * 4, sequence.states()], "kept");
    let all = sequence.states() + sequence.state();
    assert_eq!([states.len(), gradient.len()], [all; 2], "result and gradient");
    let joined = side_by_side(gates.map(|gate| gate.hidden), size);
    let weights = pack_transposed(&joined, size, width);

    let (outputs, last_cells) = gradient.split_at(sequence.states());
    let mut from_hidden = vec![0.0; sequence.state()];
    let mut from_cell = last_cells.to_vec();
    let mut biases = vec![0.0; sequence.parts() * width];
    let [sums_out, hidden_out, cell_out, bias_out] =
        [&mut sums, &mut from_hidden, &mut from_cell, &mut biases]
            .map(|place| Out(place.as_mut_ptr()));
    let run = |index: usize| {
        let part = sequence.part(index);
        let mut state = Dense::new(part.len(), size);
        let mut products = Dense::new(part.len(), width);
        // SAFETY: each task has its own part of the biases.
        let bias = unsafe { std::slice::from_raw_parts_mut(bias_out.at(index * width), width) };
        for step in (0..steps).rev() {
            let rows = products.rows_mut().zip(state.rows_mut());
            for (row, (products, dh)) in part.clone().zip(rows) {
                let at = (row * steps + step) * size;
                let earlier = match step {
                    0 => &cell[row * size..][..size],
                    _ => &cells[at - size..][..size],
                };
                // SAFETY: the rows are those of this part, which no other task touches.
                let (dc, sums) = unsafe {
                    let dc = std::slice::from_raw_parts_mut(cell_out.at(row * size), size);
                    (dc, std::slice::from_raw_parts_mut(sums_out.at(at * 4), width))
                };
                lstm_cell_backward(
                    sums,
                    earlier,
                    &cells[at..][..size],
                    &outputs[at..][..size],
                    dh,
                    dc,
                    bias,
                );
                products.copy_from_slice(sums);
            }
            products.product(&weights, None, Finish::Write, &mut state);
        }
        for (row, state) in part.zip(state.rows_mut()) {
            // SAFETY: as above.
            let out = unsafe { std::slice::from_raw_parts_mut(hidden_out.at(row * size), size) };
            out.copy_from_slice(state);
        }
    };
    share(sequence.parts(), batch * steps * size * width / WORK, run);

    let sums_matrix = Matrix::new(&sums, width);
    let before = earlier(sequence, &states[..sequence.states()], hidden);
    let [input, hidden] =
        transposed_product([Matrix::new(x, inputs), Matrix::new(&before, size)], sums_matrix);
    let joined = side_by_side(gates.map(|gate| gate.input), size);
    let weights = pack_transposed(&joined, inputs, width);
    let bias: Vec<f32> =
        (0..width).map(|j| biases.chunks_exact(width).map(|part| part[j]).sum()).collect();
    let input: [_; 4] = apart(&input, size);
    let hidden: [_; 4] = apart(&hidden, size);
    let bias: [Vec<f32>; 4] = apart(&bias, size);
    let mut parts = input.into_iter().zip(hidden).zip(bias);
    Gradients {
        input: product_of(sums_matrix, &weights),
        hidden: from_hidden,
        cell: from_cell,
        gates: std::array::from_fn(|_| {
            let ((input, hidden), bias) = parts.next().expect("a part for each gate");
            GateGradient { input, hidden, input_bias: bias.clone(), hidden_bias: bias }
        }),
    }
}

/// What [`gru_backward`] needs of [`gru`]: candidate, update gate, reset gate, and the product
/// of the state that the reset gate acts on, `[B, T, 4, H]`.
#[derive(Clone, Debug)]
pub struct GruKept(Vec<f32>);

vectorised! {
    /// One step of one row. `gates` `[4, H]`: the sums over the input of candidate, update and
    /// reset before, as [`GruKept`] after; `sums` `[3, H]`: those over the state of update,
    /// reset and candidate; `hidden` is the state.
    fn gru_cell(gates: &mut [f32], sums: &[f32], hidden: &mut [f32]) {
        let size = hidden.len();
        let (candidate, rest) = gates.split_at_mut(size);
        let (update, rest) = rest.split_at_mut(size);
        let (reset, product) = rest.split_at_mut(size);
        let product = &mut product[..size];
        let (update_sum, rest) = sums.split_at(size);
        let (reset_sum, candidate_sum) = rest.split_at(size);
        let candidate_sum = &candidate_sum[..size];
        for j in 0..size {
            let z = sigmoid(update[j] + update_sum[j]);
            let r = sigmoid(reset[j] + reset_sum[j]);
            let n = tanh(candidate[j] + r * candidate_sum[j]);
            (candidate[j], update[j], reset[j], product[j]) = (n, z, r, candidate_sum[j]);
            hidden[j] = n * (1.0 - z) + z * hidden[j];
        }
    }
}

vectorised! {
    /// The gradient of [`gru_cell`]: `gates` are as [`GruKept`] before, and after the gradients of
    /// the sums: candidate over the input, update, reset, candidate over the state. `from_hidden`
    /// is the gradient for the hidden state, of which `from_output` is another part, before, and
    /// what goes to the earlier one without a product after.
    fn gru_cell_backward(
        gates: &mut [f32],
        earlier: &[f32],
        from_output: &[f32],
        from_hidden: &mut [f32],
        bias: &mut [f32],
    ) {
        let size = earlier.len();
        let (candidate, rest) = gates.split_at_mut(size);
        let (update, rest) = rest.split_at_mut(size);
        let (reset, product) = rest.split_at_mut(size);
        let (product, from_output) = (&mut product[..size], &from_output[..size]);
        let from_hidden = &mut from_hidden[..size];
        for j in 0..size {
            let (n, z, r, sum) = (candidate[j], update[j], reset[j], product[j]);
            let dh = from_output[j] + from_hidden[j];
            let dn = dh * (1.0 - z) * (1.0 - n * n);
            candidate[j] = dn;
            update[j] = dh * (earlier[j] - n) * z * (1.0 - z);
            reset[j] = dn * sum * r * (1.0 - r);
            product[j] = dn * r;
            from_hidden[j] = dh * z;
        }
        for (bias, gate) in bias.iter_mut().zip(gates) {
            *bias += *gate;
        }
    }
}

/// A gated recurrent unit with the gates update, reset, candidate: the hidden states of all
/// steps, `[B, T, H]`.
///
/// ```text
/// z, r = sigmoid(x * Wx + h * Wh + b), n = tanh(x * Wx + b + r (h * Wh + b'))
/// h' = (1 - z) n + z h
/// ```
///
/// # Panics
/// Where lengths differ from the sizes, or there is no step.
pub fn gru(
    sequence: &Sequence,
    x: &[f32],
    gates: &[Gate<'_>; 3],
    hidden: &[f32],
) -> (Vec<f32>, GruKept) {
    gru_with(sequence, x, &Weights::of_gru(sequence, gates), hidden)
}

/// The same with weights that are packed already.
///
/// # Panics
/// Where lengths differ from the sizes, or there is no step.
pub fn gru_with(
    sequence: &Sequence,
    x: &[f32],
    weights: &Weights,
    hidden: &[f32],
) -> (Vec<f32>, GruKept) {
    let &Sequence { batch, steps, inputs, hidden: size } = sequence;
    let (width, kept) = (3 * size, 4 * size);
    sequence.check_input(x);
    weights.check(sequence, width);
    assert_eq!(hidden.len(), sequence.state(), "state");
    let hidden_bias = weights.hidden_bias.as_deref();

    let rows = Matrix::new(x, inputs);
    let mut sums = vec![0.0; rows.rows * kept];
    let sums_out = Out(sums.as_mut_ptr());
    // SAFETY: rows of the result are four states wide, of which three are written.
    unsafe { product(rows, &weights.input, Some(&weights.bias), sums_out, kept) };
    let mut states = vec![0.0; sequence.states()];
    let states_out = Out(states.as_mut_ptr());

    let run = |part: usize| {
        let part = sequence.part(part);
        let mut state = Dense::new(part.len(), size);
        for (row, state) in part.clone().zip(state.rows_mut()) {
            state.copy_from_slice(&hidden[row * size..][..size]);
        }
        let mut products = Dense::new(part.len(), width);
        for step in 0..steps {
            state.product(&weights.hidden, hidden_bias, Finish::Write, &mut products);
            let rows = products.rows_mut().zip(state.rows_mut());
            for (row, (products, state)) in part.clone().zip(rows) {
                let at = (row * steps + step) * size;
                // SAFETY: the rows are those of this part, which no other task touches.
                unsafe {
                    let sums = std::slice::from_raw_parts_mut(sums_out.at(at * 4), kept);
                    gru_cell(sums, products, state);
                    std::slice::from_raw_parts_mut(states_out.at(at), size).copy_from_slice(state);
                }
            }
        }
    };
    share(sequence.parts(), batch * steps * size * width / WORK, run);
    (states, GruKept(sums))
}

/// The gradients of [`gru`], from `states`, its result, and `gradient`, that for its result.
///
/// # Panics
/// Where lengths differ from the sizes.
pub fn gru_backward(
    sequence: &Sequence,
    x: &[f32],
    gates: &[Gate<'_>; 3],
    hidden: &[f32],
    states: &[f32],
    GruKept(mut sums): GruKept,
    gradient: &[f32],
) -> Gradients<3> {
    let &Sequence { batch, steps, inputs, hidden: size } = sequence;
    sequence.check(x, gates);
    let (width, kept) = (3 * size, 4 * size);
    assert_eq!(hidden.len(), sequence.state(), "state");
    assert_eq!(
        [states.len(), gradient.len(), sums.len() / 4],
        [sequence.states(); 3],
        "result and gradient"
    );
    let joined = side_by_side(gates.map(|gate| gate.hidden), size);
    let weights = pack_transposed(&joined, size, width);

    let mut from_hidden = vec![0.0; sequence.state()];
    let mut biases = vec![0.0; sequence.parts() * kept];
    let [sums_out, hidden_out, bias_out] =
        [&mut sums, &mut from_hidden, &mut biases].map(|place| Out(place.as_mut_ptr()));
    let run = |index: usize| {
        let part = sequence.part(index);
        let mut state = Dense::new(part.len(), size);
        let mut products = Dense::new(part.len(), width);
        // SAFETY: each task has its own part of the biases.
        let bias = unsafe { std::slice::from_raw_parts_mut(bias_out.at(index * kept), kept) };
        for step in (0..steps).rev() {
            let rows = products.rows_mut().zip(state.rows_mut());
            for (row, (products, dh)) in part.clone().zip(rows) {
                let at = (row * steps + step) * size;
                let earlier = match step {
                    0 => &hidden[row * size..][..size],
                    _ => &states[at - size..][..size],
                };
                // SAFETY: the rows are those of this part, which no other task touches.
                let sums = unsafe { std::slice::from_raw_parts_mut(sums_out.at(at * 4), kept) };
                gru_cell_backward(sums, earlier, &gradient[at..][..size], dh, bias);
                products.copy_from_slice(&sums[size..]);
            }
            products.product(&weights, None, Finish::Add, &mut state);
        }
        for (row, state) in part.zip(state.rows_mut()) {
            // SAFETY: as above.
            let out = unsafe { std::slice::from_raw_parts_mut(hidden_out.at(row * size), size) };
            out.copy_from_slice(state);
        }
    };
    share(sequence.parts(), batch * steps * size * width / WORK, run);

    let of_input = Matrix::columns(&sums, 0, width, kept);
    let of_state = Matrix::columns(&sums, size, width, kept);
    let before = earlier(sequence, states, hidden);
    let [input_weight] = transposed_product([Matrix::new(x, inputs)], of_input);
    let [hidden_weight] = transposed_product([Matrix::new(&before, size)], of_state);
    let &[update, reset, candidate] = gates;
    let joined = side_by_side([candidate, update, reset].map(|gate| gate.input), size);
    let input = product_of(of_input, &pack_transposed(&joined, inputs, width));
    let bias: Vec<f32> =
        (0..kept).map(|j| biases.chunks_exact(kept).map(|part| part[j]).sum()).collect();
    let [dn, dz, dr, dn_state]: [Vec<f32>; 4] = apart(&bias, size);
    let [input_n, input_z, input_r]: [_; 3] = apart(&input_weight, size);
    let [hidden_z, hidden_r, hidden_n]: [_; 3] = apart(&hidden_weight, size);
    let gate = |input, hidden, input_bias, hidden_bias| GateGradient {
        input,
        hidden,
        input_bias,
        hidden_bias,
    };
    Gradients {
        input,
        hidden: from_hidden,
        cell: Vec::new(),
        gates: [
            gate(input_z, hidden_z, dz.clone(), dz),
            gate(input_r, hidden_r, dr.clone(), dr),
            gate(input_n, hidden_n, dn, dn_state),
        ],
    }
}
