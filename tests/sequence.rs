//! The sequence program from a person's side: every verb on small data, and every bad input.

use std::path::Path;
use tenfold_tests::{args, folder, sequence};

/// A text whose next character is known after two.
fn alphabet(path: &Path) {
    let text: String = ('a'..='z').cycle().take(4000).collect();
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_text_is_continued() {
    let folder = folder();
    let (text, run) = (folder.path().join("abc.txt"), folder.path().join("run"));
    alphabet(&text);
    let summary = sequence(args![
        "train",
        "charlm",
        "--data",
        &text,
        "--epochs",
        "20",
        "--batch-size",
        "8",
        "--lr",
        "0.02",
        "--set",
        "hidden=32",
        "--set",
        "layers=1",
        "--set",
        "dropout=0",
        "--set",
        "steps=20",
        "--out",
        &run,
        "--json"
    ]);
    let loss = summary.json()["loss"].as_f64().unwrap();
    // Guessing among 26 costs 3.26 nats.
    assert!(loss < 0.1, "{loss}");
    let measured = sequence(args!["eval", &run, "--json"]).json();
    assert_eq!(measured["loss"], summary.json()["loss"]);
    assert_eq!((&measured["split"], &measured["data"]), (&"test".into(), &text.to_str().into()));
    assert_eq!((&measured["count"], &measured["skipped"]), (&400.into(), &0.into()));
    for split in ["train", "validation"] {
        let printed = sequence(args!["eval", &run, "--split", split]).out;
        assert!(printed.starts_with(&format!("{split}: ")), "{printed}");
    }
    sequence(args!["eval", &run, "--beam", "3"]).fails(&["--beam", "no such option"]);
    sequence(args!["predict", &run, "--ask", "why?"]).fails(&["--ask", "no such option"]);

    let written = sequence(args![
        "predict",
        &run,
        "--prompt",
        "klm",
        "--length",
        "6",
        "--temperature",
        "0",
        "--json"
    ]);
    let written = written.json();
    assert_eq!(written["text"], "nopqrs");
    assert_eq!(written["suggestions"][0]["label"], "n");
    assert!(written["suggestions"][0]["score"].as_f64().unwrap() > 0.8);
    let plain =
        sequence(args!["predict", &run, "--prompt", "klm", "--length", "6", "--temperature", "0"]);
    assert_eq!(plain.out, "klmnopqrs\n");
    // The same seed draws the same text, however long the prompt.
    let long = "abc".repeat(2000);
    let draw =
        || sequence(args!["predict", &run, "--prompt", &long, "--length", "20", "--seed", "3"]).out;
    assert_eq!(draw(), draw());

    let file = folder.path().join("abc.safetensors");
    assert_eq!(sequence(args!["export", &run, &file]).status, 0);
    let again =
        sequence(args!["predict", &file, "--prompt", "klm", "--length", "6", "--temperature", "0"]);
    assert_eq!(again.out, plain.out);

    // The flags it was started with are taken again, others are not.
    let flags = ["--epochs", "20", "--batch-size", "8", "--lr", "0.02"];
    let resumed = |lr: &str| {
        let mut args: Vec<std::ffi::OsString> =
            args!["train", "charlm", "--data", &text, "--out", &run, "--resume"].into();
        args.extend(flags[..4].iter().map(Into::into));
        args.extend(args!["--lr", lr, "--set", "hidden=32", "--set", "layers=1"]);
        args.extend(args!["--set", "dropout=0", "--set", "steps=20"]);
        sequence(args)
    };
    assert_eq!(resumed(flags[5]).status, 0);
    resumed("0.03").fails(&["--resume", "training.lr is 0.02 there and 0.03 here"]);
    assert_eq!(sequence(args!["train", "charlm", "--out", &run, "--resume"]).status, 0);

    // Another vocabulary in the configuration.
    let config = run.join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replacen("\"q\"", "\"Q\"", 1)).unwrap();
    sequence(args!["predict", &run]).fails(&["trained with another vocabulary", "config.json"]);
    std::fs::write(&config, text.replacen("\"q\",", "", 1)).unwrap();
    sequence(args!["predict", &run]).fails(&["a vocabulary of", "for a network of"]);
}

