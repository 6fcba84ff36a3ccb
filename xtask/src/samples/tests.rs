//! What is written can be read, is the same each time, and is what the READMEs ask for.

use super::*;
use std::collections::BTreeMap;
use std::fs;

/// Every file below a folder.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_string_lossy().replace('\\', "/");
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn every_sample_is_written_and_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let lines = write(dir.path(), false).unwrap();
    assert_eq!(lines.len(), SAMPLES.len());
    for (Sample { name, .. }, line) in SAMPLES.iter().zip(&lines) {
        let path = dir.path().join(name);
        assert!(path.exists(), "{name}");
        assert!(line.contains(&*path.to_string_lossy()) && line.contains("cargo "), "{line}");
    }
    for (name, bytes) in tree(dir.path()) {
        if name.ends_with(".png") {
            let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            let most = pixels.iter().max().unwrap();
            assert!(most - pixels.iter().min().unwrap() > 100, "{name}: nothing is drawn");
            continue;
        }
        let text = String::from_utf8(bytes).unwrap();
        let columns = |line: &str| {
            // A comma between quotes separates nothing.
            let plain: String = line.split('"').step_by(2).collect();
            plain.matches(if name.ends_with(".tsv") { '\t' } else { ',' }).count()
        };
        let wide = columns(text.lines().next().unwrap());
        if name.ends_with(".csv") || name.ends_with(".tsv") {
            assert!(wide > 0 && text.lines().all(|line| columns(line) == wide), "{name}");
        }
        if name.starts_with("boxes/labels/") {
            for line in text.lines() {
                let numbers: Vec<f32> = line.split(' ').map(|n| n.parse().unwrap()).collect();
                let [class, x, y, width, height] = numbers[..] else { panic!("{name}: {line}") };
                assert!(class < 3.0 && x - width / 2.0 >= 0.0 && y + height / 2.0 <= 1.0);
                assert!(width > 0.1 && height > 0.1, "{name}: {line}");
            }
        }
    }
}

#[test]
fn a_second_time_is_refused_and_gives_the_same() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), false).unwrap();
    let first = tree(dir.path());
    let refused = write(dir.path(), false).unwrap_err().to_string();
    assert!(refused.contains("digit.png") && refused.contains("--overwrite"), "{refused}");
    fs::write(dir.path().join("digit.png"), "changed").unwrap();
    fs::write(dir.path().join("photos/own.png"), "a person's").unwrap();
    write(dir.path(), true).unwrap();
    let mut second = tree(dir.path());
    assert_eq!(second.remove("photos/own.png").unwrap(), b"a person's");
    assert!(first == second);
}

/// Every path below `samples/` that a README names is written, and the command of every sample
/// stands in one.
#[test]
fn the_readmes_name_the_samples() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), false).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let crates = fs::read_dir(root.join("crates")).unwrap();
    let pages = crates.map(|entry| entry.unwrap().path().join("README.md"));
    let pages = pages.chain([root.join("README.md"), root.join("README.zh.md")]);
    let pages: Vec<String> = pages.filter_map(|page| fs::read_to_string(page).ok()).collect();
    let mut named = Vec::new();
    for page in &pages {
        for (start, _) in page.match_indices("samples/") {
            let rest = &page[start + "samples/".len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"._-/".contains(c));
            named.push(rest[..end.unwrap_or(rest.len())].trim_end_matches(['/', '.']));
        }
    }
    for name in &named {
        assert!(dir.path().join(name).exists(), "samples/{name} is not written");
    }
    for Sample { name, used_by, .. } in SAMPLES {
        let command = used_by.replace("{}", &format!("samples/{name}"));
        assert!(pages.iter().any(|page| page.contains(&command)), "no README has `{command}`");
    }
}
