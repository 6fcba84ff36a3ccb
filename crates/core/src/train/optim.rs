//! The optimisers one can choose, with PyTorch's defaults and PyTorch's update rules.
//!
//! Burn's own defaults differ from PyTorch's, and are all overridden here: its momentum damps
//! by 0.1 (0 in PyTorch), its RMSprop has momentum 0.9 (0), its epsilon is 1e-5 (1e-8), and
//! its AdamW decays by 1e-4 (1e-2). Burn clips the norm of each tensor by itself where
//! PyTorch's `clip_grad_norm_` clips the norm over all of them: see [`clip_grad_norm`].
//!
//! Burn computes Adam's bias corrections `1 - beta^t` in 32 bits, PyTorch in 64. Over 20 steps
//! of the quadratic in tests/golden/optim the weights differ by up to 6e-6 of their size from
//! PyTorch's, where those of the other optimisers differ by less than 1e-6.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, RmsPropConfig};
use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::optim::{Adam, AdamW, Sgd};

use crate::{Error, Result};

/// The optimisers, by the names that `--optimizer` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Stochastic gradient descent.
    Sgd,
    /// Adam (Kingma and Ba, 2015), weight decay as an L2 penalty.
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    #[cfg_attr(feature = "cli", value(name = "adamw"))]
    AdamW,
    /// RMSprop (Hinton, 2012).
    #[cfg_attr(feature = "cli", value(name = "rmsprop"))]
    RmsProp,
}

/// How gradients are cut down before a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clip {
    /// Scales all gradients together so that their common L2 norm is at most this.
    Norm(f32),
    /// Cuts each component to between minus this and this.
    Value(f32),
}

impl Clip {
    /// Clips the gradients of `module`, like PyTorch's `clip_grad_norm_` and
    /// `clip_grad_value_`. To be called between the backward pass and the step.
    pub fn apply<M: Module>(&self, module: &M, grads: GradientsParams) -> GradientsParams {
        match *self {
            Self::Norm(norm) => clip_grad_norm(module, grads, norm),
            Self::Value(value) => {
                let mut visitor = ClipValue { grads, value };
                module.visit(&mut visitor);
                visitor.grads
            }
        }
    }
}

/// An optimiser and its settings. A setting that the kind has no use for is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Which optimiser.
    pub kind: OptimizerKind,
    /// SGD and RMSprop: how much of the last step is kept; 0 for none.
    pub momentum: f64,
    /// SGD: Nesterov's momentum, which looks one step ahead.
    pub nesterov: bool,
    /// Adam and AdamW: decay of the mean of the gradients.
    pub beta1: f32,
    /// Adam, AdamW and RMSprop: decay of the mean of the squared gradients (RMSprop's alpha).
    pub beta2: f32,
    /// Adam, AdamW and RMSprop: added to the root of the mean square.
    pub eps: f32,
    /// An L2 penalty on the gradients; for AdamW a decay of the weights themselves.
    pub weight_decay: f32,
    /// Cuts gradients down before each step. The training step does so with [`Clip::apply`]:
    /// the optimiser sees one tensor at a time, and cannot.
    pub clip: Option<Clip>,
}

impl OptimizerConfig {
    /// An optimiser with PyTorch's defaults.
    pub fn new(kind: OptimizerKind) -> Self {
        Self {
            kind,
            momentum: 0.0,
            nesterov: false,
            beta1: 0.9,
            beta2: if kind == OptimizerKind::RmsProp { 0.99 } else { 0.999 },
            eps: 1e-8,
            weight_decay: if kind == OptimizerKind::AdamW { 0.01 } else { 0.0 },
            clip: None,
        }
    }

    /// The optimiser, ready for its first step.
    ///
    /// # Errors
    ///
    /// A setting is out of its range, such as Nesterov without momentum.
    pub fn build(&self) -> Result<ModuleOptimizer> {
        self.check()?;
        // No decay at all rather than a decay by 0, which would turn an infinite weight's
        // gradient into NaN and cost a pass over the weights.
        let decay = Some(self.weight_decay).filter(|d| *d > 0.0);
        Ok(match self.kind {
            OptimizerKind::Sgd => Sgd {
                momentum: Some(self.momentum as f32).filter(|momentum| *momentum > 0.0),
                dampening: 0.0,
                nesterov: self.nesterov,
                weight_decay: decay,
            }
            .into(),
            OptimizerKind::Adam => Adam {
                beta_1: self.beta1,
                beta_2: self.beta2,
                epsilon: self.eps,
                weight_decay: decay,
            }
            .into(),
            OptimizerKind::AdamW => AdamW {
                beta_1: self.beta1,
                beta_2: self.beta2,
                epsilon: self.eps,
                weight_decay: self.weight_decay,
            }
            .into(),
            OptimizerKind::RmsProp => RmsPropConfig::new()
                .with_alpha(self.beta2)
                .with_momentum(self.momentum as f32)
                .with_epsilon(self.eps)
                .with_weight_decay(decay.map(WeightDecayConfig::new))
                .init(),
        })
    }

