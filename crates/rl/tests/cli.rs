//! The program as a person uses it, wrong uses included.

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tenfold_core::cli;
use tenfold_rl::Zoo;

/// Runs one command line in this process: exit status, stdout, stderr.
fn run(line: &[&str]) -> (u8, String, String) {
    let args = std::iter::once("tenfold-rl").chain(line.iter().copied()).map(Into::into);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = cli::run_with::<Zoo, tenfold_assist::Verbs>(args, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn done(line: &[&str]) -> String {
    let (status, out, err) = run(line);
    assert_eq!(status, 0, "{line:?}: {err}");
    out
}

/// The one line that a failing command prints.
fn refused(line: &[&str]) -> String {
    let (status, out, err) = run(line);
    assert_eq!((status, out.as_str()), (1, ""), "{line:?}: {err}");
    assert_eq!(err.trim_end().lines().count(), 1, "{err}");
    assert!(err.starts_with("error: "), "{err}");
    err
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_run_is_trained_measured_shown_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let train = ["train", "a2c", "--steps", "60000", "--evaluations", "5", "--out", text(&run)];
    let summary = parsed(&done(&[&train[..], &["--json"]].concat()));
    assert!(summary["mean_return"].as_f64().unwrap() > 60.0, "{summary}");
    for file in ["config.json", "model.safetensors", "metrics.jsonl", "summary.json", "curves.svg"]
    {
        assert!(run.join(file).is_file(), "no {file}");
    }
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 2 * 5);
    assert!(metrics.lines().all(|line| parsed(line)["step"].as_u64().unwrap() > 0));
    let curves = std::fs::read_to_string(run.join("curves.svg")).unwrap();
    assert!(curves.contains("mean return") && curves.contains("step"));

    let found = parsed(&done(&["eval", text(&run), "--episodes", "30", "--json"]));
    assert_eq!(found["returns"].as_array().unwrap().len(), 30);
    assert!(found["mean_return"].as_f64().unwrap() > 60.0, "{found}");

    let images = folder.path().join("images");
    let shown = done(&["predict", text(&run), "--draw", text(&images), "--json"]);
    let shown = parsed(&shown);
    let steps = shown["steps"].as_array().unwrap();
    assert_eq!(shown["length"].as_u64().unwrap() as usize, steps.len());
    for step in steps {
        let scores: Vec<f64> = step["suggestions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|suggestion| suggestion["score"].as_f64().unwrap())
            .collect();
        assert!(scores.len() == 2 && scores[0] >= scores[1], "{step}");
        assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{step}");
        assert_eq!(step["suggestions"][0]["label"], step["action"], "the best is what is done");
    }
    let gif = std::fs::File::open(images.join("episode.gif")).unwrap();
    let gif = image::codecs::gif::GifDecoder::new(std::io::BufReader::new(gif)).unwrap();
    let frames = image::AnimationDecoder::into_frames(gif).collect_frames().unwrap();
    assert!(frames.len() > 30 && frames.len() <= 200, "{}", frames.len());
    assert!(frames[0].buffer() != frames.last().unwrap().buffer(), "nothing moves");
    assert!(image::open(images.join("episode.png")).unwrap().width() > 100);

    let file = folder.path().join("agent.safetensors");
    done(&["export", text(&run), text(&file)]);
    // It plays as the run does, and so it does in other programs.
    let played = |what: &Path| done(&["eval", text(what), "--episodes", "30", "--json"]);
    assert_eq!(played(&file), played(&run));
    let steps = |what: &Path| done(&["predict", text(what), "--steps", "20", "--json"]);
    assert_eq!(steps(&file), steps(&run));
    let cpu = tenfold_core::device::open("cpu").unwrap();
    let agent = tenfold_rl::Predictor::from_file(&file, &cpu).unwrap();
    let envs =
        tenfold_rl::env::open(&agent.config.choice.env, 2, &agent.config.choice.options).unwrap();
    assert_eq!(agent.player.scores(envs.observations(), 2).unwrap().len(), 4);
    // A person confirms the action of each step: what the agent observed is a row each.
    let table = folder.path().join("seen.csv");
    let line = ["predict", text(&file), "--steps", "9", "--observations", text(&table), "--json"];
    let shown = parsed(&done(&line));
    let answerer = <Zoo as cli::Program>::propose(&file, &cpu).unwrap();
    let rows = tenfold_core::task::ahead::read(&table, &answerer.kind()).unwrap();
    let proposals = answerer.propose(&rows.iter().collect::<Vec<_>>(), 2).unwrap();
    let taken: Vec<&Value> =
        shown["steps"].as_array().unwrap().iter().map(|s| &s["action"]).collect();
    let best: Vec<&str> = proposals.iter().filter_map(|p| p.whole()?[0].answer.label()).collect();
    assert_eq!((best.len(), json!(taken)), (9, json!(best)));
    // Weights alone do not say whose they are.
    let why = refused(&["eval", text(&run.join("model.safetensors"))]);
    assert!(why.contains("carries no configuration"), "{why}");

    // A second training does not write over the first.
    assert!(refused(&train).contains("--resume continues it, --overwrite replaces it"));
    // Nor does it leave anything in a folder that it refuses.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("config.json"), "{}").unwrap();
    assert!(refused(&["train", "a2c", "--out", text(&taken)]).contains("--overwrite replaces it"));
    assert_eq!(std::fs::read_dir(&taken).unwrap().count(), 1);
    // Another shape of the environment, another kind of run, another flag.
    let why = refused(&["eval", text(&run), "--env", "identity"]);
    assert!(why.contains("identity has [4] floats and 4 actions"), "{why}");
    let why = refused(&["match", text(&run), text(&run)]);
    assert!(why.contains("a match needs an environment with two"), "{why}");
    let why = refused(&["train", "dqn", "--resume", "--out", text(&run)]);
    assert!(why.contains("the run trains `a2c`, not `dqn`"), "{why}");
    let why = refused(&["train", "a2c", "--resume", "--steps", "9", "--out", text(&run)]);
    assert!(why.contains("--resume: continues a run exactly as it was started"), "{why}");
    let why = refused(&["train", "a2c", "--resume", "--sample", "--out", text(&run)]);
    assert!(why.contains("--resume: continues a run exactly as it was started"), "{why}");
}

/// The bandit's best arm pays 0.8, and a policy that knows little pulls others too.
#[test]
fn a_training_is_judged_by_the_best_actions_or_by_drawn_ones() {
    let folder = tempfile::tempdir().unwrap();
    let trained = |name: &str, more: &[&str]| {
        let run = folder.path().join(name);
        let train = ["train", "a2c", "--env", "bandit", "--steps", "2000", "--set", "entropy=1"];
        let more = [&["--evaluations", "1", "--json", "--out", text(&run)], more].concat();
        let summary = parsed(&done(&[&train[..], &more].concat()));
        (summary["mean_return"].as_f64().unwrap(), std::fs::read(run.join("model.safetensors")))
    };
    let (best, weights) = trained("best", &[]);
    let (drawn, same) = trained("drawn", &["--sample"]);
    assert!(weights.unwrap() == same.unwrap(), "the flag changes what is learnt");
    assert!(best > drawn + 0.1, "{best} by the best actions, {drawn} by drawn ones");
}

#[test]
fn a_training_starts_from_the_weights_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let weights = at("a/model.safetensors");
    let train = |agent: &str, out: &str, flags: &[&str]| -> Vec<String> {
        let line = ["train", agent, "--evaluations", "1", "--episodes", "1", "--out", out];
        [&line[..], flags].concat().iter().map(|&part| part.to_owned()).collect()
    };
    let done = |line: Vec<String>| done(&line.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = |line: Vec<String>| refused(&line.iter().map(String::as_str).collect::<Vec<_>>());
    done(train("a2c", &at("a"), &["--steps", "5000", "--seed", "3"]));
    // With steps of nearly no length it goes on playing as it did.
    let still = ["--steps", "300", "--lr", "1e-12"];
    done(train("ppo", &at("b"), &[&still[..], &["--weights", &weights]].concat()));
    done(train("ppo", &at("c"), &still));
    let returns = |run: &str| {
        let played =
            done(["eval", &at(run), "--episodes", "30", "--json"].map(Into::into).to_vec());
        parsed(&played)["returns"].clone()
    };
    assert_eq!(returns("a"), returns("b"));
    assert_ne!(returns("a"), returns("c"));
    // A run may be replaced by what goes on from it.
    let over = ["--steps", "300", "--overwrite", "--weights", &weights];
    done(train("a2c", &at("a"), &over));

    // Weights of another network leave the run that is there as it is.
    let before = std::fs::read(&weights).unwrap();
    let why = refused(train("dqn", &at("a"), &over));
    assert!(why.contains("model.safetensors"), "{why}");
    assert!(std::fs::read(&weights).unwrap() == before);
    let why = refused(train("a2c", &at("d"), &["--weights", &at("none")]));
    assert!(why.contains("none") && !folder.path().join("d").exists(), "{why}");
}

#[test]
fn what_cannot_work_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = text(folder.path()).to_owned() + "/run";
    let train = |rest: &[&str]| refused(&[&["train"], rest, &["--out", &run]].concat());
    assert!(train(&["dqn", "--env", "chess"]).contains("no environment is called `chess`"));
    assert!(train(&["dqn", "--set", "replay=8"]).contains("replay: 8 steps hold no batch"));
    assert!(train(&["a3c", "--games", "3"]).contains("cannot be divided among 2 actors"));
    assert!(train(&["q-learning", "--env", "cartpole"]).contains("one-hot, as tables need"));
    assert!(train(&["value-iteration", "--env", "identity"]).contains("known transitions"));
    // By the name that the field had before, too.
    let why = train(&["a2c", "--set", "teach=1"]);
    assert!(why.contains("imitation: expected 0, as cartpole has no demonstrator"), "{why}");
    assert!(!Path::new(&run).exists(), "a refused training leaves nothing behind");
    let help = done(&["train", "--help"]);
    assert!(help.contains("model.safetensors") && !help.contains("weights.safetensors"));
    assert!(refused(&["eval", text(folder.path())]).contains("not a run folder"));
    assert!(refused(&["speed", "chess"]).contains("no environment is called"));
    // A wrong command line is another matter.
    for line in [
        &["train", "dqn", "--games", "0"][..],
        &["train", "dqn", "--steps", "0"],
        &["train", "alphago"],
        &["eval"],
        &["fly"],
    ] {
        assert_eq!(run_status(line), 2, "{line:?}");
    }
}

fn run_status(line: &[&str]) -> u8 {
    run(line).0
}

#[test]
fn a_damaged_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    done(&["train", "q-learning", "--steps", "2000", "--out", text(&path)]);
    let weights = path.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    assert!(refused(&["eval", text(&path)]).contains("model.safetensors"));
    let checkpoint = std::fs::read_dir(path.join("checkpoint")).unwrap().next().unwrap().unwrap();
    std::fs::write(checkpoint.path().join("table"), b"x").unwrap();
    let resume = ["train", "q-learning", "--resume", "--out", text(&path)];
    let why = refused(&resume);
    assert!(why.contains("damaged: its SHA-256"), "{why}");
    // As version 0.1's first programs wrote them.
    std::fs::write(checkpoint.path().join("state.json"), r#"{"parts":{},"state":{}}"#).unwrap();
    let why = refused(&resume);
    assert!(why.contains("a checkpoint of an earlier version"), "{why}");
}

/// Killed at any instant, a training goes on to the same weights, bit for bit.
#[test]
fn a_killed_training_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    for agent in ["rainbow", "a3c"] {
        let (whole, killed) =
            (folder.path().join(format!("{agent}-1")), folder.path().join(format!("{agent}-2")));
        let small = r#"body={"convs":[],"hidden":[16]}"#;
        let mut train = vec![
            "train",
            agent,
            "--env",
            "cartpole",
            "--set",
            small,
            "--evaluations",
            "8",
            "--episodes",
            "1",
            "--out",
        ];
        // About a second each, so that there is time to kill it.
        let steps = if agent == "rainbow" { "4000" } else { "60000" };
        train.splice(2..2, ["--steps", steps]);
        done(&[&train[..], &[text(&whole)]].concat());
        // After the first checkpoint, and before the end. On a busy machine the training may be over
        // before this thread has its turn: then again.
        let killed_in_time = (0..10).any(|_| {
            let _ = std::fs::remove_dir_all(&killed);
            kill_after_a_checkpoint(&train, &killed);
            !killed.join("summary.json").exists()
        });
        assert!(killed_in_time, "{agent} was too quick to be killed");
        done(&["train", agent, "--resume", "--out", text(&killed)]);
        let weights = |run: &Path| std::fs::read(run.join("model.safetensors")).unwrap();
        assert!(weights(&whole) == weights(&killed), "{agent} ended with other weights");
        let last = |run: &Path| {
            let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
            parsed(metrics.lines().rev().nth(1).unwrap())["loss"].clone()
        };
        assert_eq!(last(&whole), last(&killed));
    }
}

