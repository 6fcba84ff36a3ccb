//! Calls every operator of `crates/kernels/src/raw`, forward and backward, on random sizes and on
//! pools of 1, 2 and 3 threads, and compares the sums of their results; then calls them with sizes
//! that overflow and data that do not fit, which must be refused. For sanitizers, which see what
//! the tests on Burn's tensors cannot:
//!
//! ```sh
//! cd tests/sanitize
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
//!     cargo run --release --target x86_64-unknown-linux-gnu -- 15
//! ```
//!
//! `TENFOLD_ISA=avx2` or `portable` chooses narrower instructions. The number is that of rounds.

#[allow(
    dead_code,
    missing_docs,
    unexpected_cfgs,
    unused_imports,
    reason = "the layer as it is, without its crate"
)]
#[path = "../../crates/kernels/src/raw/mod.rs"]
mod raw;
mod refuse;

use raw::conv::{self, Conv};
use raw::gemm::Epilogue;
use raw::pool::{self, Pool};
use raw::recurrent::{self as rec, Gate, Sequence};
use raw::roi::{self, Align, Maps, Roi};
use raw::{View, cat, linear, loss, norm, optim};

/// Marsaglia's xorshift: what is drawn needs no quality here, only a seed.
struct Random(u64);
impl Random {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// A whole number of `a..=b`.
    fn of(&mut self, a: usize, b: usize) -> usize {
        a + (self.bits() % (b - a + 1) as u64) as usize
    }
    /// So many numbers between -1 and 1.
    fn numbers(&mut self, n: usize) -> Box<[f32]> {
        (0..n).map(|_| (self.bits() % 2000) as f32 / 1000.0 - 1.0).collect()
    }
}
/// Every number is looked at.
fn sum(x: &[f32]) -> f64 {
    x.iter()
        .map(|&x| {
            assert!(x.is_finite());
            x as f64
        })
        .sum()
}

