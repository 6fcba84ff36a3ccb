//! Losses that several detectors have, each number by itself, and tensors from the host.

use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use tenfold_core::train::Loss;

/// Squared up to `beta`, absolute beyond (Girshick, "Fast R-CNN", ICCV 2015).
pub fn smooth_l1(said: Tensor<2>, wanted: Tensor<2>, beta: f32) -> Tensor<2> {
    let gap = (said - wanted).abs();
    let near = gap.clone().clamp_max(beta);
    near.clone().square() * (0.5 / beta) + (gap - near)
}

/// Cross-entropy of logits against probabilities.
pub fn binary_cross_entropy(logits: Tensor<2>, wanted: Tensor<2>) -> Tensor<2> {
    let against = wanted.clone().neg() + 1.0;
    (wanted * log_sigmoid(logits.clone()) + against * log_sigmoid(logits.neg())).neg()
}

/// The loss of `count` images that has these parts, which are shown by their names.
pub fn sum(parts: Vec<(&'static str, Tensor<1>)>, count: usize) -> Loss {
    let all = parts.iter().map(|(_, part)| part.clone());
    #[allow(clippy::expect_used, reason = "a loss has a part at least")]
    let total = all.reduce(|sum, part| sum + part).expect("a part");
    let shown = std::iter::once(("loss", total.clone())).chain(parts).collect();
    Loss { total, shown, count }
}

/// Rows of `width` numbers.
pub fn table(values: Vec<f32>, width: usize, device: &Device) -> Tensor<2> {
    let rows = values.len() / width;
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

/// Places to select.
pub fn places(values: Vec<usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// A seed from the device's stream of random numbers, as dropout draws from it: whoever trains
/// holds `core::train::random_stream`.
pub fn drawn_seed(device: &Device) -> u64 {
    let number = Tensor::<1>::random([1], Distribution::Uniform(0.0, 16_777_216.0), device);
    number.into_scalar::<f32>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn numbers_that_a_person_can_derive() {
        let device = device::open("cpu").unwrap();
        let values = |x: Tensor<2>| -> Vec<f32> { x.into_data().iter().collect() };
        let own = smooth_l1(
            table(vec![0.0, 1.0, 3.0], 3, &device),
            table(vec![0.0, 0.0, 0.0], 3, &device),
            2.0,
        );
        // 0.5 * 1 / 2 below beta, 3 - 0.5 * 2 beyond.
        assert_eq!(values(own), [0.0, 0.25, 2.0]);
        let logits = table(vec![0.0, 9.0, -200.0], 3, &device);
        let own = values(binary_cross_entropy(logits, table(vec![1.0, 1.0, 1.0], 3, &device)));
        assert!((own[0] - 2f32.ln()).abs() < 1e-6 && own[1] < 2e-4 && own[2] == 200.0);
    }
}
