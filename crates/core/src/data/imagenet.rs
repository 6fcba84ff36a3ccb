//! What ImageNet has beside class folders: names for its numbers (`n01440764` is `tench`),
//! and the list that tells the classes of validation images which lie in one folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::folder;
use crate::{Error, Result, files};

/// Files of names, as they come with the data; each line has a number, then names.
const NAMES: [&str; 4] =
    ["LOC_synset_mapping.txt", "synset_words.txt", "words.txt", "classnames.txt"];
/// The list of the validation images: `ImageId,PredictionString`, the latter beginning with
/// a number.
const SOLUTION: &str = "LOC_val_solution.csv";
/// In the challenge's own tree the names lie three folders above the images.
const ABOVE: usize = 3;

/// Whether classes are called by numbers of WordNet: `n` and eight digits.
pub(crate) fn are_ids(classes: &[String]) -> bool {
    !classes.is_empty() && classes.iter().all(|class| is_id(class))
}

fn is_id(word: &str) -> bool {
    let digits = word.strip_prefix('n').unwrap_or_default();
    digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// The names of classes that are called by numbers, where a file of names lies in `folder` or
/// above it; else the classes as they are. Of several names the first is taken, with the
/// number behind it where two classes share it.
///
/// # Errors
/// A file that names some of the classes and not all.
pub(crate) fn named(folder: &Path, classes: &[String]) -> Result<Vec<String>> {
    if !are_ids(classes) {
        return Ok(classes.to_vec());
    }
    for path in NAMES.iter().filter_map(|name| beside(folder, name)) {
        let text = files::read_text(&path)?;
        let known: BTreeMap<&str, &str> = text.lines().filter_map(entry).collect();
        if !classes.iter().any(|class| known.contains_key(class.as_str())) {
            continue;
        }
        let name = |class: &String| {
            let missing = || Error::file(&path, format!("no name for the class `{class}`"));
            known.get(class.as_str()).copied().ok_or_else(missing)
        };
        let names = classes.iter().map(name).collect::<Result<Vec<&str>>>()?;
        let mut seen = BTreeSet::new();
        let twice: Vec<&str> = names.iter().filter(|name| !seen.insert(**name)).copied().collect();
        let full = |(class, name): (&String, &&str)| match twice.contains(name) {
            true => format!("{name} ({class})"),
            false => name.to_string(),
        };
        return Ok(classes.iter().zip(&names).map(full).collect());
    }
    Ok(classes.to_vec())
}

/// `n01440764 tench, Tinca tinca`, with a space or a tab.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (id, names) = line.trim().split_once([' ', '\t'])?;
    let name = names.split(',').next().unwrap_or(names).trim();
    (is_id(id) && !name.is_empty()).then_some((id, name))
}

/// The images of a folder without class folders, by the challenge's list of them; none
/// where there are class folders, or no list.
///
/// # Errors
/// A row that is no image and class of `classes`.
pub(crate) fn solution(
    root: &Path,
    pictures: &Path,
    classes: &[String],
) -> Result<Option<Vec<(PathBuf, usize)>>> {
    if !are_ids(classes) || !folder::class_names(pictures)?.is_empty() {
        return Ok(None);
    }
    let Some(path) = beside(root, SOLUTION) else { return Ok(None) };
    let text = files::read_text(&path)?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let wrong = |why: String| Error::field(&path, number as u64 + 1, "PredictionString", why);
        let (image, prediction) =
            line.split_once(',').ok_or_else(|| wrong("missing; expected a class".into()))?;
        let id = prediction.split_whitespace().next().unwrap_or_default();
        let label = classes.iter().position(|class| class == id);
        let label = label.ok_or_else(|| wrong(format!("`{id}`; expected a training class")))?;
        found.push((pictures.join(format!("{image}.JPEG")), label));
    }
    found.sort();
    Ok(Some(found))
}

/// A file in a folder, or in one above it.
fn beside(folder: &Path, name: &str) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let above = folder.ancestors().take(ABOVE + 1);
    above.map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_names_and_other_classes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("Data/CLS-LOC");
        std::fs::create_dir_all(&inside).unwrap();
        let ids = ["n01440764", "n02012849", "n03126707"].map(String::from);
        let named = |classes: &[String]| named(&inside, classes);
        assert_eq!(named(&ids).unwrap(), ids, "no file of names");
        let path = folder.path().join("LOC_synset_mapping.txt");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("n01440764 tench, Tinca tinca\nn02012849\tcrane\nn03126707 crane\n");
        let names = ["tench", "crane (n02012849)", "crane (n03126707)"];
        assert_eq!(named(&ids).unwrap(), names);
        let animals = ["cat", "dog"].map(String::from);
        assert_eq!(named(&animals).unwrap(), animals);
        write("n01440764 tench\n");
        let why = named(&ids).unwrap_err().to_string();
        assert!(
            why.ends_with("LOC_synset_mapping.txt: no name for the class `n02012849`"),
            "{why}"
        );
        write("these are\nother words\n");
        assert_eq!(named(&ids).unwrap(), ids);
    }
}
