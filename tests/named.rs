//! Weights by name, and the labels that come with well-known ones.

use std::path::Path;
use tenfold_tests::{args, classification, fails, first_image, folder, write_images};

/// Lays `weights` out in `data` as `cargo xtask fetch weights/NAME` does.
fn lay_out(data: &Path, name: &str, weights: &Path) {
    let folder = data.join("weights").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(weights, folder.join("toy-00.safetensors")).unwrap();
    let manifest = "layout = \"weights\"\nlicence = \"for play only\"\n\
                    classes = [\"over\", \"under\"]\n\
                    [splits.weights]\nfile = \"toy-00.safetensors\"\n";
    std::fs::write(folder.join("dataset.toml"), manifest).unwrap();
}

#[test]
fn fetched_weights_have_a_name_and_labels() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_images(&at("pictures"), 20);
    let trained = classification(args![
        "train",
        "lenet",
        "--data",
        at("pictures"),
        "--out",
        at("run"),
        "--epochs",
        "3",
        "--json"
    ]);
    assert_eq!(trained.status, 0, "{}", trained.err);
    let picture = first_image(&at("pictures"));
    let data = at("data");
    let predict = |more: &[&str]| {
        let mut line = args!["predict", "--model", "lenet", &picture, "--data-dir", &data].to_vec();
        line.extend(more.iter().map(Into::into));
        line
    };
    let missing = "no weights of that name fetched under";
    fails(
        predict(&[]),
        &["--weights: no file `lenet`", missing, "cargo xtask fetch weights/lenet"],
    );
    fails(predict(&["--weights", "toy"]), &["--weights: no file `toy`", missing]);

    lay_out(&data, "toy", &at("run/model.safetensors"));
    lay_out(&data, "lenet", &at("run/model.safetensors"));
    for more in [&["--json"][..], &["--weights", "toy", "--json"]] {
        let answers = classification(predict(more)).json();
        assert_eq!(answers[0]["suggestions"][0]["label"], "over", "{more:?}");
    }
    // A person's own labels come first.
    std::fs::write(at("labels.txt"), "/h/high 0\n/l/low 1\n").unwrap();
    let labels = at("labels.txt");
    let labelled =
        classification(predict(&["--labels", labels.to_str().unwrap(), "--json"])).json();
    assert_eq!(labelled[0]["suggestions"][0]["label"], "high");
    for (text, count) in [("one\n", 1), ("one\ntwo\nthree\n", 3), ("", 0)] {
        std::fs::write(&labels, text).unwrap();
        let why = format!("labels.txt: {count} labels, expected 2, one a line");
        fails(predict(&["--labels", labels.to_str().unwrap()]), &[&why]);
    }

    let run = at("run");
    fails(args!["predict", &run, &picture, "--labels", &labels], &["--labels: goes with --model"]);

    let fine = classification(args![
        "train",
        "lenet",
        "--data",
        at("pictures"),
        "--out",
        at("fine"),
        "--epochs",
        "1",
        "--weights",
        "toy",
        "--freeze-backbone",
        "--data-dir",
        &data,
        "--json"
    ]);
    assert_eq!(fine.json()["accuracy"], 1.0);
    let config = std::fs::read_to_string(at("fine/config.json")).unwrap();
    assert!(config.contains("toy-00.safetensors"), "{config}");
}
