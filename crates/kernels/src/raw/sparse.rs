//! Rows that are mostly zeros, such as maps with a few things on them: their products with a
//! matrix take what is not zero alone.

use super::SMALL;
use super::gemm::Epilogue;
use super::simd::vectorised;
use super::sizes::some_floats;
use rayon::prelude::*;

/// At most one in so many numbers may be other than zero; with more, the dense product is as
/// fast.
const RARE: usize = 8;
/// Numbers of a row, at least, for which it is worth looking.
const LONG: usize = 256;
/// Columns that are summed in registers.
const COLUMNS: usize = 64;

/// The numbers of a matrix that are not zero.
#[derive(Clone, Debug)]
pub struct Sparse {
    columns: usize,
    /// Where each row's begin in `entries`, and where the last ends.
    starts: Vec<usize>,
    /// Column, ascending in each row, and number.
    entries: Vec<(u32, f32)>,
}

vectorised! {
    fn count(row: &[f32]) -> usize {
        row.iter().map(|&x| u32::from(x != 0.0)).sum::<u32>() as usize
    }
}

vectorised! {
    /// Adds what is not zero in a row.
    fn collect(row: &[f32], entries: &mut Vec<(u32, f32)>) {
        let mut column = 0;
        for some in row.chunks(16) {
            if some.iter().fold(false, |any, &x| any | (x != 0.0)) {
                // All are written, each over the one before where that was a zero: which ones
                // are zero cannot be foreseen, and a wrong guess costs more than a write.
                let mut found = [(0, 0.0); 16];
                let mut count = 0;
                for (at, &x) in (column..).zip(some) {
                    found[count & 15] = (at, x);
                    count += usize::from(x != 0.0);
                }
                entries.extend_from_slice(&found[..count]);
            }
            column += some.len() as u32;
        }
    }
}

vectorised! {
    /// `out`, one row of the product, from this row's entries.
    fn row_product(entries: &[(u32, f32)], weight: &[f32], bias: Option<&[f32]>, relu: bool, out: &mut [f32]) {
        let columns = out.len();
        for (block, out) in out.chunks_mut(COLUMNS).enumerate() {
            let first = block * COLUMNS;
            let mut sums = [0.0; COLUMNS];
            if let Some(bias) = bias {
                sums[..out.len()].copy_from_slice(&bias[first..][..out.len()]);
            }
            // The same twice: with a length that the compiler knows, the sums stay in registers.
            if out.len() == COLUMNS {
                for &(place, x) in entries {
                    let weight = &weight[place as usize * columns + first..][..COLUMNS];
                    for (sum, w) in sums.iter_mut().zip(weight) {
                        *sum += x * w;
                    }
                }
            } else {
                for &(place, x) in entries {
                    let weight = &weight[place as usize * columns + first..][..out.len()];
                    for (sum, w) in sums.iter_mut().zip(weight) {
                        *sum += x * w;
                    }
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = if relu { sum.max(0.0) } else { sum };
            }
        }
    }
}

vectorised! {
    /// Adds a row's part to the rows `first..` of the weights' gradient.
    fn add_gradient(entries: &[(u32, f32)], first: usize, gradient: &[f32], out: &mut [f32]) {
        let columns = gradient.len();
        for &(place, x) in entries {
            let out = &mut out[(place as usize - first) * columns..][..columns];
            for (out, g) in out.iter_mut().zip(gradient) {
                *out += x * g;
            }
        }
    }
}

impl Sparse {
    /// The rows of `x`, `[rows, columns]`, where they are long and mostly zeros; looking gives
    /// up in the first rows of others.
    pub fn of(x: &[f32], columns: usize) -> Option<Self> {
        if columns < LONG || x.len() < columns || u32::try_from(columns).is_err() {
            return None;
        }
        // Most inputs are dense, and should not pay for memory.
        if count(&x[..columns]) * RARE > columns {
            return None;
        }
        let (mut starts, mut entries) = (vec![0], Vec::new());
        for (row, x) in x.chunks_exact(columns).enumerate() {
            collect(x, &mut entries);
            if entries.len() * RARE > (row + 1) * columns {
                return None;
            }
            starts.push(entries.len());
        }
        Some(Self { columns, starts, entries })
    }

    fn rows(&self) -> impl ExactSizeIterator<Item = &[(u32, f32)]> {
        self.starts.windows(2).map(|ends| &self.entries[ends[0]..ends[1]])
    }

    /// `[rows, outputs]`: the product with `weight`, `[columns, outputs]`.
    ///
    /// # Panics
    /// Where lengths differ from the shape.
    pub fn product(
        &self,
        weight: &[f32],
        outputs: usize,
        bias: Option<&[f32]>,
        finish: Epilogue,
    ) -> Vec<f32> {
        assert_eq!(weight.len(), some_floats(&[self.columns, outputs]), "weights");
        assert!(bias.is_none_or(|bias| bias.len() == outputs), "bias");
        let rows = self.starts.len() - 1;
        let mut out = vec![0.0; rows * outputs];
        let relu = finish == Epilogue::Relu;
        let row = |(row, out): (usize, &mut [f32])| {
            let entries = &self.entries[self.starts[row]..self.starts[row + 1]];
            row_product(entries, weight, bias, relu, out);
        };
        if self.entries.len() * outputs < SMALL {
            out.chunks_mut(outputs).enumerate().for_each(row);
        } else {
            out.par_chunks_mut(outputs).enumerate().with_min_len(64).for_each(row);
        }
        out
    }

    /// The gradient `[columns, outputs]` for the weights of [`Sparse::product`].
    ///
    /// # Panics
    /// Where lengths differ from the shape.
    pub fn weight_gradient(&self, gradient: &[f32], outputs: usize) -> Vec<f32> {
        assert_eq!(gradient.len(), some_floats(&[self.rows().len(), outputs]), "gradient");
        let mut out = vec![0.0; self.columns * outputs];
        let threads = if self.entries.len() * outputs < SMALL { 1 } else { super::threads() };
        let share = self.columns.div_ceil(threads);
        // Each thread has some of the columns, and goes through all rows in order.
        let part = |(part, out): (usize, &mut [f32])| {
            let (first, last) = (part * share, ((part + 1) * share).min(self.columns));
            for (entries, gradient) in self.rows().zip(gradient.chunks_exact(outputs)) {
                let place =
                    |at: usize| entries.partition_point(|&(place, _)| (place as usize) < at);
                let entries = match threads {
                    1 => entries,
                    _ => &entries[place(first)..place(last)],
                };
                add_gradient(entries, first, gradient, out);
            }
        };
        match threads {
            1 => part((0, &mut out)),
            _ => out.par_chunks_mut(share * outputs).enumerate().for_each(part),
        }
        out
    }
}
