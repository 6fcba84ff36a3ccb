//! Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1) of pixels
//! `[pixels, channels]`, with what often follows it: a residual added, and ReLU.

use super::simd::vectorised;
use super::{Out, filled, share};

/// Pixels that are summed in one go, whatever the number of threads: so sums do not depend on it.
const CHUNK: usize = 256;

/// Per-channel numbers, repeated over as many pixels as make a long loop: that of sixteen
/// channels alone would be shorter than what the compiler unrolls.
fn repeated(values: &[f32]) -> Vec<f32> {
    values.repeat(256usize.div_ceil(values.len().max(1)))
}

/// Sums each channel over the pixels of a repetition.
fn folded(sums: &[f32], out: &mut [f32]) {
    for sums in sums.chunks_exact(out.len()) {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out += sum;
        }
    }
}

/// What normalises a channel.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Biased variance of each channel.
    pub variance: Vec<f32>,
}

impl Statistics {
    /// `1 / sqrt(variance + epsilon)` of each channel.
    pub fn inverse_deviation(&self, epsilon: f64) -> Vec<f32> {
        self.variance.iter().map(|&v| (1.0 / (f64::from(v) + epsilon).sqrt()) as f32).collect()
    }
}

/// How many pixels there are.
///
/// # Panics
/// Where one lacks some of its channels.
fn pixels(x: &[f32], channels: usize) -> usize {
    assert!(x.len().is_multiple_of(channels), "{} floats of {channels} channels", x.len());
    x.len() / channels.max(1)
}

/// Mean and variance of each channel of `x`, `[pixels, channels]`.
///
/// # Panics
/// Where the last pixel lacks some of its channels.
pub fn statistics(x: &[f32], channels: usize) -> Statistics {
    let pixels = pixels(x, channels);
    let chunks = pixels.div_ceil(CHUNK);
    let write = |out: Out| {
        share(chunks, x.len(), |index| {
            let x = chunk(x, index, channels);
            // SAFETY: each chunk has its own two rows of the sums.
            let sums = unsafe {
                std::slice::from_raw_parts_mut(out.at(index * 2 * channels), 2 * channels)
            };
            sums.fill(0.0);
            let (mean, squares) = sums.split_at_mut(channels);
            moments(x, mean, squares);
        });
    };
    // SAFETY: every chunk fills its rows.
    let parts = unsafe { filled(chunks * 2 * channels, write) };
    // Chan, Golub and LeVeque (1979): moments of parts to those of the whole.
    let mut mean = vec![0f64; channels];
    let mut squares = vec![0f64; channels];
    let mut before = 0f64;
    for (index, part) in parts.chunks_exact((2 * channels).max(1)).enumerate() {
        let count = (pixels - index * CHUNK).min(CHUNK) as f64;
        let all = before + count;
        for c in 0..channels {
            let delta = f64::from(part[c]) - mean[c];
            mean[c] += delta * count / all;
            squares[c] += f64::from(part[channels + c]) + delta * delta * before * count / all;
        }
        before = all;
    }
    let narrow = |values: Vec<f64>, by: f64| values.into_iter().map(|v| (v / by) as f32).collect();
    Statistics { mean: narrow(mean, 1.0), variance: narrow(squares, pixels as f64) }
}

fn chunk(x: &[f32], index: usize, channels: usize) -> &[f32] {
    &x[index * CHUNK * channels..x.len().min((index + 1) * CHUNK * channels)]
}

/// Mean, and sum of squared differences from it; both are zeros before.
fn moments(x: &[f32], mean: &mut [f32], squares: &mut [f32]) {
    let channels = mean.len();
    let count = (x.len() / channels) as f32;
    let mut sums = repeated(mean);
    add(x, &mut sums);
    folded(&sums, mean);
    for mean in mean.iter_mut() {
        *mean /= count;
    }
    sums.fill(0.0);
    add_squares(x, &repeated(mean), &mut sums);
    folded(&sums, squares);
}

vectorised! {
    fn add(x: &[f32], sums: &mut [f32]) {
        for x in x.chunks(sums.len()) {
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum += x;
            }
        }
    }
}

vectorised! {
    fn add_squares(x: &[f32], mean: &[f32], sums: &mut [f32]) {
        for x in x.chunks(sums.len()) {
            for ((sum, &x), &mean) in sums.iter_mut().zip(x).zip(mean) {
                *sum += (x - mean) * (x - mean);
            }
        }
    }
}

