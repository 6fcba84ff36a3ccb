//! Images with captions: drawn scenes, and the layout of Flickr8k.

use crate::config::DataChoice;
use crate::images::{self, Images, SIDE};
use crate::splits::Splits;
use crate::text;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tenfold_core::data::locate::{self, Place};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::scenes::{self, Part, Recipe, references};
use tenfold_core::{Error, Result};

/// The captions of a drawn image.
const REFERENCES: usize = 5;
/// Drawn images to learn from, to validate and to test with.
const DRAWN: [usize; 3] = [24_000, 1_000, 2_000];
/// Names of files of captions.
const FILES: [&str; 5] =
    ["captions.txt", "captions.csv", "Flickr8k.token.txt", "results_20130124.token", "results.csv"];
/// Names of folders of images.
const FOLDERS: [&str; 6] =
    ["images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k-images", "."];
/// Lists of images of the splits that Flickr8k is published with.
const SPLITS: [&str; 3] =
    ["Flickr_8k.trainImages.txt", "Flickr_8k.devImages.txt", "Flickr_8k.testImages.txt"];

/// Images and the captions of each.
pub struct Split {
    /// The images.
    pub images: Images,
    /// Captions by image.
    pub captions: Vec<Vec<String>>,
}

/// A data set.
pub struct Captions {
    /// The images.
    pub splits: Splits<Split>,
    /// Rows and columns of the images, as a network should take them.
    pub side: usize,
}

/// Opens `scenes`, or a folder with images and a file of captions, each line
/// `image.jpg,caption` under a header, or `image.jpg#0<TAB>caption`.
///
/// # Errors
/// There is none, it is damaged, or it names images that are not there.
pub fn open(choice: &DataChoice, data_dir: &Path) -> Result<Captions> {
    if choice.name == scenes::NAME {
        return Ok(drawn(choice.limit));
    }
    let folder = match locate::locate(&choice.name, data_dir)? {
        Place::Folder(folder) => folder,
        Place::File(file) => file.parent().map(Path::to_path_buf).unwrap_or_default(),
        Place::Fetched(fetched) => {
            let expected = "a folder of images and a file of captions";
            return Err(text::other_layout(&choice.name, &fetched.layout, expected));
        }
    };
    listed(choice, &folder)
}

fn drawn(limit: Option<usize>) -> Captions {
    let split = |part, count| {
        let recipe = Recipe::TOLD;
        let one = |index| {
            let mut random = SplitMix64::keyed(&[Part::seed(part), index as u64]);
            references(&images::scene(part, &recipe, index), REFERENCES, &mut random)
        };
        Split { images: Images::Drawn(part, recipe), captions: (0..count).map(one).collect() }
    };
    let [train, validation, test] = DRAWN;
    let splits = Splits {
        train: split(Part::Train, limit.map_or(train, |limit| limit.min(train))),
        validation: split(Part::Validation, validation),
        test: split(Part::Test, test),
    };
    Captions { splits, side: SIDE }
}

/// The layout of Flickr8k.
fn listed(choice: &DataChoice, folder: &Path) -> Result<Captions> {
    let file = match Path::new(&choice.name) {
        named if named.is_file() => named.to_path_buf(),
        _ => FILES.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(
            || {
                let why = format!("no file of captions; expected one of {}", FILES.join(", "));
                Error::file(folder, why)
            },
        )?,
    };
    let within = |name: &&str| folder.join(name).is_dir();
    let beside = folder.join(FOLDERS.iter().find(|name| within(name)).unwrap_or(&"."));
    let found = images::by_name(&beside)?;
    let captions = read(&file)?;
    let missing: Vec<String> =
        captions.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
    if !missing.is_empty() {
        return Err(images::missing(&file, &missing, &beside));
    }
    let all: Vec<Described> = captions
        .into_iter()
        .filter_map(|(name, captions)| Some((found.get(&name)?.clone(), captions, name)))
        .collect();
    let first = &all.first().ok_or_else(|| Error::file(&file, "no captions"))?.0;
    let side = images::side(first)?;
    let [mut train, validation, test] = parted(folder, all, choice.seed)?;
    if let Some(limit) = choice.limit {
        train.truncate(limit);
    }
    if train.is_empty() || validation.is_empty() || test.is_empty() {
        return Err(Error::file(&file, "too few images to train, validate and test with"));
    }
    let split = |part: Vec<Described>| {
        let (paths, captions) = part.into_iter().map(|(path, all, _)| (path, all)).unzip();
        Split { images: Images::Files(paths), captions }
    };
    let splits = Splits { train: split(train), validation: split(validation), test: split(test) };
    Ok(Captions { splits, side })
}

/// An image, its captions, its name.
type Described = (PathBuf, Vec<String>, String);

