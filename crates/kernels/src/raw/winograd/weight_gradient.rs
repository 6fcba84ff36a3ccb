//! The gradient for the weights.

use super::tiles::{PLACES, Pass, Winograd, step, transform};
use crate::raw::gemm::{Aligned, Outer, accumulate, outer_rows, panel_width};
use crate::raw::simd::vectorised;
use crate::raw::sizes::some_floats;
use crate::raw::{Out, View, on_threads, share, threads};

impl Winograd {
    /// The gradient `[outputs, inputs, 3, 3]` for the weights: what [`Self::run`] does, the other
    /// way round.
    pub(crate) fn weight_gradient(&self, x: &View<'_>, gradient: &View<'_>) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        let sums = Sums { winograd: self, x, gradient };
        let panels = outputs.div_ceil(panel_width());
        let size = some_floats(&[PLACES, inputs, outputs.next_multiple_of(panel_width())]);
        // As in `conv`: large sums are divided by panels, small ones by images.
        let by_panels = size > 1 << 19;
        let copies = if by_panels { 1 } else { threads() };
        let mut all = Aligned::zeros(some_floats(&[size, copies]));
        let out = Out(all.as_mut_slice().as_mut_ptr());
        let share_of =
            |whole: usize, part: usize| whole * part / threads()..whole * (part + 1) / threads();
        on_threads(
            threads(),
            || (),
            |(), part| {
                // SAFETY: each thread has its own panels or its own copy of the sums.
                unsafe {
                    if by_panels {
                        sums.add(0..self.batch, share_of(panels, part), out);
                    } else {
                        sums.add(share_of(self.batch, part), 0..panels, Out(out.at(part * size)));
                    }
                }
            },
        );
        let sums = all.as_slice();
        let mut weight = vec![0.0; outputs * inputs * 9];
        let out = Out(weight.as_mut_ptr());
        share(panels, weight.len() * 4, |panel| {
            let first = panel * panel_width();
            let here = panel_width().min(outputs - first);
            let start = panel * PLACES * inputs * panel_width();
            // Few inputs at a time: their sums stay in the cache while the outputs go by.
            for block in (0..inputs).step_by(4) {
                for k in 0..here {
                    for input in block..inputs.min(block + 4) {
                        let place = |place: usize| {
                            let at = start + (place * inputs + input) * panel_width() + k;
                            sums.chunks_exact(size).map(|sums| sums[at]).sum::<f32>()
                        };
                        let taps = kernel_gradient(std::array::from_fn(place));
                        let at = ((first + k) * inputs + input) * 9;
                        for (tap, value) in taps.into_iter().enumerate() {
                            // SAFETY: each panel has its own outputs.
                            unsafe { *out.at(at + tap) = value };
                        }
                    }
                }
            }
        });
        weight
    }
}

/// The sums of a weight gradient: for each panel of outputs `[places, inputs, panel]`.
struct Sums<'a> {
    winograd: &'a Winograd,
    x: &'a View<'a>,
    gradient: &'a View<'a>,
}

