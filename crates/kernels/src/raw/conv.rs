//! Convolution in two dimensions and both of its gradients; and the transposed convolution,
//! which is the gradient of the first.
//!
//! All three are products of [`gemm`](super::gemm) whose left rows are pixels. Where there is
//! padding, images are copied a few at a time into a frame of zeros that fits the cache.

use super::gemm::{
    Aligned, Finish, Outer, Packed, Rows, accumulate, multiply, outer_rows, panel_width,
};
use super::winograd::Winograd;
use super::{Out, SMALL, View, filled, on_threads, share, threads};

/// Floats of a frame of padded images: it and a panel of weights fit the second-level cache.
const FRAME: usize = 1 << 17;
/// Multiplications that take as long as moving one float.
const WORK: usize = 64;
/// Below this many floats that lie one after the other the patches are copied: a tap would be
/// too short a sum.
const FEW: usize = 8;

/// The shape of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Pixels from one place of the kernel to the next.
    pub stride: [usize; 2],
    /// Zeros above, and left.
    pub padding: [usize; 2],
    /// Pixels from one tap of the kernel to the next.
    pub dilation: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
}

impl Conv {
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn input_shape(&self) -> [usize; 4] {
        [self.batch, self.inputs, self.input[0], self.input[1]]
    }

    fn output_shape(&self) -> [usize; 4] {
        [self.batch, self.outputs, self.output[0], self.output[1]]
    }

    /// Weights `[outputs, inputs, height, width]` packed for [`forward`].
    ///
    /// # Panics
    /// Where the length is another.
    pub fn pack(&self, weight: &[f32]) -> Packed {
        let (taps, inputs) = (self.taps(), self.inputs);
        assert_eq!(weight.len(), self.outputs * inputs * taps, "weights");
        let row = inputs * taps;
        Packed::filled(row, self.outputs, |first, here, wide, out| {
            // Few channels at a time: their rows of the panel stay in the cache while the
            // outputs go by.
            for channel in (0..inputs).step_by(CHANNELS) {
                let places = places(channel, inputs, taps, taps, 0);
                for k in 0..here {
                    let weight = &weight[(first + k) * row + channel * taps..][..places.len()];
                    for (&place, &weight) in places.iter().zip(weight) {
                        out[place * wide + k] = weight;
                    }
                }
            }
        })
    }

    fn forward_job(&self) -> Job {
        let tap = |y: usize, x: usize| {
            [(y, 0), (x, 1)]
                .map(|(tap, i)| (tap * self.dilation[i]) as isize - self.padding[i] as isize)
        };
        let taps = (0..self.kernel[0]).flat_map(|y| (0..self.kernel[1]).map(move |x| tap(y, x)));
        Job {
            batch: self.batch,
            channels: self.inputs,
            size: self.input,
            grid: self.output,
            step: self.stride,
            taps: taps.collect(),
            out_size: self.output,
            out_first: [0, 0],
            out_step: [1, 1],
            out_channels: self.outputs,
        }
    }
}

/// Channels whose weights are moved at once.
const CHANNELS: usize = 4;

/// Of the weights `[channels, taps]` of some channels, in their order: the row of a product
/// where each has its place, in which runs of `run` taps are `stride` rows apart.
fn places(first: usize, channels: usize, taps: usize, run: usize, stride: usize) -> Vec<usize> {
    let row = move |tap: usize| tap / run * stride + tap % run * channels;
    let some = first..channels.min(first + CHANNELS);
    some.flat_map(|channel| (0..taps).map(move |tap| row(tap) + channel)).collect()
}

/// One pass of a kernel over images: for each point of a grid, taps around it are read.
struct Job {
    batch: usize,
    channels: usize,
    /// Height and width of what is read.
    size: [usize; 2],
    /// Height and width of the grid.
    grid: [usize; 2],
    /// Pixels from one point of the grid to the next, in what is read.
    step: [usize; 2],
    /// Where each tap reads, relative to the point.
    taps: Vec<[isize; 2]>,
    /// Height and width of what is written.
    out_size: [usize; 2],
    /// Where the grid begins there.
    out_first: [usize; 2],
    /// Pixels from one point of the grid to the next there.
    out_step: [usize; 2],
    out_channels: usize,
}

