//! `cargo xtask tidy`: the rules that no compiler checks.
//!
//! A rule is a pure function from text to violations, tested below on text that breaks it;
//! [`run`] only feeds them the workspace.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Which crates a crate may depend on, later in the list on earlier only.
const ARROWS: &[(&str, &[&str])] = &[
    ("kernels", &[]),
    ("core", &["kernels"]),
    ("assist", &["core", "kernels"]),
    ("classification", &["core", "kernels"]),
    ("detection", &["classification", "core", "kernels"]),
    ("segmentation", &["detection", "classification", "core", "kernels"]),
    ("sequence", &["classification", "core", "kernels"]),
    ("gan", &["core", "kernels"]),
    ("rl", &["core", "kernels"]),
    // Takes in the source of kernels' raw layer, without its crate.
    ("sanitize", &[]),
];

/// The crates of tasks: those that have models, a command line and a page to confirm on.
const TASKS: &[&str] = &["classification", "detection", "segmentation", "sequence", "gan", "rl"];

/// The backends: a feature of every crate, so that a choice reaches all of them.
const BACKENDS: &[&str] = &["flex", "ndarray", "cuda", "vulkan"];

/// Features that a crate may have beside the backends.
const OTHER_FEATURES: &[&str] = &["allocator", "default", "serve", "store"];

/// Models whose name is also an everyday word of the field: core may say it.
const EVERYDAY_WORDS: &[&str] = &["linear", "show", "stacked", "translate", "value"];

/// The largest tracked file, in KiB.
const LARGEST: u64 = 300;

/// The pages for people, in both languages.
const READMES: [&str; 2] = ["README.md", "README.zh.md"];

/// Which rules to check.
#[derive(clap::Args)]
pub struct Args {
    /// Skip what needs the task crates built: that their models are in the tables
    #[arg(long)]
    quick: bool,
}

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    line: usize,
    message: String,
}

/// Shorthand for a violation.
fn at(path: &str, line: usize, message: impl Into<String>) -> Violation {
    Violation { path: path.to_owned(), line, message: message.into() }
}

/// Runs the chore.
pub fn run(args: &Args) -> Result<()> {
    let root = root()?;
    let tracked = tracked(&root)?;
    let text = |path: &str| fs::read(root.join(path)).ok().and_then(|b| String::from_utf8(b).ok());
    let mut found = Vec::new();

    for path in &tracked {
        // A tracked file may be deleted in the working tree.
        let Ok(meta) = fs::metadata(root.join(path)) else { continue };
        found.extend(too_large(path, meta.len()));
        let Some(text) = text(path) else { continue };
        found.extend(machine_paths(path, &text));
        if path.starts_with("crates/") && path.ends_with("/Cargo.toml") {
            found.extend(features(path, &text));
        }
        if path.ends_with("Cargo.toml") {
            found.extend(arrows(path, &text));
        }
    }

    let datasets: Vec<String> = tracked
        .iter()
        .filter_map(|path| path.strip_prefix("datasets/")?.strip_suffix(".toml"))
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect();
    let models = if args.quick { Vec::new() } else { models(&root)? };
    let readmes = READMES.map(|path| text(path).unwrap_or_default());
    for (path, text) in READMES.iter().zip(&readmes) {
        found.extend(tables(path, text, "data set", &datasets));
        found.extend(tables(path, text, "model", &models));
    }
    found.extend(commands(READMES[0], &readmes[0], READMES[1], &readmes[1]));
    for path in tracked.iter().filter(|p| p.starts_with("crates/core/src/")) {
        found.extend(names_models(path, &text(path).unwrap_or_default(), &models));
    }

    found.sort();
    found.dedup();
    let mut out = std::io::stdout().lock();
    for v in &found {
        writeln!(out, "{}:{}: {}", v.path, v.line, v.message).context("standard output")?;
    }
    ensure!(found.is_empty(), "tidy: {} violations", found.len());
    eprintln!("tidy: {} files, no violation", tracked.len());
    Ok(())
}

/// The workspace's folder: the one that cargo runs this from, else one above the current.
pub fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("current folder")?;
    let cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let start = cargo.unwrap_or(here);
    let is_root = |dir: &&Path| {
        fs::read_to_string(dir.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]"))
    };
    match start.ancestors().find(is_root) {
        Some(root) => Ok(root.to_owned()),
        None => bail!("{}: expected a folder inside the workspace", start.display()),
    }
}

