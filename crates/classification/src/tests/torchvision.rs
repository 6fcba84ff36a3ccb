//! Every convolutional network against torchvision: names and shapes of all weights, logits,
//! and the whole way from an image to probabilities. `tests/golden/torchvision/make.py` has
//! the same formulas. And against calculus: each parameter's gradient.

use crate::models::resnet::{ResNet, ResNetConfig};
use crate::models::{BackboneConfig, ModelConfig, Network, parameters};
use crate::predictor::Predictor;
use crate::zoo::{Zoo, with_config};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rayon::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use tenfold_core::data::{Input, Task, image_file};
use tenfold_core::suggest::Suggest;
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{device, weights};

/// What torchvision says.
fn expected() -> Value {
    let text = include_str!("../../../../tests/golden/torchvision/expected.json");
    serde_json::from_str(text).unwrap()
}

fn zoo(name: &str) -> Zoo {
    Zoo::named(name).unwrap()
}

/// A number in -1..1 from an integer hash of a key's hash and a place.
fn noise(key: u32, place: u32) -> f64 {
    let mut x = place.wrapping_mul(0x9E37_79B1) ^ key;
    x = (x ^ (x >> 15)).wrapping_mul(0x2C1B_3C6D);
    x = (x ^ (x >> 12)).wrapping_mul(0x297A_2D39);
    x ^= x >> 15;
    f64::from(x >> 8) / 8_388_608.0 - 1.0
}

