//! The attention weights of a translation, as an image.

use std::fmt::Write;
use std::path::Path;
use tenfold_core::{Result, files};

/// The attention of one translation.
#[derive(Clone, Debug)]
pub struct Alignment {
    /// The tokens of the source.
    pub sources: Vec<String>,
    /// The tokens of the target.
    pub targets: Vec<String>,
    /// Row after row, one for each target token: the weight of each source token.
    pub weights: Vec<f32>,
}

/// Side of a cell in pixels.
const CELL: usize = 26;

impl Alignment {
    /// Writes an SVG: sources along the top, targets down the side, the darker the larger the
    /// weight.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        files::write(path, self.svg().as_bytes())
    }

    fn svg(&self) -> String {
        let longest =
            |tokens: &[String]| tokens.iter().map(|token| token.chars().count()).max().unwrap_or(0);
        // Letters of 13 pixels are about 8 wide.
        let (left, top) = (longest(&self.targets) * 8 + 16, longest(&self.sources) * 7 + 20);
        let (columns, rows) = (self.sources.len(), self.targets.len());
        // The last slanted name leans out to the right.
        let width = left + columns * CELL + top;
        let height = top + rows * CELL + 8;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        for (column, token) in self.sources.iter().enumerate() {
            let (x, y) = (left + column * CELL + CELL / 2, top - 6);
            let token = shown(token);
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-45 {x} {y})\">{token}</text>"
            );
        }
        for (row, token) in self.targets.iter().enumerate() {
            let (x, y) = (left - 8, top + row * CELL + CELL / 2 + 4);
            let token = shown(token);
            let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{token}</text>");
            for (column, weight) in self.weights[row * columns..][..columns].iter().enumerate() {
                let (x, y) = (left + column * CELL, top + row * CELL);
                let weight = weight.clamp(0.0, 1.0);
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" \
                     fill=\"#08306b\" fill-opacity=\"{weight:.3}\" stroke=\"#ddd\">\
                     <title>{:.0} %</title></rect>",
                    100.0 * weight
                );
            }
        }
        svg + "</svg>\n"
    }
}

/// A token as a reader knows it, safe inside SVG.
fn shown(token: &str) -> String {
    let token = token.replace(crate::bpe::WORD, "");
    let token = if token == "</s>" { "(end)".into() } else { token };
    let clean: String = token.chars().filter(|c| !c.is_control()).collect();
    clean.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_is_a_cell_and_names_are_text() {
        let alignment = Alignment {
            sources: vec!["\u{2581}a<b".into(), "&".into()],
            targets: vec!["\u{2581}x".into(), "y".into(), "</s>".into()],
            weights: vec![0.9, 0.1, 0.2, 0.8, 0.5, 0.5],
        };
        let svg = alignment.svg();
        assert_eq!(svg.matches("fill-opacity").count(), 6);
        assert!(svg.contains(">a&lt;b<") && svg.contains(">&amp;<") && svg.contains(">(end)<"));
    }
}
