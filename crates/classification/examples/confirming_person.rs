//! A simulated person before the page, through its real interface: what confirming saves.
//!
//! `cargo run --release --example confirming_person -- ADDRESS TRUTH.csv [ROUNDS [DECISIONS [PICK]]]`
//!
//! The person knows the truth (lines `item,label`), needs 0.2 s to confirm the first suggestion
//! and 2 s to type any other label; where PICK is given, as many seconds to pick another of the
//! suggestions by its number. They answer so many items a round; before the first, 100
//! without seeing suggestions. Each round ends with a training. Times are told to the server,
//! the server's own time for each answer included, not slept through.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const CONFIRM: f64 = 0.2;
const TYPE: f64 = 2.0;
const PERSON: &str = "simulated";

struct Server {
    address: String,
    agent: ureq::Agent,
}

impl Server {
    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/v1/{path}", self.address);
        let request = self.agent.post(&url).header("content-type", "application/json");
        let text = request.send(body.to_string())?.body_mut().read_to_string()?;
        Ok(serde_json::from_str(&text)?)
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/v1/{path}", self.address);
        Ok(serde_json::from_str(&self.agent.get(&url).call()?.body_mut().read_to_string()?)?)
    }
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, truth, rest @ ..] = &args[..] else {
        anyhow::bail!("expected ADDRESS TRUTH.csv [ROUNDS [DECISIONS [PICK]]]");
    };
    let number = |place: usize, other: usize| -> anyhow::Result<usize> {
        Ok(rest.get(place).map(|text| text.parse()).transpose()?.unwrap_or(other))
    };
    let (rounds, each) = (number(0, 3)?, number(1, 1000)?);
    let pick: f64 = rest.get(2).map(|text| text.parse()).transpose()?.unwrap_or(TYPE);
    let text = std::fs::read_to_string(truth)?;
    let truth: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(',')).collect();
    let server = Server {
        address: address.trim_end_matches('/').into(),
        agent: ureq::Agent::new_with_defaults(),
    };

    answer(&server, &truth, 100, true, pick)?;
    for round in 1..=rounds {
        let (confirmed, count) = answer(&server, &truth, each, false, pick)?;
        println!("round {round}: {confirmed} of {count} as proposed");
        server.post("retrain", &json!({"person": PERSON}))?;
        let status = loop {
            std::thread::sleep(Duration::from_millis(200));
            let status = server.get("status")?;
            if status["retrain"]["state"] != "running" {
                break status;
            }
        };
        println!("  retrained: {}", status["retrain"]);
    }
    let report = server.get("report")?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// Decides so many items, or all that are left: how many were as proposed, and how many there were.
fn answer(
    server: &Server,
    truth: &HashMap<&str, &str>,
    count: usize,
    hide: bool,
    pick: f64,
) -> anyhow::Result<(usize, usize)> {
    let (mut confirmed, mut done) = (0, 0);
    while done < count {
        let begun = Instant::now();
        let asked = json!({"person": PERSON, "count": 1, "hide": hide});
        let next = server.post("next", &asked)?;
        let Some(item) = next["items"].get(0) else { break };
        if item["pending"] == true {
            // The model has not come to it: a person would wait, too.
            server.post("release", &json!({"person": PERSON, "items": [item["id"]]}))?;
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        let name = item["name"].as_str().unwrap_or_default();
        let label = truth.get(name).ok_or_else(|| anyhow::anyhow!("no truth of `{name}`"))?;
        let suggestions = item["suggestions"].as_array().map_or(&[][..], |all| &all[..]);
        let place = suggestions.iter().position(|suggestion| suggestion["label"] == **label);
        let right = place == Some(0);
        let hand = match place {
            Some(0) => CONFIRM,
            Some(_) => pick,
            None => TYPE,
        };
        let decision = json!({
            "item": item["id"], "key": format!("{name} {hide}"), "action": "label", "label": label,
            "seconds": hand + begun.elapsed().as_secs_f64(), "weights": item["weights"],
        });
        let saved =
            server.post("decisions", &json!({"person": PERSON, "decisions": [decision]}))?;
        anyhow::ensure!(saved["saved"] == 1, "{name}: {saved}");
        confirmed += usize::from(right);
        done += 1;
    }
    Ok((confirmed, done))
}
