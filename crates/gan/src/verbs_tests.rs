//! The verbs, end to end, with tiny networks.

use crate::zoo::Zoo;
use serde_json::Value;
use std::path::Path;
use tenfold_core::zoo::Zoo as _;

/// Runs a command line: its status, stdout and stderr.
fn run(line: &[&str]) -> (u8, String, String) {
    let args = ["tenfold-gan"].iter().chain(line).map(|word| (*word).into());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = tenfold_core::cli::run::<Zoo>(args.collect::<Vec<_>>(), &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(out), text(err))
}

fn json(line: &[&str]) -> Value {
    let (status, out, err) = run(line);
    assert_eq!(status, 0, "{line:?}: {err}");
    serde_json::from_str(&out).unwrap()
}

/// A short training of glyphs.
fn train(model: &str, out: &str, more: &[&str]) -> Value {
    let line = [
        "train",
        model,
        "--limit",
        "40",
        "--steps",
        "2",
        "--every",
        "1",
        "--batch-size",
        "4",
        "--set",
        "width=2",
        "--set",
        "latent=4",
        "--samples",
        "30",
        "--json",
        "--out",
        out,
    ];
    json(&[&line, more].concat())
}

#[test]
fn every_model_of_noise_trains_measures_samples_and_exports() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for &(_, model) in Zoo::ALL.iter().filter(|(model, _)| model.from_noise()) {
        let out = path(model);
        let summary = train(model, &out, &[]);
        let figures =
            ["fd_lenet", "precision", "recall", "diversity", "floor", "sure", "samples", "steps"];
        for figure in figures {
            assert!(summary[figure].is_number(), "{model} {figure}: {summary}");
        }
        for figure in ["features", "normalisation"] {
            assert!(summary[figure].is_string(), "{model} {figure}: {summary}");
        }
        assert_eq!(summary["accuracy"].is_number(), model == "cgan");
        assert_eq!(summary["code_accuracy"].is_number(), model == "infogan");
        let in_run = |name: &str| Path::new(&out).join(name);
        assert!(in_run("samples.gif").is_file() && in_run("samples/0000002.png").is_file());
        let curves = std::fs::read_to_string(in_run("curves.svg")).unwrap();
        for word in ["generator loss", "discriminator loss", "Fréchet distance, lenet"] {
            assert!(curves.contains(word), "{model}: no {word}");
        }
        let lines = std::fs::read_to_string(in_run("metrics.jsonl")).unwrap();
        assert_eq!(lines.contains("critic_estimate"), model.starts_with("wgan"));

        let scores = json(&["eval", &out, "--json", "--samples", "50"]);
        assert_eq!((&scores["samples"], &scores["count"]), (&50.into(), &50.into()), "{scores}");

        let file = path("model.safetensors");
        assert_eq!(run(&["export", &out, &file]).0, 0);
        let images = |run: &str, folder: &str, samples: &str, more: &[&str]| {
            let folder = path(folder);
            let line = ["predict", run, "--samples", samples, "--seed", "7", "--draw", &folder];
            let list = json(&[&line[..], &["--json"], more].concat());
            let list = list.as_array().unwrap().clone();
            assert!(Path::new(&format!("{folder}-sheet.png")).is_file());
            assert_eq!(list[0]["seed"], 7);
            let bytes = |one: &Value| std::fs::read(one["file"].as_str().unwrap()).unwrap();
            list.iter().map(bytes).collect::<Vec<_>>()
        };
        let own = images(&out, "drawn", "5", &[]);
        assert_eq!(own[..3], images(&file, "drawn-too", "3", &[]), "{model}");
        assert_eq!(images(&out, "between", "2", &["--interpolate", "4"]).len(), 8);
        match model {
            "cgan" => assert_eq!(images(&out, "three", "2", &["--class", "3"]).len(), 2),
            "infogan" => assert_eq!(images(&out, "code", "3", &["--code", "1=-2..2"]).len(), 33),
            _ => (),
        }
        std::fs::remove_file(&file).unwrap();
    }
}

/// A short training of scenes.
fn translate(model: &str, out: &str, more: &[&str]) -> Value {
    let line = ["train", model, "--limit", "6", "--steps", "2", "--every", "1"];
    let small = ["--set", "downs=5", "--set", "side=32", "--set", "width=1"];
    let few = ["--samples", "4", "--set", "critic_width=1", "--json", "--out", out];
    json(&[&line[..], &small, &few, more].concat())
}

