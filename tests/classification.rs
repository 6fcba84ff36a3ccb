//! The classification program from a person's side: every verb, on every kind of data.

use std::path::Path;
use tenfold_tests::{args, classification, first_picture, folder, write_pictures, write_table};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn small_models_train_on_the_embedded_data() {
    let models = classification(["models", "--json"]).json();
    assert_eq!(models.as_array().unwrap().len(), 26);
    // The larger ones take minutes; that each of their parameters learns is tested beside them.
    for name in ["logistic", "mlp", "lenet", "resnet20"] {
        let known = models.as_array().unwrap().iter().any(|model| model["name"] == name);
        assert!(known, "{name}");
        let folder = folder();
        let out = folder.path().join("run");
        let outcome = classification(args![
            "train",
            name,
            "--limit",
            "400",
            "--epochs",
            "2",
            "--batch-size",
            "8",
            "--out",
            &out,
            "--json"
        ]);
        let summary = outcome.json();
        // Guessing among 36 classes is right in 2.8 of 100.
        assert!(summary["accuracy"].as_f64().unwrap() > 0.06, "{name}: {summary}");
        assert_eq!(summary["count"], 3600);
        assert_eq!(
            names(&out),
            [
                ".lock",
                "checkpoint",
                "config.json",
                "curves.svg",
                "metrics.jsonl",
                "model.safetensors",
                "summary.json"
            ]
        );
        assert_eq!(names(&out.join("checkpoint")), ["epoch-0002"]);
        let lines = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let splits: Vec<&str> = lines.iter().map(|line| line["split"].as_str().unwrap()).collect();
        assert_eq!(splits, ["train", "validation", "train", "validation"]);
    }
}

#[test]
fn pictures_from_training_to_a_portable_file() {
    let folder = folder();
    let pictures = folder.path().join("pictures");
    write_pictures(&pictures, 60);
    let run = folder.path().join("run");
    let trained = classification(args![
        "train",
        "mlp",
        "--data",
        &pictures,
        "--out",
        &run,
        "--epochs",
        "4",
        "--batch-size",
        "8"
    ]);
    assert_eq!(trained.status, 0, "{}", trained.err);
    assert!(trained.out.starts_with("accuracy 100.00 %"), "{}", trained.out);

    let scores = classification(args!["eval", &run, "--split", "validation", "--json"]).json();
    assert_eq!(scores["accuracy"], 1.0);
    assert_eq!(scores["count"], 12);
    assert_eq!(scores["top5"], 1.0);
    assert!(scores["loss"].as_f64().unwrap() < 0.3);

    assert_eq!(scores["confusion"], serde_json::json!([[6, 0], [0, 6]]));
    assert_eq!(scores["classes"][0]["f1"], 1.0);
    let looked = folder.path().join("looked");
    let table = classification(args!["eval", &run, "--draw", &looked]);
    assert!(table.out.contains("precision"), "{}", table.out);
    // Nothing was wrong, so there is no sheet of mistakes.
    assert_eq!(names(&looked), ["confusion.svg"]);

    let picture = first_picture(&pictures);
    let drawings = folder.path().join("drawn");
    let answers = classification(args![
        "predict",
        &run,
        &picture,
        pictures.join("below"),
        "--draw",
        &drawings,
        "--json"
    ])
    .json();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 61);
    assert_eq!(answers[0]["input"], picture.to_str().unwrap());
    let best = &answers[0]["suggestions"][0];
    assert_eq!(best["label"], "above");
    assert!(best["score"].as_f64().unwrap() > 0.5 && best["score"].as_f64().unwrap() <= 1.0);
    assert!(answers[1..].iter().all(|answer| answer["suggestions"][0]["label"] == "below"));
    // The folder holds a 000.png too: both drawings are there, and legible.
    assert_eq!(names(&drawings).len(), 61);
    let drawn = image::open(drawings.join("000.png")).unwrap();
    assert!(drawn.width() >= 224 && drawn.height() > drawn.width());

    let portable = folder.path().join("portable.safetensors");
    let exported = classification(args!["export", &run, &portable]);
    assert_eq!(exported.status, 0, "{}", exported.err);
    let again = classification(args!["predict", "--weights", &portable, &picture, "--json"]).json();
    assert_eq!(again[0], answers[0]);

    // The bare weights serve too, once a person says what they are.
    let labels = folder.path().join("labels.txt");
    std::fs::write(&labels, "high\nlow\n").unwrap();
    let weights = run.join("model.safetensors");
    let others = classification(args![
        "predict",
        "--model",
        "mlp",
        "--weights",
        &weights,
        "--labels",
        &labels,
        &picture,
        "--json"
    ])
    .json();
    assert_eq!(others[0]["suggestions"][0]["label"], "high");
}