/// Every tracked file.
fn tracked(root: &Path) -> Result<Vec<String>> {
    let git = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let git = git.context("git ls-files")?;
    ensure!(git.status.success(), "git ls-files: {}", String::from_utf8_lossy(&git.stderr).trim());
    let list = String::from_utf8_lossy(&git.stdout);
    Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// Every model of every task crate that is there, asked of its own command line.
fn models(root: &Path) -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut names = Vec::new();
    for task in TASKS.iter().filter(|t| root.join(format!("crates/{t}/src/main.rs")).is_file()) {
        let package = format!("tenfold-{task}");
        let run = ["run", "--release", "--quiet", "-p", &package, "--", "models", "--json"];
        let ran = Command::new(&cargo)
            .args(run)
            .current_dir(root)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("{package}: models --json"))?;
        ensure!(ran.status.success(), "{package}: models --json: {}", ran.status);
        let of_task =
            model_names(&ran.stdout).with_context(|| format!("{package}: models --json"))?;
        ensure!(!of_task.is_empty(), "{package}: models --json: expected at least one model");
        names.extend(of_task);
    }
    Ok(names)
}

/// The names in what `models --json` prints.
fn model_names(json: &[u8]) -> Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Model {
        name: String,
    }
    let models: Vec<Model> = serde_json::from_slice(json)?;
    Ok(models.into_iter().map(|model| model.name).collect())
}

/// Arrows between crates go one way, and the page reaches binaries only.
fn arrows(path: &str, text: &str) -> Vec<Violation> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(_) => return vec![at(path, 1, "is not TOML")],
    };
    let package = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str());
    // The tests drive everything; a page without a package is the workspace's own.
    let Some(package) = package.filter(|name| *name != "tenfold-tests") else { return Vec::new() };
    let name = package.strip_prefix("tenfold-").unwrap_or(package);
    let allowed = match ARROWS.iter().find(|(known, _)| *known == name) {
        Some((_, allowed)) => *allowed,
        None if package == "xtask" => &[],
        None => return vec![at(path, 1, format!("{package}: no arrow is known for this crate"))],
    };
    let mut found = Vec::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(table) = manifest.get(section).and_then(|s| s.as_table()) else { continue };
        for (dependency, how) in table {
            let Some(other) = dependency.strip_prefix("tenfold-") else { continue };
            let line = line_of(text, dependency);
            if other == "assist" && TASKS.contains(&name) {
                // A library user of one family gets no web server.
                if how.get("optional").and_then(toml::Value::as_bool) != Some(true) {
                    found.push(at(path, line, format!("{dependency} must be optional")));
                }
            } else if !allowed.contains(&other) {
                found.push(at(path, line, format!("no arrow from {other} to {name}")));
            }
        }
    }
    found
}

/// The first line that starts with `start`, counted from 1.
fn line_of(text: &str, start: &str) -> usize {
    text.lines().position(|line| line.trim_start().starts_with(start)).map_or(1, |i| i + 1)
}

/// Every crate has the same features: the backends, each passed on to the crates below.
fn features(path: &str, text: &str) -> Vec<Violation> {
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return vec![at(path, 1, "is not TOML")];
    };
    let empty = toml::Table::new();
    let table = |name: &str| manifest.get(name).and_then(|t| t.as_table()).unwrap_or(&empty);
    let (features, dependencies) = (table("features"), table("dependencies"));
    let mut found = Vec::new();
    let has = |feature: &str, item: &str| {
        let list = features.get(feature).and_then(|f| f.as_array());
        list.is_some_and(|list| list.iter().any(|i| i.as_str() == Some(item)))
    };
    let line = line_of(text, "[features]");
    if !has("default", "flex") {
        found.push(at(path, line, "expected the feature `flex` in `default`"));
    }
    for backend in BACKENDS {
        if !features.contains_key(*backend) {
            found.push(at(path, line, format!("expected the feature `{backend}`")));
            continue;
        }
        for below in dependencies.keys().filter(|name| name.starts_with("tenfold-")) {
            let optional = dependencies[below].get("optional").and_then(toml::Value::as_bool);
            // An optional crate is reached by `crate?/feature`, so as not to be turned on.
            let mark = if optional == Some(true) { "?" } else { "" };
            let item = format!("{below}{mark}/{backend}");
            if !has(backend, &item) {
                let line = line_of(text, backend);
                found.push(at(path, line, format!("`{backend}` does not turn on `{item}`")));
            }
        }
    }
    for feature in features.keys() {
        if !BACKENDS.contains(&feature.as_str()) && !OTHER_FEATURES.contains(&feature.as_str()) {
            let line = line_of(text, feature);
            found.push(at(path, line, format!("feature `{feature}`: no other crate has it")));
        }
    }
    found
}

