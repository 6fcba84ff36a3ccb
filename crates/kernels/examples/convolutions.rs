//! Milliseconds and GFLOP/s of single convolutions, forward and both gradients: the least of
//! eight. `RAYON_NUM_THREADS` says on how many threads. GFLOP/s are counted as for the plain
//! convolution, whatever way it takes.

use std::hint::black_box;
use std::time::Instant;
use tenfold_kernels::raw::View;
use tenfold_kernels::raw::conv::{self, Conv, Sizes};
use tenfold_kernels::raw::gemm::Epilogue;

fn main() {
    let batch = 32;
    let shapes = [
        (3, 64, 32, 1, 3),
        (16, 16, 32, 1, 3),
        (64, 64, 32, 1, 3),
        (64, 128, 32, 2, 3),
        (128, 128, 16, 1, 3),
        (256, 256, 8, 1, 3),
        (512, 512, 4, 1, 3),
        (256, 512, 8, 2, 1),
    ];
    println!("{:30} {:>16} {:>16} {:>16}", "", "forward", "for the input", "for the weights");
    for (inputs, outputs, side, stride, kernel) in shapes {
        let out = side / stride;
        let sizes = Sizes {
            batch,
            inputs,
            outputs,
            input: [side; 2],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            dilation: [1, 1],
            output: [out; 2],
        };
        let shape = Conv::new(sizes).expect("a small convolution");
        let wave = |len: usize| -> Vec<f32> { (0..len).map(|i| (i % 17) as f32 * 0.1).collect() };
        let x = wave(batch * inputs * side * side);
        let weight = wave(outputs * inputs * kernel * kernel);
        let gradient = wave(batch * outputs * out * out);
        let x = View::channels_last(&x, [batch, inputs, side, side]);
        let dy = View::channels_last(&gradient, [batch, outputs, out, out]);
        let flops = 2.0 * (batch * outputs * out * out * inputs * kernel * kernel) as f64;
        let figure = |work: &dyn Fn() -> Vec<f32>| {
            let time = || {
                let begun = Instant::now();
                black_box(work());
                begun.elapsed().as_secs_f64()
            };
            let least = (0..8).map(|_| time()).fold(f64::INFINITY, f64::min);
            format!("{:7.2} ms {:5.0}", least * 1e3, flops / least / 1e9)
        };
        let forward = || conv::convolve(&shape, &x, &shape.prepare(&weight), None, Epilogue::Store);
        let name = format!("{inputs} to {outputs}, {kernel} x {kernel}, {side} by {stride}");
        println!(
            "{name:30} {:>16} {:>16} {:>16}",
            figure(&forward),
            figure(&|| conv::input_gradient(&shape, &dy, &weight, None, Epilogue::Store)),
            figure(&|| conv::weight_gradient(&shape, &x, &dy)),
        );
    }
}
