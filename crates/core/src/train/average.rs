//! The exponential moving average of a network's weights (Polyak and Juditsky 1992, as detectors
//! use it): it validates better than the weights of any one step.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use std::any::Any;
use std::collections::HashMap;

/// A network whose weights, running statistics included, follow another's.
pub struct Average<N> {
    /// On a device that records no gradients.
    pub network: N,
    /// What each step keeps.
    pub decay: f64,
}

impl<N: Module> Average<N> {
    /// Takes in the network after its step of this number, counted from 1. The first steps count
    /// more, or the initial weights would stay for thousands of steps.
    pub fn add(&mut self, network: &N, step: usize) {
        let decay = self.decay.min((1.0 + step as f64) / (10.0 + step as f64));
        let mut own = Weights::default();
        network.visit(&mut own);
        self.network = self.network.clone().map(&mut Blend { own, decay });
    }
}

/// Tensors of any rank by their identities.
#[derive(Default)]
struct Weights(HashMap<ParamId, Box<dyn Any>>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id, Box::new(param.val()));
    }
}

struct Blend {
    own: Weights,
    decay: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let new = self.own.0.remove(&param.id).and_then(|new| new.downcast::<Tensor<D>>().ok());
        match new {
            Some(new) => {
                let decay = self.decay;
                param.map(|old| old.mul_scalar(decay).add(new.mul_scalar(1.0 - decay)))
            }
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{BatchNorm, BatchNormConfig};
    use burn::tensor::Device;

    #[test]
    fn weights_and_running_statistics_follow() {
        let device = Device::flex();
        let mut network: BatchNorm = BatchNormConfig::new(2).init(&device);
        let start = network.valid();
        let mut average = Average { network: start, decay: 0.9 };
        network.gamma = network.gamma.map(|gamma| gamma.mul_scalar(3.0));
        network.running_mean.update(Tensor::from_data([4.0, 8.0], &device));
        // (1 + 1) / (10 + 1) of the old is kept at the first step.
        average.add(&network.valid(), 1);
        let values = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let near = |own: Vec<f32>, expected: [f32; 2]| {
            own.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5)
        };
        assert!(near(values(average.network.gamma.val()), [29.0 / 11.0; 2]));
        let mean = values(average.network.running_mean.value_sync());
        assert!(near(mean.clone(), [36.0 / 11.0, 72.0 / 11.0]), "{mean:?}");
        // Later ones keep what was asked.
        average.add(&network.valid(), 1000);
        let expected = 0.9 * 29.0 / 11.0 + 0.3;
        assert!(near(values(average.network.gamma.val()), [expected; 2]));
    }
}
