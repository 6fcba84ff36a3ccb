//! Sentences and their translations.

use crate::config::{Columns, DataChoice};
use crate::splits::Splits;
use crate::text;
use std::path::{Path, PathBuf};
use tenfold_core::data::locate::{self, Fetched, Place};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::progress::note;
use tenfold_core::{Error, Result};

/// The embedded pairs: numbers in words, from English into German.
pub const NUMBERS: &str = "numbers";

/// From which language into which.
pub type Languages = (String, String);

/// A sentence and its translation.
pub type Pair = (String, String);

/// Pairs to learn from, to choose by and to judge by.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// From which language into which, where that is known.
    pub languages: Option<Languages>,
    /// The pairs.
    pub splits: Splits<Vec<Pair>>,
    /// The pairs that are left out because one of their sides is empty, a line for each.
    pub skipped: Vec<String>,
}

/// Opens the embedded `numbers`; a fetched data set of parallel text, or a folder with
/// `train.de`, `train.en`, `val.de` and so on; or a file of two columns or more with tabs
/// between, of which a tenth validates and a tenth tests.
///
/// # Errors
/// Data that is not there or no text; languages that it lacks; sides of different lengths.
pub fn open(choice: &DataChoice, data_dir: &Path) -> Result<Pairs> {
    let languages = choice.pair.as_deref().map(languages).transpose()?;
    let (languages, mut splits) = if choice.name == NUMBERS {
        let own = ("en".to_string(), "de".to_string());
        let reversed = match &languages {
            None => false,
            Some(asked) if *asked == own => false,
            Some((from, to)) if (to, from) == (&own.0, &own.1) => true,
            Some(_) => return Err(Error::argument("--pair", "numbers has en-de and de-en")),
        };
        let all = (0..10_000).map(|n| match reversed {
            false => (english(n), german(n)),
            true => (german(n), english(n)),
        });
        (Some(languages.unwrap_or(own)), split(all.collect(), choice.seed))
    } else {
        match locate::locate(&choice.name, data_dir)? {
            Place::File(path) => (languages, split(columns(&path, &choice.columns)?, choice.seed)),
            Place::Folder(folder) => parallel(&Source::Folder(folder), languages)?,
            Place::Fetched(fetched) if fetched.layout == "parallel-text" => {
                parallel(&Source::Fetched(fetched), languages)?
            }
            Place::Fetched(fetched) => {
                let expected = "pairs of sentences";
                return Err(text::other_layout(&choice.name, &fetched.layout, expected));
            }
        }
    };
    if let Some(limit) = choice.limit {
        splits.train.truncate(limit);
    }
    let usable = |(source, target): &Pair| !source.trim().is_empty() && !target.trim().is_empty();
    let left_out = |(source, target): &Pair| {
        let (empty, other) =
            if source.trim().is_empty() { ("source", target) } else { ("target", source) };
        format!("an empty {empty} beside `{}`", other.trim())
    };
    let skipped = splits.all().into_iter().flatten().filter(|pair| !usable(pair));
    let skipped = skipped.map(left_out).collect();
    splits.all_mut().into_iter().for_each(|pairs| pairs.retain(usable));
    if splits.all().iter().any(|pairs| pairs.is_empty()) {
        let why = format!(
            "{}: too few pairs for a training, a validation and a test split; expected 10 or more",
            choice.name
        );
        return Err(Error::argument("--data", why));
    }
    Ok(Pairs { languages, splits, skipped })
}

fn languages(pair: &str) -> Result<(String, String)> {
    match pair.split_once('-') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() && from != to => {
            Ok((from.into(), to.into()))
        }
        _ => {
            let why = format!("`{pair}`; expected two languages such as de-en");
            Err(Error::argument("--pair", why))
        }
    }
}

/// A tenth validates and a tenth tests.
fn split(mut all: Vec<Pair>, seed: u64) -> Splits<Vec<Pair>> {
    SplitMix64::new(seed).shuffle(&mut all);
    let held = all.len() / 10;
    let test = all.split_off(all.len() - held);
    let validation = all.split_off(all.len() - held);
    Splits { train: all, validation, test }
}

