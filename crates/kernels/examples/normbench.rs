use std::time::Instant;
use tenfold_kernels::raw::norm::*;
fn main() {
    for (p, c) in [(64 * 1024, 16), (32 * 1024, 64), (32 * 16, 512)] {
        let x: Vec<f32> = (0..p * c).map(|i| (i % 17) as f32 * 0.1).collect();
        let g = vec![1.0; c];
        let mut best = [1e9f64; 3];
        for _ in 0..10 {
            let t = Instant::now();
            let s = statistics(&x, c);
            best[0] = best[0].min(t.elapsed().as_secs_f64());
            let d = s.inverse_deviation(1e-5);
            let t = Instant::now();
            let y = forward(&x, &s.mean, &d, &g, &g, None, true);
            best[1] = best[1].min(t.elapsed().as_secs_f64());
            let t = Instant::now();
            std::hint::black_box(backward(&x, &s.mean, &d, &g, Some(&y), &x, false));
            best[2] = best[2].min(t.elapsed().as_secs_f64());
        }
        println!("{p}x{c}: stat {:.2} ms fwd {:.2} bwd {:.2}", best[0] * 1e3, best[1] * 1e3, best[2] * 1e3);
    }
}
