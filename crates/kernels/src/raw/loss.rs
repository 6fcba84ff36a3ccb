//! Softmax cross-entropy with classes by number, and its gradient.

use super::math::exp;
use super::simd::vectorised;
use super::sizes::some_floats;
use super::{Out, filled, share};

/// Rows that one thread takes at a time.
const BLOCK: usize = 32;
/// Floats moved in the time of one exponential.
const WORK: usize = 4;

/// What each row is compared with.
#[derive(Clone, Debug)]
pub struct Targets<'a> {
    /// The class of each row.
    pub classes: &'a [usize],
    /// How many classes there are.
    pub count: usize,
    /// Part of each target that is shared among all classes.
    pub smoothing: f32,
    /// What each class counts.
    pub weights: Option<&'a [f32]>,
}

impl Targets<'_> {
    fn weight(&self, class: usize) -> f32 {
        self.weights.map_or(1.0, |weights| weights[class])
    }

    /// What the target class has beyond the part that all have.
    fn certain(&self) -> f32 {
        1.0 - self.smoothing
    }

    fn shared(&self) -> f32 {
        self.smoothing / self.count as f32
    }

    /// The sum of all targets of a row, weighted, given that of all weights.
    fn total(&self, class: usize, all: f32) -> f32 {
        self.certain() * self.weight(class) + self.shared() * all
    }

    /// The sum of all weights.
    fn all(&self) -> f32 {
        self.weights.map_or(self.count as f32, |weights| weights.iter().sum())
    }

    /// The sum of the rows' weights, by which the mean divides.
    pub fn divisor(&self) -> f32 {
        match self.weights {
            None => self.classes.len() as f32,
            Some(weights) => {
                self.classes.iter().map(|&class| f64::from(weights[class])).sum::<f64>() as f32
            }
        }
    }

    fn check(&self, logits: &[f32]) {
        assert_eq!(logits.len(), some_floats(&[self.classes.len(), self.count]), "logits");
        assert!(self.weights.is_none_or(|weights| weights.len() == self.count), "weights");
        let largest = self.classes.iter().max();
        assert!(largest.is_none_or(|&class| class < self.count), "a class beyond the last");
    }
}

vectorised! {
    /// The logarithm of the sum of exponentials.
    fn log_sum_exp(row: &[f32]) -> f32 {
        let mut most = [f32::NEG_INFINITY; 16];
        let (chunks, rest) = row.as_chunks::<16>();
        for chunk in chunks {
            for (most, &x) in most.iter_mut().zip(chunk) {
                *most = if x > *most { x } else { *most };
            }
        }
        let most = most.iter().chain(rest).fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
        let mut sums = [0.0f32; 16];
        for chunk in chunks {
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum += exp(x - most);
            }
        }
        let rest: f32 = rest.iter().map(|&x| exp(x - most)).sum();
        most + (sums.iter().sum::<f32>() + rest).ln()
    }
}

vectorised! {
    /// `out = factor * e^(row - shift) - less`
    fn scaled_softmax(row: &[f32], shift: f32, factor: f32, less: f32, out: &mut [f32]) {
        for (out, &x) in out.iter_mut().zip(row) {
            *out = factor * exp(x - shift) - less;
        }
    }
}

/// The mean loss of `logits`, `[rows, classes]`, and the logarithm of each row's sum of
/// exponentials, which [`backward`] needs.
///
/// # Panics
/// Where lengths differ or a class is beyond the last.
pub fn forward(logits: &[f32], targets: &Targets<'_>) -> (f32, Vec<f32>) {
    targets.check(logits);
    let count = targets.count;
    let rows = targets.classes.len();
    let write = |out: Out| {
        share(rows.div_ceil(BLOCK), logits.len() * WORK, |block| {
            for row in block * BLOCK..rows.min((block + 1) * BLOCK) {
                let sum = log_sum_exp(&logits[row * count..][..count]);
                // SAFETY: each block has its own rows.
                unsafe { *out.at(row) = sum };
            }
        });
    };
    // SAFETY: every row is written.
    let sums = unsafe { filled(rows, write) };
    let all = targets.all();
    let rows = logits.chunks_exact(count).zip(targets.classes).zip(&sums);
    let losses = rows.map(|((row, &class), &sum)| {
        let mut loss = targets.certain() * targets.weight(class) * (sum - row[class]);
        if targets.smoothing != 0.0 {
            let logits: f32 = match targets.weights {
                None => row.iter().sum(),
                Some(weights) => row.iter().zip(weights).map(|(x, weight)| x * weight).sum(),
            };
            loss += targets.shared() * (all * sum - logits);
        }
        f64::from(loss)
    });
    ((losses.sum::<f64>() / f64::from(targets.divisor())) as f32, sums)
}

/// The gradient `[rows, classes]` of [`forward`] times `gradient`.
///
/// # Panics
/// Where lengths differ or a class is beyond the last.
pub fn backward(logits: &[f32], targets: &Targets<'_>, sums: &[f32], gradient: f32) -> Vec<f32> {
    targets.check(logits);
    assert_eq!(sums.len(), targets.classes.len(), "sums");
    let count = targets.count;
    let (all, scale) = (targets.all(), gradient / targets.divisor());
    let blocks = sums.len().div_ceil(BLOCK);
    let write = |place: Out| {
        share(blocks, logits.len() * WORK, |block| {
            for row in block * BLOCK..sums.len().min((block + 1) * BLOCK) {
                let class = targets.classes[row];
                // SAFETY: each task has its own rows, and all together are the result.
                let out = unsafe { std::slice::from_raw_parts_mut(place.at(row * count), count) };
                let factor = scale * targets.total(class, all);
                let shared = scale * targets.shared();
                let less = if targets.weights.is_none() { shared } else { 0.0 };
                scaled_softmax(&logits[row * count..][..count], sums[row], factor, less, out);
                if let Some(weights) = targets.weights {
                    for (out, weight) in out.iter_mut().zip(weights) {
                        *out -= shared * weight;
                    }
                }
                out[class] -= scale * targets.certain() * targets.weight(class);
            }
        });
    };
    // SAFETY: the blocks are all rows.
    unsafe { filled(logits.len(), write) }
}
