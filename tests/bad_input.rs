//! Bad input from a person's side: exit status 1, one line that names the file or flag and
//! what was expected, and nothing lost.

use serde_json::Value;
use std::path::Path;
use tenfold_tests::{
    args, classification, contents, fails, first_image, folder, write_images, write_prices,
    write_table,
};

/// A folder with `images` and `run`, a small network trained on them.
pub fn trained() -> tempfile::TempDir {
    let folder = folder();
    write_images(&folder.path().join("pictures"), 20);
    train_small(&folder.path().join("pictures"), &folder.path().join("run"), 8);
    folder
}

pub fn train_small(data: &Path, run: &Path, hidden: usize) {
    let hidden = format!("hidden=[{hidden}]");
    let outcome = classification(args![
        "train", "mlp", "--data", data, "--out", run, "--epochs", "2", "--set", hidden
    ]);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
}

/// The header of a PNG with this many pixels, and no more than the beginning of its data.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [&kind[..], data].concat();
        let mut crc = u32::MAX;
        for &byte in &body {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xEDB8_8320 * (crc & 1));
            }
        }
        [&(data.len() as u32).to_be_bytes(), &body[..], &(!crc).to_be_bytes()].concat()
    };
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, 0]].concat());
    [b"\x89PNG\r\n\x1a\n".to_vec(), header, chunk(b"IDAT", &[0x78, 0x9C])].concat()
}

fn bmp_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for number in [54, 0, 54, 40, width, height] {
        bytes.extend(u32::to_le_bytes(number));
    }
    bytes.extend([1, 0, 24, 0]);
    bytes.resize(54, 0);
    bytes
}

fn gif_header(width: u16, height: u16) -> Vec<u8> {
    let (width, height) = (width.to_le_bytes(), height.to_le_bytes());
    [b"GIF89a".to_vec(), width.into(), height.into(), vec![0, 0, 0], b",\0\0\0\0".to_vec()].concat()
}

#[test]
fn pictures_that_are_none() {
    let trained = trained();
    let (run, bad) = (trained.path().join("run"), trained.path().join("bad"));
    std::fs::create_dir(&bad).unwrap();
    let png = std::fs::read(first_image(&trained.path().join("pictures"))).unwrap();
    image::GrayImage::new(64, 64).save(bad.join("whole.jpg")).unwrap();
    let jpeg = std::fs::read(bad.join("whole.jpg")).unwrap();
    let cases: [(&str, &[u8], &str); 8] = [
        ("cut.png", &png[..png.len() / 2], "cut off before its end"),
        ("cut.jpg", &jpeg[..jpeg.len() - 20], "cut off before its end"),
        ("zero.png", b"", "it is empty"),
        ("text.png", b"This is a letter, not an image.\n", "no known format"),
        ("huge.png", &png_header(50_000, 50_000), "50000 x 50000 pixels"),
        ("huge.bmp", &bmp_header(50_000, 50_000), "50000 x 50000 pixels"),
        ("huge.gif", &gif_header(50_000, 50_000), "50000 x 50000 pixels"),
        ("none.png", &png_header(0, 8), "none.png"),
    ];
    for (name, bytes, why) in cases {
        let path = bad.join(name);
        std::fs::write(&path, bytes).unwrap();
        fails(args!["predict", &run, &path], &[name, "not an image that can be read", why, "PNG"]);
        fails(args!["predict", &run, &path, "--draw", bad.join("drawn")], &[name, why]);
    }
    fails(args!["predict", &run, bad.join("nowhere.png")], &["nowhere.png: No such file"]);
    fails(args!["predict", &run], &["Nothing to predict. Example: predict runs/x photo.jpg"]);
    let empty = trained.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    fails(args!["predict", &run, &empty], &["empty: a folder without images"]);
}