/// `gamma * (x - mean) * inverse_deviation + beta`, plus the residual, rectified where told;
/// all `[pixels, channels]`.
///
/// # Panics
/// Where lengths differ, or the last pixel lacks some of its channels.
#[allow(clippy::too_many_arguments, reason = "they are the formula's")]
pub fn forward(
    x: &[f32],
    mean: &[f32],
    inverse_deviation: &[f32],
    gamma: &[f32],
    beta: &[f32],
    residual: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    let channels = mean.len();
    assert!([inverse_deviation.len(), gamma.len(), beta.len()] == [channels; 3], "channels");
    assert!(residual.is_none_or(|residual| residual.len() == x.len()), "residual");
    let pixels = pixels(x, channels);
    let scale: Vec<f32> = gamma.iter().zip(inverse_deviation).map(|(g, d)| g * d).collect();
    let shift: Vec<f32> = (0..channels).map(|c| beta[c] - mean[c] * scale[c]).collect();
    let (scale, shift) = (repeated(&scale), repeated(&shift));
    let write = |out: Out| {
        share(pixels.div_ceil(CHUNK), x.len(), |index| {
            let start = index * CHUNK * channels;
            let x = chunk(x, index, channels);
            // SAFETY: each chunk writes its own part, and all of it.
            let y = unsafe { std::slice::from_raw_parts_mut(out.at(start).cast(), x.len()) };
            let residual = residual.map(|residual| &residual[start..start + x.len()]);
            apply(x, &scale, &shift, residual, relu, y);
        });
    };
    // SAFETY: as above.
    unsafe { filled(x.len(), write) }
}

type Unwritten = std::mem::MaybeUninit<f32>;

vectorised! {
    fn apply(x: &[f32], scale: &[f32], shift: &[f32], residual: Option<&[f32]>, relu: bool, y: &mut [Unwritten]) {
        let period = scale.len();
        // What is not above zero is zero, but a NaN stays one.
        let rectify = |v: f32| if v <= 0.0 { 0.0 } else { v };
        let parts = x.chunks(period).zip(y.chunks_mut(period));
        match (residual, relu) {
            (Some(residual), relu) => {
                for ((x, y), r) in parts.zip(residual.chunks(period)) {
                    for ((((y, &x), &r), &scale), &shift) in y.iter_mut().zip(x).zip(r).zip(scale).zip(shift) {
                        let v = x * scale + shift + r;
                        y.write(if relu { rectify(v) } else { v });
                    }
                }
            }
            (None, relu) => {
                for (x, y) in parts {
                    for (((y, &x), &scale), &shift) in y.iter_mut().zip(x).zip(scale).zip(shift) {
                        let v = x * scale + shift;
                        y.write(if relu { rectify(v) } else { v });
                    }
                }
            }
        }
    }
}

/// The gradients of a normalisation by the batch's own statistics.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// For the input.
    pub x: Vec<f32>,
    /// For the residual, which is that for the output where the output is not rectified to 0.
    pub residual: Option<Vec<f32>>,
    /// For the scale.
    pub gamma: Vec<f32>,
    /// For the shift.
    pub beta: Vec<f32>,
}

/// The gradients, from that for the output; `rectified` is the output where there was a ReLU.
///
/// # Panics
/// Where lengths differ, or the last pixel lacks some of its channels.
pub fn backward(
    x: &[f32],
    mean: &[f32],
    inverse_deviation: &[f32],
    gamma: &[f32],
    rectified: Option<&[f32]>,
    gradient: &[f32],
    residual: bool,
) -> Gradients {
    let channels = mean.len();
    assert!([inverse_deviation.len(), gamma.len()] == [channels; 2], "channels");
    assert!(gradient.len() == x.len() && rectified.is_none_or(|y| y.len() == x.len()), "pixels");
    let pixels = pixels(x, channels);
    let chunks = pixels.div_ceil(CHUNK);
    let means = repeated(mean);
    let part = |index| rectified.map(|all| chunk(all, index, channels));
    let write = |out: Out| {
        share(chunks, x.len(), |index| {
            // SAFETY: each chunk has its own two rows of the sums.
            let sums = unsafe {
                std::slice::from_raw_parts_mut(out.at(index * 2 * channels), 2 * channels)
            };
            sums.fill(0.0);
            let (x, gradient) = (chunk(x, index, channels), chunk(gradient, index, channels));
            let mut parts = vec![0.0; 2 * means.len()];
            let (first, second) = parts.split_at_mut(means.len());
            products(x, &means, part(index), gradient, first, second);
            folded(first, &mut sums[..channels]);
            folded(second, &mut sums[channels..]);
        });
    };
    // SAFETY: every chunk fills its rows.
    let parts = unsafe { filled(chunks * 2 * channels, write) };
    let mut sums = vec![0f64; 2 * channels];
    for part in parts.chunks_exact((2 * channels).max(1)) {
        for (sum, &part) in sums.iter_mut().zip(part) {
            *sum += f64::from(part);
        }
    }
    let (beta, products) = sums.split_at(channels);
    // dx = scale * (dy - mean(dy) - (x - mean) * slope)
    let scale: Vec<f32> = gamma.iter().zip(inverse_deviation).map(|(g, d)| g * d).collect();
    let shift: Vec<f32> = beta.iter().map(|sum| (sum / pixels as f64) as f32).collect();
    let slope: Vec<f32> = (0..channels)
        .map(|c| (products[c] * f64::from(inverse_deviation[c]).powi(2) / pixels as f64) as f32)
        .collect();
    let [scale, shift, slope] = [scale, shift, slope].map(|values| repeated(&values));
    let mut for_residual =
        (residual && rectified.is_some()).then(|| Vec::<f32>::with_capacity(x.len()));
    let residual_out = for_residual.as_mut().map(|vector| Out(vector.as_mut_ptr()));
    let write = |out: Out| {
        share(chunks, x.len(), |index| {
            let start = index * CHUNK * channels;
            let (x, gradient) = (chunk(x, index, channels), chunk(gradient, index, channels));
            // SAFETY: each chunk writes its own part, and all of it.
            let dx = unsafe { std::slice::from_raw_parts_mut(out.at(start).cast(), x.len()) };
            let residual = residual_out.map(|out| {
                // SAFETY: as above.
                unsafe { std::slice::from_raw_parts_mut(out.at(start).cast(), x.len()) }
            });
            differentiate(x, [&means, &scale, &shift, &slope], part(index), gradient, dx, residual);
        });
    };
    // SAFETY: as above.
    let dx = unsafe { filled(x.len(), write) };
    if let Some(vector) = &mut for_residual {
        // SAFETY: as above.
        unsafe { vector.set_len(x.len()) };
    } else if residual {
        for_residual = Some(gradient.to_vec());
    }
    Gradients {
        x: dx,
        residual: for_residual,
        gamma: (0..channels)
            .map(|c| (products[c] * f64::from(inverse_deviation[c])) as f32)
            .collect(),
        beta: beta.iter().map(|&sum| sum as f32).collect(),
    }
}

