//! A training that is killed, at whatever moment and however often, ends with the weights of
//! one that was not: bit for bit, the optimiser's numbers and the metrics included.
//!
//! SIGKILL cannot be caught, so these are real processes that are really killed.

use crate::program::{
    LENET, Learnt, Process, checkpoint, folder, kill_after, met, reference, resume_to_reference,
    succeed, train, uninterrupted,
};
use std::path::Path;
use std::time::Duration;
use tenfold_core::data::random::SplitMix64;

fn start(run: &Path) -> Process {
    Process::start(&mut train(LENET, run))
}

fn resume(run: &Path) -> Process {
    Process::start(&mut train("train lenet --resume", run))
}

/// A part of the time that the uninterrupted training took.
fn part(part: f64) -> Duration {
    reference().time.mul_f64(part)
}

#[test]
fn before_the_first_checkpoint() {
    let (_folder, run, ()) = met(|run| {
        kill_after(start(run), || run.join("config.json").exists(), part(0.02))?;
        (!checkpoint(run, 1).exists()).then_some(())
    });
    resume_to_reference(&run);
}

#[test]
fn inside_epochs() {
    let (_folder, run, ()) = met(|run| {
        kill_after(start(run), || checkpoint(run, 1).exists(), part(0.06))?;
        (!checkpoint(run, 2).exists()).then_some(())?;
        // And the continued training once more, in a later epoch.
        kill_after(resume(run), || checkpoint(run, 2).exists(), part(0.06))?;
        (!checkpoint(run, 4).exists()).then_some(())
    });
    resume_to_reference(&run);
}

#[test]
fn while_a_checkpoint_is_written() {
    let (_folder, run) = folder();
    let new = run.join("checkpoint/.new");
    let touched = || std::fs::metadata(&new).and_then(|new| new.modified()).ok();
    let mut caught = 0;
    // The window is some milliseconds wide, and the scheduler may skip it.
    for _ in 0..8 {
        // What an earlier kill left there is not yet the next training's.
        let before = touched();
        let child = match run.join("config.json").exists() {
            true => resume(&run),
            false => start(&run),
        };
        kill_after(child, || new.exists() && touched() != before, Duration::ZERO);
        caught += usize::from(new.exists());
        if caught == 3 {
            break;
        }
    }
    assert!(caught > 0, "never met it at writing");
    resume_to_reference(&run);
}

#[test]
fn after_the_training_and_before_the_summary() {
    let (_folder, run, ()) = met(|run| {
        kill_after(start(run), || checkpoint(run, 4).exists(), Duration::ZERO)?;
        (!run.join("summary.json").exists()).then_some(())
    });
    resume_to_reference(&run);
    // A finished run has nothing left to do, and says the same again.
    resume_to_reference(&run);
}

#[test]
fn at_random_moments_again_and_again() {
    let mut random = SplitMix64::new(28);
    let (_folder, run) = folder();
    for kills in 0..8 {
        // Killed before there was anything to continue: it starts again.
        let child = match run.join("config.json").exists() {
            true => resume(&run),
            false => start(&run),
        };
        // The later the kill, the shorter the rest of the training.
        let longest = 0.9 - 0.08 * kills as f32;
        kill_after(child, || true, part(random.between(0.02, longest).into()));
    }
    resume_to_reference(&run);
}

#[test]
fn other_networks_and_optimisers() {
    let lines = [
        "train lenet --set variant=lecun1998 --limit 300 --epochs 3 --seed 4",
        "train lenet --limit 200 --epochs 3 --optimizer sgd --momentum 0.9 --nesterov --lr 0.05 \
         --clip-norm 1",
        "train mlp --limit 900 --epochs 3 --optimizer rmsprop --momentum 0.5 --lr 0.0005 \
         --schedule cosine --warmup 0.1 --set dropout=0.3 --augment affine:5:0.1,cutout:0.2",
        "train mlp --data houses --epochs 40 --batch-size 8 --loss huber --l1 0.001 --l2 0.001 \
         --set activation=gelu",
    ];
    for line in lines {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let whole = uninterrupted(&line).learnt;
        let (_folder, run, ()) = met(|run| {
            let child = Process::start(&mut train(&line, run));
            kill_after(child, || checkpoint(run, 1).exists(), Duration::from_millis(20))
        });
        let model = line.split(' ').nth(1).unwrap();
        succeed(&mut train(&format!("train {model} --resume"), &run));
        Learnt::read(&run).assert_same(&whole);
    }
}

#[test]
fn a_frozen_backbone_stays_frozen() {
    let (_base, first) = folder();
    succeed(&mut train("train mlp --limit 300 --epochs 1", &first));
    let weights = first.join("model.safetensors");
    let line = format!(
        "train mlp --limit 900 --epochs 3 --freeze-backbone --weights {}",
        weights.display()
    );
    let whole = uninterrupted(&line).learnt;
    let (_folder, run, ()) = met(|run| {
        let child = Process::start(&mut train(&line, run));
        kill_after(child, || checkpoint(run, 1).exists(), Duration::from_millis(1))
    });
    succeed(&mut train("train mlp --resume", &run));
    Learnt::read(&run).assert_same(&whole);
}

#[test]
fn layers_keep_their_own_rates() {
    let line = "train lenet --limit 300 --epochs 3 --layer-decay 0.3";
    let whole = uninterrupted(line).learnt;
    let (_folder, run, ()) = met(|run| {
        let child = Process::start(&mut train(line, run));
        kill_after(child, || checkpoint(run, 1).exists(), Duration::from_millis(20))
    });
    succeed(&mut train("train lenet --resume", &run));
    Learnt::read(&run).assert_same(&whole);
    let same = uninterrupted("train lenet --limit 300 --epochs 3").learnt;
    assert!(same.weights != whole.weights, "the flag changes nothing");
}

#[test]
fn the_seed_alone_decides() {
    uninterrupted(LENET).learnt.assert_same(&reference().learnt);
    let other = uninterrupted(&format!("{LENET} --seed 2")).learnt;
    assert!(other.weights != reference().learnt.weights);
}

#[test]
fn what_a_resumed_training_cannot_change_is_refused() {
    let (_folder, run) = folder();
    succeed(&mut train("train logistic --limit 100 --epochs 1 --clip-norm 1", &run));
    for (flags, field) in [
        ("--limit 100 --epochs 1 --clip-norm 2", "training.optimizer.clip.norm is 1.0 there"),
        ("--limit 100 --epochs 2 --clip-norm 1", "training.epochs is 1 there and 2 here"),
        ("--limit 100 --epochs 1 --clip-norm 1 --seed 3", "data.seed is 1 there and 3 here"),
        ("--limit 100 --epochs 1 --clip-norm 1 --optimizer sgd", "training.optimizer."),
        ("--limit 99 --epochs 1 --clip-norm 1", "data.limit is 100 there and 99 here"),
        ("--limit 100 --epochs 1 --clip-norm 1 --layer-decay 0.5", "training.layer_decay is"),
        ("--epochs 1", "data.limit is 100 there and null here"),
    ] {
        let line = format!("train logistic --resume {flags}");
        let ended = crate::program::run(&mut train(&line, &run));
        let why = "error: --resume: continues a run exactly as it was started, and ";
        let why = format!("{why}{field}");
        assert!(ended.error().starts_with(&why), "{}", ended.error());
    }
    let same = "train logistic --resume --limit 100 --clip-norm 1 --epochs 1";
    succeed(&mut train(same, &run));
    succeed(&mut train("train logistic --resume", &run));
}
