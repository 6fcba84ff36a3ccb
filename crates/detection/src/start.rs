//! Beginning with weights that were trained before: a detector's for other classes, or those of a
//! backbone that learnt to classify.

use crate::models::detector::first_names;
use burn::module::Module;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tenfold_classification::labels;
use tenfold_core::progress::note;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::{Error, Result};

/// What may stand before a backbone's names in a detector.
const PREFIXES: [&str; 3] = ["", "backbone.body.", "backbone."];
/// Layers that keep their first weights and are named, at most.
const NAMED: usize = 3;

/// `--weights`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    weights: PathBuf,
    /// So that a resumed training starts from the same.
    sha256: String,
}

impl Start {
    /// Of a file, a run or export, or a name of fetched weights.
    ///
    /// # Errors
    /// None is there.
    pub fn new(weights: &Path, data_dir: Option<&Path>) -> Result<Self> {
        let inside = weights.join("model.safetensors");
        let weights = match inside.is_file() {
            true => inside,
            false => labels::named(weights, data_dir)?.file,
        };
        let sha256 = weights::digest(&weights)?;
        Ok(Self { weights: std::path::absolute(&weights).unwrap_or(weights), sha256 })
    }

    /// The network with those of the weights that fit it by name and shape; others keep their
    /// first values, and are told.
    ///
    /// # Errors
    /// A file that has changed, or of which less than a third fits.
    pub fn load<N: Module>(&self, mut network: N) -> Result<N> {
        let path = &self.weights;
        if weights::digest(path)? != self.sha256 {
            return Err(Error::file(path, "not the file that this run was started from"));
        }
        let own: HashMap<String, Vec<usize>> = weights::module_keys(&network).into_iter().collect();
        let mut best: (Vec<String>, LoadOptions, usize) = Default::default();
        for prefix in PREFIXES {
            let mut options = first_names();
            if !prefix.is_empty() {
                options.rename.push(("^".into(), prefix.into()));
            }
            let keys = weights::keys_for(&network, path, &options)?;
            let fits = keys.iter().filter(|(name, shape)| own.get(name) == Some(shape));
            let fits: Vec<String> = fits.map(|(name, _)| name.clone()).collect();
            if fits.len() > best.0.len() {
                best = (fits, options, keys.len());
            }
        }
        let (fits, mut options, count) = best;
        if fits.is_empty() || 3 * fits.len() < count {
            let why = format!("{} of its {count} tensors fit this model", fits.len());
            return Err(Error::file(path, format!("{why}; expected another model's weights")));
        }
        let mut fresh: Vec<&String> = own.keys().filter(|name| !fits.contains(name)).collect();
        fresh.sort();
        let exactly = |name: &&String| format!("^{}$", name.replace('.', "\\."));
        options.skip = fresh.iter().map(exactly).collect();
        options.partial = true;
        weights::load(&mut network, path, &options)?;
        let (used, all) = (fits.len(), own.len());
        let mut told = format!("{}: {used} of {all} tensors of the model", path.display());
        if !fresh.is_empty() {
            let some: Vec<&str> = fresh.iter().take(NAMED).map(|name| name.as_str()).collect();
            let more = if fresh.len() > NAMED { " and others" } else { "" };
            told += &format!("; {}{more} are initialised at random", some.join(", "));
        }
        note(told);
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::composed::ComposedConfig;
    use crate::models::detector::{DetectorConfig, Seen};
    use tenfold_classification::models::resnet_cifar::CifarResNetConfig;
    use tenfold_classification::models::{ModelConfig, parameters};
    use tenfold_core::device;

    #[test]
    fn a_backbone_that_learnt_to_classify_and_a_detector_of_other_classes() {
        let device = device::open("cpu").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = |classes| {
            ComposedConfig::new(&Seen { model: "fast_rcnn", ..Seen::example(classes, 1) })
        };
        let sum = |network: &crate::models::composed::Composed| -> f32 {
            let maps =
                network.backbone().forward(burn::tensor::Tensor::ones([1, 3, 32, 32], &device));
            maps[2].clone().sum().into_scalar()
        };
        let file = folder.path().join("classifier.safetensors");
        let classifier = CifarResNetConfig::resnet20(10).init(&device);
        weights::save(&classifier, &file, &Default::default()).unwrap();
        let network = config(2).init(&device);
        let before = sum(&network);
        let network = Start::new(&file, None).unwrap().load(network).unwrap();
        let after = sum(&network);
        assert_ne!(before, after);

        let file = folder.path().join("detector.safetensors");
        weights::save(&network, &file, &Default::default()).unwrap();
        let other = Start::new(&file, None).unwrap().load(config(5).init(&device)).unwrap();
        assert_eq!(sum(&other), after);
        assert!(parameters(&other) > parameters(&network));

        // Weights of something else, and a file that changed.
        let start = Start::new(&file, None).unwrap();
        std::fs::write(&file, "other").unwrap();
        let why = start.load(config(2).init(&device)).unwrap_err().to_string();
        assert!(why.contains("not the file that this run was started from"), "{why}");
        let perceptron = tenfold_classification::models::mlp::MlpConfig::new([1, 28, 28], 10);
        weights::save(&perceptron.init(&device), &file, &Default::default()).unwrap();
        let why = Start::new(&file, None).unwrap().load(config(2).init(&device)).unwrap_err();
        assert!(why.to_string().contains("0 of its"), "{why}");
    }
}