#[test]
fn good_inputs_among_bad_ones_are_answered() {
    let trained = trained();
    let (run, bad) = (trained.path().join("run"), trained.path().join("bad.png"));
    std::fs::write(&bad, "no image").unwrap();
    let good = first_image(&trained.path().join("pictures"));
    let missing = trained.path().join("missing.png");
    let outcome = classification(args!["predict", &run, &bad, &good, &missing, &good, "--json"]);
    assert_eq!(outcome.status, 1);
    let answers: Value = serde_json::from_str(&outcome.out).unwrap();
    let inputs: Vec<&Value> = answers.as_array().unwrap().iter().map(|a| &a["input"]).collect();
    assert_eq!(inputs, [good.to_str().unwrap(); 2]);
    let lines: Vec<&str> = outcome.err.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("error: ") && lines[0].contains("bad.png: not an image"));
    assert!(lines[1].starts_with("error: ") && lines[1].contains("missing.png: No such file"));
}

#[test]
fn tables_and_pictures_are_not_confused() {
    let trained = trained();
    let at = |name: &str| trained.path().join(name);
    write_table(&at("table.csv"), 60);
    let outcome = classification(args![
        "train",
        "logistic",
        "--data",
        at("table.csv"),
        "--out",
        at("rows"),
        "--epochs",
        "1"
    ]);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    let picture = first_image(&at("pictures"));
    fails(args!["predict", at("run"), at("table.csv")], &["table.csv: not an image"]);
    fails(args!["predict", at("rows"), &picture], &["000.png"]);
    fails(args!["eval", at("rows"), "--data", at("pictures")], &["--data: pictures: its label"]);
    fails(args!["eval", at("run"), "--data", at("table.csv")], &["--data: table: its label"]);
    fails(
        args!["train", "lenet", "--data", at("table.csv"), "--out", at("x")],
        &["--data", "a table has no images for a convolutional network", "take mlp or logistic"],
    );
    let rows = at("new.csv");
    for (text, why) in [
        ("height,depth\n1,2\n", "new.csv: no column `width`"),
        ("1,2,3,4\n", "new.csv: 4 columns; expected 2"),
        ("height,width\n1,2\n1,wide\n", "new.csv: line 3, field width: `wide`; expected a number"),
        ("height,width\n1,\n", "new.csv: line 2, field width: empty"),
        ("height,width\n", "new.csv: only a header"),
        ("", "new.csv: empty"),
    ] {
        std::fs::write(&rows, text).unwrap();
        fails(args!["predict", at("rows"), &rows], &[why]);
    }
}

#[test]
fn numbers_and_classes_are_not_confused() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_prices(&at("prices.csv"), 60);
    write_table(&at("kinds.csv"), 60);
    write_images(&at("pictures"), 10);
    for (model, data) in [("linear", "prices.csv"), ("knn", "kinds.csv")] {
        let outcome = classification(args!["train", model, "--data", at(data), "--out", at(model)]);
        assert_eq!(outcome.status, 0, "{}", outcome.err);
    }
    let before = contents(folder.path());
    let eval = |run: &str, data: &str| args!["eval", at(run), "--data", at(data)];
    fails(eval("linear", "kinds.csv"), &["kinds.csv: no column `area`; it has height"]);
    fails(eval("knn", "prices.csv"), &["prices.csv: no column `height`; it has area"]);
    fails(eval("linear", "pictures"), &["--data: pictures: its target is classes"]);
    let train = |model: &str, data: &str, flags: &str| {
        let line = args!["train", model, "--data", at(data), "--out", at("new")];
        line.into_iter().chain(flags.split_whitespace().map(Into::into)).collect::<Vec<_>>()
    };
    fails(train("linear", "pictures", ""), &["--data: pictures has classes", "`linear` predicts"]);
    fails(train("knn", "pictures", "--task regression"), &["--task: pictures has classes"]);
    fails(train("hog-svm", "kinds.csv", ""), &["--data: a table; histograms of gradients"]);
    fails(
        train("logistic", "prices.csv", "--task regression"),
        &["--task: `logistic` predicts classes"],
    );
    fails(train("mlp", "prices.csv", "--loss focal"), &["--loss: a number takes mse, mae or"]);
    fails(train("knn", "kinds.csv", "--set k=0"), &["--set: k: 0; expected 1 or more"]);
    fails(train("knn", "kinds.csv", "--lr 1"), &["--lr: `knn` is fitted to all examples at once"]);
    fails(
        train("mlp", "prices.csv", "--set activation=sine"),
        &["--set: `activation=sine`", "gelu"],
    );
    fails(train("hog-svm", "pictures", "--set cell=3"), &["--set: "]);
    assert_eq!(contents(folder.path()), before);
}

