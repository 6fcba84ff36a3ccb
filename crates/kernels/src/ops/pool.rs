//! Pooling.

use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Tensor, module};

/// Maxima of neighbours: `[batch, channels, height, width]` to the same with smaller maps.
///
/// # Panics
/// Where a window does not fit, as Burn's own.
pub fn max_pool2d(x: Tensor<4>, options: MaxPoolOptions<2>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    let x = match fast::max(x, &options) {
        Ok(y) => return y,
        Err(x) => x,
    };
    module::max_pool2d(x, options)
}

/// Means of neighbours: `[batch, channels, height, width]` to the same with smaller maps.
///
/// # Panics
/// Where a window does not fit, as Burn's own.
pub fn avg_pool2d(x: Tensor<4>, options: AvgPoolOptions<2>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    let x = match fast::mean(x, &options) {
        Ok(y) => return y,
        Err(x) => x,
    };
    module::avg_pool2d(x, options)
}

/// The mean of each map: `[batch, channels, height, width]` to `[batch, channels, 1, 1]`.
pub fn global_avg_pool2d(x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    let x = match fast::global(x) {
        Ok(y) => return y,
        Err(x) => x,
    };
    module::adaptive_avg_pool2d(x, [1, 1])
}

#[cfg(feature = "flex")]
mod fast {
    use super::*;
    use crate::raw::pool::{self, Pool, Sizes};
    use crate::route::{self, Operand, Operator};
    use burn_flex::FlexTensor;

    /// The shape, where windows and padding are plain.
    fn shape(
        x: &Tensor<4>,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [(usize, usize); 2],
    ) -> Option<Pool> {
        let [batch, channels, height, width] = x.dims();
        let input = [height, width];
        let output = |i: usize| {
            let (before, after) = padding[i];
            let beyond = (input[i] + before + after).checked_sub(kernel[i]);
            beyond?.checked_div(stride[i]).filter(|_| before == after).map(|steps| steps + 1)
        };
        let sizes = Sizes {
            batch,
            channels,
            input,
            kernel,
            stride,
            padding: padding.map(|(before, _)| before),
            output: [output(0)?, output(1)?],
        };
        let fits = batch * channels > 0 && kernel[0] * kernel[1] <= 256;
        Pool::new(sizes).filter(|_| fits)
    }

    fn run(kind: Kind, shape: Option<Pool>, x: Tensor<4>) -> Result<Tensor<4>, Tensor<4>> {
        let operands = [Operand::new(x.clone())];
        match shape {
            Some(shape) if route::reaches(&operands) => {
                drop(x);
                Ok(route::apply(Pooling { kind, shape }, operands))
            }
            _ => Err(x),
        }
    }

    pub(super) fn max(x: Tensor<4>, options: &MaxPoolOptions<2>) -> Result<Tensor<4>, Tensor<4>> {
        let plain = options.dilation == [1, 1];
        let shape = plain
            .then(|| shape(&x, options.kernel_size, options.stride, options.padding))
            .flatten();
        // Where the last window would only just not fit, rounding up changes nothing.
        let shape = shape.filter(|shape| !options.ceil_mode || even(shape));
        run(Kind::Max, shape, x)
    }

    pub(super) fn mean(x: Tensor<4>, options: &AvgPoolOptions<2>) -> Result<Tensor<4>, Tensor<4>> {
        let shape = shape(&x, options.kernel_size, options.stride, options.padding);
        let shape = shape.filter(|shape| !options.ceil_mode || even(shape));
        run(Kind::Mean { count_padding: options.count_include_pad }, shape, x)
    }

    /// Whether the windows end where the image does.
    fn even(shape: &Pool) -> bool {
        (0..2).all(|i| {
            (shape.input[i] + 2 * shape.padding[i] - shape.kernel[i])
                .is_multiple_of(shape.stride[i])
        })
    }

    pub(super) fn global(x: Tensor<4>) -> Result<Tensor<4>, Tensor<4>> {
        let [batch, channels, height, width] = x.dims();
        let sizes = Sizes {
            batch,
            channels,
            input: [height, width],
            kernel: [height, width],
            stride: [1, 1],
            padding: [0, 0],
            output: [1, 1],
        };
        let shape = Pool::new(sizes).filter(|_| !x.dims().contains(&0));
        run(Kind::Mean { count_padding: true }, shape, x)
    }

    #[derive(Clone, Copy, Debug)]
    enum Kind {
        Max,
        Mean { count_padding: bool },
    }

    #[derive(Clone, Debug)]
    struct Pooling {
        kind: Kind,
        shape: Pool,
    }

    impl Operator<1> for Pooling {
        /// Of a maximum, its place in the window.
        type Saved = Vec<u8>;

        fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, Vec<u8>) {
            let x = route::to_channels_last(x);
            let Sizes { batch, channels, output: [height, width], .. } = *self.shape;
            let (y, places) = match self.kind {
                Kind::Max => pool::max_forward(&self.shape, route::slice(&x)),
                Kind::Mean { count_padding } => {
                    (pool::mean_forward(&self.shape, route::slice(&x), count_padding), Vec::new())
                }
            };
            (route::channels_last(y, [batch, channels, height, width]), places)
        }

        fn backward(
            &self,
            places: Vec<u8>,
            gradient: FlexTensor,
            _: [bool; 1],
        ) -> [Option<FlexTensor>; 1] {
            let gradient = route::to_channels_last(gradient);
            let Sizes { batch, channels, input: [height, width], .. } = *self.shape;
            let dx = match self.kind {
                Kind::Max => pool::max_backward(&self.shape, &places, route::slice(&gradient)),
                Kind::Mean { count_padding } => {
                    pool::mean_backward(&self.shape, route::slice(&gradient), count_padding)
                }
            };
            [Some(route::channels_last(dx, [batch, channels, height, width]))]
        }
    }
}
