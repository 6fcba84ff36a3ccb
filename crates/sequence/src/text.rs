//! Text files.

use std::path::Path;
use tenfold_core::data::Input;
use tenfold_core::data::locate::Layout;
use tenfold_core::{Error, Result};

/// The whole of a text file.
///
/// # Errors
/// It cannot be read, is empty, or is not UTF-8: the byte is named.
pub fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    if bytes.is_empty() {
        return Err(Error::file(path, "an empty file; expected text"));
    }
    decode(path, bytes)
}

/// Bytes of `path` as text, without a byte-order mark.
///
/// # Errors
/// They are not UTF-8.
pub fn decode(path: &Path, bytes: Vec<u8>) -> Result<String> {
    let mut text = String::from_utf8(bytes).map_err(|why| {
        let offset = why.utf8_error().valid_up_to();
        let byte = why.as_bytes().get(offset).copied().unwrap_or_default();
        let what = format!("not UTF-8 at byte {offset} (0x{byte:02X}); expected text in UTF-8");
        Error::file(path, what)
    })?;
    if text.starts_with('\u{FEFF}') {
        text.drain(..'\u{FEFF}'.len_utf8());
    }
    Ok(text)
}

/// Refuses a fetched data set of another layout, and names the model that takes it.
pub(crate) fn other_layout(name: &str, layout: &Layout, expected: &str) -> Error {
    let model = match layout {
        Layout::Text => "charlm",
        Layout::TextFolder => "bilstm",
        Layout::ParallelText => "translate",
        Layout::EasyVqa => "vqa",
        _ => {
            let why = format!("{name} has the layout `{layout}`; expected {expected}");
            return Error::argument("--data", why);
        }
    };
    let why =
        format!("{name} has the layout `{layout}`, which `{model}` takes; expected {expected}");
    Error::argument("--data", why)
}

/// The text of an input.
///
/// # Errors
/// It is none.
pub fn of<'a>(input: &&'a Input) -> Result<&'a str> {
    match input {
        Input::Text(text) => Ok(text),
        _ => Err(Error::argument("INPUT", "expected a text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_told_by_its_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let why = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path).unwrap_err().to_string()
        };
        assert!(why(b"caf\xE9 noir").contains("not UTF-8 at byte 3 (0xE9)"));
        assert!(why(b"").contains("an empty file"));
        let why = other_layout("multi30k", &Layout::ParallelText, "texts in classes").to_string();
        assert!(why.contains("multi30k has the layout `parallel-text`, which `translate` takes"));
        std::fs::write(&path, "\u{FEFF}caf\u{e9}").unwrap();
        assert_eq!(read(&path).unwrap(), "caf\u{e9}");
    }
}
