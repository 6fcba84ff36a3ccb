//! Beginning with weights that were trained before, for the same classes or for others.

use crate::config::{RunConfig, Start};
use crate::models::{ModelConfig, Network};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Int, Tensor, TensorData};
use std::collections::HashMap;
use std::path::Path;
use tenfold_core::progress::note;
use tenfold_core::{Error, Result, weights};

/// The network with weights that were trained before. Where the file's last layer has other
/// classes it starts anew; but the outputs of classes whose names are known are kept.
pub fn start_from<C: ModelConfig>(
    network: C::Network,
    start: &Start,
    config: &RunConfig,
) -> Result<C::Network> {
    let path = &start.weights;
    if weights::digest(path)? != start.sha256 {
        return Err(Error::file(path, "not the file that this run was started from"));
    }
    let names = <C::Network as Network>::HEADS;
    let heads: Vec<String> = names.iter().map(|head| format!("{head}.")).collect();
    let in_head = |key: &(String, Vec<usize>)| heads.iter().any(|head| key.0.starts_with(head));
    let mut network = network;
    let own_heads = weights::module_keys(&network).into_iter().filter(&in_head);
    let mut options = C::Network::load_options();
    let keys = weights::keys_for(&network, path, &options)?;
    let same_shapes = keys.into_iter().filter(&in_head).eq(own_heads);
    if same_shapes && (start.labels.is_empty() || start.labels == config.labels) {
        weights::load(&mut network, path, &options)?;
        return Ok(network);
    }
    let older = of_classes::<C>(config, &start.labels)?;
    if older.is_none() {
        note(format_args!(
            "{}: other classes than this data; the last layer is initialised at random",
            path.display()
        ));
    }
    let device = network.devices().into_iter().next().unwrap_or_default();
    let older = older.map(|older| older.init(&device));
    if let Some(mut older) = older {
        weights::load(&mut older, path, &options)?;
        let mut known = Heads { heads: &heads, under: Vec::new(), found: HashMap::new() };
        older.visit(&mut known);
        let rows = [start.labels.len(), config.labels.len()];
        let place = |label: &String| start.labels.iter().position(|own| own == label);
        // A class that the file knows has its output there, a new one that of the fresh layer.
        let sources = config.labels.iter().enumerate();
        let sources = sources.map(|(row, label)| place(label).unwrap_or(rows[0] + row));
        let sources: Vec<i64> = sources.map(|row| row as i64).collect();
        let found = known.found;
        let under = Vec::new();
        network = network.map(&mut Grafted { heads: &heads, under, found, rows, sources });
    }
    options.skip.extend(heads.iter().map(|head| format!("^{}", head.replace('.', "\\."))));
    weights::load(&mut network, path, &options)?;
    Ok(network)
}

/// The run's network as it is for other classes; `None` where there are no such names.
fn of_classes<C: ModelConfig>(config: &RunConfig, labels: &[String]) -> Result<Option<C>> {
    if labels.is_empty() {
        return Ok(None);
    }
    let mut older = config.clone();
    older.labels = labels.to_vec();
    older.config["classes"] = labels.len().into();
    older.network::<C>(Path::new("config.json")).map(Some)
}

/// Whether a parameter belongs to a layer of the classes. An enum's variant, in capitals,
/// stands in a path but not in a file's names.
fn in_heads(under: &[String], heads: &[String]) -> Option<String> {
    let plain = |part: &&String| !part.starts_with(|first: char| first.is_ascii_uppercase());
    let path: Vec<&str> = under.iter().filter(plain).map(String::as_str).collect();
    let path = path.join(".");
    heads.iter().any(|head| path.starts_with(head)).then_some(path)
}

/// Collects the parameters of a network's layers of classes.
struct Heads<'a> {
    heads: &'a [String],
    under: Vec<String>,
    found: HashMap<String, TensorData>,
}

impl ModuleVisitor for Heads<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.under.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.under.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(path) = in_heads(&self.under, self.heads) {
            self.found.insert(path, param.val().into_data());
        }
    }
}

/// Puts the outputs of known classes into a network's layers of classes.
struct Grafted<'a> {
    heads: &'a [String],
    under: Vec<String>,
    found: HashMap<String, TensorData>,
    /// The classes of the older network, and of this one.
    rows: [usize; 2],
    /// For each class its place in the older network's rows with this one's after them.
    sources: Vec<i64>,
}

impl ModuleMapper for Grafted<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.under.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.under.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let older = in_heads(&self.under, self.heads).and_then(|path| self.found.remove(&path));
        let Some(older) = older else { return param };
        let [classes, now] = self.rows;
        let (before, shape) = (older.shape(), param.val().dims());
        // The dimension of the classes: the last that fits, since a layer's outputs come last.
        let fits = |&axis: &usize| {
            let same = |other: usize| other == axis || before[other] == shape[other];
            before[axis] == classes && shape[axis] == now && (0..D).all(same)
        };
        let Some(axis) = (0..D).rev().find(fits) else { return param };
        let sources = &self.sources;
        param.map(|fresh| {
            let device = fresh.device();
            let trained = fresh.is_require_grad();
            let older = Tensor::<D>::from_data(older, &device);
            let rows = Tensor::<1, Int>::from_ints(&sources[..], &device);
            let grafted = Tensor::cat(vec![older, fresh.detach()], axis).select(axis, rows);
            grafted.detach().set_require_grad(trained)
        })
    }
}
