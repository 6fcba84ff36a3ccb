//! Rectification.

use burn::tensor::{Tensor, activation};

/// Zero for what is negative, in the layout in which `x` lies.
pub fn relu(x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    {
        use crate::route::{self, Operand};
        let operands = [Operand::new(x.clone())];
        if route::reaches(&operands) {
            drop(x);
            return route::apply(fast::Relu, operands);
        }
    }
    activation::relu(x)
}

#[cfg(feature = "flex")]
mod fast {
    use crate::raw::pool;
    use crate::route::{self, Operator};
    use burn_flex::FlexTensor;

    #[derive(Clone, Debug)]
    pub(super) struct Relu;

    impl Operator<1> for Relu {
        /// The output.
        type Saved = FlexTensor;

        fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
            let x = route::to_channels_last(x);
            let y = route::channels_last(pool::relu(route::pixels(&x)), x.layout().shape().dims());
            (y.clone(), y)
        }

        fn backward(&self, y: FlexTensor, gradient: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
            let gradient = route::to_channels_last(gradient);
            let dx = pool::relu_backward(route::pixels(&y), route::pixels(&gradient));
            [Some(route::channels_last(dx, y.layout().shape().dims()))]
        }
    }
}
