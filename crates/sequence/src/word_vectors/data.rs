//! A text, a sentence a line.

use crate::config::DataChoice;
use crate::text;
use crate::vocab::{UNKNOWN, Vocabulary};
use std::path::Path;
use tenfold_core::data::locate::{self, Place};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::{Error, Result};

/// The embedded text: plain sentences about families and towns.
pub const KIN: &str = "kin";

/// A text, a sentence a line.
pub struct Corpus(pub String);

/// The text of a data set, a sentence a line.
///
/// # Errors
/// There is none, or it is no text.
pub fn open(choice: &DataChoice, data_dir: &Path) -> Result<Corpus> {
    let text = if choice.name == KIN {
        kin()
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
        text::read(&path)?
    };
    Ok(Corpus(match choice.limit {
        None => text,
        Some(limit) => text.chars().take(limit).collect(),
    }))
}

/// The known words of each line.
pub(super) fn sentences(text: &str, words: &Vocabulary) -> Vec<Vec<u32>> {
    let known = |line: &str| {
        let numbers = words.encode(line).into_iter().filter(|&number| number != UNKNOWN);
        numbers.map(|number| number as u32).collect::<Vec<u32>>()
    };
    text.lines().map(known).filter(|sentence| sentence.len() > 1).collect()
}

/// 12,000 sentences in which words of two genders and three ages stand in the same places.
pub(super) fn kin() -> String {
    const PEOPLE: [[&str; 2]; 8] = [
        ["man", "woman"],
        ["king", "queen"],
        ["father", "mother"],
        ["brother", "sister"],
        ["prince", "princess"],
        ["uncle", "aunt"],
        ["grandfather", "grandmother"],
        ["actor", "actress"],
    ];
    /// What each of them does, and where.
    const DOES: [[&str; 2]; 8] = [
        ["walks", "street"],
        ["rules", "throne"],
        ["cooks", "kitchen"],
        ["plays", "garden"],
        ["rides", "castle"],
        ["visits", "town"],
        ["rests", "armchair"],
        ["speaks", "stage"],
    ];
    const HIS: [[&str; 2]; 4] =
        [["he", "she"], ["his", "her"], ["him", "her"], ["himself", "herself"]];
    const WEARS: [[&str; 2]; 3] = [["beard", "skirt"], ["tie", "dress"], ["waistcoat", "blouse"]];
    const DAYS: [&str; 4] = ["today", "again", "every morning", "at noon"];
    let mut random = SplitMix64::new(0x6B_696E);
    let mut text = String::new();
    for _ in 0..12_000 {
        let (person, gender) = (random.below(PEOPLE.len()), random.below(2));
        let name = PEOPLE[person][gender];
        let [does, place] = DOES[person];
        let day = DAYS[random.below(DAYS.len())];
        let wears = WEARS[random.below(WEARS.len())][gender];
        let (he, his, himself) = (HIS[0][gender], HIS[1][gender], HIS[3][gender]);
        text += &match random.below(5) {
            0 => format!("the {name} {does} in the {place} {day}\n"),
            1 => format!("{he} is a {name} and {he} {does} by {himself}\n"),
            2 => format!("the {name} likes {his} {wears} {day}\n"),
            3 => format!("in the {place} the {name} {does} and {he} sings\n"),
            _ => format!("that {name} has {his} {wears} from the {place}\n"),
        };
    }
    text
}
