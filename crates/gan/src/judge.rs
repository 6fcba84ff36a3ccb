//! The network by whose features images are compared: a classifier, trained here.

use crate::frechet::Features;
use image::DynamicImage;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tenfold_classification::Predictor;
use tenfold_classification::Zoo;
use tenfold_core::data::{Input, Preprocess, Resize};
use tenfold_core::suggest::Suggest;
use tenfold_core::trained::Trained;
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result, device, files, weights};

/// LeNet-5 of 1998, trained on glyphs, as `export` wrote it.
const GLYPHS: &[u8] = include_bytes!("../features/lenet-glyphs.safetensors");
/// The same, trained on MNIST.
const MNIST: &[u8] = include_bytes!("../features/lenet-mnist.safetensors");

/// Images that go through the network at once.
const BATCH: usize = 250;

/// A folder that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    /// One that was not there before: two programs, or two threads of one, may make one at once.
    fn new(name: &str) -> Result<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        loop {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let name = format!("tenfold-{name}-{}-{number}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
                Err(why) => return Err(Error::io(&folder, why)),
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A network with features.
pub struct Judge {
    predictor: Predictor,
    /// The figure's name: `fd_lenet` where it is one of the two, else `fd_features`.
    pub figure: &'static str,
    /// Which weights, with their SHA-256.
    pub name: String,
}

impl Judge {
    /// A run of `cargo classification`, or an exported file; else LeNet, trained on MNIST where
    /// the data is called so, and on glyphs otherwise.
    ///
    /// # Errors
    /// A run that cannot be read; a temporary file that cannot be written.
    pub fn new(features: Option<&Path>, data: &str) -> Result<Self> {
        // The network is small: it always works on the CPU.
        let cpu = device::open("cpu")?;
        if let Some(path) = features {
            let trained = Trained::open(path)?;
            let model = trained.model::<Zoo>()?.name();
            let digest = weights::digest(&trained.weights)?;
            let name = format!("{model} of {}, SHA-256 {digest}", path.display());
            let predictor = Predictor::from_file(path, &cpu)?;
            return Ok(Self { predictor, figure: "fd_features", name });
        }
        let (bytes, own) = match data {
            "mnist" => (MNIST, "lenet-mnist"),
            _ => (GLYPHS, "lenet-glyphs"),
        };
        // A file of weights is read from a disk; nobody else writes to a new folder of ours.
        let folder = Scratch::new(own)?;
        let file = folder.0.join("model.safetensors");
        files::write(&file, bytes)?;
        let digest = weights::digest(&file)?;
        let predictor = Predictor::from_file(&file, &cpu)?;
        Ok(Self { predictor, figure: "fd_lenet", name: format!("{own}, SHA-256 {digest}") })
    }

    /// What is done to an image before the network sees it.
    pub fn normalisation(&self) -> String {
        let Preprocess::Image { channels, height, width, resize, mean, std } =
            self.predictor.preprocess()
        else {
            return String::new();
        };
        let colour = if *channels == 1 { "grey" } else { "colour" };
        let resize = match resize {
            Resize::Stretch => "stretched",
            _ => "resized",
        };
        format!("{colour}, {resize} to {width}x{height}, 0..1, minus {mean:?}, over {std:?}")
    }

    /// The penultimate features of images.
    ///
    /// # Errors
    /// A network of rows of numbers.
    pub fn features(&self, images: &[DynamicImage]) -> Result<Features> {
        let mut values = Vec::new();
        for images in images.chunks(BATCH) {
            let inputs = inputs(images);
            values.extend(self.predictor.embed(&inputs.iter().collect::<Vec<_>>())?);
        }
        let width = values.len() / images.len().max(1);
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(Features { values, width }),
            false => Err(Error::Training("an image's features are not finite".into())),
        }
    }

    /// The most probable class of each image, by its name, and its probability.
    ///
    /// # Errors
    /// As [`Judge::features`].
    pub fn read(&self, images: &[DynamicImage]) -> Result<Vec<(String, f32)>> {
        let mut all = Vec::with_capacity(images.len());
        for images in images.chunks(BATCH) {
            let inputs = inputs(images);
            for ranked in self.predictor.suggest(&inputs.iter().collect::<Vec<_>>(), 1)? {
                let best = ranked.first();
                all.push(
                    best.map_or_else(Default::default, |best| {
                        (best.answer.to_string(), best.score)
                    }),
                );
            }
        }
        Ok(all)
    }

    /// The classes that it tells apart.
    pub fn classes(&self) -> &[String] {
        tenfold_core::suggest::Propose::labels(&self.predictor)
    }
}

fn inputs(images: &[DynamicImage]) -> Vec<Input> {
    images.iter().cloned().map(Input::Image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_dataset::Dataset;
    use tenfold_core::data::glyphs::{Glyphs, Part, classes};

    #[test]
    fn the_lenet_of_the_program_reads_glyphs() {
        let judge = Judge::new(None, "glyphs").unwrap();
        assert_eq!(judge.classes(), classes());
        assert!(judge.name.starts_with("lenet-glyphs, SHA-256 ") && judge.figure == "fd_lenet");
        let glyphs = Glyphs::new(Part::Test);
        let examples: Vec<_> = (0..180).map(|i| glyphs.get(i).unwrap()).collect();
        let images: Vec<DynamicImage> = examples
            .iter()
            .filter_map(|example| match &example.input {
                Input::Image(image) => Some(image.clone()),
                _ => None,
            })
            .collect();
        let read = judge.read(&images).unwrap();
        let right = read
            .iter()
            .zip(&examples)
            .filter(|((label, _), example)| *label == classes()[example.target]);
        assert!(right.count() > 170);
        assert_eq!(judge.features(&images).unwrap().width, 84);
        assert!(judge.normalisation().starts_with("grey, "));
        assert_eq!(Judge::new(None, "mnist").unwrap().classes().len(), 10);
    }
}
