//! Behind the page where a person keeps or rejects images that were made.

use crate::judge::Judge;
use image::DynamicImage;
use std::sync::Mutex;
use tenfold_core::data::{Input, Kind};
use tenfold_core::suggest::{Proposal, Propose, Suggestion};
use tenfold_core::{Error, Result};

/// Proposes to keep an image as far as a classifier is sure what it shows.
pub struct Keeper {
    judge: Mutex<Judge>,
    labels: Vec<String>,
    shape: [usize; 3],
}

impl Keeper {
    /// For images of a shape.
    pub fn new(judge: Judge, shape: [usize; 3]) -> Self {
        let labels = ["keep", "reject"].map(String::from).to_vec();
        Self { judge: Mutex::new(judge), labels, shape }
    }
}

impl Propose for Keeper {
    fn kind(&self) -> Kind {
        let [channels, height, width] = self.shape;
        Kind::Images { channels, height, width }
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>> {
        let image = |input: &&Input| match input {
            Input::Image(image) | Input::Shaped(image, _) => Ok(image.clone()),
            _ => Err(Error::argument("input", "expected an image")),
        };
        let images = inputs.iter().map(image).collect::<Result<Vec<DynamicImage>>>()?;
        let judge = self.judge.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let answer = |(_, sure): (String, f32)| {
            let mut ranked =
                vec![Suggestion::new("keep", sure), Suggestion::new("reject", 1.0 - sure)];
            ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
            ranked.truncate(top);
            Proposal::alternatives(ranked)
        };
        Ok(judge.read(&images)?.into_iter().map(answer).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_dataset::Dataset;
    use tenfold_core::data::glyphs::{Glyphs, Part};

    #[test]
    fn a_glyph_is_kept_rather_than_noise() {
        let keeper = Keeper::new(Judge::new(None, "glyphs").unwrap(), [1, 28, 28]);
        let glyph = Glyphs::new(Part::Test).get(3).unwrap().input;
        let grey = |x: u32, y: u32| image::Luma([((x * 97 + y * 61) % 256) as u8]);
        let noise = Input::Image(image::GrayImage::from_fn(28, 28, grey).into());
        let answers = keeper.propose(&[&glyph, &noise], 2).unwrap();
        let keep = |answer: &Proposal| {
            let ranked = answer.whole().unwrap();
            assert!(ranked.len() == 2 && ranked[0].score >= ranked[1].score);
            ranked.iter().find(|one| one.answer.label() == Some("keep")).unwrap().score
        };
        assert!(keep(&answers[0]) > 0.9 && keep(&answers[1]) < keep(&answers[0]));
        assert_eq!(keeper.labels(), ["keep", "reject"]);
    }
}
