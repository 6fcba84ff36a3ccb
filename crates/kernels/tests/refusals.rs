//! What the raw layer refuses: sizes that overflow, and data of other sizes than it is told.
//! Under a sanitizer, `tests/sanitize` does the same with sizes drawn at random.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tenfold_kernels::raw::conv::{self, Conv, Prepared};
use tenfold_kernels::raw::gemm::{Epilogue, Packed};
use tenfold_kernels::raw::pool::{self, Pool};
use tenfold_kernels::raw::recurrent::{self, Gate, Sequence};
use tenfold_kernels::raw::roi::{self, Align, Maps, Roi};
use tenfold_kernels::raw::{View, cat, linear, loss, norm};

#[track_caller]
fn refused<T>(what: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(what)).is_err(), "not refused");
}

/// 3 x 3 with padding 1 and stride 1, from 4 channels to 8, of two images of 5 x 5.
fn plain() -> conv::Sizes {
    conv::Sizes {
        batch: 2,
        inputs: 4,
        outputs: 8,
        input: [5, 5],
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        output: [5, 5],
    }
}

#[test]
fn convolutions_of_impossible_sizes() {
    assert!(Conv::new(plain()).is_some());
    let huge = 1 << 62;
    let sizes = [
        conv::Sizes { padding: [huge, 0], ..plain() },
        conv::Sizes { dilation: [1 << 63, 1], ..plain() },
        conv::Sizes { dilation: [1, huge], kernel: [3, 4], ..plain() },
        conv::Sizes { stride: [huge, 1], ..plain() },
        conv::Sizes { stride: [0, 1], ..plain() },
        conv::Sizes { kernel: [0, 3], ..plain() },
        conv::Sizes { dilation: [1, 0], ..plain() },
        conv::Sizes { batch: huge, ..plain() },
        conv::Sizes { batch: 0, input: [1 << 32, 1 << 32], ..plain() },
        conv::Sizes { inputs: huge, outputs: 4, ..plain() },
        conv::Sizes { output: [1 << 32, 1 << 32], ..plain() },
    ];
    for sizes in sizes {
        assert_eq!(Conv::new(sizes), None, "{sizes:?}");
    }
    // What is around the images alone would be 2^40 floats.
    let wide = Conv::new(conv::Sizes { padding: [1 << 20, 1 << 20], ..plain() }).unwrap();
    let (x, weight, dy) = ([1.0; 200], [1.0; 288], [1.0; 400]);
    let x = View::channels_last(&x, [2, 4, 5, 5]);
    let dy = View::channels_last(&dy, [2, 8, 5, 5]);
    refused(|| conv::convolve(&wide, &x, &wide.prepare(&weight), None, Epilogue::Store));
    refused(|| conv::input_gradient(&wide, &dy, &weight, None, Epilogue::Store));
    refused(|| conv::weight_gradient(&wide, &x, &dy));
}

#[test]
fn columns_and_views_of_another_convolution() {
    let conv = Conv::new(plain()).unwrap();
    let (x, weight) = ([1.0; 200], [1.0; 288]);
    let view = View::channels_last(&x, [2, 4, 5, 5]);
    assert_eq!(conv::forward(&conv, &view, &conv.pack(&weight), None, Epilogue::Store).len(), 400);
    // The heap was written beyond the result: columns unlike `conv.outputs`.
    for columns in [1, 7, 9, 64, 4096] {
        let other = Packed::new(36, columns, &[1.0; 36 * 4096], |term| term * columns, 1);
        refused(|| conv::forward(&conv, &view, &other, None, Epilogue::Store));
        refused(|| conv::convolve(&conv, &view, &Prepared::of(other), None, Epilogue::Store));
    }
    let dy = View::channels_last(&[1.0; 400], [2, 8, 5, 5]);
    for (inputs, outputs) in [(2, 8), (5, 8), (4, 7), (640, 8)] {
        let other = Conv::new(conv::Sizes { inputs, outputs, ..plain() }).unwrap();
        let prepared = other.prepare_transposed(&vec![1.0; inputs * outputs * 9]);
        refused(|| conv::transposed(&conv, &dy, &prepared, None, Epilogue::Store));
        let prepared = other.prepare(&vec![1.0; inputs * outputs * 9]);
        refused(|| conv::convolve(&conv, &view, &prepared, None, Epilogue::Store));
    }
    // The kernel covers the image once: one product, as of another number of channels.
    let one = conv::Sizes { input: [3, 3], padding: [0, 0], output: [1, 1], ..plain() };
    let prepared = Conv::new(conv::Sizes { inputs: 40, ..one }).unwrap();
    let prepared = prepared.prepare_transposed(&vec![1.0; 40 * 8 * 9]);
    let dy = View::channels_last(&[1.0; 16], [2, 8, 1, 1]);
    let one = Conv::new(one).unwrap();
    refused(|| conv::transposed(&one, &dy, &prepared, None, Epilogue::Store));
    // Phases down and across change places: as many, but others.
    let tall = conv::Sizes { stride: [4, 4], padding: [1, 1], ..plain() };
    let tall = conv::Sizes { input: [2, 8], output: [1, 2], ..tall };
    let wide = conv::Sizes { input: [8, 2], output: [2, 1], ..tall };
    let [tall, wide] = [tall, wide].map(|sizes| Conv::new(sizes).unwrap());
    assert!(!tall.prepare_transposed(&weight).suits(&wide));
    // Winograd's way would add to memory that nothing has written.
    let sizes = conv::Sizes { batch: 8, inputs: 64, outputs: 64, input: [9, 9], ..plain() };
    let winograd = Conv::new(conv::Sizes { output: [9, 9], ..sizes }).unwrap();
    let (x, weight) = (vec![1.0; 8 * 64 * 81], vec![1.0; 64 * 64 * 9]);
    let view = View::channels_last(&x, [8, 64, 9, 9]);
    let prepared = winograd.prepare(&weight);
    refused(|| conv::convolve(&winograd, &view, &prepared, None, Epilogue::Accumulate));
}

