//! A network that knows with which vocabularies it was trained.

use burn::module::Module;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::train::{Model, Weights};
use tenfold_core::{Error, Result, weights};

/// The name under which weights carry the fingerprint of their vocabularies.
const VOCABULARY: &str = "vocabulary";

/// A network as a [`Model`]: its weights carry the fingerprint of its vocabularies, and those
/// that were trained with others are refused.
#[derive(Clone, Debug)]
pub struct Checked<N> {
    /// The network.
    pub network: N,
    vocabulary: String,
}

impl<N: Module> Checked<N> {
    /// A network with its vocabularies.
    ///
    /// # Errors
    /// Vocabularies that are no JSON.
    pub fn new(network: N, language: &impl Serialize) -> Result<Self> {
        Ok(Self { network, vocabulary: fingerprint(language)? })
    }

    /// What makes such a model of a network, for a learner.
    ///
    /// # Errors
    /// As [`Checked::new`].
    pub fn wrapping<L: Serialize>(language: &L) -> Result<impl Fn(N) -> Self + use<N, L>> {
        let vocabulary = fingerprint(language)?;
        Ok(move |network| Self { network, vocabulary: vocabulary.clone() })
    }
}

impl<N: Module> Model for Checked<N> {
    fn save(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        let mut metadata = metadata.clone();
        metadata.insert(VOCABULARY.into(), self.vocabulary.clone());
        weights::save(&self.network, path, &metadata)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        let trained = weights::metadata(path)?;
        if trained.get(VOCABULARY).is_some_and(|with| *with != self.vocabulary) {
            let why = "trained with another vocabulary than stands in the run's config.json";
            return Err(Error::file(path, why));
        }
        let mut weights = Weights(self.network.clone());
        weights.load(path)?;
        self.network = weights.0;
        Ok(())
    }
}

/// FNV-1a over the vocabularies' JSON: tells an exchanged file, not a forged one.
fn fingerprint(language: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(language).map_err(|e| Error::argument("vocabulary", e))?;
    let hash = text.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    Ok(format!("{hash:016x}"))
}
