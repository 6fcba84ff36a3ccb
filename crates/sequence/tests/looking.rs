//! Captions and visual questions from a person's side: images that are red or blue, and what
//! is said and asked of them.

use std::ffi::OsString;
use std::path::Path;
use tenfold_sequence::Zoo;

/// Status, stdout and the error of one command line.
fn sequence(args: &[&str]) -> (u8, String, String) {
    let program = OsString::from("tenfold-sequence");
    let args = std::iter::once(program).chain(args.iter().map(OsString::from));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = tenfold_core::cli::run::<Zoo>(args, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(out), text(err))
}

fn json(args: &[&str]) -> serde_json::Value {
    let (status, out, err) = sequence(args);
    assert_eq!(status, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

fn fails(args: &[&str], expected: &[&str]) {
    let (status, out, err) = sequence(args);
    assert_eq!((status, err.lines().count(), &out[..]), (1, 1, ""), "{err}");
    for part in expected {
        assert!(err.contains(part), "`{part}` is not in: {err}");
    }
}

const IMAGES: usize = 40;

fn colour(index: usize) -> &'static str {
    ["red", "blue"][index % 2]
}

/// Images of one colour each, `images/N.png`.
fn draw(folder: &Path) {
    let images = folder.join("images");
    std::fs::create_dir(&images).unwrap();
    for index in 0..IMAGES {
        let level = 120 + 3 * index as u8;
        let pixel = if colour(index) == "red" { [level, 20, 20] } else { [20, 20, level] };
        let picture = image::RgbImage::from_pixel(32, 32, image::Rgb(pixel));
        picture.save(images.join(format!("{index}.png"))).unwrap();
    }
}

fn described() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    draw(folder.path());
    let line = |index: usize| {
        let colour = colour(index);
        format!("{index}.png,It is all {colour} .\n{index}.png,It is all {colour} .\n")
    };
    let text = (0..IMAGES).map(line).collect::<String>();
    std::fs::write(folder.path().join("captions.txt"), format!("image,caption\n{text}")).unwrap();
    folder
}

fn asked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    draw(folder.path());
    let each = |row: &dyn Fn(usize, usize) -> serde_json::Value| {
        (0..2 * IMAGES).map(|id| row(id, id / 2)).collect::<Vec<_>>()
    };
    let question = |id: usize, index: usize| {
        let text = if id.is_multiple_of(2) { "What colour is it?" } else { "Is it red?" };
        serde_json::json!({"image_id": index, "question_id": id, "question": text})
    };
    let answer = |id: usize, index: usize| {
        let yes = if colour(index) == "red" { "yes" } else { "no" };
        let (kind, answer) =
            if id.is_multiple_of(2) { ("other", colour(index)) } else { ("yes/no", yes) };
        serde_json::json!(
            {"question_id": id, "multiple_choice_answer": answer, "answer_type": kind}
        )
    };
    let write = |name: &str, json: serde_json::Value| {
        std::fs::write(folder.path().join(name), json.to_string()).unwrap();
    };
    write("train_questions.json", serde_json::json!({"questions": each(&question)}));
    write("train_annotations.json", serde_json::json!({"annotations": each(&answer)}));
    folder
}

fn learnt(model: &str, data: &Path, run: &Path) -> serde_json::Value {
    let (data, run) = (data.to_str().unwrap(), run.to_str().unwrap());
    let small = ["--epochs", "16", "--batch-size", "8", "--lr", "0.003", "--json"];
    json(&[&["train", model, "--data", data, "--out", run], &small[..]].concat())
}

