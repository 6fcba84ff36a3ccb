//! From a screen of 210x160 to 84x84, every new pixel the mean of the area it covers.

use super::child::SCREEN;

/// Pixels along each side.
pub const SIDE: usize = 84;
const HEIGHT: usize = 210;
const WIDTH: usize = SCREEN / HEIGHT;

/// What a new pixel covers, exactly, in whole parts: 2.5 old rows are 5 halves, 40/21 old columns
/// are 40 parts of a twenty-first.
const ROW_PARTS: u16 = 5;
const COLUMN_PARTS: u16 = 40;

/// Where a new pixel begins, and how many parts of three old ones it covers.
fn cover(at: usize, old: usize, new: usize) -> (usize, [u16; 3]) {
    let (begin, end) = (at * new, (at + 1) * new);
    let first = begin / old;
    let part = |i: usize| {
        let (low, high) = ((first + i) * old, (first + i + 1) * old);
        end.min(high).saturating_sub(begin.max(low)) as u16
    };
    (first, std::array::from_fn(part))
}

/// Resizes screens; keeps its memory.
pub struct Resize {
    /// For each new column.
    columns: [(usize, [u16; 3]); SIDE],
    /// A new row before its columns are taken together, and room for one column more.
    row: [u16; WIDTH + 2],
}

impl Resize {
    /// Works out what covers what.
    pub fn new() -> Self {
        Self { columns: std::array::from_fn(|x| cover(x, 21, 40)), row: [0; WIDTH + 2] }
    }

    /// Writes `[84, 84]` bytes.
    pub fn apply(&mut self, screen: &[u8], into: &mut [u8]) {
        for (y, into) in into.chunks_exact_mut(SIDE).enumerate() {
            let (first, weights) = cover(y, 2, 5);
            let old = &screen[first * WIDTH..][..3 * WIDTH];
            let [a, b, c] = std::array::from_fn(|i| &old[i * WIDTH..][..WIDTH]);
            // At most 5 * 255.
            for x in 0..WIDTH {
                self.row[x] = weights[0] * u16::from(a[x])
                    + weights[1] * u16::from(b[x])
                    + weights[2] * u16::from(c[x]);
            }
            for ((first, weights), into) in self.columns.iter().zip(into) {
                let old = &self.row[*first..][..3];
                // At most 200 * 255.
                let sum = weights[0] * old[0] + weights[1] * old[1] + weights[2] * old[2];
                let whole = ROW_PARTS * COLUMN_PARTS;
                *into = ((sum + whole / 2) / whole) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_averaged() {
        let mut resize = Resize::new();
        let mut small = [0; SIDE * SIDE];
        resize.apply(&[77; SCREEN], &mut small);
        assert_eq!(small, [77; SIDE * SIDE]);
        // One bright pixel at the corner: a new pixel covers 2.5 x 1.90476 old ones.
        let mut screen = [0; SCREEN];
        screen[0] = 255;
        resize.apply(&screen, &mut small);
        assert_eq!((small[0], small[1], small[SIDE]), (54, 0, 0));
        // In the last corner too, and a row between two new ones counts half for each.
        let mut screen = [0; SCREEN];
        screen[SCREEN - 1] = 255;
        screen[2 * WIDTH] = 250;
        resize.apply(&screen, &mut small);
        assert_eq!((small[SIDE * SIDE - 1], small[0], small[SIDE]), (54, 26, 26));
    }
}