impl Sums<'_> {
    /// Adds the products of some images for some panels.
    ///
    /// # Safety
    /// `out` has all panels, of which nothing else touches these meanwhile.
    unsafe fn add(&self, images: std::ops::Range<usize>, panels: std::ops::Range<usize>, out: Out) {
        let Winograd { inputs, outputs, padding, .. } = *self.winograd;
        let [down, across] = self.winograd.tiles();
        let image_tiles = down * across;
        let [height, width] = [2 * down + 2, 2 * across + 2];
        let (frame, dy_frame) = (height * width * inputs, 4 * image_tiles * outputs);
        // Where the sums are large, many tiles for each time that they are fetched.
        let block: usize = if inputs * outputs > 1 << 14 { 128 } else { 64 };
        let group = block.div_ceil(image_tiles).min(images.len().max(1));
        let parts = (group * image_tiles).div_ceil(2 * block);
        let mut x_frames = vec![0.0; group * frame];
        let mut dy_frames = vec![0.0; group * dy_frame];
        let (mut left, mut right, mut rows) = (Vec::new(), Aligned::zeros(0), Vec::new());
        for first in images.clone().step_by(group) {
            let count = group.min(images.end - first);
            for (index, image) in (first..first + count).enumerate() {
                let start = index * frame + (padding[0] * width + padding[1]) * inputs;
                self.x.copy_image(image, width * inputs, &mut x_frames[start..]);
                self.gradient.copy_image(
                    image,
                    2 * across * outputs,
                    &mut dy_frames[index * dy_frame..],
                );
            }
            for part in 0..parts {
                let tiles = count * image_tiles;
                let tiles = tiles * part / parts..tiles * (part + 1) / parts;
                let pass = Pass { winograd: self.winograd, width, frame, first, tiles };
                let count = pass.tiles.len();
                left.resize(PLACES * step(count, inputs), 0.0);
                if right.as_slice().len() < PLACES * count * panel_width() {
                    right = Aligned::zeros(PLACES * count * panel_width());
                }
                rows.clear();
                rows.extend((0..count).map(|tile| (tile * inputs) as u32));
                // SAFETY: `left` has just been made large enough, the frames hold every tile.
                unsafe { transform(&pass, &x_frames, &mut left) };
                for panel in panels.clone() {
                    spread(&pass, &dy_frames, panel * panel_width(), right.as_mut_slice());
                    for place in 0..PLACES {
                        for input in (0..inputs).step_by(outer_rows()) {
                            let sum = ((panel * PLACES + place) * inputs + input) * panel_width();
                            // SAFETY: all lies in what has been made above, and in the panel.
                            unsafe {
                                accumulate(&Outer {
                                    left: left.as_ptr().add(place * step(count, inputs) + input),
                                    rows: &rows,
                                    right: right
                                        .as_slice()
                                        .as_ptr()
                                        .add(place * count * panel_width()),
                                    width: panel_width(),
                                    out: out.at(sum),
                                });
                            }
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// `A dy A^T` of every tile and of some outputs: `[places, tiles, panel]`.
    fn spread(pass: &Pass<'_>, frames: &[f32], first: usize, out: &mut [f32]) {
        let outputs = pass.winograd.outputs;
        let [down, across] = pass.winograd.tiles();
        let panel = panel_width();
        let here = panel.min(outputs - first);
        let count = pass.tiles.len();
        for (index, tile) in pass.tiles.clone().enumerate() {
            let [image, y, x] = pass.place(tile);
            let row = 2 * across * outputs;
            let start = image * 2 * down * row + 2 * y * row + 2 * x * outputs + first;
            let at = |y: usize, x: usize| &frames[start + y * row + x * outputs..][..here];
            let [a, b, c, d] = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
            for place in 0..PLACES {
                // Of the two rows, and of the two columns: first, sum, difference, minus second.
                const FACTORS: [[f32; 2]; 4] = [[1.0, 0.0], [1.0, 1.0], [1.0, -1.0], [0.0, -1.0]];
                let ([top, bottom], [one, two]) = (FACTORS[place / 4], FACTORS[place % 4]);
                let factors = [top * one, top * two, bottom * one, bottom * two];
                let out = &mut out[(place * count + index) * panel..][..panel];
                for (k, out) in out[..here].iter_mut().enumerate() {
                    *out = factors[0] * a[k] + factors[1] * b[k] + factors[2] * c[k] + factors[3] * d[k];
                }
                out[here..].fill(0.0);
            }
        }
    }
}

/// `G^T u G`.
fn kernel_gradient(u: [f32; PLACES]) -> [f32; 9] {
    let fold = |[a, b, c, d]: [f32; 4]| [a + 0.5 * (b + c), 0.5 * (b - c), 0.5 * (b + c) + d];
    let columns: [[f32; 3]; 4] =
        std::array::from_fn(|x| fold([u[x], u[4 + x], u[8 + x], u[12 + x]]));
    let rows: [[f32; 3]; 3] = std::array::from_fn(|y| fold(columns.map(|column| column[y])));
    std::array::from_fn(|tap| rows[tap / 3][tap % 3])
}
