//! From coefficients to pixels, in the arithmetic of libjpeg: `jidctint.c`, the "fancy" upsampling
//! of `jdsample.c` and the colours of `jdcolor.c`.

use super::frame::{Block, Component, Frame};
use std::num::Wrapping;

/// Bits behind the point in the transform's factors, and of what its first pass leaves.
const BITS: usize = 13;
const FIRST: usize = 2;

/// Of damaged files the sums may be too large for any image: they wrap around.
type Number = Wrapping<i32>;

/// A transform by one dimension, of which `shift` bits are rounded away.
///
/// Loeffler, Ligtenberg and Moschytz, with the names and factors of `jidctint.c`.
#[inline(always)]
fn transform(x: [Number; 8], shift: usize) -> [Number; 8] {
    let z1 = (x[2] + x[6]) * Wrapping(4433);
    let (low, high) = (z1 - x[6] * Wrapping(15137), z1 + x[2] * Wrapping(6270));
    let round = Wrapping(1 << (shift - 1));
    let (sum, gap) = (((x[0] + x[4]) << BITS) + round, ((x[0] - x[4]) << BITS) + round);
    let even = [sum + high, gap + low, gap - low, sum - high];
    let z5 = (x[7] + x[3] + x[5] + x[1]) * Wrapping(9633);
    let z1 = (x[7] + x[1]) * Wrapping(-7373);
    let z2 = (x[5] + x[3]) * Wrapping(-20995);
    let z3 = (x[7] + x[3]) * Wrapping(-16069) + z5;
    let z4 = (x[5] + x[1]) * Wrapping(-3196) + z5;
    let odd = [
        x[1] * Wrapping(12299) + z1 + z4,
        x[3] * Wrapping(25172) + z2 + z3,
        x[5] * Wrapping(16819) + z2 + z4,
        x[7] * Wrapping(2446) + z1 + z3,
    ];
    std::array::from_fn(|place| match place {
        0..4 => (even[place] + odd[place]) >> shift,
        _ => (even[7 - place] - odd[7 - place]) >> shift,
    })
}

/// The samples of a block, into eight rows of `samples` that lie `across` apart.
pub(super) fn inverse_transform(
    block: &Block,
    table: &[u16; 64],
    samples: &mut [u8],
    across: usize,
) {
    let value = |at: usize| Wrapping(i32::from(block[at].wrapping_mul(table[at] as i16)));
    let sample = |x: Number| (x.0.saturating_add(128)).clamp(0, 255) as u8;
    let rows = samples.chunks_mut(across).take(8);
    if block[1..].iter().fold(0, |any, &x| any | x) == 0 {
        let first = sample(((value(0) << FIRST) + Wrapping(16)) >> (FIRST + 3));
        rows.for_each(|row| row[..8].fill(first));
        return;
    }
    // By columns first: turned, so that the second pass goes by rows.
    let mut turned = [[Wrapping(0); 8]; 8];
    for (column, turned) in turned.iter_mut().enumerate() {
        let x = std::array::from_fn(|row| value(row * 8 + column));
        *turned = match x[1..] == [Wrapping(0); 7] {
            true => [x[0] << FIRST; 8],
            false => transform(x, BITS - FIRST),
        };
    }
    for (place, row) in rows.enumerate() {
        let x = transform(turned.map(|column| column[place]), BITS + FIRST + 3);
        for (out, x) in row.iter_mut().zip(x) {
            *out = sample(x);
        }
    }
}

