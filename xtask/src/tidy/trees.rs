//! Rules of what is built: read from `cargo tree`, so that nothing has to be.

use super::violation::{Violation, at};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What no library user of one family builds: a command line, a web server, SQLite, an allocator.
const FOR_PROGRAMS: &[&str] =
    &["axum", "clap", "libmimalloc-sys", "libsqlite3-sys", "mimalloc", "rusqlite", "tower"];

/// Packages as `cargo tree` names them, each with the lists of features that it is used with.
type Tree = BTreeMap<String, BTreeSet<String>>;

/// Checks the crates of these names, `kernels` for `tenfold-kernels`.
pub fn run(root: &Path, crates: &[&str]) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    // A test or a program may ask for more features than the library: all of them count.
    let whole = tree(root, &["--workspace", "-e", "normal,build,dev"])?;
    for name in crates {
        let package = format!("tenfold-{name}");
        let path = format!("crates/{name}/Cargo.toml");
        // `assist` is the page itself.
        let lean = ["-p", &package, "-e", "normal", "--no-default-features", "--features", "flex"];
        if *name != "assist" {
            found.extend(lean_library(&path, &tree(root, &lean)?));
        }
        // Who uses kernels alone in a program of their own does not want the features of the rest.
        if *name != "kernels" {
            let own = tree(root, &["-p", &package, "-e", "normal,build"])?;
            found.extend(built_twice(&path, &own, &whole));
        }
    }
    Ok(found)
}

/// What `cargo tree` says.
fn tree(root: &Path, which: &[&str]) -> Result<Tree> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let format = ["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}"];
    let ran = Command::new(cargo).args(format).args(which).current_dir(root).output();
    let ran = ran.context("cargo tree")?;
    ensure!(ran.status.success(), "cargo tree: {}", String::from_utf8_lossy(&ran.stderr).trim());
    Ok(read(&String::from_utf8_lossy(&ran.stdout)))
}

/// Lines such as `serde v1.0.229|default,std (*)`.
fn read(text: &str) -> Tree {
    let mut tree = Tree::new();
    for (package, features) in text.lines().filter_map(|line| line.split_once('|')) {
        let features = features.trim_end_matches("(*)").trim().to_owned();
        tree.entry(package.to_owned()).or_default().insert(features);
    }
    tree
}

/// The library without its program.
fn lean_library(path: &str, tree: &Tree) -> Vec<Violation> {
    let name = |package: &String| package.split(' ').next().unwrap_or("").to_owned();
    let heavy = tree.keys().map(name).filter(|name| FOR_PROGRAMS.contains(&name.as_str()));
    let say = |name| at(path, 1, format!("the library alone (feature `flex`) builds {name}"));
    heavy.map(say).collect()
}

/// Every crate uses what others made with the features that the workspace uses it with: else all
/// that stands on it, Burn above all, is built a second time for `-p CRATE`.
fn built_twice(path: &str, own: &Tree, whole: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    // The workspace's own crates stand with their folder; they are quick to build.
    for (package, features) in own.iter().filter(|(package, _)| !package.contains("(/")) {
        let everywhere = whole.get(package).cloned().unwrap_or_default();
        for features in features.difference(&everywhere) {
            let other = everywhere.iter().cloned().collect::<Vec<_>>().join(" and ");
            found.push(at(
                path,
                1,
                format!("{package} is built twice: with {features} here, with {other} elsewhere"),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_lean() {
        let tree = read("tenfold-core v0.1.0 (/a/core)|flex\nclap_lex v1.1.0|\nburn v0.22.1|std\n");
        assert_eq!(lean_library("Cargo.toml", &tree), []);
        for heavy in
            ["clap v4.6.0|derive,std", "libsqlite3-sys v0.40.0|bundled (*)", "axum v0.8.1|"]
        {
            let tree = read(&format!("burn v0.22.1|std\n{heavy}\n{heavy}\n"));
            assert_eq!(lean_library("Cargo.toml", &tree).len(), 1, "{heavy}");
        }
    }

    #[test]
    fn features_agree() {
        let whole = read(
            "tenfold-core v0.1.0 (/a/core)|default,flex\nsyn v2.0.1|full\nsyn v2.0.1|full,visit (*)\n\
             serde v1.0.2|std\n",
        );
        let check = |own: &str| built_twice("Cargo.toml", &read(own), &whole);
        assert_eq!(check("tenfold-core v0.1.0 (/a/core)|flex\nsyn v2.0.1|full\n"), []);
        assert_eq!(check("serde v1.0.2|std (*)\n"), []);
        let twice = check("serde v1.0.2|\nsyn v2.0.1|visit\n");
        assert_eq!(twice.len(), 2);
        assert!(twice[0].message.contains("serde v1.0.2 is built twice"), "{twice:?}");
        assert_eq!(check("other v1.0.0|std\n").len(), 1);
    }
}
