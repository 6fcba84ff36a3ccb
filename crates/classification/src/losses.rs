//! What a batch costs, for classes and for numbers.

use crate::batches::Batch;
use crate::models::Network;
use crate::regression::NumberBatch;
use tenfold_core::train::Loss;
use tenfold_core::train::loss::LossConfig;

/// The loss of a classifier's batch, with its accuracy; auxiliary heads and penalties are in
/// what the gradient is taken of, and not in what curves show, so that both splits can be
/// compared. `weights`, one a class, are what each example counts.
pub fn of_classes<N: Network>(
    network: &N,
    batch: Batch,
    loss: LossConfig,
    weights: Option<&[f32]>,
) -> Loss {
    let Batch { inputs, targets } = batch;
    let [count] = targets.dims();
    let (logits, auxiliaries) = network.train_forward(inputs);
    let mut own = loss.of_classes(logits.clone(), targets.clone(), weights);
    for (auxiliary, weight) in auxiliaries {
        own = own + loss.of_classes(auxiliary, targets.clone(), weights) * weight;
    }
    let right = logits.argmax(1).flatten::<1>(0, 1).equal(targets).float().mean();
    let total = loss.penalty(network).map_or_else(|| own.clone(), |sum| own.clone() + sum);
    Loss { total, shown: vec![("loss", own), ("accuracy", right)], count }
}

/// The loss of a batch of numbers.
pub fn of_numbers<N: Network>(network: &N, batch: NumberBatch, loss: LossConfig) -> Loss {
    let NumberBatch { inputs, targets } = batch;
    let [count, _] = targets.dims();
    let own = loss.of_numbers(network.forward(inputs), targets);
    let total = loss.penalty(network).map_or_else(|| own.clone(), |sum| own.clone() + sum);
    Loss { total, shown: vec![("loss", own)], count }
}
