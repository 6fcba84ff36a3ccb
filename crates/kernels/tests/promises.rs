//! What the operators promise beside right numbers: the same bits at each run, nearly the
//! same for any number of threads, finite differences, and odd inputs as Burn has them.

use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Distribution, Tensor, TensorData, activation, module};
use tenfold_kernels::ops::{self, Activation, Epilogue};
use tenfold_kernels::raw::conv::{self, Conv, Sizes};
use tenfold_kernels::raw::gemm;
use tenfold_kernels::raw::{View, norm};

fn options(padding: usize) -> ConvOptions<2> {
    ConvOptions::new([1, 1], [padding; 2], [1, 1], 1)
}

/// Convolutions that several threads share, in each of the ways there are, with both
/// gradients, and normalisations.
fn results() -> Vec<Vec<f32>> {
    let wave = |len: usize| -> Vec<f32> { (0..len).map(|i| (i as f32 * 0.37).sin()).collect() };
    // Few channels, some, so many that Winograd's way pays; small sums and large ones.
    let shapes = [(3, 24), (33, 40), (64, 80), (192, 176)];
    let all = shapes.map(|(inputs, outputs)| {
        let (batch, input) = (9, [17, 15]);
        let [kernel, stride, padding, dilation] = [[3, 3], [1, 1], [1, 1], [1, 1]];
        let output = input;
        let sizes =
            Sizes { batch, inputs, outputs, input, kernel, stride, padding, dilation, output };
        let conv = Conv::new(sizes).unwrap();
        let x = wave(batch * inputs * 17 * 15);
        let weight = wave(outputs * inputs * 9);
        let gradient = wave(batch * outputs * 17 * 15);
        let view = View::channels_last(&x, [batch, inputs, 17, 15]);
        let dy = View::channels_last(&gradient, [batch, outputs, 17, 15]);
        let y = conv::convolve(&conv, &view, &conv.prepare(&weight), None, gemm::Epilogue::Store);
        let statistics = norm::statistics(&y, outputs);
        let deviation = statistics.inverse_deviation(1e-5);
        let ones = vec![1.0; outputs];
        let gradients =
            norm::backward(&y, &statistics.mean, &deviation, &ones, None, &gradient, false);
        vec![
            conv::input_gradient(&conv, &dy, &weight, None, gemm::Epilogue::Store),
            conv::weight_gradient(&conv, &view, &dy),
            y,
            statistics.mean,
            statistics.variance,
            gradients.x,
            gradients.gamma,
        ]
    });
    all.into_iter().flatten().collect()
}

fn on(threads: usize) -> Vec<Vec<f32>> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(results)
}

#[test]
fn the_same_bits_at_each_run_and_nearly_the_same_on_any_number_of_threads() {
    let two = on(2);
    for _ in 0..5 {
        assert!(on(2) == two, "two runs on two threads differ");
    }
    for threads in [1, 3, 8] {
        for (index, (ours, theirs)) in on(threads).iter().zip(&two).enumerate() {
            let largest = theirs.iter().fold(1f32, |most, x| most.max(x.abs()));
            let gap = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            assert!(gap <= 1e-5 * largest, "result {index} on {threads} threads is {gap} off");
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let device = Device::flex().autodiff();
    let random = |shape| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
    let weight = random([3, 2, 3, 3]).detach();
    let (gamma, beta) = (Tensor::<1>::ones([3], &device), Tensor::<1>::zeros([3], &device));
    let factor = random([2, 3, 3, 3]).detach();
    // Nothing with corners, which a step could cross.
    let network = |x: Tensor<4>| {
        let y = ops::conv2d(x, weight.clone(), None, options(1), Activation::Identity);
        let (y, _, _) =
            ops::batch_norm_train(y, gamma.clone(), beta.clone(), 1e-5, Epilogue::Identity);
        let y = ops::avg_pool2d(y, AvgPoolOptions::new([2, 2]).with_stride([2, 2]));
        (y * factor.clone()).sum()
    };
    let x = random([2, 2, 6, 6]).detach().require_grad();
    let gradient = x.grad(&network(x.clone()).backward()).unwrap();
    let gradient = gradient.into_data().try_into_vec::<f32>().unwrap();
    let values = x.clone().detach().into_data().try_into_vec::<f32>().unwrap();
    let at = |index: usize, change: f32| -> f64 {
        let mut values = values.clone();
        values[index] += change;
        let x = Tensor::from_data(TensorData::new(values, [2, 2, 6, 6]), &device);
        f64::from(network(x).into_scalar::<f32>())
    };
    for (index, &gradient) in gradient.iter().enumerate() {
        let step = 1e-2;
        let slope = (at(index, step) - at(index, -step)) / f64::from(2.0 * step);
        let gap = (slope - f64::from(gradient)).abs();
        assert!(gap < 1e-3, "place {index}: {gradient}, by differences {slope}");
    }
}

#[test]
fn nan_and_infinity_come_out_as_burn_has_them() {
    let device = Device::flex();
    let mut values: Vec<f32> = (0..2 * 20 * 6 * 6).map(|i| (i as f32 * 0.7).sin()).collect();
    (values[3], values[700], values[900]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    let x = Tensor::<4>::from_data(TensorData::new(values, [2, 20, 6, 6]), &device);
    let weight = Tensor::<4>::random([5, 20, 3, 3], Distribution::Uniform(0.1, 1.0), &device);
    let pool = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
    let pairs = [
        (
            ops::conv2d(x.clone(), weight.clone(), None, options(1), Activation::Identity),
            module::conv2d(x.clone(), weight, None, options(1)),
        ),
        (ops::relu(x.clone()), activation::relu(x.clone())),
        (ops::max_pool2d(x.clone(), pool.clone()), module::max_pool2d(x.clone(), pool)),
        (ops::global_avg_pool2d(x.clone()), module::adaptive_avg_pool2d(x, [1, 1])),
    ];
    for (index, (ours, theirs)) in pairs.into_iter().enumerate() {
        let read = |x: Tensor<4>| x.into_data().try_into_vec::<f32>().unwrap();
        for (ours, theirs) in read(ours).into_iter().zip(read(theirs)) {
            let same = ours == theirs || (ours.is_nan() && theirs.is_nan());
            assert!(same || (ours - theirs).abs() < 1e-4, "operator {index}: {ours}, not {theirs}");
        }
    }
}

#[test]
fn an_empty_batch_stays_empty() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let x = Tensor::<4>::zeros([0, 4, 8, 8], &device);
        let weight = Tensor::<4>::ones([6, 4, 3, 3], &device);
        let y = ops::conv2d(x, weight, None, options(1), Activation::Relu);
        assert_eq!(y.dims(), [0, 6, 8, 8]);
        assert_eq!(ops::relu(y).dims(), [0, 6, 8, 8]);
        let x = Tensor::<2>::zeros([0, 4], &device);
        let y = ops::linear(x, Tensor::ones([4, 3], &device), None, Activation::Relu);
        assert_eq!(y.dims(), [0, 3]);
    }
}

#[test]
fn double_precision_takes_burns_way() {
    let device = Device::flex();
    let double = burn::tensor::DType::F64;
    let x = Tensor::<4>::ones([1, 2, 4, 4], &device).cast(double);
    let weight = Tensor::<4>::ones([3, 2, 3, 3], &device).cast(double);
    let y = ops::conv2d(x, weight, None, options(0), Activation::Identity);
    assert_eq!(y.dtype(), double);
    assert_eq!(y.sum().into_scalar::<f64>(), 3.0 * 4.0 * 18.0);
}