#[test]
fn a_table_is_trained_on_and_predicted_row_by_row() {
    let folder = folder();
    let table = folder.path().join("people.csv");
    write_table(&table, 400);
    let run = folder.path().join("run");
    let summary = classification(args![
        "train", "logistic", "--data", &table, "--out", &run, "--epochs", "30", "--lr", "0.05",
        "--json"
    ])
    .json();
    assert!(summary["accuracy"].as_f64().unwrap() > 0.9, "{summary}");
    let rows = folder.path().join("new.csv");
    std::fs::write(&rows, "width,height\n0.1,0.9\n0.1,-0.9\n").unwrap();
    let answers = classification(args!["predict", &run, &rows, "--json"]).json();
    assert_eq!(answers[0]["suggestions"][0]["label"], "tall");
    assert_eq!(answers[1]["suggestions"][0]["label"], "low");
    assert!(answers[1]["input"].as_str().unwrap().ends_with("new.csv:2"));
}

#[test]
fn a_frozen_backbone_stays_and_a_new_head_learns() {
    let folder = folder();
    let pictures = folder.path().join("pictures");
    write_pictures(&pictures, 40);
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let args = args!["train", "mlp", "--data", &pictures, "--epochs", "1", "--out", &first];
    assert_eq!(classification(args).status, 0);
    // Another task on the same pictures: its labels differ, so the head starts anew.
    let renamed = folder.path().join("renamed");
    std::fs::rename(&pictures, &renamed).unwrap();
    std::fs::create_dir(renamed.join("third")).unwrap();
    for i in 0..20 {
        let from = renamed.join(format!("above/{i:03}.png"));
        std::fs::rename(from, renamed.join(format!("third/{i:03}.png"))).unwrap();
    }
    let weights = first.join("model.safetensors");
    let trained = classification(args![
        "train",
        "mlp",
        "--data",
        &renamed,
        "--epochs",
        "1",
        "--out",
        &second,
        "--weights",
        &weights,
        "--freeze-backbone"
    ]);
    assert_eq!(trained.status, 0, "{}", trained.err);
    let tensors = |run: &Path| {
        let bytes = std::fs::read(run.join("model.safetensors")).unwrap();
        let mut keys = Vec::new();
        let view = tenfold_tests::tensors(&bytes);
        for (name, data) in view {
            keys.push((name, data));
        }
        keys.sort();
        keys
    };
    let (before, after) = (tensors(&first), tensors(&second));
    for ((name, old), (_, new)) in before.iter().zip(&after) {
        assert_eq!(old == new, !name.starts_with("output."), "{name}");
    }
}

#[test]
fn a_finished_run_resumes_to_itself_and_early_stopping_stops() {
    let folder = folder();
    let pictures = folder.path().join("pictures");
    write_pictures(&pictures, 30);
    let run = folder.path().join("run");
    // At this rate nothing improves after the first epochs.
    let args = args![
        "train",
        "mlp",
        "--data",
        &pictures,
        "--out",
        &run,
        "--epochs",
        "40",
        "--patience",
        "3",
        "--lr",
        "0.05",
        "--schedule",
        "constant",
        "--json"
    ];
    let summary = classification(args).json();
    let epochs = summary["epochs"].as_u64().unwrap();
    assert!(epochs < 40, "{summary}");
    assert_eq!(epochs, summary["best_epoch"].as_u64().unwrap() + 3);
    let weights = std::fs::read(run.join("model.safetensors")).unwrap();
    let again = classification(args!["train", "mlp", "--out", &run, "--resume", "--json"]).json();
    assert_eq!(again["epochs"].as_u64(), Some(epochs));
    assert_eq!(std::fs::read(run.join("model.safetensors")).unwrap(), weights);
}
