//! Texts and what each one is.

use super::table::{Labelled, labelled};
use crate::config::{Columns, DataChoice};
use crate::splits::Splits;
use crate::text;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tenfold_core::data::locate::{self, Place};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::progress::note;
use tenfold_core::{Error, Result};

/// The embedded texts: short opinions, some of them negated by a "not".
pub const OPINIONS: &str = "opinions";
/// Parts of equal size that data without splits is cut into.
pub const FOLDS: usize = 10;

/// A text and the place of its class.
pub type Document = (String, usize);

/// Texts to learn from, to choose by and to judge by.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The texts.
    pub splits: Splits<Vec<Document>>,
    /// How the table was read that they stand in.
    pub columns: Columns,
}

/// Opens the embedded `opinions`, a folder or fetched data set with one subfolder of `.txt`
/// files a class, or a table with a column of labels and one of texts, in UTF-8.
///
/// Data is cut into ten folds: `choice.fold` tests, the one before it (the last before the
/// first) validates. The files of a folder go to folds by their names in order, as those of the
/// film reviews were published: of 1,000 the first 100 are fold 0. Rows of a table are shuffled
/// first. Of files that nothing was learnt from, all are the test split.
///
/// # Errors
/// Data that is not there, no text, or of one class only.
pub fn open(choice: &DataChoice, data_dir: &Path) -> Result<Documents> {
    let fold = match choice.unseen {
        true => None,
        false => Some(choice.fold.unwrap_or(FOLDS - 1)),
    };
    let last = Some(choice.fold.unwrap_or(FOLDS - 1));
    let mut documents = if choice.name == OPINIONS {
        cut(opinions(), vec!["negative".into(), "positive".into()], last)
    } else {
        match locate::locate(&choice.name, data_dir)? {
            Place::File(path) => table(&path, choice, fold)?,
            Place::Folder(folder) => folders(&folder, fold)?,
            Place::Fetched(fetched) if fetched.layout == "text-folder" => {
                folders(&fetched.path("train", "folder")?, last)?
            }
            Place::Fetched(fetched) => {
                let expected = "texts in classes";
                return Err(text::other_layout(&choice.name, &fetched.layout, expected));
            }
        }
    };
    if let Some(limit) = choice.limit {
        documents.splits.train.truncate(limit);
    }
    let enough = |split: &&Vec<Document>| !split.is_empty();
    if !choice.unseen && !documents.splits.all().iter().all(enough) {
        let why = format!(
            "{}: too few texts for a training, a validation and a test split; expected 10 or \
             more of some class",
            choice.name
        );
        return Err(Error::argument("--data", why));
    }
    if !choice.unseen && documents.classes.len() < 2 {
        let why = format!("{}: only one class; expected two or more", choice.name);
        return Err(Error::argument("--data", why));
    }
    Ok(documents)
}

/// Splits documents that are in order into ten folds of each class, or has all of them test.
fn cut(classes: Vec<Vec<String>>, names: Vec<String>, fold: Option<usize>) -> Documents {
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for (class, texts) in classes.into_iter().enumerate() {
        let count = texts.len();
        for (place, text) in texts.into_iter().enumerate() {
            let own = place * FOLDS / count;
            let part = match fold {
                None => 2,
                Some(fold) if own == fold => 2,
                Some(fold) if own == (fold + FOLDS - 1) % FOLDS => 1,
                Some(_) => 0,
            };
            parts[part].push((text, class));
        }
    }
    let [mut train, validation, test] = parts;
    // So that --limit keeps some of every class.
    SplitMix64::new(1).shuffle(&mut train);
    let columns = Columns::default();
    Documents { classes: names, splits: Splits { train, validation, test }, columns }
}

fn folders(folder: &Path, fold: Option<usize>) -> Result<Documents> {
    let sorted = |folder: &Path, fits: &dyn Fn(&Path) -> bool| {
        let entries = std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|source| Error::io(folder, source))?.path());
        }
        paths.retain(|path| fits(path));
        paths.sort();
        Ok::<Vec<PathBuf>, Error>(paths)
    };
    let hidden =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let classes = sorted(folder, &|path| path.is_dir() && !hidden(path))?;
    if classes.is_empty() {
        let why = "no folders in it; expected one of .txt files for each class";
        return Err(Error::file(folder, why));
    }
    let name = |path: &PathBuf| {
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let names = classes.iter().map(name).collect();
    let mut texts = Vec::new();
    for class in &classes {
        let is_text = |path: &Path| path.extension().is_some_and(|extension| extension == "txt");
        let files = sorted(class, &is_text)?;
        if files.is_empty() {
            return Err(Error::file(class, "no .txt files in it"));
        }
        texts.push(files.iter().map(|file| text::read(file)).collect::<Result<Vec<_>>>()?);
    }
    Ok(cut(texts, names, fold))
}

