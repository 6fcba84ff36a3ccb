//! How each model is trained when nothing is said.

use crate::zoo::Zoo;
use tenfold_core::train::optim::{OptimizerConfig, OptimizerKind};

/// How a model is trained.
pub struct Recipe {
    /// Steps of the generator.
    pub steps: usize,
    /// Real images a step.
    pub batch_size: usize,
    /// The generator's learning rate.
    pub lr: f64,
    /// The part of the steps, at the end, in which the rates fall to zero.
    pub decay: f64,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
}

/// Adam with these decays of its means.
fn adam(beta1: f32, beta2: f32) -> OptimizerConfig {
    OptimizerConfig { beta1, beta2, ..OptimizerConfig::new(OptimizerKind::Adam) }
}

/// The papers' optimisers; steps for a few minutes on a CPU.
pub fn recipe(model: Zoo) -> Recipe {
    let recipe = |steps, batch_size, lr, decay, optimizer| Recipe {
        steps,
        batch_size,
        lr,
        decay,
        optimizer,
    };
    match model {
        Zoo::Gan => recipe(4000, 64, 2e-4, 0.0, adam(0.5, 0.999)),
        Zoo::DcGan | Zoo::CGan | Zoo::InfoGan => recipe(2400, 64, 1e-3, 0.0, adam(0.5, 0.999)),
        Zoo::WGan => recipe(2000, 64, 5e-5, 0.0, OptimizerConfig::new(OptimizerKind::RmsProp)),
        Zoo::Pix2Pix => recipe(2000, 4, 4e-4, 0.5, adam(0.5, 0.999)),
        Zoo::CycleGan => recipe(2000, 1, 2e-4, 0.5, adam(0.5, 0.999)),
        Zoo::WGanGp => recipe(1500, 64, 2e-4, 0.5, adam(0.0, 0.9)),
    }
}