#[test]
fn both_translators_train_measure_translate_at_any_size_and_export() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let photo = path("photo.png");
    let pixel = |x, y| image::Rgb([x as u8 * 3, y as u8 * 5, 90]);
    image::RgbImage::from_fn(53, 41, pixel).save(&photo).unwrap();
    for model in ["pix2pix", "cyclegan"] {
        let out = path(model);
        let summary = translate(model, &out, &["--set", "average=0.5"]);
        let own = if model == "pix2pix" { "l1" } else { "cycle_l1" };
        for figure in [own, "fd_lenet", "precision", "recall", "diversity", "count"] {
            assert!(summary[figure].is_number(), "{model} {figure}: {summary}");
        }
        let in_run = |name: &str| Path::new(&out).join(name);
        assert!(in_run("samples.gif").is_file() && in_run("samples/0000002.png").is_file());
        assert!(json(&["eval", &out, "--json"])[own].is_number());
        let file = path(&format!("{model}.safetensors"));
        assert_eq!(run(&["export", &out, &file]).0, 0);
        let ask = |run: &str, folder: &str, more: &[&str]| {
            let folder = path(folder);
            let line = ["predict", run, &photo, "--draw", &folder, "--json"];
            let list = json(&[&line[..], more].concat());
            let bytes = std::fs::read(list[0]["file"].as_str().unwrap()).unwrap();
            let image = image::load_from_memory(&bytes).unwrap();
            assert_eq!((image.width(), image.height()), (53, 41), "{model}");
            bytes
        };
        let one = ask(&out, &format!("{model}-drawn"), &[]);
        assert_eq!(one, ask(&file, &format!("{model}-again"), &[]));
        if model == "cyclegan" {
            assert_ne!(one, ask(&out, "backward", &["--backward"]));
        }
        let drawn = path("drawn");
        for (line, why) in [
            (vec!["--samples", "4"], "makes images from images: name some"),
            (vec!["--class", "4"], "makes images from images: name some"),
            (vec!["--backward"], "backward"),
        ] {
            if why == "backward" && model == "cyclegan" {
                continue;
            }
            let all = [&["predict", &out, &photo, "--draw", &drawn][..], &line].concat();
            let (status, _, err) = run(&all);
            let why = if why == "backward" { "this model has one way" } else { why };
            assert!(status == 1 && err.contains(why), "{err}");
        }
        let (status, _, err) =
            run(&["predict", &out, &photo, "--draw", folder.path().to_str().unwrap()]);
        assert!(status == 1 && err.contains("would replace the input"), "{err}");
    }
}

#[test]
fn options_of_the_papers_train() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let out = out.to_str().unwrap();
    for set in [
        &["rule=hinge", "spectral=true", "rate_ratio=4"][..],
        &["rule=least-squares", "average=0", "smooth=0.1"],
        &["rule=saturating", "side=32", "critic_norm=false"],
    ] {
        let set: Vec<&str> = set.iter().flat_map(|one| ["--set", one]).collect();
        train("dcgan", out, &[&set[..], &["--overwrite", "--rollback"]].concat());
    }
}

#[test]
fn wrong_lines_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (plain, cgan, infogan) = (path("dcgan"), path("cgan"), path("infogan"));
    for (model, out) in [("dcgan", &plain), ("cgan", &cgan), ("infogan", &infogan)] {
        train(model, out, &[]);
    }
    let loose = path("loose");
    std::fs::create_dir(&loose).unwrap();
    let one = format!("{loose}/one.png");
    image::GrayImage::new(30, 30).save(&one).unwrap();
    let drawn = path("drawn");
    let draw = ["--draw", &drawn];
    for (line, status, why) in [
        (&["train", "dcgna"][..], 2, "dcgan"),
        (&["train", "dcgan", "--data", &loose], 1, "1 image; a GAN learns from 2 at least"),
        (&["train", "cgan", "--data", &loose], 1, "1 image"),
        (&["train", "dcgan", "--set", "side=30"], 1, "side=30: expected one of [28, 32, 64, 128]"),
        (&["train", "dcgan", "--set", "penalty=10"], 1, "penalty wants critic_norm=false"),
        (&["train", "dcgan", "--set", "classes=3"], 1, "unknown setting `classes`"),
        (&["train", "dcgan", "--features", &loose], 1, "loose"),
        (
            &["train", "pix2pix", "--set", "side=96"],
            1,
            "side=96: expected 32 to 1024 and a multiple of 64",
        ),
        (&["train", "pix2pix", "--set", "cycle=10"], 1, "0 for pix2pix, above it for cyclegan"),
        (&["train", "cyclegan", "--data", &loose], 1, "wants two folders"),
        (&["train", "cyclegan", "--rollback"], 1, "--rollback: "),
        (&["predict", "--weights", &one, &one, "--draw", &drawn], 1, "one.png"),
        (&["predict", &plain], 1, "--draw: name a folder"),
        (&["predict", &plain, &one, draw[0], draw[1]], 1, "makes images from noise and takes none"),
        (&["predict", &plain, "--class", "3", draw[0], draw[1]], 1, "asked for no class"),
        (&["predict", &cgan, "--class", "40", draw[0], draw[1]], 1, "no class `40`"),
        (&["predict", &infogan, "--class", "36", draw[0], draw[1]], 1, "no class `36`"),
        (&["predict", &infogan, "--code", "0=2..-2", draw[0], draw[1]], 1, "the lower first"),
    ] {
        let (own, _, err) = run(line);
        assert_eq!(own, status, "{line:?}: {err}");
        assert!(err.contains(why), "{line:?}: {err}");
    }
    // What someone has edited is refused before anything is made of it.
    let config = Path::new(&plain).join("config.json");
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(&config).unwrap()).unwrap();
    for (pointer, value, why) in [
        ("/config/width", "0", "the model's config: width=0: expected 1 to 1024"),
        ("/config/side", "1000000", "the model's config: side=1000000: expected one of"),
        ("/training/every", "0", "are 1 or more"),
    ] {
        let mut edited = whole.clone();
        *edited.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap();
        std::fs::write(&config, edited.to_string()).unwrap();
        let (status, _, err) = run(&["eval", &plain]);
        assert!(status == 1 && err.contains(why), "{err}");
    }
}

#[test]
fn a_loss_that_is_no_number_is_told_with_its_network_and_the_checkpoint_stays() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let out = out.to_str().unwrap();
    let line = ["train", "dcgan", "--limit", "40", "--batch-size", "4", "--steps", "300"];
    let more =
        ["--every", "1", "--samples", "20", "--set", "width=2", "--lr", "1e30", "--out", out];
    let (status, _, err) = run(&[&line[..], &more].concat());
    assert_eq!(status, 1, "{err}");
    assert!(err.contains("'s loss became NaN or infinite at step"), "{err}");
    assert!(err.contains("the generator") || err.contains("the discriminator"), "{err}");
}
