//! Vectors of the processor at hand: which instructions it has, and four operations on them.

/// The widest instructions that this processor has and that the kernels know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 16 floats a vector.
    Avx512,
    /// 8 floats a vector, with fused multiply-add.
    Avx2,
    /// Whatever the compiler makes of arrays of 4 floats: SSE2, NEON, ...
    Portable,
}

/// What this processor has; asked once.
pub fn isa() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        static FOUND: std::sync::OnceLock<Isa> = std::sync::OnceLock::new();
        *FOUND.get_or_init(|| {
            // `TENFOLD_ISA` is for tests and for measuring what the wider instructions bring.
            let most = std::env::var("TENFOLD_ISA").unwrap_or_default();
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 =
                ["avx512f", "avx512dq", "avx512vl", "avx512bw"].iter().all(|&name| match name {
                    "avx512f" => is_x86_feature_detected!("avx512f"),
                    "avx512dq" => is_x86_feature_detected!("avx512dq"),
                    "avx512vl" => is_x86_feature_detected!("avx512vl"),
                    _ => is_x86_feature_detected!("avx512bw"),
                });
            match (avx512 && fma, fma, most.as_str()) {
                (_, _, "portable") | (false, false, _) => Isa::Portable,
                (true, _, "" | "avx512") => Isa::Avx512,
                _ => Isa::Avx2,
            }
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    Isa::Portable
}

/// A vector of floats in a register.
///
/// # Safety
/// Every function may be called only on a processor that has the instructions of the
/// implementing type, and from a function that enables them; `load` and `store` touch
/// [`Self::WIDTH`] floats at the pointer, of any alignment.
pub(super) trait Lanes: Copy {
    /// Floats in one.
    const WIDTH: usize;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self + a * b`.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
}

/// Four floats, for processors without wider vectors that we know.
#[derive(Clone, Copy)]
pub(super) struct Four([f32; 4]);

impl Lanes for Four {
    const WIDTH: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for 4 floats there.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Eight, Sixteen};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    macro_rules! lanes {
        ($name:ident, $vector:ty, $width:literal, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sub:ident, $max:ident) => {
            #[doc = concat!(stringify!($width), " floats.")]
            #[derive(Clone, Copy)]
            pub(in super::super) struct $name($vector);

            // SAFETY, of every block: the trait's contract is the intrinsics'.
            impl Lanes for $name {
                const WIDTH: usize = $width;
                #[inline(always)]
                unsafe fn splat(x: f32) -> Self {
                    Self(unsafe { $splat(x) })
                }
                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    Self(unsafe { $fma(a.0, b.0, self.0) })
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    Self(unsafe { $sub(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn max(self, other: Self) -> Self {
                    Self(unsafe { $max(self.0, other.0) })
                }
            }
        };
    }

    lanes!(
        Sixteen,
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_max_ps
    );
    lanes!(
        Eight,
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_max_ps
    );
}

/// Compiles a function of plain loops once for each [`Isa`], and calls the widest that this
/// processor has.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $out)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
                fn avx512($($arg: $type),*) $(-> $out)? {
                    plain($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) $(-> $out)? {
                    plain($($arg),*)
                }
                match $crate::raw::simd::isa() {
                    // SAFETY: `isa` has seen these instructions on this processor.
                    $crate::raw::simd::Isa::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::raw::simd::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::raw::simd::Isa::Portable => {}
                }
            }
            plain($($arg),*)
        }
    };
}
pub(crate) use vectorised;
