//! Matrix products whose left rows lie anywhere: the heart of convolution, linear layers and
//! recurrence.
//!
//! A product sums over `taps * depth` terms. Row `i` of the left matrix is found at
//! `rows[i] + taps[t]`, `depth` floats for each tap `t`: for a plain matrix there is one tap,
//! for a convolution one for each place of the kernel, so that no patch is ever copied
//! ("indirect" convolution, Dukhan 2019, arXiv:1907.02129). The right matrix is packed in
//! panels of columns ([`Packed`]).

#[cfg(target_arch = "x86_64")]
use super::simd::{Eight, Sixteen};
use super::simd::{Four, Isa, Lanes, isa};
use super::{Out, share};

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
pub(super) fn panel_width() -> usize {
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
    /// Where such a place lies outside of `matrix`.
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
    pub fn filled(
        terms: usize,
        columns: usize,
        fill: impl Fn(usize, usize, usize, &mut [f32]) + Sync,
    ) -> Self {
        let full = panel_width();
        let padded = columns.next_multiple_of(full / 2);
        let mut data = Aligned::zeros(terms * padded);
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

    fn panel(&self, index: usize) -> (*const f32, usize) {
        let full = panel_width();
        let padded = self.columns.next_multiple_of(full / 2);
        let first = index * full;
        let data = self.data.as_slice();
        (data[self.terms * first..].as_ptr(), full.min(padded - first))
    }
}

/// What becomes of the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// They are written.
    #[default]
    Write,
    /// They are added to what is there.
    Add,
    /// What is negative is written as zero.
    Relu,
}

/// The rows of a product: where the left ones are read and the results written.
pub(super) struct Rows<'a> {
    /// The left matrix; offsets count from here.
    pub left: *const f32,
    /// Offset of each row in floats.
    pub rows: &'a [u32],
    /// Offset of each tap in floats, the same for all rows.
    pub taps: &'a [u32],
    /// Terms of each tap.
    pub depth: usize,
    /// The results; offsets count from here.
    pub out: *mut f32,
    /// Offset of each row of the results in floats.
    pub out_rows: &'a [u32],
}

/// Rows times some panels of a packed matrix, plus `bias`.
///
/// # Safety
/// At each `left + rows[i] + taps[t]` lie `depth` readable floats, at each
/// `out + out_rows[i]` there are [`Packed::columns`] writable ones that nothing else touches
/// meanwhile (in the columns of these panels).
pub(super) unsafe fn multiply(
    rows: &Rows<'_>,
    right: &Packed,
    panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    finish: Finish,
) {
    // SAFETY: as this function.
    unsafe { multiply_part(rows, right, 0..right.terms, panels, bias, finish) }
}

