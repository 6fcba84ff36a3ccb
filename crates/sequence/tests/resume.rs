//! A training that was killed ends with the same weights as one that was not: with dropout, a
//! shuffled order, readers whose state goes on from batch to batch, and word by word.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn train(arguments: &[&str], out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold-sequence"));
    command.arg("train").args(arguments).arg("--out").arg(out).args(more);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn killed_and_whole(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    assert!(train(arguments, &whole, &[]).status().unwrap().success());
    for epoch in [1, 3] {
        let epoch = format!("epoch-{epoch:04}");
        let mut child = train(arguments, &killed, &["--overwrite"]).spawn().unwrap();
        let begun = Instant::now();
        // A slow machine may take long, and may be past this epoch already.
        let there = || killed.join("checkpoint").join(&epoch).exists();
        while !there() && child.try_wait().unwrap().is_none() {
            if begun.elapsed() > Duration::from_secs(300) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = child.kill();
        child.wait().unwrap();
        assert!(train(&arguments[..1], &killed, &["--resume"]).status().unwrap().success());
        for file in ["model.safetensors", "config.json"] {
            let read = |run: &Path| std::fs::read(run.join(file)).unwrap();
            assert!(read(&whole) == read(&killed), "{file} after {epoch}");
        }
    }
}

#[test]
fn a_language_model() {
    killed_and_whole(&["charlm", "--epochs", "5", "--set", "hidden=24", "--set", "steps=16"]);
}

#[test]
fn word_vectors() {
    killed_and_whole(&["skipgram", "--epochs", "5", "--set", "dimensions=24"]);
}

#[test]
fn a_translation() {
    killed_and_whole(&[
        "translate",
        "--limit",
        "300",
        "--epochs",
        "5",
        "--set",
        "hidden=12",
        "--set",
        "embedding=12",
        "--set",
        "tokens=100",
    ]);
}
