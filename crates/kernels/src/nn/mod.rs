//! Modules on the operators of [`ops`], with Burn's fields and records: weights go
//! either way, and each is made `from` Burn's, by Burn's configuration:
//!
//! ```
//! use burn::nn::conv::Conv2dConfig;
//! use tenfold_kernels::nn::Conv2d;
//!
//! let device = burn::tensor::Device::flex();
//! let conv = Conv2d::from(Conv2dConfig::new([3, 8], [3, 3]).init(&device));
//! let y = conv.forward(burn::Tensor::zeros([1, 3, 32, 32], &device));
//! assert_eq!(y.dims(), [1, 8, 30, 30]);
//! ```

mod recurrent;

pub use recurrent::{Gru, Lstm};

use crate::Cache;
use crate::ops::{self, Activation, Epilogue};
use burn::module::{Flag, Module, Param, RunningState};
use burn::nn::PaddingConfig2d;
use burn::tensor::Tensor;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};

/// Convolution; fields as in [`burn::nn::conv::Conv2d`].
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[outputs, inputs / groups, kernel height, kernel width]`
    pub weight: Param<Tensor<4>>,
    /// `[outputs]`
    pub bias: Option<Param<Tensor<1>>>,
    /// Pixels from one place of the kernel to the next.
    pub stride: [usize; 2],
    /// Height and width of the kernel.
    pub kernel_size: [usize; 2],
    /// Pixels from one tap of the kernel to the next.
    pub dilation: [usize; 2],
    /// Into so many groups the channels fall.
    pub groups: usize,
    /// Zeros around the image.
    #[module(skip)]
    pub padding: PaddingConfig2d,
    #[module(skip)]
    cache: Cache,
}

impl From<burn::nn::conv::Conv2d> for Conv2d {
    fn from(conv: burn::nn::conv::Conv2d) -> Self {
        let burn::nn::conv::Conv2d { weight, bias, stride, kernel_size, dilation, groups, padding } =
            conv;
        let cache = Cache::default();
        Self { weight, bias, stride, kernel_size, dilation, groups, padding, cache }
    }
}

impl Conv2d {
    /// `[batch, inputs, height, width]` to `[batch, outputs, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward_with(x, Activation::Identity)
    }

    /// The same with an activation after it.
    pub fn forward_with(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let padding = pads(&self.padding, &x, self.kernel_size, self.stride);
        let options =
            ConvOptions::new_with_padding(self.stride, padding, self.dilation, self.groups);
        let bias = self.bias.as_ref().map(Param::val);
        ops::conv2d_cached(x, self.weight.val(), bias, options, activation, &self.cache)
    }
}

/// Padding above and below, left and right.
fn pads(
    padding: &PaddingConfig2d,
    x: &Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
) -> [(usize, usize); 2] {
    let [_, _, height, width] = x.dims();
    match padding {
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(*top, *bottom), (*left, *right)],
        // As many pixels come out as go in, divided by the stride, rounded up.
        PaddingConfig2d::Same => [0, 1].map(|i| {
            let size = [height, width][i];
            let covered = (size.div_ceil(stride[i]).max(1) - 1) * stride[i] + kernel[i];
            let all = covered.saturating_sub(size);
            (all / 2, all - all / 2)
        }),
    }
}

/// Transposed convolution; fields as in [`burn::nn::conv::ConvTranspose2d`].
#[derive(Module, Debug)]
pub struct ConvTranspose2d {
    /// `[inputs, outputs / groups, kernel height, kernel width]`
    pub weight: Param<Tensor<4>>,
    /// `[outputs]`
    pub bias: Option<Param<Tensor<1>>>,
    /// Pixels from one place of the kernel to the next, in the output.
    pub stride: [usize; 2],
    /// Height and width of the kernel.
    pub kernel_size: [usize; 2],
    /// Pixels from one tap of the kernel to the next.
    pub dilation: [usize; 2],
    /// Into so many groups the channels fall.
    pub groups: usize,
    /// Pixels cut from each side of the output.
    pub padding: [usize; 2],
    /// Pixels added below and right.
    pub padding_out: [usize; 2],
    /// Inputs and outputs.
    pub channels: [usize; 2],
    #[module(skip)]
    cache: Cache,
}

impl From<burn::nn::conv::ConvTranspose2d> for ConvTranspose2d {
    fn from(conv: burn::nn::conv::ConvTranspose2d) -> Self {
        Self {
            weight: conv.weight,
            bias: conv.bias,
            stride: conv.stride,
            kernel_size: conv.kernel_size,
            dilation: conv.dilation,
            groups: conv.groups,
            padding: conv.padding,
            padding_out: conv.padding_out,
            channels: conv.channels,
            cache: Cache::default(),
        }
    }
}

impl ConvTranspose2d {
    /// `[batch, inputs, height, width]` to `[batch, outputs, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        let options = ConvTransposeOptions::new(
            self.stride,
            self.padding,
            self.padding_out,
            self.dilation,
            self.groups,
        );
        ops::conv_transpose2d_cached(x, self.weight.val(), bias, options, &self.cache)
    }
}

