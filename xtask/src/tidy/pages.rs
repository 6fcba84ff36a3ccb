//! Rules of the pages for people: tables, commands, links, length.

use super::violation::{Violation, at};

/// The most lines of the first page that people read.
const LONGEST: usize = 200;
/// The most KiB of an image on a page.
const HEAVIEST: u64 = 100;

/// Each name has a table row in the page.
pub fn tables(path: &str, text: &str, what: &str, names: &[String]) -> Vec<Violation> {
    let in_a_row = |name: &str| {
        let cell = format!("| `{name}`");
        text.lines().any(|line| line.trim_start().starts_with('|') && line.contains(&cell))
    };
    let missing = names.iter().filter(|name| !in_a_row(name));
    missing.map(|name| at(path, 1, format!("no table row has the {what} `{name}`"))).collect()
}

/// The first page stays short.
pub fn too_long(path: &str, text: &str) -> Option<Violation> {
    let lines = text.lines().count();
    let message =
        || format!("{lines} lines: the most is {LONGEST}; details go to crates/X/README.md");
    (lines > LONGEST).then(|| at(path, LONGEST + 1, message()))
}

/// Every link leads to something in the repository, and to a heading where it names one; every
/// image is small. `page` is the text of a path, none where nothing is there; `bytes` its length.
pub fn links(
    path: &str,
    text: &str,
    page: impl Fn(&str) -> Option<String>,
    bytes: impl Fn(&str) -> u64,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (target, image) in targets(line) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            if target.contains(':') || target.is_empty() {
                continue;
            }
            let file = if file.is_empty() { path.to_owned() } else { beside(path, file) };
            let Some(there) = page(&file) else {
                found.push(at(path, number, format!("links to {file}, which is not there")));
                continue;
            };
            if !heading.is_empty() && !headings(&there).any(|known| known == heading) {
                found.push(at(path, number, format!("{file} has no heading #{heading}")));
            }
            let kib = bytes(&file).div_ceil(1024);
            if image && kib > HEAVIEST {
                let message = format!("{file} has {kib} KiB: an image has at most {HEAVIEST}");
                found.push(at(path, number, message));
            }
        }
    }
    found
}

/// Where the links of a line lead, and whether each is an image's: `[..](..)`, `![..](..)` and
/// `<img src="..">`.
fn targets(line: &str) -> impl Iterator<Item = (&str, bool)> {
    let links = line.match_indices("](").map(|(i, _)| {
        let target = line[i + 2..].split([')', ' ']).next().unwrap_or("");
        (target, line[..i].rfind('[').is_some_and(|open| line[..open].ends_with('!')))
    });
    let images = line.split("<img ").skip(1).filter_map(|tag| tag.split_once("src=\""));
    links.chain(images.map(|(_, rest)| (rest.split('"').next().unwrap_or(""), true)))
}

/// The path that a link on a page means.
fn beside(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The headings of a page as links name them: small letters, blanks as hyphens, no other signs.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let lines = prose(text).into_iter().filter(|(_, line)| line.starts_with('#'));
    lines.map(|(_, line)| {
        let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        title.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    })
}

/// The lines outside code blocks, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let outside = |(_, line): &(usize, &str)| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    (1..).zip(text.lines()).filter(outside).collect()
}

/// The commands of a page, with their line numbers: the lines of its shell blocks, and what
/// begins with `cargo` between backquotes.
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
        if fence.is_none() {
            let spans = line.split('`').skip(1).step_by(2);
            let spans = spans.filter(|span| span.starts_with("cargo "));
            lines.extend(spans.map(|span| (i + 1, span.to_owned())));
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
