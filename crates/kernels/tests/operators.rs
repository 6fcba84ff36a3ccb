//! Every operator against Burn's own, forward and all gradients, on shapes drawn at random.

use burn::nn::conv::ConvTranspose2dConfig;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use burn::tensor::{Device, Distribution, Tensor, activation, module};
use proptest::prelude::*;
use tenfold_kernels::Cache;
use tenfold_kernels::nn::ConvTranspose2d;
use tenfold_kernels::ops::{self, Activation, Epilogue};

/// With and without recomputation in the backward pass.
fn devices() -> [Device; 2] {
    let device = Device::flex().autodiff();
    [device.clone(), device.gradient_checkpointing()]
}

/// Numbers between -1 and 1, no two of them equal: of equal ones, a maximum may choose any.
fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    if count == 0 {
        return Tensor::zeros(shape, device).require_grad();
    }
    let order = Tensor::<1>::random([count], Distribution::Default, device).argsort(0);
    // None of them is 0, where derivatives are a matter of taste.
    let values = (order.float() + 0.25) * (2.0 / count as f64) - 1.0;
    values.reshape(shape).detach().require_grad()
}

/// The largest difference, as a part of the largest value.
fn difference<const D: usize>(ours: Tensor<D>, theirs: Tensor<D>) -> f32 {
    assert_eq!(ours.dims(), theirs.dims());
    if ours.dims().contains(&0) {
        return 0.0;
    }
    let largest = theirs.clone().abs().max().into_scalar::<f32>().max(1.0);
    (ours - theirs).abs().max().into_scalar::<f32>() / largest
}

/// Values and gradients agree, in both modes of recomputation; the gradients are those of the
/// products with one fixed random tensor.
fn agree<const N: usize, const D: usize>(
    x: [usize; 4],
    others: [Tensor<D>; N],
    ours: impl Fn(Tensor<4>, [Tensor<D>; N]) -> Tensor<4>,
    theirs: impl Fn(Tensor<4>, [Tensor<D>; N]) -> Tensor<4>,
) {
    for device in devices() {
        let x = random(x, &device);
        let others =
            others.clone().map(|other| Tensor::from_data(other.to_data(), &device).require_grad());
        let mine = ours(x.clone(), others.clone());
        let burns = theirs(x.clone(), others.clone());
        let gap = difference(mine.clone().inner(), burns.clone().inner());
        assert!(gap < 1e-5, "values differ by {gap}");
        // A sum near zero may be a hair above it for one and a hair below it for the other, and
        // ReLU's slope there is a matter of taste.
        let above = |y: &Tensor<4>| y.clone().inner().greater_elem(0.0);
        let same = above(&mine).equal(above(&burns)).float();
        let factor = same.random_like(Distribution::Uniform(-1.0, 1.0)) * same;
        let factor = Tensor::from_data(factor.into_data(), &device);
        let mine = (mine * factor.clone()).sum().backward();
        let burns = (burns * factor).sum().backward();
        let gap = difference(x.grad(&mine).unwrap(), x.grad(&burns).unwrap());
        assert!(gap < 2e-5, "gradients of the input differ by {gap}");
        for (index, other) in others.iter().enumerate() {
            let gap = difference(other.grad(&mine).unwrap(), other.grad(&burns).unwrap());
            assert!(gap < 2e-5, "gradients of parameter {index} differ by {gap}");
        }
    }
}

