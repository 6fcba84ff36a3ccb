//! Rules of the crates' manifests: arrows and features.

use super::violation::{Violation, at};

/// The crates that a crate stands on: it may depend on these and on all below them.
const ARROWS: &[(&str, &[&str])] = &[
    ("kernels", &[]),
    ("core", &["kernels"]),
    ("assist", &["core"]),
    ("classification", &["core"]),
    ("rl", &["core"]),
    ("gan", &["classification"]),
    ("sequence", &["classification"]),
    ("detection", &["classification"]),
    ("segmentation", &["detection"]),
    ("tracking", &["detection"]),
    ("text", &["classification", "sequence"]),
    ("presets", &["sequence"]),
    // Takes in the source of kernels' raw layer, without its crate.
    ("sanitize", &[]),
];

/// The crates of tasks: those that have models, a command line and a page to confirm on.
pub const TASKS: &[&str] = &[
    "classification",
    "detection",
    "segmentation",
    "tracking",
    "text",
    "sequence",
    "gan",
    "rl",
    "presets",
];

/// The backends: a feature of every crate, so that a choice reaches all of them.
const BACKENDS: &[&str] = &["flex", "ndarray", "cuda", "vulkan"];

/// Features that a crate may have beside the backends.
const OTHER_FEATURES: &[&str] = &["allocator", "cli", "default", "serve", "store"];

/// Arrows between crates go one way, and the page reaches binaries only.
pub fn arrows(path: &str, text: &str) -> Vec<Violation> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(_) => return vec![at(path, 1, "is not TOML")],
    };
    let package = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str());
    // The tests drive everything; a page without a package is the workspace's own.
    let Some(package) = package.filter(|name| *name != "tenfold-tests") else { return Vec::new() };
    let name = package.strip_prefix("tenfold-").unwrap_or(package);
    if package != "xtask" && !ARROWS.iter().any(|(known, _)| *known == name) {
        return vec![at(path, 1, format!("{package}: no arrow is known for this crate"))];
    }
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
            } else if !is_below(other, name) {
                found.push(at(path, line, format!("no arrow from {other} to {name}")));
            }
        }
    }
    found
}

/// Whether the arrows lead from `lower` up to `upper`.
fn is_below(lower: &str, upper: &str) -> bool {
    let stands_on = ARROWS.iter().filter(|(name, _)| *name == upper).flat_map(|(_, on)| *on);
    stands_on.into_iter().any(|next| *next == lower || is_below(lower, next))
}

/// The first line that starts with `start`, counted from 1.
fn line_of(text: &str, start: &str) -> usize {
    text.lines().position(|line| line.trim_start().starts_with(start)).map_or(1, |i| i + 1)
}

/// Every crate has the same features: the backends, each passed on to the crates below.
pub fn features(path: &str, text: &str) -> Vec<Violation> {
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
