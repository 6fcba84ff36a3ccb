//! `--draw`: the picture once for each word, warm where the network looked before it.

use super::Describer;
use image::DynamicImage;
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::data::Input;
use tenfold_core::suggest::Suggestion;
use tenfold_core::viz::heat::{self, Heat};
use tenfold_core::viz::label::{self, Line, draw_lines};
use tenfold_core::viz::sheet;

impl Describer {
    /// Writes a sheet: the picture under its best sentence, then for each word where the
    /// network looked; a network that does not attend gives the first alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn draw(
        &self,
        picture: &DynamicImage,
        suggestions: &[Suggestion],
        path: &Path,
    ) -> Result<()> {
        let best = suggestions.first().map(|best| self.vocabulary.encode(&best.label));
        let words = best.unwrap_or_default();
        let looks = self.looks(self.prepared(&[&Input::Picture(picture.clone())])?, &words)?;
        let Some(looks) = looks else { return label::write(path, picture, suggestions) };
        let mut tiles = vec![tile(picture, "the picture")];
        let window = self.preprocess.window(picture.width(), picture.height());
        for (&word, look) in words.iter().zip(&looks) {
            // Each word's warmest place is red, however the look is spread.
            let most = look.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            let values = look.iter().map(|part| part / most).collect();
            let heat = Heat { values, height: self.grid, width: self.grid };
            let warm = heat::overlay(picture, &heat, window);
            tiles.push(tile(&warm, &self.vocabulary.tokens()[word]));
        }
        sheet::write(&tiles, path)
    }
}

fn tile(picture: &DynamicImage, text: &str) -> image::RgbImage {
    draw_lines(picture, &[Line { text: text.into(), number: String::new(), bar: 0.0 }])
}
