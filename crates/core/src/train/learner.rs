//! What learns, and the model that it hands over.

use super::parts::Parts;
use super::plan::Figures;
use super::watch::Watch;
use crate::Result;
use crate::weights::{self, LoadOptions};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// What a training ends in: it answers, on a device that records no gradients.
pub trait Model {
    /// Writes the weights as safetensors, with `metadata` in the header.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()>;

    /// Reads them back.
    ///
    /// # Errors
    /// The file is missing, damaged, or another model's.
    fn load(&mut self, path: &Path) -> Result<()>;
}

/// A network as a [`Model`]: its weights by PyTorch's names.
#[derive(Clone, Debug)]
pub struct Weights<N>(pub N);

impl<N: Module> Model for Weights<N> {
    fn save(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        weights::save(&self.0, path, metadata)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        let options = LoadOptions { sealed: true, ..LoadOptions::default() };
        weights::load(&mut self.0, path, &options).map(|_| ())
    }
}

/// What learns. Object-safe, so that a task may return one or another for the same model.
pub trait Learner {
    /// What it hands over.
    type Model: Model;

    /// Learns for one round, counted from 1: an epoch, an interval of steps, or everything at
    /// once. Returns what it measured while it learnt; `None` where it was interrupted and its
    /// [parts](Self::parts) hold the middle of the round exactly.
    ///
    /// A figure called `lr` is the learning rate at the round's end.
    ///
    /// # Errors
    /// What keeps it from the round's end; the last checkpoint then stands.
    fn round(&mut self, round: usize, watch: &mut Watch) -> Result<Option<Figures>>;

    /// The model as it stands.
    fn model(&self) -> Self::Model;

    /// Everything beside the model's configuration that the next round depends on, by name:
    /// written into a checkpoint, or read from one.
    ///
    /// # Errors
    /// A part that cannot be encoded, is missing, or is another learner's.
    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        let _ = parts;
        Ok(())
    }

    /// Whether it reached its end before the plan's last round, as one may whose steps are longer
    /// than its rounds.
    fn finished(&self) -> bool {
        false
    }

    /// Where the end of `round` stands in the plan's unit: the round itself, or the steps.
    fn at(&self, round: usize) -> usize {
        round
    }
}

/// A network whose initial weights are drawn, now and in the order of its fields. Burn draws
/// each when it is first looked at, and nothing else does it: neither `materialize` nor
/// `num_params`. To be called where the device's seed was set.
pub fn drawn<N: Module>(network: N) -> N {
    struct Look;
    impl ModuleVisitor for Look {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let _ = param.val();
        }
        fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
            let _ = param.val();
        }
        fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
            let _ = param.val();
        }
    }
    network.visit(&mut Look);
    network
}

/// Held by whoever draws from a device's random numbers, from the first initial weight to the
/// last dropout: Burn has one stream for the whole process, and two trainings at once would
/// take each other's numbers.
#[derive(Debug)]
pub struct RandomStream(
    #[allow(dead_code, reason = "held, not read")] std::sync::MutexGuard<'static, ()>,
);

/// Waits for the device's random numbers to be free, and takes them.
pub fn random_stream() -> RandomStream {
    static STREAM: std::sync::Mutex<()> = std::sync::Mutex::new(());
    // It guards no data that a panic could have left half-changed.
    RandomStream(STREAM.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}
