//! Each operator with one of its sizes replaced by another one, huge ones among them: nearly all
//! such calls are to be refused, and a sanitizer sees what is read or written before.

use crate::Random;
use crate::raw::conv::{self, Conv, Prepared};
use crate::raw::gemm::{Epilogue, Packed};
use crate::raw::pool::{self, Pool};
use crate::raw::recurrent::{self as rec, Gate, Sequence};
use crate::raw::roi::{self, Align, Maps, Roi};
use crate::raw::{View, cat, linear, loss, norm};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What replaces a size: some give a product that overflows to a small one.
const SIZES: [usize; 14] = [
    0,
    1,
    2,
    5,
    17,
    1 << 10,
    1 << 31,
    1 << 32,
    (1 << 32) + 1,
    1 << 61,
    1 << 62,
    1 << 63,
    usize::MAX - 1,
    usize::MAX,
];

/// Makes `count` such calls; returns how many were refused.
pub fn all(random: &mut Random, count: u64) -> usize {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let refused = (0..count).map(|_| usize::from(one(random))).sum();
    std::panic::set_hook(hook);
    refused
}

/// Replaces one of the sizes by another.
fn changed<const N: usize>(random: &mut Random, mut sizes: [usize; N]) -> [usize; N] {
    let at = random.of(0, N - 1);
    let other: Vec<usize> = SIZES.into_iter().filter(|&size| size != sizes[at]).collect();
    sizes[at] = other[random.of(0, other.len() - 1)];
    sizes
}

/// Numbers that a call may make: what makes more is not tried, since memory might hold it.
const MOST: usize = 1 << 24;

/// One call; whether it was refused.
fn one(random: &mut Random) -> bool {
    let kind = random.of(0, 8);
    let call = || match kind {
        0 => convolution(random),
        1 => columns(random),
        2 => pooling(random),
        3 => regions(random),
        4 => views(random),
        5 => normalisation(random),
        6 => layers(random),
        7 => sequences(random),
        _ => losses(random),
    };
    // The refusal of a constructor is `None`, that of an operator a panic; some calls are right
    // with the other size too.
    let accepted = catch_unwind(AssertUnwindSafe(call)).ok().flatten();
    if accepted == Some(false) {
        let _ = std::panic::take_hook();
        panic!("a call of kind {kind} was not refused");
    }
    accepted.is_none()
}

