//! Chromium, driven through the WebDriver protocol (W3C): JSON over HTTP, of which these tests
//! need a dozen commands. A client crate would bring an asynchronous runtime and TLS for them.

use crate::program::{PATIENCE, Process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const ENTER: &str = "\u{E007}";
pub const ESCAPE: &str = "\u{E00C}";
pub const LEFT: &str = "\u{E012}";
pub const RIGHT: &str = "\u{E014}";
pub const DOWN: &str = "\u{E015}";
pub const DELETE: &str = "\u{E017}";

/// What answers: status and JSON, whatever the status.
pub fn request(method: &str, url: &str, body: Option<&Value>) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.timeout_global(Some(PATIENCE)).build().into();
    let request = ureq::http::Request::builder().method(method).uri(url);
    let answer = match body {
        Some(body) => agent.run(
            request.header("content-type", "application/json").body(body.to_string()).unwrap(),
        ),
        None => agent.run(request.body(()).unwrap()),
    };
    let mut answer = answer.unwrap_or_else(|why| panic!("{method} {url}: {why}"));
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// One window in a browser of its own.
pub struct Browser {
    _driver: Process,
    session: String,
    _profile: tempfile::TempDir,
}

/// The paths of Chromium and of its driver. Where one is missing a test is left out, which is
/// said past its captured output.
fn programs() -> Option<(PathBuf, PathBuf)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let find = |names: &[&str]| {
        let places = names.iter().flat_map(|name| folders.iter().map(move |at| at.join(name)));
        places.into_iter().find(|place| place.is_file())
    };
    find(&["chromium", "chromium-browser", "google-chrome"]).zip(find(&["chromedriver"]))
}

/// Whether there is a browser to test with. `TENFOLD_BROWSER=require` says that there must be.
pub fn available() -> bool {
    let found = programs().is_some();
    if !found {
        let promised = std::env::var("TENFOLD_BROWSER").is_ok_and(|what| what == "require");
        assert!(!promised, "TENFOLD_BROWSER=require: chromium and chromedriver are not in PATH");
        let loud = "\n*** LEFT OUT: a test of the page, for want of chromium and chromedriver\n";
        let _ = std::io::stderr().write_all(loud.as_bytes());
    }
    found
}

/// A driver and the port that it tells; nothing if it ended before.
fn start(path: &Path) -> Option<(Process, u16)> {
    let mut command = Command::new(path);
    command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut driver = Process::start(&mut command);
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            std::thread::spawn(move || lines.for_each(drop));
            return Some((driver, port.trim_end_matches('.').parse().unwrap()));
        }
        eprintln!("{line}");
    }
    None
}

impl Browser {
    /// A window of so many pixels that asks for pages in a language.
    pub fn open((width, height): (u32, u32), language: &str) -> Self {
        let (chromium, driver) = programs().expect("chromium and chromedriver");
        // A driver looks for a port that is free for IPv4, wants the same for IPv6, and ends where
        // another program has it.
        let (driver, port) =
            (0..5).find_map(|_| start(&driver)).expect("chromedriver tells its port");
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ]
        .map(str::to_owned)
        .to_vec();
        flags.push(format!("--window-size={width},{height}"));
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let options = json!({
            "binary": chromium,
            "args": flags,
            "prefs": {"intl.accept_languages": language},
        });
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let base = format!("http://127.0.0.1:{port}");
        let (status, answer) = request("POST", &format!("{base}/session"), Some(&wanted));
        assert_eq!(status, 200, "{answer}");
        let session = answer["value"]["sessionId"].as_str().unwrap();
        let session = format!("{base}/session/{session}");
        Self { _driver: driver, session, _profile: profile }
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        let (status, answer) = request("POST", &format!("{}/{command}", self.session), Some(body));
        assert_eq!(status, 200, "{command} {body}: {answer}");
        answer["value"].clone()
    }

    /// Opens an address.
    pub fn go(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// Runs a function's body in the page; a promise is waited for.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// A command of the browser's own protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Presses and lets go of one key after the other, wherever the focus is.
    pub fn keys(&self, keys: &str) {
        let press = |key: char| {
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("actions", &json!({ "actions": [keyboard] }));
    }

    /// Clicks the first element of a selector, as a mouse does: it must be in sight.
    pub fn click(&self, selector: &str) {
        let found = self.post("element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        self.post(&format!("element/{id}/click"), &json!({}));
    }

    /// Waits until an expression is true, and gives its value.
    pub fn until(&self, expression: &str) -> Value {
        let begun = Instant::now();
        loop {
            let value = self.run(&format!("return {expression}"), &[]);
            if value.as_bool() != Some(false) && !value.is_null() && value != "" {
                return value;
            }
            if begun.elapsed() > PATIENCE {
                let page = self.run("return document.body.innerText", &[]);
                panic!("in vain: {expression}\n{}", page.as_str().unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The text of an element as it is seen.
    pub fn text(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        self.run(script, &[selector.into()]).as_str().unwrap().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let url = self.session.clone();
        // Not through `request`: a panic within a panic would hide the first.
        let _ = ureq::delete(&url).call();
    }
}
