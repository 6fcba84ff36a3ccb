//! The confirming server as a process of its own: killed, stopped under load, started twice.

use crate::program::{PATIENCE, Process, ended, folder, program, run, succeed, train};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A trained run, and a queue of so many images.
fn prepared(pictures: usize) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (folder, run_folder) = folder();
    succeed(&mut train("train logistic --limit 200 --epochs 1", &run_folder));
    let queue = folder.path().join("queue");
    std::fs::create_dir(&queue).unwrap();
    for i in 0..pictures {
        let mut bytes = b"P5 28 28 255\n".to_vec();
        bytes.extend((0..28 * 28).map(|at| ((at * 7 + i * 13) % 251) as u8));
        std::fs::write(queue.join(format!("{i:05}.pgm")), bytes).unwrap();
    }
    (folder, run_folder, queue)
}

fn serve(run: &Path, queue: &Path) -> Command {
    let mut command = program();
    command.arg("serve").arg(run).arg("--queue").arg(queue).args(["--at", "127.0.0.1:0"]);
    command
}

/// The process once it listens, with its address.
fn started(command: &mut Command) -> (Process, String) {
    let mut child = Process::start(command.stderr(std::process::Stdio::null()));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    (child, line.trim().trim_end_matches('/').to_owned())
}

fn post(agent: &ureq::Agent, url: &str, body: &Value) -> Option<Value> {
    let request = agent.post(url).header("content-type", "application/json");
    let text = request.send(body.to_string()).ok()?.body_mut().read_to_string().ok()?;
    serde_json::from_str(&text).ok()
}

/// Four people decide `items` items, `each` a decision so often or until the server is gone. The
/// keys that it acknowledged come into `acknowledged`.
fn decide(
    address: &str,
    round: usize,
    items: usize,
    each: usize,
    acknowledged: &Mutex<Vec<String>>,
) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let agent = ureq::Agent::new_with_defaults();
                let person = format!("person {thread}");
                for i in 0..each {
                    let key = format!("{round}-{thread}-{i}");
                    // Everyone among the same images, none on another's.
                    let item = 1 + thread + 4 * (i % (items / 4));
                    let one = json!({"item": item, "key": key, "action": "label", "label": "A"});
                    let body = json!({"person": person, "decisions": [one]});
                    match post(&agent, &format!("{address}/v1/decisions"), &body) {
                        Some(answer) => {
                            assert_eq!(answer["saved"], 1, "{answer}");
                            acknowledged.lock().unwrap().push(key);
                        }
                        None => return,
                    }
                }
            });
        }
    });
}

fn keys(store: &Path) -> HashSet<String> {
    let store = tenfold_core::store::Store::read(store).unwrap();
    store.decisions().unwrap().into_iter().filter_map(|decision| decision.key).collect()
}

/// `TENFOLD_KILLS=20 TENFOLD_DECISIONS=10000` is the long form of this test.
#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let number = |name: &str, other| {
        std::env::var(name).map_or(other, |text| text.parse().expect("a number"))
    };
    let (kills, most) = (number("TENFOLD_KILLS", 3), number("TENFOLD_DECISIONS", 300));
    let (_folder, run_folder, queue) = prepared(40);
    let store = run_folder.join("decisions.sqlite");
    let mut all: Vec<String> = Vec::new();
    for round in 0..kills {
        let (mut child, address) = started(&mut serve(&run_folder, &queue));
        let acknowledged = Mutex::new(Vec::new());
        let so_far = || acknowledged.lock().unwrap().len();
        std::thread::scope(|scope| {
            let decide = || decide(&address, round, 40, usize::MAX, &acknowledged);
            let deciding = scope.spawn(decide);
            // Somewhere in the middle: after a part that differs from round to round.
            let part = (most * (round % 7 + 1)) / 9;
            let begun = Instant::now();
            while so_far() < part && !deciding.is_finished() && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(1));
            }
            child.end();
        });
        let acknowledged = acknowledged.into_inner().unwrap();
        assert!(acknowledged.len() >= most / 9, "{}", acknowledged.len());
        all.extend(acknowledged);
        let kept = keys(&store);
        let lost: Vec<&String> = all.iter().filter(|key| !kept.contains(*key)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }
    println!("{kills} kills, {} decisions acknowledged, none of them lost", all.len());
}