    fn check(&self) -> Result<()> {
        let betas = [("beta1", f64::from(self.beta1)), ("beta2", f64::from(self.beta2))];
        for (flag, value) in betas.into_iter().chain([("momentum", self.momentum)]) {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::argument(flag, format!("{value} is not in 0..1")));
            }
        }
        for (flag, value) in [("eps", self.eps), ("weight decay", self.weight_decay)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::argument(flag, format!("{value} is not a number from 0 up")));
            }
        }
        if let Some(Clip::Norm(limit) | Clip::Value(limit)) = self.clip
            && !(limit > 0.0 && limit.is_finite())
        {
            return Err(Error::argument("clip", format!("{limit} is not a number above 0")));
        }
        if self.nesterov && self.kind == OptimizerKind::Sgd && self.momentum == 0.0 {
            return Err(Error::argument("nesterov", "needs a momentum above 0, such as 0.9"));
        }
        Ok(())
    }
}

/// Scales the gradients of `module` so that their L2 norm over all parameters together is at
/// most `max_norm`, exactly as PyTorch's `clip_grad_norm_` does.
///
/// Burn's own clipping looks at each tensor by itself, which turns the direction of the step.
/// The norm stays on the device: nothing waits for it.
pub fn clip_grad_norm<M: Module>(
    module: &M,
    grads: GradientsParams,
    max_norm: f32,
) -> GradientsParams {
    let mut sum = SumOfSquares { grads: &grads, sum: None };
    module.visit(&mut sum);
    let Some(sum) = sum.sum else { return grads };
    // PyTorch's epsilon, which makes a norm of zero harmless.
    let factor = sum.sqrt().add_scalar(1e-6).recip().mul_scalar(max_norm).clamp_max(1.0);
    let mut scale = Scale { grads, factor };
    module.visit(&mut scale);
    scale.grads
}

struct SumOfSquares<'a> {
    grads: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for SumOfSquares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            // Squares of half floats overflow from 256 on.
            let sum = grad.cast(DType::F32).square().sum();
            self.sum = Some(match self.sum.take() {
                Some(total) => total + sum,
                None => sum,
            });
        }
    }
}

struct Scale {
    grads: GradientsParams,
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let factor = self.factor.clone();
        change::<D>(&mut self.grads, param.id, |grad| {
            let factor = factor.cast(grad.dtype());
            grad * factor.unsqueeze()
        });
    }
}

struct ClipValue {
    grads: GradientsParams,
    value: f32,
}

impl ModuleVisitor for ClipValue {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = self.value;
        change::<D>(&mut self.grads, param.id, |grad| grad.clamp(-value, value));
    }
}

