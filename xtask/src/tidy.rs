//! `cargo xtask tidy`: the rules that no compiler checks.
//!
//! A rule is a pure function from text to violations, tested on text that breaks it;
//! [`run`] only feeds them the workspace.

mod circles;
mod manifests;
mod models;
mod names;
mod pages;
mod tokens;
mod trees;
mod violation;

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use violation::{Violation, at};

/// The largest tracked file, in KiB.
const LARGEST: u64 = 300;

/// The pages for people, in both languages.
const READMES: [&str; 2] = ["README.md", "README.zh.md"];

/// Which rules to check.
#[derive(clap::Args)]
pub struct Args {
    /// Skip what needs the task crates built: that their models and settings are in the tables
    #[arg(long)]
    quick: bool,
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
            found.extend(manifests::features(path, &text));
        }
        if path.ends_with("Cargo.toml") {
            found.extend(manifests::arrows(path, &text));
        }
    }

    let datasets: Vec<String> = tracked
        .iter()
        .filter_map(|path| path.strip_prefix("datasets/")?.strip_suffix(".toml"))
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect();
    let page = "datasets/README.md";
    found.extend(pages::tables(page, &text(page).unwrap_or_default(), "data set", &datasets));
    let tasks = if args.quick { Vec::new() } else { models::of_tasks(&root)? };
    for task in &tasks {
        let page = format!("crates/{}/README.md", task.name);
        let text = text(&page).unwrap_or_default();
        found.extend(pages::tables(&page, &text, "model", &task.models));
        found.extend(pages::tables(&page, &text, "setting", &task.settings));
    }
    let readmes = READMES.map(|path| text(path).unwrap_or_default());
    found.extend(pages::commands(READMES[0], &readmes[0], READMES[1], &readmes[1]));
    found.extend(
        READMES.iter().zip(&readmes).filter_map(|(path, text)| pages::too_long(path, text)),
    );
    let there = |path: &str| {
        let folder =
            || tracked.iter().any(|t| t.starts_with(&format!("{path}/"))).then(String::new);
        // What is no text is there, too.
        let file = || tracked.iter().any(|t| t == path).then(|| text(path).unwrap_or_default());
        file().or_else(folder)
    };
    let bytes = |path: &str| fs::metadata(root.join(path)).map_or(0, |meta| meta.len());
    for path in tracked.iter().filter(|path| path.ends_with(".md")) {
        found.extend(pages::links(path, &text(path).unwrap_or_default(), there, bytes));
    }
    let models: Vec<String> = tasks.into_iter().flat_map(|task| task.models).collect();
    for path in tracked.iter().filter(|p| p.starts_with("crates/core/src/")) {
        found.extend(names::names_models(path, &text(path).unwrap_or_default(), &models));
    }

    let sources = |inside: &str| -> Vec<(String, String)> {
        let own = |path: &&String| path.starts_with(inside) && path.ends_with(".rs");
        tracked.iter().filter(own).filter_map(|path| Some((path.clone(), text(path)?))).collect()
    };
    let folders = || tracked.iter().filter_map(|path| path.strip_suffix("/Cargo.toml"));
    for folder in folders() {
        let files = sources(&format!("{folder}/src/"));
        // A program beside a library is a crate of its own, of one file.
        let roots = ["lib.rs", "main.rs"].map(|root| format!("{folder}/src/{root}"));
        if let Some(root) = roots.iter().find(|root| files.iter().any(|(path, _)| path == *root)) {
            found.extend(circles::circles(root, &files));
        }
        // The crate of the end-to-end tests is a folder of tests itself.
        let tests = if folder == "tests" { "tests/" } else { &format!("{folder}/tests/") };
        found.extend(left_out(tests, &sources(tests)));
    }
    let crates: Vec<&str> = folders().filter_map(|folder| folder.strip_prefix("crates/")).collect();
    found.extend(trees::run(&root, &crates)?);

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

/// Every file of tests stands in the one program of its folder: others are never compiled.
fn left_out(folder: &str, files: &[(String, String)]) -> Vec<Violation> {
    let main = format!("{folder}main.rs");
    let main = files.iter().find(|(path, _)| *path == main).map_or("", |(_, text)| text);
    let in_main = |name: &str| main.lines().any(|line| line.trim() == format!("mod {name};"));
    let names = files.iter().filter_map(|(path, _)| {
        let name = path.strip_prefix(folder)?.strip_suffix(".rs")?;
        // The crate of the end-to-end tests has a library.
        let other = name.contains('/') || ["main", "support"].contains(&name) || in_main(name);
        (!other).then_some(path)
    });
    names.map(|path| at(path, 1, format!("is no module of {folder}main.rs"))).collect()
}

/// No large file.
fn too_large(path: &str, bytes: u64) -> Option<Violation> {
    let kib = bytes.div_ceil(1024);
    (kib > LARGEST).then(|| at(path, 1, format!("{kib} KiB: the most is {LARGEST} KiB")))
}

#[cfg(test)]
mod tests;