fn table(path: &Path, choice: &DataChoice, fold: Option<usize>) -> Result<Documents> {
    let Labelled { mut rows, columns, said } = labelled(path, choice)?;
    if let Some(said) = said {
        note(said);
    }
    SplitMix64::new(choice.seed).shuffle(&mut rows);
    let names: BTreeSet<&String> = rows.iter().map(|(label, _)| label).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let mut texts = vec![Vec::new(); names.len()];
    for (label, text) in rows {
        let Ok(class) = names.binary_search(&label) else { continue };
        texts[class].push(text);
    }
    Ok(Documents { columns, ..cut(texts, names, fold) })
}

/// 2,000 sentences of a small grammar for each class: an opinion, or the opposite one denied.
fn opinions() -> Vec<Vec<String>> {
    const THINGS: [&str; 8] =
        ["camera", "tea", "hotel", "train", "story", "chair", "lesson", "soup"];
    const GOOD: [&str; 8] =
        ["good", "lovely", "quick", "solid", "fresh", "clear", "useful", "pleasant"];
    const BAD: [&str; 8] = ["bad", "ugly", "slow", "broken", "stale", "noisy", "useless", "dull"];
    const ENDS: [&str; 6] = [
        "",
        " I would say so again.",
        " My sister saw it too.",
        " It came on a Tuesday.",
        " That is all there is to tell.",
        " We paid in cash.",
    ];
    let mut random = SplitMix64::keyed(&[0x0091_4104]);
    let mut sentence = |class: usize| {
        let pick = |list: &[&'static str], random: &mut SplitMix64| list[random.below(list.len())];
        let thing = pick(&THINGS, &mut random);
        let part = |random: &mut SplitMix64| {
            let denied = random.below(2);
            // What is denied is of the other class.
            let words = if class ^ denied == 1 { &GOOD } else { &BAD };
            let not = ["", "not "][denied];
            format!("{not}{}", pick(words, random))
        };
        let (first, second) = (part(&mut random), part(&mut random));
        let end = pick(&ENDS, &mut random);
        match random.below(3) {
            0 => format!("The {thing} was {first} and {second}.{end}"),
            1 => format!("What a day: the {thing} was {first}.{end}"),
            _ => format!("I found the {thing} {first}, and the rest {second}.{end}"),
        }
    };
    [0, 1].map(|class| (0..2000).map(|_| sentence(class)).collect()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(name: &str, fold: Option<usize>) -> DataChoice {
        DataChoice { fold, ..DataChoice::new(name) }
    }

    #[test]
    fn each_document_is_tested_in_one_fold_and_never_learnt_there() {
        let mut tested = Vec::new();
        for fold in 0..FOLDS {
            let documents = open(&choice(OPINIONS, Some(fold)), Path::new("")).unwrap();
            assert_eq!(documents.splits.all().map(Vec::len), [3200, 400, 400]);
            tested.extend(documents.splits.test);
        }
        assert_eq!(tested.len(), 4000);
    }

    #[test]
    fn folders_tables_and_their_faults() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        for (class, word) in [("neg", "bad"), ("pos", "good")] {
            std::fs::create_dir_all(data.join(class)).unwrap();
            for i in 0..10 {
                let path = data.join(class).join(format!("cv{i:03}.txt"));
                std::fs::write(path, format!("a {word} film, number {i}")).unwrap();
            }
        }
        let name = data.to_str().unwrap();
        let documents = open(&choice(name, None), Path::new("")).unwrap();
        assert_eq!(documents.classes, ["neg", "pos"]);
        assert_eq!(documents.splits.test[1], ("a good film, number 9".to_string(), 1));
        assert_eq!(documents.splits.validation[0].0, "a bad film, number 8");

        let file = root.path().join("a.csv");
        let mut csv = String::from("label,text\n");
        (0..20).for_each(|i| csv += &format!("{},\"text, {i}\"\n", ["no", "yes"][i % 2]));
        std::fs::write(&file, &csv).unwrap();
        let table = open(&choice(file.to_str().unwrap(), None), Path::new("")).unwrap();
        assert_eq!(
            (table.classes, table.splits.train.len()),
            (vec!["no".into(), "yes".into()], 16)
        );
        let why = |text: &str| {
            std::fs::write(&file, text).unwrap();
            open(&choice(file.to_str().unwrap(), None), Path::new("")).unwrap_err().to_string()
        };
        assert!(why("yes,a,b\n").contains("line 1: 3 columns; expected label and text"));
        assert!(why("yes,a\nno,\n").contains("line 2"));
        assert!(why(&"yes,a\n".repeat(20)).contains("only one class"));
        assert!(why("").contains("an empty file"));
    }
}