fn change<const D: usize>(
    grads: &mut GradientsParams,
    id: ParamId,
    change: impl FnOnce(Tensor<D>) -> Tensor<D>,
) {
    if let Some(grad) = grads.remove::<D>(id) {
        grads.register(id, change(grad));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::module::{Module, Param};
    use burn::tensor::{Device, Tensor};
    use serde_json::Value;

    use super::*;

    #[derive(Module, Debug)]
    struct Parameters {
        first: Param<Tensor<1>>,
        second: Param<Tensor<2>>,
    }

    impl Parameters {
        fn values(&self) -> Vec<f64> {
            let read = |data: burn::tensor::TensorData| data.iter::<f64>().collect::<Vec<_>>();
            [read(self.first.val().into_data()), read(self.second.val().into_data())].concat()
        }
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
    }

    /// The optimiser and learning rate of a case in tests/golden/optim/make.py.
    fn case(name: &str) -> (OptimizerConfig, f64) {
        use OptimizerKind::*;
        let sgd = OptimizerConfig { momentum: 0.9, ..OptimizerConfig::new(Sgd) };
        match name {
            "sgd" => (OptimizerConfig::new(Sgd), 0.1),
            "sgd_momentum" => (sgd, 0.05),
            "sgd_nesterov_decay" => {
                (OptimizerConfig { nesterov: true, weight_decay: 0.01, ..sgd }, 0.05)
            }
            "sgd_clip_norm" => (OptimizerConfig { clip: Some(Clip::Norm(2.0)), ..sgd }, 0.1),
            "sgd_clip_value" => (OptimizerConfig { clip: Some(Clip::Value(0.4)), ..sgd }, 0.1),
            "adam" => (OptimizerConfig::new(Adam), 0.1),
            "adam_decay" => {
                let adam = OptimizerConfig::new(Adam);
                (OptimizerConfig { beta1: 0.5, beta2: 0.9, weight_decay: 0.02, ..adam }, 0.1)
            }
            "adamw" => (OptimizerConfig::new(AdamW), 0.1),
            "adamw_decay" => {
                (OptimizerConfig { weight_decay: 0.2, ..OptimizerConfig::new(AdamW) }, 0.1)
            }
            "rmsprop" => (OptimizerConfig::new(RmsProp), 0.05),
            "rmsprop_momentum_decay" => {
                let rmsprop = OptimizerConfig::new(RmsProp);
                (OptimizerConfig { momentum: 0.9, weight_decay: 0.02, ..rmsprop }, 0.02)
            }
            _ => panic!("{name} has no settings here"),
        }
    }

    #[test]
    fn updates_equal_pytorch() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../../tests/golden/optim/expected.json"))
                .unwrap();
        let device = Device::default().autodiff();
        let tensor = |key: &str| {
            let numbers: Vec<f32> = numbers(&golden[key]).iter().map(|n| *n as f32).collect();
            Tensor::<1>::from_floats(numbers.as_slice(), &device)
        };
        let (a, target, start) = (tensor("a"), tensor("target"), tensor("start"));
        for (name, steps) in golden["cases"].as_object().unwrap() {
            let (config, rate) = case(name);
            // See the header about Adam.
            let tolerance = if name.starts_with("adam") { 1e-5 } else { 1e-6 };
            let mut optimizer = config.build().unwrap();
            let mut module = Parameters {
                first: Param::from_tensor(start.clone().narrow(0, 0, 2)),
                second: Param::from_tensor(start.clone().narrow(0, 2, 1).reshape([1, 1])),
            };
            let steps: BTreeMap<usize, Vec<f64>> = steps
                .as_object()
                .unwrap()
                .iter()
                .map(|(step, values)| (step.parse().unwrap(), numbers(values)))
                .collect();
            for step in 1..=20 {
                let p = Tensor::cat(vec![module.first.val(), module.second.val().flatten(0, 1)], 0);
                let loss = (a.clone() * (p - target.clone()).square()).sum() * 0.5;
                let grads = GradientsParams::from_grads(loss.backward(), &module);
                let grads = match config.clip {
                    Some(clip) => clip.apply(&module, grads),
                    None => grads,
                };
                module = optimizer.step(rate, module, grads);
                let Some(expected) = steps.get(&step) else { continue };
                for (value, expected) in module.values().iter().zip(expected) {
                    let error = (value - expected).abs() / expected.abs().max(1.0);
                    eprintln!("{name} {step} {error:.1e}");
                    assert!(error < tolerance, "{name}, step {step}: {value} for {expected}");
                }
            }
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let sgd = OptimizerConfig::new(OptimizerKind::Sgd);
        let wrong = [
            OptimizerConfig { momentum: 1.0, ..sgd.clone() },
            OptimizerConfig { nesterov: true, ..sgd.clone() },
            OptimizerConfig { weight_decay: f32::NAN, ..sgd.clone() },
            OptimizerConfig { eps: -1.0, ..sgd.clone() },
            OptimizerConfig { beta2: 1.5, ..sgd.clone() },
            OptimizerConfig { clip: Some(Clip::Norm(0.0)), ..sgd.clone() },
        ];
        for config in wrong {
            let error = config.build().err().unwrap().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn configs_survive_json() {
        use clap::ValueEnum;
        for kind in OptimizerKind::value_variants() {
            let mut config = OptimizerConfig::new(*kind);
            config.clip = Some(Clip::Norm(5.0));
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<OptimizerConfig>(&json).unwrap(), config);
            let name = kind.to_possible_value().unwrap();
            assert!(json.contains(&format!("\"kind\":\"{}\"", name.get_name())), "{json}");
        }
    }
}
