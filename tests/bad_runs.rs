//! Run folders and weights that are damaged, taken or made for something else: exit status 1, one
//! line that names the file or flag and what was expected, and nothing lost.

use crate::bad_input::{train_small, trained};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tenfold_core::run::Run;
use tenfold_tests::{args, classification, contents, copy, fails, first_image};

fn edit_json(path: &Path, edit: impl Fn(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    edit(&mut value);
    std::fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 0x04;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_weights_of_a_run_are_noticed() {
    let trained = trained();
    let (run, copied) = (trained.path().join("run"), trained.path().join("copy"));
    let portable = trained.path().join("portable.safetensors");
    let other = trained.path().join("other");
    let picture = first_image(&trained.path().join("pictures"));
    assert_eq!(classification(args!["export", &run, &portable]).status, 0);
    train_small(&trained.path().join("pictures"), &other, 9);
    copy(&run, &copied);
    let weights = copied.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();

    // The header's size, the header, the first number, the middle, the last byte.
    let header = u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    for at in [0, 6, 8, 20, 8 + header / 2, 8 + header, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&weights, &whole).unwrap();
        flip(&weights, |_| at);
        let before = contents(&copied);
        let written = trained.path().join("written");
        for verb in [
            args!["predict", &copied, &picture].to_vec(),
            args!["eval", &copied].to_vec(),
            args!["export", &copied, &written].to_vec(),
        ] {
            fails(verb, &["model.safetensors: "]);
        }
        assert!(!written.exists());
        assert_eq!(contents(&copied), before, "byte {at}");
    }
    for length in [0, 7, header / 2, 8 + header, whole.len() - 1] {
        std::fs::write(&weights, &whole[..length]).unwrap();
        fails(args!["predict", &copied, &picture], &["model.safetensors: "]);
    }
    std::fs::remove_file(&weights).unwrap();
    fails(args!["predict", &copied, &picture], &["model.safetensors: No such file"]);
    std::fs::copy(other.join("model.safetensors"), &weights).unwrap();
    fails(
        args!["predict", &copied, &picture],
        &["hidden.0.weight is [9, 64] in the file and [8, 64] in the model", "output.weight is"],
    );
    // Weights of the right shapes that this program did not write have no checksum.
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/pth");
    std::fs::copy(golden.join("small.safetensors"), &weights).unwrap();
    fails(args!["predict", &copied, &picture], &["model.safetensors: ", "no checksum"]);

    for at in [20, 100, 1000] {
        let damaged = trained.path().join("damaged.safetensors");
        std::fs::copy(&portable, &damaged).unwrap();
        flip(&damaged, |size| size - at);
        fails(args!["predict", "--weights", &damaged, &picture], &["damaged.safetensors: "]);
    }
}

#[test]
fn damaged_configurations_of_a_run_are_noticed() {
    let trained = trained();
    let (run, copied) = (trained.path().join("run"), trained.path().join("copy"));
    let picture = first_image(&trained.path().join("pictures"));
    copy(&run, &copied);
    let path = copied.join("config.json");
    let whole = std::fs::read(&path).unwrap();
    let refused = |expected: &[&str]| {
        let before = contents(&copied);
        let written = trained.path().join("written");
        fails(args!["predict", &copied, &picture], expected);
        fails(args!["eval", &copied], expected);
        fails(args!["export", &copied, written], expected);
        fails(args!["train", "mlp", "--out", &copied, "--resume"], expected);
        assert_eq!(contents(&copied), before, "{expected:?}");
    };
    type Edit = fn(&mut Value);
    let cases: [(Edit, &str); 12] = [
        (|c| c["format"] = json!(99), "in format 99, and this program reads formats up to"),
        (
            |c| c["task"] = json!("detection"),
            "a run of task `detection`, expected `classification`",
        ),
        (|c| c["labels"] = json!(["above"]), "1 labels for a model of 2 classes"),
        (|c| c["labels"] = json!("above"), "invalid type"),
        (|c| c["config"]["hidden"] = json!([8, 0]), "the model's config: hidden: "),
        (|c| c["config"]["hidden"] = json!([1u64 << 40]), "the model's config: hidden: "),
        (|c| c["config"]["dropout"] = json!(7), "the model's config: dropout: 7"),
        (|c| c["config"]["input"] = json!([1, 0, 8]), "the model's config: hidden: "),
        (|c| c["config"]["input"] = json!([1, 4, 8]), "for a model that takes [1, 4, 8]"),
        (|c| c["config"] = json!({}), "missing field"),
        (|c| c["preprocess"]["width"] = json!(9), "preprocessing to [1, 8, 9] for a model"),
        (|c| _ = c.as_object_mut().unwrap().remove("preprocess"), "missing field `preprocess`"),
    ];
    for (edit, why) in cases {
        std::fs::write(&path, &whole).unwrap();
        edit_json(&path, edit);
        refused(&["config.json: ", why]);
    }
    for text in [&whole[..whole.len() / 2], b"", b"[]", b"\xFF\xFE", b"{\"format\": -1}"] {
        std::fs::write(&path, text).unwrap();
        refused(&["config.json: "]);
    }
    std::fs::write(&path, &whole).unwrap();
    edit_json(&path, |config| config["model"] = json!("perceptron"));
    refused(&["config.json: unknown model `perceptron`"]);
    std::fs::remove_file(&path).unwrap();
    refused(&["copy: not a run folder: it has no config.json"]);
}

#[test]
fn a_run_is_neither_overwritten_nor_changed_by_mistake() {
    let trained = trained();
    let at = |name: &str| trained.path().join(name);
    let (run, data) = (at("run"), at("pictures"));
    let before = contents(trained.path());
    let train = |more: &[&str]| {
        let mut line = args!["train", "mlp", "--out", &run].to_vec();
        line.extend(more.iter().map(Into::into));
        line
    };
    let data_flag = ["--data", data.to_str().unwrap()];
    fails(train(&data_flag), &["--out: ", "run holds a run already", "--resume", "--overwrite"]);
    let same = ["--resume", data_flag[0], data_flag[1], "--set", "hidden=[8]"];
    for (flags, field) in [
        (&["--lr", "0.5", "--epochs", "2"][..], "training.lr is 0.002 there and 0.5 here"),
        (&["--epochs", "9"], "training.epochs is 2 there and 9 here"),
        (&["--clip-norm", "1", "--epochs", "2"], "training.optimizer.clip is null there"),
        (&["--set", "hidden=[9]", "--epochs", "2"], "config.hidden is [8] there and [9] here"),
    ] {
        let expected = ["--resume: continues a run exactly as it was started", field, "or none"];
        fails(train(&[&same, flags].concat()), &expected);
    }
    fails(train(&["--data", "glyphs", "--resume"]), &["--resume: continues a run on", "`glyphs`"]);
    let lenet = args!["train", "lenet", "--out", &run, "--resume"];
    fails(lenet, &["--resume: the run trains `mlp`, not `lenet`"]);
    fails(args!["train", "mlp", "--out", at("none"), "--resume"], &["none: not a run folder"]);
    // Whatever is wrong is found before --overwrite removes anything.
    let overwrite = |more: &[&str]| train(&[&data_flag[..], &["--overwrite"], more].concat());
    let bad = at("bad.safetensors");
    fails(overwrite(&["--weights", bad.to_str().unwrap()]), &["bad.safetensors: No such file"]);
    fails(overwrite(&["--set", "dropout=1"]), &["--set: dropout"]);
    fails(train(&["--data", "mnits", "--overwrite"]), &["`mnits`"]);
    std::fs::write(&bad, "garbage").unwrap();
    fails(overwrite(&["--weights", bad.to_str().unwrap()]), &["bad.safetensors: "]);
    std::fs::remove_file(&bad).unwrap();
    {
        let _held = Run::open(&run).unwrap().lock().unwrap();
        fails(train(&["--resume"]), &["run: another training is writing"]);
        fails(overwrite(&[]), &["run: another training is writing"]);
    }
    assert_eq!(contents(trained.path()), before);

    // The same data under a name with a slash is no change.
    let same = train(&["--resume", "--data", &format!("{}/", data.display())]);
    assert_eq!(classification(same).status, 0);

    // Data that is no longer what the run was trained on.
    std::fs::rename(data.join("above"), data.join("over")).unwrap();
    fails(train(&["--resume"]), &["--data: pictures: its label `over` is not among the run's"]);
    fails(args!["eval", &run], &["--data: pictures: its label `over` is not among the run's"]);
}

#[test]
fn a_damaged_checkpoint_is_not_resumed() {
    let trained = trained();
    let (run, copied) = (trained.path().join("run"), trained.path().join("copy"));
    for name in ["network", "optimizer", "state.json"] {
        let _ = std::fs::remove_dir_all(&copied);
        copy(&run, &copied);
        let path = copied.join("checkpoint/epoch-0002").join(name);
        match name {
            "state.json" => edit_json(&path, |state| state["parts"]["network"] = json!("00")),
            _ => flip(&path, |size| size / 2),
        }
        let before = contents(&copied);
        let resume = args!["train", "mlp", "--out", &copied, "--resume"];
        fails(resume, &["epoch-0002", ": damaged"]);
        assert_eq!(contents(&copied), before, "{name}");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        fails(args!["train", "mlp", "--out", &copied, "--resume"], &["epoch-0002", "damaged"]);
    }
}

#[test]
fn foreign_weights_that_do_not_fit() {
    let trained = trained();
    let at = |name: &str| trained.path().join(name);
    let picture = first_image(&at("pictures"));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/pth");
    let predict =
        |weights: &PathBuf| args!["predict", "--model", "mlp", "--weights", weights, &picture];
    let train = |weights: &PathBuf| {
        let (data, out) = (at("pictures"), at("started"));
        args!["train", "mlp", "--data", data, "--out", out, "--weights", weights]
    };
    // A pickle that would run a program: refused, and its program not run.
    for name in ["malicious.pth", "malicious_legacy.pth", "malicious_protocol4.pth"] {
        let path = golden.join(name);
        for verb in [predict(&path).to_vec(), train(&path).to_vec()] {
            fails(verb, &[name, "system"]);
        }
    }
    assert!(!Path::new("tenfold-malicious-pickle-ran").exists());

    let small = golden.join("small.pth");
    fails(
        predict(&small),
        &["small.pth: not the weights of `mlp`: ", "hidden.0.weight", "is missing"],
    );
    fails(train(&small), &["small.pth: ", "hidden.0.weight [512, 64] is missing"]);
    let weights = at("run/model.safetensors");
    fails(
        train(&weights),
        &["hidden.0.weight is [8, 64] in the file and [512, 64] in the model", "model.safetensors"],
    );
    fails(args!["predict", "--weights", &weights, &picture], &["name the model with --model"]);
    let lenet = args!["predict", "--model", "lenet", "--weights", &weights, &picture];
    fails(lenet, &["not the weights of `lenet`: ", "hidden.0.bias is not in the model"]);
    let garbage = at("garbage.pth");
    for bytes in [&b""[..], b"garbage", &[0xFF; 4096], b"PK\x03\x04", b"\x80\x02."] {
        std::fs::write(&garbage, bytes).unwrap();
        fails(predict(&garbage), &["garbage.pth: "]);
        fails(train(&garbage), &["garbage.pth: "]);
        fails(args!["predict", "--weights", &garbage, &picture], &["garbage.pth: "]);
    }
    fails(predict(&at("nowhere.pth")), &["nowhere.pth: No such file"]);
    let labels = at("labels.txt");
    std::fs::write(&labels, "one\ntwo\nthree\n").unwrap();
    let labelled = predict(&weights).into_iter().chain(args!["--labels", &labels]);
    fails(labelled, &["labels.txt: 3 labels, expected 2, one a line"]);
    assert!(!at("started").exists());
}
