//! Layer-wise learning rates of every model.

use crate::layerwise::rates;
use crate::models::{ModelConfig, Network};
use crate::zoo::{Zoo, with_config};
use burn::module::{ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use tenfold_core::device;
use tenfold_core::zoo::Zoo as _;

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

/// The ratio of each parameter's rate, in the order of the network's layers, whether it is
/// alone (an empty prefix) or a field of another module.
fn ratios<N: Network>(network: &N, prefix: &str, decay: f64) -> Vec<(String, f64)> {
    let rates = rates(network, decay).unwrap();
    let mut paths = Paths::default();
    network.visit(&mut paths);
    let ratio = |(id, path): (ParamId, String)| {
        let path = format!("{prefix}{path}");
        let groups = rates.iter().rev();
        let own = groups.into_iter().find(|(group, _)| group.matches(&id, Some(&path)));
        (path, own.map_or(1.0, |(_, ratio)| *ratio))
    };
    paths.found.into_iter().map(ratio).collect()
}

#[test]
fn every_models_rates_fall_from_the_heads_to_the_inputs() {
    let device = device::open("cpu").unwrap();
    for (model, _) in Zoo::ALL {
        with_config!(*model, Config, new => {
            let config = new([3, 32, 32], 4);
            if config.fit().is_some() {
                continue; // It does not learn step by step.
            }
            let network = config.init(&device);
            let heads = <<Config as ModelConfig>::Network as Network>::HEADS;
            let parts = network.parts().len();
            let ratios = ratios(&network, "", 0.5);
            let inside = self::ratios(&network, "network.", 0.5);
            assert!(ratios.iter().zip(&inside).all(|(alone, inside)| alone.1 == inside.1));
            let name = model.name();
            let mut seen: Vec<f64> = Vec::new();
            for (path, ratio) in ratios {
                let in_head = heads.iter().any(|head| format!(".{path}").contains(&format!(".{head}.")));
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
