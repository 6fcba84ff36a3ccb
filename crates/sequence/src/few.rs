//! Few examples: smaller batches and more epochs, so that there are enough optimiser steps.

use tenfold_core::cli::args::{Recipe, SupervisedFlags};

/// A training of fewer optimiser steps than this has hardly left its initial weights.
const STEPS: usize = 600;
/// Batches in an epoch, below which batches are made smaller.
const BATCHES: usize = 16;
/// Gradients of smaller batches are mostly noise.
const SMALLEST: usize = 4;
/// Part of few steps in which the learning rate rises: AdamW has seen few gradients then.
const WARMUP: f64 = 0.1;

/// A recipe as suits data of which a batch size makes `steps` an epoch; what the flags say
/// stands. Plenty of data leaves it as it is.
pub(crate) fn suited(
    usual: Recipe,
    flags: &SupervisedFlags,
    steps: impl Fn(usize) -> usize,
) -> Recipe {
    let mut own = usual;
    while own.batch_size > SMALLEST && steps(own.batch_size) < BATCHES {
        own.batch_size = (own.batch_size / 2).max(SMALLEST);
    }
    let batch_size = flags.batch_size.map_or(own.batch_size, |size| size as usize);
    own.epochs = usual.epochs.max(STEPS.div_ceil(steps(batch_size).max(1)));
    if own != usual {
        own.warmup = usual.warmup.max(WARMUP);
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(examples: usize, flags: &SupervisedFlags) -> (usize, usize, f64) {
        let usual = Recipe { batch_size: 32, warmup: 0.02, ..Recipe::new(12, 1e-3) };
        let own = suited(usual, flags, |batch| examples.div_ceil(batch));
        (own.batch_size, own.epochs, own.warmup)
    }

    #[test]
    fn few_examples_make_as_many_steps_as_more() {
        let none = SupervisedFlags::default();
        assert_eq!(of(1600, &none), (32, 12, 0.02));
        assert_eq!(of(3200, &none), (32, 12, 0.02));
        assert_eq!(of(300, &none), (16, 32, 0.1));
        assert_eq!(of(48, &none), (4, 50, 0.1));
        assert_eq!(of(1, &none), (4, 600, 0.1));
        // The batch size that is asked for has its own number of epochs.
        let asked = SupervisedFlags { batch_size: Some(48), ..none };
        assert_eq!(of(48, &asked).1, 600);
    }
}
