//! Rows times panels.

use super::packed::Packed;
#[cfg(target_arch = "x86_64")]
use crate::raw::simd::{Eight, Sixteen};
use crate::raw::simd::{Four, Isa, Lanes, isa};

/// What becomes of the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epilogue {
    /// They are written.
    #[default]
    Store,
    /// They are added to what is there.
    Accumulate,
    /// What is negative is written as zero.
    Relu,
}

/// The rows of a product: where the left ones are read and the results written.
pub(crate) struct Rows<'a> {
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
pub(crate) unsafe fn multiply(
    rows: &Rows<'_>,
    right: &Packed,
    panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    finish: Epilogue,
) {
    // SAFETY: as this function.
    unsafe { multiply_part(rows, right, 0..right.terms(), panels, bias, finish) }
}

/// The same for some of the terms of the packed matrix.
///
/// # Safety
/// As [`multiply`].
pub(crate) unsafe fn multiply_part(
    rows: &Rows<'_>,
    right: &Packed,
    terms: std::ops::Range<usize>,
    panels: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    finish: Epilogue,
) {
    assert!(terms.end <= right.terms() && rows.taps.len() * rows.depth == terms.len(), "terms");
    let right = &Part { packed: right, first: terms.start };
    assert_eq!(rows.rows.len(), rows.out_rows.len(), "rows");
    assert!(bias.is_none_or(|bias| bias.len() == right.packed.columns()), "bias");
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
    finish: Epilogue,
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
    finish: Epilogue,
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
    finish: Epilogue,
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
        let columns = full.min(right.packed.columns() - first);
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
    finish: Epilogue,
) -> std::ops::Range<usize> {
    let full = 2 * V::WIDTH;
    let whole = panels.end.min(right.packed.columns() / full);
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
                        Epilogue::Store => sums[i][j],
                        Epilogue::Accumulate => sums[i][j].add(V::load(out)),
                        // In this order a NaN stays one.
                        Epilogue::Relu => V::splat(0.0).max(sums[i][j]),
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
    finish: Epilogue,
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
            if finish == Epilogue::Accumulate {
                for i in 0..MR {
                    for j in 0..NV {
                        sums[i][j] = sums[i][j].add(V::load(out[i].add(j * V::WIDTH)));
                    }
                }
            }
            if finish == Epilogue::Relu {
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
                        Epilogue::Store => sum,
                        Epilogue::Accumulate => sum + *out,
                        Epilogue::Relu if sum < 0.0 => 0.0,
                        Epilogue::Relu => sum,
                    };
                }
            }
        }
    }
    count
}