/// Each name has a table row in the page.
fn tables(path: &str, text: &str, what: &str, names: &[String]) -> Vec<Violation> {
    let in_a_row = |name: &str| {
        let cell = format!("| `{name}`");
        text.lines().any(|line| line.trim_start().starts_with('|') && line.contains(&cell))
    };
    let missing = names.iter().filter(|name| !in_a_row(name));
    missing.map(|name| at(path, 1, format!("no table row has the {what} `{name}`"))).collect()
}

/// The commands of a page: the lines of its shell blocks, with their line numbers.
fn shell_lines(text: &str) -> Vec<(usize, String)> {
    let (mut lines, mut fence) = (Vec::new(), None);
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            fence = match fence {
                None => Some(matches!(language.trim(), "sh" | "bash" | "shell" | "console")),
                Some(_) => None,
            };
            continue;
        }
        let command = line.split("  #").next().unwrap_or("").trim_end();
        if fence == Some(true) && !command.is_empty() && !command.starts_with('#') {
            lines.push((i + 1, command.to_owned()));
        }
    }
    lines
}

/// Both pages list the same commands in the same order.
fn commands(path: &str, text: &str, other_path: &str, other: &str) -> Vec<Violation> {
    let (ours, theirs) = (shell_lines(text), shell_lines(other));
    if ours.is_empty() {
        return vec![at(path, 1, "expected commands in ```sh blocks")];
    }
    for (i, (line, command)) in ours.iter().enumerate() {
        match theirs.get(i) {
            Some((_, same)) if same == command => {}
            Some((there, other)) => {
                let message = format!("expected `{command}` as in {path}:{line}, found `{other}`");
                return vec![at(other_path, *there, message)];
            }
            None => return vec![at(other_path, 1, format!("lacks `{command}` of {path}:{line}"))],
        }
    }
    let extra = theirs.iter().skip(ours.len());
    extra.map(|(line, c)| at(other_path, *line, format!("{path} lacks `{c}`"))).collect()
}

/// No path of one machine.
fn machine_paths(path: &str, text: &str) -> Vec<Violation> {
    // In pieces, so that this file passes.
    let roots = ["work", "home", "root"].map(|name| format!("/{name}/"));
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for root in &roots {
            let absolute = line.match_indices(root.as_str()).any(|(start, _)| {
                let before = line[..start].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && !"._-~$}{/*".contains(c))
            });
            if absolute {
                found.push(at(path, i + 1, format!("a path of one machine, {root}")));
            }
        }
    }
    found
}

/// No large file.
fn too_large(path: &str, bytes: u64) -> Option<Violation> {
    let kib = bytes.div_ceil(1024);
    (kib > LARGEST).then(|| at(path, 1, format!("{kib} KiB: the most is {LARGEST} KiB")))
}

/// Core names no model: training must not know what it trains.
fn names_models(path: &str, text: &str, models: &[String]) -> Vec<Violation> {
    let words: Vec<String> = models
        .iter()
        .filter_map(|name| name.split('-').next())
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase())
        .filter(|word| word.len() >= 3 && !EVERYDAY_WORDS.contains(&word.as_str()))
        .collect();
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        let identifiers = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        for part in identifiers.flat_map(parts) {
            // A short word is matched whole: `gan` must not be found in `began`.
            let named =
                |word: &&String| part == **word || word.len() >= 5 && part.starts_with(*word);
            if let Some(word) = words.iter().find(named) {
                found.push(at(path, i + 1, format!("core names the model `{word}`")));
            }
        }
    }
    found
}

/// The words of an identifier, lower case: `LeNetConfig` has `lenetconfig`, `le`, `net` and
/// `config`.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for snake in identifier.split('_').filter(|p| !p.is_empty()) {
        parts.push(snake.to_lowercase());
        let mut word = String::new();
        for c in snake.chars() {
            if c.is_uppercase() && word.ends_with(|last: char| !last.is_uppercase()) {
                parts.push(word.to_lowercase());
                word.clear();
            }
            word.push(c);
        }
        parts.push(word.to_lowercase());
    }
    parts
}

#[cfg(test)]
#[path = "tidy_tests.rs"]
mod tests;
