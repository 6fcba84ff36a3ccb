//! The verbs, end to end, on a few images in files.

use crate::finder::Finder;
use crate::zoo::Zoo;
use image::{Rgb, RgbImage};
use serde_json::Value;
use std::path::Path;
use tenfold_core::data::Input;
use tenfold_core::device;
use tenfold_core::suggest::Propose;
use tenfold_core::zoo::Zoo as _;

/// Runs a command line: its status, stdout and stderr.
fn run(line: &[&str]) -> (u8, String, String) {
    let args = ["tenfold-detection"].iter().chain(line).map(|word| (*word).into());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = tenfold_core::cli::run::<Zoo>(args.collect::<Vec<_>>(), &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(out), text(err))
}

fn json(line: &[&str]) -> Value {
    let (status, out, err) = run(line);
    assert_eq!(status, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

/// Twenty images of a red or green square, one of them empty, as YOLO has them.
fn data(folder: &Path) {
    for i in 0..20u32 {
        let (x, y) = (4 + i * 7 % 24, 4 + i * 5 % 24);
        let inside = |at: u32, from: u32| (from..from + 16).contains(&at);
        let colour = if i % 2 == 0 { [220, 30, 30] } else { [30, 220, 30] };
        let square = |column, row| inside(column, x) && inside(row, y) && i != 19;
        let pixel = |column, row| Rgb(if square(column, row) { colour } else { [40; 3] });
        RgbImage::from_fn(48, 48, pixel).save(folder.join(format!("{i}.png"))).unwrap();
        let [x, y] = [x, y].map(|at| (at as f32 + 8.0) / 48.0);
        let side = 16.0 / 48.0;
        let text =
            if i == 19 { String::new() } else { format!("{} {x} {y} {side} {side}\n", i % 2) };
        std::fs::write(folder.join(format!("{i}.txt")), text).unwrap();
    }
    std::fs::write(folder.join("classes.txt"), "red\ngreen\n").unwrap();
}

/// Where a configuration is edited, what stands there then, and why it is refused.
const EDITS: [(&str, &str, &str); 7] = [
    ("/config/side", "0", "the model's config: side=0: expected "),
    ("/config/side", "1099511627776", "the model's config: side=1099511627776: expected "),
    ("/config/anchors", "[]", "the model's config: anchors: 0; expected "),
    ("/config/priors", "0", "the model's config: priors=0: expected 1 to 20"),
    ("/config/classes", "9", "2 labels for a model of 9 classes"),
    ("/labels", "[\"red\"]", "1 labels for a model of 2 classes"),
    ("/preprocess/height", "0", "preprocessing to [3, 0, 64] for a model that takes [3, 64, 64]"),
];

#[test]
fn every_model_trains_measures_answers_and_exports() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let images = path("images");
    std::fs::create_dir(&images).unwrap();
    data(Path::new(&images));
    let mut found = 0;
    for (_, model) in Zoo::ALL {
        let out = path(model);
        let line = [
            "train",
            model,
            "--data",
            &images,
            "--out",
            &out,
            "--epochs",
            "1",
            "--batch-size",
            "2",
            "--limit",
            "4",
            "--set",
            "side=64",
            "--json",
        ];
        let summary = json(&line);
        assert!(summary["examples"]["train"].as_u64().is_some_and(|count| count > 0), "{summary}");
        assert!(run(&line).0 == 1, "a taken folder");

        let scores = json(&["eval", &out, "--json", "--split", "train"]);
        for figure in [
            "map50",
            "map",
            "map75",
            "voc2007",
            "recall100",
            "calibration_error",
            "count",
            "split",
            "data",
            "skipped",
        ] {
            assert!(!scores[figure].is_null(), "{model} {figure}: {scores}");
        }

        let file = path("model.safetensors");
        assert_eq!(run(&["export", &out, &file]).0, 0);
        let image = format!("{images}/0.png");
        let ask = |run: &str| json(&["predict", run, &image, "--json", "--threshold", "0"]);
        let answers = ask(&out);
        assert_eq!(answers, ask(&file));
        let objects = answers[0]["objects"].as_array().unwrap();
        // SSD keeps 200, the others 100; after two steps some say nothing yet.
        assert!(objects.len() <= 200, "{model}");
        found += objects.len();
        for object in objects {
            let sides: Vec<f64> =
                object["box"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            assert!(sides[0] >= 0.0 && sides[0] + sides[2] <= 48.001, "{sides:?}");
        }
        let written = path("written");
        let (drawn, voc) = (path("drawn"), ["--format", "voc", "--out", &written]);
        let asked = [&["predict", &out, &image, "--draw", &drawn][..], &voc].concat();
        assert_eq!(run(&asked).0, 0);
        assert!(Path::new(&written).join("0.xml").is_file());
        assert_eq!(std::fs::read_dir(&drawn).unwrap().count(), 1);

        let finder = Finder::from_file(Path::new(&out), &device::open("cpu").unwrap()).unwrap();
        assert!(finder.places() && finder.labels() == ["red", "green"]);
        let own = Input::Image(image::open(&image).unwrap().into_rgb8().into());
        assert_eq!(finder.find(&[&own]).unwrap()[0].len(), objects.len());

        // What someone has edited is refused before anything is made of it.
        let config = Path::new(&out).join("config.json");
        let whole = std::fs::read_to_string(&config).unwrap();
        for (pointer, value, why) in EDITS {
            let mut edited: Value = serde_json::from_str(&whole).unwrap();
            // Some have no anchors in their configuration.
            let Some(place) = edited.pointer_mut(pointer) else { continue };
            *place = serde_json::from_str(value).unwrap();
            std::fs::write(&config, edited.to_string()).unwrap();
            let told = Finder::from_file(Path::new(&out), &device::open("cpu").unwrap());
            let told = told.err().unwrap().to_string();
            assert!(told.contains("config.json: ") && told.contains(why), "{model}: {told}");
            assert_eq!((run(&["predict", &out, &image]).0, run(&["eval", &out]).0), (1, 1));
        }
        std::fs::write(&config, whole).unwrap();
        std::fs::remove_dir_all(&written).unwrap();
        std::fs::remove_dir_all(&drawn).unwrap();
        std::fs::remove_file(&file).unwrap();
    }
    assert!(found > 100, "{found}");
}

#[test]
fn a_pipeline_in_a_file_draws_its_mistakes_and_looks_at_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let images = path("images");
    std::fs::create_dir(&images).unwrap();
    data(Path::new(&images));
    let dump = ["train", "composed", "--data", &images, "--dump-config"];
    let (status, text, err) = run(&dump);
    assert_eq!(status, 0, "{err}");
    // Five lines: ResNet-18 with a pyramid under SSD's head.
    let own = text
        .replace("backbone = \"resnet20\"", "backbone = \"resnet18\"")
        .replace("head = \"retinanet\"", "head = \"ssd\"")
        .lines()
        .map(|line| {
            if line.starts_with("epochs = ") { "epochs = 1\n".into() } else { format!("{line}\n") }
        })
        .collect::<String>();
    // Sixteen images in batches of four: as many epochs as make 600 steps.
    assert!(text.contains("epochs = 150\n") && text.contains("batch-size = 4\n"), "{text}");
    assert!(
        own.contains("resnet18") && own.contains("\"ssd\"") && own.contains("epochs = 1"),
        "{own}"
    );
    let (file, out) = (path("pipeline.toml"), path("run"));
    std::fs::write(&file, &own).unwrap();
    let (_, limited, _) = run(&[&dump[..], &["--limit", "10"]].concat());
    assert!(limited.contains("limit = \"10\"\n"), "{limited}");
    let line = ["train", "--config", &file, "--out", &out, "--limit", "4", "--json"];
    let summary = json(&line);
    assert_eq!(summary["model"], "composed", "{summary}");
    let config = std::fs::read_to_string(Path::new(&out).join("config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        (&config["config"]["head"], &config["training"]["epochs"]),
        (&"ssd".into(), &1.into())
    );

    let drawn = path("drawn");
    json(&["eval", &out, "--split", "train", "--draw", &drawn, "--json"]);
    for name in ["precision-recall.svg", "confusion.svg", "reliability.svg"] {
        assert!(Path::new(&drawn).join(name).is_file(), "{name}");
    }
    let image = format!("{images}/0.png");
    let tiled = ["predict", &out, &image, "--tile", "32", "--threshold", "0", "--json"];
    assert_eq!(json(&tiled).as_array().unwrap().len(), 1);

    for (old, new, why) in [
        ("head = \"ssd\"", "head = \"sdd\"", ": unknown variant"),
        ("side = 64", "side = 50", ": side=50: expected a multiple of 32"),
        ("epochs = 1", "epochs = 0", ": invalid value '0'"),
        ("finest", "finset", ": unknown setting `finset`"),
    ] {
        std::fs::write(&file, own.replace(old, new)).unwrap();
        let (status, _, err) = run(&["train", "--config", &file, "--out", &path("other")]);
        assert_eq!(status, 1, "{err}");
        assert!(err.contains("pipeline.toml: line ") && err.contains(why), "{err}");
    }
}

#[test]
fn wrong_lines_are_told() {
    for (line, status, why) in [
        (&["train", "yolov2_smal"][..], 2, "yolov2_small"),
        (&["train", "yolov2_small", "--augment", "turn"], 2, "flip"),
        (&["train", "yolov2_small", "--data", "nowhere"], 1, "nowhere"),
        (&["train", "yolov2_small", "--limit", "20", "--set", "side=12"], 1, "multiple of 8"),
        (
            &["train", "yolov2_small", "--limit", "20", "--set", "classes=3"],
            1,
            "unknown setting `classes`",
        ),
        (&["predict", "run", "a.png", "--format", "voc"], 2, "--out"),
    ] {
        let (own, _, err) = run(line);
        assert_eq!(own, status, "{line:?}: {err}");
        assert!(err.contains(why), "{line:?}: {err}");
    }
}
