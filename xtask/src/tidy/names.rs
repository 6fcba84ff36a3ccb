//! Core names no task's crate and no model: training must not know what it trains.

use super::manifests::TASKS;
use super::violation::{Violation, at};

/// Models whose name is also a word of the field, or, without its number, that of a layout of data:
/// core may say it.
const EVERYDAY_WORDS: &[&str] = &["linear", "translate", "vqa", "yolo9000"];

/// Whole names in core's code, however they are written: `mask-rcnn` is `mask_rcnn`,
/// `MaskRcnnConfig` and `"mask-rcnn"`, but not `mask`. The number at a name's end (of layers, say)
/// may be another or none.
pub fn names_models(path: &str, text: &str, models: &[String]) -> Vec<Violation> {
    let crates = TASKS.iter().map(|task| format!("tenfold-{task}"));
    let names: Vec<(String, String)> = models
        .iter()
        .filter(|name| !EVERYDAY_WORDS.contains(&name.as_str()))
        .cloned()
        .chain(crates)
        .map(|name| (plain(&parts(&name).concat()).to_owned(), name))
        .collect();
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for identifier in code.split(|c: char| !c.is_alphanumeric() && !"_-".contains(c)) {
            let parts = parts(identifier);
            let named = |(word, _): &&(String, String)| {
                (0..parts.len()).any(|from| {
                    (from + 1..=parts.len()).any(|to| plain(&parts[from..to].concat()) == *word)
                })
            };
            if let Some((_, name)) = names.iter().find(named) {
                found.push(at(path, i + 1, format!("core names `{name}`")));
            }
        }
    }
    found
}

/// A name without the number at its end, where enough is left to be told by.
fn plain(name: &str) -> &str {
    let short = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if short.len() < 3 { name } else { short }
}

/// The words of an identifier, lower case: `LeNetConfig` has `le`, `net` and `config`, `GANLoss`
/// has `gan` and `loss`.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for piece in identifier.split(['_', '-']) {
        let letters: Vec<char> = piece.chars().collect();
        let mut word = String::new();
        for (i, c) in letters.iter().enumerate() {
            let after_small = i > 0 && !letters[i - 1].is_uppercase();
            let before_small = letters.get(i + 1).is_some_and(|next| next.is_lowercase());
            if c.is_uppercase() && (after_small || before_small) && !word.is_empty() {
                parts.push(std::mem::take(&mut word));
            }
            word.extend(c.to_lowercase());
        }
        if !word.is_empty() {
            parts.push(word);
        }
    }
    parts
}
