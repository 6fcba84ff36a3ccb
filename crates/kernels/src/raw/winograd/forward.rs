//! The convolution itself.

use super::tiles::{PLACES, Pass, Winograd, step, transform};
use crate::raw::gemm::{Epilogue, Packed, Rows, multiply_part};
#[cfg(target_arch = "x86_64")]
use crate::raw::simd::{Eight, Sixteen};
use crate::raw::simd::{Four, Isa, Lanes, isa};
use crate::raw::{Out, View, on_threads, threads};

/// Floats of the transformed tiles that one pass makes: they fit the second-level cache.
const BLOCK: usize = 1 << 17;

impl Winograd {
    /// The kernels, transformed: for each place of a tile, `[inputs, outputs]`. `weight` gives
    /// the nine taps from an input to an output.
    pub(crate) fn weights(&self, weight: impl Fn(usize, usize) -> [f32; 9] + Sync) -> Packed {
        let inputs = self.inputs;
        Packed::filled(PLACES * inputs, self.outputs, |first, here, wide, out| {
            for input in 0..inputs {
                for column in 0..here {
                    let transformed = kernel(weight(input, first + column));
                    for (place, value) in transformed.into_iter().enumerate() {
                        out[(place * inputs + input) * wide + column] = value;
                    }
                }
            }
        })
    }

    /// Writes the output, `[batch, height, width, outputs]`.
    ///
    /// # Safety
    /// `out` has room for that, and nothing else writes there meanwhile.
    pub(crate) unsafe fn run(
        &self,
        source: &View<'_>,
        weights: &Packed,
        bias: Option<&[f32]>,
        finish: Epilogue,
        out: Out,
    ) {
        let [down, across] = self.tiles();
        let image_tiles = down * across;
        // The frame that the tiles of an image cover.
        let [height, width] = [2 * down + 2, 2 * across + 2];
        let frame = height * width * self.inputs;
        // Whole images, as many as the cache holds, but some rows for every panel of weights.
        let block = (BLOCK / (PLACES * (self.inputs + self.outputs))).max(48);
        let group = block.div_ceil(image_tiles).clamp(1, self.batch.div_ceil(threads()));
        let groups = self.batch.div_ceil(group);
        // Images of many tiles are done in parts.
        let parts = (group * image_tiles).div_ceil(2 * block);
        let task = |scratch: &mut Scratch, index: usize| {
            let first = index * group;
            let images = group.min(self.batch - first);
            scratch.frame.resize(group * frame, 0.0);
            for (image, place) in (first..first + images).zip(scratch.frame.chunks_exact_mut(frame))
            {
                let start = (self.padding[0] * width + self.padding[1]) * self.inputs;
                source.copy_image(image, width * self.inputs, &mut place[start..]);
            }
            let tiles = images * image_tiles;
            for part in 0..parts {
                let tiles = tiles * part / parts..tiles * (part + 1) / parts;
                let pass = Pass { winograd: self, width, frame, first, tiles };
                // SAFETY: every tile writes its own pixels.
                unsafe { pass.run(scratch, weights, bias, finish, out) };
            }
        };
        on_threads(groups, Scratch::default, task);
    }
}

/// What a thread needs from task to task.
#[derive(Default)]
struct Scratch {
    frame: Vec<f32>,
    /// `[places, tiles, inputs]`
    left: Vec<f32>,
    /// `[places, tiles, outputs]`
    sums: Vec<f32>,
    rows: Vec<u32>,
    out_rows: Vec<u32>,
}

