//! The right matrix of a product, in panels.

use crate::raw::simd::{Isa, isa};
use crate::raw::sizes::some_floats;
use crate::raw::{Out, share};

/// One cache line, so that no vector of a panel straddles two.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "read as a slice")] [f32; 16]);

/// Floats that begin at a cache line.
#[derive(Clone, Debug)]
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// This many zeros.
    pub fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); len.div_ceil(16)], len }
    }

    /// The floats.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: lines are 16 floats each without padding, and there are enough for `len`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    /// The floats.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// Floats a vector.
const fn width(isa: Isa) -> usize {
    match isa {
        Isa::Avx512 => 16,
        Isa::Avx2 => 8,
        Isa::Portable => 4,
    }
}

/// Columns of a full panel: two vectors.
pub(crate) fn panel_width() -> usize {
    2 * width(isa())
}

/// A matrix `[terms, columns]` in panels: two vectors of columns, all terms of the one after
/// the other; the last panel may be one vector wide, and is filled up with zeros.
#[derive(Clone, Debug)]
pub struct Packed {
    data: Aligned,
    terms: usize,
    columns: usize,
}

impl Packed {
    /// Packs the matrix whose element `(term, column)` is
    /// `matrix[term_offset(term) + column * column_stride]`.
    ///
    /// # Panics
    /// Where such a place lies outside of `matrix`, or memory cannot hold the panels.
    pub fn new(
        terms: usize,
        columns: usize,
        matrix: &[f32],
        term_offset: impl Fn(usize) -> usize + Sync,
        column_stride: usize,
    ) -> Self {
        Self::filled(terms, columns, |first, here, wide, out| {
            // The matrix is read in the order in which it lies.
            if column_stride <= 1 {
                for (term, out) in out.chunks_exact_mut(wide).enumerate() {
                    let from = term_offset(term) + first * column_stride;
                    out[..here].copy_from_slice(&matrix[from..from + here]);
                }
            } else {
                for block in (0..terms).step_by(16) {
                    for column in 0..here {
                        let column_at = (first + column) * column_stride;
                        for term in block..terms.min(block + 16) {
                            out[term * wide + column] = matrix[term_offset(term) + column_at];
                        }
                    }
                }
            }
        })
    }

    /// Packs a matrix by a function that fills one panel of zeros: its first column, how many
    /// it has, how many floats a row of it has, and the rows, one for each term.
    ///
    /// # Panics
    /// Where memory cannot hold it.
    pub fn filled(
        terms: usize,
        columns: usize,
        fill: impl Fn(usize, usize, usize, &mut [f32]) + Sync,
    ) -> Self {
        let full = panel_width();
        let padded = columns.checked_next_multiple_of(full / 2).unwrap_or(usize::MAX);
        let mut data = Aligned::zeros(some_floats(&[terms, padded]));
        if terms > 0 && columns > 0 {
            let len = data.len;
            let out = Out(data.as_mut_slice().as_mut_ptr());
            share(columns.div_ceil(full), len, |panel| {
                let first = panel * full;
                let wide = full.min(padded - first);
                // SAFETY: each panel has its own part.
                let out =
                    unsafe { std::slice::from_raw_parts_mut(out.at(terms * first), terms * wide) };
                fill(first, full.min(columns - first), wide, out);
            });
        }
        Self { data, terms, columns }
    }

    /// Columns without the filling.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Terms of the sum.
    pub fn terms(&self) -> usize {
        self.terms
    }

    /// How many panels.
    pub fn panels(&self) -> usize {
        self.columns.div_ceil(panel_width())
    }

    pub(super) fn panel(&self, index: usize) -> (*const f32, usize) {
        let full = panel_width();
        let padded = self.columns.next_multiple_of(full / 2);
        let first = index * full;
        let data = self.data.as_slice();
        (data[self.terms * first..].as_ptr(), full.min(padded - first))
    }
}