/// How the images of a job lie when they are read.
struct Frame {
    /// Zeros above, and left.
    before: [usize; 2],
    /// Height and width with the zeros.
    size: [usize; 2],
    /// Whether there is anything around the images at all.
    padded: bool,
    /// Offset of each tap; of taps that lie one after the other, of the first.
    taps: Vec<u32>,
    /// Floats at each of them.
    depth: usize,
}

impl Frame {
    /// Whether patches are to be copied.
    fn few(&self) -> bool {
        self.depth < FEW && self.taps.len() > 1
    }
}

impl Job {
    fn points(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    fn terms(&self) -> usize {
        self.taps.len() * self.channels
    }

    fn frame(&self) -> Frame {
        let mut before = [0; 2];
        let mut size = self.size;
        for i in 0..2 {
            let reads = self.taps.iter().map(|tap| tap[i]);
            let least = reads.clone().min().unwrap_or(0);
            let most = reads.max().unwrap_or(0)
                + (self.grid[i].max(1) - 1) as isize * self.step[i] as isize;
            before[i] = usize::try_from(-least).unwrap_or(0);
            let after = usize::try_from(most - (self.size[i] as isize - 1)).unwrap_or(0);
            size[i] = before[i] + self.size[i] + after;
        }
        let offset = |tap: &[isize; 2]| {
            let [y, x] = [0, 1].map(|i| (tap[i] + before[i] as isize) as usize);
            offset_of((y * size[1] + x) * self.channels)
        };
        let taps: Vec<u32> = self.taps.iter().map(offset).collect();
        let follows = |pair: &[u32]| pair[1] == pair[0].wrapping_add(self.channels as u32);
        // The taps of a line of the kernel are read as one.
        let run = 1 + taps.windows(2).take_while(|pair| follows(pair)).count();
        let even =
            taps.chunks(run).all(|run_of| run_of.len() == run && run_of.windows(2).all(follows));
        let run = if even { run } else { 1 };
        let (taps, depth) = (taps.into_iter().step_by(run).collect(), run * self.channels);
        Frame { before, size, padded: size != self.size, taps, depth }
    }

    /// Offsets of the points of `images` images, in the frame.
    fn rows(&self, frame: &Frame, images: usize) -> Vec<u32> {
        let [height, width] = frame.size;
        points(images, self.grid)
            .map(|[n, y, x]| {
                let pixel = (n * height + y * self.step[0]) * width + x * self.step[1];
                offset_of(pixel * self.channels)
            })
            .collect()
    }

    /// Offsets of the points of `images` images, in what is written.
    fn out_rows(&self, images: usize) -> Vec<u32> {
        let [height, width] = self.out_size;
        let [first, step] = [self.out_first, self.out_step];
        points(images, self.grid)
            .map(|[n, y, x]| {
                let pixel = (n * height + first[0] + y * step[0]) * width + first[1] + x * step[1];
                offset_of(pixel * self.out_channels)
            })
            .collect()
    }

    /// Copies images into their frames.
    fn copy(
        &self,
        source: &View<'_>,
        frame: &Frame,
        first: usize,
        images: usize,
        place: &mut [f32],
    ) {
        let row = frame.size[1] * self.channels;
        let image = frame.size[0] * row;
        let start = frame.before[0] * row + frame.before[1] * self.channels;
        for (index, place) in (first..first + images).zip(place.chunks_exact_mut(image)) {
            source.copy_image(index, row, &mut place[start..]);
        }
    }
}

/// A job with all that its tasks share. A task is a group of images, or some panels of the
/// weights for them.
struct Plan<'a> {
    job: &'a Job,
    source: &'a View<'a>,
    weights: &'a Packed,
    bias: Option<&'a [f32]>,
    finish: Finish,
    frame: Frame,
    /// Floats of an image in its frame.
    image: usize,
    /// Images of a group, groups, and parts of the panels.
    group: usize,
    groups: usize,
    parts: usize,
    /// Few channels: patches are copied, and all taps are one.
    few: bool,
    rows: Vec<u32>,
    out_rows: Vec<u32>,
    patch_rows: Vec<u32>,
}