/// Every operator once, forward and backward, of sizes drawn at random; sums of what came out.
fn one(random: &mut Random, log: &mut Vec<f64>) {
    // convolution
    let small = random.of(0, 2);
    let (inputs, outputs) = match small {
        0 => (random.of(1, 9), random.of(1, 40)),
        1 => (random.of(16, 70), random.of(16, 70)),
        _ => (64, 96),
    };
    let batch = random.of(0, 6);
    let (kernel, stride, padding, dilation) = if random.of(0, 2) == 0 {
        ([3, 3], [1, 1], [1, 1], [1, 1])
    } else {
        (
            [random.of(1, 5), random.of(1, 5)],
            [random.of(1, 3), random.of(1, 3)],
            [random.of(0, 2), random.of(0, 2)],
            [random.of(1, 2), random.of(1, 2)],
        )
    };
    let span = |i: usize| dilation[i] * (kernel[i] - 1) + 1;
    let input = [span(0) + random.of(0, 12), span(1) + random.of(0, 12)];
    let output = [0, 1].map(|i| (input[i] + 2 * padding[i] - span(i)) / stride[i] + 1);
    let sizes =
        conv::Sizes { batch, inputs, outputs, input, kernel, stride, padding, dilation, output };
    let c = Conv::new(sizes).expect("a convolution");
    let x = random.numbers(batch * inputs * input[0] * input[1]);
    let w = random.numbers(outputs * inputs * kernel[0] * kernel[1]);
    let g = random.numbers(batch * outputs * output[0] * output[1]);
    let (b, b2) = (random.numbers(outputs), random.numbers(inputs));
    let shape = [batch, inputs, input[0], input[1]];
    // as it lies, or channels first
    let xv = if random.of(0, 1) == 0 {
        View::channels_last(&x, shape)
    } else {
        let p = input[0] * input[1];
        View::new(&x, shape, [p * inputs, p, input[1], 1])
    };
    let gv = View::channels_last(&g, [batch, outputs, output[0], output[1]]);
    let relu = if random.of(0, 1) == 0 { Epilogue::Relu } else { Epilogue::Store };
    let y = conv::convolve(&c, &xv, &c.prepare(&w), Some(&b), relu);
    log.push(sum(&y));
    log.push(sum(&conv::forward(&c, &xv, &c.pack(&w), None, Epilogue::Store)));
    log.push(sum(&conv::input_gradient(&c, &gv, &w, Some(&b2), Epilogue::Store)));
    log.push(sum(&conv::weight_gradient(&c, &xv, &gv)));
    log.push(sum(&conv::bias_gradient(&gv)));
    // norm on y
    if !y.is_empty() {
        let s = norm::statistics(&y, outputs);
        let d = s.inverse_deviation(1e-3);
        let (ga, be) = (random.numbers(outputs), random.numbers(outputs));
        let z = norm::forward(&y, &s.mean, &d, &ga, &be, Some(&g), true);
        let q = norm::backward(&y, &s.mean, &d, &ga, Some(&z), &g, true);
        log.extend([sum(&z), sum(&q.x), sum(&q.gamma), sum(&q.beta), sum(&q.residual.unwrap())]);
    }
    // pooling
    let kernel = [random.of(1, 4), random.of(1, 4)];
    let padding = [random.of(0, kernel[0] / 2), random.of(0, kernel[1] / 2)];
    let stride = [random.of(1, 3), random.of(1, 3)];
    let size = [kernel[0] + random.of(0, 9), kernel[1] + random.of(0, 9)];
    let output = [0, 1].map(|i| (size[i] + 2 * padding[i] - kernel[i]) / stride[i] + 1);
    let sizes =
        pool::Sizes { batch, channels: inputs, input: size, kernel, stride, padding, output };
    let p = Pool::new(sizes).expect("a pooling");
    let x = random.numbers(batch * inputs * size[0] * size[1]);
    let g = random.numbers(batch * inputs * output[0] * output[1]);
    let (m, places) = pool::max_forward(&p, &x);
    log.extend([
        sum(&m),
        sum(&pool::max_backward(&p, &places, &g)),
        sum(&pool::mean_forward(&p, &x, false)),
        sum(&pool::mean_backward(&p, &g, true)),
    ]);
    let re = pool::relu(&x, 0.1);
    log.push(sum(&pool::relu_backward(&re, &x, 0.1)));
    // regions of interest
    let output = [random.of(1, 4), random.of(1, 4)];
    let sensitive = random.of(0, 1) == 1;
    let channels =
        if sensitive { random.of(1, 90) * output[0] * output[1] } else { random.of(1, 90) };
    let sizes = roi::Sizes { batch: batch.max(1), channels, size, output, sensitive };
    let maps = Maps::new(sizes).expect("maps");
    let x2 = random.numbers(maps.batch * channels * size[0] * size[1]);
    let corner = |random: &mut Random| random.of(0, 60) as f32 / 3.0 - 5.0;
    let region = |random: &mut Random| Roi {
        image: random.of(0, maps.batch - 1),
        corners: [0; 4].map(|_| corner(random)),
    };
    let rois: Vec<Roi> = (0..random.of(0, 9)).map(|_| region(random)).collect();
    let align = Align { scale: 0.7, samples: random.of(0, 3), aligned: random.of(0, 1) == 1 };
    for regions in [align.regions(&rois, &maps), roi::position_sensitive(&rois, 0.7, &maps)] {
        let y = roi::forward(&maps, &regions, &x2);
        log.extend([sum(&y), sum(&roi::backward(&maps, &regions, &y))]);
    }
    let plain = Maps::new(roi::Sizes { sensitive: false, ..sizes }).expect("maps");
    let (y, places) = roi::max_forward(&plain, &rois, 0.7, &x2);
    let images: Vec<usize> = rois.iter().map(|roi| roi.image).collect();
    log.extend([sum(&y), sum(&roi::max_backward(&plain, &images, &places, &y))]);
    // joining
    let v = View::channels_last(&x, [batch, inputs, size[0], size[1]]);
    let two = cat::channels([&v, &v]);
    log.push(sum(&two));
    log.push(sum(&cat::some(&v, 0..random.of(0, inputs))));
    // linear, loss
    let (rows, i, o) = (random.of(0, 200), random.of(1, 130), random.of(1, 130));
    let (x, w, b, g) = (
        random.numbers(rows * i),
        random.numbers(i * o),
        random.numbers(o),
        random.numbers(rows * o),
    );
    let y = linear::forward(&x, i, &w, o, Some(&b), relu);
    log.extend([
        sum(&y),
        sum(&linear::input_gradient(&g, o, &w, i)),
        sum(&linear::weight_gradient(&x, i, &g, o)),
        sum(&linear::bias_gradient(&g, o)),
    ]);
    if rows > 0 {
        let classes: Vec<usize> = (0..rows).map(|_| random.of(0, o - 1)).collect();
        let t = loss::Targets { classes: &classes, count: o, smoothing: 0.1, weights: None };
        let (l, s) = loss::forward(&y, &t);
        log.extend([l as f64, sum(&loss::backward(&y, &t, &s, 1.0))]);
    }
    // recurrence
    let q = Sequence::new(rec::Sizes {
        batch: random.of(1, 9),
        steps: random.of(1, 7),
        inputs: random.of(1, 40),
        hidden: [random.of(1, 50), 128, 256][random.of(0, 2)],
    })
    .expect("a sequence");
    let (xi, h0, c0) = (
        random.numbers(q.batch * q.steps * q.inputs),
        random.numbers(q.state()),
        random.numbers(q.state()),
    );
    let gates: Vec<[Box<[f32]>; 4]> = (0..4)
        .map(|_| {
            [
                random.numbers(q.inputs * q.hidden),
                random.numbers(q.hidden * q.hidden),
                random.numbers(q.hidden),
                random.numbers(q.hidden),
            ]
        })
        .collect();
    let gate = |k: usize| Gate {
        input: &gates[k][0],
        hidden: &gates[k][1],
        input_bias: Some(&gates[k][2]),
        hidden_bias: Some(&gates[k][3]),
    };
    let four = [gate(0), gate(1), gate(2), gate(3)];
    let (s, kept) = rec::lstm(&q, &xi, &four, &h0, &c0);
    let grad = random.numbers(s.len());
    let z = rec::lstm_backward(&q, &xi, &four, [&h0, &c0], &s, kept, &grad);
    log.extend([sum(&s), sum(&z.input), sum(&z.hidden), sum(&z.cell), sum(&z.gates[1].hidden)]);
    let three = [gate(0), gate(1), gate(2)];
    let (s, kept) = rec::gru(&q, &xi, &three, &h0);
    let grad = random.numbers(s.len());
    let z = rec::gru_backward(&q, &xi, &three, &h0, &s, kept, &grad);
    log.extend([sum(&s), sum(&z.input), sum(&z.hidden), sum(&z.gates[2].hidden)]);
    // optimisers
    let n = random.of(0, 70_000);
    let (mut p, g, mut v, mut m) =
        (random.numbers(n), random.numbers(n), random.numbers(n), random.numbers(n));
    let o = optim::Sgd { rate: 0.1, momentum: 0.9, gain: 1.0, nesterov: true, decay: Some(0.01) };
    optim::sgd(&o, &mut p, &g);
    optim::momentum(&o, false, &mut p, &g, &mut v);
    v.iter_mut().for_each(|x| *x = x.abs());
    let a = optim::Adam {
        rate: 0.01,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        decay: None,
        shrink: Some(0.999),
        time: 3,
    };
    optim::adam(&a, &mut p, &g, &mut m, &mut v);
    log.push(sum(&p));
}

fn main() {
    let count: u64 = std::env::args().nth(1).map_or(40, |n| n.parse().unwrap());
    let mut logs = Vec::new();
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut log = Vec::new();
        pool.install(|| {
            for seed in 1..=count {
                one(&mut Random(seed * 0x9E37_79B9_7F4A_7C15), &mut log)
            }
        });
        logs.push(log);
    }
    let refused = refuse::all(&mut Random(1), 200 * count);
    let close = |a: f64, b: f64| (a - b).abs() <= 2e-3 * (1.0 + a.abs().max(b.abs()));
    let far = logs[1..]
        .iter()
        .flat_map(|log| log.iter().zip(&logs[0]))
        .filter(|(a, b)| !close(**a, **b))
        .count();
    println!(
        "{:?}: {} results on 1, 2 and 3 threads, {far} of them differ; {refused} calls refused",
        raw::simd::isa(),
        logs[0].len() * 3
    );
    std::process::exit(i32::from(far > 0));
}
