//! Rectification.

use burn::tensor::{Tensor, activation};

/// Zero for what is negative; images, of four dimensions, come back channels last.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    leaky_relu(x, 0.0)
}

/// What is negative times `slope`, which is not; images, of four dimensions, come back
/// channels last.
///
/// # Panics
/// Where the slope is negative: the result would not tell which inputs were.
pub fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f32) -> Tensor<D> {
    assert!(slope >= 0.0, "a slope of {slope}");
    #[cfg(feature = "flex")]
    {
        use crate::route::{self, Operand};
        let operands = [Operand::new(x.clone())];
        if route::reaches(&operands) {
            drop(x);
            return route::apply(fast::Relu { slope }, operands);
        }
    }
    if slope == 0.0 { activation::relu(x) } else { activation::leaky_relu(x, f64::from(slope)) }
}

#[cfg(feature = "flex")]
mod fast {
    use crate::raw::pool;
    use crate::route::{self, Operator};
    use burn_flex::FlexTensor;

    #[derive(Clone, Debug)]
    pub(super) struct Relu {
        pub slope: f32,
    }

    /// In the order in which our operators want tensors of this rank.
    fn ordered(tensor: FlexTensor) -> FlexTensor {
        match tensor.layout().num_dims() {
            4 => route::to_channels_last(tensor),
            _ => route::contiguous(tensor),
        }
    }

    impl Operator<1> for Relu {
        /// The output.
        type Saved = FlexTensor;

        fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
            let x = ordered(x);
            let y = route::like(pool::relu(route::slice(&x), self.slope), &x);
            (y.clone(), y)
        }

        fn backward(
            &self,
            y: FlexTensor,
            gradient: FlexTensor,
            _: [bool; 1],
        ) -> [Option<FlexTensor>; 1] {
            let gradient = ordered(gradient);
            let dx = pool::relu_backward(route::slice(&y), route::slice(&gradient), self.slope);
            [Some(route::like(dx, &y))]
        }
    }
}