impl<'a> Plan<'a> {
    /// The plan for one of `jobs` jobs at once; none where there is nothing to do.
    fn new(
        (job, jobs): (&'a Job, usize),
        source: &'a View<'a>,
        weights: &'a Packed,
        bias: Option<&'a [f32]>,
        finish: Finish,
    ) -> Option<Self> {
        if job.batch == 0 || job.grid.contains(&0) || job.out_channels == 0 {
            return None;
        }
        let frame = job.frame();
        let image = frame.size[0] * frame.size[1] * job.channels;
        let group = (FRAME / image.max(1)).clamp(1, job.batch.div_ceil(threads()));
        let groups = job.batch.div_ceil(group);
        let parts = if groups * jobs < threads() {
            (2 * threads()).div_ceil(groups * jobs).min(weights.panels())
        } else {
            1
        };
        let (rows, out_rows) = (job.rows(&frame, group), job.out_rows(group));
        let few = frame.few();
        let patch_rows: Vec<u32> = if few {
            (0..rows.len()).map(|row| offset_of(row * job.terms())).collect()
        } else {
            Vec::new()
        };
        Some(Self {
            job,
            source,
            weights,
            bias,
            finish,
            frame,
            image,
            group,
            groups,
            parts,
            few,
            rows,
            out_rows,
            patch_rows,
        })
    }

    fn tasks(&self) -> usize {
        self.groups * self.parts
    }

    /// Floats moved that take as long: beside the multiplications, reading the weights counts
    /// where rows are few.
    fn work(&self) -> usize {
        let weights = self.job.terms() * self.job.out_channels;
        self.job.batch * self.job.points() * weights / WORK + weights / 2
    }

    /// Does one of the tasks; `out` is `[batch, out_size, out_channels]`.
    ///
    /// # Safety
    /// `out` has room for that, and nothing else writes the points of this grid meanwhile, save
    /// other tasks.
    unsafe fn task(&self, scratch: &mut Scratch, index: usize, out: Out) {
        let &Self { job, group, parts, image, weights, bias, finish, .. } = self;
        let (first, part) = (index / parts * group, index % parts);
        let images = group.min(job.batch - first);
        let count = images * job.points();
        let left = if self.frame.padded || !self.source.is_channels_last() {
            let copy = |place: &mut [f32]| job.copy(self.source, &self.frame, first, images, place);
            scratch.frame(image * group, copy)
        } else {
            &self.source.data[first * image..][..images * image]
        };
        let panels = weights.panels();
        let panels = panels * part / parts..panels * (part + 1) / parts;
        let out_image = job.out_size[0] * job.out_size[1] * job.out_channels;
        // SAFETY: every row and tap lies in the frame, by the construction of `frame`; in what
        // is written, images differ between tasks, or else the panels do.
        unsafe {
            let mut product = Rows {
                left: left.as_ptr(),
                rows: &self.rows[..count],
                taps: &self.frame.taps,
                depth: self.frame.depth,
                out: out.at(first * out_image),
                out_rows: &self.out_rows[..count],
            };
            if self.few {
                let patches = patches(&product, &mut scratch.patches);
                product = Rows {
                    left: patches.as_ptr(),
                    rows: &self.patch_rows[..count],
                    taps: &[0],
                    depth: job.terms(),
                    ..product
                };
                multiply(&product, weights, panels, bias, finish);
            } else {
                multiply(&product, weights, panels, bias, finish);
            }
        }
    }
}

/// Writes every point of the plans' grids, all at once.
///
/// # Safety
/// `out` is as each of the plans says, whose points are different ones.
unsafe fn run(plans: &[Plan<'_>], out: Out) {
    let tasks = plans.iter().map(Plan::tasks).sum();
    let work: usize = plans.iter().map(Plan::work).sum();
    // Each plan has its own frames, whose zeros are in other places.
    let scratch = || -> Vec<Scratch> { plans.iter().map(|_| Scratch::default()).collect() };
    let task = |scratch: &mut Vec<Scratch>, mut index: usize| {
        for (plan, scratch) in plans.iter().zip(scratch) {
            if index < plan.tasks() {
                // SAFETY: as this function.
                return unsafe { plan.task(scratch, index, out) };
            }
            index -= plan.tasks();
        }
    };
    if work < SMALL {
        let mut scratch = scratch();
        (0..tasks).for_each(|index| task(&mut scratch, index));
    } else {
        on_threads(tasks, scratch, task);
    }
}

fn points(images: usize, [height, width]: [usize; 2]) -> impl Iterator<Item = [usize; 3]> {
    (0..images).flat_map(move |n| (0..height).flat_map(move |y| (0..width).map(move |x| [n, y, x])))
}

/// An offset within the images of one group.
fn offset_of(floats: usize) -> u32 {
    u32::try_from(floats).expect("a group of images has fewer than 2^32 floats")
}

/// What a thread needs from task to task.
#[derive(Default)]
struct Scratch {
    frame: Vec<f32>,
    patches: Vec<f32>,
}

impl Scratch {
    /// Room for images in frames of zeros; `copy` writes the same places each time, so that
    /// the zeros stay.
    fn frame(&mut self, len: usize, copy: impl FnOnce(&mut [f32])) -> &[f32] {
        // Beyond the end `accumulate` may read, and drop, the rest of its rows.
        self.frame.resize(len + 16, 0.0);
        copy(&mut self.frame[..len]);
        &self.frame
    }
}

/// The patches of all rows, one after the other.
///
/// # Safety
/// As for [`multiply`] of the same rows.
unsafe fn patches<'s>(rows: &Rows<'_>, out: &'s mut Vec<f32>) -> &'s [f32] {
    let terms = rows.taps.len() * rows.depth;
    out.resize(rows.rows.len() * terms + 16, 0.0);
    for (&row, out) in rows.rows.iter().zip(out.chunks_exact_mut(terms)) {
        for (&tap, out) in rows.taps.iter().zip(out.chunks_exact_mut(rows.depth)) {
            // SAFETY: the caller vouches for `depth` floats at each tap of each row.
            let from = unsafe { rows.left.add(row as usize + tap as usize) };
            for (i, out) in out.iter_mut().enumerate() {
                // SAFETY: as above.
                *out = unsafe { *from.add(i) };
            }
        }
    }
    out
}

impl Conv {
    /// The same as a convolution by Winograd's way, and the same for its input gradient, where
    /// these pay.
    fn winograd(&self) -> [Option<Winograd>; 2] {
        let after = |i: usize| (self.output[i] + 2).checked_sub(self.input[i] + self.padding[i]);
        let plain = self.kernel == [3, 3] && self.stride == [1, 1] && self.dilation == [1, 1];
        let padded =
            (0..2).all(|i| self.padding[i] <= 2 && after(i).is_some_and(|after| after <= 2));
        if !plain || !padded {
            return [None; 2];
        }
        let forward = Winograd {
            batch: self.batch,
            inputs: self.inputs,
            outputs: self.outputs,
            output: self.output,
            padding: self.padding,
        };
        let backward = Winograd {
            inputs: self.outputs,
            outputs: self.inputs,
            output: self.input,
            padding: self.padding.map(|padding| 2 - padding),
            ..forward
        };
        [forward, backward].map(|way| Some(way).filter(Winograd::pays))
    }
}

/// Weights as the pass forward wants them.
#[derive(Clone, Debug)]
pub struct Prepared {
    packed: Packed,
    winograd: bool,
}

impl Prepared {
    /// Of weights that are packed already, for a convolution by one pixel.
    pub fn of(packed: Packed) -> Self {
        Self { packed, winograd: false }
    }

    /// The packed weights.
    pub fn packed(&self) -> &Packed {
        &self.packed
    }

    /// Whether this is how `conv` wants its weights, of the same sizes.
    pub fn suits(&self, conv: &Conv) -> bool {
        self.winograd == conv.winograd()[0].is_some()
    }
}

impl Conv {
    /// Weights `[outputs, inputs, height, width]` as [`convolve`] wants them.
    ///
    /// # Panics
    /// Where the length is another.
    pub fn prepare(&self, weight: &[f32]) -> Prepared {
        let [Some(winograd), _] = self.winograd() else {
            return Prepared { packed: self.pack(weight), winograd: false };
        };
        assert_eq!(weight.len(), self.outputs * self.inputs * 9, "weights");
        let taps = |input: usize, output: usize| -> [f32; 9] {
            let at = (output * self.inputs + input) * 9;
            weight[at..at + 9].try_into().expect("nine taps")
        };
        Prepared { packed: winograd.weights(taps), winograd: true }
    }
}

/// The convolution `[batch, outputs, height, width]` of `x`, channels last.
///
/// # Panics
/// Where `x`, the weights or the bias are not of the shape.
pub fn convolve(
    conv: &Conv,
    x: &View<'_>,
    weights: &Prepared,
    bias: Option<&[f32]>,
    finish: Finish,
) -> Vec<f32> {
    assert!(weights.suits(conv), "weights that are prepared for another convolution");
    let [Some(winograd), _] = conv.winograd() else {
        return forward(conv, x, &weights.packed, bias, finish);
    };
    assert_eq!(x.shape, conv.input_shape(), "input");
    assert_eq!(weights.packed.terms(), conv.inputs * 16, "weights");
    assert_eq!(weights.packed.columns(), conv.outputs, "weights");
    assert!(bias.is_none_or(|bias| bias.len() == conv.outputs), "bias");
    let len = conv.output_shape().iter().product();
    // SAFETY: the tiles cover the whole output.
    unsafe { filled(len, |out| winograd.run(x, &weights.packed, bias, finish, out)) }
}

/// The convolution `[batch, outputs, height, width]` of `x`, channels last, with weights that
/// [`Conv::pack`] packed.
///
/// # Panics
/// Where `x`, the weights or the bias are not of the shape.
pub fn forward(
    conv: &Conv,
    x: &View<'_>,
    weights: &Packed,
    bias: Option<&[f32]>,
    finish: Finish,
) -> Vec<f32> {
    assert_eq!(x.shape, conv.input_shape(), "input");
    assert_ne!(finish, Finish::Add, "nothing to add to");
    let job = conv.forward_job();
    let plan = Plan::new((&job, 1), x, weights, bias, finish);
    // SAFETY: the grid of a forward pass is the whole output.
    unsafe { filled(conv.output_shape().iter().product(), |out| run(plan.as_slice(), out)) }
}

/// Weights as the gradient for the input, or the transposed convolution, wants them.
#[derive(Clone, Debug)]
pub struct PreparedTransposed(Way);

/// The ways of that gradient.
#[derive(Clone, Debug)]
enum Way {
    /// The kernel covers the picture just once: one product, `[outputs, taps, inputs]`.
    Product(Packed),
    /// A convolution with the kernel turned around.
    Winograd(Packed),
    /// One pass for each phase.
    Phases(Vec<Packed>),
}

/// With a stride, pixels of the input whose places in it agree see the same taps.
struct Phase {
    /// The first of these pixels.
    first: [usize; 2],
    /// Which places of the kernel reach them, and where these read.
    places: Vec<usize>,
    taps: Vec<[isize; 2]>,
}

impl Conv {
    /// Whether the kernel covers the picture just once.
    fn covers(&self) -> bool {
        self.output == [1, 1]
            && self.padding == [0, 0]
            && self.dilation == [1, 1]
            && self.input == self.kernel
    }

    fn phases(&self) -> Vec<Phase> {
        let [height, width] = self.stride;
        let phase = |first: [usize; 2]| {
            let mut phase = Phase { first, places: Vec::new(), taps: Vec::new() };
            for place in 0..self.taps() {
                let tap = [place / self.kernel[1], place % self.kernel[1]];
                let reads = [0, 1].map(|i| {
                    let at = (first[i] + self.padding[i]) as isize
                        - (tap[i] * self.dilation[i]) as isize;
                    (at.rem_euclid(self.stride[i] as isize) == 0)
                        .then_some(at.div_euclid(self.stride[i] as isize))
                });
                if let [Some(y), Some(x)] = reads {
                    phase.taps.push([y, x]);
                    phase.places.push(place);
                }
            }
            phase
        };
        (0..height).flat_map(|y| (0..width).map(move |x| [y, x])).map(phase).collect()
    }

    /// Weights `[outputs, inputs, height, width]` as [`transposed`] wants them.
    ///
    /// # Panics
    /// Where the length is another.
    pub fn prepare_transposed(&self, weight: &[f32]) -> PreparedTransposed {
        let (inputs, taps) = (self.inputs, self.taps());
        assert_eq!(weight.len(), self.outputs * inputs * taps, "weights");
        PreparedTransposed(if self.covers() {
            let fill = |first: usize, here: usize, wide: usize, out: &mut [f32]| {
                let weights = weight.chunks_exact(inputs * taps);
                for (weight, out) in weights.zip(out.chunks_exact_mut(wide)) {
                    for (column, out) in (first..first + here).zip(out) {
                        *out = weight[column % inputs * taps + column / inputs];
                    }
                }
            };
            Way::Product(Packed::filled(self.outputs, taps * inputs, fill))
        } else if let [_, Some(winograd)] = self.winograd() {
            let turned = |output: usize, input: usize| -> [f32; 9] {
                let at = (output * inputs + input) * 9;
                std::array::from_fn(|tap| weight[at + 8 - tap])
            };
            Way::Winograd(winograd.weights(turned))
        } else {
            let packed = |Phase { places, .. }: Phase| {
                let fill = |first: usize, here: usize, wide: usize, out: &mut [f32]| {
                    for k in 0..self.outputs {
                        let weight = &weight[(k * inputs + first) * taps..];
                        for (tap, &place) in places.iter().enumerate() {
                            let out = &mut out[(tap * self.outputs + k) * wide..][..here];
                            for (c, out) in out.iter_mut().enumerate() {
                                *out = weight[c * taps + place];
                            }
                        }
                    }
                };
                Packed::filled(places.len() * self.outputs, inputs, fill)
            };
            Way::Phases(self.phases().into_iter().map(packed).collect())
        })
    }
}

impl PreparedTransposed {
    /// Whether this is how `conv` wants its weights, of the same sizes.
    pub fn suits(&self, conv: &Conv) -> bool {
        let winograd = !conv.covers() && conv.winograd()[1].is_some();
        match &self.0 {
            Way::Product(_) => conv.covers(),
            Way::Winograd(_) => winograd,
            Way::Phases(all) => {
                !conv.covers() && !winograd && all.len() == conv.stride[0] * conv.stride[1]
            }
        }
    }
}

/// The gradient `[batch, inputs, height, width]` for the input, channels last, from that for
/// the output and weights `[outputs, inputs, height, width]`. This is also the transposed
/// convolution of `gradient`, plus `bias`.
///
/// # Panics
/// Where the gradient, the weights or the bias are not of the shape.
pub fn input_gradient(
    conv: &Conv,
    gradient: &View<'_>,
    weight: &[f32],
    bias: Option<&[f32]>,
    finish: Finish,
) -> Vec<f32> {
    transposed(conv, gradient, &conv.prepare_transposed(weight), bias, finish)
}

/// The same with weights that are packed already.
///
/// # Panics
/// Where the gradient, the weights or the bias are not of the shape.
pub fn transposed(
    conv: &Conv,
    gradient: &View<'_>,
    weights: &PreparedTransposed,
    bias: Option<&[f32]>,
    finish: Finish,
) -> Vec<f32> {
    assert!(weights.suits(conv), "weights that are prepared for another convolution");
    assert_eq!(gradient.shape, conv.output_shape(), "gradient");
    assert!(bias.is_none_or(|bias| bias.len() == conv.inputs), "bias");
    assert_ne!(finish, Finish::Add, "nothing to add to");
    let len = conv.input_shape().iter().product();
    let packed = match &weights.0 {
        Way::Product(packed) => {
            let bias = bias.map(|bias| bias.repeat(conv.taps()));
            let [kernel, stride, output] = [[1, 1]; 3];
            let columns = packed.columns();
            let whole = Conv { inputs: conv.outputs, outputs: columns, input: output, ..*conv };
            let whole = Conv { kernel, stride, output, ..whole };
            return forward(&whole, gradient, packed, bias.as_deref(), finish);
        }
        Way::Winograd(packed) => {
            let [_, Some(winograd)] = conv.winograd() else { unreachable!("the weights suit") };
            assert_eq!(
                [packed.terms(), packed.columns()],
                [conv.outputs * 16, conv.inputs],
                "weights"
            );
            // SAFETY: the tiles cover the whole input.
            return unsafe { filled(len, |out| winograd.run(gradient, packed, bias, finish, out)) };
        }
        Way::Phases(packed) => packed,
    };
    let job = |phase: Phase| Job {
        batch: conv.batch,
        channels: conv.outputs,
        size: conv.output,
        grid: [0, 1].map(|i| conv.input[i].saturating_sub(phase.first[i]).div_ceil(conv.stride[i])),
        step: [1, 1],
        taps: phase.taps,
        out_size: conv.input,
        out_first: phase.first,
        out_step: conv.stride,
        out_channels: conv.inputs,
    };
    let jobs: Vec<Job> = conv.phases().into_iter().map(job).collect();
    let plans = jobs.iter().zip(packed);
    let plans: Vec<Plan<'_>> = plans
        .filter_map(|(job, packed)| Plan::new((job, jobs.len()), gradient, packed, bias, finish))
        .collect();
    // SAFETY: the phases write different pixels, and together all.
    unsafe { filled(len, |out| run(&plans, out)) }
}

/// The gradient `[outputs, inputs, height, width]` for the weights.
///
/// # Panics
/// Where `x` or the gradient are not of the shape.
pub fn weight_gradient(conv: &Conv, x: &View<'_>, gradient: &View<'_>) -> Vec<f32> {
    assert_eq!(x.shape, conv.input_shape(), "input");
    assert_eq!(gradient.shape, conv.output_shape(), "gradient");
    if let [Some(winograd), _] = conv.winograd() {
        return winograd.weight_gradient(x, gradient);
    }
    let taps = conv.taps();
    let mut weight = vec![0.0; conv.outputs * conv.inputs * taps];
    let points = conv.output[0] * conv.output[1];
    if weight.is_empty() || conv.batch == 0 || points == 0 {
        return weight;
    }
    let sums = Sums::new(conv);
    let size = sums.panel() * sums.panels;
    // Large sums are divided among the threads by panels, small ones by images: each thread
    // then has its own, and they are added in the same order each time.
    let by_panels = size > 1 << 17 && sums.panels >= threads() || conv.batch < threads();
    let parts = if by_panels { 1 } else { threads() };
    let mut all = Aligned::zeros(size * parts);
    let out = Out(all.as_mut_slice().as_mut_ptr());
    let task = |index: usize| {
        let (images, panels) = if by_panels {
            (0..conv.batch, index..index + 1)
        } else {
            (conv.batch * index / parts..conv.batch * (index + 1) / parts, 0..sums.panels)
        };
        let part = if by_panels { 0 } else { index * size };
        // SAFETY: each task has its own panels or its own part of the sums.
        unsafe { sums.add(x, gradient, images, panels, Out(out.at(part))) };
    };
    let tasks = if by_panels { sums.panels } else { parts };
    share(tasks, conv.batch * points * weight.len() / WORK, task);
    sums.unpack(all.as_slice(), size, &mut weight);
    weight
}

/// The sums of a weight gradient: for each panel of outputs, `[taps, depth, outputs]`.
struct Sums<'a> {
    conv: &'a Conv,
    job: Job,
    /// Few channels: patches are copied, and all taps are one.
    few: bool,
    taps: usize,
    /// Terms of a tap, and the same rounded up to what one product takes.
    depth: usize,
    padded: usize,
    panels: usize,
}

impl<'a> Sums<'a> {
    fn new(conv: &'a Conv) -> Self {
        let job = conv.forward_job();
        let frame = job.frame();
        let few = frame.few();
        let (taps, depth) = if few { (1, job.terms()) } else { (frame.taps.len(), frame.depth) };
        let padded = depth.next_multiple_of(outer_rows());
        let panels = conv.outputs.div_ceil(panel_width());
        Self { conv, job, few, taps, depth, padded, panels }
    }

