//! A training that is killed, at whatever moment and however often, ends with the weights of
//! one that was not: bit for bit, the optimiser's numbers and the metrics included.
//!
//! SIGKILL cannot be caught, so these are real processes that are really killed.
#![cfg(unix)]

mod program;

use program::{
    LENET, checkpoint, ended, folder, reference, resume_to_reference, succeed, train,
    uninterrupted, wait_until,
};
use std::path::Path;
use std::process::Child;
use std::time::Duration;
use tenfold_core::data::random::SplitMix64;

fn start(run: &Path) -> Child {
    train(LENET, run).spawn().unwrap()
}

fn resume(run: &Path) -> Child {
    train("train lenet --resume", run).spawn().unwrap()
}

/// SIGKILL. Whether the process was still alive.
fn kill(mut child: Child) -> bool {
    child.kill().unwrap();
    ended(child).code.is_none()
}

/// Kills the training a part of the reference's time after `happened`.
fn kill_after(mut child: Child, part: f64, happened: impl Fn() -> bool) {
    assert!(wait_until(&mut child, happened));
    std::thread::sleep(reference().time.mul_f64(part));
    assert!(kill(child), "it ended before it could be killed");
}

#[test]
fn before_the_first_checkpoint() {
    reference();
    let (_folder, run) = folder();
    kill_after(start(&run), 0.02, || run.join("config.json").exists());
    assert!(!checkpoint(&run, 1).exists());
    resume_to_reference(&run);
}

#[test]
fn inside_epochs() {
    reference();
    let (_folder, run) = folder();
    kill_after(start(&run), 0.06, || checkpoint(&run, 1).exists());
    assert!(!checkpoint(&run, 2).exists());
    // And the continued training once more, in the next epoch.
    kill_after(resume(&run), 0.06, || checkpoint(&run, 2).exists());
    assert!(!checkpoint(&run, 4).exists());
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
        let mut child = match run.join("config.json").exists() {
            true => resume(&run),
            false => start(&run),
        };
        wait_until(&mut child, || new.exists() && touched() != before);
        kill(child);
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
    let (_folder, run) = folder();
    kill_after(start(&run), 0.0, || checkpoint(&run, 4).exists());
    assert!(!run.join("summary.json").exists());
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
        std::thread::sleep(reference().time.mul_f32(random.between(0.02, longest)));
        kill(child);
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
    ];
    for line in lines {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let whole = uninterrupted(&line).learnt;
        let (_folder, run) = folder();
        let mut child = train(&line, &run).spawn().unwrap();
        assert!(wait_until(&mut child, || checkpoint(&run, 1).exists()));
        std::thread::sleep(Duration::from_millis(20));
        assert!(kill(child), "{line}: it ended before it could be killed");
        let model = line.split(' ').nth(1).unwrap();
        succeed(&mut train(&format!("train {model} --resume"), &run));
        program::Learnt::read(&run).assert_same(&whole);
    }
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
    for flag in ["--clip-norm 2", "--epochs 2", "--seed 3", "--optimizer sgd", "--limit 99"] {
        let ended = program::run(&mut train(&format!("train logistic --resume {flag}"), &run));
        let name = flag.split(' ').next().unwrap();
        assert!(ended.error().starts_with(&format!("error: {name}: ")), "{}", ended.error());
    }
    succeed(&mut train("train logistic --resume --clip-norm 1 --epochs 1", &run));
}
