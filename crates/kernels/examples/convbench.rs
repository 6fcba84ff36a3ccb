use std::time::Instant;
use tenfold_kernels::raw::{View, conv::*, gemm::Finish};
fn main() {
    let n: usize = std::env::args().nth(1).map_or(32, |s| s.parse().unwrap());
    for (c, k, s, stride, ker) in [
        (3, 64, 32, 1, 3),
        (64, 64, 32, 1, 3),
        (64, 128, 32, 2, 3),
        (128, 128, 16, 1, 3),
        (256, 256, 8, 1, 3),
        (512, 512, 4, 1, 3),
        (256, 512, 8, 2, 1),
        (16, 16, 32, 1, 3),
        (32, 32, 16, 1, 3),
    ] {
        let pad = ker / 2;
        let conv = Conv {
            batch: n,
            inputs: c,
            outputs: k,
            input: [s, s],
            kernel: [ker, ker],
            stride: [stride, stride],
            padding: [pad, pad],
            dilation: [1, 1],
            output: [s / stride, s / stride],
        };
        let x: Vec<f32> = (0..n * c * s * s).map(|i| (i % 17) as f32 * 0.1).collect();
        let w: Vec<f32> = (0..k * c * ker * ker).map(|i| (i % 13) as f32 * 0.1).collect();
        let y: Vec<f32> = vec![0.5; n * k * (s / stride) * (s / stride)];
        let xv = View::channels_last(&x, [n, c, s, s]);
        let yv = View::channels_last(&y, [n, k, s / stride, s / stride]);
        let flops = 2.0 * (n * k * (s / stride) * (s / stride) * c * ker * ker) as f64;
        let mut best = [1e9f64; 4];
        for _ in 0..8 {
            let t = Instant::now();
            let p = conv.pack(&w);
            best[3] = best[3].min(t.elapsed().as_secs_f64());
            std::hint::black_box(p);
            let t = Instant::now();
            let y = convolve(&conv, &xv, &w, None, Finish::Write);
            best[0] = best[0].min(t.elapsed().as_secs_f64());
            std::hint::black_box(y);
            let t = Instant::now();
            std::hint::black_box(input_gradient(&conv, &yv, &w, None, Finish::Write));
            best[1] = best[1].min(t.elapsed().as_secs_f64());
            let t = Instant::now();
            std::hint::black_box(weight_gradient(&conv, &xv, &yv));
            best[2] = best[2].min(t.elapsed().as_secs_f64());
        }
        println!(
            "c{c} k{k} {s}x{s}/{stride} {ker}x{ker}: fwd {:.2} ms ({:.0} GF/s, pack {:.2})  dx {:.2} ({:.0})  dw {:.2} ({:.0})",
            best[0] * 1e3,
            flops / best[0] / 1e9,
            best[3] * 1e3,
            best[1] * 1e3,
            flops / best[1] / 1e9,
            best[2] * 1e3,
            flops / best[2] / 1e9
        );
    }
}