/// The same for some of the terms of the packed matrix.
///
/// # Safety
/// As [`multiply`].
pub(super) unsafe fn multiply_part(
    rows: &Rows<'_>,
    right: &Packed,
    terms: std::ops::Range<usize>,
    panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    finish: Finish,
) {
    assert!(terms.end <= right.terms && rows.taps.len() * rows.depth == terms.len(), "terms");
    let right = &Part { packed: right, first: terms.start };
    assert_eq!(rows.rows.len(), rows.out_rows.len(), "rows");
    assert!(bias.is_none_or(|bias| bias.len() == right.packed.columns), "bias");
    // SAFETY, of all three: the caller vouches for the pointers, `isa` for the instructions.
    match isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(rows, right, panels, bias, finish) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(rows, right, panels, bias, finish) },
        _ => unsafe { blocks::<Four, 4>(rows, right, panels, bias, finish) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
unsafe fn avx512(
    rows: &Rows<'_>,
    right: &Part<'_>,
    panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    finish: Finish,
) {
    // SAFETY: as `multiply`.
    unsafe { blocks::<Sixteen, 12>(rows, right, panels, bias, finish) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(
    rows: &Rows<'_>,
    right: &Part<'_>,
    panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    finish: Finish,
) {
    // SAFETY: as `multiply`.
    unsafe { blocks::<Eight, 6>(rows, right, panels, bias, finish) }
}

/// The terms of a packed matrix from `first` on.
struct Part<'a> {
    packed: &'a Packed,
    first: usize,
}

/// All rows, block by block, of each panel: the panel stays in the cache.
#[inline(always)]
unsafe fn blocks<V: Lanes, const MR: usize>(
    rows: &Rows<'_>,
    right: &Part<'_>,
    panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    finish: Finish,
) {
    let full = 2 * V::WIDTH;
    let mut panels = panels;
    if rows.rows.len() == 1 {
        // SAFETY: as `multiply`.
        unsafe {
            panels = one_row::<V, 4>(rows, right, panels, bias, finish);
            panels = one_row::<V, 2>(rows, right, panels, bias, finish);
        }
    }
    for panel in panels {
        let (b, wide) = right.packed.panel(panel);
        // SAFETY: a panel has all terms.
        let b = unsafe { b.add(right.first * wide) };
        let first = panel * full;
        let columns = full.min(right.packed.columns - first);
        let mut filled = [0.0; 32];
        if let Some(bias) = bias {
            filled[..columns].copy_from_slice(&bias[first..first + columns]);
        }
        let bias = bias.map(|_| filled);
        let target = Target { first, columns, bias: bias.as_ref(), finish };
        let mut at = 0;
        while at < rows.rows.len() {
            let left = rows.rows.len() - at;
            // SAFETY: as `multiply`; `at` and the rows taken stay below the number of rows.
            unsafe {
                at += match (left, wide == full) {
                    (5.., true) => kernel::<V, MR, 2>(rows, at, b, &target),
                    (2..=4, true) => kernel::<V, 4, 2>(rows, at, b, &target),
                    (_, true) => kernel::<V, 1, 2>(rows, at, b, &target),
                    (5.., false) => kernel::<V, MR, 1>(rows, at, b, &target),
                    (2..=4, false) => kernel::<V, 4, 1>(rows, at, b, &target),
                    (_, false) => kernel::<V, 1, 1>(rows, at, b, &target),
                };
            }
        }
    }
}

/// One row, `P` panels at a time as long as there are so many full ones: sums of one panel alone
/// would wait for each other. Returns the panels that are left.
#[inline(always)]
unsafe fn one_row<V: Lanes, const P: usize>(
    rows: &Rows<'_>,
    right: &Part<'_>,
    mut panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    finish: Finish,
) -> std::ops::Range<usize> {
    let full = 2 * V::WIDTH;
    let whole = panels.end.min(right.packed.columns / full);
    while panels.start + P <= whole {
        let first = panels.start * full;
        // SAFETY: the caller's contract; these panels are full, and have all terms.
        unsafe {
            let from = rows.left.add(rows.rows[0] as usize);
            let out = rows.out.add(rows.out_rows[0] as usize + first);
            let mut b: [*const f32; P] = std::array::from_fn(|i| {
                right.packed.panel(panels.start + i).0.add(right.first * full)
            });
            let mut sums = [[V::splat(0.0); 2]; P];
            if let Some(bias) = bias {
                let bias = bias[first..first + P * full].as_ptr();
                for i in 0..P {
                    for j in 0..2 {
                        sums[i][j] = V::load(bias.add(i * full + j * V::WIDTH));
                    }
                }
            }
            for &tap in rows.taps {
                let from = from.add(tap as usize);
                for term in 0..rows.depth {
                    let left = V::splat(*from.add(term));
                    for i in 0..P {
                        for j in 0..2 {
                            let right = V::load(b[i].add(j * V::WIDTH));
                            sums[i][j] = sums[i][j].add_product(left, right);
                        }
                        b[i] = b[i].add(full);
                    }
                }
            }
            for i in 0..P {
                for j in 0..2 {
                    let out = out.add(i * full + j * V::WIDTH);
                    let sum = match finish {
                        Finish::Write => sums[i][j],
                        Finish::Add => sums[i][j].add(V::load(out)),
                        // In this order a NaN stays one.
                        Finish::Relu => V::splat(0.0).max(sums[i][j]),
                    };
                    sum.store(out);
                }
            }
        }
        panels.start += P;
    }
    panels
}

struct Target<'a> {
    first: usize,
    columns: usize,
    bias: Option<&'a [f32; 32]>,
    finish: Finish,
}

/// `MR` rows of one panel of `NV` vectors; returns how many rows that were.
#[inline(always)]
unsafe fn kernel<V: Lanes, const MR: usize, const NV: usize>(
    rows: &Rows<'_>,
    at: usize,
    mut b: *const f32,
    target: &Target<'_>,
) -> usize {
    let count = MR.min(rows.rows.len() - at);
    // SAFETY: the caller's contract; a missing row is the last one again, whose sums are dropped.
    unsafe {
        let from: [*const f32; MR] =
            std::array::from_fn(|i| rows.left.add(rows.rows[at + i.min(count - 1)] as usize));
        let mut sums = match target.bias {
            Some(bias) => [std::array::from_fn(|j| V::load(bias.as_ptr().add(j * V::WIDTH))); MR],
            None => [[V::splat(0.0); NV]; MR],
        };
        for &tap in rows.taps {
            let from: [*const f32; MR] = std::array::from_fn(|i| from[i].add(tap as usize));
            for term in 0..rows.depth {
                let right: [V; NV] = std::array::from_fn(|j| V::load(b.add(j * V::WIDTH)));
                for i in 0..MR {
                    let left = V::splat(*from[i].add(term));
                    for j in 0..NV {
                        sums[i][j] = sums[i][j].add_product(left, right[j]);
                    }
                }
                b = b.add(NV * V::WIDTH);
            }
        }
        let finish = target.finish;
        if target.columns == NV * V::WIDTH {
            // Small loops over all rows, so that the compiler unrolls them, knows every index
            // and keeps the sums in registers.
            let out: [*mut f32; MR] = std::array::from_fn(|i| {
                rows.out.add(rows.out_rows[at + i.min(count - 1)] as usize + target.first)
            });
            if finish == Finish::Add {
                for i in 0..MR {
                    for j in 0..NV {
                        sums[i][j] = sums[i][j].add(V::load(out[i].add(j * V::WIDTH)));
                    }
                }
            }
            if finish == Finish::Relu {
                for sums in &mut sums {
                    for sum in sums {
                        // In this order a NaN stays one.
                        *sum = V::splat(0.0).max(*sum);
                    }
                }
            }
            for i in 0..MR {
                if i < count {
                    for j in 0..NV {
                        sums[i][j].store(out[i].add(j * V::WIDTH));
                    }
                }
            }
        } else {
            let mut spare = [[0.0f32; 32]; MR];
            for i in 0..MR {
                for j in 0..NV {
                    sums[i][j].store(spare[i].as_mut_ptr().add(j * V::WIDTH));
                }
            }
            for (i, sums) in spare[..count].iter().enumerate() {
                let out = rows.out.add(rows.out_rows[at + i] as usize + target.first);
                for (j, &sum) in sums[..target.columns].iter().enumerate() {
                    let out = out.add(j);
                    *out = match finish {
                        Finish::Write => sum,
                        Finish::Add => sum + *out,
                        Finish::Relu if sum < 0.0 => 0.0,
                        Finish::Relu => sum,
                    };
                }
            }
        }
    }
    count
}

/// Rows of the left matrix that [`accumulate`] takes at once.
pub(super) fn outer_rows() -> usize {
    match isa() {
        Isa::Avx512 => 8,
        Isa::Avx2 | Isa::Portable => 4,
    }
}

/// A product over rows: `out[i][j] += sum over r of left[rows[r] + i] * right[r][j]`, for
/// [`outer_rows`] values of `i` and the `width` columns of one panel.
pub(super) struct Outer<'a> {
    /// Offsets count from here.
    pub left: *const f32,
    /// Offset of each row in floats.
    pub rows: &'a [u32],
    /// `rows.len()` rows of `width` floats.
    pub right: *const f32,
    /// One or two vectors.
    pub width: usize,
    /// [`outer_rows`] rows of `width` floats.
    pub out: *mut f32,
}