/// By the published lists where they lie beside the images, else at random: eight, one and one
/// tenth.
fn parted(folder: &Path, mut all: Vec<Described>, seed: u64) -> Result<[Vec<Described>; 3]> {
    let lists = SPLITS.map(|name| folder.join(name));
    if lists.iter().all(|list| list.is_file()) {
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for (part, list) in parts.iter_mut().zip(&lists) {
            let text = text::read(list)?;
            let names: std::collections::HashSet<&str> = text.lines().map(str::trim).collect();
            part.extend(all.iter().filter(|(_, _, name)| names.contains(name.as_str())).cloned());
        }
        return Ok(parts);
    }
    SplitMix64::keyed(&[seed, u64::from_be_bytes(*b"captions")]).shuffle(&mut all);
    let tenth = all.len() / 10;
    let tenth = if all.len() >= 3 { tenth.max(1) } else { tenth };
    let test = all.split_off(all.len() - tenth);
    let validation = all.split_off(all.len() - tenth);
    Ok([all, validation, test])
}

/// The captions of a file by image.
fn read(path: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let text = text::read(path)?;
    let mut captions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let tabbed = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .is_some_and(|line| line.split_once('\t').is_some_and(|(name, _)| name.contains('#')));
    let mut add = |name: &str, caption: &str, line: u64| {
        let name = name.trim();
        if name.is_empty() || caption.trim().is_empty() {
            let field = if name.is_empty() { "image" } else { "caption" };
            return Err(Error::field(path, line, field, "empty"));
        }
        captions.entry(name.into()).or_default().push(caption.trim().into());
        Ok(())
    };
    if tabbed {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line_number = number as u64 + 1;
            let (name, caption) = line.split_once('\t').ok_or_else(|| {
                Error::field(
                    path,
                    line_number,
                    "caption",
                    "missing; expected name.jpg#0<TAB>caption",
                )
            })?;
            add(name.rsplit_once('#').map_or(name, |(name, _)| name), caption, line_number)?;
        }
        return Ok(captions);
    }
    // The caption is the last column, and may hold commas only in quotes; in Flickr8k's own
    // file some lack them, so that all after the first comma counts.
    let mut reader =
        csv::ReaderBuilder::new().has_headers(true).flexible(true).from_reader(text.as_bytes());
    for record in reader.records() {
        let record = record.map_err(|why| Error::file(path, why))?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() < 2 {
            return Err(Error::field(path, line, "caption", "missing; expected image,caption"));
        }
        let rest: Vec<&str> = record.iter().skip(1).collect();
        add(record.get(0).unwrap_or_default(), &rest.join(","), line)?;
    }
    Ok(captions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, captions: &str, images: &[&str]) {
        std::fs::create_dir_all(folder.join("images")).unwrap();
        for name in images {
            image::RgbImage::new(40, 30).save(folder.join("images").join(name)).unwrap();
        }
        std::fs::write(folder.join("captions.txt"), captions).unwrap();
    }

    fn choice(folder: &Path) -> DataChoice {
        DataChoice::new(&folder.display().to_string())
    }

    fn why(folder: &Path) -> String {
        open(&choice(folder), folder).err().expect("an error").to_string()
    }

    #[test]
    fn both_layouts_of_flickr_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..10).map(|i| format!("{i}.png")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let csv = |name: &&str| format!("{name},A dog, running .\n{name},\"A cat, too\"\n");
        let text = "image,caption\n".to_string() + &names.iter().map(csv).collect::<String>();
        write(folder.path(), &text, &names);
        let data = open(&choice(folder.path()), folder.path()).unwrap();
        let sizes = data.splits.all().map(|split| split.captions.len());
        assert_eq!((sizes, data.side), ([8, 1, 1], 48));
        assert_eq!(data.splits.train.captions[0], ["A dog, running .", "A cat, too"]);
        let tabs = |name: &&str| format!("{name}#0\tA dog , running .\n{name}#1\tA cat\n");
        write(folder.path(), &names.iter().map(tabs).collect::<String>(), &names);
        let data = open(&choice(folder.path()), folder.path()).unwrap();
        assert_eq!(data.splits.test.captions[0], ["A dog , running .", "A cat"]);
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "image,caption\na.png,A dog\nb.png,A cat\nc.png,x\n", &["a.png"]);
        let said = why(folder.path());
        assert!(said.contains("captions.txt: names 2 images that are not in"), "{said}");
        assert!(said.ends_with(": b.png, c.png"), "{said}");
        write(folder.path(), "image,caption\na.png,A dog\na.png\n", &["a.png"]);
        assert!(why(folder.path()).contains("line 3, field caption: missing"));
        write(folder.path(), "image,caption\na.png,A dog\n", &["a.png"]);
        assert!(why(folder.path()).contains("too few images"));
        std::fs::write(folder.path().join("captions.txt"), b"a\xFF").unwrap();
        assert!(why(folder.path()).contains("not UTF-8 at byte 1"));
        std::fs::remove_file(folder.path().join("captions.txt")).unwrap();
        assert!(why(folder.path()).contains("no file of captions; expected one of captions.txt"));
    }
}
