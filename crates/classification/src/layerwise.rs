//! Which parameters a network's heads are, and how fast each part below them learns.
//!
//! J. Howard, S. Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL
//! (2018), section 3.2: the nearer to the inputs, the more general is what a layer knows, and
//! the less should it change; each layer has the rate of the one above it divided by 2.6,
//! here times `--layer-decay`.

use crate::models::Network;
use burn::module::ParamGroup;
use tenfold_core::{Error, Result};

/// All but the layers of the classes.
pub fn backbone<N: Network>() -> ParamGroup {
    let heads: Vec<String> = N::HEADS.iter().map(|head| format!("{head}.")).collect();
    ParamGroup::all().exclude(ParamGroup::from_any_predicates(heads))
}

/// The learning rate of each part of a network in its training dress, as a ratio to that of
/// its heads: `decay` for the part below them, `decay` squared for the next, and so on.
///
/// # Errors
/// A part with a name that is no pattern.
pub fn rates<N: Network>(network: &N, decay: f64) -> Result<Vec<(ParamGroup, f64)>> {
    let parts = network.parts();
    let ratio = |depth: usize| decay.powi(i32::try_from(depth).unwrap_or(i32::MAX));
    // A model that names no parts has one.
    let mut rates = vec![(backbone::<N>(), ratio(parts.len().max(1)))];
    for (place, part) in parts.iter().enumerate() {
        // An enum's variant, in capitals, stands in a path but not in a file.
        let names = part.iter().map(|name| name.replace('.', "\\."));
        let names = names.collect::<Vec<_>>().join("|");
        let pattern = format!(r"^network\.(?:[A-Z]\w*\.)?(?:{names})\.");
        let group = ParamGroup::from_regex(pattern)
            .map_err(|why| Error::argument("--layer-decay", format!("{why:?}")))?;
        rates.push((group, ratio(parts.len() - place)));
    }
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::Classifier;
    use crate::models::ModelConfig;
    use crate::zoo::{Zoo, with_config};
    use burn::module::{Module, ModuleVisitor, Param, ParamId};
    use burn::tensor::Tensor;
    use clap::ValueEnum;
    use tenfold_core::cli::Zoo as _;
    use tenfold_core::data::Task;
    use tenfold_core::device;
    use tenfold_core::train::loss::LossConfig;

    /// The path of every parameter, as an optimiser sees it.
    #[derive(Default)]
    struct Paths {
        path: Vec<String>,
        found: Vec<(ParamId, String)>,
    }

    impl ModuleVisitor for Paths {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.into());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.push((param.id, self.path.join(".")));
        }
    }

    /// The ratio of each parameter's rate, in the order of the network's layers.
    fn ratios<N: Network>(network: N, decay: f64) -> Vec<(String, f64)> {
        let rates = rates(&network, decay).unwrap();
        let mut paths = Paths::default();
        let loss = LossConfig::new(Task::Classification, None, 0.0, 0.0).unwrap();
        Classifier { network, loss }.visit(&mut paths);
        let ratio = |(id, path): (ParamId, String)| {
            let groups = rates.iter().rev();
            let own = groups.into_iter().find(|(group, _)| group.matches(&id, Some(&path)));
            (path, own.map_or(1.0, |(_, ratio)| *ratio))
        };
        paths.found.into_iter().map(ratio).collect()
    }

    #[test]
    fn every_models_rates_fall_from_the_heads_to_the_inputs() {
        let device = device::open("cpu").unwrap();
        for model in Zoo::value_variants() {
            with_config!(*model, Config, new => {
                let config = new([3, 32, 32], 4);
                if config.fit().is_some() {
                    continue; // It does not learn step by step.
                }
                let network = config.init(&device);
                let heads = <<Config as ModelConfig>::Network as Network>::HEADS;
                let parts = network.parts().len();
                let ratios = ratios(network, 0.5);
                let name = model.name();
                let mut seen: Vec<f64> = Vec::new();
                for (path, ratio) in ratios {
                    let in_head = heads.iter().any(|head| path.contains(&format!(".{head}.")));
                    assert_eq!(ratio == 1.0, in_head, "{name}: {path} {ratio}");
                    if !seen.contains(&ratio) {
                        // Auxiliary heads stand behind what they look at.
                        seen.push(ratio);
                    }
                }
                assert!(seen.is_sorted(), "{name}: {seen:?}");
                assert_eq!(seen.len(), parts + 1, "{name}: {seen:?}");
            });
        }
    }
}
