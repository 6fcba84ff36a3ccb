//! The page where a person confirms boxes, as a process of its own that is asked over HTTP.

use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tenfold_core::data::OpenOptions;
use tenfold_core::suggest::RetrainPlan;
use tenfold_core::task::Program;
use tenfold_detection::{Zoo, data};

/// How long anything may take, on a machine that has much other work.
const PATIENCE: Duration = Duration::from_secs(300);

/// Twelve images of a bright square, with its box as YOLO has it.
fn images(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    for i in 0..12u32 {
        let (x, y) = (4 + i * 7 % 24, 4 + i * 5 % 24);
        let inside = |at: u32, from: u32| (from..from + 16).contains(&at);
        let pixel =
            |column, row| Rgb([if inside(column, x) && inside(row, y) { 230 } else { 30 }; 3]);
        RgbImage::from_fn(48, 48, pixel).save(folder.join(format!("{i:02}.png"))).unwrap();
        let [x, y] = [x, y].map(|at| (at as f32 + 8.0) / 48.0);
        let text = format!("{} {x} {y} 0.3333 0.3333\n", i % 2);
        std::fs::write(folder.join(format!("{i:02}.txt")), text).unwrap();
    }
    std::fs::write(folder.join("classes.txt"), "red\ngreen\n").unwrap();
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold-detection"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn succeed(command: &mut Command) {
    let ended = command.stderr(Stdio::piped()).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// A server that ends with its test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(run: &Path, queue: &Path) -> Self {
        let mut command = program();
        command.arg("serve").arg(run).arg("--queue").arg(queue).args(["--at", "127.0.0.1:0"]);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/');
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        Self { address: address.to_owned(), child }
    }

    /// The status and the body of what is answered.
    fn ask(&self, what: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (address, length) = (&self.address, body.len());
        let head = format!(
            "{what} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(!head.to_lowercase().contains("chunked"), "{head}");
        (status, body.to_owned())
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let text = body.to_string();
        let asked = format!("POST {path}");
        let (status, answer) = self.ask(&asked, "application/json", text.as_bytes());
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn corners(slot: &Value) -> Vec<f64> {
    slot["box"].as_array().unwrap().iter().map(|side| side.as_f64().unwrap()).collect()
}

#[test]
fn a_person_confirms_moves_removes_and_adds_boxes() {
    let folder = tempfile::tempdir().unwrap();
    let [queue, run] = ["images", "run"].map(|name| folder.path().join(name));
    images(&queue);
    let mut train = program();
    train.args(["train", "yolov2_small", "--epochs", "1", "--batch-size", "4", "--data"]);
    succeed(train.arg(&queue).arg("--out").arg(&run));
    // Whatever an epoch has learnt: boxes that are hardly one are shown.
    let config = run.join("config.json");
    let mut text: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    assert!(text.get("threshold").is_some(), "{text}");
    text["threshold"] = json!(0.0);
    std::fs::write(&config, text.to_string()).unwrap();

    let server = Server::start(&run, &queue);
    let (status, page) = server.ask("GET /", "text/plain", b"");
    assert!(status == 200 && page.starts_with("<!doctype html>"), "{page}");
    let begun = Instant::now();
    loop {
        let (status, told) = server.ask("GET /v1/status", "text/plain", b"");
        let told: Value = serde_json::from_str(&told).unwrap();
        assert!(status == 200 && told["places"] == true && told["task"] == "detection", "{told}");
        if told["queue"]["suggested"] == 12 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{told}");
        std::thread::sleep(Duration::from_millis(20));
    }

    // What is proposed for an image of the queue is what is said of the image alone.
    let next = server.post("/v1/next", &json!({"person": "ann", "count": 12}));
    let items = next["items"].as_array().unwrap();
    assert_eq!(items.len(), 12);
    let shown = items[0]["slots"].as_array().unwrap();
    assert!(shown.len() > 3, "{next}");
    let image = std::fs::read(queue.join(items[0]["name"].as_str().unwrap())).unwrap();
    let (status, said) = server.ask("POST /v1/suggest", "image/png", &image);
    let said: Value = serde_json::from_str(&said).unwrap();
    let alone = said["answers"][0]["slots"].as_array().unwrap();
    assert_eq!((status, alone.len()), (200, shown.len()));
    for (one, other) in corners(&alone[0]).iter().zip(corners(&shown[0])) {
        assert!((one - other).abs() < 1e-3, "{} {}", alone[0], shown[0]);
    }

    // The first as it is, the second moved, the third of the other class; the others are nothing.
    // One is added.
    let label = |place: usize| shown[place]["ranked"][0]["label"].clone();
    let other = if label(2) == "red" { "green" } else { "red" };
    let mut verdicts = vec![
        json!({"slot": 0, "label": label(0), "box": shown[0]["box"]}),
        json!({"slot": 1, "label": label(1), "box": [1, 2, 11, 22]}),
        json!({"slot": 2, "label": other, "box": shown[2]["box"]}),
        json!({"label": "red", "box": [30, 30, 40, 45.5]}),
    ];
    verdicts.extend((3..shown.len()).map(|slot| json!({"slot": slot, "removed": true})));
    let decide = |item: &Value, verdicts: &[Value]| {
        let one = json!({"item": item["id"], "action": "label", "verdicts": verdicts});
        server.post("/v1/decisions", &json!({"person": "ann", "decisions": [one]}))
    };
    let lacking = decide(&items[0], &verdicts[..3]);
    assert!(lacking["saved"] == 0 && lacking["rejected"].as_array().unwrap().len() == 1);
    let turned = json!({"slot": 0, "label": "red", "box": [9, 9, 3, 3]});
    assert_eq!(decide(&items[0], &[&[turned], &verdicts[1..]].concat())["saved"], 0);
    assert_eq!(decide(&items[0], &verdicts)["saved"], 1);
    for item in &items[1..] {
        let slots = item["slots"].as_array().unwrap().len();
        let none: Vec<Value> =
            (0..slots).map(|slot| json!({"slot": slot, "removed": true})).collect();
        assert_eq!(decide(item, &none)["saved"], 1);
    }
    let (_, csv) = server.ask("GET /v1/export?format=csv", "text/plain", b"");
    for action in ["confirmed", "moved", "corrected", "added", "removed"] {
        assert!(csv.contains(action), "{action}: {csv}");
    }
    let (status, coco) = server.ask("GET /v1/export?format=coco", "text/plain", b"");
    assert_eq!(status, 200, "{coco}");
    drop(server);

    // Both ways out are the same, and data to train on.
    let labelled = folder.path().join("labelled");
    std::fs::create_dir(&labelled).unwrap();
    for item in items {
        let name = item["name"].as_str().unwrap();
        std::fs::copy(queue.join(name), labelled.join(name)).unwrap();
    }
    let (store, out) = (run.join("decisions.sqlite"), labelled.join("annotations.json"));
    succeed(program().arg("labels").arg(store).arg(&out));
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(read(&std::fs::read_to_string(&out).unwrap()), read(&coco));
    let options = OpenOptions { data_dir: "nowhere".into(), seed: 1, ..OpenOptions::default() };
    let data = data::open(labelled.to_str().unwrap(), &options).unwrap();
    assert_eq!((&data.classes[..], data.skipped.len()), (&["red".into(), "green".into()][..], 0));
    let counts = [&data.train, &data.validation, &data.test]
        .map(|split| (0..split.len()).map(|i| split.get(i).unwrap().target.len()).sum::<usize>());
    assert_eq!(counts.iter().sum::<usize>(), 4);

    // The store itself is data, and weights go on from it beside what they learnt before.
    let store = run.join("decisions.sqlite");
    let data = data::open(store.to_str().unwrap(), &options).unwrap();
    let decided = data.train.len() + data.validation.len();
    assert!(decided + data.test.len() == 12 && !data.test.is_empty());
    let plan = RetrainPlan {
        from: run.clone(),
        store,
        out: folder.path().join("further"),
        device: "cpu".into(),
        seed: 1,
        epochs: Some(1),
        limit: None,
    };
    Zoo::retrain(&plan).unwrap();
    let read_json =
        |run: &Path, name: &str| read(&std::fs::read_to_string(run.join(name)).unwrap());
    let [before, after] = [&run, &plan.out].map(|run| read_json(run, "config.json"));
    assert_eq!(before["config"], after["config"]);
    assert_eq!(after["data"]["beside"]["name"], before["data"]["name"]);
    let summary = read_json(&plan.out, "summary.json");
    assert!(summary["examples"]["train"].as_u64().unwrap() > data.train.len() as u64, "{summary}");
    assert_eq!(summary["examples"]["test"], data.test.len());
}
