//! Target networks that follow slowly.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use std::vec::IntoIter;

/// A network between two of the same layers: `part` of the way from one to the other.
pub fn towards<M: Module>(from: &M, to: &M, part: f32) -> M {
    let mut weights = Weights(Vec::new());
    to.visit(&mut weights);
    from.clone().map(&mut Step { to: weights.0.into_iter(), part })
}

/// All weights, each as one row.
struct Weights(Vec<Tensor<1>>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weight = param.val();
        let length = weight.shape().num_elements();
        self.0.push(weight.reshape([length]));
    }
}

struct Step {
    to: IntoIter<Tensor<1>>,
    part: f32,
}

impl ModuleMapper for Step {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.to.next() {
            Some(to) => param.map(|from| {
                let to = to.reshape(from.shape());
                from.clone() + (to - from) * self.part
            }),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{Dense, seeded};
    use crate::tensors::{elements, matrix};
    use tenfold_kernels::ops::Activation;

    #[test]
    fn a_target_goes_its_part_of_the_way() {
        let cpu = tenfold_core::device::open("cpu").unwrap();
        let dense = |seed| seeded(seed, &cpu, |device| Dense::new(3, 2, 1.0, None, device)).valid();
        let (from, to) = (dense(1), dense(2));
        let said = |dense: &Dense| {
            let x = matrix(vec![1.0, -2.0, 0.5], 1, &cpu);
            elements(dense.forward(x, Activation::Identity, None))
        };
        // A layer without an activation is linear in its weights.
        let between = said(&towards(&from, &to, 0.25));
        for ((between, from), to) in between.iter().zip(said(&from)).zip(said(&to)) {
            assert!((between - (0.75 * from + 0.25 * to)).abs() < 1e-6);
        }
        assert_ne!(said(&from), said(&to));
    }
}