#[test]
fn images_are_described() {
    let data = described();
    for model in ["show-tell", "show-attend-tell"] {
        let run = tempfile::tempdir().unwrap();
        let summary = learnt(model, data.path(), run.path());
        // Always saying the same would have half of the fourth words right.
        assert!(summary["bleu4"].as_f64().unwrap() > 99.0, "{model}: {summary}");
        let (folder, run) = (tempfile::tempdir().unwrap(), run.path().to_str().unwrap());
        let (drawn, images) = (folder.path().join("drawn"), data.path().join("images"));
        let (drawn, picture) = (drawn.to_str().unwrap(), images.join("3.png"));
        let picture = picture.to_str().unwrap();
        let told = json(&["predict", run, picture, "--top-k", "2", "--draw", drawn, "--json"]);
        let best = &told[0]["suggestions"][0];
        assert_eq!(best["text"], "it is all blue.", "{told}");
        assert!((0.0..=1.0).contains(&best["score"].as_f64().unwrap()), "{told}");
        let sheet = image::open(folder.path().join("drawn/3.png")).unwrap();
        // A tile for the image and for each of five tokens, where the model attends.
        assert_eq!(sheet.width() > 500, model == "show-attend-tell", "{}", sheet.width());
        let measured = json(&["eval", run, "--beam", "1", "--split", "train", "--json"]);
        assert_eq!((&measured["count"], &measured["beam"]), (&32.into(), &1.into()));
        assert_eq!((&measured["split"], &measured["skipped"]), (&"train".into(), &0.into()));
        assert_eq!(measured["data"], data.path().to_str().unwrap());
        let file = folder.path().join("model.safetensors");
        let file = file.to_str().unwrap();
        assert_eq!(sequence(&["export", run, file]).0, 0);
        let again = json(&["predict", file, picture, "--top-k", "2", "--json"]);
        assert_eq!(again, told);
        fails(&["predict", run, "nowhere.png"], &["nowhere.png"]);
        fails(&["predict", run], &["Nothing to predict. Example: predict"]);
    }
}

#[test]
fn questions_are_answered() {
    let data = asked();
    for model in ["vqa", "stacked-attention", "phrases"] {
        let run = tempfile::tempdir().unwrap();
        let summary = learnt(model, data.path(), run.path());
        assert!(summary["accuracy"].as_f64().unwrap() > 0.99, "{model}: {summary}");
        assert_eq!(summary["kinds"]["yes/no"]["count"], summary["kinds"]["other"]["count"]);
        let run = run.path().to_str().unwrap();
        let picture = data.path().join("images/2.png");
        let picture = picture.to_str().unwrap();
        let answer = |question: &str| {
            let answers = json(&["predict", run, picture, "--ask", question, "--json"]);
            answers[0]["suggestions"][0]["label"].as_str().unwrap().to_owned()
        };
        assert_eq!(answer("what colour is it?"), "red");
        assert_eq!(answer("Is it red"), "yes");
        // A word that is not known is told, and the others decide.
        assert_eq!(answer("what colour is it really?"), "red");
        let ask = |question: &str, expected: &[&str]| {
            fails(&["predict", run, picture, "--ask", question], expected);
        };
        ask("quelle couleur?", &["--ask: `quelle couleur?`", "knows none of its words"]);
        ask("?", &["--ask: `?` has no words"]);
        fails(&["predict", run, picture], &["--ask: no question given"]);
        let text = sequence(&["predict", run, picture, "--ask", "is it red?"]).1;
        assert!(text.contains("2.png  yes ") && text.matches(" %").count() == 3, "{text}");
    }
}

#[test]
fn faulty_data_makes_no_run() {
    let (data, runs) = (described(), tempfile::tempdir().unwrap());
    std::fs::remove_file(data.path().join("images/7.png")).unwrap();
    let run = runs.path().join("run");
    let (folder, run) = (data.path().to_str().unwrap(), run.to_str().unwrap());
    let train = |model: &str, expected: &[&str]| {
        fails(&["train", model, "--data", folder, "--out", run], expected);
        assert!(!Path::new(run).exists());
    };
    train("show-tell", &["captions.txt: names 1 images that are not in", ": 7.png"]);
    train("vqa", &["expected the layout of VQA v2"]);
    fails(&["train", "vqa", "--data", "nowhere", "--out", run], &["cargo xtask fetch nowhere"]);
    fails(
        &["train", "vqa", "--set", "depth=9", "--out", run],
        &["--set: depth: 9, expected 1 to 8"],
    );
}
