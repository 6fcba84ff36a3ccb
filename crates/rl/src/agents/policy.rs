//! Playing by a policy's probabilities.

use super::{Meaning, Player, softmax};
use crate::env::Observations;
use crate::networks::ActorCritic;
use crate::reader::Reader;
use crate::tensors::elements;
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::{Result, weights};

/// Plays by a policy.
pub(super) struct PolicyPlayer {
    pub network: ActorCritic,
    pub reader: Reader,
    pub count: usize,
    pub device: Device,
}

impl Player for PolicyPlayer {
    fn scores(&self, observations: Observations<'_>, rows: usize) -> Result<Vec<f32>> {
        let x = self.reader.tensor(observations, rows, &self.device);
        let mut policy = elements(self.network.policy(x));
        softmax(&mut policy, self.count);
        Ok(policy)
    }

    fn meaning(&self) -> Meaning {
        Meaning::Probability
    }

    fn save(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        weights::save(&self.network, path, metadata)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        weights::load(&mut self.network, path, &weights::LoadOptions::default()).map(|_| ())
    }
}