/// The image's bytes; `None` for a ratio between its components that is not whole.
pub(super) fn pixels(frame: &Frame, is_rgb: bool) -> Option<Vec<u8>> {
    let ([width, height], count) = (frame.size, frame.components.len());
    let mut ups = Vec::new();
    for component in &frame.components {
        let ratio = |side: usize| {
            let (most, own) = (frame.sampling[side], component.sampling[side]);
            (most % own == 0).then_some(most / own)
        };
        ups.push(Up {
            component,
            ratio: [ratio(0)?, ratio(1)?],
            row: Vec::new(),
            sums: Vec::new(),
        });
    }
    let mut bytes = vec![0; width * height * count];
    for (y, line) in bytes.chunks_exact_mut(width * count).enumerate() {
        ups.iter_mut().for_each(|up| up.row(y));
        match &ups[..] {
            [grey] => line.copy_from_slice(&grey.row[..width]),
            [a, b, c] => {
                let parts = a.row.iter().zip(&b.row).zip(&c.row);
                for (pixel, ((&a, &b), &c)) in line.as_chunks_mut::<3>().0.iter_mut().zip(parts) {
                    *pixel = if is_rgb { [a, b, c] } else { rgb([a, b, c].map(i32::from)) };
                }
            }
            _ => return None,
        }
    }
    Some(bytes)
}

/// Factors have 16 bits behind the point.
#[inline(always)]
fn rgb([y, cb, cr]: [i32; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (cb, cr) = (cb - 128, cr - 128);
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|x| x.clamp(0, 255) as u8)
}

/// A component on its way to the image's size.
struct Up<'a> {
    component: &'a Component,
    /// Pixels for a sample, across and down.
    ratio: [usize; 2],
    /// One row of the image.
    row: Vec<u8>,
    /// Of two rows of samples: three times the nearer one and the farther one.
    sums: Vec<i32>,
}

impl Up<'_> {
    /// Makes a row of the image. A pixel between two samples is three parts the nearer one and
    /// one part the other; halves are rounded down and up by turns.
    fn row(&mut self, y: usize) {
        let [width, height] = self.component.size;
        let across = self.component.across * 8;
        let samples = |row: usize| &self.component.samples[row * across..][..width];
        let [h, v] = self.ratio;
        let own = samples(y / v);
        // The row on the other side of the pixel; at an edge there is the same.
        let other = || match y % 2 {
            0 => samples((y / 2).saturating_sub(1)),
            _ => samples((y / 2 + 1).min(height - 1)),
        };
        self.row.clear();
        match [h, v] {
            [1, 1] => self.row.extend(own),
            [1, 2] => {
                let round = if y.is_multiple_of(2) { 1 } else { 2 };
                let mix =
                    |(&a, &b): (&u8, &u8)| ((3 * u16::from(a) + u16::from(b) + round) >> 2) as u8;
                self.row.extend(own.iter().zip(other()).map(mix));
            }
            [2, 1] if width > 2 => {
                self.sums.clear();
                self.sums.extend(own.iter().map(|&x| i32::from(x)));
                double(&self.sums, 2, [1, 2], &mut self.row);
            }
            [2, 2] if width > 2 => {
                self.sums.clear();
                let sum = |(&a, &b): (&u8, &u8)| 3 * i32::from(a) + i32::from(b);
                self.sums.extend(own.iter().zip(other()).map(sum));
                double(&self.sums, 4, [8, 7], &mut self.row);
            }
            _ => own.iter().for_each(|&x| self.row.extend(std::iter::repeat_n(x, h))),
        }
    }
}

/// Twice as many numbers, `shift` bits lower; `round` is added to even ones and odd ones.
#[inline]
fn double(x: &[i32], shift: u32, round: [i32; 2], out: &mut Vec<u8>) {
    out.resize(x.len() * 2, 0);
    let mixed = |own: i32, other: i32, odd: usize| ((3 * own + other + round[odd]) >> shift) as u8;
    let pairs = &mut out.as_chunks_mut::<2>().0;
    let last = x.len() - 1;
    pairs[0] = [mixed(x[0], x[0], 0), mixed(x[0], x[1], 1)];
    for (pair, three) in pairs[1..].iter_mut().zip(x.windows(3)) {
        *pair = [mixed(three[1], three[0], 0), mixed(three[1], three[2], 1)];
    }
    pairs[last] = [mixed(x[last], x[last - 1], 0), mixed(x[last], x[last], 1)];
}
