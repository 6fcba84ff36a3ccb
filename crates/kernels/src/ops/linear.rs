//! Fully connected layers.

use super::Activation;
use crate::Cache;
use burn::tensor::{Tensor, activation, module};

/// `x * weight + bias` for `x`, `[..., inputs]`, `weight`, `[inputs, outputs]`, and `bias`,
/// `[outputs]`.
///
/// # Panics
/// Where shapes do not fit, as Burn's own.
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    linear_cached(x, weight, bias, activation, &Cache::default())
}

/// The same, with weights kept packed from one inference to the next.
///
/// # Panics
/// Where shapes do not fit, as Burn's own.
pub fn linear_cached<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
    cache: &Cache,
) -> Tensor<D> {
    #[cfg(not(feature = "flex"))]
    let _ = cache;
    #[cfg(feature = "flex")]
    let (x, weight, bias) = match fast::linear(x, weight, bias, activation, cache) {
        Ok(y) => return y,
        Err(operands) => operands,
    };
    let y = module::linear(x, weight, bias);
    if activation == Activation::Relu { activation::relu(y) } else { y }
}

#[cfg(feature = "flex")]
mod fast {
    use super::*;
    use crate::raw::conv::Prepared;
    use crate::raw::gemm::Epilogue;
    use crate::raw::sparse::Sparse;
    use crate::raw::{linear, pool};
    use crate::route::{self, Operand, Operator};
    use burn_flex::FlexTensor;

    type Operands<const D: usize> = (Tensor<D>, Tensor<2>, Option<Tensor<1>>);

    pub(super) fn linear<const D: usize>(
        x: Tensor<D>,
        weight: Tensor<2>,
        bias: Option<Tensor<1>>,
        activation: Activation,
        cache: &Cache,
    ) -> Result<Tensor<D>, Operands<D>> {
        let shape = x.dims();
        let [inputs, outputs] = weight.dims();
        let fits = D > 0 && shape[D - 1] == inputs && inputs > 0 && outputs > 0;
        let operands = [Operand::new(x.clone()), Operand::new(weight.clone())];
        if !fits || !route::reaches(&operands) {
            return Err((x, weight, bias));
        }
        let cache = (!x.device().is_autodiff()).then(|| cache.clone());
        let operator = Linear { inputs, outputs, relu: activation == Activation::Relu, cache };
        let [first, second] = operands;
        let Some(bias) = bias else {
            drop((x, weight));
            return Ok(route::apply(operator, [first, second]));
        };
        let operands = [first, second, Operand::new(bias.clone())];
        if !route::reaches(&operands) {
            return Err((x, weight, Some(bias)));
        }
        drop((x, weight, bias));
        Ok(route::apply(operator, operands))
    }

    /// The third input is the bias, if there is one.
    #[derive(Clone, Debug)]
    struct Linear {
        inputs: usize,
        outputs: usize,
        relu: bool,
        /// Where nothing is trained.
        cache: Option<Cache>,
    }

    impl Linear {
        /// A packed copy is worth its memory where it is used again and not too large: VGG's would
        /// be half a gigabyte.
        fn reads_in_place(&self, x: &FlexTensor, weight: &FlexTensor) -> bool {
            self.cache.is_some()
                && self.inputs * self.outputs >= linear::MANY_WEIGHTS
                && x.layout().num_elements() <= linear::FEW_ROWS * self.inputs
                && weight.is_contiguous()
        }
    }

    impl<const N: usize> Operator<N> for Linear {
        /// Input, what of it is not zero where most is, weights, and the output where a ReLU
        /// made some of it zero.
        type Saved = (FlexTensor, Option<Sparse>, FlexTensor, Option<FlexTensor>);

        fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved) {
            let mut inputs = inputs.into_iter();
            let x = route::contiguous(inputs.next().expect("an input"));
            let mut weight = inputs.next().expect("weights");
            let bias = inputs.next().map(route::contiguous);
            let finish = if self.relu { Epilogue::Relu } else { Epilogue::Store };
            let bias = bias.as_ref().map(route::slice);
            let sparse = Sparse::of(route::slice(&x), self.inputs);
            let y = if let Some(sparse) = &sparse {
                weight = route::contiguous(weight);
                sparse.product(route::slice(&weight), self.outputs, bias, finish)
            } else if self.reads_in_place(&x, &weight) {
                let (x, weight) = (route::slice(&x), route::slice(&weight));
                linear::few_rows(x, self.inputs, weight, self.outputs, bias, finish)
            } else {
                let pack = |weight: &FlexTensor| {
                    Prepared::of(linear::pack(self.inputs, route::slice(weight), self.outputs))
                };
                let prepared = match &self.cache {
                    // Kept by the weights as they are given: a transposed table stays the same
                    // table, and its copy in order would be another each time.
                    Some(cache) => cache.get(
                        std::slice::from_ref(&weight),
                        |_| true,
                        || pack(&route::contiguous(weight.clone())),
                    ),
                    None => {
                        weight = route::contiguous(weight);
                        pack(&weight).into()
                    }
                };
                linear::product(route::slice(&x), self.inputs, prepared.packed(), bias, finish)
            };
            let mut shape = x.layout().shape().to_vec();
            if let Some(last) = shape.last_mut() {
                *last = self.outputs;
            }
            let y = route::primitive(y, shape);
            let kept = self.relu.then(|| y.clone());
            (y, (x, sparse, weight, kept))
        }

        fn backward(
            &self,
            (x, sparse, weight, y): Self::Saved,
            gradient: FlexTensor,
            wanted: [bool; N],
        ) -> [Option<FlexTensor>; N] {
            let gradient = route::contiguous(gradient);
            let masked;
            let dy = match y {
                None => route::slice(&gradient),
                Some(y) => {
                    masked = pool::relu_backward(route::slice(&y), route::slice(&gradient), 0.0);
                    &masked
                }
            };
            let (inputs, outputs) = (self.inputs, self.outputs);
            std::array::from_fn(|index| {
                wanted[index].then(|| match index {
                    0 => {
                        let dx = linear::input_gradient(dy, outputs, route::slice(&weight), inputs);
                        route::primitive(dx, x.layout().shape().clone())
                    }
                    1 => {
                        let dw = match &sparse {
                            Some(sparse) => sparse.weight_gradient(dy, outputs),
                            None => linear::weight_gradient(route::slice(&x), inputs, dy, outputs),
                        };
                        route::primitive(dw, [inputs, outputs])
                    }
                    _ => route::primitive(linear::bias_gradient(dy, outputs), [outputs]),
                })
            })
        }
    }
}