    /// Floats of a panel.
    fn panel(&self) -> usize {
        self.taps * self.padded * panel_width()
    }

    /// Outputs of a panel, with filling.
    fn width(&self, panel: usize) -> usize {
        let half = panel_width() / 2;
        if self.conv.outputs - panel * panel_width() <= half { half } else { 2 * half }
    }

    /// Adds the products of some images for some panels.
    ///
    /// # Safety
    /// `out` has all panels, of which nothing else touches these meanwhile.
    unsafe fn add(
        &self,
        x: &View<'_>,
        gradient: &View<'_>,
        images: std::ops::Range<usize>,
        panels: std::ops::Range<usize>,
        out: Out,
    ) {
        let (conv, job) = (self.conv, &self.job);
        let frame = job.frame();
        let image = frame.size[0] * frame.size[1] * conv.inputs;
        // Rows beyond the depth are read too, so that there must be some behind the last.
        let copied = frame.padded || !x.is_channels_last() || self.padded != self.depth;
        let points = conv.output[0] * conv.output[1];
        // Where the sums are large, many rows for each time that they are fetched.
        let block: usize = if self.taps * self.padded > 1 << 10 { 1024 } else { 256 };
        let group = block.div_ceil(points).min(images.len());
        let rows = job.rows(&frame, group);
        let terms = self.taps * self.depth;
        let mut scratch = Scratch::default();
        let mut right = Aligned::zeros(block * panel_width());
        for first in images.clone().step_by(group) {
            let count = group.min(images.end - first);
            let mut left = if copied {
                scratch.frame(image * group, |place| job.copy(x, &frame, first, count, place))
            } else {
                &x.data[first * image..][..count * image]
            };
            let mut rows = &rows[..count * points];
            let mut taps = &frame.taps[..];
            let patch_rows: Vec<u32>;
            if self.few {
                let product = Rows {
                    left: left.as_ptr(),
                    rows,
                    taps,
                    depth: frame.depth,
                    out: out.0,
                    out_rows: &[],
                };
                // SAFETY: every row and tap lies in the frame.
                left = unsafe { patches(&product, &mut scratch.patches) };
                patch_rows = (0..rows.len()).map(|row| offset_of(row * terms)).collect();
                (rows, taps) = (&patch_rows, &[0]);
            }
            for (start, rows) in (first * points..).step_by(block).zip(rows.chunks(block)) {
                for panel in panels.clone() {
                    let width = self.width(panel);
                    gather(
                        gradient,
                        start,
                        panel * panel_width(),
                        width,
                        &mut right.as_mut_slice()[..rows.len() * width],
                    );
                    for (tap, &offset) in taps.iter().enumerate() {
                        for term in (0..self.padded).step_by(outer_rows()) {
                            let sum = panel * self.panel() + (tap * self.padded + term) * width;
                            // SAFETY: rows and taps lie in the frame, with room behind it; the
                            // sum lies in its panel.
                            unsafe {
                                accumulate(&Outer {
                                    left: left.as_ptr().add(offset as usize + term),
                                    rows,
                                    right: right.as_slice().as_ptr(),
                                    width,
                                    out: out.at(sum),
                                });
                            }
                        }
                    }
                }
            }
        }
    }