/// The pairs of a file with tabs between its columns. Where `asked` leaves it open, the first
/// two columns that are not numbers of sentences are source and translation; others, such as
/// the licence in files of Tatoeba, are left out, and that is said.
fn columns(path: &Path, asked: &Columns) -> Result<Vec<Pair>> {
    let text = text::read(path)?;
    let delimiter = asked.delimiter.unwrap_or('\t');
    let rows: Vec<(usize, Vec<&str>)> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| (number + 1, line.split(delimiter).collect()))
        .collect();
    let width = rows.first().map_or(0, |(_, cells)| cells.len());
    let counts = |column: &usize| {
        let number = |(_, cells): &(usize, Vec<&str>)| {
            cells.get(*column).is_some_and(|cell| cell.trim().parse::<u64>().is_ok())
        };
        width > 2 && rows.iter().all(number)
    };
    let mut found = (0..width).filter(|column| !counts(column));
    let mut column = |flag: &'static str, name: &Option<String>| match name {
        None => Ok(found.next().unwrap_or(width)),
        Some(name) => {
            let number = name.parse::<usize>().ok().filter(|n| (1..=width).contains(n));
            let why = || format!("`{name}`; expected a column's number from 1 to {width}");
            number.map(|number| number - 1).ok_or_else(|| Error::argument(flag, why()))
        }
    };
    let (source, target) = (column("--text", &asked.text)?, column("--target", &asked.target)?);
    let pair = |(number, cells): &(usize, Vec<&str>)| match (cells.get(source), cells.get(target)) {
        (Some(&source), Some(&target)) => Ok((source.into(), target.into())),
        _ => {
            let why = "expected two texts with one tab between them";
            Err(Error::file(path, format!("line {number}: {why}")))
        }
    };
    let pairs = rows.iter().map(pair).collect::<Result<Vec<Pair>>>()?;
    let left = (0..width).find(|column| ![source, target].contains(column));
    if let (Some(left), true) = (left, asked.text.is_none() || asked.target.is_none()) {
        note(format_args!(
            "{}: {width} columns; {} is the text and {} its translation, the others are left \
             out, such as `{:.40}` (--text and --target say otherwise)",
            path.display(),
            source + 1,
            target + 1,
            rows[0].1[left].trim()
        ));
    }
    Ok(pairs)
}

/// Where the two sides of parallel text are.
enum Source {
    Folder(PathBuf),
    Fetched(Fetched),
}

impl Source {
    /// The file of a split in a language.
    fn file(&self, splits: &[&str], language: &str) -> Result<PathBuf> {
        match self {
            Self::Fetched(fetched) => {
                let split = splits.iter().find(|split| fetched.has(split)).unwrap_or(&splits[0]);
                if !fetched.fields(split).contains(&language) {
                    let has = fetched.fields(split).join(", ");
                    let why = format!("no language `{language}`; there are {has}");
                    return Err(Error::argument("--pair", why));
                }
                fetched.path(split, language)
            }
            Self::Folder(folder) => {
                let files = splits.iter().map(|split| folder.join(format!("{split}.{language}")));
                let mut files: Vec<PathBuf> = files.collect();
                let found = files.iter().position(|file| file.is_file());
                match found {
                    Some(place) => Ok(files.swap_remove(place)),
                    None => {
                        let why = format!("no {}.{language}; expected a file of lines", splits[0]);
                        Err(Error::file(folder, why))
                    }
                }
            }
        }
    }
}

fn parallel(
    source: &Source,
    languages: Option<Languages>,
) -> Result<(Option<Languages>, Splits<Vec<Pair>>)> {
    let (from, to) = languages.ok_or_else(|| {
        Error::argument("--pair", "not given; expected the languages, such as --pair de-en")
    })?;
    let read = |splits: &[&str]| {
        let [first, second] = [&from, &to].map(|language| source.file(splits, language));
        let (first, second) = (first?, second?);
        let (sources, targets) = (text::read(&first)?, text::read(&second)?);
        let (left, right) = (sources.lines().count(), targets.lines().count());
        if left != right {
            let other = first.display();
            let why = format!("{right} lines, and {other} has {left}; expected as many");
            return Err(Error::file(&second, why));
        }
        let pairs = sources.lines().zip(targets.lines());
        Ok(pairs.map(|(source, target)| (source.into(), target.into())).collect::<Vec<Pair>>())
    };
    let (train, validation) = (read(&["train"])?, read(&["val", "validation", "valid"])?);
    let splits = Splits { train, validation, test: read(&["test"])? };
    Ok((Some((from, to)), splits))
}

const ONES: [(&str, &str); 20] = [
    ("zero", "null"),
    ("one", "eins"),
    ("two", "zwei"),
    ("three", "drei"),
    ("four", "vier"),
    ("five", "f\u{fc}nf"),
    ("six", "sechs"),
    ("seven", "sieben"),
    ("eight", "acht"),
    ("nine", "neun"),
    ("ten", "zehn"),
    ("eleven", "elf"),
    ("twelve", "zw\u{f6}lf"),
    ("thirteen", "dreizehn"),
    ("fourteen", "vierzehn"),
    ("fifteen", "f\u{fc}nfzehn"),
    ("sixteen", "sechzehn"),
    ("seventeen", "siebzehn"),
    ("eighteen", "achtzehn"),
    ("nineteen", "neunzehn"),
];
const TENS: [(&str, &str); 8] = [
    ("twenty", "zwanzig"),
    ("thirty", "drei\u{df}ig"),
    ("forty", "vierzig"),
    ("fifty", "f\u{fc}nfzig"),
    ("sixty", "sechzig"),
    ("seventy", "siebzig"),
    ("eighty", "achtzig"),
    ("ninety", "neunzig"),
];

