//! Rules of the pages for people: tables and commands.

use super::violation::{Violation, at};

/// Each name has a table row in the page.
pub fn tables(path: &str, text: &str, what: &str, names: &[String]) -> Vec<Violation> {
    let in_a_row = |name: &str| {
        let cell = format!("| `{name}`");
        text.lines().any(|line| line.trim_start().starts_with('|') && line.contains(&cell))
    };
    let missing = names.iter().filter(|name| !in_a_row(name));
    missing.map(|name| at(path, 1, format!("no table row has the {what} `{name}`"))).collect()
}

/// The commands of a page: the lines of its shell blocks, with their line numbers.
pub fn shell_lines(text: &str) -> Vec<(usize, String)> {
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
pub fn commands(path: &str, text: &str, other_path: &str, other: &str) -> Vec<Violation> {
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
