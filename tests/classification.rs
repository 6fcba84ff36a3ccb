//! The classification program from a person's side: every verb, on every kind of data.

use std::path::Path;
use tenfold_core::data::random::SplitMix64;
use tenfold_tests::{
    args, classification, fails, first_image, folder, tensors, write_images, write_prices,
    write_table,
};

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
    assert_eq!(models.as_array().unwrap().len(), 31);
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
                "calibration.json",
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
    write_images(&pictures, 60);
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
    assert_eq!(names(&looked), ["confusion.svg", "reliability.svg"]);

    let picture = first_image(&pictures);
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

    // The class is the sign of one column, and the other is noise.
    let drawn = folder.path().join("drawn");
    let scores = classification(args!["eval", &run, "--draw", &drawn, "--json"]).json();
    let importance = &scores["importance"];
    assert_eq!((&importance["score"], &importance["rows"]), (&"accuracy".into(), &scores["count"]));
    let columns = importance["columns"].as_array().unwrap();
    assert_eq!(columns.iter().map(|own| &own["name"]).collect::<Vec<_>>(), ["height", "width"]);
    let [height, width] = [0, 1].map(|place: usize| columns[place]["mean"].as_f64().unwrap());
    assert!(height > 0.3 && width.abs() < 0.1, "{importance}");
    assert!(std::fs::read_to_string(drawn.join("importance.svg")).unwrap().contains("height"));
    let told = classification(args!["eval", &run, "--draw", &drawn]).out;
    assert!(told.contains("by how much accuracy falls"), "{told}");

    // The same into a file, behind the columns that are there.
    let (rows, out) = (folder.path().join("mine.csv"), folder.path().join("answers.csv"));
    let mine = "name;width;height;Prediction\n=1+1;0,5;0,9;\"a;b\"\n@x;0,5;-0,9;\n";
    std::fs::write(&rows, mine).unwrap();
    let line = args!["predict", &run, &rows, "--out", &out];
    let told = classification(line.clone());
    assert_eq!(told.out, format!("2 rows with prediction_2, confidence in {}\n", out.display()));
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "name;width;height;Prediction;prediction_2;confidence");
    for (line, start) in [(lines[1], "=1+1;0,5;0,9;\"a;b\";tall;"), (lines[2], "@x;0,5;-0,9;;low;")]
    {
        let confidence = line.strip_prefix(start).unwrap_or_else(|| panic!("{text}"));
        assert!(confidence.replace(',', ".").parse::<f32>().unwrap() > 0.9, "{text}");
    }
    classification(line.clone()).fails(&["answers.csv: already there: `--overwrite` replaces it"]);
    let replaced = classification(line.into_iter().chain(args!["--overwrite", "--json"])).json();
    assert_eq!(replaced["columns"], serde_json::json!(["prediction_2", "confidence"]));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), text);
    let over = args!["predict", &run, &rows, "--out", &rows, "--overwrite"];
    classification(over).fails(&["--out: would replace the input"]);
    classification(args!["predict", &run, &rows, &rows, "--out", &out]).fails(&["takes one table"]);
    assert_eq!(std::fs::read_to_string(&rows).unwrap(), mine);
}

