//! The page in a real browser on the real program: one key decides, nothing is lost, and the
//! next item is there before one looks for it. Left out, and said so, where there is no
//! Chromium.

mod driver;

use crate::program::{PATIENCE, Process, folder, program, succeed, train};
use burn::data::dataset::Dataset;
use driver::{Browser, DELETE, DOWN, ENTER, ESCAPE, LEFT, RIGHT, request};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tenfold_core::data::Input;
use tenfold_core::data::glyphs::{Glyphs, Part, classes};

const DESKTOP: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (500, 844); // the window is no narrower, its page may be

/// A LeNet that is often right and often wrong, made once.
fn trained() -> &'static Path {
    static RUN: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, run) = RUN.get_or_init(|| {
        let (folder, run) = folder();
        succeed(&mut train("train lenet --limit 720 --epochs 3", &run));
        (folder, run)
    });
    run
}

/// The program serving a queue of images whose names tell what they are.
struct Server {
    child: Process,
    url: String,
    folder: tempfile::TempDir,
    flags: Vec<String>,
}

impl Server {
    /// With so many images. The one named `broken` can be read by nobody.
    fn start(pictures: usize, flags: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = folder.path().join("queue");
        std::fs::create_dir(&queue).unwrap();
        let (glyphs, names) = (Glyphs::new(Part::Test), classes());
        for index in 0..pictures {
            let example = glyphs.get(index).unwrap();
            let Input::Image(picture) = example.input else { unreachable!() };
            let name = format!("{index:04}-{}.png", names[example.target]);
            picture.save(queue.join(name)).unwrap();
        }
        let run = folder.path().join("run");
        std::fs::create_dir(&run).unwrap();
        for entry in std::fs::read_dir(trained()).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), run.join(entry.file_name())).unwrap();
            }
        }
        let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        let (child, url) = Self::spawn(folder.path(), "127.0.0.1:0", &flags);
        let server = Self { child, url, folder, flags };
        server.until(|status| status["queue"]["suggested"] == pictures);
        server
    }

    /// Where no file can grow the program is not to be killed, as on a disk that is full: hence
    /// the shell.
    fn spawn(folder: &Path, at: &str, flags: &[String]) -> (Process, String) {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(r#"trap "" XFSZ; exec "$0" "$@""#).arg(program().get_program());
        shell.arg("serve").arg(folder.join("run")).args(["--at", at, "--queue"]);
        shell.arg(folder.join("queue")).args(flags);
        // A log in a file could not grow either.
        let mut child = Process::start(shell.stdout(Stdio::piped()).stderr(Stdio::null()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("http://"), "{line}");
        (child, line.trim().trim_end_matches('/').to_owned())
    }

    /// Ends at once, as if the plug were pulled.
    fn kill(&mut self) {
        self.child.end();
    }

    /// Starts again on the same address and store.
    fn restart(&mut self) {
        let at = self.url.trim_start_matches("http://").to_owned();
        (self.child, self.url) = Self::spawn(self.folder.path(), &at, &self.flags);
    }

    /// Sets how many bytes the files may have that the server writes.
    fn limit_files(&self, bytes: &str) {
        let mut limit = Command::new("prlimit");
        limit.args(["--pid", &self.child.id().to_string(), &format!("--fsize={bytes}:")]);
        assert!(limit.status().unwrap().success());
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = request("GET", &format!("{}{path}", self.url), None);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = request("POST", &format!("{}{path}", self.url), Some(body));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn until(&self, is: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let status = self.get("/v1/status");
            if is(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn decided(&self) -> u64 {
        self.get("/v1/status")["queue"]["decided"].as_u64().unwrap()
    }

    /// What an item was labelled as: the last line of the export with its name.
    fn label(&self, name: &str) -> Option<String> {
        let export = self.get("/v1/export?format=csv");
        let mut lines = export.as_str().unwrap().lines();
        let place = |column: &str, head: &str| head.split(',').position(|own| own == column);
        let head = lines.next()?;
        let (item, label) = (place("item", head).unwrap(), place("label", head).unwrap());
        let mut cells = lines.map(|line| line.split(',').collect::<Vec<_>>());
        cells.rfind(|cells| cells[item] == name).map(|cells| cells[label].to_owned())
    }

    /// Decides so many items as their names say, past the page.
    fn decide(&self, person: &str, count: usize) {
        let ask = json!({"person": person, "count": count});
        let items = self.post("/v1/next", &ask)["items"].clone();
        let decision = |item: &Value| {
            let name = item["name"].as_str().unwrap();
            json!({"item": item["id"], "action": "label", "label": truth(name), "seconds": 1.0})
        };
        let decisions: Vec<Value> = items.as_array().unwrap().iter().map(decision).collect();
        let saved = self.post("/v1/decisions", &json!({"person": person, "decisions": decisions}));
        assert_eq!(saved["saved"], count, "{saved}");
    }
}

/// What an image of the queue shows.
fn truth(name: &str) -> &str {
    name.split_once('-').unwrap().1.trim_end_matches(".png")
}

/// The page for a person.
struct Page {
    browser: Browser,
}

impl Page {
    fn open(server: &Server, person: &str, size: (u32, u32), language: &str) -> Self {
        let browser = Browser::open(size, language);
        browser.go(&server.url);
        browser.until("document.querySelector('#who[open]') !== null");
        browser.keys(person);
        browser.keys(ENTER);
        browser.until("document.querySelector('#item[data-id]') !== null");
        Self { browser }
    }

    /// The name of the item on screen.
    fn name(&self) -> String {
        self.browser.text("#name")
    }

    /// The n-th suggestion's label, from 1.
    fn suggested(&self, n: usize) -> String {
        self.browser.text(&format!("#suggestions li:nth-child({n}) b"))
    }

    /// Waits until another item is on screen.
    fn leaves(&self, name: &str) {
        self.browser.until(&format!(
            "![{}, ''].includes(document.querySelector('#name').innerText)",
            json!(name)
        ));
    }

    fn view(&self, name: &str) {
        self.browser.click(&format!("nav a[href='#{name}']"));
        self.browser.until(&format!("!document.getElementById('{name}').hidden"));
    }
}

#[test]
fn one_key_decides() {
    if !driver::available() {
        return;
    }
    let server = Server::start(40, "--shared 0");
    let page = Page::open(&server, "ann", DESKTOP, "en");
    let keys = |keys: &str| page.browser.keys(keys);

    // Enter confirms the first suggestion; the answer is in the store before the next is shown.
    let (first, proposed) = (page.name(), page.suggested(1));
    keys(ENTER);
    page.leaves(&first);
    assert_eq!(server.label(&first), Some(proposed));

    // A digit is the label of that name, wherever it stands among the suggestions.
    let second = page.name();
    keys("2");
    page.leaves(&second);
    assert_eq!(server.label(&second).as_deref(), Some("2"));

    // A word with no field open decides nothing, whatever its letters, nor does the Enter after
    // it; the slash opens the search.
    let third = page.name();
    keys("su7, x.2");
    page.browser.until("document.querySelector('#note').innerText.includes('press /')");
    keys(ENTER);
    page.browser.until("document.querySelector('#note').innerText === ''");
    assert_eq!((page.name(), server.decided()), (third.clone(), 2));
    assert_eq!(server.get("/v1/status")["queue"]["skipped"], 0);
    keys("/w");
    page.browser.until("document.querySelector('#found [aria-selected=true]')?.innerText === 'W'");
    keys(ENTER);
    page.leaves(&third);
    assert_eq!(server.label(&third).as_deref(), Some("W"));
    let fourth = page.name();
    keys("/");
    keys("s");
    page.browser.until("document.querySelector('#found [aria-selected=true]')?.innerText === 'S'");
    keys(ESCAPE);
    page.browser.until("document.querySelector('#found').hidden");
    assert_eq!((page.name(), server.label(&fourth)), (fourth.clone(), None));

    // A label that nobody knows is offered at the first Enter, and added at the second.
    keys("/");
    keys("zebu");
    keys(ENTER);
    page.browser.until("document.querySelector('#note').innerText.includes('zebu')");
    assert_eq!(server.label(&fourth), None);
    keys(ENTER);
    page.leaves(&fourth);
    assert_eq!(server.label(&fourth).as_deref(), Some("zebu"));
    assert!(server.get("/v1/labels")["labels"].as_array().unwrap().contains(&json!("zebu")));

    // Skipped, taken back, taken back further.
    let fifth = page.name();
    keys(".");
    page.leaves(&fifth);
    assert_eq!(server.get("/v1/status")["queue"]["skipped"], 1);
    let sixth = page.name();
    keys(",");
    page.leaves(&sixth);
    assert_eq!(page.name(), fifth);
    assert_eq!(server.get("/v1/status")["queue"]["skipped"], 0);
    keys(",");
    page.leaves(&fifth);
    assert_eq!(page.name(), fourth);
    assert!(page.browser.text("#before").contains("zebu"));
    assert_eq!(server.label(&fourth), None);

    // The arrows look without deciding.
    keys(RIGHT);
    page.leaves(&fourth);
    keys(LEFT);
    page.leaves(&fifth);
    assert_eq!((page.name(), server.decided()), (fourth, 3));

    // Without suggestions there is nothing to confirm: one types, and it is kept as such.
    page.browser.click("#hide");
    page.browser.until("document.querySelector('#suggestions').children.length === 0 && document.querySelector('#item').dataset.id");
    let hidden = page.name();
    keys(ENTER);
    keys("/k");
    page.browser.until("document.querySelector('#found [aria-selected=true]')?.innerText === 'K'");
    keys(ENTER);
    page.leaves(&hidden);
    assert_eq!(server.label(&hidden).as_deref(), Some("K"));
    assert_eq!(server.get("/v1/report")["seconds"]["from_nothing"]["count"], 1);
}

#[test]
fn a_page_of_like_items_is_confirmed_at_once() {
    if !driver::available() {
        return;
    }
    let server = Server::start(180, "--shared 0");
    let page = Page::open(&server, "ann", DESKTOP, "en");
    page.view("grid");
    page.browser.until("document.querySelectorAll('.tile').length > 2");
    let names = "[...document.querySelectorAll('.tile')].map((tile) => tile.title)";
    let names = page.browser.run(&format!("return {names}"), &[]);
    let names: Vec<&str> = names.as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    let label = page.browser.run("return document.querySelector('#like').value", &[]);

    // One out by the mouse, another by the keyboard and back in again.
    page.browser.click(".tile:nth-child(2)");
    page.browser.keys(LEFT);
    page.browser.keys("  ");
    assert_eq!(page.browser.text("#confirm"), format!("Confirm {}", names.len() - 1));
    page.browser.keys(ENTER);
    page.browser.until(&format!("document.querySelector('.tile')?.title !== {}", json!(names[0])));
    assert_eq!(server.decided(), names.len() as u64 - 1);
    for (index, name) in names.iter().enumerate() {
        let expected = (index != 1).then(|| label.as_str().unwrap().to_owned());
        assert_eq!(server.label(name), expected, "{name}");
    }

    // The odd one is for the Decide view alone.
    let out = "[...document.querySelectorAll('.tile')].map((tile) => tile.title)";
    let shown = page.browser.run(&format!("return {out}"), &[]);
    assert!(!shown.as_array().unwrap().contains(&json!(names[1])));

    // The whole page is taken back.
    page.browser.keys(",");
    page.browser
        .until(&format!("document.querySelectorAll('.tile').length === {}", names.len() - 1));
    // Another page of as many may have stood there before.
    server.until(|status| status["queue"]["decided"] == 0);
}

#[test]
fn two_people_never_see_the_same_item() {
    if !driver::available() {
        return;
    }
    let server = Server::start(60, "--shared 0");
    let ann = Page::open(&server, "ann", DESKTOP, "en");
    let bob = Page::open(&server, "bob", PHONE, "en");
    let mut seen = BTreeSet::new();
    for _ in 0..10 {
        for page in [&ann, &bob] {
            let name = page.name();
            assert!(seen.insert(name.clone()), "{name} a second time");
            page.browser.keys(ENTER);
            page.leaves(&name);
        }
    }
    assert_eq!(server.decided(), 20);

    // What a closed page held is free at once.
    assert!(server.get("/v1/status")["queue"]["leased"].as_u64().unwrap() > 6);
    bob.browser.go("about:blank");
    server.until(|status| status["queue"]["leased"].as_u64().unwrap() <= 6);
}

#[test]
fn the_model_learns_from_what_was_decided() {
    if !driver::available() {
        return;
    }
    let server = Server::start(220, "--shared 0 --epochs 10");
    let page = Page::open(&server, "ann", DESKTOP, "en");
    page.browser.click("#retrain");
    page.browser.until("document.querySelector('#trained').innerText.includes('decisions')");

    // Forty of them or so are of the fixed part: enough to compare weights.
    server.decide("bob", 200);
    page.browser.run(
        "window.said = new Set();
         const watch = () => said.add(document.querySelector('#trained').innerText);
         new MutationObserver(watch).observe(document.querySelector('#trained'), { childList: true, characterData: true, subtree: true });",
        &[],
    );
    // The training may be over before the page had its turn to look: then once more.
    let told = |round| {
        learns(&server, &page, round);
        let said = page.browser.run("return [...said].join('|')", &[]);
        said.as_str().unwrap().contains("Epoch").then_some(round)
    };
    let rounds = (1..=5).find_map(told).expect("no page was told of an epoch");

    // The items at hand come with the new weights' suggestions.
    let name = page.name();
    page.browser.keys(ENTER);
    page.leaves(&name);
    page.view("report");
    page.browser
        .until(&format!("document.querySelectorAll('.curve circle').length === {}", rounds + 1));
}

/// Has the model learn from the page, and its new weights taken whether they are better or not.
fn learns(server: &Server, page: &Page, round: usize) {
    let before = server.get("/v1/status")["weights"]["id"].clone();
    page.browser.click("#retrain");
    let ended = server.until(|status| {
        status["retrain"]["round"] == round
            && ["done", "refused", "failed"].contains(&status["retrain"]["state"].as_str().unwrap())
    });
    assert_ne!(ended["retrain"]["state"], "failed", "{ended}");
    // The run's own validation examples judge what became of the classes that it knew.
    assert!(ended["retrain"]["known"]["examples"].as_u64() > Some(0), "{ended}");
    page.browser.until("document.querySelector('#trained').innerText.includes('Known classes')");
    if ended["retrain"]["state"] == "refused" {
        // Worse on the few of the fixed part: a person may want them all the same.
        page.browser.until("!document.querySelector('#take').hidden");
        page.browser.click("#take");
    }
    let after = server.until(|status| status["weights"]["id"] != before);
    assert_eq!(after["weights"]["round"], round);
    let told = format!("document.querySelector('#model').innerText.includes('round {round}')");
    page.browser.until(&told);
    page.browser
        .until("document.querySelector('#trained').innerText.includes('New weights in place')");
}

/// Boxes that another program found: one confirmed, one given its alternative, one removed, one
/// moved by the mouse, one drawn.
#[test]
fn boxes_are_changed_and_drawn_and_confirmed_together() {
    if !driver::available() {
        return;
    }
    let server = Server::start(3, "--shared 0");
    let ask = json!({"person": "bob", "count": 3});
    let items = server.post("/v1/next", &ask)["items"].clone();
    let names: Vec<&str> =
        items.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    server.post("/v1/release", &json!({"person": "bob", "items": [1, 2, 3]}));
    let found = |x: i64, label: &str| json!({"label": label, "score": 0.75, "box": [x, 2, 6, 8]});
    let alternatives = json!({"box": [8, 2, 14, 10],
        "ranked": [{"label": "B", "score": 0.5}, {"label": "8", "score": 0.25}]});
    let one = json!({"item": names[0],
        "objects": [found(0, "A"), found(15, "C"), found(20, "D")], "slots": [alternatives]});
    let import = json!({"suggestions": [one, {"item": names[1], "objects": []}]});
    assert_eq!(server.post("/v1/import", &import)["imported"], 2);

    let page = Page::open(&server, "ann", DESKTOP, "en");
    let keys = |keys: &str| page.browser.keys(keys);
    assert_eq!(page.name(), names[0]);
    page.browser.until("document.querySelectorAll('.places rect[data-slot]').length === 4");
    assert!(page.browser.text("#confirmall").starts_with("Confirm all 4"));
    // The label with the key 8 for the first slot, which is chosen.
    keys("8");
    page.browser.until("document.querySelector('#slots b').innerText === '8'");
    // By the keyboard: the third is removed.
    keys(&format!("{DOWN}{DOWN}{DELETE}"));
    page.browser.until("document.querySelectorAll('#slots .gone').length === 1");
    // By the mouse: the fourth goes two pixels of the image to the left, three down.
    let drag = |from: [f64; 2], to: [f64; 2]| {
        let place = |at: [f64; 2]| {
            let script = "const svg = document.querySelector('.places');
                const at = new DOMPoint(...arguments).matrixTransform(svg.getScreenCTM());
                return [at.x, at.y]";
            page.browser.run(script, &[json!(at[0]), json!(at[1])])
        };
        let [from, to] = [place(from), place(to)];
        for (kind, at) in [
            ("mouseMoved", &from),
            ("mousePressed", &from),
            ("mouseMoved", &to),
            ("mouseReleased", &to),
        ] {
            let event = json!({"type": kind, "x": at[0], "y": at[1], "button": "left",
                "buttons": 1, "clickCount": 1});
            page.browser.devtools("Input.dispatchMouseEvent", &event);
        }
    };
    drag([23.0, 6.0], [21.0, 9.0]);
    page.browser.until("document.querySelector('#slots').innerText.includes('moved')");
    // A new one, of the kind that is typed.
    keys("+");
    drag([1.0, 15.0], [11.0, 25.0]);
    page.browser.until("document.querySelectorAll('#slots li').length === 5");
    keys("/w");
    page.browser.until("document.querySelector('#found [aria-selected=true]')?.innerText === 'W'");
    keys(ENTER);
    page.browser.until("document.querySelector('#slots li:nth-child(5) b').innerText === 'W'");
    assert_eq!(server.decided(), 0);
    keys(ENTER);
    page.leaves(names[0]);
    let report = server.get("/v1/report");
    assert_eq!(
        report["places"],
        json!({"confirmed": 1, "corrected": 1, "moved": 1, "removed": 1, "added": 1})
    );
    let coco = server.get("/v1/export?format=coco");
    let boxes: Vec<Vec<f64>> = (coco["annotations"].as_array().unwrap().iter())
        .map(|one| one["bbox"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect())
        .collect();
    let expected = [
        [8.0, 2.0, 6.0, 8.0],
        [0.0, 2.0, 6.0, 8.0],
        [18.0, 5.0, 6.0, 8.0],
        [1.0, 15.0, 10.0, 10.0],
    ];
    // A pixel of the screen is part of one of the image.
    for (own, expected) in boxes.iter().zip(&expected) {
        let near = own.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.25);
        assert!(near, "{boxes:?}");
    }
    assert_eq!(boxes.len(), 4);

    // Taken back, it comes as it was made; and that nothing is there is confirmed as such.
    keys(",");
    let again = format!("document.querySelector('#name').innerText === {}", json!(names[0]));
    page.browser.until(&again);
    page.browser.until("document.querySelectorAll('#slots li').length === 5");
    assert!(page.browser.text("#slots").contains("removed"));
    keys(ENTER);
    page.leaves(names[0]);
}

#[test]
fn the_report_in_both_languages_on_a_phone() {
    if !driver::available() {
        return;
    }
    let server = Server::start(60, "--shared 0 --auto-accept 0.01");
    let page = Page::open(&server, "李明", PHONE, "zh-CN");
    for name in ["390", "320"] {
        let width: u32 = name.parse().unwrap();
        page.browser.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": 844, "deviceScaleFactor": 2, "mobile": true}),
        );
        for view in ["report", "grid", "decide"] {
            page.view(view);
            page.browser.until(&format!("innerWidth === {width}"));
            let wide = page.browser.run("return document.documentElement.scrollWidth", &[]);
            assert_eq!(wide, width, "{view} scrolls sideways");
        }
        page.browser.until("document.querySelector('#item[data-id]') !== null");
        // By the finger: the buttons are large enough for one.
        let name = page.name();
        let least = "Math.min(...[...document.querySelectorAll('main button')].filter((b) => b.offsetParent).map((b) => b.offsetHeight))";
        assert!(page.browser.run(&format!("return {least}"), &[]).as_f64().unwrap() >= 44.0);
        page.browser.click("#suggestions button");
        page.leaves(&name);
    }
    assert_eq!(page.browser.run("return document.documentElement.lang", &[]), "zh-Hans");
    assert_eq!(page.browser.text("#ask, nav a[href='#decide']"), "判定");
    page.view("report");
    page.browser.until("document.querySelector('.figure b')?.innerText === '2'");
    assert!(page.browser.text("#report").contains("李明"));
    page.browser.click("#language");
    page.browser
        .until("document.querySelector('#report').innerText.includes('confirmed as proposed')");
    assert_eq!(page.browser.run("return document.documentElement.lang", &[]), "en");
    assert!(page.browser.text("#auto").len() > 20);
}

#[test]
fn what_goes_wrong_keeps_the_item() {
    if !driver::available() {
        return;
    }
    let mut server = Server::start(40, "--shared 0");
    let page = Page::open(&server, "ann", DESKTOP, "en");

    // No server: the decision waits in the page, and counts once when it is back.
    let name = page.name();
    server.kill();
    page.browser.keys(ENTER);
    page.browser.until("document.querySelector('#problem').innerText.includes('No connection')");
    assert_eq!(page.name(), name);
    server.restart();
    page.leaves(&name);
    page.browser.until("document.querySelector('#problem').hidden");
    assert_eq!(server.decided(), 1);
    assert!(server.label(&name).is_some());

    // A full disk: nothing is shown as saved, and nothing that was saved is lost.
    let name = page.name();
    server.limit_files("0");
    page.browser.keys(ENTER);
    page.browser.until("document.querySelector('#problem').innerText.includes('disk is full')");
    assert_eq!((page.name(), server.decided()), (name.clone(), 1));
    server.limit_files("unlimited");
    page.browser.click("#problem button");
    page.leaves(&name);
    assert_eq!(server.decided(), 2);
    server.kill();
    server.restart();
    assert_eq!(server.decided(), 2);
}

/// The promise is 50 ms for 95 of 100. A slow machine keeps it for half of them, and shows others a
/// frame of 60 a second later, no more than that.
const PROMISE: f64 = 50.0;
const FRAME: f64 = 1000.0 / 60.0;

/// From the key press to the frame with the next item and its image:
/// `cargo test --release -p tenfold-classification next_item -- --ignored --nocapture`, on a quiet
/// machine.
#[test]
#[ignore = "a measurement: it judges the machine too"]
fn the_next_item_is_there_at_once() {
    if !driver::available() {
        return;
    }
    let server = Server::start(260, "--shared 0");
    let page = Page::open(&server, "ann", DESKTOP, "en");
    let mut times = presses(&page, 200);
    times.sort_by(f64::total_cmp);
    let (median, p95) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    println!(
        "key press to next item: {median:.1} ms median, {p95:.1} ms 95th percentile of {}",
        times.len()
    );
    assert!(median < PROMISE, "{median:.1} ms in the median");
    assert!(p95 < PROMISE + FRAME, "{p95:.1} ms at the 95th percentile");
}

/// Confirms so many items; milliseconds of each, by the page's own clock.
fn presses(page: &Page, count: usize) -> Vec<f64> {
    page.browser.run(
        "window.times = [];
         let pressed = null;
         addEventListener('keydown', (event) => { pressed = event.timeStamp; }, true);
         const item = document.querySelector('#item');
         new MutationObserver(() => {
           const since = pressed;
           if (since === null || !item.dataset.id) return;
           pressed = null;
           const picture = item.querySelector('img');
           // A task after the frame's callbacks runs when the frame has been drawn.
           const drawn = new MessageChannel();
           const look = () => {
             if (picture.complete && picture.naturalWidth) times.push(performance.now() - since);
             else requestAnimationFrame(() => drawn.port2.postMessage(0));
           };
           drawn.port1.onmessage = look;
           requestAnimationFrame(() => drawn.port2.postMessage(0));
         }).observe(item, { attributes: true, attributeFilter: ['data-id'] });",
        &[],
    );
    for done in 1..=count {
        page.browser.keys(ENTER);
        // To ask the browser whether it is done takes what the page needs to be done.
        std::thread::sleep(Duration::from_millis(100));
        page.browser.until(&format!("times.length === {done}"));
    }
    let times = page.browser.run("return times", &[]);
    times.as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).collect()
}
