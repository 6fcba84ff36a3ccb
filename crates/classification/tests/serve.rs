//! The confirming server as a process of its own: killed, stopped under load, started twice.
#![cfg(unix)]

mod program;

use program::{ended, folder, program, run, succeed, train};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A trained run, and a queue of so many pictures.
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
fn started(command: &mut Command) -> (Child, String) {
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
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

/// Decides from several connections until the server is gone: the keys that it acknowledged.
fn decide(address: &str, round: usize, most: usize) -> Vec<String> {
    let (acknowledged, count) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (acknowledged, count) = (&acknowledged, &count);
            scope.spawn(move || {
                let agent = ureq::Agent::new_with_defaults();
                let person = format!("person {thread}");
                for i in 0.. {
                    if count.fetch_add(1, Ordering::Relaxed) >= most {
                        return;
                    }
                    let key = format!("{round}-{thread}-{i}");
                    // Four people among the same pictures, none on another's.
                    let item = 1 + thread + 4 * (i % 8);
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
    acknowledged.into_inner().unwrap()
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
        let acknowledged = std::thread::scope(|scope| {
            let deciding = scope.spawn(|| decide(&address, round, most));
            // Somewhere in the middle: after a part that differs from round to round.
            let begun = Instant::now();
            let part = (most * (round % 7 + 1)) / 9;
            while std::fs::metadata(&store).is_ok() && begun.elapsed() < Duration::from_secs(60) {
                let done = tenfold_core::store::Store::read(&store)
                    .and_then(|store| store.decisions())
                    .map_or(0, |decisions| decisions.len());
                if done >= all.len() + part || deciding.is_finished() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            child.kill().unwrap();
            deciding.join().unwrap()
        });
        child.wait().unwrap();
        assert!(!acknowledged.is_empty() && acknowledged.len() < most, "{}", acknowledged.len());
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
        while answered.load(Ordering::Relaxed) < 50 {
            std::thread::sleep(Duration::from_millis(5));
        }
        stopped.store(true, Ordering::SeqCst);
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    });
    assert_eq!(ended(child).code, Some(0), "a stop that was asked for is no failure");
}

#[test]
fn a_second_server_is_refused_and_what_was_decided_is_there_again() {
    let (_folder, run_folder, queue) = prepared(8);
    let (mut child, address) = started(&mut serve(&run_folder, &queue));
    assert_eq!(decide(&address, 0, 8).len(), 8);
    let second = run(&mut serve(&run_folder, &queue));
    assert!(second.error().contains("another server has this store open"), "{}", second.error());
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, address) = started(&mut serve(&run_folder, &queue));
    let agent = ureq::Agent::new_with_defaults();
    let status =
        agent.get(format!("{address}/v1/status")).call().unwrap().body_mut().read_to_string();
    let status: Value = serde_json::from_str(&status.unwrap()).unwrap();
    assert_eq!(status["queue"]["decided"], 8);
    child.kill().unwrap();
    child.wait().unwrap();
    let report =
        succeed(program().arg("report").arg(run_folder.join("decisions.sqlite")).arg("--json"));
    let report: Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!(report["decisions"], 8);
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