#[test]
fn sentences_are_translated() {
    let folder = folder();
    let (data, run) = (folder.path().join("twos.tsv"), folder.path().join("run"));
    // Two words change places and language.
    let (left, right) = (["un", "deux", "trois"], ["chats", "chiens", "rats", "oies"]);
    let (one, two) = (["one", "two", "three"], ["cats", "dogs", "rats", "geese"]);
    let mut text = String::from(" \tnothing\n");
    for i in 0..600 {
        let (a, b) = (i % 3, i / 3 % 4);
        text += &format!("{} {}\t{} {}\n", left[a], right[b], two[b], one[a]);
    }
    std::fs::write(&data, text).unwrap();
    let summary = sequence(args![
        "train",
        "translate",
        "--data",
        &data,
        "--epochs",
        "12",
        "--batch-size",
        "32",
        "--lr",
        "0.01",
        "--set",
        "tokens=60",
        "--set",
        "embedding=16",
        "--set",
        "hidden=16",
        "--set",
        "dropout=0",
        "--out",
        &run,
        "--json"
    ])
    .json();
    assert!(summary["exact"].as_f64().unwrap() > 0.95, "{summary}");
    assert!(summary["signature"].as_str().unwrap().contains("tok:13a"));
    let draw = folder.path().join("drawn");
    let answers = sequence(args![
        "predict",
        &run,
        "--text",
        "trois oies",
        "--top-k",
        "2",
        "--draw",
        &draw,
        "--json"
    ])
    .json();
    assert_eq!(answers[0]["suggestions"][0]["text"], "geese three");
    assert_eq!(answers[0]["suggestions"].as_array().unwrap().len(), 2);
    let picture = std::fs::read_to_string(draw.join("attention-1.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains(">geese<"));
    let scores = sequence(args!["eval", &run, "--beam", "3", "--json"]).json();
    assert!(scores["bleu_greedy"].is_number() && scores["beam"] == 3);
    // The pair that lacks a side is left out, whatever the split.
    for split in ["train", "validation", "test"] {
        let printed = sequence(args!["eval", &run, "--split", split]).out;
        assert!(printed.starts_with(&format!("{split}: BLEU ")), "{printed}");
        let measured = sequence(args!["eval", &run, "--split", split, "--json"]).json();
        assert_eq!(measured["skipped"], 1, "{measured}");
    }
    // A slash at the end makes no other data of it.
    let slash = format!("{}/", data.display());
    let resumed = args![
        "train",
        "translate",
        "--data",
        slash,
        "--epochs",
        "12",
        "--batch-size",
        "32",
        "--lr",
        "0.01",
        "--set",
        "tokens=60",
        "--set",
        "embedding=16",
        "--set",
        "hidden=16",
        "--set",
        "dropout=0",
        "--out",
        &run,
        "--resume"
    ];
    assert_eq!(sequence(resumed).status, 0);
    // Attention before each step, too.
    let summary = sequence(args![
        "train",
        "translate",
        "--data",
        &data,
        "--epochs",
        "1",
        "--set",
        "attention=bahdanau",
        "--set",
        "tokens=60",
        "--set",
        "hidden=8",
        "--out",
        &folder.path().join("b"),
        "--json"
    ]);
    assert!(summary.json()["bleu"].is_number());
    sequence(args!["predict", &run, "--text", " "]).fails(&["an empty text"]);
    sequence(args!["predict", &run]).fails(&["Nothing to predict. Example: predict ", "--text"]);
    // A blank line has its place among the answers.
    let lines = folder.path().join("lines.txt");
    std::fs::write(&lines, "un rats\n\ndeux chiens\n").unwrap();
    let answers = sequence(args!["predict", &run, &lines, "--draw", &draw, "--json"]).json();
    let line = |at: usize| (answers[at]["line"].as_u64(), answers[at]["input"].as_str());
    assert_eq!((line(0), line(1)), ((Some(1), Some("un rats")), (Some(2), Some(""))));
    assert_eq!(line(2), (Some(3), Some("deux chiens")));
    assert_eq!(answers[1]["suggestions"].as_array().unwrap().len(), 0);
    assert_eq!(answers[2]["suggestions"][0]["text"], "dogs two");
    assert!(draw.join("attention-3.svg").exists() && !draw.join("attention-2.svg").exists());
    let printed = sequence(args!["predict", &run, &lines]).out;
    assert!(printed.contains("\n2: (blank)\n3: deux chiens\n"), "{printed}");
}

/// A table of opinions, `NUMBER;TEXT;SHOP;VERDICT` under a header.
fn opinions(rows: usize, good: &str, bad: &str) -> String {
    let row = |i: usize| {
        let (word, verdict) = [(good, "up"), (bad, "down")][i % 2];
        let (thing, shop) = (["soup", "film", "tea"][i / 2 % 3], ["a", "b", "c"][i % 3]);
        format!("{i};That {thing}, I say, was {word};{shop};{verdict}\n")
    };
    std::iter::once("nr;review;shop;verdict\n".into()).chain((0..rows).map(row)).collect()
}

#[test]
fn a_table_of_sixty_texts_is_learnt_with_the_defaults() {
    let folder = folder();
    let (data, run) = (folder.path().join("sixty.csv"), folder.path().join("run"));
    std::fs::write(&data, opinions(60, "lovely", "dull")).unwrap();
    let summary = sequence(args!["train", "bilstm", "--data", &data, "--out", &run, "--json"]);
    let summary = summary.json();
    assert_eq!(summary["accuracy"], 1.0, "{summary}");
    assert_eq!(
        summary["examples"],
        serde_json::json!(
            {"train": 48, "validation": 6, "test": 6, "skipped": 0}
        )
    );
    let config = std::fs::read_to_string(run.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let columns = serde_json::json!(
        {"text": "review", "target": "verdict", "delimiter": ";", "header": true}
    );
    assert_eq!(config["data"]["columns"], columns);
    // Batches of four, and as many epochs as make 600 steps.
    assert_eq!(
        (&config["training"]["batch_size"], &config["training"]["epochs"]),
        (&4.into(), &50.into())
    );
    let resumed = args!["train", "bilstm", "--data", &data, "--out", &run, "--resume"];
    assert_eq!(sequence(resumed).status, 0);
    let other =
        args!["train", "bilstm", "--data", &data, "--out", &run, "--resume", "--target", "shop"];
    sequence(other).fails(&["data.columns.target is \"verdict\" there and \"shop\" here"]);

    // Rows of another table, its columns in another order; one of them is empty.
    let new = folder.path().join("new.csv");
    std::fs::write(&new, "review,verdict\nThat tea was dull,down\n,up\nxyzzy lovely,up\n").unwrap();
    let answers = sequence(args!["predict", &run, &new, "--json"]).json();
    assert_eq!(answers.as_array().unwrap().len(), 3);
    let label = |at: usize| answers[at]["suggestions"][0]["label"].as_str();
    assert_eq!((label(0), label(1), label(2)), (Some("down"), None, Some("up")));
    assert!(answers[2]["input"].as_str().unwrap().ends_with("new.csv:3"), "{answers}");
    assert_eq!(answers[2]["unknown"], serde_json::json!(["xyzzy"]));
    assert_eq!(answers[2]["count"], 2);
    let printed = sequence(args!["predict", &run, &new]).out;
    assert!(printed.contains("unknown: 1 of 2 words, such as xyzzy"), "{printed}");
    sequence(args!["predict", &run, &new, "--column", "body"]).fails(&["--column", "`body`"]);
    sequence(args!["predict", &run]).fails(&["Nothing to predict. Example: predict", "--text"]);
    // Nothing of another table was learnt from: all of it tests, three rows or one class.
    let rows = ["tea, I say, was lovely", "film, I say, was lovely", "film, I say, was dull"];
    let rows: String = rows.iter().map(|row| format!("up;That {row}\n")).collect();
    std::fs::write(&new, format!("verdict;review\n{rows}")).unwrap();
    let scores = sequence(args!["eval", &run, "--data", &new, "--json"]).json();
    assert_eq!(scores["count"], 3);
    assert!((scores["accuracy"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9, "{scores}");
    std::fs::write(&new, "kind,said\nup,lovely\n").unwrap();
    sequence(args!["eval", &run, "--data", &new]).fails(&["--data: no column `review`"]);
}

#[test]
fn chinese_is_read_by_characters() {
    let folder = folder();
    let (data, run) = (folder.path().join("zh.csv"), folder.path().join("run"));
    let row = |i: usize| {
        let thing = ["\u{7535}\u{5f71}", "\u{8336}", "\u{9152}\u{5e97}"][i / 2 % 3];
        let (not, label) = [("", "\u{597d}"), ("\u{4e0d}", "\u{5dee}")][i % 2];
        format!("\u{8fd9}{thing}\u{5f88}{not}\u{597d}\u{3002},{label}\n")
    };
    std::fs::write(&data, (0..60).map(row).collect::<String>()).unwrap();
    let train = args!["train", "bilstm", "--data", &data, "--out", &run, "--json"];
    assert_eq!(sequence(train).json()["accuracy"], 1.0);
    let config = std::fs::read_to_string(run.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        (&config["config"]["unit"], &config["language"]["words"]["unit"]),
        (&"mixed".into(), &"mixed".into())
    );
    // A sentence of words that it knows, as a whole new, and its opposite.
    let label = |not: &str| {
        let text = format!("\u{9152}\u{5e97}\u{5f88}{not}\u{597d}");
        let answer = sequence(args!["predict", &run, "--text", text, "--json"]).json();
        assert_eq!(answer[0]["unknown"].as_array().unwrap().len(), 0);
        answer[0]["suggestions"][0]["label"].as_str().unwrap().to_string()
    };
    assert_eq!((&label("")[..], &label("\u{4e0d}")[..]), ("\u{597d}", "\u{5dee}"));
}

#[test]
fn a_short_text_is_learnt_with_the_defaults() {
    let folder = folder();
    let (text, run) = (folder.path().join("short.txt"), folder.path().join("run"));
    // Some 2,000 characters, and small layers, to be quick; the old eight epochs end above 2.
    let line = |i: usize| format!("number {} comes after number {}.\n", i % 7 + 1, i % 7);
    std::fs::write(&text, (0..70).map(line).collect::<String>()).unwrap();
    let summary = sequence(args![
        "train",
        "charlm",
        "--data",
        &text,
        "--out",
        &run,
        "--set",
        "hidden=32",
        "--set",
        "embedding=16",
        "--set",
        "dropout=0",
        "--json"
    ])
    .json();
    assert!(summary["loss"].as_f64().unwrap() < 0.8, "{summary}");
}

#[test]
fn texts_are_classified_by_their_words() {
    let folder = folder();
    let run = folder.path().join("run");
    let summary = sequence(args![
        "train",
        "bilstm",
        "--epochs",
        "6",
        "--set",
        "hidden=16",
        "--set",
        "embedding=16",
        "--set",
        "dropout=0.1",
        "--set",
        "word_dropout=0",
        "--lr",
        "0.01",
        "--out",
        &run,
        "--json"
    ])
    .json();
    // Half of what is said is denied: no single word tells more than the toss of a coin.
    assert!(summary["accuracy"].as_f64().unwrap() > 0.9, "{summary}");
    let answer = |text: &str| sequence(args!["predict", &run, "--text", text, "--json"]).json();
    for (text, label) in [
        ("The soup was not bad and good.", "positive"),
        ("The soup was not good and bad.", "negative"),
    ] {
        let answer = answer(text);
        assert_eq!(answer[0]["suggestions"][0]["label"], label, "{answer}");
        let words = answer[0]["words"].as_array().unwrap();
        assert_eq!(words.len(), 8);
    }
    let help = sequence(args!["train", "bilstm", "--set", "help"]);
    assert!(help.out.contains("word_dropout") && !help.out.contains("classes"), "{help:?}");
    // Words that it never saw are answered all the same, with what little is known.
    assert_eq!(answer("xyzzy")[0]["suggestions"].as_array().unwrap().len(), 2);
    let scores = sequence(args!["eval", &run, "--json"]).json();
    assert_eq!(scores["accuracy"], summary["accuracy"]);
}

#[test]
fn words_that_stand_alike_are_near() {
    let folder = folder();
    let (run, text) = (folder.path().join("run"), folder.path().join("vectors.txt"));
    for model in ["skipgram", "cbow"] {
        let trained = sequence(args!["train", model, "--out", &run, "--overwrite"]);
        assert_eq!(trained.status, 0, "{}", trained.err);
        let asked = ["predict", "--text", "king - man + woman", "--json"];
        let from =
            |source: &Path| sequence(args!["predict", source, "--text", asked[2], "--json"]).json();
        assert_eq!(from(&run)[0]["suggestions"][0]["label"], "queen");
        // As word2vec's text, which others read.
        assert_eq!(sequence(args!["export", &run, &text, "--overwrite"]).status, 0);
        assert_eq!(from(&text)[0]["suggestions"][0]["label"], "queen");
    }
    sequence(args!["predict", &run, "--text", "xyzzy"]).fails(&["`xyzzy` is not among"]);
    sequence(args!["eval", &run]).fails(&["the test split has no examples"]);
    sequence(args!["train", "cbow", "--batch-size", "3"]).fails(&["--batch-size", "word by word"]);
}

#[test]
fn bad_input_gets_one_line() {
    let folder = folder();
    let file = folder.path().join("a.txt");
    let out = folder.path().join("run");
    let train = |model: &str, content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        sequence(args!["train", model, "--data", &file, "--out", &out])
    };
    train("charlm", b"caf\xE9").fails(&["a.txt: not UTF-8 at byte 3 (0xE9)"]);
    train("charlm", b"").fails(&["a.txt: an empty file"]);
    train("charlm", b"short").fails(&["5 characters; expected 20"]);
    train("translate", b"only one column\n").fails(&["line 1: expected two texts with one tab"]);
    train("bilstm", b"good,fine\n").fails(&["too few texts"]);
    train("skipgram", b"all words differ here\n").fails(&["fewer than two words occur 3 times"]);
    for split in ["train", "val", "test"] {
        std::fs::write(folder.path().join(format!("{split}.de")), "Hund\nKatze\n").unwrap();
        std::fs::write(folder.path().join(format!("{split}.en")), "dog\n").unwrap();
    }
    let pairs = |pair: &str| {
        sequence(args![
            "train",
            "translate",
            "--data",
            folder.path(),
            "--pair",
            pair,
            "--out",
            &out
        ])
    };
    pairs("de-en").fails(&["train.en: 1 lines", "train.de has 2"]);
    pairs("de").fails(&["--pair", "`de`; expected two languages"]);
    sequence(args!["train", "charlm", "--data", "nowhere", "--out", &out])
        .fails(&["--data", "`cargo xtask fetch nowhere`"]);
    sequence(args!["train", "charlm", "--set", "cell=xyz", "--out", &out])
        .fails(&["--set", "cell=xyz"]);
    sequence(args!["train", "charlm", "--set", "hidden=0", "--out", &out]).fails(&["hidden: 0"]);
    sequence(args!["predict", folder.path()]).fails(&["not a run folder"]);
    // Flags of other tasks.
    assert_eq!(sequence(args!["train", "charlm", "--augment", "flip", "--out", &out]).status, 2);
    assert_eq!(sequence(args!["predict", "--weights", "x", "y"]).status, 2);
    assert_eq!(sequence(args!["predict", "run", "--temperature", "-1"]).status, 2);
    assert_eq!(sequence(args!["train", "bilstm", "--fold", "10"]).status, 2);
    assert!(!out.exists(), "a command line that fails leaves nothing behind");
}