#[test]
fn packed_matrices_and_layers_whose_products_overflow() {
    refused(|| Packed::filled(1 << 63, 2, |_, _, _, out| out.fill(1.0)));
    refused(|| Packed::filled(2, usize::MAX - 3, |_, _, _, out| out.fill(1.0)));
    refused(|| linear::pack(1 << 63, &[], 2));
    refused(|| linear::input_gradient(&[], 2, &[], 1 << 63));
    refused(|| linear::few_rows(&[], 1 << 63, &[], 2, None, Epilogue::Store));
    let packed = linear::pack(3, &[1.0; 12], 4);
    refused(|| linear::product(&[1.0; 7], 3, &packed, None, Epilogue::Store));
    refused(|| linear::product(&[1.0; 8], 4, &packed, None, Epilogue::Store));
    refused(|| linear::product(&[1.0; 6], 3, &packed, Some(&[1.0; 3]), Epilogue::Store));
}

#[test]
fn views_beyond_their_data() {
    let data = [1.0; 24];
    assert_eq!(View::new(&data, [1, 2, 3, 4], [24, 12, 4, 1]).to_channels_last().len(), 24);
    refused(|| View::new(&data, [1, 2, 3, 4], [24, 13, 4, 1]));
    refused(|| View::new(&data, [1, 2, 3, 4], [24, 1 << 63, 1 << 63, 1]));
    refused(|| View::new(&data, [3, 2, 3, 4], [1 << 63, 12, 4, 1]));
    // As many floats as there are, once the product has overflowed.
    refused(|| View::channels_last(&[], [1 << 32, 1 << 32, 1, 1]));
    refused(|| View::new(&data, [1 << 32, 1 << 32, 1, 1], [0; 4]).to_channels_last());
    let first = View::channels_last(&data, [2, 3, 2, 2]);
    refused(|| cat::channels([&first, &View::channels_last(&data[..18], [2, 3, 3, 1])]));
    refused(|| cat::some(&first, 2..4));
}

#[test]
fn pixels_that_lack_channels() {
    let (x, three) = ([1.0; 8], [1.0; 3]);
    refused(|| norm::statistics(&x, 3));
    refused(|| norm::statistics(&x, 0));
    refused(|| norm::forward(&x, &three, &three, &three, &three, None, false));
    refused(|| norm::forward(&x, &[], &[], &[], &[], None, false));
    refused(|| norm::backward(&x, &three, &three, &three, None, &x, false));
    refused(|| norm::backward(&x, &three, &three, &three, Some(&x), &x, true));
    refused(|| norm::forward(&x[..6], &three, &three, &three, &three, Some(&x), true));
}

