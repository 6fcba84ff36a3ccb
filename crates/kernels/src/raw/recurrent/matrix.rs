//! Products of matrices that lie in rows, as the layers need them.

use crate::raw::gemm::{Epilogue, Packed, Rows, multiply};
use crate::raw::{Out, filled, share, threads};

/// Multiplications that take as long as moving one float.
pub(super) const WORK: usize = 8;
/// Rows of a product that one thread takes at a time.
const BLOCK: usize = 96;

pub(super) fn pack(matrix: &[f32], rows: usize, columns: usize) -> Packed {
    Packed::new(rows, columns, matrix, |term| term * columns, 1)
}

pub(super) fn pack_transposed(matrix: &[f32], rows: usize, columns: usize) -> Packed {
    Packed::new(columns, rows, matrix, |term| term, columns)
}

/// Offsets of rows that lie `stride` floats apart.
pub(super) fn offsets(rows: usize, stride: usize) -> Vec<u32> {
    let offset = |row| u32::try_from(row * stride).expect("fewer than 2^32 floats");
    (0..rows).map(offset).collect()
}

/// A matrix within floats: its rows lie `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    pub rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> Matrix<'a> {
    pub fn new(data: &'a [f32], columns: usize) -> Self {
        Self { data, rows: data.len() / columns, columns, stride: columns }
    }

    /// The columns `from..from + columns` of rows of `stride` floats.
    pub fn columns(data: &'a [f32], from: usize, columns: usize, stride: usize) -> Self {
        Self { data: &data[from.min(data.len())..], rows: data.len() / stride, columns, stride }
    }
}

/// Writes `left * right + bias` in rows `out_stride` apart.
///
/// # Safety
/// `out` has room for that, which nothing else touches meanwhile.
pub(super) unsafe fn product(
    left: Matrix<'_>,
    right: &Packed,
    bias: Option<&[f32]>,
    out: Out,
    out_stride: usize,
) {
    let blocks = left.rows.div_ceil(BLOCK);
    let parts = if blocks < threads() { threads().min(right.panels()) } else { 1 };
    let (rows, out_rows) = (offsets(BLOCK, left.stride), offsets(BLOCK, out_stride));
    let work = left.rows * left.columns * right.columns() / WORK;
    share(blocks * parts, work, |task| {
        let (first, part) = (task / parts * BLOCK, task % parts);
        let count = BLOCK.min(left.rows - first);
        let panels = right.panels() * part / parts..right.panels() * (part + 1) / parts;
        assert!(left.data.len() >= (first + count - 1) * left.stride + left.columns, "left matrix");
        // SAFETY: the rows of the left matrix lie in its floats, as just seen; tasks differ in
        // their rows of the result or in their panels.
        unsafe {
            let rows = Rows {
                left: left.data[first * left.stride..].as_ptr(),
                rows: &rows[..count],
                taps: &[0],
                depth: left.columns,
                out: out.at(first * out_stride),
                out_rows: &out_rows[..count],
            };
            multiply(&rows, right, panels, bias, Epilogue::Store);
        }
    });
}

/// A small matrix that stays in the cache from step to step. Its rows lie apart by a few floats
/// more than they have: rows a power of two apart would push each other out.
pub(super) struct Dense {
    data: Vec<f32>,
    columns: usize,
    rows: usize,
}

impl Dense {
    const GAP: usize = 16;

    pub fn new(rows: usize, columns: usize) -> Self {
        Self { data: vec![0.0; rows * (columns + Self::GAP)], columns, rows }
    }

    fn stride(&self) -> usize {
        self.columns + Self::GAP
    }

    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let (columns, stride) = (self.columns, self.stride());
        self.data.chunks_exact_mut(stride).map(move |row| &mut row[..columns])
    }

    /// `self * right + bias`, written or added to `out`.
    pub fn product(&self, right: &Packed, bias: Option<&[f32]>, finish: Epilogue, out: &mut Self) {
        assert_eq!(
            [self.columns, right.columns(), self.rows],
            [right.terms(), out.columns, out.rows],
            "sizes"
        );
        let rows = Rows {
            left: self.data.as_ptr(),
            rows: &offsets(self.rows, self.stride()),
            taps: &[0],
            depth: self.columns,
            out: out.data.as_mut_ptr(),
            out_rows: &offsets(out.rows, out.stride()),
        };
        // SAFETY: both have these rows of these lengths, as just seen.
        unsafe { multiply(&rows, right, 0..right.panels(), bias, finish) };
    }
}

/// `left * right`, in order.
pub(super) fn product_of(left: Matrix<'_>, right: &Packed) -> Vec<f32> {
    let columns = right.columns();
    // SAFETY: every row and column is written.
    unsafe { filled(left.rows * columns, |out| product(left, right, None, out, columns)) }
}

/// `left^T * right`, where both have as many rows: how weights get their gradients. The left
/// matrix may be several side by side.
pub(super) fn transposed_product<const N: usize>(
    left: [Matrix<'_>; N],
    right: Matrix<'_>,
) -> [Vec<f32>; N] {
    let packed = Packed::new(right.rows, right.columns, right.data, |term| term * right.stride, 1);
    let columns = right.columns;
    left.map(|left| {
        assert_eq!(left.rows, right.rows, "rows");
        // A few floats more, lest rows lie a power of two apart, where they would push each
        // other out of the cache.
        let stride = left.rows + 16;
        let turned = transposed(left, stride);
        let turned = Matrix { data: &turned, rows: left.columns, columns: left.rows, stride };
        let (rows, out_rows) = (offsets(turned.rows, stride), offsets(turned.rows, columns));
        let work = left.rows * left.columns * columns / WORK;
        let write = |out: Out| {
            share(packed.panels(), work, |panel| {
                // SAFETY: the rows lie in the transposed matrix; each task has its own panel.
                unsafe {
                    let rows = Rows {
                        left: turned.data.as_ptr(),
                        rows: &rows,
                        taps: &[0],
                        depth: turned.columns,
                        out: out.at(0),
                        out_rows: &out_rows,
                    };
                    multiply(&rows, &packed, panel..panel + 1, None, Epilogue::Store);
                }
            });
        };
        // SAFETY: every row and column is written.
        unsafe { filled(turned.rows * columns, write) }
    })
}

/// The transposed matrix, in rows `stride` floats apart, which begin with its own floats.
fn transposed(matrix: Matrix<'_>, stride: usize) -> Vec<f32> {
    let mut out = vec![0.0; matrix.columns * stride];
    let place = Out(out.as_mut_ptr());
    let bands = matrix.columns.div_ceil(16);
    share(bands, matrix.rows * matrix.columns, |band| {
        let first = band * 16;
        let count = 16.min(matrix.columns - first);
        // SAFETY: each task has its own columns of the matrix, which are rows of the result.
        let out =
            unsafe { std::slice::from_raw_parts_mut(place.at(first * stride), count * stride) };
        for row in (0..matrix.rows).step_by(16) {
            let rows = 16.min(matrix.rows - row);
            let mut tile = [[0.0f32; 16]; 16];
            for (i, tile) in tile.iter_mut().enumerate().take(rows) {
                let from = &matrix.data[(row + i) * matrix.stride + first..][..count];
                tile[..count].copy_from_slice(from);
            }
            for j in 0..count {
                let to = &mut out[j * stride + row..][..rows];
                for (to, tile) in to.iter_mut().zip(&tile) {
                    *to = tile[j];
                }
            }
        }
    });
    out
}
