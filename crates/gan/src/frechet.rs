//! How far two sets of features are apart.
//!
//! M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
//! Equilibrium", NIPS 2017: the Fréchet distance of two normal distributions. T. Kynkäänniemi et
//! al., "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS 2019.

use rayon::prelude::*;

/// Neighbours whose distance is a feature's radius (section 3 of the second paper).
const NEIGHBOURS: usize = 3;

/// Features of many images, as many numbers for each.
#[derive(Clone, Debug)]
pub struct Features {
    /// One image after the other.
    pub values: Vec<f32>,
    /// Numbers for each.
    pub width: usize,
}

/// Mean and covariance of features.
#[derive(Clone, Debug)]
pub struct Moments {
    mean: Vec<f64>,
    /// `width x width`, row by row.
    covariance: Vec<f64>,
}

impl Features {
    /// How many images.
    pub fn count(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// The first `count` images.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let end = (count * self.width).min(self.values.len());
        Self { values: self.values[..end].to_vec(), width: self.width }
    }

    /// Mean and unbiased covariance.
    pub fn moments(&self) -> Moments {
        let (width, count) = (self.width, self.count().max(1) as f64);
        let mut mean = vec![0.0; width];
        for row in self.rows() {
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        let centred: Vec<Vec<f64>> = self
            .rows()
            .map(|row| row.iter().zip(&mean).map(|(&x, mean)| f64::from(x) - mean).collect())
            .collect();
        let rows = (0..width).into_par_iter().flat_map_iter(|i| {
            let mut sums = vec![0.0; width];
            for row in &centred {
                let own = row[i];
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += own * x);
            }
            sums.into_iter().map(|sum| sum / (count - 1.0).max(1.0))
        });
        let covariance = rows.collect();
        Moments { mean, covariance }
    }
}

impl Moments {
    /// The sum of the variances: how different the images are.
    pub fn spread(&self) -> f64 {
        let width = self.mean.len();
        (0..width).map(|i| self.covariance[i * width + i]).sum()
    }

    /// The Fréchet distance, squared as is usual.
    pub fn distance(&self, other: &Self) -> f64 {
        let width = self.mean.len();
        let means: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b).powi(2)).sum();
        // The trace of the root of the product is that of a symmetric matrix's.
        let (values, vectors) = eigen(self.covariance.clone(), width);
        let mut root = vec![0.0; width * width];
        for (k, value) in values.iter().enumerate() {
            let value = value.max(0.0).sqrt();
            for i in 0..width {
                for j in 0..width {
                    root[i * width + j] += value * vectors[i * width + k] * vectors[j * width + k];
                }
            }
        }
        let inner = product(&product(&root, &other.covariance, width), &root, width);
        let (values, _) = eigen(inner, width);
        let shared: f64 = values.iter().map(|value| value.max(0.0).sqrt()).sum();
        (means + self.spread() + other.spread() - 2.0 * shared).max(0.0)
    }
}

fn product(a: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let row = |i: usize| {
        let mut sums = vec![0.0; width];
        for k in 0..width {
            let own = a[i * width + k];
            let other = &b[k * width..(k + 1) * width];
            sums.iter_mut().zip(other).for_each(|(sum, x)| *sum += own * x);
        }
        sums
    };
    (0..width).into_par_iter().flat_map_iter(row).collect()
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix, by Jacobi's rotations.
fn eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    let total: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..60 {
        let off: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i * n + j].powi(2))
            .sum();
        if off <= total * 1e-22 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (v[k * n + p], v[k * n + q]);
                    (v[k * n + p], v[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), v)
}

/// What part of `asked` lies where `known` lies: within the distance from one of `known` to its
/// third neighbour. Made images within real ones are precision, real ones within made recall.
pub fn inside(asked: &Features, known: &Features) -> f64 {
    let rows: Vec<&[f32]> = known.rows().collect();
    let distance =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    let radius = |row: &&[f32]| {
        // Its own distance, 0, is the first.
        let mut nearest = [f32::INFINITY; NEIGHBOURS + 1];
        for other in &rows {
            let mut own = distance(row, other);
            for kept in &mut nearest {
                if own < *kept {
                    std::mem::swap(&mut own, kept);
                }
            }
        }
        nearest[NEIGHBOURS]
    };
    let radii: Vec<f32> = rows.par_iter().map(radius).collect();
    let asked: Vec<&[f32]> = asked.rows().collect();
    let lies = |row: &&&[f32]| rows.iter().zip(&radii).any(|(other, r)| distance(row, other) <= *r);
    let count = asked.par_iter().filter(lies).count();
    count as f64 / asked.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mean: &[f64], covariance: &[f64]) -> Moments {
        Moments { mean: mean.to_vec(), covariance: covariance.to_vec() }
    }

    #[test]
    fn the_distance_of_normal_distributions() {
        // Diagonal: the sum of (mean difference)^2 + (sqrt(a) - sqrt(b))^2.
        let a = moments(&[1.0, 2.0], &[4.0, 0.0, 0.0, 9.0]);
        let b = moments(&[1.0, 5.0], &[1.0, 0.0, 0.0, 16.0]);
        assert!((a.distance(&b) - (9.0 + 1.0 + 1.0)).abs() < 1e-9);
        assert!(a.distance(&a) < 1e-9);
        // scipy: trace of the product's root of these two is 4.1512...; checked by the invariant
        // tr(sqrt(AB)) = sqrt(tr(AB) + 2 sqrt(det(AB))) of 2 x 2 matrices.
        let c = moments(&[0.0, 0.0], &[2.0, 0.5, 0.5, 1.0]);
        let d = moments(&[0.0, 0.0], &[1.0, -0.3, -0.3, 3.0]);
        let trace: f64 = 2.0 - 0.15 + (0.5 * -0.3 + 3.0);
        let det = (2.0 - 0.25) * (3.0 - 0.09f64);
        let root = (trace + 2.0 * det.sqrt()).sqrt();
        let expected = 3.0 + 4.0 - 2.0 * root;
        assert!((c.distance(&d) - expected).abs() < 1e-9, "{} {expected}", c.distance(&d));
    }

    #[test]
    fn moments_of_four_points() {
        let own = Features { values: vec![0.0, 0.0, 2.0, 0.0, 0.0, 2.0, 2.0, 2.0], width: 2 };
        let moments = own.moments();
        assert_eq!(moments.mean, [1.0, 1.0]);
        assert!((moments.spread() - 8.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn precision_and_recall_tell_quality_from_diversity() {
        let line = |from: usize, to: usize| Features {
            values: (from..to).map(|x| x as f32).collect(),
            width: 1,
        };
        // A part of what there is: all of it right, half of it missing.
        let (real, made) = (line(0, 40), line(0, 20));
        assert_eq!(inside(&made, &real), 1.0);
        let recall = inside(&real, &made);
        assert!((0.5..0.6).contains(&recall), "{recall}");
        assert_eq!(inside(&line(100, 120), &real), 0.0);
    }
}
