//! Convolutions.

use super::Activation;
use crate::Cache;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, activation, module};

/// Convolution of `x`, `[batch, inputs, height, width]`, with `weight`,
/// `[outputs, inputs / groups, kernel height, kernel width]`, and `bias`, `[outputs]`.
///
/// # Panics
/// Where shapes do not fit, as Burn's own.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    activation: Activation,
) -> Tensor<4> {
    conv2d_cached(x, weight, bias, options, activation, &Cache::default())
}

/// The same, with weights kept packed from one inference to the next.
///
/// # Panics
/// Where shapes do not fit, as Burn's own.
pub fn conv2d_cached(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    activation: Activation,
    cache: &Cache,
) -> Tensor<4> {
    #[cfg(not(feature = "flex"))]
    let _ = cache;
    #[cfg(feature = "flex")]
    let (x, weight, bias) = match fast::conv2d(x, weight, bias, &options, activation, cache) {
        Ok(y) => return y,
        Err(operands) => operands,
    };
    let y = module::conv2d(x, weight, bias, options);
    if activation == Activation::Relu { activation::relu(y) } else { y }
}

/// Transposed convolution of `x`, `[batch, inputs, height, width]`, with `weight`,
/// `[inputs, outputs / groups, kernel height, kernel width]`, and `bias`, `[outputs]`.
///
/// # Panics
/// Where shapes do not fit, as Burn's own.
pub fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvTransposeOptions<2>,
) -> Tensor<4> {
    conv_transpose2d_cached(x, weight, bias, options, &Cache::default())
}

/// The same, with weights kept packed from one inference to the next.
///
/// # Panics
/// Where shapes do not fit, as Burn's own.
pub fn conv_transpose2d_cached(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvTransposeOptions<2>,
    cache: &Cache,
) -> Tensor<4> {
    #[cfg(not(feature = "flex"))]
    let _ = cache;
    #[cfg(feature = "flex")]
    let (x, weight, bias) = match fast::conv_transpose2d(x, weight, bias, &options, cache) {
        Ok(y) => return y,
        Err(operands) => operands,
    };
    module::conv_transpose2d(x, weight, bias, options)
}

#[cfg(feature = "flex")]
mod fast {
    use super::*;
    use crate::raw::conv::{self, Conv, Prepared, PreparedTransposed, Sizes};
    use crate::raw::gemm::Epilogue;
    use crate::raw::pool;
    use crate::route::{self, Operand, Operator};
    use burn_flex::FlexTensor;

    type Operands = (Tensor<4>, Tensor<4>, Option<Tensor<1>>);

    /// Convolution, or its transpose; the third input is the bias, if there is one.
    #[derive(Clone, Debug)]
    struct Convolution {
        shape: Conv,
        transposed: bool,
        relu: bool,
        /// Where nothing is trained.
        cache: Option<Cache>,
    }

    /// Runs it where operators reach the operands; else hands them back.
    fn run(operator: Convolution, (x, weight, bias): Operands) -> Result<Tensor<4>, Operands> {
        let operands = [Operand::new(x.clone()), Operand::new(weight.clone())];
        if !route::reaches(&operands) {
            return Err((x, weight, bias));
        }
        let [first, second] = operands;
        let Some(bias) = bias else {
            return Ok(route::apply(operator, [first, second]));
        };
        let operands = [first, second, Operand::new(bias.clone())];
        if !route::reaches(&operands) {
            return Err((x, weight, Some(bias)));
        }
        drop((x, weight, bias));
        Ok(route::apply(operator, operands))
    }

    pub(super) fn conv2d(
        x: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: &ConvOptions<2>,
        activation: Activation,
        cache: &Cache,
    ) -> Result<Tensor<4>, Operands> {
        let [batch, inputs, height, width] = x.dims();
        let [outputs, channels, kernel_height, kernel_width] = weight.dims();
        let (input, kernel) = ([height, width], [kernel_height, kernel_width]);
        let fits = options.groups == 1 && channels == inputs && kernel.iter().all(|&side| side > 0);
        let padded = [0, 1].map(|i| input[i] + options.padding[i].0 + options.padding[i].1);
        let reach = [0, 1].map(|i| options.dilation[i] * (kernel[i].max(1) - 1) + 1);
        if !fits || (0..2).any(|i| reach[i] > padded[i] || options.stride[i] == 0) {
            return Err((x, weight, bias));
        }
        let shape = Conv::new(Sizes {
            batch,
            inputs,
            outputs,
            input,
            kernel,
            stride: options.stride,
            padding: options.padding.map(|(before, _)| before),
            dilation: options.dilation,
            output: [0, 1].map(|i| (padded[i] - reach[i]) / options.stride[i] + 1),
        });
        let Some(shape) = shape else {
            return Err((x, weight, bias));
        };
        let relu = activation == Activation::Relu;
        let cache = (!x.device().is_autodiff()).then(|| cache.clone());
        run(Convolution { shape, transposed: false, relu, cache }, (x, weight, bias))
    }

