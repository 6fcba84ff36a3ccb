//! The toy task driven as a person would.

use crate::toy_task::Toy;
use std::{ffi::OsString, path::Path};
use tenfold_core::{cli::Program, device};
use tenfold_tests::{args, folder, run};

fn train(out: &Path) -> [OsString; 9] {
    args!["train", "net", "--limit", "2000", "--epochs", "8", "--json", "--out", out]
}

#[test]
fn trains_measures_answers_exports_and_serves() {
    let place = folder();
    let [out, file, image] = ["run", "net.safetensors", "white.png"].map(|n| place.path().join(n));
    let summary = run::<Toy, _>(train(&out)).json();
    assert!(summary["iou"].as_f64() > Some(0.2) && summary["examples"]["train"] == 2000);
    assert_eq!(run::<Toy, _>(args!["eval", &out, "--json"]).json()["iou"], summary["iou"]);
    run::<Toy, _>(args!["train", "net", "--out", &out]).fails(&["holds a run already"]);
    run::<Toy, _>(args!["train", "net", "--out", &out, "--resume", "--lr", "1"]).fails(&["there"]);
    image::RgbImage::from_pixel(64, 64, image::Rgb([255; 3])).save(&image).unwrap();
    run::<Toy, _>(args!["export", &out, &file]);
    let answer = run::<Toy, _>(args!["predict", &file, &image, "--json"]).json();
    assert_eq!(answer, run::<Toy, _>(args!["predict", &out, &image, "--json"]).json());
    assert_eq!(answer[0]["objects"][0]["box"].as_array().map(Vec::len), Some(4));
    assert_eq!(Toy::propose(&out, &device::open("cpu").unwrap()).unwrap().labels().len(), 8);
}

#[test]
fn what_the_next_test_kills() {
    std::env::var_os("TOY_RUN").map(|out| run::<Toy, _>(train(Path::new(&out))).json());
}

#[test]
fn killed_and_resumed_it_ends_with_the_same_weights() {
    let place = folder();
    let [whole, killed] = ["whole", "killed"].map(|name| place.path().join(name));
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["toy::what_the_next_test_kills", "--exact"]).env("TOY_RUN", &killed);
    let mut child = child.spawn().unwrap();
    while !killed.join("metrics.jsonl").exists() {
        std::thread::yield_now();
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
    }
    child.kill().and_then(|()| child.wait()).unwrap();
    run::<Toy, _>(train(&whole)).json();
    run::<Toy, _>(args!["train", "net", "--resume", "--out", &killed]);
    let weights = |run: &Path| std::fs::read(run.join("model.safetensors")).unwrap();
    assert!(weights(&whole) == weights(&killed));
}