/// Writes an idx data set of 30 images of 4 x 4 pixels and two classes, as `cargo xtask
/// fetch` lays it out; `damage` changes its files first.
fn write_idx(folder: &Path, damage: impl Fn(&mut Vec<u8>, &mut Vec<u8>)) {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 30, 0, 0, 0, 4, 0, 0, 0, 4];
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, 30];
    for example in 0..30u8 {
        images.extend([example % 2 * 200; 16]);
        labels.push(example % 2);
    }
    damage(&mut images, &mut labels);
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("images"), images).unwrap();
    std::fs::write(folder.join("labels"), labels).unwrap();
    let manifest = "layout = \"idx\"\nclasses = [\"dark\", \"bright\"]\n\n[splits.train]\n\
                    images = \"images\"\nlabels = \"labels\"\n";
    std::fs::write(folder.join("dataset.toml"), manifest).unwrap();
}

#[test]
fn idx_files_that_lie() {
    let folder = folder();
    let (data, out) = (folder.path().join("digits"), folder.path().join("run"));
    // Fetched data is found by name below --data-dir.
    let train = || {
        let place = folder.path();
        args![
            "train",
            "logistic",
            "--data",
            "digits",
            "--data-dir",
            place,
            "--out",
            &out,
            "--epochs",
            "1"
        ]
    };
    type Damage = fn(&mut Vec<u8>, &mut Vec<u8>);
    let cases: [(Damage, &[&str]); 8] = [
        (|images, _| images[7] = 31, &["images: its header says 31 x 4 x 4 values"]),
        (|images, _| images[4..16].fill(0xFF), &["images: its header says 4294967295 x"]),
        (|images, _| images.truncate(200), &["images: its header says", "but it has 200"]),
        (|images, _| images[2] = 13, &["images: ", "expected"]),
        (|images, _| images[..4].copy_from_slice(b"\x1F\x8B\x08\0"), &["images: ", "gzip"]),
        (|_, labels| labels.clear(), &["labels: 0 bytes"]),
        (|_, labels| *labels.last_mut().unwrap() = 7, &["label 7 of example 29", "less than 2"]),
        (
            |_, labels| {
                labels.pop();
                labels[7] = 29;
            },
            &["labels: 29 labels; expected 30"],
        ),
    ];
    for (damage, why) in cases {
        write_idx(&data, damage);
        fails(train(), why);
        assert!(!out.exists(), "{why:?} left a run folder");
    }
    write_idx(&data, |_, _| {});
    std::fs::remove_file(data.join("labels")).unwrap();
    fails(train(), &["labels: No such file"]);
    write_idx(&data, |_, _| {});
    let manifest = std::fs::read_to_string(data.join("dataset.toml")).unwrap();
    for (from, to, why) in [
        ("layout = \"idx\"", "layout = \"xdi\"", "dataset.toml: line 1: unknown variant `xdi`"),
        ("\"images\"", "\"../images\"", "dataset.toml: the path `../images`; expected one inside"),
        ("splits.train", "splits.drain", "dataset.toml: no `splits.train`"),
        ("labels =", "label =", "dataset.toml: no `splits.train.labels`"),
    ] {
        std::fs::write(data.join("dataset.toml"), manifest.replace(from, to)).unwrap();
        fails(train(), &[why]);
    }
    assert!(!out.exists());
    // The same files without damage do train.
    std::fs::write(data.join("dataset.toml"), manifest).unwrap();
    let outcome = classification(train());
    assert_eq!(outcome.status, 0, "{}", outcome.err);
}

