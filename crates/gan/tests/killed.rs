//! A training that was killed ends as one that was not.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A short training of a DCGAN that may go back, or of a CycleGAN with a pool and averages.
fn program(model: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold-gan"));
    let own = match model {
        "dcgan" => &["--batch-size", "8", "--set", "width=4", "--rollback"][..],
        _ => &["--set", "side=32", "--set", "width=1", "--set", "pool=3", "--set", "average=0.9"],
    };
    command.args(["train", model, "--limit", "40", "--steps", "40", "--every", "4"]);
    command.args(["--samples", "30"]).args(own).args(more).arg("--out").arg(out);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn killed_and_resumed_it_ends_with_the_same_weights_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for model in ["dcgan", "cyclegan"] {
        let [whole, killed] =
            ["whole", "killed"].map(|name| folder.path().join(format!("{model}-{name}")));
        assert!(program(model, &whole, &[]).status().unwrap().success());
        let mut child = program(model, &killed, &[]).spawn().unwrap();
        // In the middle of it, whenever that is; it ends by itself.
        let frame = killed.join("samples").join("0000012.png");
        while !frame.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(program(model, &killed, &["--resume"]).status().unwrap().success());
        for file in ["model.safetensors", "samples.gif"] {
            let read = |run: &Path| std::fs::read(run.join(file)).unwrap();
            assert!(read(&whole) == read(&killed), "{model}: {file}");
        }
    }
}