#[test]
fn poolings_of_impossible_sizes() {
    let plain = pool::Sizes {
        batch: 1,
        channels: 2,
        input: [4, 4],
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        output: [2, 2],
    };
    assert!(Pool::new(plain).is_some());
    let huge = 1 << 62;
    let sizes = [
        pool::Sizes { batch: huge, ..plain },
        pool::Sizes { channels: 1 << 63, ..plain },
        pool::Sizes { channels: 1 << 63, input: [2, 1], ..plain },
        pool::Sizes { output: [3, 2], ..plain },
        pool::Sizes { output: [0, 2], ..plain },
        pool::Sizes { output: [huge, huge], stride: [4, 4], ..plain },
        pool::Sizes { padding: [huge, 0], kernel: [1 << 63, 1], ..plain },
        pool::Sizes { padding: [2, 0], ..plain },
        pool::Sizes { stride: [0, 2], ..plain },
        pool::Sizes { kernel: [0, 2], ..plain },
    ];
    for sizes in sizes {
        assert_eq!(Pool::new(sizes), None, "{sizes:?}");
    }
    let pool = Pool::new(plain).unwrap();
    refused(|| pool::max_forward(&pool, &[1.0; 31]));
    refused(|| pool::max_backward(&pool, &[0; 8], &[1.0; 9]));
    refused(|| pool::mean_backward(&pool, &[1.0; 7], true));
}

#[test]
fn regions_of_impossible_maps() {
    let plain =
        roi::Sizes { batch: 1, channels: 4, size: [3, 3], output: [2, 2], sensitive: false };
    for sizes in [
        roi::Sizes { output: [0, 2], ..plain },
        roi::Sizes { output: [1 << 32, 1 << 32], ..plain },
        roi::Sizes { batch: 1 << 62, ..plain },
        roi::Sizes { channels: 6, sensitive: true, ..plain },
    ] {
        assert_eq!(Maps::new(sizes), None, "{sizes:?}");
    }
    let maps = Maps::new(plain).unwrap();
    let rois = [Roi { image: 0, corners: [0.0, 0.0, 3.0, 3.0] }];
    let beyond = [Roi { image: 1, ..rois[0] }];
    let align = Align { scale: 1.0, samples: 2, aligned: false };
    let x = [1.0; 36];
    refused(|| roi::forward(&maps, &align.regions(&beyond, &maps), &x));
    refused(|| roi::max_forward(&maps, &beyond, 1.0, &x));
    refused(|| roi::forward(&maps, &align.regions(&rois, &maps), &x[..35]));
    let other = Maps::new(roi::Sizes { size: [9, 9], ..plain }).unwrap();
    let all = [Roi { image: 0, corners: [6.0, 6.0, 9.0, 9.0] }];
    refused(|| roi::backward(&maps, &align.regions(&all, &other), &[1.0; 16]));
    refused(|| roi::max_backward(&maps, &[0], &[0; 16], &[1.0; 15]));
    // A region whose result is half of what memory holds, many times.
    let large = roi::Sizes { channels: 1, size: [0, 0], output: [1 << 60, 1], ..plain };
    let large = Maps::new(large).unwrap();
    refused(|| roi::max_backward(&large, &[0; 32], &[], &[]));
}

#[test]
fn losses_and_sequences_whose_products_overflow() {
    let targets = loss::Targets { classes: &[0, 1], count: 1 << 63, smoothing: 0.0, weights: None };
    refused(|| loss::forward(&[], &targets));
    refused(|| loss::backward(&[], &targets, &[0.0; 2], 1.0));
    let plain = recurrent::Sizes { batch: 2, steps: 3, inputs: 4, hidden: 5 };
    for sizes in [
        recurrent::Sizes { batch: 1 << 62, ..plain },
        recurrent::Sizes { steps: usize::MAX, ..plain },
        recurrent::Sizes { steps: 0, ..plain },
        recurrent::Sizes { hidden: 0, ..plain },
        recurrent::Sizes { hidden: 1 << 32, ..plain },
        recurrent::Sizes { inputs: 1 << 62, ..plain },
    ] {
        assert_eq!(Sequence::new(sizes), None, "{sizes:?}");
    }
    let sequence = Sequence::new(plain).unwrap();
    let gate = Gate { input: &[1.0; 20], hidden: &[1.0; 25], input_bias: None, hidden_bias: None };
    let other = Gate { hidden: &[1.0; 36], ..gate };
    let (x, state) = ([1.0; 24], [1.0; 10]);
    refused(|| recurrent::lstm(&sequence, &x, &[gate, gate, gate, other], &state, &state));
    refused(|| recurrent::lstm(&sequence, &x[1..], &[gate; 4], &state, &state));
    refused(|| recurrent::gru(&sequence, &x, &[gate; 3], &state[1..]));
    // What was kept of a longer sequence.
    let longer = Sequence::new(recurrent::Sizes { steps: 4, ..plain }).unwrap();
    let (states, kept) = recurrent::gru(&longer, &[1.0; 32], &[gate; 3], &state);
    let backward = || {
        let states = &states[..30];
        recurrent::gru_backward(&sequence, &x, &[gate; 3], &state, states, kept, states)
    };
    refused(backward);
}
