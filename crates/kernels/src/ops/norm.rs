//! Batch normalisation, with what often follows it.

use burn::tensor::{Tensor, activation, module};

/// What follows a normalisation at once.
#[derive(Clone, Debug, Default)]
pub enum Epilogue {
    /// Nothing.
    #[default]
    Identity,
    /// Rectification.
    Relu,
    /// A residual of the same shape is added, and the sum rectified.
    AddRelu(Tensor<4>),
}

impl Epilogue {
    fn after(self, y: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Identity => y,
            Self::Relu => activation::relu(y),
            Self::AddRelu(residual) => activation::relu(y + residual),
        }
    }
}

/// Normalises `x`, `[batch, channels, height, width]`, by given statistics, and scales by
/// `gamma` and shifts by `beta`, all `[channels]`.
///
/// # Panics
/// Where shapes do not fit, as Burn's own.
pub fn batch_norm(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
    follow: Epilogue,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    let (x, gamma, beta, mean, variance, follow) =
        match fast::infer(x, gamma, beta, mean, variance, epsilon, follow) {
            Ok(y) => return y,
            Err(operands) => operands,
        };
    follow.after(module::batch_norm(x, gamma, beta, mean, variance, epsilon))
}

/// Normalises `x`, `[batch, channels, height, width]`, by its own statistics, which come with
/// the result: the mean and the biased variance of each channel, not differentiated.
///
/// # Panics
/// Where shapes do not fit, as Burn's own.
pub fn batch_norm_train(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    follow: Epilogue,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    #[cfg(feature = "flex")]
    let (x, gamma, beta, follow) = match fast::train(x, gamma, beta, epsilon, follow) {
        Ok(result) => return result,
        Err(operands) => operands,
    };
    let result = module::batch_norm_train(x, gamma, beta, epsilon);
    (follow.after(result.output), result.mean.detach(), result.variance.detach())
}

#[cfg(feature = "flex")]
mod fast {
    use super::*;
    use crate::raw::norm::{self, Statistics};
    use crate::route::{self, Operand, Operator};
    use burn::backend::Flex;
    use burn_flex::FlexTensor;
    use std::sync::Arc;

    type Result<T, E> = std::result::Result<T, E>;
    type Operands = (Tensor<4>, Tensor<1>, Tensor<1>, Epilogue);
    type Inference = (Tensor<4>, Tensor<1>, Tensor<1>, Tensor<1>, Tensor<1>, Epilogue);

    fn plain<const D: usize>(tensor: &Tensor<D>) -> FlexTensor {
        tensor.clone().try_into_primitive::<Flex>().expect("a plain tensor of the CPU backend")
    }

    pub(super) fn infer(
        x: Tensor<4>,
        gamma: Tensor<1>,
        beta: Tensor<1>,
        mean: Tensor<1>,
        variance: Tensor<1>,
        epsilon: f64,
        follow: Epilogue,
    ) -> Result<Tensor<4>, Inference> {
        let one = |tensor: &Tensor<1>| Operand::new(tensor.clone());
        let operands =
            [Operand::new(x.clone()), one(&gamma), one(&beta), one(&mean), one(&variance)];
        let residual = match &follow {
            Epilogue::AddRelu(residual) => {
                route::reaches(&[Operand::new(x.clone()), Operand::new(residual.clone())])
            }
            _ => true,
        };
        // Gradients of a frozen normalisation are rare: Burn's own.
        if !route::reaches(&operands) || !residual || x.device().is_autodiff() {
            return Err((x, gamma, beta, mean, variance, follow));
        }
        drop(operands);
        let [gamma, beta, mean, variance] =
            [gamma, beta, mean, variance].map(|tensor| route::contiguous(plain(&tensor)));
        let x = route::to_channels_last(plain(&x));
        let (residual, relu) = match follow {
            Epilogue::Identity => (None, false),
            Epilogue::Relu => (None, true),
            Epilogue::AddRelu(residual) => (Some(route::to_channels_last(plain(&residual))), true),
        };
        let statistics = Statistics {
            mean: route::slice(&mean).to_vec(),
            variance: route::slice(&variance).to_vec(),
        };
        let y = norm::forward(
            route::slice(&x),
            &statistics.mean,
            &statistics.inverse_deviation(epsilon),
            route::slice(&gamma),
            route::slice(&beta),
            residual.as_ref().map(route::slice),
            relu,
        );
        Ok(Tensor::from_primitive::<Flex>(route::channels_last(y, x.layout().shape().dims())))
    }