/// Batch normalisation; fields as in [`burn::nn::BatchNorm`].
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[channels]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[channels]`.
    pub beta: Param<Tensor<1>>,
    /// Whether the layer learns, where gradients are computed at all.
    pub training: Param<Flag>,
    /// Running mean, `[channels]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running biased variance, `[channels]`.
    pub running_var: RunningState<Tensor<1>>,
    /// How much of the batch's statistics goes into the running ones.
    pub momentum: f64,
    /// Added to the variance.
    pub epsilon: f64,
}

impl From<burn::nn::BatchNorm> for BatchNorm {
    fn from(norm: burn::nn::BatchNorm) -> Self {
        let burn::nn::BatchNorm {
            gamma,
            beta,
            training,
            running_mean,
            running_var,
            momentum,
            epsilon,
        } = norm;
        Self { gamma, beta, training, running_mean, running_var, momentum, epsilon }
    }
}

impl BatchNorm {
    /// `[batch, channels, height, width]` to the same.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward_with(x, Epilogue::Identity)
    }

    /// The same, and what follows it.
    pub fn forward_with(&self, x: Tensor<4>, follow: Epilogue) -> Tensor<4> {
        let device = x.device();
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        if !(device.is_autodiff() && self.training.is_enabled()) {
            let mean = self.running_mean.value().to_device(&device);
            let variance = self.running_var.value().to_device(&device);
            return ops::batch_norm(x, gamma, beta, mean, variance, self.epsilon, follow);
        }
        let (y, mean, variance) = ops::batch_norm_train(x, gamma, beta, self.epsilon, follow);
        let update = |running: &RunningState<Tensor<1>>, new: Tensor<1>| {
            let old = running.value_sync().to_device(&device);
            let old = old.mul_scalar(1.0 - self.momentum);
            running.update(old.add(new.mul_scalar(self.momentum)).detach());
        };
        update(&self.running_mean, mean);
        update(&self.running_var, variance);
        y
    }
}

/// Fully connected layer; fields as in [`burn::nn::Linear`].
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    cache: Cache,
}

impl From<burn::nn::Linear> for Linear {
    fn from(burn::nn::Linear { weight, bias }: burn::nn::Linear) -> Self {
        Self { weight, bias, cache: Cache::default() }
    }
}

impl Linear {
    /// `[..., inputs]` to `[..., outputs]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward_with(x, Activation::Identity)
    }

    /// The same with an activation after it.
    pub fn forward_with<const D: usize>(&self, x: Tensor<D>, activation: Activation) -> Tensor<D> {
        let bias = self.bias.as_ref().map(Param::val);
        ops::linear_cached(x, self.weight.val(), bias, activation, &self.cache)
    }
}

/// Maxima of neighbours; fields as in [`burn::nn::pool::MaxPool2d`].
#[derive(Module, Debug)]
pub struct MaxPool2d {
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Height and width of a window.
    pub kernel_size: [usize; 2],
    /// Pixels around the image, less than any other.
    #[module(skip)]
    pub padding: PaddingConfig2d,
    /// Pixels from one place of the window to the next.
    pub dilation: [usize; 2],
    /// Whether a window may hang over the end.
    pub ceil_mode: bool,
}

impl From<burn::nn::pool::MaxPool2d> for MaxPool2d {
    fn from(pool: burn::nn::pool::MaxPool2d) -> Self {
        let burn::nn::pool::MaxPool2d { stride, kernel_size, padding, dilation, ceil_mode } = pool;
        Self { stride, kernel_size, padding, dilation, ceil_mode }
    }
}

impl MaxPool2d {
    /// `[batch, channels, height, width]` to the same with smaller maps.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = MaxPoolOptions::new(self.kernel_size)
            .with_stride(self.stride)
            .with_padding_pairs(pads(&self.padding, &x, self.kernel_size, self.stride))
            .with_dilation(self.dilation)
            .with_ceil_mode(self.ceil_mode);
        ops::max_pool2d(x, options)
    }
}

/// Means of neighbours; fields as in [`burn::nn::pool::AvgPool2d`].
#[derive(Module, Debug)]
pub struct AvgPool2d {
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Height and width of a window.
    pub kernel_size: [usize; 2],
    /// Zeros around the image.
    #[module(skip)]
    pub padding: PaddingConfig2d,
    /// Whether these zeros count.
    pub count_include_pad: bool,
    /// Whether a window may hang over the end.
    pub ceil_mode: bool,
}

impl From<burn::nn::pool::AvgPool2d> for AvgPool2d {
    fn from(pool: burn::nn::pool::AvgPool2d) -> Self {
        Self {
            stride: pool.stride,
            kernel_size: pool.kernel_size,
            padding: pool.padding.clone(),
            count_include_pad: pool.count_include_pad,
            ceil_mode: pool.ceil_mode,
        }
    }
}

impl AvgPool2d {
    /// `[batch, channels, height, width]` to the same with smaller maps.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = AvgPoolOptions::new(self.kernel_size)
            .with_stride(self.stride)
            .with_padding_pairs(pads(&self.padding, &x, self.kernel_size, self.stride))
            .with_count_include_pad(self.count_include_pad)
            .with_ceil_mode(self.ceil_mode);
        ops::avg_pool2d(x, options)
    }
}
