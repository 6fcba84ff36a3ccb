//! What there is in a queue: images in folders, rows of a table, texts.

use serde::Deserialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tenfold_core::data::csv::Table;
use tenfold_core::data::{Kind, folder};
use tenfold_core::progress::note;
use tenfold_core::store::{Content, Store};
use tenfold_core::suggest::Propose;
use tenfold_core::{Error, Result, files};

/// The deepest folder below the queue's that is looked into.
const DEEPEST: usize = 16;

/// Adds to the store what is new in the queue.
pub fn fill(store: &Store, queue: &Path, model: &dyn Propose) -> Result<()> {
    match &store.origin().kind {
        Kind::Rows { columns, schema } if queue.is_file() => {
            let rows = Table::read_rows(queue, columns, schema.as_ref())?;
            let names: Vec<String> = (1..=rows.len()).map(|row| format!("row {row}")).collect();
            store
                .add_items(names.iter().map(String::as_str).zip(rows.into_iter().map(Content::Row)))
        }
        Kind::Images { .. } if queue.is_dir() => {
            let mut names = Vec::new();
            images(queue, queue, DEEPEST, &mut names)?;
            store.add_items(names.iter().map(|name| (&name[..], Content::File)))
        }
        Kind::Texts if queue.is_file() => {
            let texts = texts(queue, model)?;
            store.add_items(
                texts.iter().map(|(name, text)| (&name[..], Content::Text(text.clone()))),
            )
        }
        Kind::Rows { .. } => Err(Error::file(queue, "the run takes rows: expected a .csv file")),
        Kind::Texts => {
            Err(Error::file(queue, "the run takes texts: expected a .txt, .jsonl or .csv file"))
        }
        Kind::Images { .. } => {
            Err(Error::file(queue, "the run takes images: expected a folder of them"))
        }
    }
}

/// The texts of a file with their names: those of a table, as the model reads it, or a line each,
/// which in a `.jsonl` file is a JSON string or an object with `text`, and with `id` where the name
/// is to be that. Empty ones are none.
fn texts(path: &Path, model: &dyn Propose) -> Result<Vec<(String, String)>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Line {
        Text(String),
        Object { text: String, id: Option<String> },
    }
    let json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl"));
    if !json && let Some(rows) = model.texts(path)? {
        let named = (1..).zip(rows).filter(|(_, text)| !text.trim().is_empty());
        return Ok(named.map(|(row, text)| (format!("row {row}"), text)).collect());
    }
    let all = files::read_text(path)?;
    let mut texts = Vec::new();
    for (place, line) in all.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let name = format!("line {}", place + 1);
        let line = match json {
            false => Line::Text(line.into()),
            true => serde_json::from_str(line).map_err(|_| {
                let why = "expected a JSON string, or an object with `text` and perhaps `id`";
                Error::file(path, format!("{name}: {why}"))
            })?,
        };
        match line {
            Line::Text(text) => texts.push((name, text)),
            Line::Object { text, id } => texts.push((id.unwrap_or(name), text)),
        }
    }
    Ok(texts)
}

/// The images below `at`, by their paths below `queue`; links are not followed.
fn images(queue: &Path, at: &Path, depth: usize, names: &mut Vec<String>) -> Result<()> {
    let plain = |path: &PathBuf| !path.is_symlink();
    for path in folder::images_in(at)?.into_iter().filter(plain) {
        // A name that is not UTF-8 could not be told to the page. Part by part, since some systems
        // have files with a backslash in their names, and others have it between names.
        let parts = path.strip_prefix(queue).unwrap_or(&path).iter().map(OsStr::to_str);
        match parts.collect::<Option<Vec<&str>>>() {
            Some(parts) => names.push(parts.join("/")),
            None => note(format_args!("left out {}: its name is not UTF-8", path.display())),
        }
    }
    let inside = std::fs::read_dir(at).map_err(|source| Error::io(at, source))?;
    let mut folders: Vec<PathBuf> = inside.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let hidden = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    for path in folders.into_iter().filter(|path| plain(path) && !hidden(path) && path.is_dir()) {
        if depth == 0 {
            return Err(Error::file(path, "folders within folders, too deep"));
        }
        images(queue, &path, depth - 1, names)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::data::Input;
    use tenfold_core::suggest::Proposal;

    /// Reads the lines of a `.csv` file as rows.
    struct Reader;

    impl Propose for Reader {
        fn kind(&self) -> Kind {
            Kind::Texts
        }
        fn labels(&self) -> &[String] {
            &[]
        }
        fn texts(&self, file: &Path) -> Result<Option<Vec<String>>> {
            let table = file.extension().is_some_and(|ending| ending == "csv");
            let text = files::read_text(file)?;
            Ok(table.then(|| text.lines().map(|line| format!("read {line}")).collect()))
        }
        fn propose(&self, _: &[&Input], _: usize) -> Result<Vec<Proposal>> {
            Ok(Vec::new())
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_backslash_in_a_name_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("d\\e")).unwrap();
        let names = ["a\\b.png", "d\\e/f.png"];
        for name in names {
            image::GrayImage::new(1, 1).save(folder.path().join(name)).unwrap();
        }
        let mut found = Vec::new();
        images(folder.path(), folder.path(), DEEPEST, &mut found).unwrap();
        assert_eq!(found, names);
        for name in found {
            assert!(Store::file(folder.path(), &name).is_ok(), "{name}");
        }
    }

    #[test]
    fn texts_have_the_names_of_their_lines_or_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            texts(&folder.path().join(name), &Reader)
        };
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let plain = at("a.txt", "one\n\n\"two\"\n").unwrap();
        assert_eq!(plain, [pair("line 1", "one"), pair("line 3", "\"two\"")]);
        let lines = "\"one\"\n{\"text\": \"two\"}\n{\"id\": \"t7\", \"text\": \"three\"}\n";
        let json = at("a.jsonl", lines).unwrap();
        let expected = [pair("line 1", "one"), pair("line 2", "two"), pair("t7", "three")];
        assert_eq!(json, expected);
        let rows = at("a.csv", "one\ntwo\n").unwrap();
        assert_eq!(rows, [pair("row 1", "read one"), pair("row 2", "read two")]);
        let why = at("b.jsonl", "\"one\"\n{\"words\": \"two\"}\n").unwrap_err().to_string();
        assert!(why.contains("line 2: expected a JSON string"), "{why}");
    }
}