#[test]
fn tables_that_cannot_be_trained_on() {
    let folder = folder();
    let (table, out) = (folder.path().join("people.csv"), folder.path().join("run"));
    let cases: [(&[u8], &str); 12] = [
        (b"a,b,kind\n1,2,x\n3,4\n", "line 3, field kind: the row has 2 fields; expected 3"),
        (b"a,b,kind\n1,2,x\n3,4,y,5\n", "line 3, field 4: the row has 4 fields; expected 3"),
        (b"a,b,kind\n1,2,x\n3,tall,y\n", "too few examples to hold some out"),
        (
            b"a,b,kind\n1,2,x\n3,inf,y\n5,6,x\n5,6,x\n5,6,x\n",
            "line 3, field b: `inf`; expected a finite number",
        ),
        (b"a,b,kind\n1,2,\n3,4,\n", "no row has a value in `kind`"),
        (b"a,b,kind\n1,2,x\n3,4,\xFF\n", "line 3, field 3: not UTF-8"),
        (b"", "empty; expected rows"),
        (b"a,b,kind\n", "only a header; expected rows"),
        (b"a,b,kind\n1,2,x\n3,4,x\n", "every row has the class `x` in column kind; expected two"),
        (b"a,b\n1,2.5\n3,2.5\n", "every row has 2.5 in column b; expected different numbers"),
        (b"a,b\n1,2.5\nmany,3.5\n3,4.5\n4,5.5\n", "line 3, field a: `many`; expected a number"),
        (b"a,b,kind\n1,2,x\n3,4,y\n", "too few examples"),
    ];
    let train = || args!["train", "mlp", "--data", &table, "--out", &out];
    for (text, why) in cases {
        std::fs::write(&table, text).unwrap();
        fails(train(), &["people.csv: ", why]);
    }
    write_table(&table, 30);
    let target = train().into_iter().chain(args!["--target", "colour"]);
    fails(target, &["--target: no column `colour`", "height, width, kind"]);
    let regression = train().into_iter().chain(args!["--task", "regression"]);
    fails(regression, &["people.csv: line 2, field kind: `", "`; expected a number"]);
    let of_classes = |flags| train().into_iter().chain(flags);
    fails(of_classes(args!["--loss", "mse"]), &["--loss: classes take cross-entropy"]);
    std::fs::write(&table, "a,b\n1,2.5\n3,4.5\n").unwrap();
    fails(
        args!["train", "logistic", "--data", &table, "--out", &out],
        &["people.csv: line 2, field b: `2.5` is a measurement; expected a class"],
    );
    let no_table = folder.path().join("people.txt");
    std::fs::write(&no_table, "x").unwrap();
    fails(args!["train", "mlp", "--data", no_table], &["--data: ", "a folder or a .csv file"]);
    assert!(!out.exists());
}

#[test]
fn picture_folders_that_cannot_be_trained_on() {
    let folder = folder();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    let train = || args!["train", "mlp", "--data", &data, "--out", &out];
    std::fs::create_dir(&data).unwrap();
    fails(train(), &["data: no class folders; expected CLASS/*.png"]);
    write_images(&data, 5);
    std::fs::create_dir(data.join("middle")).unwrap();
    fails(train(), &["middle: a class without any image; expected PNG, JPEG"]);
    std::fs::remove_dir(data.join("middle")).unwrap();
    std::fs::rename(data.join("below"), folder.path().join("below")).unwrap();
    fails(train(), &["data: only one class; expected two or more"]);
    for entry in std::fs::read_dir(data.join("above")).unwrap() {
        std::fs::write(entry.unwrap().path(), "no image").unwrap();
    }
    fails(train(), &["data: none of 5 images can be read", "000.png: not an image"]);
    assert!(!out.exists());
}

