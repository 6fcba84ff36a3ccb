//! A training on decisions goes on as its run was trained.

use crate::config::Start;
use crate::flags::TrainFlags;
use crate::models::Network as _;
use crate::models::alexnet::AlexNetConfig;
use crate::models::lenet::LeNetConfig;
use crate::models::mlp::MlpConfig;
use crate::models::resnet_cifar::CifarResNetConfig;
use crate::models::{BackboneConfig, ModelConfig};
use crate::start::start_from;
use crate::task::Classification;
use crate::zoo::Zoo;
use burn::tensor::{Device, Int, Tensor};
use clap::{Args, FromArgMatches};
use std::collections::BTreeMap;
use tenfold_core::cli::args::RunFlags;
use tenfold_core::data::{Input, Kind, Preprocess};
use tenfold_core::suggest::RetrainPlan;
use tenfold_core::task::{Flags, Task};
use tenfold_core::train::{drawn, random_stream};
use tenfold_core::trained::Trained;
use tenfold_core::weights;

fn flags(words: &[&str]) -> Flags<Zoo> {
    let command = TrainFlags::augment_args(clap::Command::new("train"));
    let matches = command.get_matches_from(["train"].iter().chain(words));
    let own = TrainFlags::from_arg_matches(&matches).unwrap();
    Flags { run: RunFlags { seed: Some(3), ..RunFlags::default() }, own, named: true, steers: true }
}

#[test]
fn optimiser_rate_schedule_loss_and_augmentation_are_the_runs() {
    let task = Classification::<LeNetConfig> { model: Zoo::LeNet, new: LeNetConfig::new };
    let given = flags(&[
        "--limit=100",
        "--epochs=7",
        "--batch-size=9",
        "--optimizer=sgd",
        "--momentum=0.8",
        "--nesterov",
        "--lr=0.02",
        "--weight-decay=0.003",
        "--clip-norm=2",
        "--schedule=cosine",
        "--warmup=0.1",
        "--loss=focal",
        "--l2=0.001",
        "--augment=crop:1",
        "--patience=4",
    ]);
    let choice = task.choose(&given).unwrap();
    let data = task.open(&choice, None).unwrap();
    let first = task.configure(&given, choice.clone(), &data).unwrap();

    // A round is judged by the run's own validation examples too, and so is the round after it.
    let own = task.own_examples(&first, 5).unwrap();
    assert_eq!(own.len(), 5);
    assert!(own.iter().all(|(_, label)| data.classes.contains(label)));
    let mut round = first.clone();
    round.data.beside = Some(Box::new(std::mem::replace(&mut round.data, choice.clone())));
    round.data.name = "gone.sqlite".into();
    let labels = |own: Vec<(Input, String)>| own.into_iter().map(|own| own.1).collect::<Vec<_>>();
    assert_eq!(labels(task.own_examples(&round, 5).unwrap()), labels(own));

    let folder = tempfile::tempdir().unwrap();
    let [run, store, out] = ["run", "store", "out"].map(|name| folder.path().join(name));
    std::fs::write(&run, "weights").unwrap();
    let trained = Trained { path: run.clone(), weights: run.clone(), text: String::new() };
    let (seed, device) = (3, "cpu".into());
    let plan = RetrainPlan { from: run, store, out, device, seed, epochs: None, limit: None };
    let mut own = task.retraining(&first, &trained, &plan).unwrap();
    assert_eq!(own.data.data.as_deref(), plan.store.to_str());
    // The same data again, and no weights to read, so that all else can be compared.
    (own.data, own.weights) = (given.own.data.clone(), None);
    let again = Flags { run: given.run.clone(), own, named: true, steers: true };
    assert_eq!(task.configure(&again, choice, &data).unwrap(), first);

    let plan = RetrainPlan { epochs: Some(2), ..plan };
    let own = task.retraining(&first, &trained, &plan).unwrap();
    assert_eq!(own.supervised.epochs, Some(2));
}

/// A class that the older network knows answers as before, wherever it stands now; the new one
/// does not.
#[test]
fn outputs_of_known_classes_are_kept_by_their_names() {
    fn kept<C: ModelConfig>(new: impl Fn(usize) -> C) {
        let device = Device::default();
        let _stream = random_stream();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("older.safetensors");
        let older = drawn(new(3).init(&device));
        weights::save(&older, &file, &BTreeMap::new()).unwrap();
        let labels = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let start = Start {
            weights: file.clone(),
            sha256: weights::digest(&file).unwrap(),
            freeze_backbone: false,
            labels: labels(&["a", "b", "c"]),
        };
        let task = Classification { model: Zoo::LeNet, new: LeNetConfig::new };
        let given = flags(&["--limit=100"]);
        let choice = task.choose(&given).unwrap();
        let data = task.open(&choice, None).unwrap();
        let mut config = task.configure(&given, choice, &data).unwrap();
        config.labels = labels(&["c", "new", "a", "b"]);
        config.config = serde_json::to_value(new(4)).unwrap();
        let [channels, height, width] = new(4).input_shape();
        config.preprocess = new(4).preprocess().unwrap_or_else(|| {
            Preprocess::fit(
                &Kind::Images { channels, height, width },
                &data.train,
                tenfold_core::data::Resize::Stretch,
            )
            .unwrap()
        });
        let fresh = drawn(new(4).init(&device));
        let now = start_from::<C>(fresh, &start, &config).unwrap();
        let inputs = Tensor::<1, Int>::arange(0..(channels * height * width) as i64, &device)
            .float()
            .sin()
            .reshape([1, channels, height, width]);
        let row = |logits: Tensor<2>| logits.into_data().try_to_vec::<f32>().unwrap();
        let (before, after) = (row(older.forward(inputs.clone())), row(now.forward(inputs)));
        for (own, other) in [(0, 2), (2, 0), (3, 1)] {
            let (after, before) = (after[own], before[other]);
            assert!((after - before).abs() < 1e-4, "{after} was {before}");
        }
        assert!(!before.iter().any(|before| (before - after[1]).abs() < 1e-7));
    }
    kept(|classes| LeNetConfig::new([1, 28, 28], classes));
    kept(|classes| MlpConfig::new([1, 28, 28], classes));
    kept(|classes| AlexNetConfig::alexnet(classes).with_input([3, 64, 64]));
    kept(CifarResNetConfig::resnet20);
}
