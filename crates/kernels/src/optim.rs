//! Burn's optimisers with one pass over memory for each step on the CPU backend: parameters and
//! state are changed in place, by the same formulas, rounded alike. Their records are Burn's:
//! what was trained with the one goes on with the other.
//!
//! ```
//! use burn::optim::ModuleOptimizer;
//! use tenfold_kernels::optim::Adam;
//!
//! let optimizer = ModuleOptimizer::from(Adam::new());
//! ```

use crate::raw;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{
    AdamConfig, AdamState, AdamWConfig, AdamWState, AdaptiveMomentumState, LearningRate, Optimizer,
    RecordState, StateSink, StateSource,
};
use burn::tensor::{Device, Tensor};

/// Adam (Kingma and Ba, 2015, arXiv:1412.6980).
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Decay of the mean of the gradients.
    pub beta_1: f32,
    /// Decay of the mean of the squared gradients.
    pub beta_2: f32,
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// An L2 penalty on the gradients.
    pub weight_decay: Option<f32>,
}

impl Adam {
    /// With the values of the paper.
    pub fn new() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: None }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self::new()
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101).
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Decay of the mean of the gradients.
    pub beta_1: f32,
    /// Decay of the mean of the squared gradients.
    pub beta_2: f32,
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// Each step takes this part, times the learning rate, from the parameters.
    pub weight_decay: f32,
}

impl AdamW {
    /// With the values of the papers.
    pub fn new() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

impl Default for AdamW {
    fn default() -> Self {
        Self::new()
    }
}

/// Stochastic gradient descent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sgd {
    /// How much of the last step is kept; none without.
    pub momentum: Option<f32>,
    /// What the gradient loses when it is added to that.
    pub dampening: f64,
    /// Nesterov's momentum, which looks one step ahead.
    pub nesterov: bool,
    /// An L2 penalty on the gradients.
    pub weight_decay: Option<f32>,
}

/// The record of [`Sgd`]: that of [`burn::optim::Sgd`].
#[derive(Clone, Debug)]
pub struct SgdState<const D: usize> {
    /// The last step, without the learning rate; none without momentum.
    pub velocity: Option<Tensor<D>>,
}

impl<const D: usize> RecordState for SgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(velocity) = &self.velocity {
            out.push_tensor(prefix, "momentum.velocity", velocity.to_data());
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = src.take_tensor(prefix, "momentum.velocity");
        Some(Self { velocity: velocity.map(|data| Tensor::from_data(data, device)) })
    }
}

/// Moments of the first step: zeros, which are written over.
fn fresh<const D: usize>(tensor: &Tensor<D>) -> AdaptiveMomentumState<D> {
    let zeros = || Tensor::zeros(tensor.shape(), &tensor.device());
    AdaptiveMomentumState::new(0, zeros(), zeros())
}

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let adam = |time| raw::optim::Adam {
            rate: lr as f32,
            betas: [self.beta_1, self.beta_2],
            epsilon: self.epsilon,
            decay: self.weight_decay,
            shrink: None,
            time,
        };
        match adaptive_step(adam, tensor, grad, state.map(|state| state.momentum)) {
            Ok((tensor, momentum)) => (tensor, Some(AdamState { momentum })),
            Err((tensor, grad, state)) => AdamConfig::new()
                .with_beta_1(self.beta_1)
                .with_beta_2(self.beta_2)
                .with_epsilon(self.epsilon)
                .with_weight_decay(self.weight_decay.map(WeightDecayConfig::new))
                .build()
                .step(lr, tensor, grad, state.map(|momentum| AdamState { momentum })),
        }
    }

    fn to_device<const D: usize>(mut state: AdamState<D>, device: &Device) -> AdamState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let adam = |time| raw::optim::Adam {
            rate: lr as f32,
            betas: [self.beta_1, self.beta_2],
            epsilon: self.epsilon,
            decay: None,
            shrink: Some((1.0 - lr * f64::from(self.weight_decay)) as f32),
            time,
        };
        match adaptive_step(adam, tensor, grad, state.map(|state| state.momentum)) {
            Ok((tensor, momentum)) => (tensor, Some(AdamWState { momentum })),
            Err((tensor, grad, state)) => AdamWConfig::new()
                .with_beta_1(self.beta_1)
                .with_beta_2(self.beta_2)
                .with_epsilon(self.epsilon)
                .with_weight_decay(self.weight_decay)
                .build()
                .step(lr, tensor, grad, state.map(|momentum| AdamWState { momentum })),
        }
    }

    fn to_device<const D: usize>(mut state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

impl Optimizer for Sgd {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let velocity = state.and_then(|state| state.velocity);
        #[cfg(feature = "flex")]
        if fast::reaches(&tensor, &grad, velocity.iter()) {
            let (tensor, velocity) = fast::sgd(self, lr, tensor, grad, velocity);
            return (tensor, Some(SgdState { velocity }));
        }
        let grad = match self.weight_decay {
            Some(decay) => tensor.clone().mul_scalar(decay).add(grad),
            None => grad,
        };
        let Some(momentum) = self.momentum else {
            return (tensor - grad.mul_scalar(lr), Some(SgdState { velocity: None }));
        };
        let velocity = match velocity {
            Some(velocity) => {
                grad.clone().mul_scalar(1.0 - self.dampening).add(velocity.mul_scalar(momentum))
            }
            None => grad.clone(),
        };
        let step = if self.nesterov {
            velocity.clone().mul_scalar(momentum).add(grad)
        } else {
            velocity.clone()
        };
        (tensor - step.mul_scalar(lr), Some(SgdState { velocity: Some(velocity) }))
    }

    fn to_device<const D: usize>(state: SgdState<D>, device: &Device) -> SgdState<D> {
        SgdState { velocity: state.velocity.map(|velocity| velocity.to_device(device)) }
    }
}