/// Whether two thresholds are passed on the same side tells the class, which no line does. Words,
/// missing values and noise stand beside.
#[test]
fn trees_learn_what_a_linear_model_cannot() {
    let folder = folder();
    let table = folder.path().join("crossed.csv");
    let mut random = SplitMix64::new(8);
    let mut text = String::from("noise,a,colour,b,more,kind\n");
    for _ in 0..2_000 {
        let [a, b, noise] = [0; 3].map(|_| random.between(-1.0, 1.0));
        let colour = ["red", "blue", "?"][random.below(3)];
        let more = ["", "1.5", "-2"][random.below(3)];
        let kind = if (a > 0.2) == (b > -0.1) { "same" } else { "other" };
        text += &format!("{noise},{a},{colour},{b},{more},{kind}\n");
    }
    std::fs::write(&table, text).unwrap();
    let train = |model: &str| {
        let run = folder.path().join(model);
        args!["train", model, "--data", &table, "--out", run, "--json"]
    };
    let accuracy = |scores: serde_json::Value| scores["accuracy"].as_f64().unwrap();
    assert!(accuracy(classification(train("logistic")).json()) < 0.8);
    let new = folder.path().join("new.csv");
    let rows = "noise,a,colour,b,more\n0,0.7,red,0.6,1\n0,-0.7,?,0.6,\n0,-0.7,blue,-0.6,-2\n";
    std::fs::write(&new, rows).unwrap();
    for model in ["random_forest", "gradient_boosting"] {
        let summary = classification(train(model)).json();
        assert!(summary["ece"].as_f64().unwrap() < 0.1, "{model}: {summary}");
        assert!(accuracy(summary) > 0.95, "{model}");
        let run = folder.path().join(model);
        let answers = classification(args!["predict", &run, &new, "--json"]).json();
        for (row, kind) in ["same", "other", "same"].into_iter().enumerate() {
            let best = &answers[row]["suggestions"][0];
            assert_eq!(best["label"], kind, "{model}: {answers}");
            assert!(best["score"].as_f64().unwrap() > 0.8, "{model}: {answers}");
        }
        let portable = folder.path().join("portable.safetensors");
        assert_eq!(classification(args!["export", &run, &portable, "--overwrite"]).status, 0);
        let again = classification(args!["predict", "--weights", &portable, &new, "--json"]);
        assert_eq!(again.json(), answers, "{model}");
        let drawn = folder.path().join("drawn");
        let scores = classification(args!["eval", &run, "--draw", drawn, "--json"]).json();
        let columns = scores["importance"]["columns"].as_array().unwrap();
        let names = columns.iter().map(|own| own["name"].as_str().unwrap());
        let mut names: Vec<&str> = names.collect();
        names[..2].sort_unstable();
        assert_eq!(names[..2], ["a", "b"], "{model}: {scores}");
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "colour", "more", "noise"], "{model}");

        // A fit that was cut off starts again, and ends with the same weights.
        let weights = run.join("model.safetensors");
        let whole = std::fs::read(&weights).unwrap();
        std::fs::remove_file(&weights).unwrap();
        classification(train(model).into_iter().chain(args!["--resume"])).json();
        assert!(std::fs::read(&weights).unwrap() == whole, "{model}");
        // Weights that are cut off, or another forest's.
        std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
        fails(args!["predict", &run, &new], &["model.safetensors: "]);
        std::fs::write(&weights, whole).unwrap();
        let config = run.join("config.json");
        let text = std::fs::read_to_string(&config).unwrap();
        let count = if model == "random_forest" { "trees" } else { "rounds" };
        for (field, why) in [(count, "does not fit the model"), ("depth", "expected at most 30")] {
            let field = format!("\"{field}\": ");
            assert!(text.contains(&field), "{text}");
            std::fs::write(&config, text.replace(&field, &(field.clone() + "7"))).unwrap();
            fails(args!["predict", &run, &new], &[why]);
        }
    }
}

/// The numbers of every tensor in a run's weights, by name.
fn weights(run: &Path) -> Vec<(String, Vec<f32>)> {
    let file = std::fs::read(run.join("model.safetensors")).unwrap();
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    let tensors = tensors(&file).into_iter();
    tensors.map(|(name, data)| (name, data.chunks(4).map(number).collect())).collect()
}

#[test]
fn gradient_descent_and_the_closed_form_find_the_same_line() {
    let folder = folder();
    let table = folder.path().join("houses.csv");
    write_prices(&table, 400);
    // The embedded data, and a table of one's own: the way down differs, the end does not.
    for data in ["houses", table.to_str().unwrap()] {
        let (down, closed) = (folder.path().join("down"), folder.path().join("closed"));
        let train =
            |out: &Path| args!["train", "linear", "--data", data, "--out", out, "--overwrite"];
        let steps = "--optimizer sgd --momentum 0.8 --lr 0.2 --schedule constant \
                     --batch-size 65536 --epochs 120"
            .split_whitespace()
            .map(Into::into);
        let by_steps = classification(train(&down).into_iter().chain(steps));
        assert_eq!(by_steps.status, 0, "{}", by_steps.err);
        let at_once = train(&closed).into_iter().chain(args!["--set", "solver=closed_form"]);
        assert!(classification(at_once).out.contains("fitted in"));
        for ((name, own), (other, exact)) in weights(&down).into_iter().zip(weights(&closed)) {
            assert_eq!(name, other);
            for (own, exact) in own.iter().zip(&exact) {
                assert!((own - exact).abs() < 1e-4, "{data}: {name}: {own} is not {exact}");
            }
        }
        let [first, second] = [&down, &closed].map(|run| {
            let scores = classification(args!["eval", run, "--json"]).json();
            ["mae", "rmse", "r2"].map(|name| scores[name].as_f64().unwrap())
        });
        assert!(first.iter().zip(second).all(|(a, b)| (a - b).abs() < 1e-2 * b.abs()));
        assert!(second[2] > 0.9, "{second:?}");
    }
}

