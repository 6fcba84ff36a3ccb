//! The tiles of a convolution, and their transform.

#[cfg(target_arch = "x86_64")]
use crate::raw::simd::{Eight, Sixteen};
use crate::raw::simd::{Four, Isa, Lanes, isa};
use crate::raw::threads;

/// Places of a tile.
pub(super) const PLACES: usize = 16;

/// Channels come in multiples of this: of the widest vector.
const CHANNELS: usize = 16;

/// Floats from one place of transformed tiles to the next: a line more than there are, since
/// at powers of two all places of a tile would share one set of the first-level cache.
pub(super) fn step(tiles: usize, channels: usize) -> usize {
    tiles * channels + 16
}

/// A convolution by 3 x 3 with stride 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Winograd {
    pub batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Zeros above, and left; below and right so many that the output is reached.
    pub padding: [usize; 2],
}

impl Winograd {
    /// Whether it pays: vectors must be full, and the transforms small beside the products.
    pub(crate) fn pays(&self) -> bool {
        let whole =
            [self.inputs, self.outputs].iter().all(|channels| channels.is_multiple_of(CHANNELS));
        let wide = self.inputs.min(self.outputs) >= 64;
        let [down, across] = self.tiles();
        whole && wide && self.batch >= threads() && self.batch * down * across >= 96
    }

    /// Tiles of an image, down and across.
    pub(super) fn tiles(&self) -> [usize; 2] {
        self.output.map(|side| side.div_ceil(2))
    }
}

/// Some tiles of a group of images.
pub(super) struct Pass<'a> {
    pub winograd: &'a Winograd,
    /// Pixels of a row of the frame.
    pub width: usize,
    /// Floats of a frame.
    pub frame: usize,
    /// First image of the group.
    pub first: usize,
    pub tiles: std::ops::Range<usize>,
}

impl Pass<'_> {
    /// Image, row and column of a tile, in tiles.
    pub(super) fn place(&self, tile: usize) -> [usize; 3] {
        let [down, across] = self.winograd.tiles();
        [tile / (down * across), tile / across % down, tile % across]
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
unsafe fn before_avx512(pass: &Pass<'_>, frame: &[f32], left: &mut [f32]) {
    // SAFETY: as `before`.
    unsafe { before::<Sixteen>(pass, frame, left) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn before_avx2(pass: &Pass<'_>, frame: &[f32], left: &mut [f32]) {
    // SAFETY: as `before`.
    unsafe { before::<Eight>(pass, frame, left) }
}

/// `B^T d B` of every tile and channel: `[places, tiles, inputs]`.
///
/// # Safety
/// `left` has room for that, and `frame` holds every tile.
pub(super) unsafe fn transform(pass: &Pass<'_>, frame: &[f32], left: &mut [f32]) {
    // SAFETY, of all: the caller vouches for the slices, `isa` for the instructions.
    match isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { before_avx512(pass, frame, left) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { before_avx2(pass, frame, left) },
        _ => unsafe { before::<Four>(pass, frame, left) },
    }
}

/// See [`transform`].
///
/// # Safety
/// The slices reach as far as the tiles, and the processor has the instructions.
#[inline(always)]
unsafe fn before<V: Lanes>(pass: &Pass<'_>, frame: &[f32], left: &mut [f32]) {
    let inputs = pass.winograd.inputs;
    let step = step(pass.tiles.len(), inputs);
    for (index, tile) in pass.tiles.clone().enumerate() {
        let [image, y, x] = pass.place(tile);
        let start = image * pass.frame + (2 * y * pass.width + 2 * x) * inputs;
        for channel in (0..inputs).step_by(V::WIDTH) {
            // SAFETY: the caller's contract.
            unsafe {
                let from = frame.as_ptr().add(start + channel);
                let to = left.as_mut_ptr().add(index * inputs + channel);
                let at = |y: usize, x: usize| V::load(from.add((y * pass.width + x) * inputs));
                // Each row first, then each column.
                let rows: [[V; 4]; 4] = std::array::from_fn(|y| {
                    let [a, b, c, d] = [at(y, 0), at(y, 1), at(y, 2), at(y, 3)];
                    [a.sub(c), b.add(c), c.sub(b), b.sub(d)]
                });
                for x in 0..4 {
                    let [a, b, c, d] = [rows[0][x], rows[1][x], rows[2][x], rows[3][x]];
                    a.sub(c).store(to.add(x * step));
                    b.add(c).store(to.add((4 + x) * step));
                    c.sub(b).store(to.add((8 + x) * step));
                    b.sub(d).store(to.add((12 + x) * step));
                }
            }
        }
    }
}