#[test]
fn a_picture_that_is_damaged_among_its_pixels_is_named() {
    let folder = folder();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    write_images(&data, 20);
    // A look at the header, which is all that opening takes, does not show it.
    for i in 0..20 {
        let path = data.join(format!("above/{i:03}.png"));
        let png = std::fs::read(&path).unwrap();
        std::fs::write(&path, &png[..png.len() - 24]).unwrap();
    }
    fails(args!["train", "mlp", "--data", &data, "--out", &out], &[".png: not an image"]);
}

#[test]
fn flags_that_cannot_work() {
    let folder = folder();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    write_images(&data, 20);
    let cases: [(&[&str], u8, &[&str]); 27] = [
        (&["mlp", "--data", "mnits"], 1, &["--data: ", "`mnits`", "cargo xtask fetch mnits"]),
        (&["mlp", "--limit", "1"], 1, &["--limit: ", "too few examples"]),
        (
            &["mlp", "--set", "depth=3"],
            1,
            &["--set: unknown setting `depth`", "activation (", "dropout (", "hidden ("],
        ),
        (&["mlp", "--set", "hidden"], 1, &["--set: `hidden`: expected KEY=VALUE"]),
        (&["mlp", "--set", "hidden=[-1]"], 1, &["--set: `hidden=[-1]`: "]),
        (&["mlp", "--set", "hidden=[0]"], 1, &["--set: hidden: ", "expected 1 or more"]),
        (&["mlp", "--set", "hidden=[99999999999]"], 1, &["--set: hidden: expected at most"]),
        (&["mlp", "--set", "dropout=1"], 1, &["--set: dropout: 1; expected"]),
        (&["lenet", "--set", "variant=lenet6"], 1, &["--set: ", "`lenet6`", "`modern`"]),
        (&["mlp", "--device", "gpu"], 1, &["--device: `gpu` is none of cpu, "]),
        (&["mlp", "--device", "cuda:x"], 1, &["--device: `cuda:x` is none of cpu, "]),
        (&["mlp", "--weights", "nowhere.pth"], 1, &["nowhere.pth: No such file"]),
        (&["mlp", "--resume"], 1, &["run: not a run folder: it has no config.json"]),
        (&["resnet"], 2, &["'resnet'", "linear, logistic, knn, random_forest, gradient_boosting"]),
        (&["mlp", "--lr", "-1"], 2, &["'-1' for '--lr <X>': expected a number above zero"]),
        (&["mlp", "--lr=-1"], 2, &["--lr", "a number above zero"]),
        (&["mlp", "--lr", "0"], 2, &["--lr", "a number above zero"]),
        (&["mlp", "--lr", "NaN"], 2, &["--lr", "a number above zero"]),
        (&["mlp", "--epochs", "0"], 2, &["--epochs", "0"]),
        (&["mlp", "--batch-size", "0"], 2, &["--batch-size"]),
        (&["mlp", "--limit", "0"], 2, &["--limit"]),
        (&["mlp", "--warmup", "2"], 2, &["--warmup", "a number from 0 to 1"]),
        (&["mlp", "--augment", "spin:3"], 2, &["--augment", "spin"]),
        (&["mlp", "--optimizer", "magic"], 2, &["--optimizer", "adamw"]),
        (&["mlp", "--resume", "--overwrite"], 2, &["--resume", "--overwrite"]),
        (&["mlp", "--freeze-backbone"], 2, &["--weights"]),
        (&["mlp", "--data", ""], 2, &["--data"]),
    ];
    for (flags, status, expected) in cases {
        let mut line = args!["train", "--out", &out].to_vec();
        line.extend(flags.iter().map(Into::into));
        if !flags.contains(&"--data") && !flags.contains(&"--resume") {
            line.extend(args!["--data", &data]);
        }
        let outcome = classification(line);
        assert_eq!((outcome.status, &outcome.out[..]), (status, ""), "{flags:?}: {outcome:?}");
        if status == 1 {
            outcome.error();
        }
        for &part in expected {
            assert!(outcome.err.contains(part), "{flags:?}: {}", outcome.err);
        }
        assert!(!outcome.err.contains("-- "), "{flags:?}: {}", outcome.err);
    }
    assert!(!out.exists(), "a refused command line leaves nothing");
}

