//! Convolution by 3 x 3 with stride 1 in fewer multiplications: F(2x2, 3x3) of A. Lavin and
//! S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR (2016),
//! arXiv:1509.09308, section 4.1.
//!
//! A tile of 4 x 4 inputs gives 2 x 2 outputs by 16 multiplications for each pair of channels
//! where there were 36. Each of the 16 is a matrix product of tiles by channels.

use super::gemm::{
    Aligned, Finish, Outer, Packed, Rows, accumulate, multiply_part, outer_rows, panel_width,
};
#[cfg(target_arch = "x86_64")]
use super::simd::{Eight, Sixteen};
use super::simd::{Four, Isa, Lanes, isa, vectorised};
use super::{Out, View, on_threads, share, threads};

/// Places of a tile.
const PLACES: usize = 16;
/// Channels come in multiples of this: of the widest vector.
const CHANNELS: usize = 16;
/// Floats of the transformed tiles that one pass makes: they fit the second-level cache.
const BLOCK: usize = 1 << 17;

/// Floats from one place of transformed tiles to the next: a line more than there are, since
/// at powers of two all places of a tile would share one set of the first-level cache.
fn step(tiles: usize, channels: usize) -> usize {
    tiles * channels + 16
}

/// A convolution by 3 x 3 with stride 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Winograd {
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
    pub(super) fn pays(&self) -> bool {
        let whole =
            [self.inputs, self.outputs].iter().all(|channels| channels.is_multiple_of(CHANNELS));
        let wide = self.inputs.min(self.outputs) >= 64;
        let [down, across] = self.tiles();
        whole && wide && self.batch >= threads() && self.batch * down * across >= 96
    }

    /// Tiles of an image, down and across.
    fn tiles(&self) -> [usize; 2] {
        self.output.map(|side| side.div_ceil(2))
    }

    /// The kernels, transformed: for each place of a tile, `[inputs, outputs]`. `weight` gives
    /// the nine taps from an input to an output.
    pub(super) fn weights(&self, weight: impl Fn(usize, usize) -> [f32; 9] + Sync) -> Packed {
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

    /// The gradient `[outputs, inputs, 3, 3]` for the weights: what [`Self::run`] does, the other
    /// way round.
    pub(super) fn weight_gradient(&self, x: &View<'_>, gradient: &View<'_>) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        let sums = Sums { winograd: self, x, gradient };
        let panels = outputs.div_ceil(panel_width());
        let size = PLACES * inputs * outputs.next_multiple_of(panel_width());
        // As in `conv`: large sums are divided by panels, small ones by images.
        let by_panels = size > 1 << 19;
        let copies = if by_panels { 1 } else { threads() };
        let mut all = Aligned::zeros(size * copies);
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

    /// Writes the output, `[batch, height, width, outputs]`.
    ///
    /// # Safety
    /// `out` has room for that, and nothing else writes there meanwhile.
    pub(super) unsafe fn run(
        &self,
        source: &View<'_>,
        weights: &Packed,
        bias: Option<&[f32]>,
        finish: Finish,
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

/// Some tiles of a group of images.
struct Pass<'a> {
    winograd: &'a Winograd,
    /// Pixels of a row of the frame.
    width: usize,
    /// Floats of a frame.
    frame: usize,
    /// First image of the group.
    first: usize,
    tiles: std::ops::Range<usize>,
}

impl Pass<'_> {
    /// # Safety
    /// As [`Winograd::run`], for the pixels of these tiles.
    unsafe fn run(
        &self,
        scratch: &mut Scratch,
        weights: &Packed,
        bias: Option<&[f32]>,
        finish: Finish,
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
                multiply_part(&product, weights, terms, 0..weights.panels(), None, Finish::Write);
            }
        };
        (0..PLACES).for_each(multiply);
        let zeros = vec![0.0; outputs];
        let end = Ending { bias: bias.unwrap_or(&zeros), relu: finish == Finish::Relu, out };
        // SAFETY, of all: as above, and `isa` has seen the instructions.
        match isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { after_avx512(self, &scratch.sums, &end) },
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { after_avx2(self, &scratch.sums, &end) },
            _ => unsafe { after::<Four>(self, &scratch.sums, &end) },
        }
    }

    /// Image, row and column of a tile, in tiles.
    fn place(&self, tile: usize) -> [usize; 3] {
        let [down, across] = self.winograd.tiles();
        [tile / (down * across), tile / across % down, tile % across]
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
unsafe fn transform(pass: &Pass<'_>, frame: &[f32], left: &mut [f32]) {
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