vectorised! {
    /// Sums of the gradient, and of its products with `x - mean`.
    fn products(x: &[f32], mean: &[f32], rectified: Option<&[f32]>, gradient: &[f32], sums: &mut [f32], products: &mut [f32]) {
        let period = mean.len();
        let parts = x.chunks(period).zip(gradient.chunks(period));
        match rectified {
            Some(rectified) => {
                for ((x, g), y) in parts.zip(rectified.chunks(period)) {
                    let terms = x.iter().zip(g).zip(y).zip(mean);
                    for ((sum, product), (((&x, &g), &y), &mean)) in sums.iter_mut().zip(products.iter_mut()).zip(terms) {
                        let g = if y > 0.0 { g } else { 0.0 };
                        *sum += g;
                        *product += g * (x - mean);
                    }
                }
            }
            None => {
                for (x, g) in parts {
                    let terms = x.iter().zip(g).zip(mean);
                    for ((sum, product), ((&x, &g), &mean)) in sums.iter_mut().zip(products.iter_mut()).zip(terms) {
                        *sum += g;
                        *product += g * (x - mean);
                    }
                }
            }
        }
    }
}

vectorised! {
    fn differentiate(
        x: &[f32],
        terms: [&[f32]; 4],
        rectified: Option<&[f32]>,
        gradient: &[f32],
        dx: &mut [Unwritten],
        residual: Option<&mut [Unwritten]>,
    ) {
        let period = terms[0].len();
        let parts = x.chunks(period).zip(gradient.chunks(period)).zip(dx.chunks_mut(period));
        match (rectified, residual) {
            (Some(rectified), Some(residual)) => {
                let parts = parts.zip(rectified.chunks(period)).zip(residual.chunks_mut(period));
                for ((((x, g), dx), y), r) in parts {
                    let len = x.len();
                    let [mean, scale, shift, slope] = terms.map(|term| &term[..len]);
                    let (g, dx, y, r) = (&g[..len], &mut dx[..len], &y[..len], &mut r[..len]);
                    for i in 0..len {
                        let g = if y[i] > 0.0 { g[i] } else { 0.0 };
                        r[i].write(g);
                        dx[i].write(scale[i] * (g - shift[i] - (x[i] - mean[i]) * slope[i]));
                    }
                }
            }
            (Some(rectified), None) => {
                for (((x, g), dx), y) in parts.zip(rectified.chunks(period)) {
                    let len = x.len();
                    let [mean, scale, shift, slope] = terms.map(|term| &term[..len]);
                    let (g, dx, y) = (&g[..len], &mut dx[..len], &y[..len]);
                    for i in 0..len {
                        let g = if y[i] > 0.0 { g[i] } else { 0.0 };
                        dx[i].write(scale[i] * (g - shift[i] - (x[i] - mean[i]) * slope[i]));
                    }
                }
            }
            _ => {
                for ((x, g), dx) in parts {
                    let len = x.len();
                    let [mean, scale, shift, slope] = terms.map(|term| &term[..len]);
                    let (g, dx) = (&g[..len], &mut dx[..len]);
                    for i in 0..len {
                        dx[i].write(scale[i] * (g[i] - shift[i] - (x[i] - mean[i]) * slope[i]));
                    }
                }
            }
        }
    }
}
