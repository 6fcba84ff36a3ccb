//! The cross-entropy against Burn's own, on shapes drawn at random.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use proptest::prelude::*;
use tenfold_kernels::ops::cross_entropy;
use tenfold_kernels::raw::loss::{self as raw, Targets};

fn classes(rows: usize, count: usize, device: &Device) -> Tensor<1, Int> {
    let classes: Vec<i64> = (0..rows).map(|row| (row * 7 % count) as i64).collect();
    Tensor::from_data(TensorData::new(classes, [rows]), device)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn cross_entropy_equals_burns(
        rows in 1usize..100, count in 1usize..150, smoothing in proptest::option::of(0.0f32..1.0),
        weighted: bool, padded: bool, transposed: bool, scale in 0.1f64..30.0,
    ) {
        let device = Device::flex().autodiff();
        for device in [device.clone(), device.gradient_checkpointing()] {
            let weights = weighted.then(|| (0..count).map(|class| 0.5 + (class % 5) as f32).collect());
            let config = CrossEntropyLossConfig::new().with_smoothing(smoothing).with_weights(weights);
            let loss = config.with_pad_tokens(padded.then(|| vec![count])).init(&device);
            let shape = if transposed { [count, rows] } else { [rows, count] };
            let logits = Tensor::<2>::random(shape, Distribution::Normal(0.0, scale), &device).detach().require_grad();
            let turned = || if transposed { logits.clone().transpose() } else { logits.clone() };
            let targets = classes(rows, count, &device);
            let ours = cross_entropy(&loss, turned(), targets.clone());
            let burns = loss.forward(turned(), targets);
            let gap = (ours.clone() - burns.clone()).abs().into_scalar::<f32>();
            let size = burns.clone().abs().into_scalar::<f32>().max(1.0);
            prop_assert!(gap <= 1e-5 * size, "losses differ by {} of {}", gap, size);
            let ours = logits.grad(&(ours * 3.0).backward()).unwrap();
            let burns = logits.grad(&(burns * 3.0).backward()).unwrap();
            // Few rows of heavy classes have slopes of ten and more.
            let size = burns.clone().abs().max().into_scalar::<f32>().max(1.0);
            let gap = (ours - burns).abs().max().into_scalar::<f32>();
            prop_assert!(gap <= 1e-5 * size, "gradients differ by {} of {}", gap, size);
        }
    }
}

#[test]
fn nan_and_infinity_are_not_hidden() {
    let device = Device::flex();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let targets = Tensor::<1, Int>::from_ints([0], &device);
    let value = |logits: [f32; 2]| {
        let logits = Tensor::<2>::from_floats([logits], &device);
        cross_entropy(&loss, logits, targets.clone()).into_scalar::<f32>()
    };
    assert!(value([f32::NAN, 0.0]).is_nan());
    assert!(value([0.0, f32::NAN]).is_nan());
    assert_eq!(value([f32::NEG_INFINITY, 0.0]), f32::INFINITY);
    assert_eq!(value([0.0, f32::NEG_INFINITY]), 0.0);
}

#[test]
#[should_panic(expected = "a class beyond the last")]
fn a_class_beyond_the_last_is_refused() {
    let device = Device::flex();
    let loss = CrossEntropyLossConfig::new().init(&device);
    cross_entropy(&loss, Tensor::zeros([1, 3], &device), Tensor::from_ints([3], &device));
}

/// Each row's loss is `ln(e^a + e^b) - a`, and its slope follows.
#[test]
fn two_classes_by_hand() {
    let device = Device::flex().autodiff();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let logits = Tensor::<2>::from_floats([[1.0, 3.0], [0.0, 0.0]], &device).require_grad();
    let mean = cross_entropy(&loss, logits.clone(), Tensor::from_ints([0, 1], &device));
    let (first, second) = ((1.0f32 + 2f32.exp()).ln(), 2f32.ln());
    assert!((mean.clone().into_scalar::<f32>() - (first + second) / 2.0).abs() < 1e-6);
    let gradient = logits.grad(&mean.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
    let p = 1.0 / (1.0 + 2f32.exp());
    for (value, expected) in gradient.iter().zip([(p - 1.0) / 2.0, (1.0 - p) / 2.0, 0.25, -0.25]) {
        assert!((value - expected).abs() < 1e-6, "{gradient:?}");
    }
}

/// The slope along each logit, by the difference of two values, is the gradient: with smoothing,
/// with weights of classes, and with both.
#[test]
fn gradients_are_slopes() {
    let (rows, count) = (4, 5);
    let classes = [0, 3, 4, 3];
    let weights = [0.5, 1.0, 2.0, 1.5, 0.7];
    let logits: Vec<f32> = (0..rows * count).map(|i| (i as f32 * 0.9).sin() * 2.0).collect();
    for (smoothing, weights) in
        [(0.0, None), (0.1, None), (0.0, Some(&weights[..])), (0.2, Some(&weights[..]))]
    {
        let targets = Targets { classes: &classes, count, smoothing, weights };
        let (_, sums) = raw::forward(&logits, &targets);
        let gradient = raw::backward(&logits, &targets, &sums, 1.0);
        for (place, &gradient) in gradient.iter().enumerate() {
            const STEP: f32 = 1e-2;
            let at = |by: f32| {
                let mut logits = logits.clone();
                logits[place] += by;
                f64::from(raw::forward(&logits, &targets).0)
            };
            let slope = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
            assert!((slope - f64::from(gradient)).abs() < 2e-4, "{place}: {gradient} for {slope}");
        }
    }
}