fn hash(key: &str) -> u32 {
    key.bytes().fold(2_166_136_261, |h, byte| (h ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// The formula's weights of such a key and PyTorch shape.
fn weight(key: &str, shape: &[usize]) -> Vec<f32> {
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let (base, scale) = match (key.rsplit('.').next().unwrap(), shape.len()) {
        ("running_var", _) => (1.0, 0.5),
        ("running_mean", _) => (0.0, 0.2),
        ("bias", _) => (0.0, 0.05),
        (_, 1) => (0.9, 0.25),
        (_, 2) => (0.0, 0.5 * (3.0 / fan_in).sqrt()),
        _ => (0.0, (6.0 / fan_in).sqrt()),
    };
    let (hash, count) = (hash(key), shape.iter().product::<usize>() as u32);
    (0..count).into_par_iter().map(|place| (base + scale * noise(hash, place)) as f32).collect()
}

/// Sets every weight by the formula.
#[derive(Default)]
struct Formula {
    path: Vec<String>,
    containers: Vec<String>,
}

impl ModuleMapper for Formula {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.containers.push(container.into());
        if !container.starts_with("Enum:") {
            self.path.push(name.into());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.containers.pop();
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let container = self.containers.last().unwrap();
        let mut key = self.path.join(".");
        if container == "Struct:BatchNorm" {
            key = key.replace(".gamma", ".weight").replace(".beta", ".bias");
        }
        let mut shape = param.lazy_shape().to_vec();
        // PyTorch has outputs first.
        let turned = container == "Struct:Linear" && D == 2;
        if turned {
            shape.reverse();
        }
        let data = TensorData::new(weight(&key, &shape), shape);
        let tensor = Tensor::from_data(data, &param.lazy_device());
        Param::initialized(param.id, if turned { tensor.transpose() } else { tensor })
    }
}

fn filled<M: Module>(network: M) -> M {
    network.map(&mut Formula::default())
}

fn input(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let key = hash("input");
    let values = (0..shape.iter().product::<usize>() as u32).map(|place| noise(key, place) as f32);
    Tensor::from_data(TensorData::new(values.collect(), shape), device)
}

/// The largest difference, as a part of the largest expected number.
fn relative(ours: &[f32], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let differences = ours.iter().zip(theirs).map(|(x, y)| (f64::from(*x) - y).abs());
    differences.fold(0.0, f64::max) / largest
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn logits_agree_with_torchvision() {
    let device = device::open("cpu").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for case in expected()["cases"].as_array().unwrap() {
        let name = case["model"].as_str().unwrap();
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let shape: [usize; 4] = shape.try_into().unwrap();
        with_config!(zoo(name), Config, new => {
            let mut config = serde_json::to_value(new([3, 224, 224], 10)).unwrap();
            if config.get("transform_input").is_some() {
                config["transform_input"] = case.get("transform_input").is_some().into();
            }
            let config: Config = serde_json::from_value(config).unwrap();
            let network = filled(config.init(&device));
            let logits = network.forward(input(shape, &device)).into_data().try_to_vec().unwrap();
            let error = relative(&logits, &numbers(&case["logits"]));
            println!("{name} {shape:?}: {error:.1e}");
            assert!(error < 1e-4, "{name} {shape:?}: {error:.1e}");
        });
        seen.insert(name.to_string());
    }
    let convolutional = Zoo::ALL.iter().map(|(_, name)| name.to_string());
    let others = ["linear", "logistic", "knn", "hog-svm", "mlp", "lenet"];
    let trees = ["random_forest", "gradient_boosting"];
    let ours = convolutional.filter(|name| ![&others[..], &trees].concat().contains(&&**name));
    assert_eq!(seen, ours.collect());
}

#[test]
fn names_shapes_and_counts_are_torchvisions() {
    let (expected, device) = (expected(), device::open("cpu").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    for (name, digest) in expected["keys"].as_object().unwrap() {
        with_config!(zoo(name), Config, new => {
            let network = new([3, 224, 224], 1000).init(&device);
            let keys = weights::module_keys(&network);
            let line = |(key, shape): &(String, Vec<usize>)| format!("{key} {shape:?}\n");
            let mut lines: Vec<String> = keys.iter().map(line).collect();
            lines.sort();
            std::fs::write(&file, lines.concat()).unwrap();
            assert_eq!(weights::digest(&file).unwrap(), digest.as_str().unwrap(), "{name}");
            assert_eq!(parameters(&network), expected["parameters"][name], "{name}");
            // What is read off these weights is the network that has them.
            let inferred: Config = new([3, 32, 32], 7).infer(&keys).unwrap();
            assert_eq!(weights::module_keys(&inferred.init(&device)), keys, "{name}");
        });
    }
}

/// 300 x 260: slopes that wrap around, with noise.
fn drawn() -> image::RgbImage {
    let key = hash("picture");
    image::RgbImage::from_fn(300, 260, |x, y| {
        let value = |c: u32| {
            let grain = ((noise(key, (y * 300 + x) * 3 + c) + 1.0) * 16.0) as u32;
            ((x * (c + 2) + y * (5 - c) + grain) % 256) as u8
        };
        image::Rgb([value(0), value(1), value(2)])
    })
}

#[test]
fn an_image_has_torchvisions_probabilities() {
    let (expected, device) = (expected(), device::open("cpu").unwrap());
    let model = zoo(expected["pipeline"]["model"].as_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let [png, file] = ["picture.png", "weights.safetensors"].map(|name| folder.path().join(name));
    drawn().save(&png).unwrap();
    with_config!(model, Config, new => {
        let network = filled(new([3, 224, 224], 10).init(&device));
        weights::save(&network, &file, &BTreeMap::new()).unwrap();
    });
    let predictor = Predictor::from_weights(model, &file, None, &[], &device).unwrap();
    let input = Input::Image(image_file::read(&png).unwrap());
    let suggestions = &predictor.suggest(&[&input], 10).unwrap()[0];
    let theirs = numbers(&expected["pipeline"]["probabilities"]);
    // Otherwise the answer would hardly depend on the image.
    assert!(theirs.iter().filter(|score| **score > 0.01).count() >= 3, "{theirs:?}");
    for suggestion in suggestions {
        let expected = theirs[suggestion.answer.to_string().parse::<usize>().unwrap()];
        let difference = (f64::from(suggestion.score) - expected).abs();
        assert!(difference < 1e-4, "{}: {difference:.1e}", suggestion.answer);
    }
}

/// Names of the parameters whose gradient is missing, zero everywhere, or no number.
struct Idle<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    found: Vec<String>,
    count: usize,
}

impl ModuleVisitor for Idle<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        if name.contains("running_") {
            return;
        }
        self.count += 1;
        let sum = param.val().grad(self.gradients).map(|gradient| gradient.abs().sum());
        let sum = sum.map(|sum| sum.into_scalar::<f32>());
        if !sum.is_some_and(|sum| sum.is_finite() && sum > 0.0) {
            self.found.push(name);
        }
    }
}

#[test]
fn every_parameter_receives_a_gradient() {
    let tape = device::open("cpu").unwrap().autodiff();
    for (model, _) in Zoo::ALL {
        tape.seed(1);
        with_config!(*model, Config, new => {
            // Linear regression is compared with its closed form, and what is fitted at
            // once has no gradient.
            if !Config::TASKS.contains(&Task::Classification)
                || new([1, 28, 28], 4).fit().is_some()
            {
                continue;
            }
            let shape = Config::input(&tenfold_core::data::Kind::Images {
                channels: 3,
                height: 32,
                width: 32,
            });
            let shape = shape.unwrap();
            let network = new(shape, 4).init(&tape);
            let [channels, height, width] = shape;
            let (logits, auxiliaries) =
                network.train_forward(input([2, channels, height, width], &tape));
            // Of a sum of squares no gradient is zero by symmetry.
            let mut loss = logits.powi_scalar(2).sum();
            for (auxiliary, weight) in auxiliaries {
                loss = loss + auxiliary.powi_scalar(2).sum() * weight;
            }
            let gradients = loss.backward();
            let mut idle =
                Idle { gradients: &gradients, path: Vec::new(), found: Vec::new(), count: 0 };
            network.visit(&mut idle);
            assert!(idle.found.is_empty(), "{}: {:?}", model.name(), idle.found);
            assert!(idle.count >= 2, "{}", model.name());
        });
    }
}

/// Moves one number of one parameter.
struct Nudge {
    id: ParamId,
    place: usize,
    by: f32,
}

impl ModuleMapper for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if param.id != self.id {
            return param;
        }
        let (place, by) = (self.place, self.by);
        param.map(|tensor| {
            let (shape, device) = (tensor.shape(), tensor.device());
            let mut values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
            values[place] += by;
            Tensor::from_data(TensorData::new(values, shape), &device)
        })
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let tape = device::open("cpu").unwrap().autodiff();
    tape.seed(1);
    let network = ResNetConfig::resnet18(3).with_input([3, 16, 16]).init(&tape);
    let network = network.materialize();
    let images = input([2, 3, 16, 16], &tape);
    let loss = |network: &ResNet| network.forward(images.clone()).powi_scalar(2).sum();
    let gradients = loss(&network).backward();
    let (head, norm) = (&network.fc.as_ref().unwrap().weight, &network.layer4[1].bn2.gamma);
    let flat = |gradient: TensorData| gradient.try_to_vec::<f32>().unwrap();
    let cases = [
        (head.id, flat(head.val().grad(&gradients).unwrap().into_data())),
        (norm.id, flat(norm.val().grad(&gradients).unwrap().into_data())),
    ];
    for (id, gradient) in cases {
        let largest = |a: &usize, b: &usize| gradient[*a].abs().total_cmp(&gradient[*b].abs());
        let place = (0..gradient.len()).max_by(largest).unwrap();
        let at = |by: f32| {
            let moved = network.clone().map(&mut Nudge { id, place, by });
            f64::from(loss(&moved).into_scalar::<f32>())
        };
        let gradient = f64::from(gradient[place]);
        // A rectifier may switch within one step; it does not within every one.
        let differences = [0.01, 0.003, 0.001].map(|by| (at(by) - at(-by)) / (2.0 * f64::from(by)));
        let close = |difference: &f64| (difference - gradient).abs() < 0.01 * gradient.abs();
        assert!(differences.iter().any(close), "{differences:?} {gradient}");
    }
}
