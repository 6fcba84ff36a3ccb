//! A training on decisions goes on as its run was trained.

use crate::flags::TrainFlags;
use crate::models::lenet::LeNetConfig;
use crate::task::Classification;
use crate::zoo::Zoo;
use clap::{Args, FromArgMatches};
use tenfold_core::cli::args::RunFlags;
use tenfold_core::suggest::RetrainPlan;
use tenfold_core::task::{Flags, Task};
use tenfold_core::trained::Trained;

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