fn relu_if(relu: bool, x: Tensor<4>) -> Tensor<4> {
    if relu { activation::relu(x) } else { x }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn conv2d(
        batch in 0usize..5, inputs in 1usize..40, outputs in 1usize..70, sides in [1usize..13, 1usize..13],
        kernel in [1usize..5, 1usize..5], stride in [1usize..4, 1usize..4],
        padding in [(0usize..4, 0usize..4), (0usize..4, 0usize..4)], dilation in [1usize..3, 1usize..3],
        relu: bool, transposed: bool,
    ) {
        let fits = (0..2).all(|i| sides[i] + padding[i].0 + padding[i].1 > dilation[i] * (kernel[i] - 1));
        prop_assume!(fits && batch > 0);
        let device = Device::flex();
        let weight = Tensor::<4>::random([outputs, inputs, kernel[0], kernel[1]], Distribution::Default, &device);
        let options = ConvOptions::new_with_padding(stride, padding, dilation, 1);
        let activation = if relu { Activation::Relu } else { Activation::Identity };
        // A view whose height and width have changed places, and back again.
        let turn = |x: Tensor<4>| if transposed { (x * 1.5).swap_dims(2, 3) } else { x };
        let sides = if transposed { [sides[1], sides[0]] } else { sides };
        agree(
            [batch, inputs, sides[0], sides[1]],
            [weight],
            |x, [w]| ops::conv2d(turn(x), w, None, options.clone(), activation),
            |x, [w]| relu_if(relu, module::conv2d(turn(x), w, None, options.clone())),
        );
        let bias = Tensor::<1>::random([outputs], Distribution::Default, &device);
        let weight = Tensor::<4>::random([outputs, inputs, kernel[0], kernel[1]], Distribution::Default, &device.autodiff());
        agree(
            [batch, inputs, sides[0], sides[1]],
            [bias],
            |x, [b]| { let w = Tensor::from_data(weight.to_data(), &x.device()); ops::conv2d(turn(x), w, Some(b), options.clone(), activation) },
            |x, [b]| { let w = Tensor::from_data(weight.to_data(), &x.device()); relu_if(relu, module::conv2d(turn(x), w, Some(b), options.clone())) },
        );
    }

    #[test]
    fn conv2d_in_fewer_multiplications(
        batch in 4usize..9, inputs in 4usize..6, outputs in 4usize..7, sides in [9usize..17, 9usize..17],
        padding in [(0usize..3, 0usize..3), (0usize..3, 0usize..3)],
    ) {
        let (inputs, outputs) = (16 * inputs, 16 * outputs);
        let device = Device::flex();
        let weight = Tensor::<4>::random([outputs, inputs, 3, 3], Distribution::Uniform(-1.0, 1.0), &device);
        let options = ConvOptions::new_with_padding([1, 1], padding, [1, 1], 1);
        // Without ReLU: the sign of a sum near zero depends on how it is added up.
        let none = Activation::Identity;
        agree(
            [batch, inputs, sides[0], sides[1]],
            [weight],
            |x, [w]| ops::conv2d(x, w, None, options.clone(), none),
            |x, [w]| module::conv2d(x, w, None, options.clone()),
        );
        let x = Tensor::<4>::random([batch, inputs, sides[0], sides[1]], Distribution::Uniform(-1.0, 1.0), &device);
        let weight = Tensor::<4>::random([outputs, inputs, 3, 3], Distribution::Uniform(-1.0, 1.0), &device);
        let bias = Tensor::<1>::random([outputs], Distribution::Uniform(-1.0, 1.0), &device);
        let ours = ops::conv2d(x.clone(), weight.clone(), Some(bias.clone()), options.clone(), Activation::Relu);
        let theirs = activation::relu(module::conv2d(x, weight, Some(bias), options));
        prop_assert!(difference(ours, theirs) < 1e-5);
    }

    #[test]
    fn conv_transpose2d(
        batch in 1usize..4, inputs in 1usize..20, outputs in 1usize..40, sides in [1usize..8, 1usize..8],
        kernel in [1usize..5, 1usize..5], stride in [1usize..4, 1usize..4], padding in [0usize..3, 0usize..3],
        dilation in [1usize..3, 1usize..3],
    ) {
        let out = |i: usize| ((sides[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1).checked_sub(2 * padding[i]);
        prop_assume!((0..2).all(|i| out(i).is_some_and(|out| out > 0)));
        let weight = Tensor::<4>::random([inputs, outputs, kernel[0], kernel[1]], Distribution::Default, &Device::flex());
        let more = stride.map(|stride| stride - 1);
        let options = ConvTransposeOptions::new(stride, padding, more, dilation, 1);
        agree(
            [batch, inputs, sides[0], sides[1]],
            [weight],
            |x, [w]| ops::conv_transpose2d(x, w, None, options.clone()),
            |x, [w]| module::conv_transpose2d(x, w, None, options.clone()),
        );
    }

    #[test]
    fn a_kernel_that_covers_the_picture_just_once(
        batch in 1usize..4, inputs in 1usize..20, outputs in 1usize..40,
        kernel in [1usize..5, 1usize..5], stride in 1usize..3,
    ) {
        let device = Device::flex();
        let weight = Tensor::<4>::random([inputs, outputs, kernel[0], kernel[1]], Distribution::Default, &device);
        let options = ConvTransposeOptions::new([stride; 2], [0; 2], [0; 2], [1; 2], 1);
        agree(
            [batch, inputs, 1, 1],
            [weight],
            |x, [w]| ops::conv_transpose2d(x, w, None, options.clone()),
            |x, [w]| module::conv_transpose2d(x, w, None, options.clone()),
        );
        let weight = Tensor::<4>::random([outputs, inputs, kernel[0], kernel[1]], Distribution::Default, &device);
        let options = ConvOptions::new_with_padding([stride; 2], [(0, 0); 2], [1; 2], 1);
        agree(
            [batch, inputs, kernel[0], kernel[1]],
            [weight],
            |x, [w]| ops::conv2d(x, w, None, options.clone(), Activation::Identity),
            |x, [w]| module::conv2d(x, w, None, options.clone()),
        );
    }

    #[test]
    fn transposed_with_bias_from_kept_weights(
        batch in 1usize..4, inputs in 1usize..20, outputs in 1usize..40, sides in [1usize..6, 1usize..6],
        kernel in 1usize..5, stride in 1usize..3,
    ) {
        let device = Device::flex();
        let config = ConvTranspose2dConfig::new([inputs, outputs], [kernel; 2]).with_stride([stride; 2]);
        let mut ours = ConvTranspose2d::from(config.init(&device));
        let x = Tensor::<4>::random([batch, inputs, sides[0], sides[1]], Distribution::Default, &device);
        for _ in 0..2 {
            // New weights must not be taken for those that are kept.
            let theirs = config.init(&device);
            (ours.weight, ours.bias) = (theirs.weight.clone(), theirs.bias.clone());
            for _ in 0..2 {
                prop_assert!(difference(ours.forward(x.clone()), theirs.forward(x.clone())) < 1e-5);
            }
        }
    }

    /// A table is read as it lies and turned, by one cache: neither may be taken for the other.
    #[test]
    fn linear_with_kept_weights_that_lie_turned(rows in 1usize..20, side in 1usize..70) {
        let device = Device::flex();
        let cache = Cache::default();
        let x = Tensor::<2>::random([rows, side], Distribution::Default, &device);
        for _ in 0..2 {
            let table = Tensor::<2>::random([side, side], Distribution::Default, &device);
            for turned in [true, true, false, true] {
                let weight = if turned { table.clone().transpose() } else { table.clone() };
                let ours = ops::linear_cached(
                    x.clone(), weight.clone(), None, Activation::Identity, &cache,
                );
                prop_assert!(difference(ours, x.clone().matmul(weight)) < 1e-5);
            }
        }
    }

    #[test]
    fn cat_channels(batch in 1usize..4, channels in 1usize..40, sides in [1usize..9, 1usize..9], kept: bool) {
        let conv = Tensor::<4>::random([7, channels, 1, 1], Distribution::Default, &Device::flex());
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let second = |x: Tensor<4>, w: Tensor<4>| if kept { x * 0.5 } else { module::conv2d(x, w, None, options.clone()) };
        agree(
            [batch, channels, sides[0], sides[1]],
            [conv],
            |x, [w]| ops::cat_channels(x.clone(), second(x, w.clone())) * w.sum().reshape([1, 1, 1, 1]),
            |x, [w]| Tensor::cat(vec![x.clone(), second(x, w.clone())], 1) * w.sum().reshape([1, 1, 1, 1]),
        );
    }

    #[test]
    fn batch_norm(batch in 1usize..5, channels in 1usize..70, sides in [1usize..9, 1usize..9], kind in 0usize..3, turned: bool) {
        prop_assume!(batch * sides[0] * sides[1] > 8);
        let device = Device::flex();
        let parameters = [(); 2].map(|()| Tensor::<1>::random([channels], Distribution::Uniform(0.5, 1.5), &device));
        let follow = |x: &Tensor<4>| match kind {
            0 => Epilogue::Identity,
            1 => Epilogue::Relu,
            _ => Epilogue::AddRelu(x.clone() * 0.5 + 0.1),
        };
        let turn = |x: Tensor<4>| if turned { (x * 1.5).swap_dims(2, 3) } else { x };
        agree(
            [batch, channels, sides[0], sides[1]],
            parameters,
            |x, [g, b]| { let x = turn(x); let f = follow(&x); ops::batch_norm_train(x, g, b, 1e-5, f).0 },
            |x, [g, b]| {
                let x = turn(x);
                let y = module::batch_norm_train(x.clone(), g, b, 1e-5).output;
                match kind { 0 => y, 1 => activation::relu(y), _ => activation::relu(y + (x * 0.5 + 0.1)) }
            },
        );
    }

    #[test]
    fn pools(
        batch in 1usize..4, channels in 1usize..40, sides in [1usize..12, 1usize..12], kernel in [1usize..4, 1usize..4],
        stride in [1usize..4, 1usize..4], pad: bool, ceil: bool, count: bool,
    ) {
        let padding = kernel.map(|side| if pad { side / 2 } else { 0 });
        prop_assume!((0..2).all(|i| sides[i] + 2 * padding[i] >= kernel[i]));
        let x = [batch, channels, sides[0], sides[1]];
        let pairs = padding.map(|padding| (padding, padding));
        let max = MaxPoolOptions::new(kernel).with_stride(stride).with_padding_pairs(pairs).with_ceil_mode(ceil);
        agree::<0, 1>(x, [], |x, []| ops::max_pool2d(x, max.clone()), |x, []| module::max_pool2d(x, max.clone()));
        let mean = AvgPoolOptions::new(kernel).with_stride(stride).with_padding_pairs(pairs)
            .with_count_include_pad(count).with_ceil_mode(ceil);
        agree::<0, 1>(x, [], |x, []| ops::avg_pool2d(x, mean.clone()), |x, []| module::avg_pool2d(x, mean.clone()));
        agree::<0, 1>(x, [], |x, []| ops::global_avg_pool2d(x), |x, []| module::adaptive_avg_pool2d(x, [1, 1]));
        agree::<0, 1>(x, [], |x, []| ops::relu(x), |x, []| activation::relu(x));
        agree::<0, 1>(x, [], |x, []| ops::leaky_relu(x, 0.2), |x, []| activation::leaky_relu(x, 0.2));
    }

    #[test]
    fn linear(rows in 1usize..70, inputs in 1usize..90, outputs in 1usize..90, relu: bool) {
        let device = Device::flex();
        let weight = Tensor::<2>::random([inputs, outputs], Distribution::Default, &device);
        let activation = if relu { Activation::Relu } else { Activation::Identity };
        agree(
            [1, 2, rows, inputs],
            [weight],
            |x, [w]| ops::linear(x, w, None, activation),
            |x, [w]| relu_if(relu, module::linear(x, w, None)),
        );
    }

    /// Long rows that are mostly zeros go another way; a few of these are too full for it.
    #[test]
    fn linear_of_rows_mostly_zero(rows in 1usize..70, inputs in 256usize..700, outputs in 1usize..140, rare in 7f64..60.0, relu: bool) {
        let device = Device::flex();
        let weight = Tensor::<2>::random([inputs, outputs], Distribution::Default, &device);
        let activation = if relu { Activation::Relu } else { Activation::Identity };
        let drawn = Tensor::<4>::random([1, 2, rows, inputs], Distribution::Default, &device);
        let kept = drawn.lower_elem(1.0 / rare).float();
        let sift = |x: Tensor<4>| x.clone() * Tensor::from_data(kept.to_data(), &x.device());
        // At zero, where a rectifier bends, another rounding may take the other side.
        let far = |x: &Tensor<4>, w: &Tensor<2>| {
            module::linear(sift(x.clone()), w.clone(), None).abs().greater_elem(1e-4).float().detach()
        };
        agree(
            [1, 2, rows, inputs],
            [weight],
            |x, [w]| far(&x, &w) * ops::linear(sift(x), w, None, activation),
            |x, [w]| far(&x, &w) * relu_if(relu, module::linear(sift(x), w, None)),
        );
    }
}

/// Weights too many to be packed, for which few rows go another way than many, and turned ones.
#[test]
fn linear_of_many_weights() {
    let device = Device::flex();
    let weight = Tensor::<2>::random([4101, 4100], Distribution::Default, &device) - 0.5;
    let bias = Tensor::<1>::random([4100], Distribution::Default, &device);
    for (rows, relu) in [(1, false), (3, true), (33, true)] {
        let x = Tensor::<2>::random([rows, 4101], Distribution::Default, &device) - 0.5;
        let activation = if relu { Activation::Relu } else { Activation::Identity };
        let cache = Cache::default();
        let ours = |weight: Tensor<2>| {
            ops::linear_cached(x.clone(), weight, Some(bias.clone()), activation, &cache)
        };
        let burns = module::linear(x.clone(), weight.clone(), Some(bias.clone()));
        let burns = if relu { activation::relu(burns) } else { burns };
        assert!(difference(ours(weight.clone()), burns.clone()) < 1e-5);
        if rows == 3 {
            let turned = weight.clone().transpose().to_data();
            let turned = Tensor::<2>::from_data(turned, &device).transpose();
            assert!(difference(ours(turned), burns) < 1e-5);
        }
    }
}

/// All of these tests once more with the instructions of lesser processors.
#[test]
fn narrower_instructions_do_the_same() {
    for isa in ["avx2", "portable"] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--skip", "narrower_instructions"])
            .env("TENFOLD_ISA", isa)
            .output()
            .unwrap();
        assert!(output.status.success(), "{isa}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