type Operands<const D: usize> = (Tensor<D>, Tensor<D>, Option<AdaptiveMomentumState<D>>);

/// The step, where tensors are on the CPU backend; otherwise they come back.
#[allow(clippy::result_large_err, reason = "the callers take them apart at once")]
fn adaptive_step<const D: usize>(
    adam: impl Fn(i32) -> raw::optim::Adam,
    tensor: Tensor<D>,
    grad: Tensor<D>,
    state: Option<AdaptiveMomentumState<D>>,
) -> Result<(Tensor<D>, AdaptiveMomentumState<D>), Operands<D>> {
    #[cfg(feature = "flex")]
    {
        let moments = state.iter().flat_map(|state| [&state.moment_1, &state.moment_2]);
        let largest = state.as_ref().is_some_and(|state| state.max_moment_2.is_some());
        if !largest && fast::reaches(&tensor, &grad, moments) {
            let mut state = state.unwrap_or_else(|| fresh(&tensor));
            state.time += 1;
            let adam = adam(i32::try_from(state.time).unwrap_or(i32::MAX));
            return Ok(fast::adam(&adam, tensor, grad, state));
        }
    }
    #[cfg(not(feature = "flex"))]
    let _ = (adam, fresh::<D>);
    Err((tensor, grad, state))
}

#[cfg(feature = "flex")]
mod fast {
    use super::{AdaptiveMomentumState, LearningRate, Sgd, Tensor};
    use crate::raw::optim;
    use crate::route::{self, Operand};
    use burn::backend::Flex;
    use burn_flex::FlexTensor;

    /// Whether the tensors are plain ones of the CPU backend, of one shape.
    pub(super) fn reaches<'a, const D: usize>(
        tensor: &'a Tensor<D>,
        grad: &'a Tensor<D>,
        state: impl Iterator<Item = &'a Tensor<D>>,
    ) -> bool {
        [tensor, grad].into_iter().chain(state).all(|other| {
            other.shape() == tensor.shape()
                && !other.device().is_autodiff()
                && route::reaches(&[Operand::new(other.clone())])
        })
    }

    fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
        route::contiguous(
            tensor.try_into_primitive::<Flex>().expect("a plain tensor of the CPU backend"),
        )
    }

    fn tensor<const D: usize>(primitive: FlexTensor) -> Tensor<D> {
        Tensor::from_primitive::<Flex>(primitive)
    }

    /// The elements, in place where nobody else has them, else of a copy.
    fn slice_mut(tensor: &mut FlexTensor) -> &mut [f32] {
        let start = tensor.layout().start_offset();
        let len = tensor.layout().num_elements();
        &mut tensor.storage_mut::<f32>()[start..start + len]
    }

    pub(super) fn adam<const D: usize>(
        adam: &optim::Adam,
        parameters: Tensor<D>,
        grad: Tensor<D>,
        mut state: AdaptiveMomentumState<D>,
    ) -> (Tensor<D>, AdaptiveMomentumState<D>) {
        let [mut parameters, grad, mut mean, mut square] =
            [parameters, grad, state.moment_1, state.moment_2].map(primitive);
        optim::adam(
            adam,
            slice_mut(&mut parameters),
            route::slice(&grad),
            slice_mut(&mut mean),
            slice_mut(&mut square),
        );
        state.moment_1 = tensor(mean);
        state.moment_2 = tensor(square);
        (tensor(parameters), state)
    }

    pub(super) fn sgd<const D: usize>(
        sgd: &Sgd,
        rate: LearningRate,
        parameters: Tensor<D>,
        grad: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Option<Tensor<D>>) {
        let step = optim::Sgd {
            rate: rate as f32,
            momentum: sgd.momentum.unwrap_or(0.0),
            gain: (1.0 - sgd.dampening) as f32,
            nesterov: sgd.nesterov,
            decay: sgd.weight_decay,
        };
        let [mut parameters, grad] = [parameters, grad].map(primitive);
        if sgd.momentum.is_none() {
            optim::sgd(&step, slice_mut(&mut parameters), route::slice(&grad));
            return (tensor(parameters), None);
        }
        let first = velocity.is_none();
        let mut velocity = match velocity {
            Some(velocity) => primitive(velocity),
            None => {
                let len = route::slice(&grad).len();
                route::primitive(vec![0.0; len], parameters.layout().shape().clone())
            }
        };
        optim::momentum(
            &step,
            first,
            slice_mut(&mut parameters),
            route::slice(&grad),
            slice_mut(&mut velocity),
        );
        (tensor(parameters), Some(tensor(velocity)))
    }
}