#[test]
fn numbers_are_predicted_with_an_interval() {
    let folder = folder();
    let (table, rows) = (folder.path().join("houses.csv"), folder.path().join("new.csv"));
    write_prices(&table, 400);
    std::fs::write(&rows, "rooms,area\n2,0.5\n2,-0.5\n").unwrap();
    let steps = args!["--epochs", "50", "--batch-size", "16"];
    let trees = [("random_forest", &[][..]), ("gradient_boosting", &[])];
    let others = [("linear", &steps[..]), ("mlp", &steps), ("knn", &[])];
    for (model, steps) in others.into_iter().chain(trees) {
        let run = folder.path().join(model);
        let train = args!["train", model, "--data", &table, "--out", &run, "--json"];
        let summary = classification(train.into_iter().chain(steps.to_vec())).json();
        assert!(summary["r2"].as_f64().unwrap() > 0.85, "{model}: {summary}");
        assert!(summary["rmse"].as_f64().unwrap() >= summary["mae"].as_f64().unwrap());
        let scores = classification(args!["eval", &run, "--split", "validation", "--json"]).json();
        assert_eq!(scores["count"], 40);
        assert_eq!(scores["importance"], serde_json::Value::Null);
        // Measured on the test examples; these are others.
        assert!(scores["interval_coverage"].as_f64().unwrap() > 0.7, "{model}: {scores}");

        // price = 100 + 40 area + 5 rooms
        let answers = classification(args!["predict", &run, &rows, "--json"]).json();
        let best = |row: usize| &answers[row]["suggestions"][0];
        let number = |row: usize, name: &str| best(row)[name].as_f64().unwrap();
        assert_eq!(answers[0]["suggestions"].as_array().unwrap().len(), 1);
        assert!((number(0, "value") - 130.0).abs() < 12.0, "{model}: {answers}");
        assert!((number(1, "value") - 90.0).abs() < 12.0, "{model}: {answers}");
        assert!(number(0, "low") < number(0, "value") && number(0, "value") < number(0, "high"));
        // 40 examples test: 37 of 41 is the smallest part of at least 0.9.
        assert!((number(0, "score") - 37.0 / 41.0).abs() < 1e-6, "{model}: {answers}");
        assert_eq!(best(0)["label"], serde_json::Value::Null);
        let text = classification(args!["predict", &run, &rows]).out;
        assert!(text.contains(" to ") && text.contains("90.2 %"), "{text}");
        let drawn = folder.path().join("drawn");
        let scores = classification(args!["eval", &run, "--draw", &drawn, "--json"]).json();
        let (importance, first) = (&scores["importance"], &scores["importance"]["columns"][0]);
        assert_eq!((&importance["score"], &first["name"]), (&"r2".into(), &"area".into()));
        assert!(first["mean"].as_f64().unwrap() > 1.0, "{importance}");
        assert!(drawn.join("importance.svg").exists() && !drawn.join("confusion.svg").exists());
        let file = folder.path().join("answers.csv");
        let line = args!["predict", &run, &rows, "--out", &file, "--overwrite"];
        assert_eq!(classification(line).status, 0);
        let [value, low, high] = ["value", "low", "high"].map(|name| number(0, name));
        let text = std::fs::read_to_string(&file).unwrap();
        let head = "rooms,area,prediction,prediction_low,prediction_high\n2,0.5,";
        assert!(text.starts_with(&format!("{head}{value},{low},{high}\n2,-0.5,")), "{text}");

        let portable = folder.path().join(format!("{model}.safetensors"));
        assert_eq!(classification(args!["export", &run, &portable]).status, 0);
        let again = classification(args!["predict", "--weights", &portable, &rows, "--json"]);
        assert_eq!(again.json(), answers);
    }
    // Whole numbers are classes where they are few, unless a person says otherwise.
    let counts = folder.path().join("counts.csv");
    let line = |i: u32| format!("{},{}\n", i % 5, i % 5 * 2);
    std::fs::write(&counts, (0..100).map(line).collect::<String>()).unwrap();
    let train = |task: &str| {
        let out = folder.path().join("counts");
        let line = args!["train", "knn", "--data", &counts, "--out", out, "--overwrite", "--json"];
        classification(line.into_iter().chain(task.split_whitespace().map(Into::into))).json()
    };
    assert_eq!(train("")["accuracy"], 1.0);
    assert_eq!(train("--task classification")["accuracy"], 1.0);
    assert!(train("--task regression")["rmse"].as_f64().unwrap() < 1e-3);
}

