//! What a trained network knows, used for something else: features, a new head over a frozen
//! backbone, learning rates by layer.

use std::path::{Path, PathBuf};
use tenfold_core::data::glyphs::{self, Glyphs, Part};
use tenfold_core::data::{Examples, Input};
use tenfold_tests::{args, classification, fails, first_image, folder, write_images};

/// Writes `each` glyphs of some classes as `FOLDER/CLASS/N.png`.
fn write_glyphs(folder: &Path, part: Part, classes: &[&str], each: usize) {
    let (data, names): (Examples, _) = (std::sync::Arc::new(Glyphs::new(part)), glyphs::classes());
    let mut left: Vec<usize> = names.iter().map(|_| each).collect();
    for class in classes {
        std::fs::create_dir_all(folder.join(class)).unwrap();
    }
    // Each is drawn when it is asked for: no more than are wanted.
    let mut missing = each * classes.len();
    for index in 0..data.len() {
        if missing == 0 {
            break;
        }
        let example = data.get(index).unwrap();
        let class = &names[example.target];
        if left[example.target] == 0 || !classes.contains(&class.as_str()) {
            continue;
        }
        left[example.target] -= 1;
        missing -= 1;
        let Input::Image(picture) = example.input else { panic!("glyphs are images") };
        picture.save(folder.join(class).join(format!("{index:05}.png"))).unwrap();
    }
}

/// The letters that are new to the network.
const LETTERS: [&str; 10] = ["H", "K", "M", "N", "R", "S", "W", "X", "Y", "Z"];

/// Few images of letters to learn from, and many to judge by.
fn write_letters(folder: &Path) {
    write_glyphs(&folder.join("train"), Part::Train, &LETTERS, 2);
    write_glyphs(&folder.join("val"), Part::Validation, &LETTERS, 5);
    write_glyphs(&folder.join("test"), Part::Test, &LETTERS, 50);
}

/// A folder with `run`, a network that has learnt the digits and the other letters, and
/// with `letters`, images of those.
fn pretrained() -> tempfile::TempDir {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let names = glyphs::classes();
    let known = names.iter().map(String::as_str).filter(|name| !LETTERS.contains(name));
    let known: Vec<&str> = known.collect();
    write_glyphs(&at("known/train"), Part::Train, &known, 200);
    write_glyphs(&at("known/val"), Part::Validation, &known, 10);
    write_glyphs(&at("known/test"), Part::Test, &known, 10);
    write_letters(&at("letters"));
    let outcome = classification(args![
        "train",
        "lenet",
        "--data",
        at("known"),
        "--out",
        at("run"),
        "--epochs",
        "5"
    ]);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    folder
}

/// Trains on the letters, and gives the accuracy on the test split.
fn on_letters(folder: &Path, out: &str, lr: &str, more: &[&str]) -> f64 {
    let data = folder.join("letters");
    let out = folder.join(out);
    let mut line = args!["train", "lenet", "--data", data, "--out", out, "--lr", lr].to_vec();
    line.extend(args!["--epochs", "30", "--batch-size", "10", "--overwrite", "--json"]);
    line.extend(more.iter().map(Into::into));
    classification(line).json()["accuracy"].as_f64().unwrap()
}