#[test]
fn a_stop_answers_what_was_asked() {
    let (_folder, run_folder, queue) = prepared(8);
    let (child, address) = started(&mut serve(&run_folder, &queue));
    let picture = std::fs::read(queue.join("00000.pgm")).unwrap();
    let stopped = std::sync::atomic::AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let agent = ureq::Agent::new_with_defaults();
                loop {
                    let asked = agent.post(format!("{address}/v1/suggest"));
                    let sent = asked.header("content-type", "image/x-portable-graymap");
                    match sent.send(&picture[..]) {
                        Ok(mut answer) => {
                            let text = answer.body_mut().read_to_string().unwrap();
                            assert!(text.contains("suggestions"), "{text}");
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        // Refused, not broken off: nothing had been asked yet.
                        Err(why) => {
                            assert!(stopped.load(Ordering::SeqCst), "before the stop: {why}");
                            return;
                        }
                    }
                }
            });
        }
        let begun = Instant::now();
        while answered.load(Ordering::Relaxed) < 50 && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        stopped.store(true, Ordering::SeqCst);
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    });
    assert!(answered.into_inner() >= 50, "waited for {PATIENCE:?}");
    assert_eq!(ended(child).code, Some(0), "a stop that was asked for is no failure");
}

#[test]
fn a_second_server_is_refused_and_what_was_decided_is_there_again() {
    let (_folder, run_folder, queue) = prepared(8);
    let (mut child, address) = started(&mut serve(&run_folder, &queue));
    let acknowledged = Mutex::new(Vec::new());
    decide(&address, 0, 8, 2, &acknowledged);
    assert_eq!(acknowledged.into_inner().unwrap().len(), 8);
    let second = run(&mut serve(&run_folder, &queue));
    assert!(second.error().contains("another server has this store open"), "{}", second.error());
    child.end();
    let (mut child, address) = started(&mut serve(&run_folder, &queue));
    let agent = ureq::Agent::new_with_defaults();
    let status =
        agent.get(format!("{address}/v1/status")).call().unwrap().body_mut().read_to_string();
    let status: Value = serde_json::from_str(&status.unwrap()).unwrap();
    assert_eq!(status["queue"]["decided"], 8);
    child.end();
    let report =
        succeed(program().arg("report").arg(run_folder.join("decisions.sqlite")).arg("--json"));
    let report: Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!(report["decisions"], 8);
}

