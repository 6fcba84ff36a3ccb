//! `--draw`: the image once for each word, with the attention weights before it as a heat map.

use super::Captioner;
use image::DynamicImage;
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::data::Input;
use tenfold_core::suggest::Suggestion;
use tenfold_core::viz::heat::{self, Heat};
use tenfold_core::viz::label::{self, Line, draw_lines};
use tenfold_core::viz::sheet;

impl Captioner {
    /// Writes a sheet: the image under its best caption, then the attention weights before each
    /// word; a network that does not attend gives the first alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn draw(
        &self,
        image: &DynamicImage,
        suggestions: &[Suggestion],
        path: &Path,
    ) -> Result<()> {
        let best = suggestions.first().map(|best| self.vocabulary.encode(&best.answer.to_string()));
        let words = best.unwrap_or_default();
        let input = Input::Image(image.clone());
        let maps = self.attention(self.preprocessed(&[&input])?, &words)?;
        let Some(maps) = maps else { return label::write(path, image, suggestions) };
        let mut tiles = vec![tile(image, "the image")];
        let window = self.preprocess.window(image.width(), image.height());
        for (&word, weights) in words.iter().zip(&maps) {
            // Each word's largest weight is red, however the others are spread.
            let most = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            let values = weights.iter().map(|weight| weight / most).collect();
            let heat = Heat { values, height: self.grid, width: self.grid };
            let overlaid = heat::overlay(image, &heat, window);
            tiles.push(tile(&overlaid, &self.vocabulary.tokens()[word]));
        }
        sheet::write(&tiles, path)
    }
}

fn tile(image: &DynamicImage, text: &str) -> image::RgbImage {
    draw_lines(&sheet::fit(image), &[Line { text: text.into(), number: String::new(), bar: 0.0 }])
}