    pub(super) fn train(
        x: Tensor<4>,
        gamma: Tensor<1>,
        beta: Tensor<1>,
        epsilon: f64,
        follow: Epilogue,
    ) -> Result<(Tensor<4>, Tensor<1>, Tensor<1>), Operands> {
        let operands =
            [Operand::new(x.clone()), Operand::new(gamma.clone()), Operand::new(beta.clone())];
        let shape = x.dims();
        let channels = shape[1];
        let fits = gamma.dims() == [channels] && beta.dims() == [channels] && !shape.contains(&0);
        if !fits || !route::reaches(&operands) || !x.device().is_autodiff() {
            return Err((x, gamma, beta, follow));
        }
        let [first, second, third] = operands;
        let device = x.device().inner();
        let pixels = route::to_channels_last(plain(&x.clone().inner()));
        let statistics = norm::statistics(route::slice(&pixels), channels);
        let operator = BatchNorm {
            mean: statistics.mean.clone().into(),
            inverse_deviation: statistics.inverse_deviation(epsilon).into(),
            relu: !matches!(follow, Epilogue::Identity),
        };
        let y = match follow {
            Epilogue::Identity | Epilogue::Relu => {
                drop((x, gamma, beta));
                route::apply(operator, [first, second, third])
            }
            Epilogue::AddRelu(residual) => {
                assert_eq!(residual.dims(), shape, "the residual's shape");
                let operands = [first, second, third, Operand::new(residual.clone())];
                if !route::reaches(&operands) {
                    return Err((x, gamma, beta, Epilogue::AddRelu(residual)));
                }
                drop((x, gamma, beta, residual));
                route::apply(operator, operands)
            }
        };
        let tensor = |values: Vec<f32>| {
            let tensor = Tensor::<1>::from_primitive::<Flex>(route::primitive(values, [channels]));
            debug_assert_eq!(tensor.device(), device);
            Tensor::from_inner(tensor)
        };
        Ok((y, tensor(statistics.mean), tensor(statistics.variance)))
    }

    /// Normalisation by the batch's own statistics; the fourth input is the residual, if
    /// there is one.
    #[derive(Clone, Debug)]
    struct BatchNorm {
        mean: Arc<[f32]>,
        inverse_deviation: Arc<[f32]>,
        relu: bool,
    }

    impl<const N: usize> Operator<N> for BatchNorm {
        /// Input, scale, and the output where a ReLU made some of it zero.
        type Saved = (FlexTensor, FlexTensor, Option<FlexTensor>);

        fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved) {
            let mut inputs = inputs.into_iter();
            let x = route::to_channels_last(inputs.next().expect("an input"));
            let gamma = route::contiguous(inputs.next().expect("a scale"));
            let beta = route::contiguous(inputs.next().expect("a shift"));
            let residual = inputs.next().map(route::to_channels_last);
            let y = norm::forward(
                route::slice(&x),
                &self.mean,
                &self.inverse_deviation,
                route::slice(&gamma),
                route::slice(&beta),
                residual.as_ref().map(route::slice),
                self.relu,
            );
            let y = route::channels_last(y, x.layout().shape().dims());
            let kept = self.relu.then(|| y.clone());
            (y, (x, gamma, kept))
        }

        fn backward(
            &self,
            (x, gamma, y): Self::Saved,
            gradient: FlexTensor,
            wanted: [bool; N],
        ) -> [Option<FlexTensor>; N] {
            let gradient = route::to_channels_last(gradient);
            let residual = N > 3 && wanted[N - 1];
            let gradients = norm::backward(
                route::slice(&x),
                &self.mean,
                &self.inverse_deviation,
                route::slice(&gamma),
                y.as_ref().map(route::slice),
                route::slice(&gradient),
                residual,
            );
            let shape: [usize; 4] = x.layout().shape().dims();
            let channels = [shape[1]];
            let mut all = [
                Some(route::channels_last(gradients.x, shape)),
                Some(route::primitive(gradients.gamma, channels)),
                Some(route::primitive(gradients.beta, channels)),
                gradients.residual.map(|residual| route::channels_last(residual, shape)),
            ];
            std::array::from_fn(|index| all[index].take())
        }
    }
}