/// With data of the sizes before one was changed.
fn convolution(random: &mut Random) -> Option<bool> {
    let (kernel, stride) = (random.of(1, 3), random.of(1, 3));
    let before = [2, 3, 5, 6, 7, kernel, 3, stride, 2, 1, 0, 1, 2];
    let shape = |[b, i, o, h, w, k, l, s, t, p, q, d, e]: [usize; 13]| {
        let side = |input: usize, padding: usize, kernel: usize, dilation: usize, stride: usize| {
            (input + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
        };
        let output = [side(6, 1, kernel, 1, stride), side(7, 0, 3, 2, 2)];
        let (input, kernel, stride) = ([h, w], [k, l], [s, t]);
        let (batch, inputs, outputs, padding, dilation) = (b, i, o, [p, q], [d, e]);
        conv::Sizes { batch, inputs, outputs, input, kernel, stride, padding, dilation, output }
    };
    let right = Conv::new(shape(before)).expect("a convolution");
    let mut sizes = shape(changed(random, before));
    if random.of(0, 5) == 0 {
        sizes.output = changed(random, sizes.output);
    }
    let conv = Conv::new(sizes)?;
    let side = |i: usize| {
        let reach = conv.dilation[i] * conv.kernel[i] + conv.stride[i] * conv.output[i];
        conv.input[i] + conv.padding[i] + reach
    };
    if side(0).saturating_mul(side(1)) > MOST {
        return Some(true);
    }
    let [h, w] = right.output;
    let x = random.numbers(2 * 3 * 6 * 7);
    let weight = random.numbers(5 * 3 * kernel * 3);
    let gradient = random.numbers(2 * 5 * h * w);
    let view = View::channels_last(&x, [2, 3, 6, 7]);
    let dy = View::channels_last(&gradient, [2, 5, h, w]);
    let [prepared, turned] = [&conv, &right].map(|by| {
        catch_unwind(AssertUnwindSafe(|| (by.prepare(&weight), by.prepare_transposed(&weight))))
            .map(|both| (Some(both.0), Some(both.1)))
            .unwrap_or_default()
    });
    for (forward, backward) in [prepared, turned] {
        let (forward, backward) = (forward?, backward?);
        conv::convolve(&conv, &view, &forward, None, Epilogue::Store);
        conv::transposed(&conv, &dy, &backward, None, Epilogue::Store);
    }
    conv::weight_gradient(&conv, &view, &dy);
    Some(true)
}

/// Packed columns unlike the convolution's outputs.
fn columns(random: &mut Random) -> Option<bool> {
    let sizes = conv::Sizes {
        batch: 2,
        inputs: 3,
        outputs: 20,
        input: [4, 4],
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        output: [4, 4],
    };
    let [terms, columns] = changed(random, [3, 20]);
    if (MOST..1 << 50).contains(&terms.saturating_mul(columns)) {
        return Some(true);
    }
    let matrix = random.numbers(1 << 16);
    let packed = Packed::new(terms, columns, &matrix, |term| term * columns, 1);
    let conv = Conv::new(sizes)?;
    let x = random.numbers(2 * 3 * 16);
    let view = View::channels_last(&x, [2, 3, 4, 4]);
    if random.of(0, 1) == 0 {
        conv::forward(&conv, &view, &packed, None, Epilogue::Store);
    } else {
        conv::convolve(&conv, &view, &Prepared::of(packed), None, Epilogue::Store);
    }
    Some(false)
}

fn pooling(random: &mut Random) -> Option<bool> {
    let [b, c, h, w, k, l, s, t, p, q, y, x] =
        changed(random, [2, 3, 6, 6, 3, 2, 2, 2, 1, 0, 3, 3]);
    let (batch, channels, input, kernel) = (b, c, [h, w], [k, l]);
    let (stride, padding, output) = ([s, t], [p, q], [y, x]);
    let pool = Pool::new(pool::Sizes { batch, channels, input, kernel, stride, padding, output })?;
    if input[0].saturating_mul(input[1]) > MOST {
        return Some(true);
    }
    let (x, gradient) = (random.numbers(2 * 3 * 36), random.numbers(2 * 3 * 9));
    match random.of(0, 3) {
        0 => drop(pool::max_forward(&pool, &x)),
        1 => drop(pool::max_backward(&pool, &[7; 54], &gradient)),
        2 => drop(pool::mean_forward(&pool, &x, true)),
        _ => drop(pool::mean_backward(&pool, &gradient, false)),
    }
    Some(true)
}

fn regions(random: &mut Random) -> Option<bool> {
    let sensitive = random.of(0, 1) == 1;
    let before = [2, 8, 5, 5, 2, 2];
    let maps = |[batch, channels, h, w, y, x]: [usize; 6]| {
        Maps::new(roi::Sizes { batch, channels, size: [h, w], output: [y, x], sensitive })
    };
    let (right, maps) = (maps(before)?, maps(changed(random, before))?);
    let image = random.of(0, 2);
    let rois = [Roi { image, corners: [0.0, 1.0, 5.0, 1e30] }; 3];
    let x = random.numbers(2 * 8 * 25);
    let align = Align { scale: 1.0, samples: 2, aligned: false };
    let of = if random.of(0, 1) == 0 { &right } else { &maps };
    let numbers =
        [maps.batch * maps.channels * maps.size[0] * maps.size[1], maps.output[0] * maps.output[1]];
    if numbers[0].max(numbers[1]) > MOST {
        return Some(true);
    }
    let regions = align.regions(&rois, of);
    let gradient = random.numbers(3 * 4 * right.outputs());
    match random.of(0, 3) {
        0 => drop(roi::forward(&maps, &regions, &x)),
        1 => drop(roi::backward(&maps, &regions, &gradient)),
        2 => drop(roi::max_forward(&maps, &rois, 1.0, &x)),
        _ => drop(roi::max_backward(&maps, &[image; 3], &[24; 96], &gradient)),
    }
    Some(true)
}

fn views(random: &mut Random) -> Option<bool> {
    let x = random.numbers(2 * 3 * 4 * 5);
    let [n, c, h, w, a, b, d, e] = changed(random, [2, 3, 4, 5, 60, 20, 5, 1]);
    let view = View::new(&x, [n, c, h, w], [a, b, d, e]);
    if n * c * h * w > MOST {
        return Some(true);
    }
    let last = view.to_channels_last();
    let plain = View::channels_last(&last, [n, c, h, w]);
    cat::some(&plain, 1..3);
    cat::channels([&plain, &view]);
    conv::bias_gradient(&view);
    Some(true)
}

fn normalisation(random: &mut Random) -> Option<bool> {
    let [len, channels] = [random.of(1, 999), random.of(2, 40)];
    let [x, y] = [len, len].map(|len| random.numbers(len));
    let [a, b, c] = [channels; 3].map(|len| random.numbers(len));
    match random.of(0, 2) {
        0 => drop(norm::statistics(&x, channels)),
        1 => drop(norm::forward(&x, &a, &b, &c, &a, Some(&y), true)),
        _ => drop(norm::backward(&x, &a, &b, &c, Some(&y), &x, true)),
    }
    Some(len.is_multiple_of(channels))
}

fn layers(random: &mut Random) -> Option<bool> {
    let (x, weight) = (random.numbers(6 * 4), random.numbers(4 * 9));
    let [inputs, outputs] = changed(random, [4, 9]);
    match random.of(0, 3) {
        0 => drop(linear::forward(&x, inputs, &weight, outputs, None, Epilogue::Store)),
        1 => drop(linear::few_rows(&x, inputs, &weight, outputs, None, Epilogue::Store)),
        2 => drop(linear::input_gradient(&weight, outputs, &weight, inputs)),
        _ => drop(linear::weight_gradient(&x, inputs, &weight, outputs)),
    }
    Some(true)
}

fn sequences(random: &mut Random) -> Option<bool> {
    let sizes = |[batch, steps, inputs, hidden]: [usize; 4]| {
        Sequence::new(rec::Sizes { batch, steps, inputs, hidden })
    };
    let before = [2, 3, 4, 16];
    let (right, sequence) = (sizes(before)?, sizes(changed(random, before))?);
    let (x, state) = (random.numbers(2 * 3 * 4), random.numbers(2 * 16));
    let (input, hidden) = (random.numbers(4 * 16), random.numbers(16 * 16));
    let gate = Gate { input: &input, hidden: &hidden, input_bias: None, hidden_bias: None };
    if random.of(0, 1) == 0 {
        let (states, kept) = rec::lstm(&right, &x, &[gate; 4], &state, &state);
        let gates = [gate; 4];
        rec::lstm_backward(&sequence, &x, &gates, [&state, &state], &states, kept, &states);
    } else {
        let (states, kept) = rec::gru(&right, &x, &[gate; 3], &state);
        rec::gru_backward(&sequence, &x, &[gate; 3], &state, &states, kept, &states);
    }
    Some(false)
}

fn losses(random: &mut Random) -> Option<bool> {
    let logits = random.numbers(6);
    let count = changed(random, [3])[0];
    let targets = loss::Targets { classes: &[0, 1], count, smoothing: 0.1, weights: None };
    match random.of(0, 1) {
        0 => drop(loss::forward(&logits, &targets)),
        _ => drop(loss::backward(&logits, &targets, &[0.0; 2], 1.0)),
    }
    Some(false)
}
