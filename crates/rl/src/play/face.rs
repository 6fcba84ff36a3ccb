//! What the screen and the lines share: what is shown, actions as a person names them, and images
//! as characters.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use tenfold_core::zoo::did_you_mean;

/// What a person sees before a move.
pub struct View<'a> {
    /// Where the game stands, in one line.
    pub title: String,
    /// The board.
    pub image: RgbImage,
    /// What the advisor proposes, where there is one.
    pub proposed: Option<String>,
    /// The actions by name.
    pub names: &'a [String],
    /// The move before this one.
    pub last: usize,
}

/// Shows a game, and asks for moves.
pub trait Face {
    /// A move; none when there are no more.
    fn ask(&mut self, view: &View<'_>) -> anyhow::Result<Option<usize>>;

    /// What a move did, in one line.
    fn tell(&mut self, line: &str) -> anyhow::Result<()>;
}

/// The action that a person meant by a number, a name or the beginning of one name.
///
/// # Errors
/// In a line: what is no move, and which are.
pub fn named(names: &[String], typed: &str) -> Result<usize, String> {
    let number = typed.parse().ok().filter(|&number: &usize| number < names.len());
    let same = |name: &&String| name.eq_ignore_ascii_case(typed);
    let exact = || names.iter().position(|name| same(&name));
    let begins =
        |name: &str| name.get(..typed.len()).is_some_and(|n| n.eq_ignore_ascii_case(typed));
    let begun = || {
        let mut found = names.iter().enumerate().filter(|(_, name)| begins(name));
        found.next().filter(|_| found.next().is_none()).map(|(index, _)| index)
    };
    number.or_else(exact).or_else(begun).ok_or_else(|| {
        let meant = did_you_mean(typed, names.iter().map(String::as_str));
        let below = names.len();
        format!("`{typed}` is no move{meant}; expected a name or a number below {below}")
    })
}

/// An image as coloured half blocks, two pixels a character: its rows.
pub fn blocks(image: &RgbImage, columns: u32, rows: u32) -> Vec<String> {
    let (wide, high) = image.dimensions();
    let width = columns.min(wide).min((rows * 2).saturating_mul(wide) / high).max(1);
    let height = (high * width / wide).max(2) / 2 * 2;
    let small = resize(image, width, height, FilterType::Triangle);
    let row = |y: u32| {
        let pair = |x: u32| {
            let ([a, b, c], [d, e, f]) = (small.get_pixel(x, y).0, small.get_pixel(x, y + 1).0);
            format!("\x1b[38;2;{a};{b};{c};48;2;{d};{e};{f}m\u{2580}")
        };
        (0..width).map(pair).collect::<String>() + "\x1b[0m"
    };
    (0..height).step_by(2).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_move_has_a_number_a_name_and_a_beginning() {
        let atari = names(&["none", "left", "up", "right", "upleft", "fire"]);
        let expected = [("3", 3), ("left", 1), ("FIRE", 5), ("f", 5), ("up", 2), ("upl", 4)];
        for (typed, action) in expected {
            assert_eq!(named(&atari, typed), Ok(action), "{typed}");
        }
        let why = "`firre` is no move (did you mean `fire`?); expected a name or a number below 6";
        assert_eq!(named(&atari, "firre"), Err(why.into()));
        assert!(named(&names(&["upleft", "upright"]), "up").is_err(), "two names begin so");
        assert!(named(&atari, "6").is_err());
    }

    #[test]
    fn an_image_keeps_its_shape_within_columns_and_rows() {
        let image = RgbImage::new(160, 80);
        let size = |columns, rows| {
            let rows = blocks(&image, columns, rows);
            (rows[0].matches('\u{2580}').count(), rows.len())
        };
        assert_eq!(size(60, u32::MAX / 2), (60, 15));
        assert_eq!(size(80, 10), (40, 10));
        assert_eq!(size(80, 0), (1, 1));
    }
}
