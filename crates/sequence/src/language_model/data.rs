//! A text, and its part that is held out.

use crate::config::DataChoice;
use crate::text;
use std::path::Path;
use tenfold_core::data::locate::{self, Place};
use tenfold_core::{Error, Result};

/// The text that is learnt where none is named: five short rhymes, for a first try.
const EMBEDDED: &str = include_str!("rhymes.txt");
/// Its name.
pub const RHYMES: &str = "rhymes";

/// A text in its two parts.
pub struct Text {
    /// As `--data` names it.
    pub name: String,
    /// To learn from.
    pub train: String,
    /// The last tenth, to choose the epoch by and to judge by.
    pub held_out: String,
}

/// Opens the embedded rhymes, a text file, or a fetched text; the last tenth is held out.
///
/// # Errors
/// There is none, it is no text, or too short.
pub fn open(choice: &DataChoice, data_dir: &Path) -> Result<Text> {
    let (text, path) = if choice.name == RHYMES {
        (EMBEDDED.to_string(), RHYMES.into())
    } else {
        let path = match locate::locate(&choice.name, data_dir)? {
            Place::File(path) => path,
            Place::Fetched(fetched) if fetched.layout == "text" => fetched.path("train", "file")?,
            Place::Fetched(fetched) => {
                return Err(text::other_layout(&choice.name, &fetched.layout, "one text"));
            }
            Place::Folder(_) => {
                let why = format!("`{}` is a folder; expected a text file", choice.name);
                return Err(Error::argument("--data", why));
            }
        };
        (text::read(&path)?, path)
    };
    let characters = text.chars().count();
    let kept = choice.limit.map_or(characters, |limit| limit.min(characters));
    let held = kept / 10;
    if held < 2 {
        let why = format!("{kept} characters; expected 20 or more");
        return Err(match choice.limit {
            Some(_) => Error::argument("--limit", why),
            None => Error::file(path, why),
        });
    }
    let train = text.chars().take(kept - held).collect();
    let held_out = text.chars().skip(kept - held).take(held).collect();
    Ok(Text { name: choice.name.clone(), train, held_out })
}