/// Starts a training into `out`, and kills it when it has written a checkpoint.
fn kill_after_a_checkpoint(train: &[&str], out: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tenfold-rl"))
        .args(train)
        .arg(out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let some = || out.join("checkpoint").read_dir().is_ok_and(|mut d| d.next().is_some());
    while !some() && begun.elapsed() < Duration::from_secs(300) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_person_plays_line_by_line() {
    let child = Command::new(env!("CARGO_BIN_EXE_tenfold-rl"))
        .args(["play", "cliff"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write as _;
    let moves = "up\nfly\n1\n".to_owned() + &"\n".repeat(10) + "down\n";
    child.stdin.as_ref().unwrap().write_all(moves.as_bytes()).unwrap();
    let found = child.wait_with_output().unwrap();
    let said = String::from_utf8(found.stdout).unwrap();
    assert!(said.contains("`fly` is no move"), "{said}");
    assert!(said.contains("over after 13 steps") && said.contains("return -13"), "{said}");
}

#[test]
fn two_runs_play_against_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("rts");
    let small = r#"body={"convs":[[4,3,3]],"hidden":[8]}"#;
    done(&[
        "train",
        "a3c",
        "--env",
        "minirts",
        "--opponent",
        "simple",
        "--observation",
        "map",
        "--steps",
        "400",
        "--games",
        "4",
        "--set",
        small,
        "--evaluations",
        "1",
        "--episodes",
        "2",
        "--out",
        text(&run),
    ]);
    let why = refused(&["eval", text(&run), "--observation", "numbers"]);
    assert!(why.contains("--observation: minirts has"), "{why}");
    let line = ["match", text(&run), text(&run), "--games", "11", "--sample", "--json"];
    let found = parsed(&done(&line));
    let count = |name: &str| found[name].as_u64().unwrap();
    assert_eq!(count("wins") + count("losses") + count("draws"), 11, "{found}");
    let [low, high] = [0, 1].map(|i| found["win_rate_interval"][i].as_f64().unwrap());
    let rate = found["win_rate"].as_f64().unwrap();
    assert!(low <= rate && rate <= high, "{found}");
    let eval = parsed(&done(&["eval", text(&run), "--episodes", "3", "--json"]));
    assert_eq!(eval["games"], 3);
}
