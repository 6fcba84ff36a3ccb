//! Initial weights: orthogonal ones, and when they are drawn.

use crate::tensors::{elements, matrix};
use burn::module::{Initializer, Module, Param, ParamId};
use burn::tensor::{Device, Distribution, Shape, Tensor};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Makes a network on a device that records gradients, with initial weights that depend on the
/// seed alone: the device has one generator for all threads.
pub fn seeded<M: Module>(seed: u64, device: &Device, make: impl FnOnce(&Device) -> M) -> M {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let autodiff_device = device.clone().autodiff();
    autodiff_device.seed(seed);
    // Burn draws initial weights when they are first looked at: that is now, before others draw.
    let network = make(&autodiff_device);
    drop(network.valid());
    network
}

/// Weights of this shape, as rows of all but its first side: the columns, or the rows where
/// these are fewer, are orthogonal and of length `gain` (Saxe et al.: "Exact solutions to the
/// nonlinear dynamics of learning in deep linear neural networks", 2014, arXiv:1312.6120).
pub fn orthogonal<const D: usize>(
    shape: [usize; D],
    gain: f64,
    device: &Device,
) -> Param<Tensor<D>> {
    // Burn's own decomposition takes half a minute for the layer behind Atari's convolutions.
    match shape.iter().all(|side| *side <= 2048) {
        true => Initializer::Orthogonal { gain }.init(shape, device),
        false => gram_schmidt(shape, gain, device),
    }
}

/// The same as Burn's, quicker.
fn gram_schmidt<const D: usize>(shape: [usize; D], gain: f64, device: &Device) -> Param<Tensor<D>> {
    let init = move |device: &Device, learnt: bool| {
        let normal = Distribution::Normal(0.0, 1.0);
        let (rows, columns) = (shape[0], shape[1..].iter().product());
        let drawn = Tensor::<2>::random([rows, columns], normal, device);
        let wide = rows < columns;
        let drawn = if wide { drawn } else { drawn.transpose() };
        let ([_, length], vectors) = (drawn.dims(), elements(drawn));
        let mut vectors: Vec<f64> = vectors.into_iter().map(f64::from).collect();
        orthonormalise(&mut vectors, length);
        let at = |row: usize, column: usize| match wide {
            true => row * length + column,
            false => column * length + row,
        };
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| at(row, column)));
        let weight = places.map(|place| (gain * vectors[place]) as f32).collect();
        let weight = matrix(weight, rows, device).reshape(shape);
        if learnt { weight.require_grad() } else { weight }
    };
    Param::uninitialized(ParamId::new(), init, device.clone(), true, Shape::new(shape))
}

/// Makes vectors of this length orthogonal and of length 1, by Gram and Schmidt's way in its
/// stable order (Björck: "Solving linear least squares problems by Gram-Schmidt
/// orthogonalization", 1967).
fn orthonormalise(vectors: &mut [f64], length: usize) {
    fn dot(a: &[f64], b: &[f64]) -> f64 {
        let mut sums = [0.0; 8];
        let (a, b) = (a.chunks(8), b.chunks(8));
        a.zip(b)
            .for_each(|(a, b)| sums.iter_mut().zip(a).zip(b).for_each(|((s, a), b)| *s += a * b));
        sums.iter().sum()
    }
    let mut rest = vectors;
    while rest.len() >= length.max(1) {
        let (one, others) = rest.split_at_mut(length);
        let norm = dot(one, one).sqrt();
        one.iter_mut().for_each(|value| *value /= norm);
        others.par_chunks_exact_mut(length).for_each(|other| {
            let along = dot(one, other);
            other.iter_mut().zip(&*one).for_each(|(other, one)| *other -= along * one);
        });
        rest = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orthogonal_weights_are_burns() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let burns = Initializer::Orthogonal { gain: 2.0 };
        let shape = [8, 3, 2, 2];
        let kernels =
            seeded(5, &device, |autodiff_device| gram_schmidt(shape, 2.0, autodiff_device));
        let theirs =
            seeded(5, &device, |autodiff_device| burns.init::<4, _>(shape, autodiff_device));
        let apart = (kernels.val() - theirs.val()).abs().max();
        assert!(elements(apart)[0] < 1e-3);
        for shape in [[3, 3], [20, 7], [7, 20], [130, 1], [64, 64]] {
            let weight =
                seeded(5, &device, |autodiff_device| gram_schmidt(shape, 2.0, autodiff_device));
            let burns =
                seeded(5, &device, |autodiff_device| burns.init::<2, _>(shape, autodiff_device));
            assert!(weight.is_require_grad());
            for (ours, theirs) in elements(weight.val()).iter().zip(elements(burns.val())) {
                assert!((ours - theirs).abs() < 1e-3, "{shape:?}: {ours} for {theirs}");
            }
            // The products of all vectors with each other.
            let weight = weight.val().inner();
            let turned = weight.clone().transpose();
            let products =
                if shape[0] < shape[1] { weight.matmul(turned) } else { turned.matmul(weight) };
            let side = shape[0].min(shape[1]);
            for (at, product) in elements(products).into_iter().enumerate() {
                let wanted = if at / side == at % side { 4.0 } else { 0.0 };
                assert!((product - wanted).abs() < 1e-5, "{shape:?}: {product}");
            }
        }
    }
}