    /// Writes the sums, each added up over the parts of `size` floats, as weights.
    fn unpack(&self, sums: &[f32], size: usize, weight: &mut [f32]) {
        let (depth, taps) = (self.conv.inputs, self.conv.taps());
        let panel_size = self.panel();
        let full = panel_width();
        let len = weight.len();
        let out = Out(weight.as_mut_ptr());
        share(self.panels, len, |panel| {
            let width = self.width(panel);
            let outputs = full.min(self.conv.outputs - panel * full);
            let start = panel * full * depth * taps;
            // SAFETY: each panel has its own outputs.
            let weight =
                unsafe { std::slice::from_raw_parts_mut(out.at(start), outputs * depth * taps) };
            for channel in (0..depth).step_by(CHANNELS) {
                let places = places(channel, depth, taps, self.depth / depth, self.padded);
                for k in 0..outputs {
                    let weight = &mut weight[(k * depth + channel) * taps..][..places.len()];
                    for part in sums.chunks_exact(size) {
                        let part = &part[panel * panel_size..];
                        for (weight, &place) in weight.iter_mut().zip(&places) {
                            *weight += part[place * width + k];
                        }
                    }
                }
            }
        });
    }
}

/// Some channels of consecutive pixels, counted through all images, as rows of `width`
/// floats, filled up with zeros.
fn gather(view: &View<'_>, start: usize, channel: usize, width: usize, out: &mut [f32]) {
    let [_, channels, height, columns] = view.shape;
    let here = width.min(channels - channel);
    let [batch, step, line, pixel] = view.strides;
    let flat = view.is_channels_last();
    for (index, out) in (start..).zip(out.chunks_exact_mut(width)) {
        let at = if flat {
            index * channels
        } else {
            index / (height * columns) * batch
                + index / columns % height * line
                + index % columns * pixel
        };
        let from = &view.data[at + channel * step..];
        if step == 1 {
            out[..here].copy_from_slice(&from[..here]);
        } else {
            for (i, out) in out[..here].iter_mut().enumerate() {
                *out = from[i * step];
            }
        }
        out[here..].fill(0.0);
    }
}

/// The gradient `[outputs]` for the bias: sums over all pixels.
pub fn bias_gradient(gradient: &View<'_>) -> Vec<f32> {
    let [batch, channels, height, width] = gradient.shape;
    let pixels = batch * height * width;
    let mut sums = vec![0.0; channels];
    let mut rows = vec![0.0; channels.max(1) * 64];
    for start in (0..pixels).step_by(64) {
        let rows = &mut rows[..(pixels - start).min(64) * channels];
        gather(gradient, start, 0, channels, rows);
        // 64 rows at a time: sums of sums lose less.
        let mut part = vec![0.0; channels];
        for row in rows.chunks_exact(channels.max(1)) {
            for (sum, value) in part.iter_mut().zip(row) {
                *sum += value;
            }
        }
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part;
        }
    }
    sums
}