#[test]
fn what_was_learnt_on_other_glyphs_helps_where_pictures_are_few() {
    let folder = pretrained();
    let folder_path = folder.path();
    let weights = folder_path.join("run/model.safetensors");
    // Training from scratch may choose among learning rates, by the test itself.
    let scratch = ["0.001", "0.003"].map(|lr| on_letters(folder_path, "scratch", lr, &[]));
    let scratch = scratch.into_iter().fold(0.0, f64::max);
    let started = |more: &[&str]| {
        let flags = [&["--weights", weights.to_str().unwrap()][..], more].concat();
        on_letters(folder_path, "started", "0.003", &flags)
    };
    let frozen = started(&["--freeze-backbone"]);
    let layered = started(&["--layer-decay", "0.4"]);
    println!("scratch {scratch:.3}, frozen {frozen:.3}, layer-wise rates {layered:.3}");
    // Two images of each of ten letters.
    assert!(frozen > scratch + 0.05, "frozen {frozen}, from scratch {scratch}");
    assert!(layered > scratch + 0.05, "layer-wise {layered}, from scratch {scratch}");

    // By the features of a network that never saw these letters, the likest images are
    // mostly the query's own letter.
    let letters = folder.path().join("letters/test");
    let classes: Vec<PathBuf> =
        ["K", "M", "S", "W", "X"].iter().map(|letter| letters.join(letter)).collect();
    let query = std::fs::read_dir(&classes[2]).unwrap().next().unwrap().unwrap().path();
    let (out, draw) = (folder.path().join("letters.npy"), folder.path().join("drawn"));
    let mut line = args!["features", folder.path().join("run")].to_vec();
    line.extend(classes.iter().map(Into::into));
    line.extend(args![
        "--out",
        &out,
        "--neighbours",
        &query,
        "--top-k",
        "11",
        "--draw",
        &draw,
        "--json"
    ]);
    let ranked = classification(line).json();
    let ranked = ranked["neighbours"].as_array().unwrap();
    assert_eq!(ranked.len(), 11);
    let input = |place: usize| Path::new(ranked[place]["input"].as_str().unwrap());
    assert!((0..11).all(|place| input(place) != query), "the query is not its own neighbour");
    let own = (0..11).filter(|&place| input(place).parent() == query.parent()).count();
    assert!(own >= 8, "{own} of 11");
    let cosine = |place: usize| ranked[place]["cosine"].as_f64().unwrap();
    assert!(cosine(0) <= 1.000_001 && (1..11).all(|place| cosine(place) <= cosine(place - 1)));
    assert_eq!(
        std::fs::read_to_string(out.with_extension("npy.txt")).unwrap().lines().count(),
        250
    );
    let header = std::fs::read(&out).unwrap();
    assert!(header[..128].windows(9).any(|part| part == b"(250, 500"));
    let sheet = image::open(draw.join("neighbours.png")).unwrap();
    assert!(sheet.width() > 800, "the query and eleven more");
}

#[test]
fn features_of_rows_pictures_and_foreign_weights() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_images(&at("pictures"), 20);
    let trained = classification(args![
        "train",
        "mlp",
        "--data",
        at("pictures"),
        "--out",
        at("run"),
        "--epochs",
        "1",
        "--set",
        "hidden=[9,7]"
    ]);
    assert_eq!(trained.status, 0, "{}", trained.err);
    let above = at("pictures/above");
    let written =
        classification(args!["features", at("run"), &above, "--out", at("f.safetensors")]);
    assert_eq!(written.status, 0, "{}", written.err);
    assert!(written.out.starts_with("20 inputs, 7 numbers each, in "), "{}", written.out);
    let weights = at("run/model.safetensors");
    let again = classification(args![
        "features",
        "--model",
        "mlp",
        "--weights",
        weights,
        &above,
        "--out",
        at("g.safetensors"),
        "--json"
    ])
    .json();
    assert_eq!((&again["count"], &again["units"]), (&20.into(), &7.into()));

    // What cannot be read is told, and the rest is written.
    std::fs::write(at("bad.png"), "no image").unwrap();
    let line = args![
        "features",
        at("run"),
        at("bad.png"),
        first_image(&at("pictures")),
        "--out",
        at("one.npy")
    ];
    let outcome = classification(line);
    assert!(outcome.error().contains("bad.png: not an image"), "{outcome:?}");
    assert!(outcome.out.starts_with("1 inputs, 7 numbers each"), "{}", outcome.out);
    fails(args!["features", at("run"), at("bad.png"), "--out", at("x.npy")], &["bad.png"]);
    assert!(!at("x.npy").exists());
    fails(
        args!["features", at("run"), &above, "--out", at("x.csv")],
        &["--out: ", "x.csv: expected FILE.safetensors, FILE.npy or FILE.parquet"],
    );
    fails(
        args!["features", at("run"), &above, "--neighbours", at("bad.png")],
        &["bad.png: not an image"],
    );
    let missing = classification(args!["features", at("run"), &above]);
    assert_eq!(missing.status, 2, "{missing:?}");
}