/// A number below 10,000 in English words.
fn english(n: usize) -> String {
    let mut words = Vec::new();
    for (unit, name) in [(1000, "thousand"), (100, "hundred")] {
        let digit = n / unit % 10;
        if digit > 0 {
            words.extend([ONES[digit].0, name]);
        }
    }
    match n % 100 {
        0 if n > 0 => {}
        rest if rest < 20 => words.push(ONES[rest].0),
        rest => {
            words.push(TENS[rest / 10 - 2].0);
            words.extend((rest % 10 > 0).then(|| ONES[rest % 10].0));
        }
    }
    words.join(" ")
}

/// A number below 10,000 in German words, which are set apart; the ones come before the tens.
fn german(n: usize) -> String {
    let one = |n: usize| if n == 1 { "ein" } else { ONES[n].1 };
    let mut words = Vec::new();
    for (unit, name) in [(1000, "tausend"), (100, "hundert")] {
        let digit = n / unit % 10;
        if digit > 0 {
            words.extend([one(digit), name]);
        }
    }
    match n % 100 {
        0 if n > 0 => {}
        rest if rest < 20 => words.push(ONES[rest].1),
        rest if rest % 10 == 0 => words.push(TENS[rest / 10 - 2].1),
        rest => words.extend([one(rest % 10), "und", TENS[rest / 10 - 2].1]),
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(name: &str, pair: Option<&str>) -> DataChoice {
        DataChoice { pair: pair.map(Into::into), ..DataChoice::new(name) }
    }

    #[test]
    fn numbers_in_both_languages() {
        assert_eq!(english(2347), "two thousand three hundred forty seven");
        assert_eq!(german(2347), "zwei tausend drei hundert sieben und vierzig");
        assert_eq!((english(0), german(0)), ("zero".into(), "null".into()));
        assert_eq!(
            (english(1101), german(1121)),
            (
                "one thousand one hundred one".into(),
                "ein tausend ein hundert ein und zwanzig".into()
            )
        );
        assert_eq!(german(90), "neunzig");
        let pairs = open(&choice(NUMBERS, Some("de-en")), Path::new("")).unwrap();
        assert_eq!(pairs.splits.all().map(Vec::len), [8000, 1000, 1000]);
        assert!(pairs.splits.train.iter().all(|(german, _)| !german.contains("forty")));
        assert!(open(&choice(NUMBERS, Some("fr-en")), Path::new("")).is_err());
    }

    #[test]
    fn sides_of_different_lengths_and_other_faults_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        for split in ["train", "val", "test"] {
            put(&format!("{split}.de"), "Ein Hund.\nEine Katze.\n");
            put(&format!("{split}.en"), "A dog.\nA cat.\n");
        }
        let name = folder.path().to_str().unwrap();
        let why = |pair| open(&choice(name, pair), Path::new("")).unwrap_err().to_string();
        assert_eq!(
            open(&choice(name, Some("de-en")), Path::new("")).unwrap().splits.train.len(),
            2
        );
        assert!(why(None).contains("--pair de-en"));
        assert!(why(Some("deen")).contains("`deen`; expected two languages"));
        assert!(why(Some("de-fr")).contains("no train.fr"));
        put("val.en", "A dog.\n");
        let faulty = why(Some("de-en"));
        assert!(faulty.contains("val.en: 1 lines") && faulty.contains("has 2"), "{faulty}");
        put("two.tsv", "Hund\tdog\nKatze\n");
        let file = folder.path().join("two.tsv");
        let why = open(&choice(file.to_str().unwrap(), None), Path::new("")).unwrap_err();
        assert!(why.to_string().contains("line 2: expected two texts"), "{why}");
    }

    #[test]
    fn further_columns_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("three.tsv");
        let read = |row: &dyn Fn(usize) -> String, columns: Columns| {
            std::fs::write(&file, (0..20).map(row).collect::<String>()).unwrap();
            let choice = DataChoice { columns, ..DataChoice::new(file.to_str().unwrap()) };
            let mut pairs = open(&choice, Path::new("")).map(|pairs| pairs.splits.train)?;
            pairs.sort();
            Ok::<Pair, Error>(pairs.swap_remove(0))
        };
        let expected = ("Go 0.".to_string(), "Geh 0.".to_string());
        let licence = |i: usize| format!("Go {i}.\tGeh {i}.\tCC-BY 2.0 (France) #{i}\n");
        assert_eq!(read(&licence, Columns::default()).unwrap(), expected);
        // As Tatoeba numbers its sentences.
        let numbered = |i: usize| format!("{}\tGo {i}.\t{}\tGeh {i}.\n", i + 12, i + 77);
        assert_eq!(read(&numbered, Columns::default()).unwrap(), expected);
        let number = |number: &str| Some(number.to_string());
        let back = Columns { text: number("2"), target: number("1"), ..Columns::default() };
        assert_eq!(read(&licence, back).unwrap(), (expected.1, expected.0));
        let none = Columns { target: number("4"), ..Columns::default() };
        let why = read(&licence, none).unwrap_err().to_string();
        assert!(why.contains("--target: `4`; expected a column's number from 1 to 3"), "{why}");
    }
}