    pub(super) fn conv_transpose2d(
        x: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: &ConvTransposeOptions<2>,
        cache: &Cache,
    ) -> Result<Tensor<4>, Operands> {
        let [batch, inputs, height, width] = x.dims();
        let [channels, outputs, kernel_height, kernel_width] = weight.dims();
        let (input, kernel) = ([height, width], [kernel_height, kernel_width]);
        let fits = options.groups == 1 && channels == inputs && kernel.iter().all(|&side| side > 0);
        let output = [0, 1].map(|i| {
            let reach = options.dilation[i] * (kernel[i].max(1) - 1) + 1 + options.padding_out[i];
            (input[i].max(1) - 1) * options.stride[i] + reach
        });
        let cut = options.padding.map(|padding| 2 * padding);
        if !fits || (0..2).any(|i| output[i] <= cut[i] || input[i] == 0 || options.stride[i] == 0) {
            return Err((x, weight, bias));
        }
        // The transpose of a convolution from the larger image to the smaller.
        let shape = Conv::new(Sizes {
            batch,
            inputs: outputs,
            outputs: inputs,
            input: [0, 1].map(|i| output[i] - cut[i]),
            kernel,
            stride: options.stride,
            padding: options.padding,
            dilation: options.dilation,
            output: input,
        });
        let Some(shape) = shape else {
            return Err((x, weight, bias));
        };
        let cache = (!x.device().is_autodiff()).then(|| cache.clone());
        let operator = Convolution { shape, transposed: true, relu: false, cache };
        run(operator, (x, weight, bias))
    }

    impl Convolution {
        fn finish(&self) -> Epilogue {
            if self.relu { Epilogue::Relu } else { Epilogue::Store }
        }

        fn large(&self) -> [usize; 4] {
            let Sizes { batch, inputs, input: [height, width], .. } = *self.shape;
            [batch, inputs, height, width]
        }

        fn small(&self) -> [usize; 4] {
            let Sizes { batch, outputs, output: [height, width], .. } = *self.shape;
            [batch, outputs, height, width]
        }

        fn compute(
            &self,
            x: &FlexTensor,
            weight: &FlexTensor,
            bias: Option<&FlexTensor>,
        ) -> FlexTensor {
            let x = route::view(x);
            let bias = bias.map(route::slice);
            let weights = std::slice::from_ref(weight);
            if self.transposed {
                let prepare = || self.shape.prepare_transposed(route::slice(weight));
                let suits = |kept: &PreparedTransposed| kept.suits(&self.shape);
                let prepared = match &self.cache {
                    Some(cache) => cache.get(weights, suits, prepare),
                    None => prepare().into(),
                };
                let y = conv::transposed(&self.shape, &x, &prepared, bias, self.finish());
                route::channels_last(y, self.large())
            } else {
                let prepare = || self.shape.prepare(route::slice(weight));
                let suits = |kept: &Prepared| kept.suits(&self.shape);
                let prepared = match &self.cache {
                    Some(cache) => cache.get(weights, suits, prepare),
                    None => prepare().into(),
                };
                let y = conv::convolve(&self.shape, &x, &prepared, bias, self.finish());
                route::channels_last(y, self.small())
            }
        }
    }

    impl<const N: usize> Operator<N> for Convolution {
        /// Input, weights, and the output where a ReLU made some of it zero.
        type Saved = (FlexTensor, FlexTensor, Option<FlexTensor>);

        fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved) {
            let mut inputs = inputs.into_iter();
            let x = route::forwards(inputs.next().expect("an input"));
            let weight = route::contiguous(inputs.next().expect("weights"));
            let bias = inputs.next().map(route::contiguous);
            let y = self.compute(&x, &weight, bias.as_ref());
            let kept = self.relu.then(|| y.clone());
            (y, (x, weight, kept))
        }

        fn backward(
            &self,
            (x, weight, y): Self::Saved,
            gradient: FlexTensor,
            wanted: [bool; N],
        ) -> [Option<FlexTensor>; N] {
            let shape = &self.shape;
            let gradient = match y {
                None => route::forwards(gradient),
                Some(y) => {
                    let gradient = route::to_channels_last(gradient);
                    let masked =
                        pool::relu_backward(route::slice(&y), route::slice(&gradient), 0.0);
                    route::channels_last(masked, self.small())
                }
            };
            let (x, dy) = (route::view(&x), route::view(&gradient));
            let weights = route::slice(&weight);
            std::array::from_fn(|index| {
                wanted[index].then(|| match (index, self.transposed) {
                    (0, false) => {
                        let dx = conv::input_gradient(shape, &dy, weights, None, Epilogue::Store);
                        route::channels_last(dx, self.large())
                    }
                    (0, true) => {
                        let dx = conv::convolve(
                            shape,
                            &dy,
                            &shape.prepare(weights),
                            None,
                            Epilogue::Store,
                        );
                        route::channels_last(dx, self.small())
                    }
                    (1, false) => route::primitive(
                        conv::weight_gradient(shape, &x, &dy),
                        weight.layout().shape().clone(),
                    ),
                    (1, true) => route::primitive(
                        conv::weight_gradient(shape, &dy, &x),
                        weight.layout().shape().clone(),
                    ),
                    _ => {
                        let sums = conv::bias_gradient(&dy);
                        let len = sums.len();
                        route::primitive(sums, [len])
                    }
                })
            })
        }
    }
}