/// Adds up an [`Outer`] product.
///
/// # Safety
/// The pointers are as the fields say, and nothing else touches `out` meanwhile.
pub(super) unsafe fn accumulate(outer: &Outer<'_>) {
    // SAFETY, of all: the caller vouches for the pointers, `isa` for the instructions.
    match isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { outer_avx512(outer) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { outer_avx2(outer) },
        _ => unsafe { outer_any::<Four, 4>(outer) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
unsafe fn outer_avx512(outer: &Outer<'_>) {
    // SAFETY: as `accumulate`.
    unsafe { outer_any::<Sixteen, 8>(outer) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn outer_avx2(outer: &Outer<'_>) {
    // SAFETY: as `accumulate`.
    unsafe { outer_any::<Eight, 4>(outer) }
}

#[inline(always)]
unsafe fn outer_any<V: Lanes, const MR: usize>(outer: &Outer<'_>) {
    // SAFETY: as `accumulate`.
    unsafe {
        if outer.width == V::WIDTH {
            outer_kernel::<V, MR, 1>(outer);
        } else {
            outer_kernel::<V, MR, 2>(outer);
        }
    }
}

#[inline(always)]
unsafe fn outer_kernel<V: Lanes, const MR: usize, const NV: usize>(outer: &Outer<'_>) {
    // SAFETY: as `accumulate`.
    unsafe {
        let out = |i, j| outer.out.add((i * NV + j) * V::WIDTH);
        let mut sums: [[V; NV]; MR] =
            std::array::from_fn(|i| std::array::from_fn(|j| V::load(out(i, j))));
        let mut b = outer.right;
        for &row in outer.rows {
            let a = outer.left.add(row as usize);
            let right: [V; NV] = std::array::from_fn(|j| V::load(b.add(j * V::WIDTH)));
            for i in 0..MR {
                let left = V::splat(*a.add(i));
                for j in 0..NV {
                    sums[i][j] = sums[i][j].add_product(left, right[j]);
                }
            }
            b = b.add(NV * V::WIDTH);
        }
        for i in 0..MR {
            for j in 0..NV {
                sums[i][j].store(out(i, j));
            }
        }
    }
}