#[test]
fn losses_penalties_and_activations_train() {
    let folder = folder();
    let (classes, numbers) = (folder.path().join("kinds.csv"), folder.path().join("prices.csv"));
    write_table(&classes, 300);
    write_prices(&numbers, 300);
    let train = |data: &Path, flags: &str| {
        let out = folder.path().join("run");
        let line = args![
            "train",
            "mlp",
            "--data",
            data,
            "--out",
            out,
            "--overwrite",
            "--json",
            "--epochs",
            "30",
            "--batch-size",
            "16"
        ];
        let flags = flags.split_whitespace().map(Into::into);
        classification(line.into_iter().chain(flags)).json()
    };
    for flags in [
        "--loss label-smoothing --set activation=sigmoid",
        "--loss focal --set activation=tanh --l2 0.001",
        "--loss cross-entropy --set activation=selu --l1 0.0001",
    ] {
        let summary = train(&classes, flags);
        assert!(summary["accuracy"].as_f64().unwrap() > 0.85, "{flags}: {summary}");
    }
    for flags in [
        "--loss mae --set activation=gelu",
        "--loss huber --set activation=elu --l1 0.0001 --l2 0.0001",
        "--loss mse --set activation=leaky_relu --patience 20",
    ] {
        let summary = train(&numbers, flags);
        assert!(summary["r2"].as_f64().unwrap() > 0.85, "{flags}: {summary}");
    }
    // A penalty that outweighs the loss leaves nothing but the mean.
    assert!(train(&numbers, "--l1 100")["r2"].as_f64().unwrap() < 0.2);
}

#[test]
fn models_that_are_fitted_at_once_are_runs_like_the_rest() {
    let folder = folder();
    let pictures = folder.path().join("pictures");
    write_images(&pictures, 60);
    for (model, set) in [("knn", "k=3"), ("hog-svm", "signed=true")] {
        let run = folder.path().join(model);
        let train = || args!["train", model, "--data", &pictures, "--out", &run, "--json"];
        let summary = classification(train().into_iter().chain(args!["--set", set])).json();
        assert_eq!(summary["accuracy"], 1.0, "{model}: {summary}");
        assert!(summary["loss"].as_f64().unwrap() < 0.3, "{model}: {summary}");
        let expected = [
            ".lock",
            "calibration.json",
            "config.json",
            "curves.svg",
            "metrics.jsonl",
            "model.safetensors",
            "summary.json",
        ];
        assert_eq!(names(&run), expected);
        // A fit that was cut off starts again, and ends with the same weights.
        let whole = std::fs::read(run.join("model.safetensors")).unwrap();
        std::fs::remove_file(run.join("model.safetensors")).unwrap();
        classification(train().into_iter().chain(args!["--resume"])).json();
        assert!(std::fs::read(run.join("model.safetensors")).unwrap() == whole);

        let scores = classification(args!["eval", &run, "--json"]).json();
        assert_eq!(scores["accuracy"], summary["accuracy"]);
        let answers =
            classification(args!["predict", &run, first_image(&pictures), "--json"]).json();
        let suggestions = answers[0]["suggestions"].as_array().unwrap();
        assert_eq!(suggestions[0]["label"], "above");
        let sum: f64 = suggestions.iter().map(|s| s["score"].as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{suggestions:?}");
        let portable = folder.path().join(format!("{model}.safetensors"));
        assert_eq!(classification(args!["export", &run, &portable]).status, 0);
        let picture = first_image(&pictures);
        let again = classification(args!["predict", "--weights", &portable, picture, "--json"]);
        assert_eq!(again.json(), answers);
        let epochs = train().into_iter().chain(args!["--overwrite", "--epochs", "3"]);
        fails(epochs, &["--epochs: ", "is fitted to all examples at once"]);
    }
}

#[test]
fn a_frozen_backbone_stays_and_a_new_head_learns() {
    let folder = folder();
    let pictures = folder.path().join("pictures");
    write_images(&pictures, 40);
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let args = args!["train", "mlp", "--data", &pictures, "--epochs", "1", "--out", &first];
    assert_eq!(classification(args).status, 0);
    // Another task on the same images: its labels differ, so the head starts anew.
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
        let view = tensors(&bytes);
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
    write_images(&pictures, 30);
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