#[test]
fn a_device_that_was_not_compiled_in_names_its_feature() {
    fails(args!["train", "mlp", "--device", "cuda"], &["--device: ", "add `--features cuda`"]);
}

#[test]
fn a_learning_rate_that_is_far_too_high_stops_at_once() {
    let folder = folder();
    let (data, run) = (folder.path().join("pictures"), folder.path().join("run"));
    write_images(&data, 40);
    let outcome = classification(args![
        "train",
        "mlp",
        "--data",
        &data,
        "--out",
        &run,
        "--batch-size",
        "4",
        "--optimizer",
        "sgd",
        "--lr",
        "1e30"
    ]);
    let why = outcome.error();
    assert!(why.contains("the loss ") && why.contains(" in epoch 1 at step"), "{why}");
    assert!(why.contains("a lower --lr than 1e30; no checkpoint was made yet"), "{why}");
    assert!(!run.join("checkpoint").exists() && !run.join("model.safetensors").exists());
    fails(args!["predict", &run, first_image(&data)], &["model.safetensors: No such file"]);
}

#[test]
fn a_loss_that_grows_without_end_leaves_the_last_good_epoch() {
    let folder = folder();
    let (data, run) = (folder.path().join("pictures"), folder.path().join("run"));
    write_images(&data, 20);
    // Each step multiplies the weights by 1 - 0.1 * 100 = -9.
    let outcome = classification(args![
        "train",
        "logistic",
        "--data",
        &data,
        "--out",
        &run,
        "--batch-size",
        "8",
        "--epochs",
        "50",
        "--optimizer",
        "sgd",
        "--lr",
        "0.1",
        "--weight-decay",
        "100",
        "--schedule",
        "constant"
    ]);
    let why = outcome.error();
    let epoch: usize = why
        .split_once("in epoch ")
        .and_then(|(_, rest)| rest.split_once(' ')?.0.parse().ok())
        .unwrap_or_else(|| panic!("no epoch in: {why}"));
    assert!((3..20).contains(&epoch), "{why}");
    let kept = epoch - 1;
    assert!(why.contains("--lr than 0.1"), "{why}");
    assert!(why.ends_with(&format!("the checkpoint of epoch {kept} is kept")), "{why}");
    assert!(run.join(format!("checkpoint/epoch-{kept:04}/state.json")).is_file());
    let lines = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2 * kept);
    let before = contents(&run);
    let answers = classification(args!["predict", &run, first_image(&data), "--json"]).json();
    assert_eq!(answers[0]["suggestions"].as_array().unwrap().len(), 2);
    // Going on ends at the same place and loses nothing either.
    fails(
        args!["train", "logistic", "--out", &run, "--resume"],
        &["training: the loss ", " in epoch "],
    );
    assert_eq!(contents(&run), before);
}

#[test]
fn places_that_cannot_be_written_to() {
    let trained = trained();
    let at = |name: &str| trained.path().join(name);
    let (run, data) = (at("run"), at("pictures"));
    let picture = first_image(&data);
    std::fs::write(at("file"), "mine").unwrap();
    std::fs::create_dir(at("dir")).unwrap();
    let before = contents(trained.path());
    for out in ["file", "file/run"] {
        fails(args!["train", "mlp", "--data", &data, "--out", at(out)], &["file"]);
    }
    fails(args!["export", &run, at("none/m.safetensors")], &["none: No such file"]);
    fails(args!["export", &run, at("dir")], &["dir: ", "expected a file's name"]);
    fails(args!["predict", &run, &picture, "--draw", at("file")], &["file: "]);
    fails(
        args!["predict", &run, &picture, "--draw", data.join("above")],
        &["--draw: would replace the input", "name another folder"],
    );
    assert_eq!(contents(trained.path()), before);
    assert!(at("dir").is_dir());
}
