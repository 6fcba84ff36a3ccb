//! Rectification.

use burn::tensor::{Tensor, activation};

/// Zero for what is negative; pictures, of four dimensions, come back channels last.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
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
            let y = route::like(pool::relu(route::slice(&x)), &x);
            (y.clone(), y)
        }

        fn backward(
            &self,
            y: FlexTensor,
            gradient: FlexTensor,
            _: [bool; 1],
        ) -> [Option<FlexTensor>; 1] {
            let gradient = ordered(gradient);
            let dx = pool::relu_backward(route::slice(&y), route::slice(&gradient));
            [Some(route::like(dx, &y))]
        }
    }
}