/// What another program found, what a person made of it after a restart, and COCO's file of that
/// after another one.
#[test]
fn boxes_are_imported_survive_a_restart_and_are_exported() {
    let (folder, run_folder, queue) = prepared(3);
    let agent = ureq::Agent::new_with_defaults();
    let (mut child, address) = started(&mut serve(&run_folder, &queue));
    // COCO's numbers, whose corners as f32 do not give the width back to the last bit.
    let objects = json!([
        {"label": "A", "score": 0.9, "box": [500.7, 1.1, 10.3, 20.2]},
        {"label": "B", "score": 0.6, "box": [3.3, 4.4, 5.5, 6.6]},
    ]);
    let import = json!({"suggestions": [
        {"item": "00000.pgm", "objects": objects}, {"item": "00001.pgm", "objects": []}]});
    let imported = post(&agent, &format!("{address}/v1/import"), &import).unwrap();
    assert_eq!(imported["imported"], 2);
    child.end();

    let (mut child, address) = started(&mut serve(&run_folder, &queue));
    let ask = json!({"person": "ann", "count": 3});
    let items = post(&agent, &format!("{address}/v1/next"), &ask).unwrap()["items"].clone();
    assert_eq!((&items[0]["weights"], &items[1]["slots"]), (&json!("import"), &json!([])));
    let slots = items[0]["slots"].as_array().unwrap();
    assert_eq!((slots.len(), &slots[1]["ranked"][0]["label"]), (2, &json!("B")));
    let verdicts = json!([
        {"slot": 0, "box": slots[0]["box"], "label": "A"},
        {"slot": 1, "box": slots[1]["box"], "label": "C"},
        {"box": [0.1, 0.2, 28.0, 27.9], "label": "A"},
    ]);
    let decision = |item: usize, verdicts: Value| json!({"item": item, "key": format!("k{item}"), "action": "label", "verdicts": verdicts});
    let body = json!({"person": "ann",
        "decisions": [decision(1, verdicts), decision(2, json!([]))]});
    let saved = post(&agent, &format!("{address}/v1/decisions"), &body).unwrap();
    assert_eq!((&saved["saved"], &saved["rejected"]), (&json!(2), &json!([])), "{saved}");
    child.end();

    let file = folder.path().join("coco.json");
    let store = run_folder.join("decisions.sqlite");
    succeed(program().arg("labels").arg(&store).arg(&file));
    let coco: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let names: Vec<&Value> =
        coco["images"].as_array().unwrap().iter().map(|image| &image["file_name"]).collect();
    assert_eq!(names, [&json!("00000.pgm"), &json!("00001.pgm")]);
    let labels = &coco["categories"];
    let all: Vec<(&Value, &Value)> = (coco["annotations"].as_array().unwrap().iter())
        .map(|one| (&labels[one["category_id"].as_u64().unwrap() as usize]["name"], &one["bbox"]))
        .collect();
    let [first, second, third] = [
        json!([500.7, 1.1, 10.3, 20.2]),
        json!([3.3, 4.4, 5.5, 6.6]),
        json!([0.1, 0.2, 27.9, 27.7]),
    ];
    let [a, c] = [json!("A"), json!("C")];
    assert_eq!(all, [(&a, &first), (&c, &second), (&a, &third)]);
    let report = succeed(program().arg("report").arg(&store));
    assert!(report.out.contains("places: 1 confirmed, 1 corrected, 1 added"), "{}", report.out);
}

#[test]
fn what_cannot_be_served_is_said_in_a_line() {
    let (folder, run_folder, queue) = prepared(2);
    let at = |name: &str| folder.path().join(name);
    let error = |command: &mut Command| run(command).error().to_owned();
    let missing = error(&mut serve(&run_folder, &at("nowhere")));
    assert!(missing.starts_with(&format!("error: {}: ", at("nowhere").display())), "{missing}");
    std::fs::write(at("t.csv"), "a,b\n1,2\n").unwrap();
    assert!(error(&mut serve(&run_folder, &at("t.csv"))).contains("expected a folder"));
    assert!(error(&mut serve(&at("none"), &queue)).contains("not a run folder"));
    let mut elsewhere = program();
    elsewhere.arg("serve").arg(&run_folder).args(["--at", "nowhere.invalid:1"]);
    assert!(error(&mut elsewhere).starts_with("error: --at: "), "{}", error(&mut elsewhere));
    std::fs::write(at("s.sqlite"), "no store").unwrap();
    let mut wrong = serve(&run_folder, &queue);
    wrong.arg("--store").arg(at("s.sqlite"));
    assert!(error(&mut wrong).contains("not a store of decisions"));
    assert_eq!(std::fs::read(at("s.sqlite")).unwrap(), b"no store");
    for bad in [["--auto-accept", "1.5"], ["--top-k", "0"], ["--upload", "0"]] {
        assert_eq!(run(serve(&run_folder, &queue).args(bad)).code, Some(2), "{bad:?}");
    }
}
