//! Sums over rows: how weights get their gradients.

#[cfg(target_arch = "x86_64")]
use crate::raw::simd::{Eight, Sixteen};
use crate::raw::simd::{Four, Isa, Lanes, isa};

/// Rows of the left matrix that [`accumulate`] takes at once.
pub(crate) fn outer_rows() -> usize {
    match isa() {
        Isa::Avx512 => 8,
        Isa::Avx2 | Isa::Portable => 4,
    }
}

/// A product over rows: `out[i][j] += sum over r of left[rows[r] + i] * right[r][j]`, for
/// [`outer_rows`] values of `i` and the `width` columns of one panel.
pub(crate) struct Outer<'a> {
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
pub(crate) unsafe fn accumulate(outer: &Outer<'_>) {
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
