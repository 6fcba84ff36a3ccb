//! Images of two kinds: pairs side by side in one image, in two folders by name, or two folders
//! without pairs; and drawn scenes.

use crate::data::{Readable, readable};
use image::{DynamicImage, Rgb, RgbImage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::scenes::{self, Part, Recipe, Scene, Shape};
use tenfold_core::data::split::{stratify, view};
use tenfold_core::data::{OpenOptions, folder, image_file};
use tenfold_core::progress::note;
#[cfg(feature = "cli")]
use tenfold_core::task::{Data, Split};
use tenfold_core::{Error, Result};

/// An image of the first kind and one of the second; partners where the data has pairs.
pub type Pair = [DynamicImage; 2];
/// Pairs by index.
pub type Pairs = Arc<dyn burn_dataset::Dataset<Pair, Error>>;

/// Scenes to learn from, to choose by and to judge by.
const SCENES: [usize; 3] = [2000, 100, 200];
/// Of fewer pairs no part is held out.
const FEW: usize = 10;

/// Images of two kinds with their splits.
pub struct Kinds {
    /// To learn from.
    pub train: Pairs,
    /// To choose by.
    pub validation: Pairs,
    /// To judge by.
    pub test: Pairs,
    /// Channels of both kinds, and the first image's height and width.
    pub channels: [usize; 2],
    /// Rows and columns of the first image.
    pub size: [usize; 2],
    /// What was left out, one line each.
    pub skipped: Vec<String>,
}

#[cfg(feature = "cli")]
impl Data for Kinds {
    fn count(&self, split: Split) -> usize {
        self.split(split).len()
    }

    fn skipped(&self) -> &[String] {
        &self.skipped
    }
}

impl Kinds {
    #[cfg(feature = "cli")]
    /// The pairs of a split.
    pub fn split(&self, split: Split) -> &Pairs {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }
}

/// Where the two images of a pair are.
enum Source {
    /// Left and right half of one file.
    Beside(PathBuf),
    /// Two files.
    Files([PathBuf; 2]),
}

struct Files(Vec<Source>);

impl burn_dataset::Dataset<Pair, Error> for Files {
    fn get(&self, index: usize) -> Result<Pair> {
        match &self.0[index] {
            Source::Beside(file) => {
                let image = image_file::read(file)?;
                let (half, height) = (image.width() / 2, image.height());
                Ok([image.crop_imm(0, 0, half, height), image.crop_imm(half, 0, half, height)])
            }
            Source::Files([first, second]) => {
                Ok([image_file::read(first)?, image_file::read(second)?])
            }
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// Drawn scenes of two kinds.
struct Drawn {
    part: Part,
    count: usize,
    paired: bool,
}

impl burn_dataset::Dataset<Pair, Error> for Drawn {
    fn get(&self, index: usize) -> Result<Pair> {
        let scene = |index: usize| Scene::new(self.part.seed(), index as u64, &Recipe::CROWD);
        if self.paired {
            let scene = scene(index);
            let drawing = scene.draw(scenes::SIDE, scenes::SIDE);
            let layout = layout(&drawing.semantic(&scene), scenes::SIDE);
            return Ok([layout, drawing.into_image()]);
        }
        // Another scene by night: there are no pairs.
        let day = scene(index).draw(scenes::SIDE, scenes::SIDE).into_image();
        let night = scene(index + self.count).draw(scenes::SIDE, scenes::SIDE).into_image();
        Ok([day, by_night(&night)])
    }

    fn len(&self) -> usize {
        self.count
    }
}

/// The colour of each class in a layout; the first is the ground's.
pub const PALETTE: [[u8; 3]; 9] = [
    [0, 0, 0],
    [220, 20, 60],
    [0, 130, 180],
    [250, 170, 30],
    [107, 142, 35],
    [255, 255, 255],
    [119, 11, 32],
    [190, 153, 253],
    [0, 255, 160],
];

/// Classes as colours.
fn layout(classes: &[u8], side: usize) -> DynamicImage {
    debug_assert_eq!(Shape::ALL.len() + 1, PALETTE.len());
    let side = side as u32;
    let colour = |x, y| Rgb(PALETTE[usize::from(classes[(y * side + x) as usize]) % PALETTE.len()]);
    RgbImage::from_fn(side, side, colour).into()
}

/// What a scene looks like by night: dark and blue.
pub fn by_night(image: &DynamicImage) -> DynamicImage {
    let mut image = image.to_rgb8();
    for Rgb([red, green, blue]) in image.pixels_mut() {
        let part = |value: u8, of: f32, plus: f32| (f32::from(value) * of + plus) as u8;
        (*red, *green, *blue) =
            (part(*red, 0.3, 6.0), part(*green, 0.35, 10.0), part(*blue, 0.5, 50.0));
    }
    image.into()
}

/// Opens images of two kinds.
///
/// # Errors
/// There are none, or too few; a folder that is laid out in no known way.
pub fn open(name: &str, options: &OpenOptions, paired: bool) -> Result<Kinds> {
    if name == scenes::NAME {
        return Ok(drawn(paired, options.limit));
    }
    let folder = Path::new(name);
    if !folder.is_dir() {
        let why = format!("`{name}` is no folder; expected scenes, or a folder of images");
        return Err(Error::argument("--data", why));
    }
    let mut skipped = Vec::new();
    let mut found: BTreeMap<&str, Vec<Source>> = BTreeMap::new();
    let sub = |name: &str| folder.join(name);
    if sub("trainA").is_dir() && sub("trainB").is_dir() {
        for split in ["train", "val", "test"] {
            let two = ["A", "B"].map(|kind| sub(&format!("{split}{kind}")));
            if two.iter().all(|folder| folder.is_dir()) {
                found.insert(split, two_folders(&two, paired, &mut skipped)?);
            }
        }
    } else if sub("train").is_dir() {
        for split in ["train", "val", "test"] {
            if sub(split).is_dir() {
                found.insert(split, beside(&sub(split), paired, &mut skipped)?);
            }
        }
    } else if !folder::images_in(folder)?.is_empty() {
        found.insert("train", beside(folder, paired, &mut skipped)?);
    } else {
        let two = subfolders(folder)?;
        found.insert("train", two_folders(&two, paired, &mut skipped)?);
    }
    let train = found.remove("train").unwrap_or_default();
    let [validation, test] = ["val", "test"].map(|split| found.remove(split));
    kinds(folder, train, validation, test, skipped, options)
}

/// The two folders in a folder, by name.
fn subfolders(folder: &Path) -> Result<[PathBuf; 2]> {
    let read = std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
    let mut inside: Vec<PathBuf> = read.flatten().map(|entry| entry.path()).collect();
    inside.retain(|path| path.is_dir());
    inside.sort();
    let count = inside.len();
    inside.try_into().map_err(|_| {
        Error::file(
            folder,
            format!(
                "{count} folders; expected images with both kinds side by side, two folders, or \
                 trainA, trainB, testA, testB"
            ),
        )
    })
}

/// Images with both kinds side by side.
fn beside(folder: &Path, paired: bool, skipped: &mut Vec<String>) -> Result<Vec<Source>> {
    if !paired {
        let why = "one kind of image; this model wants two folders, one of each kind";
        return Err(Error::file(folder, why));
    }
    let Readable { files, skipped: faulty, .. } = readable(folder)?;
    skipped.extend(faulty);
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        match image_file::header(&file)?.width {
            width if width >= 2 && width.is_multiple_of(2) => sources.push(Source::Beside(file)),
            width => skipped
                .push(format!("{}: {width} columns have no left and right half", file.display())),
        }
    }
    Ok(sources)
}

/// Two folders, with partners of the same name or without.
fn two_folders(
    folders: &[PathBuf; 2],
    paired: bool,
    skipped: &mut Vec<String>,
) -> Result<Vec<Source>> {
    let mut kinds = Vec::with_capacity(2);
    for folder in folders {
        let Readable { files, skipped: faulty, .. } = readable(folder)?;
        skipped.extend(faulty);
        if files.is_empty() {
            return Err(Error::file(folder, "no image can be read"));
        }
        kinds.push(files);
    }
    if !paired {
        let [first, second] = [&kinds[0], &kinds[1]];
        // All of both, however many more there are of one.
        let count = first.len().max(second.len());
        let two = |i: usize| [first[i % first.len()].clone(), second[i % second.len()].clone()];
        return Ok((0..count).map(|i| Source::Files(two(i))).collect());
    }
    let key =
        |folder: &Path, file: &Path| file.strip_prefix(folder).unwrap_or(file).with_extension("");
    let named = |i: usize| -> BTreeMap<PathBuf, PathBuf> {
        kinds[i].iter().map(|file| (key(&folders[i], file), file.clone())).collect()
    };
    let (first, mut second) = (named(0), named(1));
    let mut sources = Vec::with_capacity(first.len());
    let lone = |file: &Path, other: &Path| {
        format!("{}: no image of this name in {}", file.display(), other.display())
    };
    for (name, file) in first {
        match second.remove(&name) {
            Some(partner) => sources.push(Source::Files([file, partner])),
            None => skipped.push(lone(&file, &folders[1])),
        }
    }
    skipped.extend(second.values().map(|file| lone(file, &folders[0])));
    if sources.is_empty() {
        let why = format!(
            "no image has a partner of the same name in {}; {}",
            folders[1].display(),
            skipped.first().map_or("", String::as_str)
        );
        return Err(Error::file(&folders[0], why));
    }
    Ok(sources)
}

fn drawn(paired: bool, limit: Option<usize>) -> Kinds {
    let pairs = |part, count: usize| Arc::new(Drawn { part, count, paired }) as Pairs;
    let train = limit.unwrap_or(SCENES[0]).min(SCENES[0]);
    Kinds {
        train: pairs(Part::Train, train),
        validation: pairs(Part::Validation, SCENES[1]),
        test: pairs(Part::Test, SCENES[2]),
        channels: [3, 3],
        size: [scenes::SIDE; 2],
        skipped: Vec::new(),
    }
}

fn kinds(
    folder: &Path,
    train: Vec<Source>,
    validation: Option<Vec<Source>>,
    test: Option<Vec<Source>>,
    skipped: Vec<String>,
    options: &OpenOptions,
) -> Result<Kinds> {
    let count = train.len();
    if count < 2 {
        let first = skipped.first().map_or(String::new(), |first| format!("; {first}"));
        return Err(Error::file(folder, format!("{count} pairs; expected 2 at least{first}")));
    }
    let all: Pairs = Arc::new(Files(train));
    let [first, second] = all.get(0)?;
    let channels = [&first, &second].map(|image| usize::from(image.color().channel_count()));
    let own = |sources: Vec<Source>| Arc::new(Files(sources)) as Pairs;
    let limited = |mut places: Vec<usize>| {
        places.truncate(options.limit.unwrap_or(usize::MAX));
        places
    };
    let (train, validation, test) = match (validation, test) {
        (None, None) if count < FEW => {
            note(format_args!(
                "{count} pairs are too few to hold some out: the figures are of these"
            ));
            (all.clone(), all.clone(), all)
        }
        (None, None) => {
            let parts = stratify(&vec![0; count], options.seed, options.limit);
            let parts = parts.map_err(|why| Error::file(folder, why))?;
            let [a, b, c] = [parts.train, parts.validation, parts.test].map(|p| view(&all, p));
            (a, b, c)
        }
        (Some(validation), Some(test)) => {
            (view(&all, limited((0..count).collect())), own(validation), own(test))
        }
        // The one that is there judges; a tenth of the others chooses.
        (Some(one), None) | (None, Some(one)) => {
            let mut places: Vec<usize> = (0..count).collect();
            SplitMix64::keyed(&[options.seed]).shuffle(&mut places);
            let places = limited(places);
            let (held, rest) = places.split_at((places.len() / 10).max(1));
            (view(&all, rest.to_vec()), view(&all, held.to_vec()), own(one))
        }
    };
    Ok(Kinds {
        train,
        validation,
        test,
        channels,
        size: [first.height() as usize, first.width() as usize],
        skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> OpenOptions {
        OpenOptions { data_dir: "nowhere".into(), seed: 1, ..OpenOptions::default() }
    }

    fn image(width: u32, tone: u8) -> RgbImage {
        RgbImage::from_fn(width, 8, |x, _| Rgb([if x < width / 2 { tone } else { 255 - tone }; 3]))
    }

    fn tone(image: &DynamicImage) -> u8 {
        image.to_rgb8().get_pixel(1, 1).0[0]
    }

    #[test]
    fn pairs_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..12 {
            image(16, i).save(folder.path().join(format!("{i:02}.png"))).unwrap();
        }
        image(15, 0).save(folder.path().join("odd.png")).unwrap();
        let name = folder.path().to_str().unwrap();
        let own = open(name, &options(), true).unwrap();
        assert_eq!([&own.train, &own.validation, &own.test].map(|s| s.len()), [10, 1, 1]);
        let [left, right] = own.train.get(3).unwrap();
        assert_eq!((left.width(), tone(&left)), (8, 255 - tone(&right)));
        assert!(own.skipped[0].contains("odd.png: 15 columns"), "{:?}", own.skipped);
        let why = open(name, &options(), false).err().unwrap().to_string();
        assert!(why.contains("wants two folders"), "{why}");
    }

    #[test]
    fn two_folders_by_name_and_without_pairs() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a", "b"].map(|name| folder.path().join(name));
        for (kind, count) in [(&first, 5), (&second, 7)] {
            std::fs::create_dir(kind).unwrap();
            for i in 0..count {
                image(8, i).save(kind.join(format!("{i}.png"))).unwrap();
            }
        }
        let name = folder.path().to_str().unwrap();
        let own = open(name, &options(), true).unwrap();
        assert_eq!((own.train.len(), own.skipped.len()), (5, 2));
        assert!(own.skipped[1].contains("6.png: no image of this name in"), "{:?}", own.skipped);
        let [one, other] = own.train.get(4).unwrap();
        assert_eq!(tone(&one), tone(&other));
        assert_eq!(open(name, &options(), false).unwrap().train.len(), 7);
        std::fs::create_dir(folder.path().join("c")).unwrap();
        let why = open(name, &options(), false).err().unwrap().to_string();
        assert!(why.contains("3 folders; expected images with both kinds"), "{why}");
    }

    #[test]
    fn drawn_scenes_have_a_layout_or_a_night() {
        let paired = open(scenes::NAME, &options(), true).unwrap();
        let [layout, scene] = paired.validation.get(2).unwrap().map(|image| image.to_rgb8());
        assert_eq!(layout.dimensions(), scene.dimensions());
        assert!(layout.pixels().all(|pixel| PALETTE.contains(&pixel.0)));
        let lone = open(scenes::NAME, &options(), false).unwrap();
        let [day, night] = lone.validation.get(2).unwrap().map(|image| image.to_rgb8());
        let mean = |image: &RgbImage| image.iter().map(|&b| u64::from(b)).sum::<u64>();
        assert!(mean(&night) < mean(&day) || mean(&night) < 64 * 64 * 3 * 120);
        let (x, y) = (by_night(&day.clone().into()).to_rgb8(), day);
        assert!(x.get_pixel(5, 5).0[2] >= 50 && x.dimensions() == y.dimensions());
    }
}
