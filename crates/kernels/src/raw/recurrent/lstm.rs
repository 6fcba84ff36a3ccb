//! The long short-term memory.

use super::gates::{Gate, GateGradient, Gradients, apart, side_by_side};
use super::matrix::{
    Dense, Matrix, WORK, offsets, pack_transposed, product, product_of, transposed_product,
};
use super::sequence::{Sequence, Sizes, earlier};
use super::weights::Weights;
use crate::raw::gemm::{Epilogue, Rows, multiply, panel_width};
use crate::raw::math::{sigmoid, tanh};
use crate::raw::simd::vectorised;
use crate::raw::steps::in_steps;
use crate::raw::{Out, filled, share};

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
    let Sizes { batch, steps, inputs, hidden: size } = **sequence;
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
            state.product(&weights.hidden, None, Epilogue::Store, &mut products);
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
                multiply(&rows, &weights.hidden, panels, None, Epilogue::Store);
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
    let Sizes { batch, steps, inputs, hidden: size } = **sequence;
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
            products.product(&weights, None, Epilogue::Store, &mut state);
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