impl Pass<'_> {
    /// # Safety
    /// As [`Winograd::run`], for the pixels of these tiles.
    unsafe fn run(
        &self,
        scratch: &mut Scratch,
        weights: &Packed,
        bias: Option<&[f32]>,
        finish: Epilogue,
        out: Out,
    ) {
        let Winograd { inputs, outputs, .. } = *self.winograd;
        let count = self.tiles.len();
        scratch.left.resize(PLACES * step(count, inputs), 0.0);
        scratch.sums.resize(PLACES * step(count, outputs), 0.0);
        scratch.rows.clear();
        scratch.rows.extend((0..count).map(|tile| (tile * inputs) as u32));
        scratch.out_rows.clear();
        scratch.out_rows.extend((0..count).map(|tile| (tile * outputs) as u32));
        // SAFETY: `left` has just been made large enough, and the frame holds every tile.
        unsafe { transform(self, &scratch.frame, &mut scratch.left) };
        let sums = Out(scratch.sums.as_mut_ptr());
        let left = scratch.left.as_ptr();
        let (rows, out_rows) = (&scratch.rows, &scratch.out_rows);
        let multiply = |place: usize| {
            // SAFETY: `left` and `sums` are as large as the tiles need; each place has its own.
            unsafe {
                let product = Rows {
                    left: left.add(place * step(count, inputs)),
                    rows,
                    taps: &[0],
                    depth: inputs,
                    out: sums.at(place * step(count, outputs)),
                    out_rows,
                };
                let terms = place * inputs..(place + 1) * inputs;
                multiply_part(&product, weights, terms, 0..weights.panels(), None, Epilogue::Store);
            }
        };
        (0..PLACES).for_each(multiply);
        let zeros = vec![0.0; outputs];
        let end = Ending { bias: bias.unwrap_or(&zeros), relu: finish == Epilogue::Relu, out };
        // SAFETY, of all: as above, and `isa` has seen the instructions.
        match isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { after_avx512(self, &scratch.sums, &end) },
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { after_avx2(self, &scratch.sums, &end) },
            _ => unsafe { after::<Four>(self, &scratch.sums, &end) },
        }
    }
}

struct Ending<'a> {
    bias: &'a [f32],
    relu: bool,
    out: Out,
}

/// `G g G^T`.
fn kernel(g: [f32; 9]) -> [f32; PLACES] {
    let expand = |[a, b, c]: [f32; 3]| [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c];
    let columns: [[f32; 4]; 3] = std::array::from_fn(|x| expand([g[x], g[3 + x], g[6 + x]]));
    let rows: [[f32; 4]; 4] =
        std::array::from_fn(|y| expand([columns[0][y], columns[1][y], columns[2][y]]));
    std::array::from_fn(|place| rows[place / 4][place % 4])
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
unsafe fn after_avx512(pass: &Pass<'_>, sums: &[f32], end: &Ending<'_>) {
    // SAFETY: as `after`.
    unsafe { after::<Sixteen>(pass, sums, end) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn after_avx2(pass: &Pass<'_>, sums: &[f32], end: &Ending<'_>) {
    // SAFETY: as `after`.
    unsafe { after::<Eight>(pass, sums, end) }
}

/// `A^T m A` of every tile and channel, into the output.
///
/// # Safety
/// The slices reach as far as the tiles, and the processor has the instructions; nothing else
/// writes these pixels meanwhile.
#[inline(always)]
unsafe fn after<V: Lanes>(pass: &Pass<'_>, sums: &[f32], end: &Ending<'_>) {
    let Winograd { outputs, output: [height, width], .. } = *pass.winograd;
    let step = step(pass.tiles.len(), outputs);
    for (index, tile) in pass.tiles.clone().enumerate() {
        let [image, y, x] = pass.place(tile);
        let pixel = ((pass.first + image) * height + 2 * y) * width + 2 * x;
        // The last tile may hang over the end.
        let (tall, wide) = (2 * y + 1 < height, 2 * x + 1 < width);
        for channel in (0..outputs).step_by(V::WIDTH) {
            // SAFETY: the caller's contract.
            unsafe {
                let from = sums.as_ptr().add(index * outputs + channel);
                let at = |place: usize| V::load(from.add(place * step));
                let bias = V::load(end.bias.as_ptr().add(channel));
                // Each column first, then each row.
                let columns: [[V; 2]; 4] = std::array::from_fn(|x| {
                    let [a, b, c, d] = [at(x), at(4 + x), at(8 + x), at(12 + x)];
                    [a.add(b).add(c), b.sub(c).sub(d)]
                });
                for y in 0..2 {
                    let [a, b, c, d] = [columns[0][y], columns[1][y], columns[2][y], columns[3][y]];
                    let mut values = [a.add(b).add(c).add(bias), b.sub(c).sub(d).add(bias)];
                    if end.relu {
                        values = values.map(|value| V::splat(0.0).max(value));
                    }
                    if y == 0 || tall {
                        let to = end.out.at((pixel + y * width) * outputs + channel);
                        values[0].store(to);
                        if wide {
                            values[1].store(to.add(outputs));
                        }
                    }
                }
            }
        }
    }
}
