//! From a screen of 210x160 to 84x84, every new pixel the mean of the area it covers.

use super::child::SCREEN;

/// Pixels along each side.
pub const SIDE: usize = 84;
const HEIGHT: usize = 210;
const WIDTH: usize = SCREEN / HEIGHT;

/// For one side: where each new pixel begins, and how much of up to four old ones it covers.
struct Weights([(usize, [f32; 4]); SIDE]);

impl Weights {
    fn new(size: usize) -> Self {
        let scale = size as f32 / SIDE as f32;
        Self(std::array::from_fn(|i| {
            let (begin, end) = (i as f32 * scale, (i + 1) as f32 * scale);
            // Far enough from the end that four pixels are there.
            let first = (begin as usize).min(size - 4);
            let covered = |old: usize| {
                let (low, high) = ((first + old) as f32, (first + old + 1) as f32);
                ((end.min(high) - begin.max(low)).max(0.0)) / scale
            };
            (first, std::array::from_fn(covered))
        }))
    }
}

/// Resizes screens; keeps its memory.
pub struct Resize {
    rows: Weights,
    columns: Weights,
    /// Every new row before its columns are taken together.
    row: [f32; WIDTH],
}

impl Resize {
    /// Works out what covers what.
    pub fn new() -> Self {
        Self { rows: Weights::new(HEIGHT), columns: Weights::new(WIDTH), row: [0.0; WIDTH] }
    }

    /// Writes `[84, 84]` bytes.
    pub fn apply(&mut self, screen: &[u8], into: &mut [u8]) {
        for ((first, weights), into) in self.rows.0.iter().zip(into.chunks_exact_mut(SIDE)) {
            let old = &screen[first * WIDTH..][..4 * WIDTH];
            let [a, b, c, d] = std::array::from_fn(|i| &old[i * WIDTH..][..WIDTH]);
            for x in 0..WIDTH {
                self.row[x] = weights[0] * f32::from(a[x])
                    + weights[1] * f32::from(b[x])
                    + weights[2] * f32::from(c[x])
                    + weights[3] * f32::from(d[x]);
            }
            for ((first, weights), into) in self.columns.0.iter().zip(into) {
                let old = &self.row[*first..][..4];
                let sum: f32 = (0..4).map(|i| weights[i] * old[i]).sum();
                *into = (sum + 0.5) as u8;
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
